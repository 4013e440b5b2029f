"""Ends of connections on which nothing happens. Thread: the reactor's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twistlike._base.naming import showAs
from twistlike._net.wrapping import ProtocolWrapper, WrappingFactory
from twistlike._reactor.current import currentReactor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from twistlike._base.failure import Failure
    from twistlike._base.interfaces import IDelayedCall
    from twistlike._transports.interfaces import IProtocol

__all__ = ["TimeoutFactory", "TimeoutMixin", "TimeoutProtocol"]


class TimeoutMixin:
    """Gives a protocol a time limit that it can start anew.

    The protocol should call `setTimeout(None)` in its `connectionLost`.

    Attributes:
        timeOut: The limit in seconds; None while there is none.
    """

    timeOut: float | None = None
    transport: Any

    __timeoutCall: IDelayedCall | None = None

    def callLater(self, period: float, func: Callable[[], object]) -> IDelayedCall:
        """Set a timer, by the running loop's reactor. Tests may override it.

        Args:
            period: Seconds from now.
            func: What is called then.

        Returns:
            The timer.
        """
        return currentReactor().callLater(period, func)

    def resetTimeout(self) -> None:
        """Start the limit anew, if there is one."""
        if self.__timeoutCall is not None and self.timeOut is not None:
            self.__timeoutCall.reset(self.timeOut)

    def setTimeout(self, period: float | None) -> float | None:
        """Set the limit, from now on.

        Args:
            period: Seconds until `timeoutConnection` is called; None: never.

        Returns:
            The limit that there was before.
        """
        previous, self.timeOut = self.timeOut, period
        call = self.__timeoutCall
        if call is not None:
            if period is None:
                call.cancel()
                self.__timeoutCall = None
            else:
                call.reset(period)
        elif period is not None:
            self.__timeoutCall = self.callLater(period, self.__timedOut)
        return previous

    def __timedOut(self) -> None:
        self.__timeoutCall = None
        self.timeoutConnection()

    def timeoutConnection(self) -> None:
        """Hear that the limit is reached: close the connection. Subclasses may override it."""
        self.transport.loseConnection()


class TimeoutProtocol(ProtocolWrapper):
    """Closes its connection if nothing is received or sent for some time.

    Args:
        factory: The factory that has made it, and sets its timer.
        wrappedProtocol: The protocol that it wraps.
        timeoutPeriod: Seconds.
    """

    def __init__(
        self, factory: TimeoutFactory, wrappedProtocol: Any, timeoutPeriod: float | None
    ) -> None:
        super().__init__(factory, wrappedProtocol)
        self.timeoutCall: IDelayedCall | None = None
        self.timeoutPeriod: float | None = None
        self.setTimeout(timeoutPeriod)

    def setTimeout(self, timeoutPeriod: float | None = None) -> None:
        """Set the limit, from now on.

        Args:
            timeoutPeriod: Seconds; None: no limit.
        """
        self.cancelTimeout()
        self.timeoutPeriod = timeoutPeriod
        if timeoutPeriod is not None:
            self.timeoutCall = self.factory.callLater(timeoutPeriod, self.timeoutFunc)

    def cancelTimeout(self) -> None:
        """Stop the timer."""
        call, self.timeoutCall = self.timeoutCall, None
        if call is not None and call.active():
            call.cancel()

    def resetTimeout(self) -> None:
        """Start the limit anew, if its timer runs."""
        if self.timeoutCall is not None and self.timeoutPeriod is not None:
            self.timeoutCall.reset(self.timeoutPeriod)

    def write(self, data: bytes) -> None:
        """Start the limit anew, and send."""
        self.resetTimeout()
        super().write(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Start the limit anew, and send."""
        self.resetTimeout()
        super().writeSequence(data)

    def dataReceived(self, data: bytes) -> None:
        """Start the limit anew, and hand on."""
        self.resetTimeout()
        super().dataReceived(data)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """Stop the timer."""
        self.cancelTimeout()
        super().connectionLost(reason)

    def timeoutFunc(self) -> None:
        """Hear that the limit is reached: close the connection. Subclasses may override it."""
        self.timeoutCall = None
        self.loseConnection()


class TimeoutFactory(WrappingFactory):
    """Closes connections of another factory on which nothing is received or sent for some time.

    Args:
        wrappedFactory: The other factory.
        timeoutPeriod: Seconds.
    """

    protocol = TimeoutProtocol

    def __init__(self, wrappedFactory: Any, timeoutPeriod: float = 30 * 60) -> None:
        super().__init__(wrappedFactory)
        self.timeoutPeriod = timeoutPeriod

    def _wrap(self, wrapped: IProtocol) -> Any:
        return self.protocol(self, wrapped, timeoutPeriod=self.timeoutPeriod)

    def callLater(self, period: float, func: Callable[[], object]) -> IDelayedCall:
        """Set a timer, by the running loop's reactor. Tests may override it.

        Args:
            period: Seconds from now.
            func: What is called then.

        Returns:
            The timer.
        """
        return currentReactor().callLater(period, func)


showAs("twistlike.protocols.policies", globals(), __all__)
