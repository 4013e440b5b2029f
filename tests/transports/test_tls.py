"""TLS: connections that are verified, end in order or not, start in the middle, and meet faults."""

from __future__ import annotations

import asyncio
import gc
import shutil
import socket
import ssl as stdssl
import subprocess
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest

from tests.oracle import assertSame
from tests.transports.authority import authority, other
from tests.transports.reactors import KINDS, onReactor
from twistlike._base.declarations import implementer
from twistlike.internet import ssl
from twistlike.internet.defer import Deferred, succeed
from twistlike.internet.error import ConnectionDone, ConnectionLost, TimeoutError, WrongThreadError
from twistlike.internet.interfaces import (
    IHalfCloseableProtocol,
    IHandshakeListener,
    IProtocolNegotiationFactory,
)
from twistlike.internet.protocol import ClientFactory, Factory, Protocol
from twistlike.internet.task import Clock
from twistlike.protocols.tls import TLSMemoryBIOFactory
from twistlike.python.failure import Failure

NEEDS_OPENSSL = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")


def serverOptions(name: str = "localhost", **kwargs: Any) -> ssl.CertificateOptions:
    """Options that show a certificate which the tests' authority has signed."""
    pair = authority().issue(name)
    return ssl.CertificateOptions(privateKey=pair.key, certificate=pair.certificate, **kwargs)


def clientOptions(name: str = "localhost", **kwargs: Any) -> ssl.ClientTLSOptions:
    """Options that trust the tests' authority."""
    trusted = ssl.Certificate.loadPEM(authority().certificate)
    return ssl.optionsForClientTLS(name, trustRoot=trusted, **kwargs)


class Noting(Protocol):
    """Notes what comes, and fires Deferreds."""

    def __init__(self) -> None:
        self.data = b""
        self.made: Deferred[None] = Deferred()
        self.lost: Deferred[Any] = Deferred()
        self.waits: list[tuple[int, Deferred[bytes]]] = []

    def connectionMade(self) -> None:
        self.made.callback(None)

    def dataReceived(self, data: bytes) -> None:
        self.data += data
        for wait in list(self.waits):
            if len(self.data) >= wait[0]:
                self.waits.remove(wait)
                wait[1].callback(self.data)

    def received(self, count: int) -> Deferred[bytes]:
        """Return a Deferred that fires once so many bytes have come."""
        if len(self.data) >= count:
            return succeed(self.data)
        self.waits.append((count, Deferred()))
        return self.waits[-1][1]

    def connectionLost(self, reason: Failure = Failure(Exception())) -> None:  # noqa: B008
        self.lost.callback(reason.value)


class Echo(Noting):
    """Sends back what comes."""

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        self.transport.write(data)


class Server(Factory[Any]):
    """Keeps the protocols that it has made."""

    noisy = False

    def __init__(self, protocol: Any = Echo) -> None:
        self.protocol = protocol
        self.made: list[Any] = []

    def buildProtocol(self, addr: Any) -> Any:
        self.made.append(super().buildProtocol(addr))
        return self.made[-1]


class Client(ClientFactory[Any]):
    """Makes one protocol."""

    noisy = False

    def __init__(self) -> None:
        self.one = Noting()

    def buildProtocol(self, addr: Any) -> Any:
        return self.one


class Listening:
    """A server with TLS, for an `async with`."""

    def __init__(self, reactor: Any, options: Any = None, factory: Any = None) -> None:
        self.reactor = reactor
        self.factory = factory or Server()
        self.port = reactor.listenSSL(
            0, self.factory, options or serverOptions(), interface="127.0.0.1"
        )
        self.number = self.port.getHost().port

    def connect(self, options: Any = None) -> Noting:
        """Connect a client; return its protocol, which may not be connected yet."""
        client = Client()
        self.reactor.connectSSL("localhost", self.number, client, options or clientOptions())
        return client.one

    async def __aenter__(self) -> Listening:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.port.stopListening()


@pytest.mark.parametrize("kind", KINDS)
def test_a_megabyte_goes_both_ways_on_each_loop(kind: str) -> None:
    """All arrives in order, and both ends hear of an end in order."""
    sent = bytes(range(256)) * 4096

    async def main(reactor: Any) -> None:
        async with Listening(reactor) as server:
            client = server.connect()
            await client.made
            client.transport.write(b"hello")
            assert await client.received(5) == b"hello"
            client.transport.writeSequence([sent[:1000], sent[1000:]])
            assert await client.received(len(sent) + 5) == b"hello" + sent
            client.transport.loseConnection()
            assert isinstance(await client.lost, ConnectionDone)
            assert isinstance(await server.factory.made[0].lost, ConnectionDone)

    onReactor(kind, main)


@pytest.mark.parametrize("kind", KINDS)
def test_parts_of_an_answer_are_sent_at_once(kind: str) -> None:
    """The system does not hold the last one back until the peer has acknowledged the others."""

    async def main(reactor: Any) -> None:
        async with Listening(reactor) as server:
            client = server.connect()
            await client.made
            assert client.transport.getTcpNoDelay()
            client.transport.write(b"hello")
            assert await client.received(5) == b"hello"
            assert server.factory.made[0].transport.getTcpNoDelay()
            client.transport.setTcpNoDelay(False)
            assert not client.transport.getTcpNoDelay()
            client.transport.loseConnection()
            await client.lost

    onReactor(kind, main)


ENDS = """
import socket, ssl as stdssl, sys, threading
from twisted.internet import defer, error, interfaces, protocol, reactor, ssl, task
from twisted.python import log
log.discardLogs()

folder = sys.argv[1]
def read(name):
    with open(f"{folder}/{name}", "rb") as file:
        return file.read()
own = ssl.PrivateCertificate.loadPEM(read("server.pem"))
trusted = ssl.Certificate.loadPEM(read("authority.pem"))
notes, ended = {}, {}

def say(who, *what):
    notes.setdefault(who, []).append((who, *what))

def name(reason):
    if reason.check(error.ConnectionLost):
        return "lost"
    return "done" if reason.check(error.ConnectionDone) else "TLS error"

class Server(protocol.Protocol):
    def connectionMade(self):
        say("server", "made", self.transport.getHost().host)
    def dataReceived(self, data):
        say("server", data)
        if data == b"close":
            self.transport.write(b"bye")
            self.transport.loseConnection()
            self.transport.write(b"dropped")
        elif data == b"abort":
            self.transport.abortConnection()
        else:
            self.transport.write(data)
    def connectionLost(self, reason):
        say("server", name(reason), bool(self.transport.connected))
        ended["server"].callback(None)

class Client(protocol.Protocol):
    def connectionMade(self):
        say("client", "made")
        self.begin(self.transport)
    def dataReceived(self, data):
        say("client", data)
        self.go(self.transport)
    def connectionLost(self, reason):
        say("client", name(reason))
        ended["client"].callback(None)

def tell(title):
    print(title)
    for who in ("server", "client"):
        for note in notes.pop(who, []):
            print("   ", *note)

@defer.inlineCallbacks
def case(title, begin, go=lambda transport: None, host="localhost", root=trusted):
    ended.update(server=defer.Deferred(), client=defer.Deferred())
    factory = protocol.ClientFactory()
    factory.protocol = type("C", (Client,), dict(begin=staticmethod(begin), go=staticmethod(go)))
    reactor.connectSSL("127.0.0.1", port, factory, ssl.optionsForClientTLS(host, trustRoot=root))
    yield defer.gatherResults(list(ended.values()))
    tell(title)

def sending(data):
    return lambda transport: transport.write(data)

def raw(data):
    with socket.create_connection(("127.0.0.1", port)) as peer:
        peer.sendall(data)

def peer(answers):
    context = stdssl.create_default_context(cafile=f"{folder}/authority.pem")
    with socket.create_connection(("127.0.0.1", port)) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as tls:
            tls.sendall(b"close")
            while tls.recv(100):
                pass
            if answers:
                tls.unwrap()

@defer.inlineCallbacks
def other(title, function, argument):
    ended.update(server=defer.Deferred())
    thread = threading.Thread(target=function, args=(argument,))
    thread.start()
    yield ended["server"]
    thread.join()
    tell(title)

@defer.inlineCallbacks
def main(reactor):
    global port
    listening = reactor.listenSSL(
        0, protocol.Factory.forProtocol(Server), own.options(), interface="127.0.0.1"
    )
    port = listening.getHost().port
    yield case("the server closes", sending(b"close"))
    yield case("the client closes", sending(b"hi"), lambda t: t.loseConnection())
    yield case("the server aborts", sending(b"abort"))
    yield case("the client aborts", sending(b"hi"), lambda t: t.abortConnection())
    yield case("closed at once", lambda t: t.loseConnection())
    yield case("aborted at once", lambda t: t.abortConnection())
    stop = lambda t: (t.write(b"close"), t.loseConnection(), t.write(b"dropped"))
    yield case("written and closed at once", stop)
    yield other("half a handshake", raw, bytes.fromhex("16030102000100"))
    yield other("nothing", raw, b"")
    yield other("no TLS", raw, b"GET / HTTP/1.0\\r\\n\\r\\n")
    yield other("a peer that closes without an answer", peer, False)
    yield other("a peer that answers", peer, True)
    yield listening.stopListening()
task.react(main)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with certificates as files."""
    (tmp_path / "server.pem").write_bytes(authority().issue("localhost").both)
    (tmp_path / "authority.pem").write_bytes(authority().certificate)
    return tmp_path


def test_ends_and_faults_are_twisteds(folder: Path) -> None:
    """Who closes, aborts, breaks off or sends nonsense: both ends hear the same as on Twisted."""
    pytest.importorskip("OpenSSL")
    pytest.importorskip("service_identity")
    transcript = assertSame(ENDS, args=[str(folder)])
    assert "    server lost False" in transcript.lines


STARTED = """
import sys
from twisted.internet import defer, error, protocol, reactor, ssl, task
from twisted.protocols.basic import LineReceiver
from twisted.python import log
log.discardLogs()

folder, isNormal = sys.argv[1], sys.argv[2] == "normal"
def read(name):
    with open(f"{folder}/{name}", "rb") as file:
        return file.read()
own = ssl.PrivateCertificate.loadPEM(read("server.pem")).options()
trusting = ssl.optionsForClientTLS(
    "localhost", trustRoot=ssl.Certificate.loadPEM(read("authority.pem"))
)
lines = {"server": [], "client": []}
ended = {"server": defer.Deferred(), "client": defer.Deferred()}

class Side(LineReceiver):
    def connectionMade(self):
        self.kept = self.transport
        self.begin()
    def begin(self):
        pass
    def note(self, *what):
        lines[self.name].append(what)
    def lineReceived(self, line):
        self.note(line, self.transport is self.kept, bool(self.transport.TLS))
        self.got(line)
    def connectionLost(self, reason):
        self.note(reason.type.__name__)
        ended[self.name].callback(None)

class Server(Side):
    name = "server"
    def got(self, line):
        # The side that speaks first in TLS begins last: else the other takes that for lines.
        if line == b"STARTTLS":
            self.sendLine(b"GO ON")
        if line == (b"STARTTLS" if isNormal else b"NOW"):
            self.transport.startTLS(own if isNormal else trusting, isNormal)
            self.sendLine(b"secret from the server")
        else:
            self.sendLine(b"you said " + line)

class Client(Side):
    name = "client"
    def begin(self):
        self.sendLine(b"STARTTLS")
    def got(self, line):
        if line == b"GO ON":
            if not isNormal:
                self.sendLine(b"NOW")
            self.transport.startTLS(trusting if isNormal else own, isNormal)
            self.sendLine(b"secret from the client")
            self.sendLine(b"x" * 10000)
        elif line.startswith(b"you said x"):
            self.transport.loseConnection()

@defer.inlineCallbacks
def main(reactor):
    port = reactor.listenTCP(0, protocol.Factory.forProtocol(Server), interface="127.0.0.1")
    factory = protocol.ClientFactory()
    factory.protocol = Client
    reactor.connectTCP("127.0.0.1", port.getHost().port, factory)
    yield defer.gatherResults(list(ended.values()))
    yield port.stopListening()
    for name in ("server", "client"):
        for line in lines[name]:
            print(name, *line)
task.react(main)
"""


@pytest.mark.parametrize("mode", ["normal", "reversed"])
def test_startTLS_is_twisteds(folder: Path, mode: str) -> None:
    """In the middle of a connection, with either side as the client of TLS."""
    pytest.importorskip("OpenSSL")
    pytest.importorskip("service_identity")
    transcript = assertSame(STARTED, args=[str(folder), mode])
    assert transcript.lines[-1] == "client ConnectionDone"


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_startTLS_keeps_a_producer_and_leaves_the_connection_as_it_was(kind: str) -> None:
    """A registered producer goes on, in TLS; in the end nothing is left on the connection."""

    class Producer:
        def __init__(self, transport: Any) -> None:
            self.transport = transport
            self.left = 300
            self.paused = False
            self.pauses = 0

        def resumeProducing(self) -> None:
            self.paused = False
            while not self.paused and self.left:
                self.left -= 1
                self.transport.write(b"x" * 10000)
            if not self.left:
                self.transport.unregisterProducer()
                self.transport.loseConnection()

        def pauseProducing(self) -> None:
            self.paused = True
            self.pauses += 1

        def stopProducing(self) -> None:
            self.left = 0

    class Starting(Noting):
        def dataReceived(self, data: bytes) -> None:
            producer = self.producer = Producer(self.transport)
            self.transport.registerProducer(producer, True)
            self.transport.write(b"go")
            self.transport.startTLS(serverOptions())
            producer.resumeProducing()

    async def main(reactor: Any) -> None:
        factory = Server(Starting)
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        client = Client()
        reactor.connectTCP("127.0.0.1", port.getHost().port, client)
        await client.one.made
        client.one.transport.write(b"begin")
        await client.one.received(2)
        assert not client.one.transport.getTcpNoDelay()
        client.one.transport.startTLS(clientOptions())
        assert client.one.transport.getTcpNoDelay()
        assert isinstance(await client.one.lost, ConnectionDone)
        assert len(client.one.data) == 3_000_002
        server = factory.made[0]
        assert isinstance(await server.lost, ConnectionDone)
        assert server.producer.pauses > 0
        assert not {"write", "loseConnection"} & set(vars(server.transport))
        with pytest.raises(RuntimeError, match="already"):
            second = Noting()
            second.transport = server.transport
            server.transport.TLS = True
            server.transport.startTLS(serverOptions())
        await port.stopListening()

    onReactor(kind, main)


def test_a_peer_that_never_reads_holds_the_producer(kind: str = "asyncio") -> None:
    """What is buffered stays bounded, before the handshake and after it."""

    class Producer:
        def __init__(self, transport: Any) -> None:
            self.transport = transport
            self.written = 0
            self.paused = False

        def resumeProducing(self) -> None:
            self.paused = False
            while not self.paused:
                self.transport.write(b"x" * 10000)
                self.written += 10000

        def pauseProducing(self) -> None:
            self.paused = True

        def stopProducing(self) -> None:
            self.paused = True

    class Producing(Noting):
        def connectionMade(self) -> None:
            self.producer = Producer(self.transport)
            self.transport.registerProducer(self.producer, True)
            self.producer.resumeProducing()
            self.early = self.producer.written
            super().connectionMade()

    async def main(reactor: Any) -> None:
        async with Listening(reactor, factory=Server(Producing)) as server:
            client = server.connect()
            await client.made
            client.transport.pauseProducing()  # the handshake waits, too
            while not server.factory.made:
                await _later(reactor, 0.001)
            producing = server.factory.made[0]
            assert producing.early < 100_000
            client.transport.resumeProducing()
            await client.received(1)
            client.transport.pauseProducing()
            for _ in range(50):
                await _later(reactor, 0.001)
            assert producing.producer.paused
            assert producing.producer.written - len(client.data) < 8_000_000
            client.transport.abortConnection()
            await client.lost
            await producing.lost

    onReactor(kind, main)


def _later(reactor: Any, seconds: float) -> Deferred[None]:
    later: Deferred[None] = Deferred()
    reactor.callLater(seconds, later.callback, None)
    return later


def test_a_pull_producer_is_asked_through_tls() -> None:
    """It is asked for each piece once the last one is sent, not before the handshake."""

    class Pulled:
        def __init__(self, transport: Any) -> None:
            self.transport = transport
            self.left = 50

        def resumeProducing(self) -> None:
            if not self.left:
                self.transport.unregisterProducer()
                self.transport.loseConnection()
                return
            self.left -= 1
            self.transport.write(b"x" * 1000)

        def stopProducing(self) -> None:
            self.left = 0

    class Producing(Noting):
        def connectionMade(self) -> None:
            self.transport.registerProducer(Pulled(self.transport), False)
            self.transport.loseConnection()
            super().connectionMade()

    async def main(reactor: Any) -> None:
        async with Listening(reactor, factory=Server(Producing)) as server:
            client = server.connect()
            assert isinstance(await client.lost, ConnectionDone)
            assert len(client.data) == 50_000

    onReactor("asyncio", main)


# ---- who is who ----------------------------------------------------------------------------------


def test_the_client_verifies_the_server() -> None:
    """A wrong name, an unknown authority: the handshake fails, and both ends hear of it."""

    async def main(reactor: Any) -> None:
        async with Listening(reactor) as server:
            bad = [
                clientOptions("wrong.test"),
                ssl.optionsForClientTLS("localhost"),
                ssl.optionsForClientTLS("localhost", ssl.Certificate.loadPEM(other().certificate)),
                stdssl.create_default_context(),
            ]
            for options in bad:
                client = server.connect(options)
                assert isinstance(await client.lost, ssl.VerificationError)
                assert isinstance(await server.factory.made[-1].lost, stdssl.SSLError)
            # A plain context checks the name that was connected to.
            good = stdssl.create_default_context(cadata=authority().certificate.decode())
            client = server.connect(good)
            await client.made
            client.transport.write(b"hi")
            await client.received(2)
            peer = ssl.Certificate.peerFromTransport(client.transport)
            assert peer == ssl.Certificate.loadPEM(authority().issue("localhost").certificate)
            assert ("DNS", "localhost") in peer.details["subjectAltName"]
            client.transport.loseConnection()
            await client.lost

    onReactor("asyncio", main)


def test_the_server_verifies_the_client() -> None:
    """With a trust root it demands a certificate of that authority's."""
    trusted = ssl.Certificate.loadPEM(authority().certificate)
    mine = ssl.PrivateCertificate.loadPEM(authority().issue("client.test").both)
    wrong = ssl.PrivateCertificate.loadPEM(other().issue("client.test").both)

    async def main(reactor: Any) -> None:
        async with Listening(reactor, serverOptions(trustRoot=trusted)) as server:
            client = server.connect(clientOptions(clientCertificate=mine))
            await client.made
            client.transport.write(b"hi")
            await client.received(2)
            found = server.factory.made[0].transport.getPeerCertificate()
            assert found == mine
            client.transport.loseConnection()
            await client.lost
            for options in (clientOptions(), clientOptions(clientCertificate=wrong)):
                client = server.connect(options)
                await client.made
                client.transport.write(b"hi")
                assert not isinstance(await client.lost, ConnectionDone)
                assert isinstance(await server.factory.made[-1].lost, stdssl.SSLError)
                assert server.factory.made[-1].data == b""

    onReactor("asyncio", main)


def test_the_server_chooses_by_the_name_that_is_asked_for() -> None:
    """SNI: contextForServerName, with objects of either kind."""
    asked: list[bytes | None] = []
    second = serverOptions("second.test")

    def choose(name: bytes | None) -> Any:
        asked.append(name)
        return second if name == b"second.test" else None

    async def main(reactor: Any) -> None:
        async with Listening(reactor, serverOptions(contextForServerName=choose)) as server:
            for name in ("localhost", "second.test"):
                client = server.connect(clientOptions(name))
                await client.made
                client.transport.write(b"hi")
                await client.received(2)
                client.transport.loseConnection()
                assert isinstance(await client.lost, ConnectionDone)

    onReactor("asyncio", main)
    assert asked == [b"localhost", b"second.test"]


def test_both_sides_agree_on_a_protocol() -> None:
    """ALPN: by the options, and by a factory that declares its protocols."""

    @implementer(IProtocolNegotiationFactory)
    class Negotiating(Server):
        def acceptableProtocols(self) -> list[bytes]:
            return [b"h2", b"http/1.1"]

    async def main(reactor: Any) -> None:
        async with Listening(reactor, factory=Negotiating()) as server:
            wanted: list[tuple[Any, bytes | None]] = [
                ([b"http/1.1"], b"http/1.1"),
                ([b"http/1.1", b"h2"], b"h2"),
                (None, None),
            ]
            for protocols, expected in wanted:
                client = server.connect(clientOptions(acceptableProtocols=protocols))
                await client.made
                assert client.transport.negotiatedProtocol is None
                client.transport.write(b"hi")
                await client.received(2)
                assert client.transport.negotiatedProtocol == expected
                assert server.factory.made[-1].transport.negotiatedProtocol == expected
                client.transport.loseConnection()
                await client.lost

    onReactor("asyncio", main)


def test_who_declares_it_hears_of_the_handshake() -> None:
    """IHandshakeListener: after connectionMade and before any data."""

    @implementer(IHandshakeListener)
    class Listener(Echo):
        def connectionMade(self) -> None:
            assert self.transport.getPeerCertificate() is None
            self.events = ["made"]

        def handshakeCompleted(self) -> None:
            self.events.append("shaken")

        def dataReceived(self, data: bytes) -> None:
            self.events.append("data")
            super().dataReceived(data)

    async def main(reactor: Any) -> list[str]:
        async with Listening(reactor, factory=Server(Listener)) as server:
            client = server.connect()
            await client.made
            client.transport.write(b"hi")
            await client.received(2)
            client.transport.loseConnection()
            await client.lost
            found: list[str] = server.factory.made[0].events
            return found

    assert onReactor("asyncio", main) == ["made", "shaken", "data"]


# ---- faults --------------------------------------------------------------------------------------


class Wire:
    """A transport that only notes: for TLS without any I/O."""

    def __init__(self) -> None:
        self.written = b""
        self.calls: list[str] = []
        self.protocol: Any = None

    def write(self, data: bytes) -> None:
        self.written += data

    def loseConnection(self) -> None:
        self.calls.append("lose")
        self.protocol.connectionLost(Failure(ConnectionDone()))

    def abortConnection(self) -> None:
        self.calls.append("abort")
        self.protocol.connectionLost(Failure(ConnectionLost()))


def unwired(isClient: bool, clock: Clock, inner: Noting | None = None) -> tuple[Noting, Any, Wire]:
    """A TLS connection on a `Wire`."""
    options = clientOptions() if isClient else serverOptions()
    inner = inner or Noting()
    factory = Factory()
    factory.buildProtocol = lambda addr: inner  # type: ignore[method-assign]
    tls = TLSMemoryBIOFactory(options, isClient, factory, clock).buildProtocol(None)
    wire = Wire()
    wire.protocol = tls
    assert tls is not None
    tls.makeConnection(wire)
    return inner, tls, wire


def exchange(first: Wire, second: Wire) -> None:
    """Carry what both have written to the other, until both are silent."""
    while first.written or second.written:
        one, first.written = first.written, b""
        two, second.written = second.written, b""
        if one:
            second.protocol.dataReceived(one)
        if two:
            first.protocol.dataReceived(two)


def test_a_handshake_that_does_not_end_is_broken_off() -> None:
    """After 60 s the inner protocol hears of it; a handshake that is done stops the clock."""
    clock = Clock()
    inner, _, wire = unwired(False, clock)
    wire.protocol.dataReceived(bytes.fromhex("16030102000100"))
    clock.advance(59)
    assert not wire.calls
    clock.advance(1)
    assert wire.calls == ["abort"]
    assert isinstance(inner.lost.result, TimeoutError)
    client, server = unwired(True, clock), unwired(False, clock)
    exchange(client[2], server[2])
    assert not clock.getDelayedCalls()


def test_a_peer_that_does_not_answer_a_close_is_broken_off() -> None:
    """After 30 s; an answer stops the clock."""
    clock = Clock()
    client, server = unwired(True, clock), unwired(False, clock)
    exchange(client[2], server[2])
    client[1].loseConnection()
    client[2].written = b""  # the server never gets it
    clock.advance(30)
    assert client[2].calls == ["abort"]
    assert isinstance(client[0].lost.result, ConnectionLost)
    assert not clock.getDelayedCalls()


@pytest.mark.parametrize("kind", KINDS)
def test_a_direction_that_is_closed_is_an_end_in_order(kind: str) -> None:
    """What was written arrives, what the peer sends until it answers too; nobody is half closed."""

    @implementer(IHalfCloseableProtocol)
    class Half(Noting):
        def readConnectionLost(self) -> None:
            raise AssertionError("TLS has no half-closed connections")

        writeConnectionLost = readConnectionLost

    class Late(Half):
        def dataReceived(self, data: bytes) -> None:
            super().dataReceived(data)
            self.transport.write(b"late")

    async def main(reactor: Any) -> None:
        async with Listening(reactor, factory=Server(Late)) as listening:
            client = Half()
            factory = Client()
            factory.one = client
            reactor.connectSSL("localhost", listening.number, factory, clientOptions())
            await client.made
            client.transport.write(b"all of it")
            client.transport.loseWriteConnection()
            client.transport.write(b"dropped")
            assert isinstance(await client.lost, ConnectionDone)
            (server,) = listening.factory.made
            assert isinstance(await server.lost, ConnectionDone)
            assert (server.data, client.data) == (b"all of it", b"late")

    onReactor(kind, main)


def test_an_error_of_the_protocol_still_sends_what_it_wrote() -> None:
    """What dataReceived raises goes to the transport below, which ends the connection."""

    class Bad(Noting):
        def dataReceived(self, data: bytes) -> None:
            self.transport.write(b"before")
            raise ValueError("bad")

    clock = Clock()
    client, server = unwired(True, clock), unwired(False, clock, Bad())
    exchange(client[2], server[2])
    client[1].write(b"hi")
    with pytest.raises(ValueError, match="bad"):
        exchange(client[2], server[2])
    client[1].dataReceived(server[2].written)
    assert client[0].data == b"before"


def test_damaged_data_ends_the_connection_with_an_error() -> None:
    """A record that was changed on its way."""
    clock = Clock()
    client, server = unwired(True, clock), unwired(False, clock)
    exchange(client[2], server[2])
    client[1].write(b"hi")
    damaged = client[2].written[:-1] + bytes([client[2].written[-1] ^ 1])
    server[2].protocol.dataReceived(damaged)
    assert isinstance(server[0].lost.result, stdssl.SSLError)
    assert server[0].data == b""


def test_one_byte_at_a_time_is_enough() -> None:
    """However the stream is cut, the same arrives."""
    clock = Clock()
    client, server = unwired(True, clock), unwired(False, clock)
    client[1].write(b"early")

    def drip(source: Wire, target: Wire) -> None:
        data, source.written = source.written, b""
        for i in range(len(data)):
            target.protocol.dataReceived(data[i : i + 1])

    for _ in range(5):
        drip(client[2], server[2])
        drip(server[2], client[2])
    assert server[0].data == b"early"


def test_another_thread_is_refused_before_anything_is_encrypted() -> None:
    """The error names the method, and the connection goes on."""

    async def main(reactor: Any) -> None:
        async with Listening(reactor) as server:
            client = server.connect()
            await client.made
            client.transport.write(b"one")
            await client.received(3)
            errors: list[BaseException] = []

            def elsewhere() -> None:
                for call in (
                    lambda: client.transport.write(b"no"),
                    client.transport.loseConnection,
                ):
                    try:
                        call()
                    except BaseException as error:
                        errors.append(error)

            thread = threading.Thread(target=elsewhere)
            thread.start()
            thread.join()
            assert [type(error) for error in errors] == [WrongThreadError] * 2
            assert "transport.write" in str(errors[0])
            client.transport.write(b"two")
            assert await client.received(6) == b"onetwo"
            client.transport.loseConnection()
            assert isinstance(await client.lost, ConnectionDone)

    onReactor("asyncio", main)


def test_what_is_no_context_is_refused_at_once() -> None:
    """Also one for the other side; nothing listens and nothing connects then."""

    class Foreign:
        def getContext(self) -> object:
            return object()

    async def main(reactor: Any) -> None:
        for bad in (None, Foreign(), clientOptions(), ssl.ClientContextFactory()):
            with pytest.raises(TypeError):
                reactor.listenSSL(0, Server(), bad)
        with pytest.raises(TypeError):
            reactor.connectSSL("localhost", 1, Client(), serverOptions().getContext())
        assert not reactor.getReaders() or all("SSL" not in repr(r) for r in reactor.getReaders())

    onReactor("asyncio", main)


def test_nothing_is_kept_after_the_end() -> None:
    """Neither the layer nor the protocol outlives the connection, without the collector."""
    clock = Clock()
    client, server = unwired(True, clock), unwired(False, clock)
    exchange(client[2], server[2])
    kept = weakref.ref(client[0]), weakref.ref(client[1])
    client[1].loseConnection()
    exchange(client[2], server[2])
    wire = client[2]
    wire.protocol = None
    client[0].transport = None
    gc.collect()
    gc.disable()
    try:
        del client
        assert kept[1]() is None
        assert kept[0]() is None
    finally:
        gc.enable()


# ---- peers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_an_asyncio_client_beside_it(kind: str) -> None:
    """asyncio's own TLS speaks with ours in one loop."""
    context = stdssl.create_default_context(cadata=authority().certificate.decode())

    async def talk(number: int) -> bytes:
        reader, writer = await asyncio.open_connection("localhost", number, ssl=context)
        writer.write(b"x" * 100_000)
        found = await reader.readexactly(100_000)
        writer.close()
        await writer.wait_closed()
        return found

    async def main(reactor: Any) -> None:
        async with Listening(reactor) as server:
            task = asyncio.get_running_loop().create_task(talk(server.number))
            assert await Deferred.fromFuture(task) == b"x" * 100_000
            assert isinstance(await server.factory.made[0].lost, ConnectionDone)

    onReactor(kind, main)


@NEEDS_OPENSSL
def test_openssls_client_speaks_and_may_not_renegotiate(folder: Path) -> None:
    """`openssl s_client`: TLS 1.3 and 1.2; "R" asks for a renegotiation, which is refused."""

    def talk(number: int, *args: str, text: bytes) -> subprocess.CompletedProcess[bytes]:
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{number}"]
        command += ["-CAfile", str(folder / "authority.pem"), "-verify_return_error", *args]
        script = 'printf "%s\\n" "$0"; sleep 0.5'
        feed = subprocess.Popen(["/bin/sh", "-c", script, text.decode()], stdout=subprocess.PIPE)
        with feed:
            return subprocess.run(command, stdin=feed.stdout, capture_output=True, timeout=60)

    async def main(reactor: Any) -> None:
        from twistlike.internet.threads import deferToThreadPool

        pool = reactor.getThreadPool()
        async with Listening(reactor) as server:
            for version in ("-tls1_3", "-tls1_2"):
                done = await deferToThreadPool(
                    reactor, pool, talk, server.number, version, text=b"hello"
                )
                assert b"\nhello\n" in done.stdout, done.stderr
            done = await deferToThreadPool(reactor, pool, talk, server.number, "-tls1_2", text=b"R")
            assert b"no renegotiation" in done.stderr
            assert server.factory.made[-1].data == b""

    onReactor("asyncio", main)


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_curl_gets_a_page(folder: Path) -> None:
    """`curl` verifies our certificate and reads an answer whose end is the connection's."""

    class Page(Noting):
        def dataReceived(self, data: bytes) -> None:
            self.transport.write(b"HTTP/1.0 200 OK\r\n\r\nhello")
            self.transport.loseConnection()

    async def main(reactor: Any) -> bytes:
        from twistlike.internet.utils import getProcessOutput

        async with Listening(reactor, factory=Server(Page)) as server:
            return await getProcessOutput(
                shutil.which("curl") or "",
                [
                    "-sS",
                    "--cacert",
                    str(folder / "authority.pem"),
                    f"https://localhost:{server.number}/",
                ],
                reactor=reactor,
            )

    assert onReactor("asyncio", main) == b"hello"


@NEEDS_OPENSSL
def test_openssls_server_is_spoken_with(folder: Path) -> None:
    """`openssl s_server -www`: our client verifies it and reads the page."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        number = free.getsockname()[1]
    command = ["openssl", "s_server", "-accept", f"127.0.0.1:{number}", "-www", "-quiet"]
    command += ["-cert", str(folder / "server.pem"), "-key", str(folder / "server.pem")]
    peer = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", number)).close()
                break
            except ConnectionRefusedError:
                threading.Event().wait(0.02)

        async def main(reactor: Any) -> bytes:
            client = Client()
            reactor.connectSSL("localhost", number, client, clientOptions())
            await client.one.made
            client.one.transport.write(b"GET / HTTP/1.0\r\n\r\n")
            await client.one.lost
            return client.one.data

        assert b"TLSv1.3" in onReactor("asyncio", main)
    finally:
        peer.kill()
        peer.wait()
