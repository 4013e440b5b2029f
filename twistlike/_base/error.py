"""The exceptions of the reactor, its timers and threads, of ports, and of a connection's end.

Those of addresses, attempts to connect and processes are in `network_error`, which only programs
that use the network import. Thread: any.
"""

from __future__ import annotations

import builtins
from typing import Any

from twistlike._base.naming import showAs

__all__ = [
    "AlreadyCalled",
    "AlreadyCancelled",
    "BindError",
    "CannotListenError",
    "ConnectError",
    "ConnectionAborted",
    "ConnectionClosed",
    "ConnectionDone",
    "ConnectionFdescWentAway",
    "ConnectionLost",
    "ReactorAlreadyInstalledError",
    "ReactorAlreadyRunning",
    "ReactorNotRestartable",
    "ReactorNotRunning",
    "TimeoutError",
    "UserError",
    "WrongThreadError",
    "sentence",
]


def sentence(self: Any) -> str:
    """Serve as `__str__`: what the class says, followed by the arguments, as a sentence."""
    if not self.args:
        return f"{self.MESSAGE}."
    return f"{self.MESSAGE}: {' '.join(str(arg) for arg in self.args)}."


# ---- the reactor and its timers ------------------------------------------------------------------


class AlreadyCalled(ValueError):
    """A delayed call was to be cancelled or moved, but it has run already."""

    MESSAGE = "Tried to cancel an already-called event"
    __str__ = sentence


class AlreadyCancelled(ValueError):
    """A delayed call was to be cancelled or moved, but it has been cancelled already."""

    MESSAGE = "Tried to cancel an already-cancelled event"
    __str__ = sentence


class ReactorAlreadyRunning(RuntimeError):
    """`run()` was called while a loop runs in this thread, or while the reactor runs."""


class ReactorNotRunning(RuntimeError):
    """The reactor does not run (any more), so it cannot do what it was asked to do."""


class ReactorNotRestartable(RuntimeError):
    """Exists for `except` clauses of ported code; a twistlike reactor can be run again."""


class ReactorAlreadyInstalledError(AssertionError):
    """`install()` asked for another loop than the one that the default reactor uses."""


class WrongThreadError(RuntimeError):
    """Something that belongs to the loop's thread was called in another one.

    The message names the thread and the call to use instead, which is
    `reactor.callFromThread`. Twisted has no such class: there the call is late, or lost.
    """


# ---- ports: loaded before there may be no descriptor left to read a module -----------------------


class BindError(Exception):
    """An address could not be bound."""

    MESSAGE = "An error occurred binding to an interface"
    __str__ = sentence


class CannotListenError(BindError):
    """A port could not be listened on.

    Args:
        interface: The address; empty for all.
        port: The port's number or path.
        socketError: What the operating system said.
    """

    def __init__(self, interface: Any, port: Any, socketError: Any) -> None:
        super().__init__(interface, port, socketError)
        self.interface = interface
        self.port = port
        self.socketError = socketError

    def __str__(self) -> str:
        return f"Couldn't listen on {self.interface or 'any'}:{self.port}: {self.socketError}."


# ---- time limits: Twisted has them among the failed attempts to connect --------------------------


class ConnectError(Exception):
    """A connection could not be made.

    Args:
        osError: What the operating system said, if it said anything.
        string: More about it, for people.
    """

    MESSAGE = "An error occurred while connecting"

    def __init__(self, osError: object = None, string: str = "") -> None:
        self.osError = osError
        super().__init__(string)

    def __str__(self) -> str:
        text = self.MESSAGE
        if self.osError:
            text = f"{text}: {self.osError}"
        if self.args[0]:
            text = f"{text}: {self.args[0]}"
        return f"{text}."


class UserError(ConnectError):
    """The user ended the attempt to connect."""

    MESSAGE = "User aborted connection"


class TimeoutError(UserError, builtins.TimeoutError):
    """Something took longer than it was allowed to take.

    Differs from Twisted: it is a builtin `TimeoutError`, too.
    """

    MESSAGE = "User timeout caused connection failure"


# ---- the end of a connection ---------------------------------------------------------------------


class ConnectionClosed(Exception):
    """A connection has ended, in whichever way."""


class ConnectionDone(ConnectionClosed):
    """A connection has ended in order."""

    MESSAGE = "Connection was closed cleanly"
    __str__ = sentence


class ConnectionLost(ConnectionClosed):
    """A connection has ended, but not in order."""

    MESSAGE = "Connection to the other side was lost in a non-clean fashion"
    __str__ = sentence


class ConnectionAborted(ConnectionLost):
    """This side has broken the connection off."""

    MESSAGE = "Connection was aborted locally using ITCPTransport.abortConnection"


class ConnectionFdescWentAway(ConnectionLost):
    """The connection's file descriptor was closed by somebody else."""

    MESSAGE = "Uh"


showAs("twistlike.internet.error", globals(), [each for each in __all__ if each != "sentence"])
