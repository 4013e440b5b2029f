"""Wrapping, limiting, throttling and timing factories, beside Twisted's."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from tests.oracle import assertSame
from twistlike.internet import interfaces
from twistlike.internet.address import IPv4Address
from twistlike.internet.protocol import Protocol, ServerFactory, connectionDone
from twistlike.internet.task import Clock
from twistlike.internet.testing import StringTransport
from twistlike.protocols.policies import (
    LimitConnectionsByPeer,
    LimitTotalConnectionsFactory,
    ProtocolWrapper,
    ThrottlingFactory,
    TimeoutMixin,
    TrafficLoggingFactory,
    WrappingFactory,
)

COMMON = """
from twisted.internet import interfaces, protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.protocols.policies import *

class T(StringTransport):
    def loseConnection(self):
        print("lose")
        StringTransport.loseConnection(self)
    def pauseProducing(self):
        print("pause")
    def resumeProducing(self):
        print("resume")
    def extra(self):
        return "of the transport"

class P(protocol.Protocol):
    def connectionMade(self):
        print("made", type(self.transport).__name__)
    def dataReceived(self, data):
        print("data", len(data))
        self.transport.write(data.upper())
    def connectionLost(self, reason):
        print("lost", reason.type.__name__)

class F(protocol.ServerFactory):
    noisy = False
    protocol = P
    def startFactory(self):
        print("start")
    def stopFactory(self):
        print("stop")
    def startedConnecting(self, connector):
        print("started", connector)
    def clientConnectionFailed(self, connector, reason):
        print("failed", connector, reason)
    def clientConnectionLost(self, connector, reason):
        print("lost", connector, reason)

def due(clock):
    return [call.getTime() for call in clock.getDelayedCalls()]
"""

WRAPPING = """
class W(WrappingFactory):
    noisy = False
    def startFactory(self):
        print("start of the wrapper")
    def stopFactory(self):
        print("stop of the wrapper")
    def registerProtocol(self, p):
        print("register", p.transport is not None)
        WrappingFactory.registerProtocol(self, p)
    def unregisterProtocol(self, p):
        print("unregister", p.wrappedProtocol is not None)
        WrappingFactory.unregisterProtocol(self, p)

factory = W(F())
factory.doStart()
factory.startedConnecting(1)
factory.clientConnectionFailed(1, 2)
factory.clientConnectionLost(1, 2)
wrapper = factory.buildProtocol(None)
inner = wrapper.wrappedProtocol
print(factory.logPrefix(), "|", wrapper.logPrefix(), "|", inner.factory is factory.wrappedFactory)
print(WrappingFactory(object()).logPrefix(), wrapper.factory is factory)
transport = T()
wrapper.makeConnection(transport)
print(factory.protocols == {wrapper: 1}, inner.transport is wrapper)
wrapper.dataReceived(b"abc")
wrapper.writeSequence([b"a", b"b"])
print(transport.value(), wrapper.extra(), wrapper.getPeer(), wrapper.getHost())
print(interfaces.ITransport.providedBy(wrapper), interfaces.IPushProducer.providedBy(wrapper))
producer = object()
wrapper.registerProducer(producer, True)
print(transport.producer is producer, transport.streaming)
wrapper.unregisterProducer()
for missing in (wrapper, ProtocolWrapper(factory, P())):
    try:
        missing.nothing
    except AttributeError as error:
        print(error)
wrapper.loseConnection()
print(wrapper.disconnecting, transport.disconnecting)
wrapper.connectionLost(protocol.connectionDone)
print(factory.protocols, wrapper.wrappedProtocol, wrapper.transport is transport)
factory.doStop()
"""

TOTAL = """
class Over(P):
    def connectionMade(self):
        print("over")
        self.transport.loseConnection()

class L(LimitTotalConnectionsFactory):
    protocol = P

factory = L()
factory.connectionLimit = 2
wrappers = [factory.buildProtocol(None) for _ in range(3)]
print([type(each).__name__ for each in wrappers], factory.connectionCount)
factory.overflowProtocol = Over
wrappers[2] = factory.buildProtocol(None)
print(factory.connectionCount, wrappers[2].wrappedProtocol.factory is factory)
for each in wrappers:
    each.makeConnection(T())
for each in wrappers:
    each.connectionLost(protocol.connectionDone)
    print(factory.connectionCount)
factory.connectionLimit = None
print(type(factory.buildProtocol(None)).__name__)
"""

TIMEOUTS = """
clock = Clock()

class M(P, TimeoutMixin):
    def callLater(self, period, func):
        return clock.callLater(period, func)
    def timeoutConnection(self):
        print("timeout", clock.seconds())
        TimeoutMixin.timeoutConnection(self)

p = M()
p.makeConnection(T())
p.resetTimeout()
print(p.setTimeout(5), p.timeOut)
clock.advance(3)
p.resetTimeout()
clock.advance(3)
print(p.setTimeout(1), due(clock))
clock.advance(1)
print(p.timeOut, due(clock))
print(p.setTimeout(2), p.setTimeout(None), due(clock))
p.resetTimeout()
print(p.setTimeout(0), due(clock))
clock.advance(0)
print(p.setTimeout(3))
p.timeOut = None
p.resetTimeout()
clock.advance(5)

class TF(TimeoutFactory):
    def callLater(self, period, func):
        return clock.callLater(period, func)

factory = TF(F(), 10)
print(factory.timeoutPeriod, TimeoutFactory(F()).timeoutPeriod)
start = clock.seconds()
def left():
    return [time - start for time in due(clock)]
wrapper = factory.buildProtocol(None)
print(left())
wrapper.makeConnection(T())
for step in (lambda: wrapper.dataReceived(b"x"), lambda: wrapper.write(b"x"),
             lambda: wrapper.writeSequence([b"x"])):
    clock.advance(1)
    step()
    print(left())
clock.advance(10)
print(left())
wrapper.connectionLost(protocol.connectionDone)
wrapper = factory.buildProtocol(None)
wrapper.makeConnection(T())
for step in (wrapper.cancelTimeout, lambda: wrapper.setTimeout(3), wrapper.setTimeout,
             lambda: wrapper.setTimeout(4),
             lambda: wrapper.connectionLost(protocol.connectionDone)):
    step()
    print(left())
"""

THROTTLING = """
clock = Clock()

class TF(ThrottlingFactory):
    def callLater(self, period, func):
        print("callLater", round(period, 3), func.__name__)
        return clock.callLater(period, func)

class Producer:
    def pauseProducing(self):
        print("pause producer")
    def resumeProducing(self):
        print("resume producer")

factory = TF(F(), 2, 10, 20)
first, second, third = (factory.buildProtocol(None) for _ in range(3))
print(third, factory.connectionCount)
first.makeConnection(T())
second.makeConnection(T())
first.dataReceived(b"x" * 15)
print(factory.readThisSecond, factory.writtenThisSecond)
for _ in range(4):
    clock.advance(0.5)
    print(factory.readThisSecond, factory.writtenThisSecond, factory.unthrottleReadsID is None)
first.registerProducer(Producer(), True)
second.registerProducer(Producer(), False)
first.write(b"z" * 45)
second.writeSequence([b"1" * 10, b"2"])
for _ in range(5):
    clock.advance(1)
    print(factory.writtenThisSecond, factory.unthrottleWritesID is None)
first.unregisterProducer()
for each in (first, second):
    each.connectionLost(protocol.connectionDone)
    print(factory.connectionCount, len(due(clock)))
unlimited = TF(F())
each = unlimited.buildProtocol(None)
each.makeConnection(T())
each.dataReceived(b"x" * 1000)
print(due(clock))
"""

LOGGING = """
import io
from twisted.python import log

log.addObserver(lambda event: print("log:", log.textFromEventDict(event)))

wrapper = SpewingFactory(F()).buildProtocol(None)
wrapper.makeConnection(T())
wrapper.dataReceived(b"abc")
wrapper.write(b"x")

class TLF(TrafficLoggingFactory):
    def open(self, name):
        print("open", name)
        return io.StringIO()

factory = TLF(F(), "prefix")
wrapper, other = factory.buildProtocol(None), factory.buildProtocol(None)
wrapper.makeConnection(T())
wrapper.dataReceived(b"abc")
wrapper.write(b"qq")
wrapper.writeSequence([b"a", b"b"])
wrapper.loseConnection()
print(wrapper.logfile.getvalue())
wrapper.connectionLost(protocol.connectionDone)
factory.resetCounter()
factory.buildProtocol(None)
"""


@pytest.mark.parametrize(
    "program",
    [WRAPPING, TOTAL, TIMEOUTS, THROTTLING, LOGGING],
    ids=["wrapping", "total", "timeouts", "throttling", "logging"],
)
def test_as_in_Twisted(program: str) -> None:
    """What wraps, limits, times and logs does it as Twisted's."""
    assertSame(COMMON + program)


class Plain(ServerFactory[Protocol]):
    """A factory of protocols that do nothing."""

    noisy = False
    protocol = Protocol


class Refusing(Plain):
    """A factory that makes no protocol."""

    def buildProtocol(self, addr: object) -> None:
        """Make none."""


@pytest.mark.parametrize("wrap", [WrappingFactory, LimitConnectionsByPeer, ThrottlingFactory])
def test_a_connection_that_is_refused_is_not_wrapped(wrap: Callable[..., Any]) -> None:
    """Where the wrapped factory makes no protocol, there is none, and nothing is counted."""
    factory = wrap(Refusing())
    assert factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 1)) is None
    assert not getattr(factory, "connectionCount", 0)
    assert not getattr(factory, "peerConnections", {})


def test_connections_are_counted_by_host() -> None:
    """A host has its limit whatever the ports; a connection that ends makes room for another."""
    factory = LimitConnectionsByPeer(Plain())
    factory.maxConnectionsPerPeer = 2
    factory.startFactory()

    def connect(host: str, port: int) -> Any:
        address = IPv4Address("TCP", host, port)
        wrapper = factory.buildProtocol(address)
        if wrapper is not None:
            wrapper.makeConnection(StringTransport(peerAddress=address))
        return wrapper

    first = connect("10.0.0.1", 1)
    assert first and connect("10.0.0.1", 2) and connect("10.0.0.2", 1)
    assert connect("10.0.0.1", 3) is None
    first.connectionLost(connectionDone)
    assert connect("10.0.0.1", 4)
    for wrapper in list(factory.protocols):
        wrapper.connectionLost(connectionDone)
    assert factory.peerConnections == {}


def test_a_wrapper_does_not_seem_to_close_by_halves() -> None:
    """A wrapper has its transport's methods, but is no protocol that half-closes."""

    class Transport(StringTransport):
        def readConnectionLost(self, reason: object) -> None:
            raise NotImplementedError

        writeConnectionLost = readConnectionLost

    wrapper = WrappingFactory(Plain()).buildProtocol(None)
    wrapper.makeConnection(Transport())
    assert wrapper.readConnectionLost
    assert not interfaces.IHalfCloseableProtocol.providedBy(wrapper)


def test_a_wrapper_lets_go_of_its_protocol() -> None:
    """After the end neither knows the other by the wrapper, whatever the protocol raises."""

    class Raises(Protocol):
        def connectionLost(self, reason: object = None) -> None:
            raise ValueError("as asked")

    factory = WrappingFactory(ServerFactory.forProtocol(Raises))
    wrapper = factory.buildProtocol(None)
    wrapper.makeConnection(StringTransport())
    with pytest.raises(ValueError, match="as asked"):
        wrapper.connectionLost(connectionDone)
    assert (wrapper.wrappedProtocol, factory.protocols) == (None, {})


def test_a_throttled_connection_needs_no_producer() -> None:
    """Without a producer writing goes on: nothing fails when too much was written."""
    clock = Clock()

    class Throttling(ThrottlingFactory):
        def callLater(self, period: float, func: Callable[[], object]) -> Any:
            return clock.callLater(period, func)

    factory = Throttling(Plain(), writeLimit=10)
    wrapper = factory.buildProtocol(None)
    wrapper.makeConnection(StringTransport())
    wrapper.write(b"x" * 100)
    clock.pump([1] * 20)
    assert factory.writtenThisSecond == 0
    wrapper.connectionLost(connectionDone)
    assert not clock.getDelayedCalls()


def test_traffic_is_written_to_files(tmp_path: Path) -> None:
    """Each connection has its file, shortened as asked, and closed at the end."""
    factory = TrafficLoggingFactory(Plain(), str(tmp_path / "traffic"), 4)
    wrapper = factory.buildProtocol(None)
    wrapper.makeConnection(StringTransport())
    wrapper.dataReceived(b"0123456789")
    logfile = wrapper.logfile
    wrapper.connectionLost(connectionDone)
    assert logfile.closed
    lines = (tmp_path / "traffic-1").read_text(encoding="utf-8").splitlines()
    assert lines[:2] == ["*", "C 1: b'0123<... 6 bytes more>'"]
    assert "ConnectionDone" in lines[2]


def test_traffic_may_go_nowhere() -> None:
    """A logging protocol without a file works as any wrapper."""
    from twistlike.protocols.policies import TrafficLoggingProtocol

    wrapper = TrafficLoggingProtocol(WrappingFactory(Plain()), Protocol(), None)
    wrapper.makeConnection(StringTransport())
    wrapper.write(b"x")
    wrapper.connectionLost(connectionDone)
    assert isinstance(wrapper, ProtocolWrapper)


def test_what_is_logged_can_be_any_file() -> None:
    """A subclass may open what it likes."""
    files: list[StringIO] = []

    class Mine(TrafficLoggingFactory):
        def open(self, name: str) -> StringIO:
            files.append(StringIO())
            return files[-1]

    Mine(Plain(), "prefix").buildProtocol(None).makeConnection(StringTransport())
    assert files[0].getvalue() == "*\n"


def test_the_mixin_takes_the_current_reactors_timer() -> None:
    """Without a `callLater` of its own a protocol uses the reactor's."""

    class Timed(Protocol, TimeoutMixin):
        pass

    protocol = Timed()
    protocol.setTimeout(1000)
    protocol.setTimeout(None)
    assert protocol.timeOut is None


def test_a_limited_factory_without_a_protocol_says_so() -> None:
    """The error is a factory's, and no connection is counted."""
    factory = LimitTotalConnectionsFactory()
    with pytest.raises(AssertionError, match="has no protocol"):
        factory.buildProtocol(None)
    assert factory.connectionCount == 0
