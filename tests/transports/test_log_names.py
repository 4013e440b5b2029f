"""The `system` of what a connection's callbacks log by `twisted.python.log`."""

from __future__ import annotations

from textwrap import dedent

import pytest

from tests.oracle import assertSame, run
from tests.transports.programs import LOOPS

PROGRAM = """
    import sys
    from twisted.internet import defer, protocol, reactor, task, threads
    from twisted.python import log
    seen = []
    def see(event):
        if event['message'] and str(event['message'][0]).startswith('@'):
            seen.append((event['message'][0], event['system']))
    log.addObserver(see)
    class Server(protocol.Protocol):
        def connectionMade(self):
            self.transport.write(b'x')
        def dataReceived(self, data):
            log.msg('@data')
            log.msg('@given', system='given')
            log.callWithContext({'system': 'context'}, log.msg, '@context')
        def connectionLost(self, reason):
            log.msg('@lost')
            over[0].callback(None)
    class Client(Server):
        def logPrefix(self):
            return 'named'
        def dataReceived(self, data):
            super().dataReceived(data)
            self.transport.loseConnection()
        def connectionLost(self, reason):
            log.msg('@lost')
            over[1].callback(None)
    class Factory(protocol.ClientFactory):
        noisy = False
        def clientConnectionLost(self, connector, reason):
            log.msg('@factory lost')
    async def main():
        global over
        over = [defer.Deferred(), defer.Deferred()]
        port = reactor.listenTCP(0, Factory.forProtocol(Server), interface='127.0.0.1')
        reactor.connectTCP('127.0.0.1', port.getHost().port, Factory.forProtocol(Client))
        for each in over:
            await each
        log.msg('@elsewhere')
        await port.stopListening()
        for each in sorted(seen):
            print(*each)
    """
SEEN = """
    @context context
    @context context
    @data Server,0,127.0.0.1
    @data named,client
    @elsewhere -
    @factory lost named,client
    @given given
    @given given
    @lost Server,0,127.0.0.1
    @lost named,client
    """
START = "\ntask.react(lambda reactor: defer.ensureDeferred(main()))\n"


def test_the_names_are_twisteds() -> None:
    """Twisted gives the same names, apart from what a coroutine logs that a callback resumes."""
    shown = run(dedent(PROGRAM) + START, "twisted").stdout.splitlines()
    expected = dedent(SEEN).split("\n")[1:-1]
    assert [each for each in shown if "elsewhere" not in each] == [
        each for each in expected if "elsewhere" not in each
    ]


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("outer", ["", "outer"])
def test_callbacks_log_under_their_connections_name(loop: str, outer: str) -> None:
    """Also where the port was opened under another name; what callbacks choose is kept."""
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    start = START
    if outer:
        start = START.replace("main()", "log.callWithContext({'system': 'outer'}, main)")
    done = run("\n".join([dedent(LOOPS[loop]), dedent(PROGRAM), start]), "twistlike")
    assert done.stderr == ""
    found = [each for each in done.stdout.splitlines() if "elsewhere" not in each]
    assert found == [each for each in dedent(SEEN).split("\n")[1:-1] if "elsewhere" not in each]


END = """
    from contextvars import ContextVar
    from twisted.internet import protocol, reactor
    from twisted.python import log
    place = ContextVar('place', default='nowhere')
    def see(event):
        text = event['message'][0] if event['message'] else ''
        if text.startswith('@'):
            print(text, event['system'], place.get() if SHOWS_PLACE else '')
    log.addObserver(see)
    class Server(protocol.Protocol):
        def connectionLost(self, reason):
            log.msg('@server lost')
    class Client(protocol.Protocol):
        def connectionMade(self):
            reactor.callLater(0.05, END)
        def connectionLost(self, reason):
            log.msg('@client lost')
    class Servers(protocol.ServerFactory):
        protocol = Server
        noisy = False
        def stopFactory(self):
            log.msg('@servers stopped')
    class Clients(protocol.ClientFactory):
        protocol = Client
        noisy = False
        def clientConnectionLost(self, connector, reason):
            log.msg('@clients lost')
    class Datagrams(protocol.DatagramProtocol):
        noisy = False
        def stopProtocol(self):
            log.msg('@datagrams stopped')
    def begin():
        place.set('port')
        port = reactor.listenTCP(0, Servers(), interface='127.0.0.1')
        place.set('client')
        reactor.connectTCP('127.0.0.1', port.getHost().port, Clients())
        place.set('datagrams')
        reactor.listenUDP(0, Datagrams(), interface='127.0.0.1')
        place.set('host')
    """
ENDED = [
    "@client lost Client,client client",
    "@clients lost Client,client client",
    "@datagrams stopped Datagrams (UDP) datagrams",
    "@server lost Server,0,127.0.0.1 port",
    "@servers stopped __main__.Servers port",
]


def test_the_reactors_end_is_logged_under_twisteds_names() -> None:
    """What is open when the reactor ends hears of that under its own name, as in Twisted."""
    program = dedent(END).replace("END", "reactor.stop").replace("SHOWS_PLACE", "False")
    program += "\nreactor.callWhenRunning(begin)\nreactor.run()\n"
    names = [" ".join(each.split()[:-1]) for each in ENDED]
    for which in ("twisted", "twistlike"):
        shown = run(program, which).stdout.splitlines()
        assert sorted(each.strip() for each in shown) == names, which


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_the_end_of_a_hosts_loop_is_each_connections_own(loop: str) -> None:
    """Its last callback runs under its name, and in the context in which it was asked for."""
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    program = dedent(END).replace("END", "ended.set").replace("SHOWS_PLACE", "True")
    program += dedent(
        """
        import asyncio
        async def main():
            global ended
            ended = asyncio.Event()
            begin()
            await ended.wait()
        with asyncio.Runner(loop_factory=FACTORY) as runner:
            runner.run(main())
        """
    ).replace("FACTORY", "uvloop.new_event_loop" if loop == "uvloop" else "asyncio.new_event_loop")
    done = run(("import uvloop\n" if loop == "uvloop" else "") + program, "twistlike")
    assert done.stderr == ""
    assert sorted(done.stdout.splitlines()) == ENDED


@pytest.mark.parametrize("loop", LOOPS)
def test_an_abort_is_logged_under_the_connections_name(loop: str) -> None:
    """Also when something else than the connection's own callback asks for it."""
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    program = """
        from twisted.internet import protocol, reactor
        from twisted.python import log
        import socket
        def see(event):
            if event['message'] and event['message'][0] == '@lost':
                print(event['system'])
        log.addObserver(see)
        class Server(protocol.Protocol):
            def connectionMade(self):
                reactor.callLater(0, self.transport.abortConnection)
            def connectionLost(self, reason):
                log.msg('@lost')
                reactor.stop()
        port = reactor.listenTCP(0, protocol.Factory.forProtocol(Server), interface='127.0.0.1')
        with socket.create_connection(('127.0.0.1', port.getHost().port)) as peer:
            reactor.run()
        """
    done = run("\n".join([dedent(LOOPS[loop]), dedent(program)]), "twistlike")
    assert (done.stdout, done.stderr) == ("Server,0,127.0.0.1\n", "")


def test_a_thread_does_not_log_under_a_connections_name() -> None:
    """While a callback runs, another thread's events are not this connection's."""
    done = run(
        """
        import threading
        from twisted.internet import protocol, reactor
        from twisted.python import log
        import socket
        seen = []
        log.addObserver(lambda event: seen.append((event['message'], event['system'])))
        class Waits(protocol.Protocol):
            def dataReceived(self, data):
                thread = threading.Thread(target=log.msg, args=('@thread',))
                thread.start()
                thread.join()
                reactor.stop()
            def logPrefix(self):
                return 'Waits'
        port = reactor.listenTCP(0, protocol.Factory.forProtocol(Waits), interface='127.0.0.1')
        with socket.create_connection(('127.0.0.1', port.getHost().port)) as peer:
            peer.sendall(b'x')
            reactor.run()
        print([each for each in seen if each[0] == ('@thread',)])
        """,
        "twistlike",
    )
    assert done.stdout == "[(('@thread',), '-')]\n", done.stderr


def test_a_logPrefix_that_raises_keeps_nothing_from_the_log() -> None:
    """The event is there, and says what the method raised."""
    done = run(
        """
        from twisted.internet import protocol, reactor
        from twisted.python import log
        import socket
        seen = []
        log.addObserver(lambda event: seen.append((event['message'], event['system'])))
        class Bad(protocol.Protocol):
            def dataReceived(self, data):
                log.msg('@here')
                reactor.stop()
            def logPrefix(self):
                raise ValueError
        port = reactor.listenTCP(0, protocol.Factory.forProtocol(Bad), interface='127.0.0.1')
        with socket.create_connection(('127.0.0.1', port.getHost().port)) as peer:
            peer.sendall(b'x')
            reactor.run()
        print([each for each in seen if each[0] == ('@here',)])
        """,
        "twistlike",
    )
    assert done.stdout == "[(('@here',), '(logPrefix raised ValueError),0,127.0.0.1')]\n" or (
        done.stdout == "[(('@here',), '(logPrefix raised ValueError)')]\n"
    ), done.stdout + done.stderr


def test_ports_say_what_they_begin_as_in_Twisted() -> None:
    """A port's name is its factory's class; its beginning is logged under the factory's name."""
    done = assertSame(
        """
        import os, re, sys, tempfile
        from twisted.internet import protocol, reactor
        from twisted.python import log
        os.chdir(tempfile.mkdtemp())
        log.addObserver(
            lambda event: event['message'] and print(re.sub('[0-9]+', 'N', event['message'][0]))
        )
        class Quiet(protocol.ServerFactory):
            noisy = False
        class Named(Quiet):
            def logPrefix(self):
                return 'the name'
        class Datagrams(protocol.DatagramProtocol):
            noisy = False
            def logPrefix(self):
                return 'datagrams'
        ports = [
            reactor.listenTCP(0, Quiet()),
            reactor.listenTCP(0, Named()),
            reactor.listenUNIX('path', Named()),
            reactor.listenUDP(0, Datagrams()),
        ]
        for each in ports:
            print(each.logPrefix())
        def stop():
            for each in ports:
                each.stopListening()
            reactor.callLater(0.01, reactor.stop)
        reactor.callWhenRunning(stop)
        reactor.run()
        """
    )
    assert "the name starting on 'path'" in done.stdout


@pytest.mark.parametrize("loop", LOOPS)
def test_child_processes_log_under_their_protocols_name(loop: str) -> None:
    """Each callback does, and so does a protocol's of the standard input; else it is `-`."""
    if loop == "no add_reader":
        pytest.skip("such a loop cannot watch pipes")
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    program = """
        import os, sys
        from twisted.internet import protocol, reactor, stdio
        from twisted.python import log
        seen = []
        def see(event):
            if event['message'] and str(event['message'][0]).startswith('@'):
                seen.append((event['message'][0], event['system']))
        log.addObserver(see)
        class Child(protocol.ProcessProtocol):
            def connectionMade(self):
                log.msg('@made')
                self.transport.registerProducer(self, True)
                self.transport.write(b'x' * 300000)
            def pauseProducing(self):
                log.msg('@paused')
            def resumeProducing(self):
                log.msg('@resumed')
                self.transport.unregisterProducer()
                self.transport.closeStdin()
            def childDataReceived(self, number, data):
                log.msg('@data')
                log.callWithContext({'system': 'context'}, log.msg, '@context')
            def childConnectionLost(self, number):
                log.msg('@lost')
            def processExited(self, reason):
                log.msg('@exited')
            def processEnded(self, reason):
                log.msg('@ended')
                os.write(writing, b'x')
                os.close(writing)
        class Named(protocol.Protocol):
            def logPrefix(self):
                return 'named'
            def dataReceived(self, data):
                log.msg('@input')
            def connectionLost(self, reason):
                log.msg('@closed')
                reactor.callLater(0, reactor.stop)
        reading, writing = os.pipe()
        def begin():
            stdio.StandardIO(Named(), reading, os.open(os.devnull, os.O_WRONLY))
            child = 'import sys; print(len(sys.stdin.read()), flush=True); sys.stdout.close()'
            args = [sys.executable, '-c', child]
            log.callWithContext({'system': 'outer'}, reactor.spawnProcess, Child(), args[0], args)
            log.msg('@elsewhere')
        reactor.callWhenRunning(begin)
        reactor.run()
        for each in sorted(set(seen)):
            print(*each)
        """
    done = run("\n".join([dedent(LOOPS[loop]), dedent(program)]), "twistlike")
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "@closed named",
        "@context context",
        "@data Child",
        "@elsewhere -",
        "@ended Child",
        "@exited Child",
        "@input named",
        "@lost Child",
        "@made Child",
        "@paused Child",
        "@resumed Child",
    ]


def test_a_process_protocols_logPrefix_that_raises_keeps_nothing_from_the_log() -> None:
    """The event is there, and says what the method raised."""
    done = run(
        """
        import sys
        from twisted.internet import protocol, reactor
        from twisted.python import log
        log.addObserver(lambda event: event['message'] and print(event['message'], event['system']))
        class Bad(protocol.ProcessProtocol):
            def processEnded(self, reason):
                log.msg('@here')
                reactor.stop()
            def logPrefix(self):
                raise ValueError
        args = [sys.executable, '-c', '']
        reactor.callWhenRunning(reactor.spawnProcess, Bad(), args[0], args)
        reactor.run()
        """,
        "twistlike",
    )
    assert "('@here',) (logPrefix raised ValueError)\n" in done.stdout, done.stdout + done.stderr
