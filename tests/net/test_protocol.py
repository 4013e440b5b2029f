"""Protocols and factories, beside Twisted's."""

from __future__ import annotations

import gc
import pickle
import weakref
from typing import Any

import pytest

from tests.oracle import assertSame
from twistlike.internet.defer import CancelledError
from twistlike.internet.error import ConnectionDone
from twistlike.internet.protocol import (
    ClientCreator,
    ClientFactory,
    DatagramProtocol,
    Factory,
    FileWrapper,
    Protocol,
    ReconnectingClientFactory,
    connectionDone,
)
from twistlike.internet.task import Clock
from twistlike.internet.testing import MemoryReactorClock, failureResultOf, successResultOf
from twistlike.logger import capturedLogs

FACTORIES = """
from twisted.internet.protocol import *
from twisted.logger import globalLogPublisher

def observe(event):
    print(event["log_level"].name, event["log_namespace"], event.get("log_format"))

globalLogPublisher.addObserver(observe)

class F(Factory):
    def startFactory(self):
        print("start", self.numPorts)
    def stopFactory(self):
        print("stop", self.numPorts)

factory = F()
for step in (factory.doStart, factory.doStart, factory.doStop, factory.doStop, factory.doStop):
    step()
    print(factory.numPorts)
factory.noisy = False
factory.doStart()
factory.doStop()
print(factory.logPrefix(), Protocol().logPrefix(), DatagramProtocol().logPrefix())
try:
    factory.buildProtocol(None)
except AssertionError:
    print("no protocol")

class P(Protocol):
    def connectionMade(self):
        print("made", self.connected, self.transport)

class G(ClientFactory):
    def __init__(self, first, second=2):
        print(first, second)

for made in (Factory.forProtocol(P), G.forProtocol(P, 1, second=3)):
    protocol = made.buildProtocol(None)
    print(type(made).__name__, protocol.factory is made, protocol.connected, protocol.transport)
    protocol.makeConnection("transport")
    protocol.dataReceived(b"x")
    protocol.connectionLost()
    protocol.connectionLost(connectionDone)
    print(protocol.connected, protocol.transport)
print(made.startedConnecting(1), made.clientConnectionFailed(1, 2), made.clientConnectionLost(1, 2))
print(connectionDone.type.__name__, connectionDone.value, connectionDone.frames)
"""

DATAGRAMS_AND_PROCESSES = """
from twisted.internet.protocol import *

class D(DatagramProtocol):
    noisy = False
    def startProtocol(self):
        print("start", self.transport, self.numPorts)
    def stopProtocol(self):
        print("stop", self.transport, self.numPorts)

d = D()
d.makeConnection("transport")
try:
    d.makeConnection("other")
except AssertionError:
    print("once")
d.doStart()
for _ in range(3):
    try:
        d.doStop()
    except AssertionError:
        print("too often")
    print(d.numPorts, d.transport)
print(d.datagramReceived(b"", ("127.0.0.1", 1)), d.connectionRefused())
print(ConnectedDatagramProtocol().datagramReceived(b""))
print(ConnectedDatagramProtocol().connectionFailed(None))

class P(ProcessProtocol):
    def outReceived(self, data):
        print("out", data)
    def errReceived(self, data):
        print("err", data)
    def inConnectionLost(self):
        print("in lost")
    def outConnectionLost(self):
        print("out lost")
    def errConnectionLost(self):
        print("err lost")

for p in (P(), ProcessProtocol()):
    for fd in range(5):
        print(fd, p.childDataReceived(fd, b"data"), p.childConnectionLost(fd))
    print(p.processExited(connectionDone), p.processEnded(connectionDone), p.connected)
"""

RECONNECTING = """
import random
from twisted.internet import error
from twisted.internet.protocol import *
from twisted.internet.task import Clock

class Connector:
    connecting = False
    def connect(self):
        print("connect")
    def stopConnecting(self):
        print("stopConnecting")
        if not self.connecting:
            raise error.NotConnectingError()

def show(factory):
    due = [call.getTime() for call in factory.clock.getDelayedCalls()]
    print(factory.delay, factory.retries, factory.continueTrying, due)

def make(**attributes):
    factory = ReconnectingClientFactory()
    factory.noisy = False
    factory.clock = Clock()
    for name, value in attributes.items():
        setattr(factory, name, value)
    return factory

connector = Connector()
f = make(jitter=None)
f.clientConnectionFailed(connector, None)
show(f)
f.clientConnectionLost(connector, None)
show(f)
f.clock.advance(10)
f.maxRetries = 3
for _ in range(3):
    f.retry()
    show(f)
f.resetDelay()
show(f)
f.retry(connector)
f.stopTrying()
show(f)
connector.connecting = True
f.stopTrying()
f.retry(connector)
f.clientConnectionLost(connector, None)
show(f)
print(sorted(f.__getstate__()))

f = make(jitter=None, maxDelay=5, factor=2, initialDelay=1)
for _ in range(5):
    f.retry(connector)
    show(f)

random.seed(4)
f = make(maxDelay=50)
for _ in range(9):
    f.retry(connector)
    show(f)

try:
    make().retry()
except ValueError as error:
    print(error)
f = make(continueTrying=0)
f.retry()
show(f)
"""

CREATOR = """
from twisted.internet.protocol import *
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure

class P(Protocol):
    def __init__(self, *args, **kwargs):
        print(args, kwargs)
    def connectionMade(self):
        print("made")

reactor = MemoryReactorClock()
creator = ClientCreator(reactor, P, 1, second=2)

def begin(method, *args, **kwargs):
    d = getattr(creator, method)(*args, **kwargs)
    d.addCallbacks(lambda p: print("got", type(p).__name__), lambda f: print(f.type.__name__))
    return d

begin("connectTCP", "host", 1)
begin("connectTCP", "host", 1, timeout=3, bindAddress=("127.0.0.1", 2))
print([(c[:2], c[3:]) for c in reactor.tcpClients])
begin("connectUNIX", "/path", timeout=4)
print(reactor.unixClients[0][0], reactor.unixClients[0][2:])
begin("connectSSL", "host", 1, "context")
print(reactor.sslClients[0][:2], reactor.sslClients[0][3:])

def factory():
    return reactor.tcpClients[-1][2]

d = begin("connectTCP", "host", 1)
p = factory().buildProtocol(None)
p.makeConnection(StringTransport())
print(d.called)
reactor.advance(0)
factory().clientConnectionLost(None, None)

begin("connectTCP", "host", 1)
factory().clientConnectionFailed(None, Failure(ValueError()))
reactor.advance(0)

begin("connectTCP", "host", 1).cancel()
print(reactor.connectors[-1]._disconnected)

d = begin("connectTCP", "host", 1)
factory().buildProtocol(None)
reactor.advance(0)
print(d.called)

d = begin("connectTCP", "host", 1)
factory().buildProtocol(None)
d.cancel()
reactor.advance(0)
print(reactor.connectors[-1]._disconnected, reactor.getDelayedCalls())
"""

FILE_WRAPPER = """
from io import BytesIO
from twisted.internet.protocol import FileWrapper

class File(BytesIO):
    def close(self):
        print("close")

class Producer:
    def resumeProducing(self):
        print("resume")
    def stopProducing(self):
        print("stop")

file = File()
wrapper = FileWrapper(file)
wrapper.write(b"a")
wrapper.writeSequence([b"b", b"c"])
print(file.getvalue(), wrapper.getPeer(), wrapper.getHost())
for streaming in (True, False):
    wrapper.registerProducer(Producer(), streaming)
    print(wrapper.producer is not None, wrapper.streamingProducer)
    wrapper.write(b"x")
    wrapper.unregisterProducer()
    print(wrapper.producer)
wrapper.registerProducer(Producer(), True)
wrapper.pauseProducing()
wrapper.resumeProducing()
wrapper.stopConsuming()
print(wrapper.closed, wrapper.producer, wrapper.disconnecting)
for name in ("loseConnection", "stopProducing"):
    wrapper = FileWrapper(File())
    getattr(wrapper, name)()
    print(wrapper.closed)
"""


@pytest.mark.parametrize(
    "program",
    [FACTORIES, DATAGRAMS_AND_PROCESSES, RECONNECTING, CREATOR, FILE_WRAPPER],
    ids=["factories", "datagrams", "reconnecting", "creator", "file"],
)
def test_as_in_Twisted(program: str) -> None:
    """Starts, stops, connections, delays and outcomes are those of Twisted."""
    assertSame(program)


def test_a_factory_without_a_protocol_says_what_to_do() -> None:
    """The error names the factory and the two ways."""
    with pytest.raises(AssertionError, match="has no protocol: set it to a class, or override"):
        Factory().buildProtocol(None)


def test_the_reason_is_a_clean_end() -> None:
    """A protocol that is told nothing else has lost its connection as it should."""
    reasons = []

    class Ends(Protocol):
        def connectionLost(self, reason: Any = connectionDone) -> None:
            reasons.append(reason)

    Ends().connectionLost()
    assert reasons[0].check(ConnectionDone)


def test_a_protocol_keeps_its_factory_alive_and_not_the_other_way() -> None:
    """A factory knows nothing of the protocols that it has made."""
    factory = Factory.forProtocol(Protocol)
    protocol = factory.buildProtocol(None)
    gone = weakref.ref(protocol)
    del protocol
    gc.collect()
    assert gone() is None


def test_a_datagram_protocol_with_a_transport_says_so() -> None:
    """The error shows the transport that is there."""
    protocol = DatagramProtocol()
    protocol.noisy = False
    protocol.makeConnection("first")
    with pytest.raises(AssertionError, match="has a transport already: 'first'"):
        protocol.makeConnection("second")


class _Connector:
    """Counts its attempts."""

    attempts = 0

    def connect(self) -> None:
        """Count."""
        self.attempts += 1

    def __repr__(self) -> str:
        return "the connector"


def test_a_noisy_factory_says_when_it_connects_again() -> None:
    """The log has the delay, the end of the attempts, and the request to stop."""
    factory = ReconnectingClientFactory[Any]()
    factory.clock = Clock()
    factory.jitter = None
    factory.maxRetries = 1
    connector: Any = _Connector()
    with capturedLogs() as events:
        factory.retry(connector)
        factory.retry(connector)
        factory.continueTrying = 0
        factory.retry(connector)
    texts = [event["log_text"] for event in events]
    assert texts[0] == "the connector connects again in 1 seconds"
    assert "gives up after 1 attempts" in texts[1]
    assert "was told to stop" in texts[2]


def test_a_reconnecting_factory_is_pickled_without_its_attempts() -> None:
    """What belongs to this process stays here."""
    factory: ReconnectingClientFactory[Any] = ReconnectingClientFactory()
    factory.clock = Clock()
    factory.maxDelay = 7
    factory.noisy = False
    connector: Any = _Connector()
    factory.retry(connector)
    again = pickle.loads(pickle.dumps(factory))
    assert vars(again) == {"maxDelay": 7, "noisy": False}


def test_the_creator_lets_go_of_what_it_was_cancelled_for() -> None:
    """A cancelled attempt that connects all the same fires nothing twice."""
    reactor = MemoryReactorClock()
    deferred = ClientCreator(reactor, Protocol).connectTCP("host", 1)
    factory = reactor.tcpClients[0][2]
    deferred.cancel()
    failureResultOf(deferred, CancelledError)
    factory.buildProtocol(None)
    factory.clientConnectionFailed(None, connectionDone)
    reactor.advance(1)
    assert factory.deferred is None


def test_the_creator_fires_when_the_protocol_is_connected() -> None:
    """A connection that comes some turns after its protocol was made is waited for."""
    reactor = MemoryReactorClock()
    for ends in (False, True):
        deferred = ClientCreator(reactor, Protocol).connectTCP("host", 1)
        factory = reactor.tcpClients[-1][2]
        protocol = factory.buildProtocol(None)
        call = factory.pending
        function, args = call.func, call.args
        call.cancel()
        function(*args)
        assert not deferred.called
        if ends:
            factory.clientConnectionLost(None, connectionDone)
            failureResultOf(deferred, ConnectionDone)
        else:
            protocol.makeConnection("transport")
            reactor.advance(0)
            assert successResultOf(deferred) is protocol
        assert not reactor.getDelayedCalls()


def test_what_a_file_raises_is_reported() -> None:
    """Writing and closing go on, and the log has each error."""

    class Full:
        def write(self, data: bytes) -> int:
            raise OSError("no space left")

        def close(self) -> None:
            raise OSError("no space left")

    wrapper = FileWrapper(Full())  # type: ignore[arg-type]
    with capturedLogs() as events:
        wrapper.write(b"x")
        wrapper.loseConnection()
    assert [str(event["log_failure"].value) for event in events] == ["no space left"] * 2
    assert wrapper.closed


def test_factories_can_be_typed() -> None:
    """The type of a factory's protocols may be named, and need not be."""

    class Named(ClientFactory[Protocol]):
        protocol = Protocol

    class Plain(ClientFactory):
        protocol = Protocol

    for factory in (Named(), Plain()):
        assert isinstance(factory.buildProtocol(None), Protocol)
