"""What a web server pays for a request.

That is a FastAPI service, whose handler has blocking jobs run in threads, and `twisted.web`. The
server is in the measuring process; the client is a process of its own. What counts is the CPU time
of the server's process, of all its threads.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from benchmarks.http_client import start
from benchmarks.workload import WORKERS, Bench, Workload

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Offload = Callable[[int], Awaitable[list[int]]]

__all__ = ["WORKLOADS"]

CONNECTIONS = 10

GOALS = {50: 2.0, 1: 1.05}
"""Jobs: how many times our CPU time a request has to cost elsewhere."""


def job(number: int) -> int:
    """What runs in a thread: next to nothing, so that the way there and back is what is seen."""
    return number


def web(jobs: int, size: int) -> Workload:
    """Return the workload of requests with so many jobs each."""
    plural = "job" if jobs == 1 else "jobs"
    work = Workload(
        name=f"web.offload-{jobs}",
        title=f"FastAPI, a request with {jobs} {plural} in threads: the server's CPU",
        size=size,
        expect=lambda size: max(1, size // CONNECTIONS) * CONNECTIONS,
        unit="request",
        headline=True,
        goals=dict.fromkeys(("asyncio", "anyio", "uvloop", "anyio-uvloop"), GOALS[jobs]),
        repeats=3,
    )

    @work.variant("twistlike", "twistlike-uvloop")
    async def byTwistlike(bench: Bench) -> int:
        """deferToThread for each job, gathered."""
        deferToThread: Callable[..., Awaitable[int]] = bench.kit.threads.deferToThread

        async def offload(count: int) -> list[int]:
            return await asyncio.gather(*(deferToThread(job, number) for number in range(count)))

        return await served(bench, jobs, offload)

    @work.variant("asyncio", "uvloop", way="to_thread")
    async def byToThread(bench: Bench) -> int:
        """asyncio.to_thread for each job, gathered; a pool of as many threads."""
        from concurrent.futures import ThreadPoolExecutor

        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(WORKERS))

        async def offload(count: int) -> list[int]:
            return await asyncio.gather(*(asyncio.to_thread(job, n) for n in range(count)))

        return await served(bench, jobs, offload)

    @work.variant("anyio", "anyio-uvloop", way="to_thread")
    async def byAnyio(bench: Bench) -> int:
        """anyio.to_thread.run_sync for each job, gathered; as many threads."""
        from anyio import to_thread

        to_thread.current_default_thread_limiter().total_tokens = WORKERS

        async def offload(count: int) -> list[int]:
            runs = (to_thread.run_sync(job, number) for number in range(count))
            return await asyncio.gather(*runs)

        return await served(bench, jobs, offload)

    @work.variant("asyncio", "uvloop", way="run_in_threadpool")
    async def byStarlette(bench: Bench) -> int:
        """Starlette's run_in_threadpool for each job, gathered; as many threads."""
        from anyio import to_thread
        from fastapi.concurrency import run_in_threadpool

        to_thread.current_default_thread_limiter().total_tokens = WORKERS

        async def offload(count: int) -> list[int]:
            return await asyncio.gather(*(run_in_threadpool(job, n) for n in range(count)))

        return await served(bench, jobs, offload)

    return work


async def served(bench: Bench, jobs: int, offload: Offload) -> int:
    """Serve the requests of a client; return how many answers it had."""
    import fastapi
    import uvicorn

    app = fastapi.FastAPI()

    @app.get("/work")
    async def handler() -> dict[str, Any]:
        return {"sum": sum(await offload(jobs))}

    config = uvicorn.Config(app, port=0, log_level="critical", loop="none", lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.ensure_future(server.serve())
    while not server.started:  # noqa: ASYNC110  uvicorn has no event for it
        await asyncio.sleep(0.001)
    port = server.servers[0].sockets[0].getsockname()[1]
    began = time.process_time()
    client = start(port, CONNECTIONS, max(1, bench.size // CONNECTIONS))
    while client.poll() is None:  # noqa: ASYNC110  every peer pays for the same few looks
        await asyncio.sleep(0.01)
    bench.record(time.process_time() - began)
    server.should_exit = True
    await serving
    assert client.stdout is not None
    with client.stdout as output:
        return int(output.read() or 0)


def get(connections: int, size: int) -> Workload:
    """Return the workload of requests for a page of `twisted.web`, on so many connections."""
    plural = "connection" if connections == 1 else "connections"
    work = Workload(
        name=f"web.get-{connections}",
        title=f"twisted.web, a GET, {connections} {plural}: the server's CPU",
        size=size,
        expect=lambda size: max(1, size // connections) * connections,
        unit="request",
        goals={"twisted": 1.0},
        ours="overlay",
        repeats=3,
    )

    @work.variant("overlay", "twisted", "twisted-asyncio")
    async def byTwisted(bench: Bench) -> int:
        """A Resource with a short answer, on a Site."""
        from twisted.web import resource, server

        class Page(resource.Resource):  # type: ignore[misc]
            isLeaf = True

            def render_GET(self, request: object) -> bytes:
                return b"hello, world\n"

        kit = bench.kit
        port = kit.reactor.listenTCP(0, server.Site(Page()), interface="127.0.0.1")
        began = time.process_time()
        client = start(port.getHost().port, connections, max(1, bench.size // connections))
        await kit.threads.deferToThread(client.wait)
        bench.record(time.process_time() - began)
        await port.stopListening()
        assert client.stdout is not None
        with client.stdout as output:
            return int(output.read() or 0)

    return work


WORKLOADS = [web(1, 2_000), web(50, 400), get(1, 3_000), get(50, 5_000)]
