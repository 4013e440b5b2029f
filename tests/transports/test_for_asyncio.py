"""What asyncio code does with ports and connections: await, `async with`, one loop for both."""

from __future__ import annotations

import asyncio
import builtins
import socket
from contextvars import ContextVar
from typing import Any

import pytest

from tests.transports.reactors import KINDS, onReactor
from twistlike.internet.defer import Deferred
from twistlike.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint, connectProtocol
from twistlike.internet.error import ConnectingCancelledError, ConnectionRefusedError
from twistlike.internet.protocol import DatagramProtocol, Protocol, ServerFactory
from twistlike.internet.testing import MemoryReactor


class Echo(Protocol):
    """Sends back what comes."""

    def dataReceived(self, data: bytes) -> None:
        """Send it back."""
        self.transport.write(data)


class Asker(Protocol):
    """Keeps what comes in a queue of asyncio's."""

    def __init__(self) -> None:
        self.answers: asyncio.Queue[bytes] = asyncio.Queue()
        self.lost: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        """Keep it."""
        self.answers.put_nowait(data)

    def connectionLost(self, reason: Any = None) -> None:
        """Let those go on that wait for it."""
        self.lost.callback(None)


async def task(coroutine: Any) -> Any:
    """Run a coroutine as a task of asyncio's."""
    return await Deferred.fromFuture(asyncio.ensure_future(coroutine))


@pytest.mark.parametrize("kind", KINDS)
def test_a_port_is_open_for_a_block(kind: str) -> None:
    """`async with` closes it and waits for that, also when the block raises."""

    async def block(reactor: Any, fails: bool) -> int:
        factory = ServerFactory.forProtocol(Echo)
        async with reactor.listenTCP(0, factory, interface="127.0.0.1") as port:
            number: int = port.getHost().port
            reader, writer = await asyncio.open_connection("127.0.0.1", number)
            writer.write(b"hello")
            assert await reader.readexactly(5) == b"hello"
            writer.close()
            if fails:
                raise LookupError(number)
        assert not port.connected
        return number

    async def main(reactor: Any) -> None:
        number = await task(block(reactor, False))
        with pytest.raises(builtins.ConnectionRefusedError):
            await task(asyncio.open_connection("127.0.0.1", number))
        with pytest.raises(LookupError) as raised:
            await task(block(reactor, True))
        with pytest.raises(builtins.ConnectionRefusedError):
            await task(asyncio.open_connection("127.0.0.1", raised.value.args[0]))
        async with reactor.listenUDP(0, DatagramProtocol(), interface="127.0.0.1") as datagrams:
            assert datagrams.connected
        assert not datagrams.connected
        end = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
        listening: Any = await end.listen(ServerFactory.forProtocol(Echo))
        async with listening as same:
            assert same.connected
        assert not listening.connected

    onReactor(kind, main)


@pytest.mark.parametrize("kind", KINDS)
def test_stopListening_can_always_be_awaited(kind: str) -> None:
    """Twice, several at once, after the end: each is answered."""

    async def main(reactor: Any) -> None:
        for port in (
            reactor.listenTCP(0, ServerFactory.forProtocol(Echo), interface="127.0.0.1"),
            reactor.listenUDP(0, DatagramProtocol(), interface="127.0.0.1"),
        ):
            await task(asyncio.wait_for(port.stopListening(), 10))
            await port.stopListening()
            port.startListening()
            both = port.stopListening(), port.stopListening()
            for each in both:
                await each
            await port.loseConnection()

    onReactor(kind, main)


def test_a_port_in_memory_can_be_awaited() -> None:
    """A MemoryReactor's port answers as well, and has a block."""
    port: Any = MemoryReactor().listenTCP(0, ServerFactory())

    async def main() -> str:
        async with port as same:
            assert same is port
        await port.stopListening()
        return "stopped"

    assert asyncio.run(main()) == "stopped"


@pytest.mark.parametrize("kind", KINDS)
def test_endpoints_are_awaited_in_tasks(kind: str) -> None:
    """asyncio's gather, timeout and cancel work on what endpoints return."""

    async def talk(reactor: Any, number: int, word: bytes) -> bytes:
        end = TCP4ClientEndpoint(reactor, "127.0.0.1", number)
        asker: Asker = await connectProtocol(end, Asker())
        asker.transport.write(word)
        answer = await asker.answers.get()
        asker.transport.loseConnection()
        await asker.lost
        return answer

    async def main(reactor: Any) -> None:
        end = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
        port: Any = await end.listen(ServerFactory.forProtocol(Echo))
        number = port.getHost().port

        async def several() -> list[bytes]:
            async with asyncio.timeout(10):
                return await asyncio.gather(
                    *(talk(reactor, number, b"word %d" % n) for n in range(20))
                )

        assert await task(several()) == [b"word %d" % n for n in range(20)]
        await port.stopListening()

        async def refused() -> None:
            with pytest.raises(ConnectionRefusedError):
                await talk(reactor, number, b"")

        await task(refused())

        async def cancelled() -> None:
            # A full backlog: the system answers no further attempt.
            with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
                others = [socket.socket() for _ in range(3)]
                for each in others:
                    each.setblocking(False)
                    each.connect_ex(full.getsockname())
                end = TCP4ClientEndpoint(reactor, *full.getsockname())
                attempt = end.connect(ServerFactory())
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await attempt
                with pytest.raises((ConnectingCancelledError, asyncio.CancelledError)):
                    await attempt
                for each in others:
                    each.close()

        await task(cancelled())

    onReactor(kind, main)


@pytest.mark.parametrize("kind", KINDS)
def test_tasks_share_nothing_by_their_connections(kind: str) -> None:
    """Context variables of the task that connects are those of its connection's callbacks."""
    user: ContextVar[str] = ContextVar("user", default="nobody")

    class Telling(Asker):
        seen: list[str]

        def connectionMade(self) -> None:
            self.seen = [user.get()]
            self.transport.write(b"x")

        def dataReceived(self, data: bytes) -> None:
            self.seen.append(user.get())
            asyncio.ensure_future(self.later())

        async def later(self) -> None:
            self.seen.append(user.get())
            self.transport.loseConnection()

        def connectionLost(self, reason: Any = None) -> None:
            self.seen.append(user.get())
            super().connectionLost(reason)

    async def talk(reactor: Any, number: int, name: str) -> list[str]:
        user.set(name)
        end = TCP4ClientEndpoint(reactor, "127.0.0.1", number)
        made: Telling = await connectProtocol(end, Telling())
        await made.lost
        assert user.get() == name
        return made.seen

    async def main(reactor: Any) -> None:
        factory = ServerFactory.forProtocol(Echo)
        async with reactor.listenTCP(0, factory, interface="127.0.0.1") as port:
            number = port.getHost().port
            names = [f"user {n}" for n in range(10)]
            seen = await task(asyncio.gather(*(talk(reactor, number, each) for each in names)))
            assert seen == [[name] * 4 for name in names]

    onReactor(kind, main)
