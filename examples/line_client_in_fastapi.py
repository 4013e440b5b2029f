"""A line-based client in a FastAPI app: requests ask a server that speaks lines over TCP.

The client is a `LineReceiver` with one connection for all requests. A `ReconnectingClientFactory`
keeps it up; a request that comes meanwhile waits, and one that waits too long is answered with 503.
As a program it starts a small server of lines and the app, asks a few times, ends the connection
from the server's side once, asks again, and ends by itself.

    python examples/line_client_in_fastapi.py
    LINES=127.0.0.1:11211 uvicorn --app-dir examples line_client_in_fastapi:app     # to stay
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import urllib.request
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException

from twistlike.internet import reactor, threads
from twistlike.internet.defer import Deferred, gatherResults
from twistlike.internet.error import ConnectionDone
from twistlike.internet.protocol import ReconnectingClientFactory, ServerFactory
from twistlike.protocols.basic import LineReceiver

WAIT = 5  # seconds that a request may wait for its answer


class LineClient(LineReceiver):
    """One connection. Answers come in the order of the questions."""

    factory: LineClientFactory

    def connectionMade(self) -> None:
        """Serve those who wait for a connection."""
        self.questions: deque[Deferred[bytes]] = deque()
        self.factory.connected(self)

    def ask(self, line: bytes) -> Deferred[bytes]:
        """Send a line; the Deferred fires with the answer."""
        answer: Deferred[bytes] = Deferred(lambda _: None)  # cancelled: its answer is dropped
        self.questions.append(answer)
        self.sendLine(line)
        return answer

    def lineReceived(self, line: bytes) -> None:
        """Take an answer."""
        self.questions.popleft().callback(line)

    def connectionLost(self, reason: Any = None) -> None:
        """Fail what was not answered."""
        self.factory.disconnected()
        for each in self.questions:
            each.errback(reason)


class LineClientFactory(ReconnectingClientFactory):
    """Keeps one connection up, and gives it to those who ask."""

    protocol = LineClient
    initialDelay = 0.05
    maxDelay = 5
    noisy = False

    def __init__(self) -> None:
        self.client: Deferred[LineClient] = Deferred()

    def connected(self, client: LineClient) -> None:
        """Have a connection."""
        self.resetDelay()
        self.client.callback(client)

    def disconnected(self) -> None:
        """Have none, until the next attempt succeeds."""
        self.client = Deferred()

    async def ask(self, line: bytes) -> bytes:
        """Ask; wait for a connection first if there is none."""
        async with asyncio.timeout(WAIT):
            return await (await asyncio.shield(self._connection())).ask(line)

    async def _connection(self) -> LineClient:
        return await self.client


lines = LineClientFactory()


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """The connection is there for as long as the app runs."""
    host, _, number = os.environ.get("LINES", "127.0.0.1:1025").rpartition(":")
    connector = reactor.connectTCP(host, getattr(app.state, "number", int(number)), lines)
    try:
        yield
    finally:
        lines.stopTrying()
        connector.disconnect()


app = FastAPI(lifespan=lifespan)


@app.get("/ask")
async def ask(line: str) -> str:
    """Ask the server of lines."""
    try:
        return (await lines.ask(line.encode())).decode()
    except (TimeoutError, ConnectionDone) as error:
        raise HTTPException(503, "the server of lines has not answered") from error


# ---- a server of lines, and a run of all that ----------------------------------------------------


class Lines(LineReceiver):
    """Answers each line in capitals; leaves after "bye"."""

    def lineReceived(self, line: bytes) -> None:
        """Answer."""
        self.sendLine(line.upper())
        if line == b"bye":
            self.transport.loseConnection()


def get(url: str) -> Any:
    """Ask by HTTP, and wait for the answer. Thread: one of the pool."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


async def main() -> None:
    """Start both servers, ask, and end."""
    factory = ServerFactory.forProtocol(Lines)
    factory.noisy = False
    async with reactor.listenTCP(0, factory, interface="127.0.0.1") as port:
        app.state.number = port.getHost().port
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
        serving = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110  # uvicorn has no event for it
            await asyncio.sleep(0.01)
        web = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        asked = [threads.deferToThread(get, f"{web}/ask?line=line+{n}") for n in range(5)]
        print("at once:", await gatherResults(asked))
        print("the last:", await threads.deferToThread(get, f"{web}/ask?line=bye"))
        print("again:", await threads.deferToThread(get, f"{web}/ask?line=hello"))
        server.should_exit = True
        await serving
    print("ended")


if __name__ == "__main__":
    asyncio.run(main())
