"""Bad days: each in a process of its own, on each kind of loop, and nobody else is harmed."""

from __future__ import annotations

from textwrap import dedent

import pytest

from tests.oracle import LIMIT, Transcript, run
from tests.transports.programs import HEADER, LOOPS

WATCHING = ["asyncio", "uvloop", "debug"]


def ours(program: str, loop: str, *, timeout: float = LIMIT) -> Transcript:
    """Run a program for twistlike on a kind of loop; it must end well."""
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    text = "\n".join([dedent(LOOPS[loop]), dedent(HEADER), dedent(program)])
    done = run(text, "twistlike", timeout=timeout)
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize("loop", WATCHING)
def test_no_descriptor_is_left_for_accept(loop: str) -> None:
    """Connections that cannot be had are closed at once and told of once; others go on."""
    done = ours(
        """
        import resource
        class Echo(Side):
            def dataReceived(self, data):
                self.transport.write(data)
        async def main():
            server = Server(Echo)
            port = reactor.listenTCP(0, server, interface='127.0.0.1')
            sockets = [socket.socket() for _ in range(5)]
            for each in sockets:
                each.settimeout(5)
            sockets[0].connect(('127.0.0.1', port.getHost().port))
            while not server.made:
                await later(0.001)
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            taken = []
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
            try:
                while True:
                    taken.append(os.dup(0))
            except OSError:
                pass
            for each in sockets[1:4]:
                each.setblocking(False)
                each.connect_ex(('127.0.0.1', port.getHost().port))
            await later(0.1)
            sockets[0].sendall(b'alive')
            await later()
            print(sockets[0].recv(10), [each.recv(10) for each in sockets[1:4]])
            for each in taken:
                os.close(each)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            sockets[4].connect(('127.0.0.1', port.getHost().port))
            sockets[4].sendall(b'again')
            await later()
            print(sockets[4].recv(10))
            for each in sockets:
                each.close()
            await later()
            await port.stopListening()
        import logging
        logging.basicConfig(format='%(levelname)s %(message).40s', stream=sys.stdout)
        task.react(lambda reactor: defer.ensureDeferred(main()))
        """,
        loop,
    )
    told = [line for line in done.stdout.splitlines() if "cannot accept" in line]
    assert [line for line in done.stdout.splitlines() if line not in told] == [
        "b'alive' [b'', b'', b'']",
        "b'again'",
    ]
    assert len(told) == 1


@pytest.mark.parametrize("loop", LOOPS)
def test_a_peer_that_never_reads(loop: str) -> None:
    """A producer is paused, so that memory stays bounded; aborting drops what is buffered."""
    done = ours(
        """
        class Producer(Side):
            written = 0
            paused = False
            def begin(self):
                self.transport.registerProducer(self, True)
                self.resumeProducing()
            def resumeProducing(self):
                self.paused = False
                while not self.paused and self.written < 10**9:
                    self.transport.write(b'x' * 50000)
                    self.written += 50000
            def pauseProducing(self):
                self.paused = True
            def stopProducing(self):
                print('stopped')
        async def main():
            server = Server(Producer)
            port = reactor.listenTCP(0, server, interface='127.0.0.1')
            with socket.create_connection(('127.0.0.1', port.getHost().port)):
                while not server.made:
                    await later(0.001)
                await later(0.1)
                print(server.made[0].paused, server.made[0].written < 50_000_000)
                server.made[0].transport.abortConnection()
                await server.made[0].ended
            await port.stopListening()
        task.react(lambda reactor: defer.ensureDeferred(main()))
        """,
        loop,
    )
    assert done.stdout.splitlines() == ["True True", "stopped"]


@pytest.mark.parametrize("loop", LOOPS)
def test_writing_from_another_thread_is_refused_by_name(loop: str) -> None:
    """What changes a connection raises WrongThreadError; callFromThread is the way."""
    done = ours(
        """
        from twisted.internet import threads
        CALLS = [
            ('write', b'x'), ('writeSequence', [b'x']), ('loseConnection',), ('abortConnection',),
            ('loseWriteConnection',), ('pauseProducing',), ('resumeProducing',),
            ('registerProducer', None, True), ('unregisterProducer',), ('stopReading',),
            ('startWriting',),
        ]
        async def main():
            port, server, client, connector = await pair(Side, Side)
            def elsewhere():
                for name, *args in CALLS:
                    try:
                        getattr(client.transport, name)(*args)
                    except error.WrongThreadError as refused:
                        assert f'transport.{name.replace("Sequence", "")}' in str(refused), refused
                        assert 'callFromThread' in str(refused)
                    else:
                        print(name, 'was not refused')
                for function, *args in (
                    (port.stopListening,), (connector.disconnect,), (connector.connect,),
                    (reactor.listenTCP, 0, None), (reactor.connectTCP, 'localhost', 1, None),
                    (reactor.listenUNIX, 'x', None), (reactor.connectUNIX, 'x', None),
                    (reactor.adoptStreamPort, 0, 0, None),
                ):
                    try:
                        function(*args)
                    except error.WrongThreadError as refused:
                        assert function.__name__ in str(refused), refused
                    else:
                        print(function, 'was not refused')
                reactor.callFromThread(client.transport.write, b'from a thread')
            await threads.deferToThread(elsewhere)
            await later()
            print(notes['server'][-1])
            client.transport.loseConnection()
            await over(port, server, client)
        task.react(lambda reactor: defer.ensureDeferred(main()))
        """,
        loop,
    )
    assert done.stdout.splitlines() == ["('data', b'from a thread')"]


@pytest.mark.parametrize("loop", LOOPS)
def test_the_policy_warn_hands_over(loop: str) -> None:
    """With wrongThread = "warn" such a call is warned of, and made in the loop's thread."""
    done = ours(
        """
        import warnings
        from twisted.internet import threads
        warnings.simplefilter('ignore')
        reactor.wrongThread = 'warn'
        async def main():
            port, server, client, _ = await pair(Side, Side)
            await threads.deferToThread(client.transport.write, b'handed over')
            await threads.deferToThread(client.transport.loseConnection)
            await over(port, server, client)
            print(notes['server'])
        task.react(lambda reactor: defer.ensureDeferred(main()))
        """,
        loop,
    )
    assert "handed over" in done.stdout


@pytest.mark.parametrize("loop", LOOPS)
def test_a_coroutine_function_as_dataReceived(loop: str) -> None:
    """It would never run: the connection is lost, and the report says what to do."""
    done = ours(
        """
        class Wrong(Side):
            async def dataReceived(self, data):
                print('never')
        async def main():
            port, server, client, _ = await pair(Wrong, Side)
            client.transport.write(b'x')
            await over(port, server, client)
            print(notes['server'][-1])
        task.react(lambda reactor: defer.ensureDeferred(main()))
        """,
        loop,
    )
    assert done.stdout.splitlines() == ["('lost', 'TypeError', 0)"]
    assert "is a coroutine function" in done.stderr


@pytest.mark.parametrize("loop", LOOPS)
def test_what_raises_is_reported_and_ends_its_own_connection_alone(loop: str) -> None:
    """Errors of connectionMade, buildProtocol, connectionLost, the factory's: the port goes on."""
    done = ours(
        """
        class Raiser(Side):
            def connectionMade(self):
                if mode == 'made':
                    raise ValueError('in connectionMade')
                super().connectionMade()
            def connectionLost(self, reason):
                if mode == 'lost':
                    raise ValueError('in connectionLost')
        class Factory(Server):
            def buildProtocol(self, addr):
                if mode == 'build':
                    raise ValueError('in buildProtocol')
                return super().buildProtocol(addr)
        async def main():
            global mode
            port = reactor.listenTCP(0, Factory(Raiser), interface='127.0.0.1')
            for mode in ('made', 'build', 'lost', 'none'):
                with socket.create_connection(('127.0.0.1', port.getHost().port)) as peer:
                    peer.setblocking(False)
                    await later()
                    try:
                        print(mode, peer.recv(10))
                    except BlockingIOError:
                        print(mode, 'open')
                    except ConnectionResetError:
                        print(mode, 'reset')
                await later()
            await port.stopListening()
        task.react(lambda reactor: defer.ensureDeferred(main()))
        """,
        loop,
    )
    assert done.stdout.splitlines() == ["made b''", "build b''", "lost open", "none open"]
    for each in ("connectionMade", "buildProtocol", "connectionLost"):
        assert f"ValueError: in {each}" in done.stderr
    for each in ("connectionMade", "connectionLost"):
        assert f"a call to __main__.Raiser.{each} (" in done.stderr  # not to our own one


def test_what_connectionMade_of_a_wrapped_protocol_or_a_process_raises_names_it() -> None:
    """The user's method is named, not `makeConnection` of ours; a broken repr is no error more."""
    done = ours(
        """
        import sys
        from twistlike.protocols.policies import WrappingFactory
        class Raiser(protocol.Protocol):
            def connectionMade(self):
                raise ValueError('inner')
        class Own(protocol.Protocol):
            def makeConnection(self, transport):
                raise ValueError('own')
        class Child(protocol.ProcessProtocol):
            ended = None
            def __repr__(self):
                raise ValueError('repr')
            def connectionMade(self):
                raise ValueError('child')
            def processEnded(self, reason):
                self.ended.callback(None)
        async def main():
            for made in (Raiser, Own):
                factory = WrappingFactory(protocol.Factory.forProtocol(made))
                port = reactor.listenTCP(0, factory, interface='127.0.0.1')
                with socket.create_connection(('127.0.0.1', port.getHost().port)) as peer:
                    peer.setblocking(False)
                    await later()
                    print(peer.recv(10))
                await port.stopListening()
            child = Child()
            child.ended = defer.Deferred()
            reactor.spawnProcess(child, sys.executable, [sys.executable, '-c', ''], env={})
            await child.ended
            print('ended')
        task.react(lambda reactor: defer.ensureDeferred(main()))
        """,
        "asyncio",
    )
    assert done.stdout.splitlines() == ["b''", "b''", "ended"]
    assert "a call to __main__.Raiser.connectionMade (" in done.stderr
    assert "a call to __main__.Own.makeConnection (" in done.stderr
    assert "connectionMade of the protocol <Child instance at" in done.stderr
    for each in ("inner", "own", "child"):
        assert f"\nValueError: {each}\n" in done.stderr


@pytest.mark.parametrize("loop", LOOPS)
def test_many_connections(loop: str) -> None:
    """1,200 connections at once are served, and nothing of them is left."""
    done = ours(
        """
        import resource
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        N = 1200
        class Echo(protocol.Protocol):
            def dataReceived(self, data):
                self.transport.write(data)
                self.transport.loseConnection()
        class Asker(protocol.Protocol):
            got = b''
            def connectionMade(self):
                asking.append(self)
            def dataReceived(self, data):
                self.got += data
            def connectionLost(self, reason):
                answered.append(self.got)
        class Factory(protocol.ClientFactory):
            noisy = False
        asking, answered = [], []
        async def main():
            factory = protocol.Factory.forProtocol(Echo)
            port = reactor.listenTCP(0, factory, backlog=N, interface='127.0.0.1')
            for _ in range(N):
                reactor.connectTCP('127.0.0.1', port.getHost().port, Factory.forProtocol(Asker))
            while len(asking) < N:
                await later(0.001)
            for number, each in enumerate(asking):
                each.transport.write(b'%d' % number)
            while len(answered) < N:
                await later(0.001)
            print(sorted(map(int, answered)) == list(range(N)))
            await later()
            await port.stopListening()
            print(len(reactor._transports.open))
        task.react(lambda reactor: defer.ensureDeferred(main()))
        """,
        loop,
        timeout=LIMIT,
    )
    assert done.stdout.splitlines() == ["True", "0"]


@pytest.mark.parametrize("loop", WATCHING)
def test_descriptors_through_a_UNIX_socket(loop: str) -> None:
    """Each goes with a byte; a protocol that takes none has them closed, and is told of."""
    done = ours(
        """
        @implementer(interfaces.IFileDescriptorReceiver)
        class Taker(Side):
            def fileDescriptorReceived(self, number):
                note('server', 'descriptor', os.read(number, 10))
                os.close(number)
        class Ignorer(Side):
            pass
        async def main():
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, 'socket')
                for kind in (Taker, Ignorer):
                    server, client = Server(kind), Client(Side)
                    port = reactor.listenUNIX(path, server)
                    reactor.connectUNIX(path, client)
                    while not client.made or not server.made:
                        await later(0.001)
                    read, write = os.pipe()
                    os.write(write, b'through')
                    transport = client.made[0].transport
                    transport.sendFileDescriptor(read)
                    transport.write(b'x')
                    os.close(read)
                    await later()
                    os.close(write)
                    print(*notes['server'][1:])
                    notes.clear()
                    transport.sendFileDescriptor(0)
                    await client.made[0].ended
                    print(*notes['client'])
                    await later()
                    await port.stopListening()
                    notes.clear()
        import logging
        logging.basicConfig(format='%(levelname)s %(message).40s', stream=sys.stdout)
        task.react(lambda reactor: defer.ensureDeferred(main()))
        """,
        loop,
    )
    told = [line for line in done.stdout.splitlines() if line.startswith("WARNING Ignorer")]
    assert [line for line in done.stdout.splitlines() if line not in told] == [
        "('descriptor', b'through') ('data', b'x')",
        "('lost', 'FileDescriptorOverrun', 0)",
        "('data', b'x')",
        "('lost', 'FileDescriptorOverrun', 0)",
    ]
    assert len(told) == 1


@pytest.mark.parametrize("loop", LOOPS)
def test_adopted_sockets(loop: str) -> None:
    """A port and a connection of somebody else's are taken over by descriptors of our own."""
    done = ours(
        """
        async def main():
            listening = socket.create_server(('127.0.0.1', 0))
            server = Server(Side)
            port = reactor.adoptStreamPort(listening.fileno(), socket.AF_INET, server)
            print(port.getHost().port == listening.getsockname()[1])
            one = socket.create_connection(listening.getsockname())
            while not server.made:
                await later(0.001)
            await port.stopListening()
            two = socket.create_connection(listening.getsockname())  # it listens on
            accepted, _ = listening.accept()
            other = Server(Side)
            reactor.adoptStreamConnection(accepted.fileno(), socket.AF_INET, other)
            accepted.close()
            while not other.made:
                await later(0.001)
            two.sendall(b'adopted')
            await later()
            print(notes['server'][-1])
            for each in (one, two, listening):
                each.close()
            await server.made[0].ended
            await other.made[0].ended
            try:
                reactor.adoptStreamPort(0, 12345, server)
            except error.UnsupportedAddressFamily as refused:
                print(refused)
        task.react(lambda reactor: defer.ensureDeferred(main()))
        """,
        loop,
    )
    assert done.stdout.splitlines() == [
        "True",
        "('data', b'adopted')",
        "a port cannot be of the address family 12345",
    ]


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("raised", ["ValueError", "SystemExit", "KeyboardInterrupt"])
def test_a_factory_whose_end_raises(loop: str, raised: str) -> None:
    """Whoever waits for the port's end goes on; what ends a program is reported in run mode."""
    done = ours(
        """
        import logging
        logging.basicConfig(format='%(levelname)s', stream=sys.stdout)
        class Ends(protocol.ServerFactory):
            noisy = False
            def stopFactory(self):
                raise RAISED('at the end')
        class Datagrams(protocol.DatagramProtocol):
            noisy = False
            def stopProtocol(self):
                raise RAISED('at the end')
        async def main():
            for port in (
                reactor.listenTCP(0, Ends(), interface='127.0.0.1'),
                reactor.listenUDP(0, Datagrams(), interface='127.0.0.1'),
            ):
                both = port.stopListening(), port.stopListening()
                for each in both:
                    try:
                        await each
                        print('closed')
                    except RAISED as error:
                        print(error)
            print(len(reactor._transports.open))
        def begin():
            defer.ensureDeferred(main()).addBoth(lambda result: reactor.stop())
        reactor.callWhenRunning(begin)
        reactor.run()
        """.replace("RAISED", raised),
        loop,
    )
    told = ["at the end", "closed"] if raised == "ValueError" else ["ERROR", "closed", "closed"]
    shown = [each for each in done.stdout.splitlines() if each in (*told, "0")]
    assert sorted(shown) == sorted([*told, *told, "0"]), done.stdout + done.stderr


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("raised", ["ValueError", "SystemExit", "KeyboardInterrupt"])
def test_a_clientConnectionFailed_that_raises(loop: str, raised: str) -> None:
    """It is reported, also what ends a program, and the reactor runs on; a host is ended."""
    program = """
        import logging
        logging.basicConfig(format='%(levelname)s', stream=sys.stdout)
        with socket.create_server(('127.0.0.1', 0)) as free:
            number = free.getsockname()[1]
        class Fails(protocol.ClientFactory):
            noisy = False
            def stopFactory(self):
                print('stopped')
            def clientConnectionFailed(self, connector, reason):
                print('failed', reason.type.__name__)
                raise RAISED
        """.replace("RAISED", raised)
    begin = "reactor.connectTCP('127.0.0.1', number, Fails())"
    run = f"""
        def begin():
            {begin}
            reactor.callLater(0.05, print, 'runs')
            reactor.callLater(0.05, reactor.stop)
        reactor.callWhenRunning(begin)
        reactor.run()
        """
    done = ours(dedent(program) + dedent(run), loop)
    shown = done.stdout.splitlines()
    assert shown[:2] == ["failed ConnectionRefusedError", "stopped"]
    assert shown[-1] == "runs"
    assert "ERROR" in shown, done.stderr
    if loop in ("asyncio", "debug") and raised != "ValueError":
        host = f"""
            import asyncio
            async def main():
                {begin}
                await asyncio.sleep(10)
            try:
                asyncio.run(main())
            except {raised}:
                print('ended')
            """
        done = ours(dedent(program) + dedent(host), loop)
        assert done.stdout.splitlines()[-1] == "ended", done.stdout + done.stderr


@pytest.mark.parametrize("loop", LOOPS)
def test_a_connection_that_ends_when_all_is_sent_ends_once(loop: str) -> None:
    """The peer reads late what a producer has left behind: nothing is lost, nothing reported."""
    done = ours(
        """
        from twisted.internet import threads
        class Produces(Side):
            written = 0
            def begin(self):
                self.transport.registerProducer(self, True)
                self.resumeProducing()
            def pauseProducing(self):
                self.paused = True
            def resumeProducing(self):
                self.paused = False
                while not self.paused:
                    self.transport.write(b'x' * 65536)
                    self.written += 65536
            def stopProducing(self):
                pass
        def readAll(peer):
            count = 0
            while data := peer.recv(65536):
                count += len(data)
            return count
        async def main():
            server = Server(Produces)
            port = reactor.listenTCP(0, server, interface='127.0.0.1')
            with socket.create_connection(('127.0.0.1', port.getHost().port)) as peer:
                while not server.made:
                    await later(0.001)
                await later(0.05)  # until the system's buffers are full
                side, = server.made
                side.transport.unregisterProducer()
                side.transport.loseConnection()
                print(await threads.deferToThread(readAll, peer) == side.written)
                await side.ended
            print(notes['server'][-1])
            await port.stopListening()
        task.react(lambda reactor: defer.ensureDeferred(main()))
        """,
        loop,
    )
    assert done.stdout == "True\n('lost', 'ConnectionDone', 0)\n"
    assert done.stderr == ""


@pytest.mark.parametrize("loop", LOOPS)
def test_what_is_asked_for_after_the_end(loop: str) -> None:
    """What a connection cannot do any more is refused with the reason, the rest does nothing."""
    done = ours(
        """
        async def main():
            server, client = Server(Side), Client(Side)
            port = reactor.listenTCP(0, server, interface='127.0.0.1')
            reactor.connectTCP('127.0.0.1', port.getHost().port, client)
            while not (client.made and server.made):
                await later(0.001)
            client.made[0].transport.loseConnection()
            for each in client.made + server.made:
                await each.ended
            await port.stopListening()
            for side in client.made + server.made:
                transport = side.transport
                for name in ('loseConnection', 'abortConnection', 'loseWriteConnection',
                        'pauseProducing', 'resumeProducing', 'stopProducing', 'startReading',
                        'stopReading', 'startWriting', 'stopWriting', 'unregisterProducer'):
                    assert getattr(transport, name)() is None, name
                transport.write(b'lost')
                transport.writeSequence([b'lost'])
                for name, args in dict(getHandle=(), getTcpNoDelay=(), setTcpNoDelay=(True,),
                        getTcpKeepAlive=(), setTcpKeepAlive=(True,), getHost=()).items():
                    try:
                        getattr(transport, name)(*args)
                    except AttributeError as error:
                        assert 'has ended' in str(error), error
                assert transport.fileno() == -1
                assert transport.logPrefix().startswith('Uninitialized'), transport.logPrefix()
                try:
                    transport.soket
                except AttributeError as error:
                    print(error)
        task.react(lambda reactor: defer.ensureDeferred(main()))
        """,
        loop,
    )
    assert done.stdout.splitlines() == [
        "'Client' object has no attribute 'soket'",
        "'Server' object has no attribute 'soket'",
    ]
    assert done.stderr == ""
