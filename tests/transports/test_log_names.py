"""The `system` of what a connection's callbacks log by `twisted.python.log`."""

from __future__ import annotations

from textwrap import dedent

import pytest

from tests.oracle import run
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
