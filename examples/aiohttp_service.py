"""An aiohttp service and its client in one program: jobs in threads, and a job that is given up."""

from __future__ import annotations

import asyncio
import time

from aiohttp import ClientSession, web

from twistlike.internet import reactor, threads


def slow(seconds: float) -> str:
    """Block, but look now and then whether anybody still waits. Thread: a worker's."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        threads.checkCancelled()
        time.sleep(0.001)
    return f"slept for {seconds} s"


async def handler(request: web.Request) -> web.Response:
    """Answer within a limit."""
    try:
        async with asyncio.timeout(0.2):
            text = await threads.deferToThread(slow, float(request.match_info["seconds"]))
    except TimeoutError:
        return web.Response(status=504, text="given up")
    return web.Response(text=text)


async def endThreads(app: web.Application) -> None:
    """End the reactor with the application, while its loop runs."""
    reactor.stop()


async def main() -> None:
    """Serve, and ask twice."""
    reactor.attach()
    app = web.Application()
    app.router.add_get("/slow/{seconds}", handler)
    app.on_cleanup.append(endThreads)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    async with ClientSession() as session:
        for seconds in ("0.01", "5"):
            async with session.get(f"http://127.0.0.1:{port}/slow/{seconds}") as response:
                print(response.status, await response.text())
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
