"""An exception caught now and looked at later: what a Deferred hands to its errbacks.

Thread: any. A Failure has no lock; like the exception in it, it is handed from owner to owner.

How it works
------------
Making a Failure stores the exception, its type and its traceback and looks at nothing: no frame, no
line of source, no name of a class. What somebody asks for (`Failure.frames`, `Failure.parents`, a
text) is computed then. `Failure.cleanFailure` lets the frames go and keeps a list of (code, line)
pairs, from which the same texts can still be made.

No frame of this module keeps a Failure once an exception has left it. Such a frame is part of the
exception's traceback, so that the Failure, its exception and the frame would be a cycle, which only
the garbage collector ends: late, and with all that the other frames hold.
"""

from __future__ import annotations

import sys
from itertools import count as _counter
from typing import TYPE_CHECKING, Any, NoReturn

from twistlike._base.frames import fakeTraceback, format_frames, printableFrames, textOf
from twistlike._base.naming import showAs
from twistlike._base.reflect import qual, safe_str

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import CodeType, TracebackType
    from typing import IO, Self

    from twistlike._base.frames import Frame

__all__ = [
    "DefaultException",
    "Failure",
    "NoCurrentExceptionError",
    "startDebugMode",
    "withTraceback",
]

_PUBLIC = "twistlike.python.failure"
"""The module under whose name all this is shown, pickled and imported."""

_SLOTS = ("captureVars", "count", "tb", "type", "value")

_nextCount = _counter(1).__next__
_new = BaseException.__new__

withTraceback: Any = BaseException.with_traceback
"""Set an exception's traceback, and return the exception. Its class may refuse `__traceback__ =`,
as frozen dataclasses do, or have a method of that name."""

tracebackOf: Any = BaseException.__dict__["__traceback__"].__get__
"""Return an exception's traceback, whatever its class answers."""

_ownDict: Any = BaseException.__dict__["__dict__"]

_debugging = False  # set once by startDebugMode


class DefaultException(Exception):
    """Stands for an error that came without an exception of its own."""


class NoCurrentExceptionError(Exception):
    """`Failure` was made with no exception given, and none was being handled."""


class Failure(BaseException):
    """An exception, and where it came from.

    Attributes:
        value: the exception. (Twisted allows any object; such a Failure cannot be raised.)
        type: its class.
        tb: its traceback; None if it was never raised, or after `cleanFailure`.
        captureVars: whether `frames` holds the variables.
        count: how many Failures this process had made when it made this one.
        pickled: 1 once it was pickled, copied or cleaned, else 0.

    Other code may put attributes of its own on a Failure.
    """

    # Slots, because the dictionary of an exception costs 150 ns to make and fill, of 400 for all.
    # Foreign attributes, and ours that most Failures never have, are in the dictionary too.
    __slots__ = ("__weakref__", *_SLOTS)

    value: Any
    type: Any
    tb: TracebackType | None
    captureVars: bool
    count: int
    pickled: int = 0

    _parents: list[Any] | None = None
    _frames: list[Frame] | None = None
    # What cleanFailure keeps of the traceback, until somebody asks for `frames`.
    _places: list[tuple[CodeType, int]] | None = None

    def __init__(
        self,
        exc_value: Any = None,
        exc_type: Any = None,
        exc_tb: TracebackType | None = None,
        captureVars: bool = False,
    ) -> None:
        """Take the given exception, or the one that is being handled.

        Args:
            exc_value: an exception; or a Failure, of which this one becomes a copy.
            exc_type: its class, where that is not `type(exc_value)`.
            exc_tb: its traceback, where that is not `exc_value.__traceback__`.
            captureVars: let `frames` and the verbose texts show the frames' variables.

        Raises:
            NoCurrentExceptionError: no exception was given, and none is being handled.
        """
        self.count = _nextCount()
        if exc_value is None:
            exc_value = sys.exception()
            if exc_value is None:
                raise NoCurrentExceptionError(
                    "no exception is being handled; give one: Failure(SomeError())"
                )
            exc_type = exc_tb = None
            if _debugging:
                _debug(exc_value)
        if issubclass(_type(exc_value), Failure):
            self._setAttributes(exc_value._attributes())
            return
        if exc_type is None:
            try:
                exc_type = exc_value.__class__
            except BaseException:
                exc_type = _type(exc_value)
        self.type = exc_type
        self.value = exc_value
        self.captureVars = captureVars
        if exc_tb is None and issubclass(_type(exc_value), BaseException):
            exc_tb = tracebackOf(exc_value)
        self.tb = exc_tb

    @classmethod
    def fromException(cls, error: BaseException, skip: int = 1) -> Self:
        """Return a Failure for a caught exception, without the catcher's own frames; the fast way.

        The frames are cut off the exception as well, so that nobody who looks at it sees them.

        The frames that are left still know their callers (`f_back`), the catcher's frame among
        them. It may keep the Failure in no variable once it has returned, nor may its callers:
        either is a cycle, which only `cleanFailure` or the garbage collector ends.

        Args:
            error: the exception, as an `except` clause gave it; not a Failure.
            skip: how many of the outermost traceback entries to drop.
        """
        if _debugging:
            _debug(error)
        try:
            tb = error.__traceback__
        except BaseException:  # its class answers for all attributes, and raises
            tb = tracebackOf(error)
        if skip and tb is not None:
            tb = tb.tb_next
            while skip > 1 and tb is not None:
                tb = tb.tb_next
                skip -= 1
            withTraceback(error, tb)
        self = _new(cls)
        self.count = _nextCount()
        self.type = _type(error)
        self.value = error
        self.captureVars = False
        self.tb = tb
        return self

    @classmethod
    def _withoutTraceback(cls, value: BaseException) -> Self:
        """Return a Failure for an exception that was never raised; twisted.web calls this."""
        return cls.fromException(value, 0)

    # Which error it is

    @property
    def parents(self) -> list[Any]:
        """The names of the exception's class and of its bases: what `check` looks at.

        As in Twisted, a class that is no `Exception` is there alone, and itself.
        """
        parents = self._parents
        if parents is None:
            cls = self.type
            if isinstance(cls, _type) and issubclass(cls, Exception):
                parents = [qual(base) for base in cls.__mro__]
            else:
                parents = [cls]
            self._parents = parents
        return parents

    @parents.setter
    def parents(self, parents: list[Any]) -> None:
        self._parents = parents

    def check(self, *errorTypes: Any) -> Any:
        """Return the first of the given types that this error is of, or None.

        Args:
            errorTypes: exception classes, or their names (`"module.Name"`). As in Twisted,
                classes count by name, and one that is no `Exception` (KeyboardInterrupt) matches
                only itself: `check(BaseException)` finds no ValueError.
        """
        # Most ask for the class itself, or for a base of it: those are found without any name.
        cls = self.type
        for error in errorTypes:
            if error is cls:
                return error
            if _matches(self, cls, error):
                return error
        return None

    def trap(self, *errorTypes: Any) -> Any:
        """Return the first of the given types that this error is of; if there is none, raise it.

        Args:
            errorTypes: as for `check`.
        """
        if errorTypes and errorTypes[0] is self.type:
            return errorTypes[0]
        error = self.check(*errorTypes)
        if error is not None:
            return error
        try:
            self.raiseException()
        finally:
            del self  # this frame is in the traceback now: see "How it works"

    # Raising it again

    def raiseException(self) -> NoReturn:
        """Raise the exception itself, with the traceback that it had when it was caught."""
        try:
            raise withTraceback(self.value, self.tb)
        finally:
            del self

    def throwExceptionIntoGenerator(self, g: Generator[Any, Any, Any]) -> Any:
        """Raise the exception where a generator waits; return what the generator yields next."""
        try:
            return g.throw(withTraceback(self.value, self.tb))
        finally:
            del self, g

    # Where it came from

    @property
    def frames(self) -> list[Frame]:
        """A (function name, file name, line, locals, globals) for each frame, outermost first.

        Locals and globals are lists of (name, value) pairs with `captureVars`, else empty.
        """
        frames = self._frames
        if frames is None:
            frames = self._frames = self._makeFrames()
            if self._places is not None:
                del self._places
        return frames

    @frames.setter
    def frames(self, frames: list[Frame]) -> None:
        self._frames = frames

    def _makeFrames(self) -> list[Frame]:
        if self._places is not None:
            return [(code.co_name, code.co_filename, line, (), ()) for code, line in self._places]
        frames: list[Frame] = []
        tb = self.tb
        while tb is not None:
            frame = tb.tb_frame
            code = frame.f_code
            if self.captureVars:
                localz: Any = list(frame.f_locals.items())
                globalz: Any = [
                    item for item in frame.f_globals.items() if item[0] != "__builtins__"
                ]
            else:
                localz = globalz = ()
            frames.append((code.co_name, code.co_filename, tb.tb_lineno, localz, globalz))
            tb = tb.tb_next
        return frames

    @property
    def stack(self) -> list[Frame]:
        """Always empty, and deprecated, as in Twisted: the catcher's callers are not kept."""
        import warnings

        warnings.warn(
            "Failure.stack is always empty; Failure.frames has the frames",
            DeprecationWarning,
            stacklevel=2,
        )
        return []

    @stack.setter
    def stack(self, stack: list[Frame]) -> None:
        pass  # Twisted's pickles bring one

    def getTracebackObject(self) -> Any:
        """Return the traceback, or where that is gone a stand-in; None if there never was one.

        The stand-in does for the `traceback` module, not for `raise`.
        """
        if self.tb is not None:
            return self.tb
        return fakeTraceback(self.frames) if self.frames else None

    def cleanFailure(self) -> None:
        """Let go of the traceback and so of all variables in its frames. The texts stay."""
        tb = self.tb
        if self.captureVars:
            if not self.pickled:
                self._frames = printableFrames(self.frames)
        elif self._frames is None and self._places is None:
            places = []
            while tb is not None:
                places.append((tb.tb_frame.f_code, tb.tb_lineno))
                tb = tb.tb_next
            self._places = places
        self.tb = None
        self.pickled = 1
        if issubclass(_type(self.value), BaseException):
            withTraceback(self.value, None)

    # Copies

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Let a subclass that mixes in another class find its attributes in either place.

        In such a class `__dict__` is the other one's: twisted.spread's, which puts all that came
        over the wire in there, where the slots hide it.
        """
        super().__init_subclass__(**kwargs)
        owner = next(base for base in cls.__mro__ if "__dict__" in vars(base))
        if owner is not Failure and not hasattr(cls, "__getattr__"):
            cls.__getattr__ = _attributeInDict  # type: ignore[attr-defined]

    def _attributes(self) -> dict[str, Any]:
        """Return all attributes, those in the slots and the others."""
        attributes = {}
        for name in _SLOTS:
            try:
                attributes[name] = getattr(self, name)
            except AttributeError:
                pass  # made by __new__ alone
        attributes.update(_ownDict.__get__(self))
        return attributes

    def _setAttributes(self, attributes: dict[str, Any]) -> None:
        """Set attributes, each where it belongs."""
        for name, value in attributes.items():
            setattr(self, name, value)

    # For Twisted's own consumers (twisted.spread), which expect all of a Failure to be in here. A
    # new dictionary each time: writing to it changes nothing, assigning it does.
    __dict__ = property(  # pyright: ignore[reportIncompatibleVariableOverride,reportAssignmentType]
        _attributes, _setAttributes
    )

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy or a pickle has: all but the traceback, variables as text."""
        frames = self.frames
        if self.captureVars and not self.pickled:
            frames = printableFrames(frames)
        state = self._attributes()
        for name in ("_frames", "_parents", "_places"):
            state.pop(name, None)
        state.update(tb=None, parents=self.parents, stack=[], frames=frames, pickled=1)
        return state

    def __setstate__(self, state: dict[str, Any] | None) -> None:
        """Take what `__getstate__` (or Twisted's) returned."""
        if state is not None:
            self._setAttributes(state)

    def __reduce__(self) -> tuple[Any, ...]:
        """As in Twisted, a copy is a plain Failure: a subclass may want arguments of its own."""
        return (_new, (Failure,), self.__getstate__())

    # Texts

    def getErrorMessage(self) -> str:
        """Return the text of the exception, or where `str` of it fails, a text about that."""
        if issubclass(_type(self.value), Failure):
            return self.value.getErrorMessage()  # type: ignore[no-any-return]
        return safe_str(self.value)

    def getBriefTraceback(self) -> str:
        """Return the error and a short line for each frame."""
        return textOf(self.printBriefTraceback)

    def getTraceback(self, elideFrameworkCode: int = 0, detail: str = "default") -> str:
        """Return the error and where it came from.

        Args:
            elideFrameworkCode: taken because Twisted does; without effect, as there.
            detail: `default`, `brief` or `verbose`.
        """
        return textOf(self.printTraceback, elideFrameworkCode=elideFrameworkCode, detail=detail)

    def printTraceback(
        self,
        file: IO[str] | None = None,
        elideFrameworkCode: int = False,
        detail: str = "default",
    ) -> None:
        """Write what `getTraceback` returns.

        Args:
            file: where to; without one, to the logger `twistlike`, as an error.
            elideFrameworkCode: without effect, as in Twisted.
            detail: `default`, `brief` or `verbose`.
        """
        if file is not None:
            self._write(file.write, detail)
        else:
            import logging  # not at import time, of which it would be a large part

            pieces: list[str] = []
            self._write(pieces.append, detail)
            logging.getLogger("twistlike").error("%s", "".join(pieces).rstrip("\n"))

    def printBriefTraceback(self, file: IO[str] | None = None, elideFrameworkCode: int = 0) -> None:
        """Write what `getBriefTraceback` returns."""
        self.printTraceback(file, elideFrameworkCode, detail="brief")

    def printDetailedTraceback(
        self, file: IO[str] | None = None, elideFrameworkCode: int = 0
    ) -> None:
        """Write the text with `detail="verbose"`."""
        self.printTraceback(file, elideFrameworkCode, detail="verbose")

    def _write(self, write: Callable[[str], object], detail: str) -> None:
        frames = self.frames
        message = safe_str(self.value)
        error = f"{_nameOf(self.type)}: {message}\n"
        if detail == "brief":
            kind = "Traceback" if frames else "Traceback (failure with no frames)"
            write(f"{kind}: {safe_str(self.type)}: {message}\n")
            format_frames(frames, write, "brief")
            self._writeChained(write, "brief")
            return
        frameDetail = detail
        if detail == "verbose":
            write(f"*--- Failure #{self.count}{' (pickled)' if self.pickled else ''} ---\n")
            if not self.captureVars:
                frameDetail = "verbose-vars-not-captured"
        else:
            write("Traceback (most recent call last):\n")
        if frames:
            format_frames(frames, write, frameDetail)
        else:
            write("Failure: ")
        write(error)
        self._writeChained(write, detail)
        if detail == "verbose":
            write(f"*--- End of Failure #{self.count} ---\n")

    def _writeChained(self, write: Callable[[str], object], detail: str) -> None:
        if issubclass(_type(self.value), Failure):
            write(" (chained Failure)\n")
            self.value._write(write, detail)

    def __repr__(self) -> str:
        return f"<{_nameOf(self.__class__)} {_nameOf(self.type)}: {self.getErrorMessage()}>"

    def __str__(self) -> str:
        return f"[Failure instance: {self.getBriefTraceback()}]"


_type = type  # Failure.type hides the name inside the class for the type checkers


def _matches(failure: Failure, cls: Any, error: Any) -> bool:
    """Say whether `Failure.check` finds `error`, which is not `cls`, the class itself."""
    if not isinstance(error, type):
        if error in failure.parents:
            return True
        # A program for Twisted gives Twisted's name of a class that is shown under ours.
        isTwisteds = isinstance(error, str) and error.startswith("twisted.")
        return isTwisteds and f"twistlike{error[len('twisted') :]}" in failure.parents
    if failure._parents is not None or not isinstance(cls, type):
        return issubclass(error, Exception) and qual(error) in failure.parents
    bases = cls.__mro__
    if error in bases:
        return issubclass(error, Exception)
    if not (issubclass(error, Exception) and issubclass(cls, Exception)):
        return False
    # By name, compared in parts: half the cost of making the names of all bases.
    name = error.__name__
    for base in bases:  # noqa: SIM110  (any() takes twice as long)
        if base.__name__ == name and base.__module__ == error.__module__:
            return True
    return False


def _attributeInDict(failure: Failure, name: str) -> Any:
    """Serve as `__getattr__` of a mixed subclass: asked only if there is nothing in the slot."""
    try:
        return _ownDict.__get__(failure)[name]
    except KeyError:
        message = f"{type(failure).__name__!r} object has no attribute {name!r}"
        raise AttributeError(message, name=name, obj=failure) from None


def _nameOf(cls: Any) -> str:
    """Return a class's name; where it came over a wire as a text, that."""
    return qual(cls) if isinstance(cls, type) else str(cls)


def _debug(error: BaseException) -> None:
    """Open the debugger where an exception was raised."""
    # The package has the switch, where Twisted's users look for it.
    if sys.modules[_PUBLIC].DO_POST_MORTEM and error.__traceback__ is not None:
        import pdb  # noqa: T100  (what startDebugMode is for)

        print(f"Jumping into debugger for post-mortem of exception '{safe_str(error)}':")
        pdb.post_mortem(error.__traceback__)


def startDebugMode() -> None:
    """Let each Failure that is made of a caught exception open the debugger, from now on."""
    global _debugging
    _debugging = True


showAs(
    "twistlike.python.failure",
    globals(),
    ["Failure", "DefaultException", "NoCurrentExceptionError", "startDebugMode"],
)
