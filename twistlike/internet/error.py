"""The exceptions of the reactor, its timers and its threads. Any thread may raise them."""

from __future__ import annotations

__all__ = [
    "AlreadyCalled",
    "AlreadyCancelled",
    "ConnectError",
    "DNSLookupError",
    "ReactorAlreadyInstalledError",
    "ReactorAlreadyRunning",
    "ReactorNotRestartable",
    "ReactorNotRunning",
    "TimeoutError",
    "UserError",
    "WrongThreadError",
]


def _sentence(summary: str, args: tuple[object, ...]) -> str:
    """Return ``summary``, followed by the exception's arguments if it has any, as a sentence."""
    if not args:
        return f"{summary}."
    return f"{summary}: {' '.join(str(arg) for arg in args)}."


class AlreadyCalled(ValueError):
    """A delayed call was to be cancelled or moved, but it has run already."""

    def __str__(self) -> str:
        return _sentence("Tried to cancel an already-called event", self.args)


class AlreadyCancelled(ValueError):
    """A delayed call was to be cancelled or moved, but it has been cancelled already."""

    def __str__(self) -> str:
        return _sentence("Tried to cancel an already-cancelled event", self.args)


class ReactorAlreadyRunning(RuntimeError):
    """``run()`` was called while a loop runs in this thread, or while the reactor runs."""


class ReactorNotRunning(RuntimeError):
    """The reactor does not run (any more), so it cannot do what it was asked to do."""


class ReactorNotRestartable(RuntimeError):
    """Exists for ``except`` clauses of ported code; a twistlike reactor can be run again."""


class ReactorAlreadyInstalledError(AssertionError):
    """``install()`` asked for another loop than the one that the default reactor uses."""


class WrongThreadError(RuntimeError):
    """Something that belongs to the loop's thread was called in another one.

    The message names the thread and the call to use instead, which is
    ``reactor.callFromThread``. Twisted has no such class: there the call is late, or lost.
    """


class ConnectError(Exception):
    """A connection could not be made.

    Args:
        osError: What the operating system said, if it said anything.
        string: More about it, for people.
    """

    summary = "An error occurred while connecting"

    def __init__(self, osError: object = None, string: str = "") -> None:
        self.osError = osError
        super().__init__(string)

    def __str__(self) -> str:
        text = self.summary
        if self.osError:
            text = f"{text}: {self.osError}"
        if self.args[0]:
            text = f"{text}: {self.args[0]}"
        return f"{text}."


class UserError(ConnectError):
    """The user ended the attempt to connect."""

    summary = "User aborted connection"


class TimeoutError(UserError):
    """Something took longer than it was allowed to take."""

    summary = "User timeout caused connection failure"


class DNSLookupError(OSError):
    """A host name could not be resolved."""

    def __str__(self) -> str:
        return _sentence("DNS lookup failed", self.args)
