"""Protocols, and the factories that make one for each connection.

Everything here is called by transports, ports and connectors in the reactor's thread.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Generic, cast

from twistlike._base.coroutines import callHook
from twistlike._base.error import ConnectionDone
from twistlike._base.failure import Failure
from twistlike._base.naming import showAs
from twistlike._base.network_error import NotConnectingError
from twistlike._log import legacy
from twistlike._log.logger import loggerFor
from twistlike._reactor.current import currentReactor

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from typing_extensions import TypeVar

    from twistlike._base.interfaces import IDelayedCall, IReactorTime
    from twistlike._transports.interfaces import IConnector, IProtocol

    P = TypeVar("P", bound=IProtocol, default=IProtocol)
else:
    from typing import TypeVar

    P = TypeVar("P")

__all__ = [
    "AbstractDatagramProtocol",
    "BaseProtocol",
    "ClientFactory",
    "ConnectedDatagramProtocol",
    "DatagramProtocol",
    "Factory",
    "ProcessProtocol",
    "Protocol",
    "ReconnectingClientFactory",
    "ServerFactory",
    "connectionDone",
]

connectionDone = Failure(ConnectionDone())
"""The reason of a connection that has ended as it should."""

connectionDone.cleanFailure()


class BaseProtocol:
    """What the protocols of connections and of processes have in common.

    Attributes:
        connected: 1 once there has been a connection.
        transport: The connection; None before there is one.
    """

    connected = 0
    transport: Any = None

    def makeConnection(self, transport: Any) -> None:
        """Take the transport, and call `connectionMade`.

        Args:
            transport: The connection.

        Raises:
            TypeError: If `connectionMade` is a coroutine function, or has a `yield` in it: nothing
                of it would run.
        """
        self.connected = 1
        self.transport = transport
        callHook(self.connectionMade)

    def connectionMade(self) -> None:
        """Hear that the connection is there. Subclasses override it."""


class Protocol(BaseProtocol):
    """The base of what handles one connection's stream of bytes.

    Attributes:
        factory: The factory that has made it.
    """

    factory: Any = None

    def logPrefix(self) -> str:
        """Return the name under which what it does is logged: the class's."""
        return self.__class__.__name__

    def dataReceived(self, data: bytes) -> None:
        """Take some bytes. Subclasses override it.

        Args:
            data: At least one byte; where one piece ends and the next begins means nothing.
        """

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Hear that the connection has ended. Subclasses override it.

        Args:
            reason: `error.ConnectionDone` if it was closed as it should be, else
                `error.ConnectionLost` or an error that says more.
        """


class Factory(Generic[P]):
    """The base of what makes a protocol for each connection, and lives longer than they do.

    Attributes:
        protocol: What `buildProtocol` calls: a class, or a function, without arguments.
        numPorts: How many ports and connectors use the factory.
        noisy: Whether its starts and stops are logged.
    """

    protocol: Callable[[], P] | None = None
    numPorts = 0
    noisy = True

    @classmethod
    def forProtocol(cls, protocol: Callable[[], IProtocol], *args: Any, **kwargs: Any) -> Self:
        """Make a factory for a protocol.

        Args:
            protocol: What the factory calls for each connection.
            args: The arguments of the factory.
            kwargs: Its keyword arguments.

        Returns:
            The factory.
        """
        # Not by a ParamSpec: of a generic class's own signature mypy makes `Never`.
        factory = cls(*args, **kwargs)
        factory.protocol = cast("Callable[[], P]", protocol)
        return factory

    def logPrefix(self) -> str:
        """Return the name under which what it does is logged: the class's."""
        return self.__class__.__name__

    def doStart(self) -> None:
        """Count one port or connector more, and call `startFactory` at the first."""
        if self.numPorts == 0:
            if self.noisy:
                loggerFor(self).info("Starting factory {factory!r}", factory=self)
            callHook(self.startFactory)
        self.numPorts += 1

    def doStop(self) -> None:
        """Count one port or connector less, and call `stopFactory` at the last."""
        if self.numPorts == 0:
            return
        self.numPorts -= 1
        if self.numPorts == 0:
            if self.noisy:
                loggerFor(self).info("Stopping factory {factory!r}", factory=self)
            callHook(self.stopFactory)

    def startFactory(self) -> None:
        """Hear that the first port or connector uses it. Subclasses override it."""

    def stopFactory(self) -> None:
        """Hear that no port or connector uses it any more. Subclasses override it."""

    def buildProtocol(self, addr: Any) -> P | None:
        """Make the protocol of a connection.

        Args:
            addr: The other end's address.

        Returns:
            The protocol, whose `factory` is this one. A subclass may return None: the connection
            is closed.

        Raises:
            AssertionError: No `protocol` is set.
        """
        if self.protocol is None:
            raise AssertionError(
                f"{self!r} has no protocol: set it to a class, or override buildProtocol"
            )
        protocol: Any = self.protocol()
        protocol.factory = self
        return protocol  # type: ignore[no-any-return]


class ServerFactory(Factory[P]):
    """The base of the factories of servers: a `Factory` by another name."""


class ClientFactory(Factory[P]):
    """The base of the factories of clients, which hear what becomes of each attempt to connect."""

    def startedConnecting(self, connector: IConnector) -> None:
        """Hear that an attempt has begun. Subclasses override it.

        Args:
            connector: The attempt.
        """

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        """Hear that an attempt has failed. Subclasses override it; they may connect again.

        Args:
            connector: The attempt; `connector.connect()` makes another one.
            reason: Why.
        """

    def clientConnectionLost(self, connector: IConnector, reason: Failure) -> None:
        """Hear that a connection has ended. Subclasses override it; they may connect again.

        Args:
            connector: The connection; `connector.connect()` makes another one.
            reason: Why.
        """


class ReconnectingClientFactory(ClientFactory[P]):
    """A client's factory that connects again, after a delay that grows with each failure.

    A protocol that works well should call `resetDelay` of its factory.

    Attributes:
        maxDelay: The longest delay, in seconds.
        initialDelay: The first delay, in seconds.
        factor: How much longer each delay is than the one before.
        jitter: How much the delays vary, so that many clients do not come back together: the
            standard deviation, as a part of the delay. None or 0: they do not vary.
        delay: The next delay, in seconds.
        retries: How many attempts were made since `resetDelay`.
        maxRetries: How many attempts are made at most; None: any number.
        continueTrying: Whether it connects again; `stopTrying` makes it 0.
        connector: What it connects by.
        clock: The reactor whose timer it uses; None: the one it runs in.
    """

    maxDelay: float = 3600
    initialDelay: float = 1.0
    # The values are Twisted's: e, and the molar Planck constant in J*s/mol, times 3e8 m/s.
    factor: float = 2.7182818284590451
    jitter: float | None = 0.119626565582

    delay: float = initialDelay
    retries = 0
    maxRetries: int | None = None
    continueTrying = 1
    connector: IConnector | None = None
    clock: IReactorTime | None = None
    _callID: IDelayedCall | None = None

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        """Connect again, after the delay."""
        if self.continueTrying:
            self.connector = connector
            self.retry()

    def clientConnectionLost(self, connector: IConnector, reason: Failure) -> None:
        """Connect again, after the delay."""
        if self.continueTrying:
            self.connector = connector
            self.retry()

    def retry(self, connector: IConnector | None = None) -> None:
        """Connect again after the delay, unless that was given up.

        Args:
            connector: What to connect by; default: what was used last.

        Raises:
            ValueError: There is none.
        """
        if not self.continueTrying:
            self._tell(f"{self!r} was told to stop: it does not connect again")
            return
        if connector is None:
            connector = self.connector
            if connector is None:
                raise ValueError("no connector to retry")
        self.retries += 1
        if self.maxRetries is not None and self.retries > self.maxRetries:
            self._tell(f"{self!r} gives up after {self.retries - 1} attempts to connect again")
            return
        delay = self.delay
        if self.jitter:
            delay = random.normalvariate(delay, delay * self.jitter)
        self._tell(f"{connector!r} connects again in {delay:.3g} seconds")

        def reconnect() -> None:
            self._callID = None
            connector.connect()

        clock = currentReactor() if self.clock is None else self.clock
        # A jitter of 1 or more makes negative delays, which no clock takes.
        self._callID = clock.callLater(max(delay, 0), reconnect)
        self.delay = min(delay * self.factor, self.maxDelay)

    def stopTrying(self) -> None:
        """Connect no more; give up an attempt that is being made."""
        if self._callID is not None:
            self._callID.cancel()
            self._callID = None
        self.continueTrying = 0
        if self.connector is not None:
            try:
                self.connector.stopConnecting()
            except NotConnectingError:
                pass

    def resetDelay(self) -> None:
        """Start again with the first delay and no attempts made."""
        self.delay = self.initialDelay
        self._callID = None
        self.retries = 0
        self.continueTrying = 1

    def _tell(self, text: str) -> None:
        if self.noisy:
            legacy.msg(text)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what belongs to this process and the attempts that it makes."""
        passing = ("connector", "_callID", "clock", "retries", "delay", "continueTrying")
        return {name: value for name, value in vars(self).items() if name not in passing}


class AbstractDatagramProtocol:
    """The base of what handles datagrams.

    Attributes:
        transport: The port; None while there is none.
        numPorts: How many ports use it.
        noisy: Whether its starts and stops are logged.
    """

    transport: Any = None
    numPorts = 0
    noisy = True

    def doStart(self) -> None:
        """Count one port more, and call `startProtocol` at the first."""
        if self.numPorts == 0:
            if self.noisy:
                legacy.msg(f"{self} starting")
            callHook(self.startProtocol)
        self.numPorts += 1

    def doStop(self) -> None:
        """Count one port less, and call `stopProtocol` at the last.

        Raises:
            AssertionError: No port uses it.
        """
        if self.numPorts <= 0:
            raise AssertionError(f"{self!r} is used by no port: doStop was called too often")
        self.numPorts -= 1
        self.transport = None
        if self.numPorts == 0:
            if self.noisy:
                legacy.msg(f"{self} stopping")
            callHook(self.stopProtocol)

    def startProtocol(self) -> None:
        """Hear that the transport is there. Subclasses override it."""

    def stopProtocol(self) -> None:
        """Hear that the transport is gone. Subclasses override it."""

    def makeConnection(self, transport: Any) -> None:
        """Take the transport, and start.

        Args:
            transport: The port.

        Raises:
            AssertionError: There is one already.
        """
        if self.transport is not None:
            raise AssertionError(f"{self!r} has a transport already: {self.transport!r}")
        self.transport = transport
        self.doStart()

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """Take a datagram. Subclasses override it.

        Args:
            datagram: Its bytes; there may be none.
            addr: Where it comes from: for UDP a host and a port.
        """


class DatagramProtocol(AbstractDatagramProtocol):
    """The base of what handles datagrams without a connection, or by `transport.connect`."""

    def logPrefix(self) -> str:
        """Return the name under which what it does is logged: the class's."""
        return self.__class__.__name__

    def connectionRefused(self) -> None:
        """Hear that nobody takes the datagrams at the address that the port is connected to.

        The system says so on some later write; a port that is not connected never hears it.
        Subclasses override it.
        """


class ConnectedDatagramProtocol(DatagramProtocol):
    """The base of what handles the datagrams of a connected UNIX socket."""

    def datagramReceived(self, datagram: bytes) -> None:  # type: ignore[override]
        """Take a datagram from the peer. Subclasses override it.

        Args:
            datagram: Its bytes.
        """

    def connectionFailed(self, failure: Failure) -> None:
        """Hear that the connection cannot be made. Subclasses override it.

        Args:
            failure: Why.
        """


class ProcessProtocol(BaseProtocol):
    """The base of what handles a child process: its transport is the process."""

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """Take bytes of the child; of 1 and 2 they go to `outReceived` and `errReceived`.

        Args:
            childFD: To which of its descriptors the child has written.
            data: The bytes.
        """
        if childFD == 1:
            callHook(self.outReceived, data)
        elif childFD == 2:
            callHook(self.errReceived, data)

    def outReceived(self, data: bytes) -> None:
        """Take bytes of the child's standard output. Subclasses override it.

        Args:
            data: The bytes.
        """

    def errReceived(self, data: bytes) -> None:
        """Take bytes of the child's standard error. Subclasses override it.

        Args:
            data: The bytes.
        """

    def childConnectionLost(self, childFD: int) -> None:
        """Hear that a pipe is closed; of 0, 1 and 2 the methods for these are called.

        Args:
            childFD: Which of the child's descriptors it leads to.
        """
        if childFD == 0:
            callHook(self.inConnectionLost)
        elif childFD == 1:
            callHook(self.outConnectionLost)
        elif childFD == 2:
            callHook(self.errConnectionLost)

    def inConnectionLost(self) -> None:
        """Hear that the pipe to the child's standard input is closed. Subclasses override it."""

    def outConnectionLost(self) -> None:
        """Hear that the pipe from its standard output is closed. Subclasses override it."""

    def errConnectionLost(self) -> None:
        """Hear that the pipe from its standard error is closed. Subclasses override it."""

    def processExited(self, reason: Failure) -> None:
        """Hear that the child has ended; its pipes may be open still. Subclasses override it.

        Args:
            reason: `error.ProcessDone`, or `error.ProcessTerminated` with the exit code or signal.
        """

    def processEnded(self, reason: Failure) -> None:
        """Hear that the child has ended and its pipes are closed. Subclasses override it.

        Args:
            reason: `error.ProcessDone`, or `error.ProcessTerminated` with the exit code or signal.
        """


showAs("twistlike.internet.protocol", globals(), __all__)
