"""structlog: what a request binds to the log is in the lines of its jobs, of no other request."""

from __future__ import annotations

import asyncio

import structlog

from twistlike.internet import reactor, threads

structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.KeyValueRenderer(key_order=["event", "request"]),
    ]
)
log = structlog.get_logger()


def work() -> None:
    """Log in a worker's thread."""
    log.info("computed")


async def handle(request: int) -> None:
    """Handle a request."""
    structlog.contextvars.bind_contextvars(request=request)
    await threads.deferToThread(work)
    log.info("answered")


async def main() -> None:
    """Handle three at once."""
    async with reactor:
        await asyncio.gather(*(handle(number) for number in range(3)))


if __name__ == "__main__":
    asyncio.run(main())
