"""What type checkers make of connections in a coroutine of asyncio's: checked, and not run."""

from __future__ import annotations

import asyncio
from io import BytesIO
from typing import Any, assert_type

from twistlike.internet import interfaces, ssl, stdio, tcp, udp, unix
from twistlike.internet.asyncioreactor import Reactor
from twistlike.internet.defer import Deferred
from twistlike.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP4ServerEndpoint,
    UNIXServerEndpoint,
    clientFromString,
    connectProtocol,
    serverFromString,
    wrapClientTLS,
)
from twistlike.internet.protocol import (
    ClientCreator,
    ClientFactory,
    DatagramProtocol,
    Factory,
    ProcessProtocol,
    Protocol,
    ServerFactory,
)
from twistlike.internet.testing import MemoryReactor
from twistlike.internet.utils import getProcessOutput, getProcessOutputAndValue, getProcessValue
from twistlike.protocols.basic import FileSender, LineReceiver


class Lines(LineReceiver):
    def __init__(self) -> None:
        self.lines: asyncio.Queue[bytes] = asyncio.Queue()

    def lineReceived(self, line: bytes) -> None:
        self.lines.put_nowait(line)


class Made(ServerFactory[Lines]):
    def buildProtocol(self, addr: Any) -> Lines | None:
        made = super().buildProtocol(addr)
        assert_type(made, Lines | None)
        return made


async def ports(reactor: Reactor) -> None:
    factory = ServerFactory.forProtocol(Lines)
    async with reactor.listenTCP(0, factory, interface="127.0.0.1") as port:
        assert_type(port, tcp.Port)
        print(port.getHost().port)
    async with reactor.listenUNIX("path", Made()) as path:
        assert_type(path, unix.Port)
        print(path.getHost().name)
    async with reactor.listenUDP(0, DatagramProtocol()) as datagrams:
        assert_type(datagrams, udp.Port)
        datagrams.write(b"", ("127.0.0.1", 1))
    async with (
        reactor.listenUNIXDatagram("path", DatagramProtocol()),
        reactor.listenMulticast(0, DatagramProtocol(), listenMultiple=True) as group,
    ):
        await group.joinGroup("224.0.0.1")
    async with reactor.listenSSL(0, factory, ssl.optionsForClientTLS("name")) as secure:
        assert_type(secure, tcp.Port)
    assert_type(await port.stopListening(), None)
    async with reactor.listenTCP("80", factory):  # type: ignore[arg-type]
        pass


async def endpoints(reactor: Reactor) -> None:
    for endpoint in (
        TCP4ServerEndpoint(reactor, 0),
        UNIXServerEndpoint(reactor, "path"),
        serverFromString(reactor, "tcp:0"),
    ):
        async with await endpoint.listen(Factory.forProtocol(Lines)) as port:
            assert_type(port, interfaces.IListeningPort)
            print(port.getHost())
        await port.stopListening()
    lines = await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", 1), Lines())
    assert_type(lines, Lines)
    async with asyncio.timeout(1):
        print(await lines.lines.get())
    first, second = await asyncio.gather(
        connectProtocol(HostnameEndpoint(reactor, "name", 1), Lines()),
        connectProtocol(clientFromString(reactor, "tcp:name:1"), Protocol()),
    )
    assert_type(first, Lines)
    assert_type(second, Protocol)
    secure = wrapClientTLS(ssl.optionsForClientTLS("name"), HostnameEndpoint(reactor, "name", 1))
    assert_type(connectProtocol(secure, Lines()), Deferred[Lines])
    made = await asyncio.wait_for(secure.connect(ClientFactory.forProtocol(Lines)), 1)
    made.transport.loseConnection()
    by = await ClientCreator(reactor, Lines).connectTCP("127.0.0.1", 1)
    by.sendLine(b"")


class Child(ProcessProtocol):
    def outReceived(self, data: bytes) -> None:
        self.transport.write(data)


async def processes(reactor: Reactor) -> None:
    transport = reactor.spawnProcess(Child(), "cat", ["cat"])
    transport.signalProcess("KILL")
    assert_type(await getProcessOutput("true"), bytes)
    assert_type(await getProcessValue("true"), int)
    assert_type(await getProcessOutputAndValue("true"), tuple[bytes, bytes, int])
    stdio.StandardIO(Lines()).loseConnection()


class Sends(Protocol):
    def connectionMade(self) -> None:
        self.transport.registerProducer(self, True)
        done = FileSender().beginFileTransfer(BytesIO(), self.transport)
        assert_type(done, Deferred[bytes | str])

    def pauseProducing(self) -> None:
        pass

    def resumeProducing(self) -> None:
        pass

    def stopProducing(self) -> None:
        pass


async def inMemory() -> None:
    reactor = MemoryReactor()
    async with reactor.listenTCP(0, Factory.forProtocol(Lines)) as port:
        print(port.getHost())
