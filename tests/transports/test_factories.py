"""What is given in the place of a factory, a protocol or arguments is refused where it is given."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from twistlike.internet import reactor
from twistlike.internet.defer import Deferred
from twistlike.internet.endpoints import TCP4ClientEndpoint
from twistlike.internet.error import ConnectError
from twistlike.internet.protocol import (
    ClientFactory,
    DatagramProtocol,
    Factory,
    ProcessProtocol,
    Protocol,
    ServerFactory,
)

WRONG = [
    (None, "not None"),
    (Factory, r"write Factory\(\)"),
    (Protocol, r"write Factory.forProtocol\(Protocol\)"),
    (Protocol(), r"write Factory.forProtocol\(Protocol\)"),
]


@pytest.mark.parametrize(("given", "text"), WRONG)
def test_what_is_no_factory_is_refused(given: Any, text: str) -> None:
    """A class, or a protocol, in its place: the error says what to write; nothing was begun."""

    async def main() -> None:
        async with reactor:
            before = reactor.getReaders()
            with pytest.raises(TypeError, match=f"a port takes a factory, {'.*'}{text}"):
                reactor.listenTCP(0, given, interface="127.0.0.1")
            with pytest.raises(TypeError, match=f"a connector takes a factory, {'.*'}{text}"):
                reactor.connectTCP("127.0.0.1", 1, given)
            with pytest.raises(TypeError, match=f"an endpoint takes a factory, {'.*'}{text}"):
                await TCP4ClientEndpoint(reactor, "127.0.0.1", 1).connect(given)
            assert reactor.getReaders() == before

    asyncio.run(main())


def test_a_servers_factory_is_no_clients() -> None:
    """`connectTCP` with a plain Factory raises, and does not connect all the same."""

    async def main() -> None:
        async with reactor:
            with pytest.raises(TypeError, match="has no startedConnecting: write a ClientFactory"):
                reactor.connectTCP("127.0.0.1", 1, ServerFactory())

    asyncio.run(main())


class MakesANumber(ClientFactory[Any]):
    """Its `buildProtocol` has the wrong result."""

    def __init__(self) -> None:
        self.lost: Deferred[Any] = Deferred()

    def buildProtocol(self, addr: object) -> Any:
        return 5

    def clientConnectionFailed(self, connector: object, reason: Any) -> None:
        self.lost.errback(reason)

    clientConnectionLost = clientConnectionFailed


def test_what_is_no_protocol_is_told_with_its_factory() -> None:
    """The error of a `buildProtocol` that returns something else names the factory."""
    reports: list[str] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: reports.append(str(context["exception"]))
        )
        async with reactor:
            port = reactor.listenTCP(0, MakesANumber(), interface="127.0.0.1")
            number = port.getHost().port
            with pytest.raises(TypeError, match=r"MakesANumber .* has returned 5"):
                await TCP4ClientEndpoint(reactor, "127.0.0.1", number).connect(MakesANumber())
            factory = MakesANumber()
            reactor.connectTCP("127.0.0.1", number, factory)
            with pytest.raises(ConnectError, match=r"MakesANumber .* has returned 5"):
                await factory.lost

    asyncio.run(main())
    assert any("has returned 5, which is no protocol" in each for each in reports)


def test_datagrams_and_processes_refuse_the_wrong_kind() -> None:
    """No protocol of datagrams, and a command line in the place of a list of arguments."""

    async def main() -> None:
        async with reactor:
            for given in (None, Protocol()):
                with pytest.raises(TypeError, match="takes a DatagramProtocol, not "):
                    reactor.listenUDP(0, given)
            reactor.listenUDP(0, DatagramProtocol(), interface="127.0.0.1")
            with pytest.raises(TypeError, match="the arguments of a program are a list"):
                reactor.spawnProcess(ProcessProtocol(), "true", "true -x")

    asyncio.run(main())


def test_a_factory_that_refuses_to_start_keeps_no_socket() -> None:
    """The error of `startFactory` comes out of `listenTCP`, and the address is free again."""

    class Refuses(ServerFactory):
        def startFactory(self) -> None:
            raise LookupError("mine")

    async def main() -> None:
        async with reactor:
            port = reactor.listenTCP(0, ServerFactory(), interface="127.0.0.1")
            number = port.getHost().port
            await port.stopListening()
            for _ in range(2):
                with pytest.raises(LookupError, match="mine"):
                    reactor.listenTCP(number, Refuses(), interface="127.0.0.1")
            with pytest.raises(TypeError, match=r"startFactory .* has a yield in it"):
                reactor.listenTCP(number, Waits(), interface="127.0.0.1")
            await reactor.listenTCP(number, ServerFactory()).stopListening()

    class Waits(ServerFactory):
        def startFactory(self) -> Any:
            yield

    asyncio.run(main())
