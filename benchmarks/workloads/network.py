"""What a server pays for a message, for a connection, and for one that does nothing.

The client is a process of its own. What counts is the CPU time of the server's process, since the
client's share of a CPU would hide differences: see `benchmarks.client`.
"""

from __future__ import annotations

import asyncio
import gc
import ssl
import subprocess
import time
import tracemalloc
from typing import TYPE_CHECKING, Any

from benchmarks.certificate import certificate
from benchmarks.client import start
from benchmarks.hosts import ASYNCIO, REACTORS
from benchmarks.workload import Bench, Workload

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["WORKLOADS"]

GOALS = {"asyncio": 0.95, "twisted": 1.3, "uvloop": 0.88}
"""Peer: how many times our CPU time a message has to cost there."""

SECURE_GOALS = {"twisted": 1.4}
"""The same by TLS."""


class Meter:
    """The server's CPU time from when all connections are in use until the first one ends.

    Args:
        connections: How many there are.
        onEnd: Called when the last one has ended.
    """

    def __init__(self, connections: int, onEnd: Callable[[], object]) -> None:
        self.connections = self._toCome = self._toEnd = connections
        self._onEnd = onEnd
        self._began = 0.0
        self.seconds = 0.0

    def came(self) -> None:
        """Hear that a connection has been made."""
        self._toCome -= 1
        if not self._toCome:
            self._began = time.process_time()

    def ended(self) -> None:
        """Hear that a connection has ended."""
        if self._toEnd == self.connections:
            self.seconds = time.process_time() - self._began
        self._toEnd -= 1
        if not self._toEnd:
            self._onEnd()


def reactorsEcho(kit: Any, meter: Meter, secure: bool = False) -> Any:
    """Return a factory of protocols that send back what they get.

    Those that speak TLS tell the meter that they are there when their first bytes come, so that the
    handshakes are not in the cost of a message.
    """

    class Echo(kit.protocol.Protocol):  # type: ignore[misc]
        def connectionMade(self) -> None:
            meter.came()

        def dataReceived(self, data: bytes) -> None:
            self.transport.write(data)

        def connectionLost(self, reason: object = None) -> None:
            meter.ended()

    class SecureEcho(Echo):
        shaken = False

        def connectionMade(self) -> None:
            pass

        def dataReceived(self, data: bytes) -> None:
            if not self.shaken:
                self.shaken = True
                meter.came()
            self.transport.write(data)

    return kit.protocol.Factory.forProtocol(SecureEcho if secure else Echo)


class AsyncioEcho(asyncio.Protocol):
    """The same for asyncio."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport: Any = transport
        self._meter.came()

    def data_received(self, data: bytes) -> None:
        """Send it back."""
        self._transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the meter."""
        self._meter.ended()


class SecureAsyncioEcho(AsyncioEcho):
    """By TLS: the meter is told when the first bytes come."""

    def __init__(self, meter: Meter) -> None:
        super().__init__(meter)
        self._shaken = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Send it back."""
        if not self._shaken:
            self._shaken = True
            self._meter.came()
        self._transport.write(data)


def echo(connections: int, messageBytes: int, size: int, *, secure: bool = False) -> Workload:
    """Return the workload of that many connections and bytes in a message, by TLS or without."""
    short = "64k" if messageBytes == 2**16 else str(messageBytes)
    plural = "connection" if connections == 1 else "connections"
    client = "secure-echo" if secure else "echo"
    by = "by TLS, " if secure else ""
    work = Workload(
        name=f"network.{client}-{connections}x{short}",
        title=f"echo of {short} bytes, {by}{connections} {plural}: the server's CPU",
        size=size,
        expect=lambda size: size,
        unit="message",
        headline=connections == 100 and messageBytes == 64 and not secure,
        goals=SECURE_GOALS if secure else GOALS,
        repeats=3,
    )

    @work.variant(*REACTORS)
    async def byReactor(bench: Bench) -> int:
        """Send back what comes, by a Protocol."""
        kit = bench.kit
        done = kit.defer.Deferred()
        meter = Meter(connections, lambda: done.callback(None))
        factory = reactorsEcho(kit, meter, secure)
        where = {"interface": "127.0.0.1", "backlog": 1024}
        if secure:
            with certificate() as files:
                context = kit.ssl.DefaultOpenSSLContextFactory(*files)
            port = kit.reactor.listenSSL(0, factory, context, **where)
        else:
            port = kit.reactor.listenTCP(0, factory, **where)
        rounds = max(1, bench.size // connections)
        process = start(client, port.getHost().port, connections, rounds, messageBytes)
        await done
        await port.stopListening()
        return finish(bench, meter.seconds, process, rounds * connections)

    @work.variant(*ASYNCIO)
    async def byAsyncio(bench: Bench) -> int:
        """The same."""
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        meter = Meter(connections, lambda: done.set_result(None))
        made = SecureAsyncioEcho if secure else AsyncioEcho
        context = serverContext() if secure else None
        server = await loop.create_server(
            lambda: made(meter), "127.0.0.1", 0, ssl=context, backlog=1024
        )
        rounds = max(1, bench.size // connections)
        number = server.sockets[0].getsockname()[1]
        process = start(client, number, connections, rounds, messageBytes)
        await done
        server.close()
        return finish(bench, meter.seconds, process, rounds * connections)

    return work


def serverContext() -> ssl.SSLContext:
    """Return what asyncio's server speaks TLS with."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with certificate() as (key, made):
        context.load_cert_chain(made, key)
    return context


def finish(bench: Bench, seconds: float, client: subprocess.Popen[str], done: int) -> int:
    """Note the time for as many messages as were asked for; return how many that were."""
    assert client.stdin is not None
    client.stdin.close()
    assert client.wait(30) == 0, "the client has failed"
    bench.record(seconds * bench.size / done)
    return bench.size


churn = Workload(
    name="network.connection",
    title="connect, echo of 64 bytes, close: the server's CPU",
    size=3_000,
    expect=lambda size: size,
    unit="connection",
    headline=True,
    goals={"twisted": 1},
    repeats=3,
)


@churn.variant(*REACTORS)
async def churnReactor(bench: Bench) -> int:
    """Count the connections, one after the other."""
    done = bench.kit.defer.Deferred()
    meter = Meter(bench.size, lambda: done.callback(None))
    factory = reactorsEcho(bench.kit, meter)
    port = bench.kit.reactor.listenTCP(0, factory, interface="127.0.0.1", backlog=1024)
    client = start("churn", port.getHost().port, 1, bench.size, 64)
    began = time.process_time()
    await done
    seconds = time.process_time() - began
    await port.stopListening()
    return finish(bench, seconds, client, bench.size)


@churn.variant(*ASYNCIO)
async def churnAsyncio(bench: Bench) -> int:
    """The same."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    meter = Meter(bench.size, lambda: done.set_result(None))
    server = await loop.create_server(lambda: AsyncioEcho(meter), "127.0.0.1", 0, backlog=1024)
    client = start("churn", server.sockets[0].getsockname()[1], 1, bench.size, 64)
    began = time.process_time()
    await done
    seconds = time.process_time() - began
    server.close()
    return finish(bench, seconds, client, bench.size)


idle = Workload(
    name="memory.connection",
    title="a server's connection that does nothing",
    size=400,
    expect=lambda size: size,
    unit="connection",
    measure="byte",
    headline=True,
    goals={"twisted": 1 / 1.15},
    repeats=1,
)


class Arrivals:
    """How much memory there is when all connections have come."""

    def __init__(self, connections: int, onAll: Callable[[], object]) -> None:
        self._toCome = self._toEnd = connections
        self._onAll = onAll
        self._before = 0
        self.onEnd: Callable[[], object] = lambda: None
        self.connections = connections
        gc.collect()
        tracemalloc.start()

    def came(self) -> None:
        """Hear that a connection has been made."""
        self._toCome -= 1
        if not self._toCome:
            self._onAll()

    def ended(self) -> None:
        """Hear that a connection has ended."""
        self._toEnd -= 1
        if not self._toEnd:
            self.onEnd()


@idle.variant(*REACTORS)
async def idleReactor(bench: Bench) -> int:
    """As many connections as items, under tracemalloc."""
    kit = bench.kit
    come, gone = kit.defer.Deferred(), kit.defer.Deferred()
    meter = Arrivals(bench.size, lambda: come.callback(None))
    meter.onEnd = lambda: gone.callback(None)
    factory: Any = reactorsEcho(kit, meter)  # type: ignore[arg-type]
    port = kit.reactor.listenTCP(0, factory, interface="127.0.0.1", backlog=1024)
    before = tracemalloc.get_traced_memory()[0]
    client = start("idle", port.getHost().port, bench.size, 0, 0)
    await come
    nextTurn = kit.defer.Deferred()
    kit.reactor.callLater(0, nextTurn.callback, None)
    await nextTurn
    gc.collect()
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert client.stdin is not None
    client.stdin.close()
    await gone
    await port.stopListening()
    return finish(bench, taken, client, bench.size)


@idle.variant(*ASYNCIO)
async def idleAsyncio(bench: Bench) -> int:
    """The same."""
    loop = asyncio.get_running_loop()
    come, gone = loop.create_future(), loop.create_future()
    meter = Arrivals(bench.size, lambda: come.set_result(None))
    meter.onEnd = lambda: gone.set_result(None)
    server = await loop.create_server(
        lambda: AsyncioEcho(meter),  # type: ignore[arg-type]
        "127.0.0.1",
        0,
        backlog=1024,
    )
    before = tracemalloc.get_traced_memory()[0]
    client = start("idle", server.sockets[0].getsockname()[1], bench.size, 0, 0)
    await come
    await asyncio.sleep(0.001)
    gc.collect()
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert client.stdin is not None
    client.stdin.close()
    await gone
    server.close()
    return finish(bench, taken, client, bench.size)


WORKLOADS = [
    echo(1, 64, 20_000),
    echo(100, 64, 30_000),
    echo(1, 2**16, 4_000),
    echo(100, 2**16, 5_000),
    echo(1, 64, 10_000, secure=True),
    echo(100, 64, 20_000, secure=True),
    echo(1, 2**16, 100, secure=True),  # on Twisted one takes 43 ms: D32
    echo(100, 2**16, 1_500, secure=True),
    churn,
    idle,
]
