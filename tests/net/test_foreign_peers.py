"""Other people's programs at the other end: curl, redis, nginx, haproxy, openssl, on loopback."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.transports.authority import authority
from tests.transports.reactors import onReactor
from twistlike.internet.defer import Deferred, gatherResults
from twistlike.internet.endpoints import clientFromString, connectProtocol
from twistlike.internet.error import ConnectionDone
from twistlike.internet.protocol import Protocol, ReconnectingClientFactory, ServerFactory
from twistlike.internet.threads import deferToThreadPool
from twistlike.internet.utils import getProcessOutputAndValue
from twistlike.protocols.basic import LineReceiver

LOOPS = ["asyncio", "uvloop"]


def program(name: str) -> str:
    """Return where a program is, or skip the test."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def freePort() -> int:
    """Return the number of a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        number: int = free.getsockname()[1]
        return number


@contextlib.contextmanager
def running(command: list[str], number: int) -> Iterator[None]:
    """Run a server for a while; it is there once its port answers."""
    peer = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        for _ in range(500):
            try:
                socket.create_connection(("127.0.0.1", number)).close()
                break
            except ConnectionRefusedError:
                if peer.poll() is not None:
                    assert peer.stdout is not None
                    pytest.fail(f"{command[0]} has ended: {peer.stdout.read()!r}")
                threading.Event().wait(0.02)
        yield
    finally:
        peer.terminate()
        peer.communicate(timeout=60)


class HTTP(LineReceiver):
    """As much of HTTP/1.1 as curl and the proxies ask for: the answer says what was asked."""

    requests = 0

    def connectionMade(self) -> None:
        """Wait for a request."""
        self.head: list[bytes] = []
        self.body = b""

    def lineReceived(self, line: bytes) -> None:
        """Take a line of a request's head."""
        if line:
            self.head.append(line)
            return
        fields = [each.partition(b":") for each in self.head[1:]]
        self.fields = {name.lower(): value.strip() for name, _, value in fields}
        self.missing = int(self.fields.get(b"content-length", b"0"))
        if b"expect" in self.fields:
            self.sendLine(b"HTTP/1.1 100 Continue\r\n")
        if self.missing:
            self.setRawMode()
        else:
            self.answer()

    def rawDataReceived(self, data: bytes) -> None:
        """Take some of a request's body."""
        body, rest = data[: self.missing], data[self.missing :]
        self.body += body
        self.missing -= len(body)
        if not self.missing:
            self.answer()
            self.setLineMode(rest)

    def answer(self) -> None:
        """Say what was asked."""
        HTTP.requests += 1
        what = b"%s %d\n" % (b" ".join(self.head[0].split()[:2]), len(self.body))
        self.sendLine(b"HTTP/1.1 200 OK")
        self.sendLine(b"Content-Length: %d" % len(what))
        self.sendLine(b"")
        self.transport.write(what)
        if self.fields.get(b"connection", b"").lower() == b"close":
            self.transport.loseConnection()
        self.connectionMade()


@contextlib.asynccontextmanager
async def web(reactor: Any, context: Any = None) -> AsyncIterator[int]:
    """Serve HTTP for a while; gives the port's number."""
    factory = ServerFactory.forProtocol(HTTP)
    if context is None:
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    else:
        port = reactor.listenSSL(0, factory, context, interface="127.0.0.1")
    try:
        yield port.getHost().port
    finally:
        await port.stopListening()


async def curl(reactor: Any, *arguments: str) -> bytes:
    """Run curl; return what it has got."""
    out, err, code = await getProcessOutputAndValue(
        program("curl"), ["-sS", "--max-time", "15", *arguments], reactor=reactor
    )
    assert code == 0, err
    return out


@pytest.mark.parametrize("kind", LOOPS)
def test_curl_asks_several_times_on_one_connection(kind: str) -> None:
    """curl keeps the connection, posts 300 kB (after "100 Continue"), and is answered each time."""
    program("curl")

    async def main(reactor: Any) -> None:
        async with web(reactor) as number:
            url = f"http://127.0.0.1:{number}"
            assert await curl(reactor, f"{url}/a", f"{url}/b") == b"GET /a 0\nGET /b 0\n"
            body = "x" * 30_000
            sent = await curl(
                reactor, "-H", "Expect: 100-continue", *["-d", body] * 4, f"{url}/post"
            )
            assert sent == b"POST /post 120003\n"
            asked = [curl(reactor, f"{url}/{n}") for n in range(5)]
            answers = await gatherResults([Deferred.fromCoroutine(each) for each in asked])
            assert answers == [b"GET /%d 0\n" % n for n in range(5)]

    onReactor(kind, main, timeout=100)


@pytest.mark.parametrize("kind", LOOPS)
def test_curl_asks_over_tls(kind: str, tmp_path: Path) -> None:
    """curl verifies the certificate and asks twice on one connection."""
    import ssl

    program("curl")
    trusted, server = tmp_path / "authority.pem", tmp_path / "server.pem"
    trusted.write_bytes(authority().certificate)
    server.write_bytes(authority().issue("localhost").both)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server)

    async def main(reactor: Any) -> None:
        async with web(reactor, context) as number:
            url = f"https://localhost:{number}"
            answers = await curl(reactor, "--cacert", str(trusted), f"{url}/a", f"{url}/b")
            assert answers == b"GET /a 0\nGET /b 0\n"

    onReactor(kind, main, timeout=100)


class Redis(LineReceiver):
    """A client of redis: the answers come in the order of the commands."""

    def __init__(self) -> None:
        self.waiting: list[Deferred[Any]] = []
        self.missing = 0
        self.lost: Deferred[Any] = Deferred()

    def ask(self, *words: bytes) -> Deferred[Any]:
        """Send a command; the Deferred fires with the answer."""
        self.sendLine(b"*%d" % len(words))
        for word in words:
            self.sendLine(b"$%d\r\n%s" % (len(word), word))
        answer: Deferred[Any] = Deferred()
        self.waiting.append(answer)
        return answer

    def _answered(self, value: Any) -> None:
        self.waiting.pop(0).callback(value)

    def lineReceived(self, line: bytes) -> None:
        """Take a short answer, or the length of a long one."""
        kind, rest = line[:1], line[1:]
        if kind == b"$" and rest != b"-1":
            self.missing = int(rest) + 2
            self.pieces: list[bytes] = []
            self.setRawMode()
        else:
            self._answered(int(rest) if kind == b":" else None if rest == b"-1" else rest)

    def rawDataReceived(self, data: bytes) -> None:
        """Take some of a long answer."""
        piece, rest = data[: self.missing], data[self.missing :]
        self.pieces.append(piece)
        self.missing -= len(piece)
        if not self.missing:
            self._answered(b"".join(self.pieces)[:-2])
            self.setLineMode(rest)

    def connectionLost(self, reason: Any = None) -> None:
        """Tell why."""
        self.lost.callback(reason.value)


@contextlib.contextmanager
def redis(folder: Path) -> Iterator[int]:
    """Run redis for a while."""
    number = freePort()
    command = [program("redis-server"), "--port", str(number), "--bind", "127.0.0.1"]
    command += ["--save", "", "--dir", str(folder), "--unixsocket", str(folder / "redis.sock")]
    with running(command, number):
        yield number


@pytest.mark.parametrize("kind", LOOPS)
def test_redis_is_asked(kind: str, tmp_path: Path) -> None:
    """Pipelined commands, megabytes both ways, over TCP and a UNIX socket; "QUIT" ends well."""
    with redis(tmp_path) as number:

        async def main(reactor: Any) -> None:
            for text in (f"tcp:127.0.0.1:{number}", f"unix:{tmp_path}/redis.sock"):
                client: Redis = await connectProtocol(clientFromString(reactor, text), Redis())
                assert await client.ask(b"SET", b"count", b"0") == b"OK"
                asked = [client.ask(b"INCR", b"count") for _ in range(2000)]
                assert await gatherResults(asked) == list(range(1, 2001))
                value = bytes(range(256)) * 8192
                await client.ask(b"SET", b"much", value)
                assert await client.ask(b"GET", b"much") == value
                assert await client.ask(b"GET", b"nothing") is None
                assert await client.ask(b"QUIT") == b"OK"
                assert isinstance(await client.lost, ConnectionDone)

        onReactor(kind, main, timeout=100)


@pytest.mark.parametrize("kind", LOOPS)
def test_a_client_that_redis_throws_out_comes_back(kind: str, tmp_path: Path) -> None:
    """After "CLIENT KILL" a ReconnectingClientFactory has a new connection soon."""
    made: list[Deferred[Redis]] = [Deferred(), Deferred()]

    class Again(ReconnectingClientFactory):
        initialDelay = 0.01
        noisy = False

        def __init__(self) -> None:
            self.left = list(made)

        def buildProtocol(self, addr: Any) -> Redis:
            client = Redis()
            client.factory = self
            client.connectionMade = lambda: self.left.pop(0).callback(client)  # type: ignore[method-assign]
            return client

    with redis(tmp_path) as number:

        async def main(reactor: Any) -> None:
            factory = Again()
            connector = reactor.connectTCP("127.0.0.1", number, factory)
            client = await made[0]
            own = await client.ask(b"CLIENT", b"ID")
            client.ask(b"CLIENT", b"KILL", b"ID", b"%d" % own, b"SKIPME", b"no")
            await client.lost
            assert await (await made[1]).ask(b"PING") == b"PONG"
            factory.stopTrying()
            connector.disconnect()

        onReactor(kind, main, timeout=100)


NGINX = """
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/errors;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_buffer_size 1m;
    client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
    uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
    upstream ours {{ server 127.0.0.1:{inner}; keepalive 4; }}
    server {{
        listen 127.0.0.1:{outer};
        location / {{
            proxy_pass http://ours;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
    }}
}}
"""

HAPROXY = """
defaults
    mode {mode}
    timeout connect 5s
    timeout client 20s
    timeout server 20s
listen front
    bind 127.0.0.1:{outer}
    server ours 127.0.0.1:{inner} check inter 50ms
"""


@pytest.mark.parametrize("kind", LOOPS)
@pytest.mark.parametrize("proxy", ["nginx", "haproxy, http", "haproxy, tcp"])
def test_a_proxy_in_front(proxy: str, kind: str, tmp_path: Path) -> None:
    """A proxy hands requests on over connections that it keeps; its health checks do no harm."""
    name, _, mode = proxy.partition(", ")
    inner, outer = freePort(), freePort()
    file = tmp_path / "configuration"
    text = NGINX if name == "nginx" else HAPROXY
    file.write_text(text.format(folder=tmp_path, inner=inner, outer=outer, mode=mode))
    command = [program(name), *(["-c"] if name == "nginx" else ["-db", "-f"]), str(file)]
    program("curl")
    peer = contextlib.ExitStack()

    async def main(reactor: Any) -> None:
        port = reactor.listenTCP(inner, ServerFactory.forProtocol(HTTP), interface="127.0.0.1")
        # Only now: haproxy's first look decides whether there is a server.
        await deferToThreadPool(
            reactor, reactor.getThreadPool(), peer.enter_context, running(command, outer)
        )
        url = f"http://127.0.0.1:{outer}"
        for n in range(3):
            assert await curl(reactor, f"{url}/{n}", f"{url}/x") == b"GET /%d 0\nGET /x 0\n" % n
        body = ["-d", "x" * 100_000] * 3
        assert await curl(reactor, *body, f"{url}/post") == b"POST /post 300002\n"
        await port.stopListening()

    with peer:
        onReactor(kind, main, timeout=100)


class Line(Protocol):
    """Takes what comes, until a text is in it."""

    data = b""

    def __init__(self) -> None:
        self.lost: Deferred[Any] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        """Keep what comes."""
        self.data += data

    def connectionLost(self, reason: Any = None) -> None:
        """Tell why."""
        self.lost.callback(reason.value)


@pytest.mark.parametrize("kind", LOOPS)
def test_openssls_server_answers_an_endpoint(kind: str, tmp_path: Path) -> None:
    """A client from a description verifies `openssl s_server` and reads its page."""
    server, trusted = tmp_path / "server.pem", tmp_path / "trusted"
    trusted.mkdir()
    server.write_bytes(authority().issue("localhost").both)
    (trusted / "authority.pem").write_bytes(authority().certificate)
    number = freePort()
    command = [program("openssl"), "s_server", "-accept", f"127.0.0.1:{number}", "-www", "-quiet"]
    command += ["-cert", str(server), "-key", str(server)]

    async def main(reactor: Any) -> None:
        text = f"tls:localhost:{number}:trustRoots={trusted}"
        client = await connectProtocol(clientFromString(reactor, text), Line())
        client.transport.write(b"GET / HTTP/1.0\r\n\r\n")
        assert isinstance(await client.lost, ConnectionDone)
        assert b"TLSv1.3" in client.data

    with running(command, number):
        onReactor(kind, main)
