"""Ports and connections in a reactor's life: before a loop, on a host's, at the end, forked."""

from __future__ import annotations

import pytest

from tests.transports.programs import LOOPS
from tests.transports.test_faults import WATCHING, ours

HOST = {
    "asyncio": "import asyncio; start = asyncio.run",
    "uvloop": "import uvloop; start = uvloop.run",
}


@pytest.mark.parametrize("loop", LOOPS)
def test_a_port_listens_before_there_is_a_loop(loop: str) -> None:
    """The system takes connections at once; they are accepted when the reactor runs, each time."""
    done = ours(
        """
        class Once(Side):
            def begin(self):
                print('accepted')
                reactor.stop()
        for _ in range(2):
            port = reactor.listenTCP(0, Server(Once), interface='127.0.0.1')
            with socket.create_connection(('127.0.0.1', port.getHost().port)) as peer:
                reactor.run()
                print(peer.recv(1), port.connected)
        """,
        loop,
    )
    assert done.stdout.splitlines() == ["accepted", "b'' False"] * 2
    assert done.stderr == ""


@pytest.mark.parametrize("loop", LOOPS)
def test_an_attempt_begins_before_there_is_a_loop(loop: str) -> None:
    """A connection that is asked for before run() is made in it; its end is the reactor's."""
    done = ours(
        """
        class Here(Side):
            def begin(self):
                reactor.callLater(0.01, reactor.stop)
        port = reactor.listenTCP(0, Server(Side), interface='127.0.0.1')
        client = Client(Here)
        reactor.connectTCP('127.0.0.1', port.getHost().port, client)
        reactor.run()
        print(notes['client'][-1], notes['server'][-1])
        print(notes['factory of the client'])
        print(len(reactor._transports.open))
        """,
        loop,
    )
    lost = ("lost", "ConnectionLost", 0)
    first, second, third = done.stdout.splitlines()
    assert first in (f"{lost} {lost}", f"{lost} {('lost', 'ConnectionDone', 0)}")
    assert second.endswith("('lost', 'ConnectionLost', 'disconnected'), ('doStop',)]")
    assert third == "0"
    assert done.stderr == ""


@pytest.mark.parametrize("host", HOST)
def test_the_end_of_the_host_ends_connections(host: str) -> None:
    """When asyncio.run returns, ports are closed and protocols told, and nothing is reported."""
    if host == "uvloop":
        pytest.importorskip("uvloop")
    done = ours(
        f"""
        {HOST[host]}
        async def main():
            port, server, client, _ = await pair(Side, Side)
            client.transport.pauseProducing()  # it is ended all the same
        start(main())
        print(sorted(notes['client'] + notes['server']))
        print(len(reactor._transports.open), reactor)
        """,
        "asyncio",
    )
    first, second = done.stdout.splitlines()
    assert first.count("lost") == 2
    assert second.startswith("0 ")
    assert done.stderr == ""


@pytest.mark.parametrize("host", HOST)
def test_side_by_side_with_asyncios_own(host: str) -> None:
    """A protocol of Twisted's and streams of asyncio's talk to each other in one loop."""
    if host == "uvloop":
        pytest.importorskip("uvloop")
    done = ours(
        f"""
        {HOST[host]}
        import asyncio
        class Echo(Side):
            def dataReceived(self, data):
                self.transport.write(data)
                self.transport.loseConnection()
        async def main():
            port = reactor.listenTCP(0, Server(Echo), interface='127.0.0.1')
            reader, writer = await asyncio.open_connection('127.0.0.1', port.getHost().port)
            writer.write(b'hello')
            print(await reader.read())
            writer.close()
            await writer.wait_closed()
            async def answer(reader, writer):
                writer.write(await reader.read(10))
                writer.close()
                await writer.wait_closed()
            server = await asyncio.start_server(answer, '127.0.0.1', 0)
            client = Client(Side)
            reactor.connectTCP(*server.sockets[0].getsockname(), client)
            while not client.made:
                await asyncio.sleep(0.001)
            client.made[0].transport.write(b'other way')
            await client.over
            print(notes['client'])
            server.close()
            await port.stopListening()
        start(main())
        """,
        "asyncio",
    )
    assert done.stdout.splitlines()[0] == "b'hello'"
    assert "('data', b'other way'), ('lost', 'ConnectionDone', 0)" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("loop", LOOPS)
def test_contexts(loop: str) -> None:
    """Callbacks run in copies of the context in which port or connection was asked for."""
    done = ours(
        """
        from contextvars import ContextVar
        asked = ContextVar('asked', default='nowhere')
        class Telling(Side):
            def tell(self):
                note(self.who, asked.get())
                asked.set('changed by a callback')
            def begin(self):
                self.tell()
                self.transport.write(b'x')
            def dataReceived(self, data):
                self.tell()
                if self.who == 'client':
                    self.transport.loseConnection()
            def connectionLost(self, reason):
                self.tell()
                super().connectionLost(reason)
        async def main():
            asked.set('the port')
            server, client = Server(Telling), Client(Telling)
            port = reactor.listenTCP(0, server, interface='127.0.0.1')
            asked.set('the client')
            reactor.connectTCP('127.0.0.1', port.getHost().port, client)
            asked.set('main')
            await client.over
            while len(notes['server']) < 5:
                await later(0.001)
            await port.stopListening()
            for who in ('server', 'client'):
                print(who, {each[0] for each in notes[who]} - {'made', 'data', 'lost'})
        task.react(lambda reactor: defer.ensureDeferred(main()))
        """,
        loop,
    )
    seen = done.stdout.splitlines()
    # What a callback changes, the next one of the same watch may see, never somebody else's.
    assert "'the port'" in seen[0]
    assert "'the client'" in seen[1]
    assert "main" not in done.stdout
    assert "nowhere" not in done.stdout


@pytest.mark.parametrize("loop", WATCHING)
def test_a_forked_child_leaves_connections_alone(loop: str) -> None:
    """The child has none of them, and its end does not end them for the parent."""
    done = ours(
        """
        import warnings
        warnings.simplefilter('ignore', DeprecationWarning)
        async def main():
            port, server, client, _ = await pair(Side, Side)
            child = os.fork()
            if not child:
                status = 1
                try:
                    client.transport.write(b'from the child')
                    assert not reactor._transports.open
                    import gc
                    gc.collect()
                    status = 0
                finally:
                    os._exit(status)
            print(os.waitpid(child, 0)[1])
            client.transport.write(b'still there')
            await later()
            print(notes['server'][1:])
            client.transport.loseConnection()
            await over(port, server, client)
        task.react(lambda reactor: defer.ensureDeferred(main()))
        """,
        loop,
    )
    assert done.stdout.splitlines() == ["0", "[('data', b'still there')]"]
    assert done.stderr == ""


@pytest.mark.parametrize("loop", LOOPS)
def test_references_are_dropped(loop: str) -> None:
    """A connection that has ended is kept alive by nobody, nor are its protocol and its data."""
    done = ours(
        """
        import gc, weakref
        gc.disable()
        async def main():
            port, server, client, connector = await pair(Side, Side)
            client.transport.write(b'x' * 100000)
            await later()
            seen = [weakref.ref(each) for each in (server, client)]
            seen += [weakref.ref(each.transport) for each in (server, client)]
            seen.append(weakref.ref(connector))
            client.transport.loseConnection()
            await over(port, server, client)
            notes.clear()
            port.factory.made.clear()
            connector.factory.made.clear()
            del server, client, connector
            await later(0.15)
            print([each() for each in seen])
        task.react(lambda reactor: defer.ensureDeferred(main()))
        """,
        loop,
    )
    assert done.stdout.splitlines() == ["[None, None, None, None, None]"]


@pytest.mark.parametrize("loop", LOOPS)
def test_removeAll_lists_what_reads_or_writes(loop: str) -> None:
    """A connection that is paused or aborted is none of these; the reactor ends it all the same."""
    done = ours(
        """
        async def main():
            port, server, client, _ = await pair(Side, Side)
            client.transport.pauseProducing()
            print(len(reactor.getReaders()), len(reactor.getWriters()))
            found = reactor.removeAll()
            print(port in found, server.transport in found, client.transport in found)
            print(port in reactor.getReaders())
        try:
            task.react(lambda reactor: defer.ensureDeferred(main()))
        except SystemExit:
            print(notes['client'][-1])
        """,
        loop,
    )
    readers, found, after, lost = done.stdout.splitlines()
    assert readers == "2 0"
    assert found == "True True False"
    assert after == "False"
    assert lost == "('lost', 'ConnectionLost', 0)"
