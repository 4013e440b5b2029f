"""What tests of protocols use besides: protocols, transports, producers. Thread: the test's."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any, Protocol, overload

from twistlike._base.error import ConnectionDone
from twistlike._base.failure import Failure
from twistlike._base.naming import showAs
from twistlike._defer.deferred import Deferred
from twistlike._log.publisher import globalLogPublisher
from twistlike._net import protocol
from twistlike._net.line_receivers import LineReceiver
from twistlike._tasks.looping import LoopingCall
from twistlike._tasks.memory_resolver import SynchronousResolver
from twistlike._tasks.testing import StringTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Self

    from twistlike._base.interfaces import IReactorTime

    class _HasCleanups(Protocol):
        def addCleanup(self, f: Callable[[], object], /) -> object:
            """Have a function called when the test has ended."""
            ...


__all__ = [
    "AccumulatingProtocol",
    "EventLoggingObserver",
    "FakeDatagramTransport",
    "LineSendingProtocol",
    "NonStreamingProducer",
    "RaisingMemoryReactor",
    "StringIOWithoutClosing",
    "StringTransportWithDisconnection",
    "waitUntilAllDisconnected",
]


class AccumulatingProtocol(protocol.Protocol):
    """A protocol that notes what happens to it.

    If its factory has a Deferred as `protocolConnectionMade`, that fires with the first protocol
    that is connected.

    Attributes:
        made: 1 once it is connected.
        closed: 1 once the connection has ended.
        closedReason: The reason of that.
        closedDeferred: A Deferred of the test's that fires then.
        data: What was received.
    """

    made = 0
    closed = 0
    closedReason: Failure | None = None
    closedDeferred: Deferred[None] | None = None
    data = b""

    def connectionMade(self) -> None:
        """Note it, and fire the factory's Deferred."""
        self.made = 1
        deferred = getattr(self.factory, "protocolConnectionMade", None)
        if deferred is not None:
            self.factory.protocolConnectionMade = None
            deferred.callback(self)

    def dataReceived(self, data: bytes) -> None:
        """Keep the bytes."""
        self.data += data

    def connectionLost(self, reason: Failure | None = None) -> None:
        """Note it, and fire the test's Deferred."""
        self.closed = 1
        self.closedReason = reason
        if self.closedDeferred is not None:
            deferred, self.closedDeferred = self.closedDeferred, None
            deferred.callback(None)


class LineSendingProtocol(LineReceiver):
    """A protocol that sends lines and keeps those that it receives.

    Args:
        lines: The lines to send.
        start: Whether they are sent when it is connected; else when the first line has come.

    Attributes:
        response: The lines that were received.
        lostConn: Whether the connection has ended.
    """

    lostConn = False

    def __init__(self, lines: Iterable[bytes], start: bool = True) -> None:
        self.lines = list(lines)
        self.response: list[bytes] = []
        self.start = start

    def connectionMade(self) -> None:
        """Send the lines, if it is to start."""
        if self.start:
            for line in self.lines:
                self.sendLine(line)

    def lineReceived(self, line: bytes) -> None:
        """Keep the line; send all lines after the first one, if it was not to start."""
        if not self.start:
            for each in self.lines:
                self.sendLine(each)
            self.lines = []
        self.response.append(line)

    def connectionLost(self, reason: Failure | None = None) -> None:
        """Note it."""
        self.lostConn = True


class FakeDatagramTransport:
    """A transport of datagrams that keeps what is written to it.

    Attributes:
        written: A pair of its bytes and its address for each datagram.
        noAddr: The address of what is written without one.
    """

    noAddr = object()

    def __init__(self) -> None:
        self.written: list[tuple[bytes, Any]] = []

    def write(self, packet: bytes, addr: Any = noAddr) -> None:
        """Keep a datagram."""
        self.written.append((packet, addr))


class StringIOWithoutClosing(BytesIO):
    """A file in memory whose content stays when it is closed."""

    def close(self) -> None:
        """Do nothing."""


class StringTransportWithDisconnection(StringTransport):
    """A `StringTransport` whose protocol loses its connection when it asks for that.

    Attributes:
        protocol: The protocol; the test sets it.
    """

    protocol: Any

    def loseConnection(self) -> None:
        """End the connection, once."""
        if self.connected:
            self.connected = False
            self.protocol.connectionLost(Failure(ConnectionDone("Bye.")))


class NonStreamingProducer:
    """A pull producer that writes the numbers from 0 to 9.

    Args:
        consumer: What it writes to. It registers itself there, and leaves after the last number.

    Attributes:
        counter: The next number.
        stopped: Whether `stopProducing` was called.
        result: A Deferred that fires with None after the last number, or when it is stopped.
    """

    counter = 0
    stopped = False

    def __init__(self, consumer: Any) -> None:
        self.consumer = consumer
        self.result: Deferred[None] = Deferred()

    def resumeProducing(self) -> None:
        """Write the next number.

        Raises:
            RuntimeError: It was stopped, or has written the last number.
        """
        if self.consumer is None:
            raise RuntimeError("a producer was resumed that has left its consumer")
        self.consumer.write(b"%d" % self.counter)
        self.counter += 1
        if self.counter == 10:
            self.consumer.unregisterProducer()
            self._done()

    def pauseProducing(self) -> None:
        """Refuse.

        Raises:
            RuntimeError: Always: a pull producer is not paused.
        """
        raise RuntimeError("a pull producer was paused")

    def stopProducing(self) -> None:
        """Leave the consumer."""
        self.stopped = True
        if self.consumer is not None:
            self._done()

    def _done(self) -> None:
        self.consumer = None
        self.result.callback(None)


class RaisingMemoryReactor:
    """A reactor that refuses all that it is asked for.

    Args:
        listenException: What listening raises.
        connectException: What connecting raises.
    """

    def __init__(
        self,
        listenException: Exception | None = None,
        connectException: Exception | None = None,
    ) -> None:
        self._listenException = listenException
        self._connectException = connectException
        self.nameResolver: Any = SynchronousResolver()

    def installNameResolver(self, resolver: Any) -> Any:
        """Look names up by another resolver; return the one before."""
        previous, self.nameResolver = self.nameResolver, resolver
        return previous

    def _listen(self, *args: Any, **kwargs: Any) -> Any:
        raise self._listenException or RuntimeError("this reactor was given nothing to raise")

    def _connect(self, *args: Any, **kwargs: Any) -> Any:
        raise self._connectException or RuntimeError("this reactor was given nothing to raise")

    listenTCP = listenSSL = listenUNIX = adoptStreamPort = _listen
    connectTCP = connectSSL = connectUNIX = adoptStreamConnection = adoptDatagramPort = _connect


class EventLoggingObserver(Sequence[dict[str, Any]]):
    """A log observer that is the list of the events that it has seen."""

    def __init__(self) -> None:
        self._events: list[dict[str, Any]] = []

    def __call__(self, event: dict[str, Any]) -> None:
        """Keep an event."""
        self._events.append(event)

    def __len__(self) -> int:
        return len(self._events)

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[dict[str, Any]]: ...
    def __getitem__(self, index: int | slice) -> dict[str, Any] | Sequence[dict[str, Any]]:
        return self._events[index]

    @classmethod
    def createWithCleanup(
        cls, testInstance: _HasCleanups, publisher: Any = globalLogPublisher
    ) -> Self:
        """Make one that observes a publisher until a test has ended.

        Args:
            testInstance: The test: `addCleanup` of a `unittest.TestCase`, or any other.
            publisher: What is observed; default: the whole program's log.

        Returns:
            The observer.
        """
        observer = cls()
        publisher.addObserver(observer)
        testInstance.addCleanup(lambda: publisher.removeObserver(observer))
        return observer


_POLL = 0.01  # seconds, as in Twisted


def waitUntilAllDisconnected(
    reactor: IReactorTime, protocols: Iterable[protocol.Protocol]
) -> Deferred[None]:
    """Wait until the transports of some protocols are not connected any more.

    Args:
        reactor: Whose timer is used: every 10 ms the transports are looked at.
        protocols: The protocols. They must have been connected.

    Returns:
        A Deferred that fires then.
    """
    waiting = list(protocols)

    def look() -> None:
        if not any(each.transport.connected for each in waiting):
            looping.stop()

    looping = LoopingCall(look)
    looping.clock = reactor
    done: Deferred[None] = looping.start(_POLL).addCallback(lambda result: None)
    return done


showAs("twistlike.internet.testing", globals(), __all__)
