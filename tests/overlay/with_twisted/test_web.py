"""twisted.web on the overlay: its server and its client, in both modes."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.overlay.with_twisted.programs import inHost, inRun, onEachLoop
from tests.overlay.with_twisted.servers import makeCertificate, serving

# The last example of Twisted's guide to threads, as it stands there but for the address.
HOWTO = """
from twisted.internet import threads, reactor, defer
from twisted.web.client import Agent
from twisted.web.error import Error
def inThread():
    agent = Agent(reactor)
    try:
        result = threads.blockingCallFromThread(
            reactor,
            agent.request,
            b"GET",
            b"https://twistedmatrix.com/",
        )
    except Exception as exc:
        print(exc)
    else:
        print(result)
    reactor.callFromThread(reactor.stop)
reactor.callInThread(inThread)
reactor.run()
"""

RESOURCES = """
import asyncio
from twisted.internet import defer, reactor, task, threads
from twisted.web.client import Agent, HTTPConnectionPool, readBody
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site


class Plain(Resource):
    isLeaf = True

    def render_GET(self, request):
        return b"plain"


class Later(Resource):
    isLeaf = True

    def render_GET(self, request):
        reactor.callLater(0, self.answer, request)
        return NOT_DONE_YET

    def answer(self, request):
        request.write(b"later")
        request.finish()


class Inline(Resource):
    isLeaf = True

    def render_GET(self, request):
        self.answer(request)
        return NOT_DONE_YET

    @defer.inlineCallbacks
    def answer(self, request):
        yield task.deferLater(reactor, 0)
        number = yield threads.deferToThread(lambda: 7)
        request.write(b"inline %d" % number)
        request.finish()


class Coroutine(Resource):
    isLeaf = True

    def render_GET(self, request):
        defer.ensureDeferred(self.answer(request))
        return NOT_DONE_YET

    async def answer(self, request):
        async with asyncio.timeout(5):
            await asyncio.sleep(0)
        request.write(b"coroutine")
        request.finish()


def makeSite():
    root = Resource()
    for kind in (Plain, Later, Inline, Coroutine):
        root.putChild(kind.__name__.lower().encode(), kind())
    return Site(root)


async def askAll(agent, port):
    for name in ("plain", "later", "inline", "coroutine"):
        response = await agent.request(b"GET", f"http://localhost:{port}/{name}".encode())
        print(response.code, (await readBody(response)).decode())


def makeAgent():
    return Agent(reactor, pool=HTTPConnectionPool(reactor, persistent=False))
"""

ANSWERS = "200 plain\n200 later\n200 inline 7\n200 coroutine\n"


@onEachLoop
@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_the_last_example_of_the_threading_guide(tmp_path: Path, loop: str, secure: bool) -> None:
    """An Agent that a thread asks by blockingCallFromThread gets its response."""
    certificate = makeCertificate(tmp_path) if secure else None
    with serving(certificate) as address:
        program = HOWTO.replace("https://twistedmatrix.com/", address)
        output = inRun(program, loop, env={"SSL_CERT_FILE": str(certificate or "")})
    assert output.startswith("<twisted.web._newclient.Response object at "), output


@onEachLoop
def test_the_last_example_tells_what_went_wrong(loop: str) -> None:
    """The same program prints the error when nobody listens."""
    output = inRun(HOWTO.replace("https://twistedmatrix.com/", "http://127.0.0.1:1/"), loop)
    assert output == "Connection was refused by other side: 111: Connection refused.\n"


@onEachLoop
def test_each_way_to_render(loop: str) -> None:
    """Plain, NOT_DONE_YET, inlineCallbacks, and a coroutine that awaits asyncio, in run mode."""
    program = """
        async def main(reactor):
            port = reactor.listenTCP(0, makeSite(), interface="127.0.0.1")
            await askAll(makeAgent(), port.getHost().port)
            await port.stopListening()

        task.react(lambda reactor: defer.ensureDeferred(main(reactor)))
    """
    assert inRun(RESOURCES + textwrap.dedent(program), loop) == ANSWERS


@onEachLoop
def test_each_way_to_render_in_a_hosts_loop_twice(loop: str) -> None:
    """The same beside an asyncio server in a loop of the program's own, and in a second one."""
    program = """
        async def main():
            async def echo(reader, writer):
                writer.write(await reader.readline())
                writer.close()

            port = reactor.listenTCP(0, makeSite(), interface="127.0.0.1")
            async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
                await askAll(makeAgent(), port.getHost().port)
                where = server.sockets[0].getsockname()
                reader, writer = await asyncio.open_connection(*where[:2])
                writer.write(b"asyncio\\n")
                print((await reader.readline()).decode().strip())
                writer.close()
                await writer.wait_closed()
            await port.stopListening()

        runHost(main)
        runHost(main)
    """
    output = inHost(RESOURCES + textwrap.dedent(program), loop)
    assert output == (ANSWERS + "asyncio\n") * 2


@onEachLoop
def test_the_access_log_tells_the_time(loop: str) -> None:
    """The access log of a Site has this year's date: the reactor's seconds are those of the day."""
    program = """
        import sys, time
        from twisted.python import log

        class Kept:
            lines = []
            def write(self, text): self.lines.append(text)
            def flush(self): pass

        async def main(reactor):
            log.startLogging(Kept(), setStdout=False)
            port = reactor.listenTCP(0, makeSite(), interface="127.0.0.1")
            agent = makeAgent()
            number = port.getHost().port
            await readBody(await agent.request(b"GET", f"http://localhost:{number}/plain".encode()))
            await port.stopListening()
            year = time.strftime("%Y", time.gmtime())
            print(any(f"/{year}:" in each and "GET /plain" in each for each in Kept.lines))

        task.react(lambda reactor: defer.ensureDeferred(main(reactor)))
    """
    assert inRun(RESOURCES + textwrap.dedent(program), loop) == "True\n"
