"""Stand-ins for tests of protocols, beside Twisted's."""

from __future__ import annotations

import pytest

from tests.oracle import assertSame
from twistlike.internet.testing import (
    LineSendingProtocol,
    NonStreamingProducer,
    RaisingMemoryReactor,
    StringTransport,
    SynchronousResolver,
)

PROGRAM = """
import socket
from twisted.internet import defer, protocol
from twisted.internet.task import Clock
from twisted.internet.testing import *
from twisted.internet.testing import (
    AccumulatingProtocol, FakeDatagramTransport, LineSendingProtocol, NonStreamingProducer,
    StringIOWithoutClosing)

def attempt(function, *args):
    try:
        print(function(*args))
    except Exception as error:
        print(type(error).__name__)

reactor, factory = MemoryReactor(), protocol.Factory()
for family in (socket.AF_INET, socket.AF_INET6, 99):
    attempt(lambda: reactor.adoptStreamPort(3, family, factory).getHost())
    attempt(lambda: reactor.adoptDatagramPort(3, family, factory).getHost())
attempt(reactor.adoptStreamConnection, 3, socket.AF_INET, factory)
print([each[:2] + each[3:] for each in reactor.adoptedPorts], len(reactor.adoptedStreamConnections))

class Receiver:
    def resolutionBegan(self, resolution):
        print(resolution.name)
    def addressResolved(self, address):
        print(address)
    def resolutionComplete(self):
        print("complete")

reactor.nameResolver.resolveHostName(Receiver(), "example.com", 80)
before = reactor.nameResolver
print(reactor.installNameResolver("other") is before, reactor.nameResolver)

class Told(protocol.Protocol):
    def connectionLost(self, reason):
        print("lost", reason.type.__name__, reason.value.args)

transport = StringTransportWithDisconnection()
transport.protocol = Told()
transport.protocol.makeConnection(transport)
for step in (transport.loseConnection, transport.loseConnection, transport.abortConnection):
    step()
    print(transport.connected)

class F:
    protocolConnectionMade = defer.Deferred()

made = F.protocolConnectionMade
p = AccumulatingProtocol()
p.factory, p.closedDeferred = F(), defer.Deferred()
made.addBoth(lambda result: print("made", result is p))
p.closedDeferred.addBoth(lambda result: print("closed", result))
p.makeConnection(StringTransport())
p.dataReceived(b"a")
p.dataReceived(b"b")
p.connectionLost("reason")
print(p.made, p.data, p.closed, p.closedReason, p.closedDeferred, p.factory.protocolConnectionMade)

sender = LineSendingProtocol([b"a", b"b"])
sender.makeConnection(StringTransport())
sender.lineReceived(b"answer")
print(sender.transport.value(), sender.response, sender.lostConn)
sender.connectionLost(None)
print(sender.lostConn)
sender = LineSendingProtocol([b"a", b"b"], start=False)
sender.makeConnection(StringTransport())
print(sender.transport.value())
sender.lineReceived(b"go")
print(sender.transport.value(), sender.lines)

datagrams = FakeDatagramTransport()
datagrams.write(b"x")
datagrams.write(b"y", ("127.0.0.1", 1))
print(datagrams.written[0][1] is datagrams.noAddr, datagrams.written[1])
file = StringIOWithoutClosing(b"kept")
file.close()
print(file.getvalue())

transport = StringTransport()
producer = NonStreamingProducer(transport)
transport.registerProducer(producer, False)
while transport.producer is not None:
    producer.resumeProducing()
attempt(producer.resumeProducing)
attempt(producer.pauseProducing)
print(transport.value(), producer.counter, producer.stopped, producer.consumer)

observer = EventLoggingObserver()
observer({"a": 1})
print(len(observer), observer[0], list(observer))

class Case:
    def addCleanup(self, function):
        self.cleanup = function

class Publisher:
    def addObserver(self, observer):
        print("add")
    def removeObserver(self, observer):
        print("remove")

case = Case()
EventLoggingObserver.createWithCleanup(case, Publisher())
case.cleanup()

clock = Clock()
protocols = [protocol.Protocol(), protocol.Protocol()]
for each in protocols:
    each.makeConnection(StringTransport())
done = waitUntilAllDisconnected(clock, protocols)
for each in protocols:
    print(done.called)
    each.transport.connected = False
    clock.advance(0.01)
print(done.called, clock.getDelayedCalls(), waitUntilAllDisconnected(clock, protocols).called)
"""


def test_as_in_Twisted() -> None:
    """What stands in for transports, reactors and protocols does it as Twisted's."""
    assertSame(PROGRAM)


def test_a_refusing_reactor_raises_what_it_was_given() -> None:
    """Listening and connecting raise each its own; without one the error says so."""
    reactor = RaisingMemoryReactor(ValueError("listen"), KeyError("connect"))
    for listen in (reactor.listenTCP, reactor.listenSSL, reactor.listenUNIX):
        with pytest.raises(ValueError, match="listen"):
            listen(0, None)
    for connect in (reactor.connectTCP, reactor.connectSSL, reactor.connectUNIX):
        with pytest.raises(KeyError, match="connect"):
            connect("host", 0, None)
    with pytest.raises(RuntimeError, match="nothing to raise"):
        RaisingMemoryReactor().listenTCP(0, None)
    assert isinstance(reactor.installNameResolver(3), SynchronousResolver)
    assert reactor.nameResolver == 3


def test_a_line_sender_keeps_the_line_that_starts_it() -> None:
    """The first line is an answer like the others; Twisted's keeps the last of its own instead."""
    sender = LineSendingProtocol([b"a", b"b"], start=False)
    sender.makeConnection(StringTransport())
    sender.lineReceived(b"go")
    sender.lineReceived(b"on")
    assert sender.response == [b"go", b"on"]


def test_a_producer_that_is_stopped_says_so() -> None:
    """Its Deferred fires, once."""
    producer = NonStreamingProducer(StringTransport())
    producer.stopProducing()
    producer.stopProducing()
    assert producer.result.called and producer.stopped and producer.consumer is None
