"""What the parts of twistlike expect of each other, as typing Protocols.

Nothing needs to inherit from these: whatever has the methods fits. The names are Twisted's; there
they are zope interfaces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import ParamSpec

    from twistlike.internet.defer import Deferred

    P = ParamSpec("P")

__all__ = [
    "IDelayedCall",
    "IReactorCore",
    "IReactorFromThreads",
    "IReactorInThreads",
    "IReactorThreads",
    "IReactorTime",
    "IResolverSimple",
]


class IDelayedCall(Protocol):
    """The handle of a call that is due at a time."""

    def getTime(self) -> float:
        """Return when it is due, in seconds of its clock."""

    def cancel(self) -> None:
        """Let it never run."""

    def delay(self, secondsLater: float) -> None:
        """Make it due later than it is now."""

    def reset(self, secondsFromNow: float) -> None:
        """Make it due so many seconds from now."""

    def active(self) -> bool:
        """Return whether it is still to come."""


class IReactorTime(Protocol):
    """Timers."""

    def seconds(self) -> float:
        """Return the time, in seconds of a clock that never goes back."""

    def callLater(
        self, delay: float, callable: Callable[P, object], *args: P.args, **kw: P.kwargs
    ) -> IDelayedCall:
        """Have a function called ``delay`` seconds from now."""

    def getDelayedCalls(self) -> Sequence[IDelayedCall]:
        """Return the calls that are still to come."""


class IReactorFromThreads(Protocol):
    """The way from any thread into the reactor's."""

    def callFromThread(
        self, callable: Callable[P, object], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Have a function called in the reactor's thread. Thread: any."""


class IReactorInThreads(Protocol):
    """The way from the reactor's thread into the pool's."""

    def callInThread(
        self, callable: Callable[P, object], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Have a function called in a thread of the pool."""


class IReactorThreads(IReactorFromThreads, IReactorInThreads, Protocol):
    """Both ways, and the pool."""

    def getThreadPool(self) -> object:
        """Return the pool that the reactor's users share."""

    def suggestThreadPoolSize(self, size: int) -> None:
        """Set how many threads the pool may have at most."""


class IReactorCore(Protocol):
    """The life of a reactor."""

    @property
    def running(self) -> bool:
        """Whether it runs."""

    def run(self, installSignalHandlers: bool = True) -> None:
        """Run until ``stop``."""

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


class IResolverSimple(Protocol):
    """Host names to IPv4 addresses."""

    def getHostByName(self, name: str, timeout: Sequence[int] = ()) -> Deferred[str]:
        """Look a name up."""
