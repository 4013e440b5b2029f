"""What the parts of twistlike expect of each other, as typing Protocols.

Nothing needs to inherit from these: whatever has the methods fits. The names are Twisted's; there
they are zope interfaces, and what programs do with those works with these (see `InterfaceType`).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from twistlike._base.naming import showAs

if TYPE_CHECKING:
    from abc import ABCMeta as _ProtocolType
    from collections.abc import Callable, Iterator, Sequence
    from typing import ParamSpec

    from twistlike._base.failure import Failure

    P = ParamSpec("P")
else:
    _ProtocolType = type(Protocol)

__all__ = [
    "IDelayedCall",
    "IFileDescriptor",
    "IReactorCore",
    "IReactorFDSet",
    "IReactorFromThreads",
    "IReactorInThreads",
    "IReactorThreads",
    "IReactorTime",
    "IReadDescriptor",
    "IReadWriteDescriptor",
    "IWriteDescriptor",
    "InterfaceType",
]

_NO_ALTERNATE: Any = object()


class InterfaceType(_ProtocolType):
    """What the Protocols here can do besides, because Twisted's programs do it with interfaces.

    Differs from Twisted: an object provides an interface by having its methods, declared or not.
    zope's `implementer` and `provider` take these, and declare nothing by them.
    """

    def __iter__(cls) -> Iterator[type]:
        """Be an empty list: zope takes whatever is no interface of its own for one of many."""
        return iter(())

    def providedBy(cls, ob: object) -> bool:
        """Return whether an object has what the interface demands."""
        return all(hasattr(ob, name) for name in _demands(cls))

    def implementedBy(cls, class_: type) -> bool:
        """Return whether a class has what the interface demands of its instances."""
        return all(hasattr(class_, name) for name in _demands(cls))

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """Return an object that provides the interface; or make one, of a class that inherits it.

        Args:
            args: The object, and what to return if it does not provide the interface.

        Raises:
            TypeError: It does not, and there is nothing to return.
        """
        if not vars(cls).get("_is_protocol"):
            return super().__call__(*args, **kwargs)
        return _adapt(cls, *args, **kwargs)


def _adapt(interface: InterfaceType, obj: object, alternate: Any = _NO_ALTERNATE) -> Any:
    if interface.providedBy(obj):
        return obj
    if alternate is _NO_ALTERNATE:
        lacks = [name for name in sorted(_demands(interface)) if not hasattr(obj, name)]
        raise TypeError(f"{obj!r} is no {interface.__name__}: it has no {', '.join(lacks)}")
    return alternate


@cache
def _demands(interface: type) -> frozenset[str]:
    """Return the names of the attributes that an interface demands."""
    return frozenset(
        name
        for base in interface.__mro__
        if isinstance(base, InterfaceType)
        for name in vars(base)
        if name == "__call__" or not name.startswith("_")
    )


class IDelayedCall(Protocol, metaclass=InterfaceType):
    """The handle of a call that is due at a time."""

    def getTime(self) -> float:
        """Return when it is due, in seconds of its clock."""
        ...

    def cancel(self) -> None:
        """Let it never run."""

    def delay(self, secondsLater: float) -> None:
        """Make it due later than it is now."""

    def reset(self, secondsFromNow: float) -> None:
        """Make it due so many seconds from now."""

    def active(self) -> bool:
        """Return whether it is still to come."""
        ...


class IReactorTime(Protocol, metaclass=InterfaceType):
    """Timers."""

    def seconds(self) -> float:
        """Return the time, in seconds of a clock that never goes back."""
        ...

    def callLater(
        self, delay: float, callable: Callable[P, object], *args: P.args, **kw: P.kwargs
    ) -> IDelayedCall:
        """Have a function called `delay` seconds from now."""
        ...

    def getDelayedCalls(self) -> Sequence[IDelayedCall]:
        """Return the calls that are still to come."""
        ...


class IReactorFromThreads(Protocol, metaclass=InterfaceType):
    """The way from any thread into the reactor's."""

    def callFromThread(
        self, callable: Callable[P, object], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Have a function called in the reactor's thread. Thread: any."""


class IReactorInThreads(Protocol, metaclass=InterfaceType):
    """The way from the reactor's thread into the pool's."""

    def callInThread(
        self, callable: Callable[P, object], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Have a function called in a thread of the pool."""


class IReactorThreads(IReactorFromThreads, IReactorInThreads, Protocol, metaclass=InterfaceType):
    """Both ways, and the pool."""

    def getThreadPool(self) -> object:
        """Return the pool that the reactor's users share."""

    def suggestThreadPoolSize(self, size: int) -> None:
        """Set how many threads the pool may have at most."""


class IReactorCore(Protocol, metaclass=InterfaceType):
    """The life of a reactor."""

    @property
    def running(self) -> bool:
        """Whether it runs."""
        ...

    def run(self, installSignalHandlers: bool = True) -> None:
        """Run until `stop`."""

    def stop(self) -> None:
        """End, after the shutdown events have fired."""

    def crash(self) -> None:
        """End at once, without any event."""

    def iterate(self, delay: float = 0) -> None:
        """Run one turn of the loop."""

    def callWhenRunning(
        self, callable: Callable[P, object], *args: P.args, **kwargs: P.kwargs
    ) -> object:
        """Call a function once the reactor runs: now, if it does."""

    def addSystemEventTrigger(
        self,
        phase: str,
        eventType: str,
        callable: Callable[P, object],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> object:
        """Have a function called when an event fires."""

    def removeSystemEventTrigger(self, triggerID: Any) -> None:
        """Take that back."""

    def fireSystemEvent(self, eventType: str) -> None:
        """Fire an event."""


class IFileDescriptor(Protocol, metaclass=InterfaceType):
    """Something with a file descriptor."""

    def fileno(self) -> int:
        """Return the descriptor's number; -1 once it is closed."""
        ...

    def connectionLost(self, reason: Failure) -> None:
        """Hear that nothing is read or written any more, and why."""


class IReadDescriptor(IFileDescriptor, Protocol, metaclass=InterfaceType):
    """Something that can read."""

    def doRead(self) -> BaseException | None:
        """Read what is there; return an error if that ends it."""


class IWriteDescriptor(IFileDescriptor, Protocol, metaclass=InterfaceType):
    """Something that can write."""

    def doWrite(self) -> BaseException | None:
        """Write as much as there is room for; return an error if that ends it."""


class IReadWriteDescriptor(IReadDescriptor, IWriteDescriptor, Protocol, metaclass=InterfaceType):
    """Something that can do both."""


class IReactorFDSet(Protocol, metaclass=InterfaceType):
    """File descriptors that a reactor watches."""

    def addReader(self, reader: IReadDescriptor) -> None:
        """Call `doRead` whenever there is something to read."""

    def addWriter(self, writer: IWriteDescriptor) -> None:
        """Call `doWrite` whenever there is room to write."""

    def removeReader(self, reader: IReadDescriptor) -> None:
        """Call `doRead` no longer."""

    def removeWriter(self, writer: IWriteDescriptor) -> None:
        """Call `doWrite` no longer."""

    def removeAll(self) -> Sequence[IReadDescriptor | IWriteDescriptor]:
        """Watch nobody any longer; return all who were watched."""
        ...

    def getReaders(self) -> Sequence[IReadDescriptor]:
        """Return who is watched for something to read."""
        ...

    def getWriters(self) -> Sequence[IWriteDescriptor]:
        """Return who is watched for room to write."""
        ...


showAs("twistlike.internet.interfaces", globals(), __all__)
