"""Many at once and the wrong moment: resets, handshakes that stall, ends within each callback."""

from __future__ import annotations

from textwrap import dedent

import pytest

from tests.oracle import LIMIT, Transcript, run
from tests.transports.programs import HEADER, LOOPS

FACTORIES = {
    "asyncio": "asyncio.new_event_loop",
    "uvloop": "uvloop.new_event_loop",
    "debug": "newLoop",
    "no add_reader": "Loop",
}
"""What makes a loop of a kind for a host, in a program that begins with `LOOPS`."""


def ours(program: str, loop: str, *parts: str, timeout: float = LIMIT) -> Transcript:
    """Run a program for twistlike on a kind of loop; it must end well."""
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    text = "\n".join(dedent(each) for each in (LOOPS[loop], HEADER, *parts, program))
    done = run(text, "twistlike", timeout=timeout)
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize("loop", LOOPS)
def test_resets_at_every_stage(loop: str) -> None:
    """Whenever the peer resets, `connectionLost` comes once, and the port goes on."""
    done = ours(
        """
        RESET = struct.pack('ii', 1, 0)
        class Busy(Side):
            def begin(self):
                if mode == 'while much is pending':
                    self.transport.write(b'x' * 4_000_000)
                if mode == 'after loseConnection':
                    self.transport.write(b'x' * 4_000_000)
                    self.transport.loseConnection()
                if mode == 'while paused':
                    self.transport.pauseProducing()
                    reactor.callLater(0.05, self.transport.resumeProducing)
            def dataReceived(self, data):
                self.transport.write(data)
        async def main():
            global mode
            server = Server(Busy)
            port = reactor.listenTCP(0, server, interface='127.0.0.1')
            for mode in ('before accept', 'after accept', 'after data', 'while much is pending',
                    'after loseConnection', 'while paused', 'after end of file'):
                peer = socket.create_connection(('127.0.0.1', port.getHost().port))
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                if mode != 'before accept':
                    while not server.made:
                        await later(0.001)
                if mode in ('after data', 'while paused'):
                    peer.sendall(b'y' * 100_000)
                if mode == 'after end of file':
                    peer.sendall(b'y')
                    peer.shutdown(socket.SHUT_WR)
                peer.close()
                while not server.made:
                    await later(0.001)
                await server.made.pop().ended
                lost = [each for each in notes['server'] if each[0] == 'lost']
                print(mode, len(lost))
                notes.clear()
            await port.stopListening()
            print(len(reactor._transports.open))
        task.react(lambda reactor: defer.ensureDeferred(main()))
        """,
        loop,
    )
    assert [line.rsplit(" ", 1)[-1] for line in done.stdout.splitlines()] == ["1"] * 7 + ["0"]
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("loop", LOOPS)
def test_thousands_of_connections_at_once(loop: str) -> None:
    """Clients of another process connect by the thousand; each is served, nothing is left."""
    done = ours(
        """
        import resource, subprocess
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        N = min(COUNT, hard - 200)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        CLIENTS = '''
        import socket, sys, resource
        resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(7)[1],) * 2)
        port, count = map(int, sys.argv[1:])
        peers = [socket.create_connection(('127.0.0.1', port), timeout=30) for _ in range(count)]
        for number, peer in enumerate(peers):
            peer.sendall(b'%d' % number)
        good = sum(peer.recv(100) == b'%d' % number for number, peer in enumerate(peers))
        print(good == count, flush=True)
        '''
        class Echo(protocol.Protocol):
            open = most = 0
            def connectionMade(self):
                Echo.open += 1
                Echo.most = max(Echo.most, Echo.open)
            def connectionLost(self, reason):
                Echo.open -= 1
            def dataReceived(self, data):
                self.transport.write(data)
        class Ended(protocol.ProcessProtocol):
            def outReceived(self, data):
                sys.stdout.write(data.decode())
            def errReceived(self, data):
                sys.stdout.write(data.decode())
            def processEnded(self, reason):
                over.callback(None)
        async def main():
            global over
            factory = protocol.Factory.forProtocol(Echo)
            port = reactor.listenTCP(0, factory, backlog=1000, interface='127.0.0.1')
            from twisted.internet import threads
            from textwrap import dedent
            text = dedent(CLIENTS)
            process = await threads.deferToThread(lambda: subprocess.run(
                [sys.executable, '-c', text, str(port.getHost().port), str(N)],
                capture_output=True, text=True))
            print((process.stdout + process.stderr).strip(), Echo.most == N)
            while Echo.open:
                await later(0.001)
            await port.stopListening()
            print(len(reactor._transports.open))
        task.react(lambda reactor: defer.ensureDeferred(main()))
        """.replace("COUNT", "10_000" if loop in ("asyncio", "uvloop") else "2_000"),
        loop,
        timeout=55,
    )
    assert done.stdout.splitlines() == ["True True", "0"]


EXITS = """
    class Exits(Side):
        def begin(self):
            self.peer = asking
        def dataReceived(self, data):
            raise RAISED
        def connectionLost(self, reason):
            print('lost', reason.type.__name__, flush=True)
    def begin():
        global asking, port
        port = reactor.listenTCP(0, Server(Exits), interface='127.0.0.1')
        asking = socket.create_connection(('127.0.0.1', port.getHost().port))
        asking.sendall(b'x')
    """


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("raised", ["SystemExit(7)", "KeyboardInterrupt()", "GeneratorExit()"])
def test_what_ends_a_program_raised_by_dataReceived(loop: str, raised: str) -> None:
    """On a loop of the reactor's own it ends the connection alone, as in Twisted."""
    done = ours(
        """
        begin()
        reactor.callLater(0.1, print, 'went on')
        reactor.callLater(0.1, reactor.stop)
        reactor.run()
        print(len(reactor._transports.open), asking.recv(10))
        asking.close()
        """,
        loop,
        EXITS.replace("RAISED", raised),
    )
    assert done.stdout.splitlines() == [f"lost {raised.partition('(')[0]}", "went on", "0 b''"]
    assert f"{raised.partition('(')[0]}" in done.stderr  # it is reported


@pytest.mark.parametrize("loop", LOOPS)
def test_SystemExit_of_dataReceived_ends_a_host(loop: str) -> None:
    """In a host's loop it ends the connection, and then the host, as with asyncio's own."""
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    program = """
        import asyncio
        async def main():
            begin()
            await asyncio.sleep(30)
        try:
            with asyncio.Runner(loop_factory=FACTORY) as runner:
                runner.run(main())
        finally:
            print(len(reactor._transports.open), asking.recv(10))
            asking.close()
        """.replace("FACTORY", FACTORIES[loop])
    parts = (LOOPS[loop], HEADER, EXITS.replace("RAISED", "SystemExit(7)"), program)
    done = run("\n".join(dedent(each) for each in parts), "twistlike")
    assert done.stdout.splitlines() == ["lost SystemExit", "0 b''"], done.stderr
    assert done.returncode == 7


@pytest.mark.parametrize("loop", LOOPS)
def test_a_port_that_is_closed_in_connectionMade(loop: str) -> None:
    """Connections of the same turn are refused or accepted, none is lost in silence."""
    done = ours(
        """
        class Last(Side):
            def begin(self):
                note('server', 'stops', port.stopListening() is not None)
                self.transport.write(b'welcome')
                self.transport.loseConnection()
        async def main():
            global port
            server = Server(Last)
            port = reactor.listenTCP(0, server, interface='127.0.0.1')
            peers = [socket.create_connection(('127.0.0.1', port.getHost().port), timeout=5)
                for _ in range(5)]
            while not server.made:
                await later(0.001)
            await later()
            for peer in peers:
                try:
                    print(peer.recv(10))
                except ConnectionResetError:
                    print('reset')
                peer.close()
            await later()
            print(len(reactor._transports.open), notes['factory of the server'])
        task.react(lambda reactor: defer.ensureDeferred(main()))
        """,
        loop,
    )
    lines = done.stdout.splitlines()
    assert lines[0] == "b'welcome'"
    assert set(lines[1:5]) <= {"b'welcome'", "reset", "b''"}
    assert lines[5] == "0 [('doStart',), ('doStop',)]"
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("loop", LOOPS)
def test_an_attempt_that_is_cancelled_at_each_stage(loop: str) -> None:
    """An endpoint's Deferred fails, the factory is not left behind, and no socket stays open."""
    done = ours(
        """
        from twisted.internet import endpoints
        import asyncio
        async def main():
            server = Server(Side)
            port = reactor.listenTCP(0, server, interface='127.0.0.1')
            full = socket.create_server(('127.0.0.1', 0), backlog=0)
            others = [socket.socket() for _ in range(3)]
            for each in others:
                each.setblocking(False)
                each.connect_ex(full.getsockname())
            ends = {
                'tcp': endpoints.TCP4ClientEndpoint(reactor, '127.0.0.1', port.getHost().port),
                'name': endpoints.HostnameEndpoint(reactor, 'localhost', port.getHost().port),
                'silent': endpoints.TCP4ClientEndpoint(reactor, *full.getsockname()),
            }
            for name, end in ends.items():
                seen = set()
                for turns in range(8):
                    answer = end.connect(protocol.Factory.forProtocol(protocol.Protocol))
                    for _ in range(turns):
                        await asyncio.sleep(0)
                    answer.cancel()
                    try:
                        made = await answer
                    except Exception as failed:
                        seen.add(type(failed).__name__)
                    else:
                        made.transport.abortConnection()
                print(name, sorted(seen))
            for _ in range(200):
                await later(0.001)
                if len(reactor._transports.open) == 1:
                    break
            await later(0.02)
            for each in (full, *others):
                each.close()
            await port.stopListening()
            print(len(reactor._transports.open), [each for each in server.made
                if each.transport.connected])
        task.react(lambda reactor: defer.ensureDeferred(main()))
        """,
        loop,
    )
    lines = done.stdout.splitlines()
    assert lines[-1] == "0 []"
    assert [line.split()[0] for line in lines[:-1]] == ["tcp", "name", "silent"]
    for line in lines[:-1]:
        assert "'ConnectingCancelledError'" in line, lines
    assert "Traceback" not in done.stderr


WHERE = [
    "buildProtocol",
    "connectionMade",
    "dataReceived",
    "connectionLost",
    "doStart",
    "startedConnecting",
    "clientConnectionLost",
    "clientConnectionFailed",
    "pauseProducing",
]


@pytest.mark.slow
@pytest.mark.parametrize("loop", LOOPS)
def test_stop_in_each_callback(loop: str) -> None:
    """`reactor.stop()` ends the program from wherever it is called, and all connections."""
    for where in WHERE:
        done = ours(
            """
            def stopIf(name):
                if name == WHERE and not notes.get('stopped'):
                    note('stopped', name)
                    if reactor.running:
                        reactor.stop()
                    else:
                        reactor.callWhenRunning(reactor.stop)
            class Both(protocol.Protocol):
                def connectionMade(self):
                    made.append(self)
                    stopIf('connectionMade')
                    self.transport.write(b'x')
                    if WHERE == 'pauseProducing':
                        self.transport.registerProducer(self, True)
                        self.transport.write(b'y' * 10_000_000)
                def dataReceived(self, data):
                    stopIf('dataReceived')
                    if WHERE in ('connectionLost', 'clientConnectionLost'):
                        self.transport.loseConnection()
                def connectionLost(self, reason):
                    lost.append(self)
                    stopIf('connectionLost')
                def pauseProducing(self):
                    stopIf('pauseProducing')
                def stopProducing(self): pass
                def resumeProducing(self): pass
            class Factory(protocol.ClientFactory):
                protocol = Both
                noisy = False
                def doStart(self):
                    stopIf('doStart')
                def startedConnecting(self, connector):
                    stopIf('startedConnecting')
                def buildProtocol(self, addr):
                    stopIf('buildProtocol')
                    return super().buildProtocol(addr)
                def clientConnectionLost(self, connector, reason):
                    stopIf('clientConnectionLost')
                def clientConnectionFailed(self, connector, reason):
                    stopIf('clientConnectionFailed')
            made, lost = [], []
            def begin():
                port = reactor.listenTCP(0, Factory(), interface='127.0.0.1')
                number = port.getHost().port
                if WHERE == 'clientConnectionFailed':
                    port.stopListening()
                reactor.connectTCP('127.0.0.1', number, Factory())
            reactor.callWhenRunning(begin)
            reactor.run()
            print(notes['stopped'], len(made) == len(lost), len(reactor._transports.open))
            """.replace("WHERE", repr(where)),
            loop,
        )
        assert done.stdout.splitlines() == [f"[('{where}',)] True 0"], (where, done.stderr)
        assert "Traceback" not in done.stderr, where


@pytest.mark.parametrize("loop", LOOPS)
def test_no_descriptor_is_left_for_asking(loop: str) -> None:
    """Each call says so by Twisted's errors, also where the module for it is not loaded yet."""
    done = ours(
        """
        import logging, resource
        from twisted.internet import endpoints, utils
        logging.disable(logging.CRITICAL)
        async def main():
            server = Server(Side)
            port = reactor.listenTCP(0, server, interface='127.0.0.1')
            number = port.getHost().port
            await later(0.001)
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
            taken = []
            try:
                while True:
                    taken.append(os.dup(0))
            except OSError:
                pass
            factory = protocol.Factory.forProtocol(protocol.Protocol)
            for host in ('127.0.0.1', 'localhost'):
                end = endpoints.clientFromString(reactor, f'tcp:{host}:{number}')
                try:
                    await end.connect(factory)
                except error.ConnectBindError as failed:
                    print('connect', failed.osError)
            for listen in (
                lambda: reactor.listenTCP(0, server, interface='127.0.0.1'),
                lambda: reactor.listenUDP(0, protocol.DatagramProtocol()),
                lambda: reactor.listenUNIX('socket', server),
            ):
                try:
                    listen()
                except error.CannotListenError as failed:
                    print('listen', failed.socketError.errno)
            for each in taken:
                os.close(each)
            end = endpoints.clientFromString(reactor, f'tcp:localhost:{number}')
            (await end.connect(factory)).transport.loseConnection()
            await port.stopListening()
            await later()
            print(len(reactor._transports.open))
        task.react(lambda reactor: defer.ensureDeferred(main()))
        """,
        loop,
    )
    assert done.stdout.splitlines() == ["connect 24"] * 2 + ["listen 24"] * 3 + ["0"]


@pytest.mark.parametrize("loop", LOOPS)
def test_whatever_is_done_in_connectionMade(loop: str) -> None:
    """Each side is told of its end once; also where the program closed the socket itself."""
    done = ours(
        """
        ACTS = [
            lambda transport: transport.abortConnection(),
            lambda transport: transport.loseConnection(),
            lambda transport: (transport.write(b'a'), transport.loseConnection(),
                transport.abortConnection()),
            lambda transport: transport.pauseProducing(),
            lambda transport: (transport.pauseProducing(), transport.loseConnection()),
            lambda transport: transport.loseWriteConnection(),
            lambda transport: (transport.stopReading(), transport.abortConnection()),
            lambda transport: transport.socket.close(),
        ]
        class Acts(Side):
            def begin(self):
                act(self.transport)
        async def main():
            global act
            for act in ACTS:
                for kinds in (Acts, Side), (Side, Acts):
                    server, client = map(lambda make, kind: make(kind), (Server, Client), kinds)
                    port = reactor.listenTCP(0, server, interface='127.0.0.1')
                    reactor.connectTCP('127.0.0.1', port.getHost().port, client)
                    while not (client.made and server.made):
                        await later(0.001)
                    await later(0.02)
                    for side in server.made + client.made:
                        if side.transport.connected:
                            side.transport.abortConnection()
                        await side.ended
                    await port.stopListening()
                    await later(0.001)
                    lost = [[each[0] for each in notes[who]].count('lost')
                        for who in ('server', 'client')]
                    print(lost, len(reactor._transports.open))
                    notes.clear()
        task.react(lambda reactor: defer.ensureDeferred(main()))
        """,
        loop,
    )
    assert done.stdout.splitlines() == ["[1, 1] 0"] * 16, done.stderr
    # There the loop itself reports that it has found the socket closed.
    assert loop == "no add_reader" or "Traceback" not in done.stderr
