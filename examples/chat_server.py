"""A chat server, written for Twisted, in a FastAPI app: one loop, one process, two doors.

People chat by lines over TCP (a `LineReceiver`, as in any Twisted program) and look in by HTTP.
The app's lifespan opens and closes the port; nothing else has to be set up. As a program it starts
the app, lets two people chat (their client is a `LineReceiver`, too, and awaited by asyncio code)
and one visitor ask and speak by HTTP, and ends by itself.

    python examples/chat_server.py
    uvicorn --app-dir examples chat_server:app    # to stay; then: telnet 127.0.0.1 1025
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import urllib.request
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from fastapi import FastAPI

from twistlike.internet import reactor, threads
from twistlike.internet.defer import Deferred, maybeDeferred
from twistlike.internet.protocol import ClientCreator, ServerFactory
from twistlike.protocols.basic import LineReceiver
from twistlike.protocols.policies import TimeoutMixin

PORT = 1025
IDLE = 600  # seconds after which a silent connection is closed


class Chat(LineReceiver, TimeoutMixin):
    """One person's connection."""

    factory: ChatFactory
    name: str | None = None

    def connectionMade(self) -> None:
        """Ask for a name."""
        self.setTimeout(IDLE)
        self.sendLine(b"what is your name?")

    def connectionLost(self, reason: object = None) -> None:
        """Tell the others."""
        self.setTimeout(None)
        if self.name is not None:
            del self.factory.users[self.name]
            self.factory.tell(f"{self.name} has left")

    def lineReceived(self, line: bytes) -> None:
        """Take the name, or something to say to all."""
        self.resetTimeout()
        text = line.decode("utf-8", "replace")
        if self.name is not None:
            self.factory.tell(f"{self.name}: {text}")
        elif text in self.factory.users:
            self.sendLine(b"that name is taken; what is your name?")
        else:
            self.name = text
            self.factory.users[text] = self
            self.factory.tell(f"{text} is here")


class ChatFactory(ServerFactory[Chat]):
    """What all connections have in common."""

    protocol = Chat
    noisy = False

    def __init__(self) -> None:
        self.users: dict[str, Chat] = {}

    def tell(self, text: str) -> None:
        """Say something to all."""
        for chat in self.users.values():
            chat.sendLine(text.encode())


chat = ChatFactory()


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Chat is possible for as long as the app runs."""
    port = reactor.listenTCP(getattr(app.state, "chatPort", PORT), chat, interface="127.0.0.1")
    app.state.chatPort = port.getHost().port
    try:
        yield
    finally:
        await maybeDeferred(port.stopListening)
        for each in list(chat.users.values()):
            each.transport.loseConnection()


app = FastAPI(lifespan=lifespan)


@app.get("/users")
async def users() -> list[str]:
    """Return who is there."""
    return sorted(chat.users)


@app.post("/say")
async def say(text: str) -> int:
    """Say something to all; return to how many."""
    chat.tell(f"somebody on the web: {text}")
    return len(chat.users)


# ---- a line-based client, and a run of all that --------------------------------------------------


class Person(LineReceiver):
    """A client: it keeps the lines in a queue, from which asyncio code takes them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: asyncio.Queue[str] = asyncio.Queue()
        self.left: Deferred[None] = Deferred()

    def lineReceived(self, line: bytes) -> None:
        """Keep a line."""
        self.lines.put_nowait(line.decode())

    def connectionLost(self, reason: object = None) -> None:
        """Let those go on that wait for it."""
        self.left.callback(None)

    async def hears(self, wanted: str) -> None:
        """Wait for a line, and show it."""
        while await self.lines.get() != wanted:
            pass
        print(f"{self.name} hears: {wanted}")


async def enter(name: str) -> Person:
    """Connect, and tell the name."""
    person: Person = await ClientCreator(reactor, Person, name).connectTCP(
        "127.0.0.1", app.state.chatPort
    )
    person.sendLine(name.encode())
    await person.hears(f"{name} is here")
    return person


def ask(url: str, method: str = "GET") -> Any:
    """Ask by HTTP, and wait for the answer. Thread: one of the pool."""
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=10) as answer:
        return json.load(answer)


async def main() -> None:
    """Start the app, let people chat, and end."""
    app.state.chatPort = 0  # any that is free
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  # uvicorn has no event for it
        await asyncio.sleep(0.01)
    web = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"

    anna = await enter("anna")
    bert = await enter("bert")
    await anna.hears("bert is here")
    print("the web sees:", await threads.deferToThread(ask, f"{web}/users"))
    bert.sendLine(b"hello")
    await anna.hears("bert: hello")
    told = await threads.deferToThread(ask, f"{web}/say?text=good+evening", "POST")
    print("the web has told", told)
    for person in (anna, bert):
        await person.hears("somebody on the web: good evening")
    bert.transport.loseConnection()
    await anna.hears("bert has left")

    server.should_exit = True
    await serving
    await anna.left
    print("the server has closed")


if __name__ == "__main__":
    asyncio.run(main())
