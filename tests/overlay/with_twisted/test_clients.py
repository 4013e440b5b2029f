"""What is written on Twisted, in loops of asyncio's and beside its frameworks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.oracle import runPython
from tests.overlay.with_twisted.programs import inHost, inRun, onEachLoop
from tests.overlay.with_twisted.servers import serving


@onEachLoop
def test_scrapy_twice_in_a_process(loop: str) -> None:
    """CrawlerProcess runs to its end, and then another one does, which Twisted cannot."""
    program = """
        import sys
        from scrapy import Spider
        from scrapy.crawler import CrawlerProcess

        class One(Spider):
            name = "one"
            start_urls = [sys.argv[1]]
            def parse(self, response):
                print(response.status, response.text)

        settings = {"LOG_ENABLED": False, "TELNETCONSOLE_ENABLED": False}
        for _ in range(2):
            process = CrawlerProcess(settings)
            process.crawl(One)
            process.start()
        print("ended")
    """
    with serving() as address:
        assert inRun(program, loop, address) == "200 hello\n200 hello\nended\n"


@onEachLoop
def test_scrapy_awaited_twice_in_a_running_loop(loop: str) -> None:
    """CrawlerRunner's Deferred is awaited by a task of the user's own loop, again and again."""
    program = """
        import sys
        from twisted.internet import reactor
        from scrapy import Spider
        from scrapy.crawler import CrawlerRunner

        class One(Spider):
            name = "one"
            start_urls = [ADDRESS]
            def parse(self, response):
                print(response.status, response.text)

        async def main():
            settings = {"LOG_ENABLED": False, "TELNETCONSOLE_ENABLED": False}
            reactor.attach()
            for _ in range(2):
                await CrawlerRunner(settings).crawl(One)
            print("ended")

        runHost(main)
    """
    with serving() as address:
        output = inHost(program.replace("ADDRESS", repr(address)), loop)
    assert output == "200 hello\n200 hello\nended\n"


TREQ = """
    import treq
    from klein import Klein
    from twisted.internet import reactor
    from twisted.web.client import HTTPConnectionPool
    from twisted.web.server import Site

    app = Klein()

    @app.route("/")
    async def root(request):
        await asyncio.sleep(0)
        return "klein"

    def startKlein():
        port = reactor.listenTCP(0, Site(app.resource()), interface="127.0.0.1")
        return port, f"http://localhost:{port.getHost().port}/"

    async def ask(address):
        pool = HTTPConnectionPool(reactor, persistent=False)
        response = await treq.get(address, pool=pool)
        return await response.text()
"""


@onEachLoop
def test_treq_and_klein_in_a_loop_of_ones_own(loop: str) -> None:
    """A bare asyncio program serves by Klein and asks by treq, once and again."""
    program = """
        async def main():
            port, address = startKlein()
            print(await asyncio.gather(ask(address), ask(address)))
            await port.stopListening()

        runHost(main)
        runHost(main)
    """
    assert inHost(_joined(TREQ, program), loop) == "['klein', 'klein']\n" * 2


@onEachLoop
def test_treq_in_a_handler_of_aiohttp(loop: str) -> None:
    """A handler of aiohttp's server awaits treq, which asks Klein in the same loop."""
    program = """
        from aiohttp import ClientSession, web

        async def main():
            port, address = startKlein()
            async def handler(request):
                return web.Response(text="aiohttp and " + await ask(address))
            server = web.Application()
            server.router.add_get("/", handler)
            runner = web.AppRunner(server)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            where = runner.addresses[0]
            async with ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{where[1]}/") as response:
                    print(await response.text())
            await runner.cleanup()
            await port.stopListening()

        runHost(main)
    """
    assert inHost(_joined(TREQ, program), loop) == "aiohttp and klein\n"


@onEachLoop
def test_treq_in_a_handler_of_fastapi(loop: str) -> None:
    """A handler of FastAPI's, under uvicorn, awaits treq, which asks Klein in the same loop."""
    program = """
        import socket
        import uvicorn
        from fastapi import FastAPI

        server = FastAPI()
        state = {}

        @server.get("/")
        async def handler():
            return {"treq": await ask(state["address"])}

        async def main():
            port, state["address"] = startKlein()
            listening = socket.create_server(("127.0.0.1", 0))
            config = uvicorn.Config(server, log_level="error", lifespan="off")
            serving = uvicorn.Server(config)
            task = asyncio.ensure_future(serving.serve(sockets=[listening]))
            print(await ask(f"http://127.0.0.1:{listening.getsockname()[1]}/"))
            serving.should_exit = True
            await task
            await port.stopListening()

        runHost(main)
    """
    assert inHost(_joined(TREQ, program), loop) == '{"treq":"klein"}\n'


@onEachLoop
def test_crochet(loop: str) -> None:
    """crochet's setup runs the reactor in a thread; its waits work in others."""
    program = """
        import crochet
        crochet.setup()
        from twisted.internet import reactor, task

        @crochet.wait_for(timeout=5)
        def later():
            return task.deferLater(reactor, 0, lambda: "from the reactor")

        @crochet.run_in_reactor
        def running():
            return reactor.running

        print(later(), running().wait(5))
    """
    assert inRun(program, loop) == "from the reactor True\n"


@onEachLoop
def test_txaio_and_autobahn(loop: str) -> None:
    """A WebSocket of autobahn's, on txaio's Twisted side, echoes."""
    program = """
        import txaio
        txaio.use_twisted()
        from autobahn.twisted.websocket import (
            WebSocketClientFactory, WebSocketClientProtocol,
            WebSocketServerFactory, WebSocketServerProtocol,
        )
        from twisted.internet import reactor

        class Server(WebSocketServerProtocol):
            def onMessage(self, payload, isBinary):
                self.sendMessage(payload.upper(), isBinary)

        class Client(WebSocketClientProtocol):
            def onOpen(self):
                self.sendMessage(b"websocket")
            def onMessage(self, payload, isBinary):
                print(payload)
                self.sendClose()
            def onClose(self, wasClean, code, reason):
                print(wasClean)
                reactor.stop()

        def start():
            factory = WebSocketServerFactory()
            factory.protocol = Server
            port = reactor.listenTCP(0, factory, interface="127.0.0.1")
            factory = WebSocketClientFactory(f"ws://127.0.0.1:{port.getHost().port}")
            factory.protocol = Client
            reactor.connectTCP("127.0.0.1", port.getHost().port, factory)

        reactor.callWhenRunning(start)
        reactor.run()
        print(txaio.is_future(txaio.create_future()))
    """
    assert inRun(program, loop) == "b'WEBSOCKET'\nTrue\nTrue\n"


@pytest.mark.parametrize("way", ["run", "plugin"])
def test_pytest_twisted(tmp_path: Path, way: str) -> None:
    """Suites for pytest-twisted run on the overlay, by the command or by the plugin."""
    (tmp_path / "test_it.py").write_text(
        "import asyncio\n"
        "import pytest_twisted\n"
        "from twisted.internet import reactor, task\n"
        "@pytest_twisted.inlineCallbacks\n"
        "def test_inline():\n"
        "    yield task.deferLater(reactor, 0)\n"
        "@pytest_twisted.ensureDeferred\n"
        "async def test_coroutine():\n"
        "    await asyncio.sleep(0)\n"
        "def test_reactor():\n"
        "    assert type(reactor).__module__ == 'twisted.internet.asyncioreactor'\n"
        "    assert hasattr(reactor, 'attach')\n"
    )
    command = ["-m", "twistlike", "run", "-m", "pytest"]
    if way == "plugin":
        command = ["-m", "pytest", "-p", "twistlike.overlay.pytest_plugin"]
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:asyncio", "-W", "error"]
    transcript = runPython([*command, *options, "test_it.py"], cwd=tmp_path)
    assert transcript.returncode == 0, transcript.stdout + transcript.stderr
    assert "3 passed" in transcript.stdout
    assert transcript.stderr == ""


def _joined(*programs: str) -> str:
    import textwrap

    return "\n".join(map(textwrap.dedent, programs))
