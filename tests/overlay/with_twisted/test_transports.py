"""TCP connections on the overlay are ours, and what knows Twisted's finds what it looks for."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.oracle import runPython
from tests.overlay.with_twisted.programs import QUIET, inHost, inRun, onEachLoop
from tests.overlay.with_twisted.servers import makeCertificate

PAIR = """
    from twisted.internet import defer, endpoints, protocol, reactor, task, tcp
    from twisted.internet.protocol import Factory, Protocol

    class Echo(Protocol):
        def connectionMade(self):
            self.factory.made.append(self.transport)
        def dataReceived(self, data):
            self.transport.write(data.upper())

    class Ask(Protocol):
        def connectionMade(self):
            self.answered = defer.Deferred()
            self.transport.write(b"hello")
        def dataReceived(self, data):
            self.answered.callback(data)

    async def pair(**bound):
        factory = Factory.forProtocol(Echo)
        factory.made = []
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        end = endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port, **bound)
        return port, factory, await endpoints.connectProtocol(end, Ask())
"""


@onEachLoop
def test_the_four_classes_take_ours_for_theirs(loop: str) -> None:
    """`isinstance` of Twisted's classes holds for our transports, in both modes."""
    program = (
        PAIR
        + """
    import abc
    from unittest import mock

    class Mine(tcp.Port, abc.ABC):
        pass

    async def main(*args):
        assert isinstance(mock.Mock(spec=tcp.Server), tcp.Server)
        assert not isinstance(mock.Mock(), tcp.Server) and not issubclass(tcp.Port, tcp.Server)
        port, factory, client = await pair()
        print(await client.answered)
        server = factory.made[0]
        print(isinstance(port, tcp.Port), isinstance(server, tcp.Server))
        print(isinstance(client.transport, tcp.Client), isinstance(client.transport, tcp.Server))
        print(type(port).__module__, isinstance(port, Mine), issubclass(Mine, tcp.Port))
        ended = await port.stopListening()
        own = Mine(0, factory, interface="127.0.0.1", reactor=reactor)
        own.startListening()
        print(isinstance(own, Mine), isinstance(own, tcp.Port), type(own).__bases__[0].__module__)
        await own.stopListening()
        client.transport.loseConnection()
    """
    )
    shown = (
        "b'HELLO'\nTrue True\nTrue False\ntwistlike.internet.tcp False True\n"
        "True True twisted.internet.tcp\n"
    )
    ends = "\n    task.react(lambda reactor: defer.ensureDeferred(main()))\n"
    assert inRun(program + ends, loop) == shown
    assert inHost(program + "\n    runHost(main)\n    runHost(main)\n", loop) == shown * 2


@onEachLoop
def test_twisteds_log_tells_of_ports_and_on_whose_behalf_a_protocol_logs(loop: str) -> None:
    """A port's start and end are events of Twisted's log; a protocol's `msg` has its `system`."""
    program = (
        PAIR
        + """
    from twisted.python import log
    seen = []
    log.addObserver(lambda event: seen.append((event["system"], *event["message"])))

    class Tells(Echo):
        def dataReceived(self, data):
            log.msg("got it")
            log.callWithContext({"system": "mine"}, log.msg, "and more")
            super().dataReceived(data)

    async def main(reactor):
        global Echo
        Echo = Tells
        port, factory, client = await pair()
        number = port.getHost().port
        await client.answered
        log.msg("for the client")
        await task.deferLater(reactor, 0, lambda: None)
        log.msg("outside")
        await port.stopListening()
        for system, *message in seen:
            if message and "factory" not in message[0]:
                print(system, *[each.replace(str(number), "N") for each in message])

    task.react(lambda reactor: defer.ensureDeferred(main(reactor)))
    """
    )
    assert inRun(program, loop).splitlines()[:6] == [
        "- Factory starting on N",
        "Tells,0,127.0.0.1 got it",
        "mine and more",
        "Ask,client for the client",
        "- outside",
        "- (TCP Port N Closed)",
    ]


def test_bindings_of_twisteds() -> None:
    """What `tcp.makeBinding` returns says where a port listens, and where a client comes from."""
    program = (
        PAIR
        + """
    async def main(reactor):
        port, factory, client = await pair(bindAddress=tcp.makeBinding("127.0.0.1"))
        await client.answered
        print(client.transport.getHost().host)
        second = reactor.listenTCP(tcp.makeBinding("127.0.0.1", 0, reusePort=True), factory)
        print(second.getHost().host, second.getHost().port > 0)
        await second.stopListening()
        await port.stopListening()

    task.react(lambda reactor: defer.ensureDeferred(main(reactor)))
    """
    )
    assert inRun(program, "asyncio") == "127.0.0.1\n127.0.0.1 True\n"


START_TLS = """
    import sys
    from twisted.internet import defer, endpoints, interfaces, protocol, reactor, ssl, task
    from twisted.protocols import amp, basic

    with open(sys.argv[1], "rb") as file:
        certificate = ssl.PrivateCertificate.loadPEM(file.read())

    class Server(basic.LineReceiver):
        def lineReceived(self, line):
            if line == b"STARTTLS":
                self.sendLine(b"go")
                self.transport.startTLS(certificate.options())
            else:
                self.sendLine(line.upper())

    class Client(basic.LineReceiver):
        def connectionMade(self):
            self.done = defer.Deferred()
            self.sendLine(b"STARTTLS")
        def lineReceived(self, line):
            transport = self.transport
            if line == b"go":
                transport.startTLS(ssl.optionsForClientTLS("localhost", certificate))
                self.sendLine(b"secret")
            else:
                kind = type(transport.getPeerCertificate())
                print(line, kind.__module__, interfaces.ISSLTransport.providedBy(transport))
                transport.loseConnection()
        def connectionLost(self, reason):
            print(reason.type.__name__, vars(self.transport).get("write"))
            self.done.callback(None)

    class Sum(amp.Command):
        arguments = [(b"a", amp.Integer())]
        response = [(b"total", amp.Integer())]

    class Adds(amp.AMP):
        @amp.StartTLS.responder
        def tls(self):
            return {"tls_localCertificate": certificate}

        @Sum.responder
        def sum(self, a):
            return {"total": a + 1}

    async def over(server, client):
        port = reactor.listenTCP(0, protocol.Factory.forProtocol(server), interface="127.0.0.1")
        end = endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
        return port, await endpoints.connectProtocol(end, client)

    async def main(*args):
        port, client = await over(Server, Client())
        await client.done
        await port.stopListening()
        port, client = await over(Adds, amp.AMP())
        await client.callRemote(amp.StartTLS, tls_verifyAuthorities=[certificate])
        print((await client.callRemote(Sum, a=2))["total"], client.peerCertificate == certificate)
        client.transport.loseConnection()
        await port.stopListening()

    task.react(lambda reactor: defer.ensureDeferred(main()))
"""


@onEachLoop
def test_tls_that_begins_later_is_twisteds(loop: str, tmp_path: Path) -> None:
    """`startTLS` speaks TLS by pyOpenSSL: contexts, certificates and AMP's command are its own."""
    file = makeCertificate(tmp_path)
    shown = "b'SECRET' OpenSSL.crypto True\nConnectionDone None\n3 True\n"
    assert inRun(START_TLS, loop, str(file)) == shown


AMP_IN_TASKS = """
    import asyncio
    from twisted.internet import defer, endpoints, protocol, reactor
    from twisted.protocols import amp

    class Check(amp.Command):
        errors = {ValueError: b"BAD"}

    class Checks(amp.AMP):
        @Check.responder
        def check(self):
            raise ValueError("refused")

    async def main():
        port = reactor.listenTCP(0, protocol.Factory.forProtocol(Checks), interface="127.0.0.1")
        end = endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
        client = await endpoints.connectProtocol(end, amp.AMP())

        async def ask():
            await client.callRemote(Check)

        for _ in range(2):
            for wait in (
                lambda: defer.ensureDeferred(ask()),
                lambda: client.callRemote(Check).asFuture(asyncio.get_running_loop()),
                lambda: client.callRemote(Check),
            ):
                try:
                    await wait()
                except ValueError as error:
                    print(error)
        client.transport.loseConnection()
        await port.stopListening()

    asyncio.run(main())
"""


def test_amps_errors_in_a_hosts_task() -> None:
    """An error that a task gets leaves the connection open for the next call."""
    assert inRun(AMP_IN_TASKS, "asyncio") == "refused\n" * 6


def test_deprecations_in_twisteds_words() -> None:
    """What is deprecated in Twisted warns as it does there, so that filters find it."""
    program = """
        import warnings
        from twisted.internet import defer, task
        from twisted.python.threadpool import ThreadPool
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            defer.Deferred().callbacks
            task.LoopingCall(print).deferred
            ThreadPool.currentThread()
            try:
                defer.returnValue(1)
            except BaseException:
                pass
        for each in seen:
            print(each.category.__name__, each.message, each.filename.endswith("program.py"))
    """
    lines = inRun(program, "asyncio").splitlines()
    named = ["Deferred.callbacks", "LoopingCall.deferred", "current_thread", "returnValue"]
    assert len(lines) == len(named)
    for line, name in zip(lines, named, strict=True):
        assert f"{name} was deprecated in Twisted 2" in line or "in Twisted 16" in line
        assert line.startswith("DeprecationWarning ")
        assert line.endswith(" True")


@onEachLoop
def test_run_until_current_runs_what_is_due(loop: str) -> None:
    """`runUntilCurrent` runs due timers of a reactor that has not been started, and returns."""
    program = """
        from twisted.internet import reactor
        reactor.callLater(0, print, "due")
        reactor.callLater(60, print, "later")
        reactor.runUntilCurrent()
        print(reactor.running)
    """
    assert inRun(program, loop) == "due\nFalse\n"


@onEachLoop
def test_a_reactor_in_a_greenlet(loop: str) -> None:
    """The reactor runs in one greenlet while others wait for its Deferreds, and ends in order."""
    pytest.importorskip("greenlet")
    program = """
        import asyncio
        import greenlet
        from twisted.internet import defer, reactor, task, threads

        main = greenlet.getcurrent()
        runs = greenlet.greenlet(reactor.run)

        def wait(deferred):
            done = []
            def goOn(result):
                done.append(result)
                if greenlet.getcurrent() is not main:
                    main.switch()
            deferred.addBoth(goOn)
            if not done:
                runs.switch()
            return done[0]

        async def coroutine():
            await asyncio.sleep(0.001)
            return "coroutine"

        reactor.callWhenRunning(main.switch)
        runs.switch()
        print(reactor.running, wait(task.deferLater(reactor, 0.001, lambda: "timer")))
        print(wait(threads.deferToThread(lambda: "thread")))
        print(wait(defer.ensureDeferred(coroutine())))
        reactor.stop()
        runs.switch()
        print(runs.dead, reactor.running)
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            print("no loop")
    """
    assert inRun(program, loop) == "True timer\nthread\ncoroutine\nTrue False\nno loop\n"


def test_a_web_server_on_a_loop_that_cannot_watch_sockets() -> None:
    """`twisted.web` and its Agent work on a loop's transports: Windows' Proactor loop has such."""
    program = """
        from twistlike import overlay
        overlay.install()
        import asyncio
        from twisted.internet import reactor
        from twisted.web import resource, server
        from twisted.web.client import Agent, HTTPConnectionPool, readBody

        class Loop(asyncio.SelectorEventLoop):
            def add_reader(self, *args): raise NotImplementedError
            def add_writer(self, *args): raise NotImplementedError

        class Page(resource.Resource):
            isLeaf = True
            def render_GET(self, request):
                return b"x" * 200_000

        async def main():
            port = reactor.listenTCP(0, server.Site(Page()), interface="127.0.0.1")
            agent = Agent(reactor, pool=HTTPConnectionPool(reactor, persistent=False))
            response = await agent.request(b"GET", b"http://127.0.0.1:%d/" % port.getHost().port)
            print(response.code, len(await readBody(response)))
            await port.stopListening()

        with asyncio.Runner(loop_factory=Loop) as runner:
            runner.run(main())
    """
    transcript = runPython([*QUIET, "-c", textwrap.dedent(program)])
    assert (transcript.stdout, transcript.stderr) == ("200 200000\n", "")
