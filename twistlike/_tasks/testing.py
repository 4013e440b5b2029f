"""What tests of reactor code use: looks at Deferreds, a reactor in memory, a transport in memory.

Everything here belongs to the thread of the test.
"""

from __future__ import annotations

from _socket import AF_INET as _AF_INET  # not of `socket`: 3 ms of import time
from _socket import AF_INET6 as _AF_INET6
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeVar

from twistlike._base.address import IPv4Address, IPv6Address, UNIXAddress
from twistlike._base.failure import Failure
from twistlike._base.naming import showAs
from twistlike._base.network_error import UnsupportedAddressFamily
from twistlike._defer.coroutines import ensureDeferred
from twistlike._defer.deferred import Deferred, succeed
from twistlike._log.report import report
from twistlike._tasks.memory_resolver import SynchronousResolver
from twistlike._timers.clock import Clock
from twistlike._transports.closing import ClosesWithBlock

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable
    from typing import Literal

    from typing_extensions import ParamSpec

    from twistlike._transports.reactor_interfaces import IHostnameResolver

    P = ParamSpec("P")

T = TypeVar("T")

__all__ = [
    "MemoryReactor",
    "MemoryReactorClock",
    "StringTransport",
    "assertNoResult",
    "failureResultOf",
    "successResultOf",
]


def successResultOf(deferred: Deferred[T] | Coroutine[Any, Any, T]) -> T:
    """Return the result that a Deferred has by now, and take it out of the Deferred.

    Args:
        deferred: The Deferred, or a coroutine, which is started.

    Returns:
        Its result.

    Raises:
        AssertionError: If it has none yet, or has failed. Its traceback is in the message.
    """
    result = _outcome(deferred, "Success")
    if isinstance(result, Failure):
        raise AssertionError(
            f"Success result expected on {deferred!r}, found failure result instead:\n"
            f"{result.getTraceback()}"
        )
    return result  # type: ignore[no-any-return]


def failureResultOf(
    deferred: Deferred[Any] | Coroutine[Any, Any, Any],
    *expectedExceptionTypes: type[BaseException],
) -> Failure:
    """Return the failure that a Deferred has by now, and take it out of the Deferred.

    Args:
        deferred: The Deferred, or a coroutine, which is started.
        expectedExceptionTypes: The failure must be of one of these, if there are any.

    Returns:
        The failure.

    Raises:
        AssertionError: If it has no result yet, or has not failed, or with something else.
    """
    result = _outcome(deferred, "Failure")
    if not isinstance(result, Failure):
        raise AssertionError(
            f"Failure result expected on {deferred!r}, found success result ({result!r}) instead"
        )
    if expectedExceptionTypes and not result.check(*expectedExceptionTypes):
        expected = " or ".join(kind.__qualname__ for kind in expectedExceptionTypes)
        raise AssertionError(
            f"Failure of type ({expected}) expected on {deferred!r}, found type "
            f"{result.type!r} instead:\n{result.getTraceback()}"
        )
    return result


def assertNoResult(deferred: Deferred[Any]) -> None:
    """Check that a Deferred has not fired yet. It keeps what it will get.

    Args:
        deferred: The Deferred.

    Raises:
        AssertionError: If it has fired. A failure counts as handled then.
    """
    results: list[Any] = []

    def look(result: Any) -> Any:
        results.append(result)
        return result

    deferred.addBoth(look)
    if results:
        # What is in the message needs no second report when the Deferred is collected.
        deferred.addErrback(lambda failure: None)
        raise AssertionError(f"No result expected on {deferred!r}, found {results[0]!r} instead")


def _outcome(deferred: Any, kind: str) -> Any:
    if not isinstance(deferred, Deferred):
        deferred = ensureDeferred(deferred)
    results: list[Any] = []
    deferred.addBoth(results.append)
    if not results:
        raise AssertionError(f"{kind} result expected on {deferred!r}, found no result instead")
    return results[0]


class StringTransport:
    """A transport that keeps what is written to it.

    Args:
        hostAddress: What `getHost` answers; default: an invented address.
        peerAddress: What `getPeer` answers; default: an invented address.
        lenient: Whether producing may be paused and resumed after `loseConnection`.

    Attributes:
        io: A file with the bytes that were written.
        connected: True, until a subclass says otherwise.
        disconnecting: Whether `loseConnection` or `abortConnection` was called.
        disconnected: Whether `abortConnection` was called.
        producer: The registered producer, or None.
        streaming: Whether that is a push producer; None without one.
        producerState: "producing", "paused" or "stopped": what the protocol has asked for.
    """

    disconnecting = False
    disconnected = False
    producer: Any = None
    streaming: bool | None = None
    producerState = "producing"

    hostAddr: Any = IPv4Address("TCP", "10.0.0.1", 12345)
    peerAddr: Any = IPv4Address("TCP", "192.168.1.1", 54321)

    def __init__(
        self, hostAddress: Any = None, peerAddress: Any = None, lenient: bool = False
    ) -> None:
        self.io = BytesIO()
        self.connected = True
        self._lenient = lenient
        if hostAddress is not None:
            self.hostAddr = hostAddress
        if peerAddress is not None:
            self.peerAddr = peerAddress

    def value(self) -> bytes:
        """Return everything that was written since `clear`."""
        return self.io.getvalue()

    def clear(self) -> None:
        """Forget what was written."""
        self.io = BytesIO()

    def write(self, data: bytes) -> None:
        """Keep some bytes.

        Raises:
            TypeError: If they are not `bytes`: what fails on a socket should fail in a test.
        """
        given: object = data
        if not isinstance(given, bytes):
            raise TypeError("Data must be bytes")
        self.io.write(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Keep several pieces, in their order."""
        self.io.write(b"".join(data))

    def loseConnection(self) -> None:
        """Note that the protocol wants to disconnect."""
        self.disconnecting = True

    def abortConnection(self) -> None:
        """Note that the protocol has aborted."""
        self.disconnected = True
        self.loseConnection()

    def getHost(self) -> Any:
        """Return this end's address."""
        return self.hostAddr

    def getPeer(self) -> Any:
        """Return the other end's address."""
        return self.peerAddr

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Take a producer, which the test may pull.

        Raises:
            RuntimeError: If there is one already.
        """
        if self.producer is not None:
            raise RuntimeError("Cannot register two producers")
        self.producer = producer
        self.streaming = streaming

    def unregisterProducer(self) -> None:
        """Let the producer go.

        Raises:
            RuntimeError: If there is none.
        """
        if self.producer is None:
            raise RuntimeError("Cannot unregister a producer unless one is registered")
        self.producer = None
        self.streaming = None

    def pauseProducing(self) -> None:
        """Note that the protocol wants no more input for now.

        Raises:
            RuntimeError: If it has stopped producing, or has disconnected (unless lenient).
        """
        self._checkState()
        self.producerState = "paused"

    def resumeProducing(self) -> None:
        """Note that the protocol wants input again.

        Raises:
            RuntimeError: If it has stopped producing, or has disconnected (unless lenient).
        """
        self._checkState()
        self.producerState = "producing"

    def stopProducing(self) -> None:
        """Note that the protocol wants no more input at all."""
        self.producerState = "stopped"

    def _checkState(self) -> None:
        if self.disconnecting and not self._lenient:
            raise RuntimeError("Cannot resume producing after loseConnection")
        if self.producerState == "stopped":
            raise RuntimeError("Cannot resume a stopped producer")


class _MemoryConnector:
    """What a `MemoryReactor`'s connect methods return."""

    stoppedConnecting = False

    def __init__(self, address: Any) -> None:
        self._address = address
        self._disconnected = False

    def getDestination(self) -> Any:
        """Return the address that was to be connected to."""
        return self._address

    def stopConnecting(self) -> None:
        """Note the call."""
        self.stoppedConnecting = True

    def disconnect(self) -> None:
        """Note the call."""
        self._disconnected = True

    def connect(self) -> None:
        """Nothing connects in memory."""


class _MemoryPort(ClosesWithBlock):
    """What a `MemoryReactor`'s listen methods return."""

    def __init__(self, address: Any) -> None:
        self._hostAddress = address

    def getHost(self) -> Any:
        """Return the address that was to be listened on."""
        return self._hostAddress

    def startListening(self) -> None:
        """Nothing listens in memory."""

    def stopListening(self) -> Deferred[None]:
        """Nothing listens in memory; return a Deferred that has fired."""
        return succeed(None)


class MemoryReactor:
    """A reactor that only notes what it is asked for; the test looks at the notes.

    Calls "from threads" and "in threads" are made at once, in the test's thread. System event
    triggers are called by `fireSystemEvent` alone.

    Attributes:
        tcpClients: A tuple of its arguments for each `connectTCP`; likewise `tcpServers`,
            `sslClients`, `sslServers`, `unixClients`, `unixServers`.
        connectors: What the connect methods returned.
        triggers: `triggers[phase][eventType]` is a list of `(callable, args, kw)`.
        whenRunningHooks: What `callWhenRunning` was given before `run`, likewise.
        adoptedPorts: The arguments of each `adoptStreamPort` and `adoptDatagramPort`; likewise
            `adoptedStreamConnections`.
        nameResolver: What looks names up: `SynchronousResolver`, until another is installed.
        readers: What `addReader` was given; likewise `writers`.
        running: Whether it is in `run`.
        hasInstalled: Whether `install` was called; likewise `hasRun`, `hasStopped`,
            `hasCrashed`.
    """

    def __init__(self) -> None:
        self.hasInstalled = False
        self.running = False
        self.hasRun = False
        self.hasStopped = False
        self.hasCrashed = False
        self.whenRunningHooks: list[tuple[Callable[..., object], Any, Any]] = []
        self.triggers: dict[str, dict[str, list[Any]]] = {}
        self.tcpClients: list[Any] = []
        self.tcpServers: list[Any] = []
        self.sslClients: list[Any] = []
        self.sslServers: list[Any] = []
        self.unixClients: list[Any] = []
        self.unixServers: list[Any] = []
        self.adoptedPorts: list[Any] = []
        self.adoptedStreamConnections: list[Any] = []
        self.connectors: list[Any] = []
        self.nameResolver: IHostnameResolver = SynchronousResolver()
        self.readers: set[Any] = set()
        self.writers: set[Any] = set()

    def install(self) -> None:
        """Note the call."""
        self.hasInstalled = True

    def run(self) -> None:
        """Call what waits for the reactor to run, and stop."""
        self.running = True
        self.hasRun = True
        for function, args, kw in self.whenRunningHooks:
            function(*args, **kw)
        self.stop()

    def stop(self) -> None:
        """Note the call."""
        self.hasStopped = True
        self.running = False

    def crash(self) -> None:
        """Note the call."""
        self.hasCrashed = True
        self.running = False

    def callWhenRunning(self, callable: Callable[P, object], *args: P.args, **kw: P.kwargs) -> None:
        """Call a function in `run`, or at once if that has been called."""
        if self.hasRun:
            callable(*args, **kw)
        else:
            self.whenRunningHooks.append((callable, args, kw))

    def callFromThread(self, callable: Callable[P, object], *args: P.args, **kw: P.kwargs) -> None:
        """Call a function at once. What it raises is reported, as the real reactor does."""
        try:
            callable(*args, **kw)
        except Exception:
            report(Failure(), "A call from a thread raised an exception", source=callable)

    def callInThread(self, callable: Callable[P, object], *args: P.args, **kw: P.kwargs) -> None:
        """Call a function at once, in this thread. What it raises is reported."""
        try:
            callable(*args, **kw)
        except Exception:
            report(Failure(), "A call in a thread raised an exception", source=callable)

    def addSystemEventTrigger(
        self,
        phase: str,
        eventType: str,
        callable: Callable[P, object],
        *args: P.args,
        **kw: P.kwargs,
    ) -> Any:
        """Note a trigger.

        Returns:
            What `removeSystemEventTrigger` takes.
        """
        trigger = (callable, args, kw)
        self.triggers.setdefault(phase, {}).setdefault(eventType, []).append(trigger)
        return (phase, eventType, trigger)

    def removeSystemEventTrigger(self, triggerID: Any) -> None:
        """Forget a trigger.

        Raises:
            ValueError: If it is not there.
        """
        phase, eventType, trigger = triggerID
        self.triggers.get(phase, {}).get(eventType, []).remove(trigger)

    def fireSystemEvent(self, eventType: str) -> None:
        """Call an event's triggers: "before", "during", "after". Nothing is waited for."""
        for phase in ("before", "during", "after"):
            for function, args, kw in tuple(self.triggers.get(phase, {}).get(eventType, ())):
                function(*args, **kw)

    def connectTCP(
        self, host: str, port: int, factory: Any, timeout: float = 30, bindAddress: Any = None
    ) -> Any:
        """Note the call in `tcpClients`, and tell the factory that connecting has started."""
        self.tcpClients.append((host, port, factory, timeout, bindAddress))
        return self._connect(factory, _destination(host, port))

    def connectSSL(
        self,
        host: str,
        port: int,
        factory: Any,
        contextFactory: Any,
        timeout: float = 30,
        bindAddress: Any = None,
    ) -> Any:
        """Note the call in `sslClients`, and tell the factory that connecting has started."""
        self.sslClients.append((host, port, factory, contextFactory, timeout, bindAddress))
        return self._connect(factory, _destination(host, port))

    def connectUNIX(
        self, address: str, factory: Any, timeout: float = 30, checkPID: bool | int = 0
    ) -> Any:
        """Note the call in `unixClients`, and tell the factory that connecting has started."""
        self.unixClients.append((address, factory, timeout, checkPID))
        return self._connect(factory, UNIXAddress(address))

    def _connect(self, factory: Any, address: Any) -> _MemoryConnector:
        connector = _MemoryConnector(address)
        factory.startedConnecting(connector)
        self.connectors.append(connector)
        return connector

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:
        """Note the call in `tcpServers`."""
        self.tcpServers.append((port, factory, backlog, interface))
        return _MemoryPort(_listeningAt(interface, port))

    def listenSSL(
        self,
        port: int,
        factory: Any,
        contextFactory: Any,
        backlog: int = 50,
        interface: str = "",
    ) -> Any:
        """Note the call in `sslServers`."""
        self.sslServers.append((port, factory, contextFactory, backlog, interface))
        return _MemoryPort(_listeningAt(interface, port))

    def listenUNIX(
        self,
        address: str,
        factory: Any,
        backlog: int = 50,
        mode: int = 0o666,
        wantPID: bool | int = 0,
    ) -> Any:
        """Note the call in `unixServers`."""
        self.unixServers.append((address, factory, backlog, mode, wantPID))
        return _MemoryPort(UNIXAddress(address))

    def adoptStreamPort(self, fileno: int, addressFamily: int, factory: Any) -> Any:
        """Note the call in `adoptedPorts`.

        Raises:
            UnsupportedAddressFamily: The family is neither of IPv4 nor of IPv6.
        """
        port = _MemoryPort(_adoptedAt("TCP", addressFamily))
        self.adoptedPorts.append((fileno, addressFamily, factory))
        return port

    def adoptStreamConnection(self, fileDescriptor: int, addressFamily: int, factory: Any) -> None:
        """Note the call in `adoptedStreamConnections`."""
        self.adoptedStreamConnections.append((fileDescriptor, addressFamily, factory))

    def adoptDatagramPort(
        self, fileno: int, addressFamily: int, protocol: Any, maxPacketSize: int = 8192
    ) -> Any:
        """Note the call in `adoptedPorts`.

        Raises:
            UnsupportedAddressFamily: The family is neither of IPv4 nor of IPv6.
        """
        port = _MemoryPort(_adoptedAt("UDP", addressFamily))
        self.adoptedPorts.append((fileno, addressFamily, protocol, maxPacketSize))
        return port

    def installNameResolver(self, resolver: IHostnameResolver) -> IHostnameResolver:
        """Look names up by another resolver; return the one before."""
        previous, self.nameResolver = self.nameResolver, resolver
        return previous

    def addReader(self, reader: Any) -> None:
        """Note that a descriptor is watched for input."""
        self.readers.add(reader)

    def removeReader(self, reader: Any) -> None:
        """Note that a descriptor is no longer watched for input."""
        self.readers.discard(reader)

    def addWriter(self, writer: Any) -> None:
        """Note that a descriptor is watched for room for output."""
        self.writers.add(writer)

    def removeWriter(self, writer: Any) -> None:
        """Note that a descriptor is no longer watched for room for output."""
        self.writers.discard(writer)

    def getReaders(self) -> list[Any]:
        """Return the descriptors that are watched for input."""
        return list(self.readers)

    def getWriters(self) -> list[Any]:
        """Return the descriptors that are watched for room for output."""
        return list(self.writers)

    def removeAll(self) -> list[Any]:
        """Watch none any longer; return those that were watched."""
        watched = list(self.readers | self.writers)
        self.readers.clear()
        self.writers.clear()
        return watched


def _hasColon(host: str) -> bool:
    """Return whether a host is an address of IPv6: no other name of a host has a colon in it."""
    return ":" in host


def _destination(host: str, port: int) -> IPv4Address | IPv6Address:
    return IPv6Address("TCP", host, port) if _hasColon(host) else IPv4Address("TCP", host, port)


def _listeningAt(interface: str, port: int) -> IPv4Address | IPv6Address:
    # As in Twisted, an interface of IPv4 is not told.
    if _hasColon(interface):
        return IPv6Address("TCP", interface, port)
    return IPv4Address("TCP", "0.0.0.0", port)


def _adoptedAt(kind: Literal["TCP", "UDP"], family: int) -> IPv4Address | IPv6Address:
    if family == _AF_INET:
        return IPv4Address(kind, "0.0.0.0", 1234)
    if family == _AF_INET6:
        return IPv6Address(kind, "::", 1234)
    raise UnsupportedAddressFamily(family)


class MemoryReactorClock(MemoryReactor, Clock):
    """A `MemoryReactor` whose time the test moves: `advance`, `pump`."""

    def __init__(self) -> None:
        MemoryReactor.__init__(self)
        Clock.__init__(self)


showAs("twistlike.internet.testing", globals(), __all__)
