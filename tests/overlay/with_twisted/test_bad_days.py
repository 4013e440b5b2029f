"""Careless and hostile programs on the overlay: each ends, and says what was wrong."""

from __future__ import annotations

import textwrap

from tests.oracle import runPython
from tests.overlay.with_twisted.programs import inHost, inRun, onEachLoop


@onEachLoop
def test_a_host_that_ends_with_everything_open(loop: str) -> None:
    """Ports, connections and a child that are left open end with the host's loop, which returns."""
    program = """
        from twisted.internet import endpoints, protocol, reactor

        class Left(protocol.Protocol):
            def connectionLost(self, reason):
                print("lost", reason.type.__name__)

        async def main():
            factory = protocol.Factory.forProtocol(Left)
            port = reactor.listenTCP(0, factory, interface="127.0.0.1")
            where = endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
            await endpoints.connectProtocol(where, Left())
            await asyncio.sleep(0.05)
            reactor.spawnProcess(protocol.ProcessProtocol(), "/bin/true", ["true"])

        runHost(main)
        print("ended")
    """
    lines = inHost(program, loop).splitlines()
    assert lines.count("lost ConnectionLost") == 2, lines
    assert lines[-1] == "ended"


@onEachLoop
def test_a_protocol_that_raises(loop: str) -> None:
    """An error of dataReceived is logged with its traceback and ends that connection alone."""
    program = """
        from twisted.internet import defer, endpoints, protocol, task
        from twisted.logger import globalLogBeginner

        def show(event):
            if event.get("log_failure"):
                print("logged", event["log_failure"].type.__name__, event.get("log_system"))
        globalLogBeginner.beginLoggingTo([show], redirectStandardIO=False)

        class Bad(protocol.Protocol):
            def dataReceived(self, data):
                raise KeyError(data)

        class Client(protocol.Protocol):
            def __init__(self):
                self.lost = defer.Deferred()
            def connectionLost(self, reason):
                self.lost.callback(reason.type.__name__)

        async def main(reactor):
            factory = protocol.Factory.forProtocol(Bad)
            port = reactor.listenTCP(0, factory, interface="127.0.0.1")
            where = endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
            for _ in range(2):
                client = await endpoints.connectProtocol(where, Client())
                client.transport.write(b"x")
                print(await client.lost)
            await port.stopListening()

        task.react(lambda reactor: defer.ensureDeferred(main(reactor)))
    """
    assert inRun(program, loop).splitlines() == [
        "logged KeyError Bad,0,127.0.0.1",
        "ConnectionDone",
        "logged KeyError Bad,1,127.0.0.1",
        "ConnectionDone",
    ]


@onEachLoop
def test_large_writes_arrive_whole_and_in_order(loop: str) -> None:
    """What does not fit at once is sent when there is room, with small writes behind it."""
    program = """
        from twisted.internet import defer, endpoints, protocol, task

        class Send(protocol.Protocol):
            def connectionMade(self):
                self.transport.write(b"a" * 5_000_000)
                for _ in range(1000):
                    self.transport.write(b"b")
                self.transport.loseConnection()

        class Receive(protocol.Protocol):
            def __init__(self):
                self.got, self.lost = b"", defer.Deferred()
            def dataReceived(self, data):
                self.got += data
            def connectionLost(self, reason):
                self.lost.callback(None)

        async def main(reactor):
            factory = protocol.Factory.forProtocol(Send)
            port = reactor.listenTCP(0, factory, interface="127.0.0.1")
            where = endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
            client = await endpoints.connectProtocol(where, Receive())
            await client.lost
            print(client.got == b"a" * 5_000_000 + b"b" * 1000)
            await port.stopListening()

        task.react(lambda reactor: defer.ensureDeferred(main(reactor)))
    """
    assert inRun(program, loop) == "True\n"


def test_a_call_from_the_wrong_thread_says_what_to_use() -> None:
    """connectTCP in a thread raises at that line, instead of a connection that never comes."""
    program = """
        from twisted.internet import protocol, reactor, threads

        def work():
            try:
                reactor.connectTCP("127.0.0.1", 1, protocol.ClientFactory())
            except Exception as error:
                print(type(error).__name__, "callFromThread" in str(error))

        threads.deferToThread(work).addBoth(lambda _: reactor.stop())
        reactor.run()
    """
    assert inRun(program, "asyncio") == "WrongThreadError True\n"


@onEachLoop
def test_debug_mode_of_asyncio(loop: str) -> None:
    """A Site answers the same with asyncio's debug mode on."""
    program = textwrap.dedent("""
        from twisted.internet import defer, reactor, task
        from twisted.web.client import Agent, HTTPConnectionPool, readBody
        from twisted.web.resource import Resource
        from twisted.web.server import Site

        class Plain(Resource):
            isLeaf = True
            def render_GET(self, request):
                return b"plain"

        async def main(reactor):
            port = reactor.listenTCP(0, Site(Plain()), interface="127.0.0.1")
            agent = Agent(reactor, pool=HTTPConnectionPool(reactor, persistent=False))
            url = f"http://127.0.0.1:{port.getHost().port}/".encode()
            print(await readBody(await agent.request(b"GET", url)))
            await port.stopListening()

        task.react(lambda reactor: defer.ensureDeferred(main(reactor)))
    """)
    assert inRun(program, loop, env={"PYTHONASYNCIODEBUG": "1"}) == "b'plain'\n"


def test_uninstall_gives_the_real_twisted_back() -> None:
    """After uninstall an import gives Twisted's own reactor."""
    program = (
        "from twistlike import overlay; overlay.install()\n"
        "from twisted.internet import defer\n"
        "assert defer.__name__ == 'twistlike.internet.defer'\n"
        "overlay.uninstall()\n"
        "from twisted.internet import defer, reactor\n"
        "assert defer.__name__ == 'twisted.internet.defer'\n"
        "print(type(reactor).__module__)\n"
    )
    transcript = runPython(["-c", program])
    assert transcript.stdout.startswith("twisted.internet."), transcript.stderr
    assert "asyncio" not in transcript.stdout
