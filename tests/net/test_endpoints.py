"""Endpoints: connecting, listening, giving up, and descriptions as text."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.oracle import assertSame
from tests.transports.authority import authority
from tests.transports.reactors import KINDS, Descriptors, onReactor
from twistlike._base.declarations import implementer
from twistlike.internet import endpoints
from twistlike.internet.address import IPv4Address, IPv6Address
from twistlike.internet.defer import Deferred
from twistlike.internet.error import (
    AlreadyListened,
    ConnectingCancelledError,
    ConnectionDone,
    ConnectionRefusedError,
    DNSLookupError,
    ProcessTerminated,
    TimeoutError,
)
from twistlike.internet.interfaces import IHalfCloseableProtocol
from twistlike.internet.protocol import Factory, Protocol
from twistlike.internet.task import Clock
from twistlike.python.failure import Failure

HAS_IPV6 = socket.has_ipv6 and os.path.exists("/proc/net/if_inet6")


class Echo(Protocol):
    """Sends back what comes."""

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)


class Noting(Protocol):
    """Fires Deferreds with the first data, and with the end."""

    def __init__(self) -> None:
        self.first: Deferred[bytes] = Deferred()
        self.lost: Deferred[Any] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        if not self.first.called:
            self.first.callback(data)

    def connectionLost(self, reason: Failure = Failure(Exception())) -> None:  # noqa: B008
        self.lost.callback(reason.value)


def factoryOf(protocol: Any) -> Any:
    """A silent factory of a protocol."""
    factory = Factory.forProtocol(protocol)
    factory.noisy = False
    return factory


async def echoed(endpoint: Any) -> Noting:
    """Connect, send something and get it back; return the protocol."""
    protocol = await endpoints.connectProtocol(endpoint, Noting())
    protocol.transport.write(b"hello")
    assert await protocol.first == b"hello"
    protocol.transport.loseConnection()
    assert isinstance(await protocol.lost, ConnectionDone)
    return protocol


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_connects_on_each_loop(kind: str, tmp_path: Path) -> None:
    """TCP over both families, UNIX sockets, names."""

    async def main(reactor: Any) -> None:
        pairs: list[tuple[Any, Any]] = [
            (
                endpoints.TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1"),
                lambda port: endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", port),
            ),
            (
                endpoints.TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1"),
                lambda port: endpoints.HostnameEndpoint(reactor, b"localhost", port),
            ),
            (
                endpoints.UNIXServerEndpoint(reactor, str(tmp_path / "socket")),
                lambda _: endpoints.UNIXClientEndpoint(reactor, str(tmp_path / "socket")),
            ),
        ]
        if HAS_IPV6:
            pairs.append(
                (
                    endpoints.TCP6ServerEndpoint(reactor, 0, interface="::1"),
                    lambda port: endpoints.TCP6ClientEndpoint(reactor, "::1", port),
                )
            )
        for server, client in pairs:
            port: Any = await server.listen(factoryOf(Echo))
            await echoed(client(getattr(port.getHost(), "port", None)))
            await port.stopListening()

    onReactor(kind, main)


def test_endpoints_are_awaited_in_tasks() -> None:
    """In plain asyncio code, with several at once, a timeout and a cancelled task."""

    async def main() -> None:
        from twistlike.internet import reactor

        server = endpoints.serverFromString(reactor, "tcp:0:interface=127.0.0.1")
        port: Any = await server.listen(factoryOf(Echo))
        client = endpoints.clientFromString(reactor, f"tcp:127.0.0.1:{port.getHost().port}")
        await asyncio.gather(*(echoed(client) for _ in range(10)))
        full = socket.create_server(("127.0.0.1", 0), backlog=0)
        fillers = []
        for _ in range(3):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
            fillers.append(filler)
        stuck = endpoints.TCP4ClientEndpoint(reactor, *full.getsockname())
        with pytest.raises(asyncio.TimeoutError):
            async with asyncio.timeout(0.05):
                await stuck.connect(factoryOf(Noting))
        for each in [full, *fillers]:
            each.close()
        await port.stopListening()

    asyncio.run(main())


def test_failures_are_twisteds() -> None:
    """Refused, unknown, cancelled, no protocol, an error of the factory, a bad port."""
    assertSame(
        """
        import socket
        from twisted.internet import defer, endpoints, error, protocol, reactor, task
        from twisted.python import log
        log.discardLogs()

        with socket.create_server(("127.0.0.1", 0)) as closed:
            number = closed.getsockname()[1]
        listening = socket.create_server(("127.0.0.1", 0))

        def tell(result):
            value = getattr(result, "value", None)
            print(type(result).__name__ if value is None else type(value).__name__)
            if isinstance(value, error.ConnectingCancelledError):
                print(type(value.address).__name__)

        class Raising(protocol.Factory):
            def buildProtocol(self, addr):
                raise ValueError("no")

        class Refusing(protocol.Factory):
            def buildProtocol(self, addr):
                print("asked", type(addr).__name__)

        class Raises(protocol.Protocol):
            def connectionMade(self):
                raise ValueError("in connectionMade")

        plain = protocol.Factory.forProtocol(protocol.Protocol)

        @defer.inlineCallbacks
        def main(reactor):
            for kind in (endpoints.TCP4ClientEndpoint, endpoints.HostnameEndpoint):
                print(kind.__name__)
                yield kind(reactor, "127.0.0.1", number).connect(plain).addBoth(tell)
                if kind is endpoints.TCP4ClientEndpoint:
                    connecting = kind(reactor, "127.0.0.1", number).connect(plain)
                    connecting.addBoth(tell)
                    connecting.cancel()
                good = kind(reactor, "127.0.0.1", listening.getsockname()[1])
                yield good.connect(Refusing()).addBoth(tell)
                yield good.connect(Raising()).addBoth(tell)
                yield good.connect(plain).addBoth(tell)
            looking = endpoints.HostnameEndpoint(reactor, "localhost", number)
            yield looking.connect(plain).addBoth(tell)
            unknown = endpoints.HostnameEndpoint(reactor, "no.invalid", 1)
            yield unknown.connect(plain).addBoth(tell)
            bad = endpoints.HostnameEndpoint(reactor, "a" * 70, 1)
            yield bad.connect(plain).addBoth(tell)
            print(repr(unknown), repr(endpoints.HostnameEndpoint(reactor, "::1", 1)))
            nowhere = endpoints.UNIXClientEndpoint(reactor, "/does/not/exist")
            yield nowhere.connect(plain).addBoth(tell)
            taken = endpoints.TCP4ServerEndpoint(
                reactor, listening.getsockname()[1], interface="127.0.0.1"
            )
            yield taken.listen(plain).addBoth(tell)
            yield endpoints.connectProtocol(
                endpoints.TCP4ClientEndpoint(reactor, *listening.getsockname()), protocol.Protocol()
            ).addBoth(tell)
            listening.close()
        task.react(main)
        """
    )


class Network:
    """A reactor whose names and connections are made by hand, with a clock of its own."""

    def __init__(self, *hosts: str) -> None:
        self.clock = Clock()
        self.callLater = self.clock.callLater
        self.hosts = hosts
        self.asked: list[str] = []
        self.attempts: dict[str, Any] = {}
        self.given: list[str] = []
        self.nameResolver = self

    def resolveHostName(self, receiver: Any, name: str, port: int, *args: Any) -> Any:
        self.asked.append(name)
        receiver.resolutionBegan(self)
        for host in self.hosts:
            kind = IPv6Address if ":" in host else IPv4Address
            receiver.addressResolved(kind("TCP", host, port))
        receiver.resolutionComplete()
        return self

    def cancel(self) -> None:
        """Be a resolution."""

    def connectTCP(self, host: str, port: int, factory: Any, **kwargs: Any) -> Any:
        network = self

        class Connector:
            state = "connecting"

            def getDestination(self) -> str:
                return host

            def stopConnecting(self) -> None:
                network.given.append(host)

        self.attempts[host] = factory
        factory.startedConnecting(Connector())
        return self

    def fail(self, host: str) -> None:
        """Let an attempt fail."""
        self.attempts[host].clientConnectionFailed(
            None, Failure(ConnectionRefusedError(None, host))
        )

    def succeed(self, host: str) -> Any:
        """Let an attempt succeed; return the protocol that the transport gets."""
        protocol = self.attempts[host].buildProtocol(host)
        protocol.makeConnection(Transport())
        return protocol


class Transport:
    """A transport that does nothing."""

    def __init__(self) -> None:
        self.protocol: Any = None


def test_addresses_take_turns_and_the_first_to_answer_wins() -> None:
    """Families alternate; a new attempt begins after a delay, and at once after a failure."""
    network = Network("::1", "::2", "10.0.0.1", "10.0.0.2")
    endpoint = endpoints.HostnameEndpoint(network, "name.test", 80, attemptDelay=1)
    won: list[Any] = []
    endpoint.connect(factoryOf(Noting)).addBoth(won.append)
    assert list(network.attempts) == ["::1"]
    network.clock.advance(1)
    assert list(network.attempts) == ["::1", "10.0.0.1"]
    network.fail("::1")
    assert list(network.attempts) == ["::1", "10.0.0.1", "::2"]
    network.succeed("10.0.0.1")
    assert isinstance(won[0], Noting)
    assert network.given == ["::2"]
    assert not network.clock.getDelayedCalls()
    assert network.asked == ["name.test"]


def test_if_all_fail_the_last_error_counts() -> None:
    """Each was tried."""
    network = Network("10.0.0.1", "10.0.0.2")
    lost: list[Any] = []
    endpoints.HostnameEndpoint(network, "name.test", 80).connect(factoryOf(Noting)).addErrback(
        lost.append
    )
    network.fail("10.0.0.1")
    assert not lost
    network.fail("10.0.0.2")
    assert lost[0].check(ConnectionRefusedError)
    assert "10.0.0.2" in str(lost[0].value)
    assert not network.clock.getDelayedCalls()


def test_giving_up_gives_all_attempts_up() -> None:
    """Cancelling names the host, and leaves no attempt and no timer."""
    network = Network("10.0.0.1", "10.0.0.2", "10.0.0.3")
    lost: list[Any] = []
    connecting = endpoints.HostnameEndpoint(network, "name.test", 80).connect(factoryOf(Noting))
    connecting.addErrback(lost.append)
    network.clock.advance(0.3)
    connecting.cancel()
    assert lost[0].check(ConnectingCancelledError)
    assert lost[0].value.address.hostname == b"name.test"
    assert network.given == ["10.0.0.1", "10.0.0.2"]
    assert not network.clock.getDelayedCalls()


def test_the_resolver_is_that_of_the_moment() -> None:
    """A resolver that is installed later is asked; without an address it is an error."""
    network = Network("10.0.0.1")
    endpoint = endpoints.HostnameEndpoint(network, "name.test", 80)
    network.nameResolver = Network()
    lost: list[Any] = []
    endpoint.connect(factoryOf(Noting)).addErrback(lost.append)
    assert network.nameResolver.asked == ["name.test"]
    assert lost[0].check(DNSLookupError)


def test_a_wrapped_protocol_forwards_what_is_declared() -> None:
    """Half-closing is only forwarded for a protocol that declares it."""

    @implementer(IHalfCloseableProtocol)
    class Half(Noting):
        ended = ""

        def readConnectionLost(self) -> None:
            self.ended += "r"

        def writeConnectionLost(self) -> None:
            self.ended += "w"

    network = Network("10.0.0.1")
    endpoints.HostnameEndpoint(network, "name.test", 80).connect(factoryOf(Half))
    wrapper = network.succeed("10.0.0.1")
    assert IHalfCloseableProtocol.providedBy(wrapper)
    wrapper.readConnectionLost()
    wrapper.writeConnectionLost()
    assert wrapper._wrappedProtocol.ended == "rw"
    endpoints.HostnameEndpoint(network, "name.test", 80).connect(factoryOf(Noting))
    assert not IHalfCloseableProtocol.providedBy(network.succeed("10.0.0.1"))


def test_the_wrapper_leaves_the_connection() -> None:
    """On our transports the protocol is called directly once it is connected."""

    async def main(reactor: Any) -> None:
        port: Any = await endpoints.TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(
            factoryOf(Echo)
        )
        client = endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
        protocol = await endpoints.connectProtocol(client, Noting())
        assert protocol.transport.protocol is protocol
        protocol.transport.loseConnection()
        await protocol.lost
        await port.stopListening()

    onReactor("asyncio", main)


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_a_socket_that_was_made_elsewhere(kind: str) -> None:
    """It is adopted once, and our copy of the descriptor closed."""
    descriptors = Descriptors()

    async def main(reactor: Any) -> None:
        made = socket.create_server(("127.0.0.1", 0))
        number = made.getsockname()[1]
        endpoint = endpoints.serverFromString(reactor, f"fd:{made.detach()}")
        port: Any = await endpoint.listen(factoryOf(Echo))
        with pytest.raises(AlreadyListened):
            await endpoint.listen(factoryOf(Echo))
        await echoed(endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", number))
        await port.stopListening()

    onReactor(kind, main)
    assert not [
        each for each in descriptors.left() if each.startswith("socket") and kind != "uvloop"
    ]


def test_a_program_is_an_endpoint() -> None:
    """ProcessEndpoint: its output is data, its end the connection's; stderr may be dropped."""

    async def main(reactor: Any) -> None:
        cat = endpoints.ProcessEndpoint(reactor, "/bin/cat", ["cat"])
        await echoed(cat)
        failing = endpoints.ProcessEndpoint(
            reactor,
            "/bin/sh",
            ["sh", "-c", "echo noise >&2; exit 3"],
            errFlag=endpoints.StandardErrorBehavior.DROP,
        )
        protocol = await endpoints.connectProtocol(failing, Noting())
        reason = await protocol.lost
        assert isinstance(reason, ProcessTerminated)
        assert reason.exitCode == 3
        with pytest.raises(FileNotFoundError):
            missing = endpoints.ProcessEndpoint(reactor, "/does/not/exist", ["x"])
            await endpoints.connectProtocol(missing, Noting())

    onReactor("asyncio", main)


# ---- descriptions --------------------------------------------------------------------------------

DESCRIBED = """
import os
from twisted.internet import endpoints, reactor

def tell(function, text):
    try:
        endpoint = function(reactor, text)
    except Exception as error:
        print(text, type(error).__name__)
    else:
        shown = {k: v for k, v in sorted(vars(endpoint).items()) if k != "_reactor"}
        for each in ("_sslContextFactory", "_wrapperFactory", "_wrappedEndpoint"):
            if each in shown:
                shown[each] = type(shown[each]).__name__ if each == "_wrappedEndpoint" else "..."
        shown = {k: int(v) if v in (0, 1) else v for k, v in shown.items()}
        print(text, type(endpoint).__name__, shown)

for text in (
    "tcp:80", "tcp:port=80:interface=127.0.0.1", "tcp:80:127.0.0.1:10", "tcp6:80",
    r"tcp6:80:interface=\\:\\:1", "unix:/run/x:mode=660:lockfile=0", r"unix:address=/x\\:y\\\\z",
    "foo:1", "80", "tcp:80:bogus=1", "tcp:x", "tcp", "", "stdio:", "stdio",
    "systemd:domain=INET:index=0", "tcp:80=1", "unix:x:mode=9", "tcp:80:interface=a=b",
):
    tell(endpoints.serverFromString, text)
for text in (
    "tcp:localhost:80", "tcp:host=localhost:port=80:timeout=5:bindAddress=1.2.3.4",
    "tcp:localhost:port=80", "tcp:80", "tcp:host=x:80", "unix:/x",
    "unix:path=/x:lockfile=1:timeout=9",
    "foo:x", "tcp:a:b", "stdio:", "tls:host", "tls:host:1:timeout=3",
    r"tls:host:1:endpoint=unix\\:/x",
    "ssl:host:1",
):
    tell(endpoints.clientFromString, text)
print(endpoints.quoteStringArgument(r"a:b\\c=d"))
"""


def test_descriptions_are_twisteds() -> None:
    """The same texts make the same endpoints, or the same kinds of errors."""
    pytest.importorskip("OpenSSL")
    assertSame(DESCRIBED)


def test_what_is_wrong_with_a_description_is_said() -> None:
    """The error names the text, the argument and what is known."""
    server, client = endpoints.serverFromString, endpoints.clientFromString
    with pytest.raises(ValueError, match=r"'foo'; known are .*tcp"):
        server(None, "foo:1")
    with pytest.raises(TypeError, match=r"'tcp:80:x=1' is no endpoint: .*'x'"):
        server(None, "tcp:80:x=1")
    with pytest.raises(ValueError, match=r"port is a number, not 'http'"):
        client(None, "tcp:localhost:http")
    with pytest.raises(TypeError, match="is text"):
        client(None, b"tcp:localhost:80")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="octal"):
        server(None, "unix:x:mode=9")
    with pytest.raises(ValueError, match="INET, INET6 or UNIX"):
        server(None, "fd:3:domain=X")


def test_a_packages_parser_is_an_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installed distribution adds kinds of endpoints, for servers and clients."""
    info = tmp_path / "ours-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ours\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[twistlike.endpoints]\nours = oursEndpoints:Parser\n")
    (tmp_path / "oursEndpoints.py").write_text(
        "class Parser:\n"
        "    prefix = 'ours'\n"
        "    def parseStreamServer(self, reactor, *args, **kwargs):\n"
        "        return 'server', args, kwargs\n"
        "    def parseStreamClient(self, reactor, *args, **kwargs):\n"
        "        return 'client', args, kwargs\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    server: Any = endpoints.serverFromString(None, r"ours:1\:2:a=b")
    client: Any = endpoints.clientFromString(None, "ours:")
    assert server == ("server", ("1:2",), {"a": "b"})
    assert client == ("client", (), {})
    with pytest.raises(ValueError, match="Unknown endpoint type"):
        endpoints.serverFromString(None, "theirs:")


def test_sockets_of_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    """By index and by name, for this process alone."""
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setenv("LISTEN_FDS", "2")
    monkeypatch.setenv("LISTEN_FDNAMES", "first:second")
    make = endpoints.serverFromString
    for text, number in (("index=1", 4), ("name=first", 3), ("name=second", 4)):
        endpoint: Any = make(None, f"systemd:domain=INET:{text}")
        assert endpoint.fileno == number
        assert endpoint.addressFamily == socket.AF_INET
    with pytest.raises(ValueError, match="'third'"):
        make(None, "systemd:domain=INET:name=third")
    monkeypatch.setenv("LISTEN_PID", "1")
    with pytest.raises(IndexError):
        make(None, "systemd:domain=INET:index=0")


def test_an_attempt_times_out() -> None:
    """The endpoint's timeout is the connection's."""

    async def main(reactor: Any) -> None:
        full = socket.create_server(("127.0.0.1", 0), backlog=0)
        fillers = []
        for _ in range(3):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
            fillers.append(filler)
        endpoint = endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", full.getsockname()[1], 0.05)
        with pytest.raises(TimeoutError):
            await endpoint.connect(factoryOf(Noting))
        for each in [full, *fillers]:
            each.close()

    onReactor("asyncio", main)


def test_giving_a_look_up_up_is_giving_the_connection_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancelled while the name is looked up: the same error as while it connects."""
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args: release.wait(20) and [])

    async def main(reactor: Any) -> None:
        connecting = endpoints.HostnameEndpoint(reactor, "slow.test", 1).connect(factoryOf(Noting))
        reactor.callLater(0.01, connecting.cancel)
        with pytest.raises(ConnectingCancelledError):
            await connecting
        release.set()

    onReactor("asyncio", main)


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_described_tls_speaks(kind: str, tmp_path: Path) -> None:
    """``ssl`` and ``tls`` with files and folders: certificates by name, and authorities."""
    certificates, trusted = tmp_path / "certificates", tmp_path / "trusted"
    certificates.mkdir()
    trusted.mkdir()
    for name in ("localhost", "second.test"):
        (certificates / f"{name}.pem").write_bytes(authority().issue(name).both)
    (trusted / "authority.pem").write_bytes(authority().certificate)
    quote = endpoints.quoteStringArgument

    async def main(reactor: Any) -> None:
        one = quote(str(certificates / "localhost.pem"))
        folder = quote(str(certificates))
        roots = quote(str(trusted))
        for text in (
            f"ssl:0:privateKey={one}:interface=127.0.0.1",
            rf"tls:{folder}:0:interface=127.0.0.1",
        ):
            port: Any = await endpoints.serverFromString(reactor, text).listen(factoryOf(Echo))
            number = port.getHost().port
            await echoed(
                endpoints.clientFromString(reactor, f"tls:localhost:{number}:trustRoots={roots}")
            )
            client = f"ssl:127.0.0.1:{number}:caCertsDir={roots}:hostname=localhost"
            await echoed(endpoints.clientFromString(reactor, client))
            if text.startswith("tls"):
                inner = quote(f"tcp:127.0.0.1:{number}")
                second = f"tls:second.test:443:trustRoots={roots}:endpoint={inner}"
                await echoed(endpoints.clientFromString(reactor, second))
            ours = endpoints.clientFromString(reactor, client)
            held = await endpoints.connectProtocol(ours, Noting())
            assert held.transport.wrappedProtocol is held  # nothing stands between
            held.transport.abortConnection()
            await held.lost
            wrong = endpoints.clientFromString(reactor, f"tls:localhost:{number}")
            protocol = await endpoints.connectProtocol(wrong, Noting())
            assert isinstance(await protocol.lost, ssl.SSLCertVerificationError)
            await port.stopListening()

    onReactor(kind, main)


def test_folders_without_certificates_are_refused(tmp_path: Path) -> None:
    """Both for what is shown and for whom to trust."""
    folder = endpoints.quoteStringArgument(str(tmp_path))
    with pytest.raises(ValueError, match="no certificate"):
        endpoints.serverFromString(None, f"tls:{folder}:443")
    with pytest.raises(ValueError, match="no certificate"):
        endpoints.clientFromString(None, f"tls:host:443:trustRoots={folder}")
    with pytest.raises(FileNotFoundError):
        endpoints.serverFromString(None, "ssl:443:privateKey=/does/not/exist")
