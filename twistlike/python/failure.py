"""An exception caught now and looked at later: what a Deferred hands to its errbacks.

Thread: any. A Failure has no lock; like the exception in it, it is handed from owner to owner.

How it works
------------
Making a Failure stores the exception, its type and its traceback and looks at nothing: no frame, no
line of source, no name of a class. What somebody asks for (``frames``, ``parents``, a text) is
computed then. `Failure.cleanFailure` lets the frames go and keeps a list of (code, line) pairs, from
which the same texts can still be made.
"""

from __future__ import annotations

import sys
from itertools import count as _counter
from typing import IO, TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from types import CodeType, TracebackType
    from typing_extensions import Self

__all__ = [
    "DO_POST_MORTEM",
    "EXCEPTION_CAUGHT_HERE",
    "DefaultException",
    "Failure",
    "NoCurrentExceptionError",
    "format_frames",
    "startDebugMode",
]

EXCEPTION_CAUGHT_HERE = "--- <exception caught here> ---"

DO_POST_MORTEM = True
"""Whether `startDebugMode` makes the debugger start at the frame that raised."""

_NO_VARS = " [Capture of Locals and Globals disabled (use captureVars=True)]\n"

_nextCount = _counter(1).__next__


class DefaultException(Exception):
    """Stands for an error that came without an exception of its own."""


class NoCurrentExceptionError(Exception):
    """`Failure` was made with no exception given, and none was being handled."""


def _qualify(cls: type) -> str:
    """Return the name under which `Failure.check` knows a class: ``module.Name``."""
    return f"{cls.__module__}.{cls.__name__}"


def _safe(function: Callable[[object], str], value: object) -> str:
    """Return ``function(value)``, or a text that describes how that failed; never raises."""
    try:
        return function(value)
    except Exception:
        import traceback  # costs 10 ms at import time, and is needed for broken objects only

        try:
            name = type(value).__name__
        except Exception:
            name = "?"
        error = traceback.format_exc()
        return f"<{name} instance at 0x{id(value):x} with {function.__name__} error:\n {error}>"


def format_frames(
    frames: Iterable[Any], write: Callable[[str], object], detail: str = "default"
) -> None:
    """Write frames, as `Failure.frames` gives them, as text.

    Args:
        frames: (function name, file name, line number, locals, globals) for each frame.
        write: called with each piece of text.
        detail: ``default`` (as Python prints them), ``brief`` (a line each), ``verbose`` (with
            variables) or ``verbose-vars-not-captured``.

    Raises:
        ValueError: for any other ``detail``.
    """
    if detail not in ("default", "brief", "verbose", "verbose-vars-not-captured"):
        raise ValueError(
            "Detail must be default, brief, verbose, or verbose-vars-not-captured."
            f" (not {detail!r})"
        )
    if detail == "brief":
        for name, filename, line, _, _ in frames:
            write(f"{filename}:{line}:{name}\n")
    elif detail == "default":
        import linecache  # not at import time: only texts need it

        for name, filename, line, _, _ in frames:
            write(f'  File "{filename}", line {line}, in {name}\n')
            write(f"    {linecache.getline(filename, line).strip()}\n")
    else:
        for name, filename, line, localz, globalz in frames:
            write(f"{filename}:{line}: {name}(...)\n")
            if detail == "verbose":
                write(" [ Locals ]\n")
                for key, value in localz:
                    write(f"  {key} : {_safe(repr, value)}\n")
                write(" ( Globals )\n")
                for key, value in globalz:
                    write(f"  {key} : {_safe(repr, value)}\n")
        if detail == "verbose-vars-not-captured":
            write(_NO_VARS)


class Failure(BaseException):
    """An exception and where it came from.

    Attributes:
        value: the exception (Twisted allows any object; such a Failure cannot be raised).
        type: its class.
        tb: its traceback; None if it was never raised, or after `cleanFailure`.
        captureVars: whether `frames` holds variables.
        count: how many Failures this process had made when this one was made.
        pickled: 1 once it was pickled, copied or cleaned, else 0.

    Other code may put attributes of its own on a Failure.
    """

    value: Any
    type: Any
    tb: TracebackType | None
    captureVars: bool
    count: int
    pickled: int = 0

    _parents: list[Any] | None = None
    _frames: list[Any] | None = None
    # What cleanFailure keeps of the traceback, until somebody asks for `frames`.
    _places: list[tuple[CodeType, int]] | None = None

    def __init__(
        self,
        exc_value: object = None,
        exc_type: type | None = None,
        exc_tb: TracebackType | None = None,
        captureVars: bool = False,
    ) -> None:
        """Take the given exception, or the one that is being handled.

        Args:
            exc_value: an exception, or a Failure, of which this one becomes a copy.
            exc_type: its class, where that is not ``type(exc_value)``.
            exc_tb: its traceback, where that is not ``exc_value.__traceback__``.
            captureVars: let `frames` and the verbose texts show the frames' variables.

        Raises:
            NoCurrentExceptionError: no exception was given, and none is being handled.
        """
        if exc_value is None:
            exc_value = sys.exception()
            if exc_value is None:
                raise NoCurrentExceptionError()
            exc_type = exc_tb = None
        if isinstance(exc_value, Failure):
            self.__dict__.update(exc_value.__dict__)
            return
        self.count = _nextCount()
        self.type = exc_value.__class__ if exc_type is None else exc_type
        self.value = exc_value
        self.captureVars = captureVars
        if exc_tb is None and isinstance(exc_value, BaseException):
            exc_tb = exc_value.__traceback__
        self.tb = exc_tb

    @classmethod
    def fromException(cls, error: BaseException, skip: int = 1) -> Self:
        """Return a Failure for a caught exception without the catcher's own frames; the fast way.

        An exception whose traceback names the frame that keeps the Failure is a reference cycle,
        so the catcher's frames are cut off the exception too.

        Args:
            error: the exception, as an ``except`` clause gave it.
            skip: how many of the outermost traceback entries to drop.
        """
        tb = error.__traceback__
        while skip and tb is not None:
            tb = tb.tb_next
            skip -= 1
        error.__traceback__ = tb
        self = cls.__new__(cls)
        self.count = _nextCount()
        self.type = error.__class__
        self.value = error
        self.captureVars = False
        self.tb = tb
        return self

    @classmethod
    def _withoutTraceback(cls, value: BaseException) -> Self:
        """Return a Failure for an exception that was not raised; its ``tb`` is None."""
        self = cls.__new__(cls)
        self.count = _nextCount()
        self.type = value.__class__
        self.value = value
        self.captureVars = False
        self.tb = None
        return self

    # Which error it is

    @property
    def parents(self) -> list[Any]:
        """The names of the exception's class and of its bases: what `check` looks at."""
        parents = self._parents
        if parents is None:
            cls = self.type
            if issubclass(cls, Exception):
                parents = [_qualify(base) for base in cls.__mro__]
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
            errorTypes: exception classes, or their names (``"module.Name"``). As in Twisted,
                a class that is no ``Exception`` (KeyboardInterrupt) matches only itself.
        """
        parents = self._parents
        if parents is None:
            # Most checks name the class itself or a base of it: answered with no names made.
            cls = self.type
            for error in errorTypes:
                if error is cls:
                    return error
            parents = self.parents
        for error in errorTypes:
            wanted = error
            if isinstance(error, type) and issubclass(error, Exception):
                wanted = _qualify(error)
            if wanted in parents:
                return error
        return None

    def trap(self, *errorTypes: Any) -> Any:
        """Return the first of the given types that this error is of; raise the error if there is none.

        Args:
            errorTypes: as for `check`.
        """
        error = self.check(*errorTypes)
        if error is None:
            self.raiseException()
        return error

    # Raising it again

    def raiseException(self) -> NoReturn:
        """Raise the exception itself, with the traceback that it had when it was caught."""
        raise self.value.with_traceback(self.tb)

    def throwExceptionIntoGenerator(self, g: Generator[Any, Any, Any]) -> Any:
        """Throw the exception into a generator, and return what it yields next."""
        return g.throw(self.value.with_traceback(self.tb))

    # Where it came from

    @property
    def frames(self) -> list[Any]:
        """A (name, file, line, locals, globals) for each frame, outermost first.

        Locals and globals are lists of (name, value) pairs with ``captureVars``, else empty.
        """
        frames = self._frames
        if frames is None:
            frames = self._frames = self._makeFrames()
            self._places = None
        return frames

    @frames.setter
    def frames(self, frames: list[Any]) -> None:
        self._frames = frames

    def _makeFrames(self) -> list[Any]:
        if self._places is not None:
            return [
                (code.co_name, code.co_filename, line, (), ()) for code, line in self._places
            ]
        frames: list[Any] = []
        tb = self.tb
        while tb is not None:
            frame = tb.tb_frame
            code = frame.f_code
            localz: Any = ()
            globalz: Any = ()
            if self.captureVars:
                localz = list(frame.f_locals.items())
                globalz = list(frame.f_globals.items())
            frames.append((code.co_name, code.co_filename, tb.tb_lineno, localz, globalz))
            tb = tb.tb_next
        return frames

    @property
    def stack(self) -> list[Any]:
        """Always empty: Twisted no longer keeps the catcher's callers."""
        return []

    @stack.setter
    def stack(self, stack: list[Any]) -> None:
        pass

    def getTracebackObject(self) -> Any:
        """Return the traceback, or a stand-in made from `frames`, or None if there is neither."""
        return self.tb

    def cleanFailure(self) -> None:
        """Let go of the traceback, and so of all the variables it keeps; the texts stay."""
        tb = self.tb
        if self._frames is None and tb is not None:
            if self.captureVars:
                self._frames = self._makeFrames()
            else:
                places = []
                while tb is not None:
                    places.append((tb.tb_frame.f_code, tb.tb_lineno))
                    tb = tb.tb_next
                self._places = places
        if self.captureVars and self._frames is not None:
            self._frames = [
                [n, f, line, _reprs(localz), _reprs(globalz)]
                for n, f, line, localz, globalz in self._frames
            ]
        self.tb = None
        self.pickled = 1
        if isinstance(self.value, BaseException):
            self.value.__traceback__ = None

    # Texts

    def getErrorMessage(self) -> str:
        """Return ``str(value)``, or a description where that raises."""
        if isinstance(self.value, Failure):
            return self.value.getErrorMessage()
        return _safe(str, self.value)

    def getBriefTraceback(self) -> str:
        """Return the text with one short line for each frame."""
        return self.getTraceback(detail="brief")

    def getTraceback(self, elideFrameworkCode: int = 0, detail: str = "default") -> str:
        """Return the error and where it came from as text.

        Args:
            elideFrameworkCode: taken for Twisted's sake; has no effect, as in Twisted.
            detail: ``default``, ``brief`` or ``verbose``.
        """
        parts: list[str] = []
        self._write(parts.append, detail)
        return "".join(parts)

    def printTraceback(
        self, file: IO[str] | None = None, elideFrameworkCode: int = False, detail: str = "default"
    ) -> None:
        """Write `getTraceback`'s text to a file (default: the log's)."""
        if file is None:
            file = sys.stderr
        self._write(file.write, detail)

    def printBriefTraceback(
        self, file: IO[str] | None = None, elideFrameworkCode: int = 0
    ) -> None:
        """Write the brief text."""
        self.printTraceback(file, elideFrameworkCode, detail="brief")

    def printDetailedTraceback(
        self, file: IO[str] | None = None, elideFrameworkCode: int = 0
    ) -> None:
        """Write the verbose text."""
        self.printTraceback(file, elideFrameworkCode, detail="verbose")

    def _write(self, write: Callable[[str], object], detail: str) -> None:
        frames = self.frames
        message = _safe(str, self.value)
        if detail == "verbose":
            write(f"*--- Failure #{self.count}{' (pickled)' if self.pickled else ''} ---\n")
            formatDetail = "verbose" if self.captureVars else "verbose-vars-not-captured"
        else:
            formatDetail = detail
            if detail != "brief":
                write("Traceback (most recent call last):\n")
            elif frames:
                write(f"Traceback: {self.type}: {message}\n")
            else:
                write(f"Traceback (failure with no frames): {self.type}: {message}\n")
        if frames:
            format_frames(frames, write, formatDetail)
        if detail != "brief":
            prefix = "" if frames else "Failure: "
            write(f"{prefix}{_qualify(self.type)}: {message}\n")
        if detail == "verbose":
            write(f"*--- End of Failure #{self.count} ---\n")

    def __repr__(self) -> str:
        cls = _qualify(self.__class__)
        return f"<{cls} {_qualify(self.type)}: {self.getErrorMessage()}>"

    def __str__(self) -> str:
        return f"[Failure instance: {self.getBriefTraceback()}]"


def _reprs(items: Iterable[tuple[str, object]]) -> list[tuple[str, str]]:
    """Return pairs of names and values with each value's repr in its place."""
    return [(name, _safe(repr, value)) for name, value in items]


def startDebugMode() -> None:
    """Start the debugger at each Failure that is made from now on."""
    raise NotImplementedError
