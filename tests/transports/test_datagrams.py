"""Programs on datagrams give the same transcript on Twisted and on each kind of loop."""

from __future__ import annotations

import asyncio
import contextvars
import socket
import threading
from functools import cache
from textwrap import dedent
from typing import Any

import pytest

from tests.oracle import Transcript, run
from tests.transports.datagram_programs import DATAGRAM_HEADER, DATAGRAM_PROGRAMS, ON_ASYNCIO
from tests.transports.programs import LOOPS
from tests.transports.reactors import KINDS, onReactor
from tests.waits import until
from twistlike.internet import reactor
from twistlike.internet.address import IPv4Address
from twistlike.internet.defer import Deferred
from twistlike.internet.error import WrongThreadError
from twistlike.internet.protocol import DatagramProtocol
from twistlike.logger import capturedLogs


def _text(name: str, first: str) -> str:
    parts = [first, DATAGRAM_HEADER, DATAGRAM_PROGRAMS[name], "run(main)"]
    return "\n".join(dedent(part) for part in parts)


@cache
def _twisteds(name: str) -> Transcript:
    return run(_text(name, ON_ASYNCIO), "twisted")


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("name", DATAGRAM_PROGRAMS)
def test_program(name: str, loop: str) -> None:
    """What each side hears, and what each call returns or raises, is what it is on Twisted."""
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    theirs = _twisteds(name)
    ours = run(_text(name, LOOPS[loop]), "twistlike")
    assert ours.lines == theirs.lines, ours.stderr
    assert theirs.lines
    assert ours.returncode == theirs.returncode == 0, theirs.stderr


class Side(DatagramProtocol):
    """Keeps what it hears, and lets a test wait for it."""

    noisy = False

    def __init__(self) -> None:
        self.heard: asyncio.Queue[tuple[bytes, Any]] = asyncio.Queue()

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """Keep a datagram."""
        self.heard.put_nowait((datagram, addr))


def listen(side: Any) -> tuple[str, int]:
    """Open a port; return its address."""
    host = reactor.listenUDP(0, side, interface="127.0.0.1").getHost()
    assert isinstance(host, IPv4Address)
    return host.host, host.port


def test_a_port_beside_asyncios() -> None:
    """A protocol of ours and one of asyncio's talk to each other in one loop."""

    class Theirs(asyncio.DatagramProtocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: Any) -> None:
            self.transport.sendto(data.upper(), addr)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(Theirs, ("127.0.0.1", 0))
        side = Side()
        listen(side)
        side.transport.write(b"hello", transport.get_extra_info("sockname"))
        assert (await side.heard.get())[0] == b"HELLO"
        await side.transport.stopListening()
        transport.close()

    asyncio.run(main())


def test_what_is_bound_before_there_is_a_loop_is_received() -> None:
    """A port that was opened outside of a loop takes what has come in the meantime."""
    transcript = run(
        """
        import socket
        from twisted.internet import protocol, reactor

        class Side(protocol.DatagramProtocol):
            def datagramReceived(self, data, addr):
                print(data)
                reactor.stop()

        port = reactor.listenUDP(0, Side(), interface="127.0.0.1").getHost().port
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as skt:
            skt.sendto(b"early", ("127.0.0.1", port))
        reactor.run()
        """,
        "twistlike",
    )
    assert (transcript.lines, transcript.returncode) == (["b'early'"], 0)


def test_a_datagram_that_raises_is_reported_and_the_others_follow() -> None:
    """An error of a protocol's is in the log; its port goes on."""

    class Raises(Side):
        def datagramReceived(self, datagram: bytes, addr: Any) -> None:
            super().datagramReceived(datagram, addr)
            if datagram == b"raise":
                raise ValueError("as asked")

    async def main() -> None:
        side = Raises()
        address = listen(side)
        for data in (b"raise", b"next"):
            side.transport.write(data, address)
        assert [(await side.heard.get())[0] for _ in range(2)] == [b"raise", b"next"]
        await side.transport.stopListening()

    with capturedLogs() as events:
        asyncio.run(main())
    failures = [str(event["log_failure"].value) for event in events if "log_failure" in event]
    assert failures == ["as asked"]


def test_each_datagram_has_the_ports_context() -> None:
    """A context variable is what it was at `listenUDP`; what a datagram sets, no other sees."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    seen = []

    class Sees(Side):
        def datagramReceived(self, datagram: bytes, addr: Any) -> None:
            seen.append(variable.get())
            variable.set("of a datagram")
            super().datagramReceived(datagram, addr)

    async def main() -> None:
        variable.set("of the port")
        side = Sees()
        address = listen(side)
        variable.set("of the test")
        for _ in range(2):
            side.transport.write(b"x", address)
            await side.heard.get()
        await side.transport.stopListening()

    asyncio.run(main())
    assert seen == ["of the port"] * 2


def test_another_thread_is_refused() -> None:
    """Opening, writing and stopping in another thread raise and name the call."""
    errors = []

    def elsewhere(side: Side, address: Any) -> None:
        for call in (
            lambda: reactor.listenUDP(0, Side()),
            lambda: side.transport.write(b"x", address),
            lambda: side.transport.stopListening(),
        ):
            with pytest.raises(WrongThreadError) as caught:
                call()
            errors.append(str(caught.value))

    async def main() -> None:
        side = Side()
        address = listen(side)
        thread = threading.Thread(target=elsewhere, args=(side, address))
        thread.start()
        await asyncio.to_thread(thread.join)
        await side.transport.stopListening()

    asyncio.run(main())
    assert len(errors) == 3
    assert all("thread" in each for each in errors)


def test_stopping_twice_answers_twice() -> None:
    """Each `stopListening` before the end has a Deferred of its own that fires."""

    async def main() -> None:
        side = Side()
        listen(side)
        port = side.transport
        await asyncio.gather(port.stopListening(), port.stopListening())
        assert port.stopListening().called
        with pytest.raises(RuntimeError, match="is closed"):
            port.write(b"x", ("127.0.0.1", 1))
        with pytest.raises(RuntimeError, match="is closed"):
            port.getHost()

    asyncio.run(main())


def test_a_protocol_that_cannot_start_leaves_no_port() -> None:
    """What `startProtocol` raises comes out of `listenUDP`, and the number is free again."""
    numbers = []

    class Fails(Side):
        def startProtocol(self) -> None:
            numbers.append(self.transport.getHost().port)
            raise ValueError("as asked")

    async def main() -> None:
        with pytest.raises(ValueError, match="as asked"):
            listen(Fails())
        port: Any = reactor.listenUDP(numbers[0], Side(), interface="127.0.0.1")
        await port.stopListening()

    asyncio.run(main())


def test_a_port_can_listen_again() -> None:
    """A port that was closed receives again after `startListening`; in Twisted it does not."""

    async def main() -> None:
        side = Side()
        listen(side)
        port = side.transport
        await port.stopListening()
        port.startListening()
        host = port.getHost()
        port.write(b"again", (host.host, host.port))
        assert (await side.heard.get())[0] == b"again"
        await port.stopListening()

    asyncio.run(main())


def test_the_hosts_end_closes_ports() -> None:
    """When the loop of the host ends, the protocol is told, and the number is free again."""
    stopped = []

    class Told(Side):
        def stopProtocol(self) -> None:
            stopped.append(self)

    async def main() -> tuple[str, int]:
        return listen(Told())

    address = asyncio.run(main())
    assert len(stopped) == 1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as skt:
        skt.bind(address)


def test_a_flood_leaves_time_for_others() -> None:
    """A port that is sent more than it can take in a turn does not keep the loop."""

    async def main() -> None:
        side = Side()
        address = listen(side)
        side.transport.maxThroughput = 100
        for _ in range(50):
            side.transport.write(b"x" * 20, address)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert 0 < side.heard.qsize() < 50
        for _ in range(50):
            await side.heard.get()
        await side.transport.stopListening()

    asyncio.run(main())


def test_a_connected_unix_port_takes_no_address() -> None:
    """Its datagrams go to the one peer: an address is an error that says so."""
    from twistlike._transports.unix_datagrams import ConnectedDatagramPort

    port = ConnectedDatagramPort("/nowhere", DatagramProtocol(), reactor=reactor)
    with pytest.raises(TypeError, match="has one peer"):
        port.write(b"x", "/elsewhere")


def test_a_protocols_class_is_refused() -> None:
    """The error says that a protocol is wanted, and how to make one."""
    with pytest.raises(TypeError, match=r"not its class: make one, Side\(\)"):
        reactor.listenUDP(0, Side)


def test_a_coroutine_function_is_reported() -> None:
    """A `datagramReceived` that nobody would await is in the log, with what to do."""

    class Async(Side):
        async def datagramReceived(self, datagram: bytes, addr: Any) -> None:  # type: ignore[override]
            raise AssertionError("never runs")

    async def main() -> None:
        side = Async()
        address = listen(side)
        side.transport.write(b"x", address)
        async with asyncio.timeout(10):
            await until(lambda: any("log_failure" in event for event in events))
        await side.transport.stopListening()

    with capturedLogs() as events:
        asyncio.run(main())
    texts = [str(event["log_failure"].value) for event in events if "log_failure" in event]
    assert len(texts) == 1
    assert "coroutine function" in texts[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pause", [True, False])
def test_a_refused_datagram_leaves_a_port_that_hears(kind: str, pause: bool) -> None:
    """Several are refused, one after the other or at once: what comes afterwards is received."""

    class Refused(Side):
        def connectionRefused(self) -> None:
            self.heard.put_nowait((b"refused", None))

    async def main(reactor: Any) -> None:
        side = Refused()
        async with reactor.listenUDP(0, side, interface="127.0.0.1") as port:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
                peer.bind(("127.0.0.1", 0))
                nobody = peer.getsockname()
            port.connect(*nobody)
            for _ in range(3):
                port.write(b"to nobody")
                if pause:
                    assert await task(side.heard.get()) == (b"refused", None)
            if not pause:
                assert await task(side.heard.get()) == (b"refused", None)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
                peer.bind(nobody)
                peer.connect(("127.0.0.1", port.getHost().port))
                for number in range(3):
                    peer.send(b"%d" % number)
                    while (heard := (await task(side.heard.get()))[0]) == b"refused":
                        pass
                    assert heard == b"%d" % number

    def task(waiting: Any) -> Any:
        return Deferred.fromFuture(asyncio.ensure_future(waiting))

    onReactor(kind, main)
