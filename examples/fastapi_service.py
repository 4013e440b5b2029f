"""A FastAPI service: blocking work in the reactor's threads, from both kinds of endpoints.

It serves on a free port of loopback, which it prints, until SIGTERM or Ctrl-C. Requests that are
under way then are answered before it ends.
"""

from __future__ import annotations

import hashlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI

from twistlike.internet import reactor, threads


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Attach the reactor for as long as the service runs."""
    async with reactor:
        yield
    print("all threads have ended", flush=True)


app = FastAPI(lifespan=lifespan)
seen: list[str] = []


def digest(text: str) -> str:
    """Something that takes its time. Thread: a worker of the reactor's pool."""
    return hashlib.pbkdf2_hmac("sha256", text.encode(), b"salt", 20_000).hex()[:16]


def note(text: str) -> int:
    """Note something in the loop's thread, which needs no lock."""
    seen.append(text)
    return len(seen)


@app.get("/digest/{text}")
async def fromTheLoop(text: str) -> dict[str, str]:
    """An async endpoint awaits the Deferred of a job."""
    return {"digest": await threads.deferToThread(digest, text)}


@app.get("/note/{text}")
def fromAThread(text: str) -> dict[str, int]:
    """A plain endpoint runs in a thread of AnyIO's, and calls into the loop."""
    return {"count": threads.blockingCallFromThread(reactor, note, text)}


def main() -> None:
    """Serve."""
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"serving on port {listener.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
