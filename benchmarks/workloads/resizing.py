"""A pool whose size is changed while it works."""

from __future__ import annotations

from _thread import allocate_lock

from benchmarks.workload import Bench, Workload

__all__ = ["WORKLOADS"]

EVERY = 10
"""The size is changed each time that so many jobs have been asked for."""


def sizeAt(job: int) -> int:
    """Return the greatest number of threads from that job on: 2, 3, ... 20, 2, 3 ..."""
    return 2 + job // EVERY % 19


resized = Workload(
    name="threads.resized",
    title="a pool that is resized under load",
    size=5_000,
    expect=lambda size: list(range(size)),
    unit="job",
    hops=True,
)


@resized.variant("twistlike", "twisted")
def resizedPool(bench: Bench) -> list[int]:
    """callInThread for each item, adjustPoolsize for each tenth; the last job ends it."""
    pool = bench.kit.threadpool.ThreadPool(0, sizeAt(0), "resized")
    done = allocate_lock()
    done.acquire()
    seen: list[int] = []

    def job(i: int) -> None:
        seen.append(i)
        if len(seen) == bench.size:
            done.release()

    pool.start()
    with bench.timed():
        for i in range(bench.size):
            if not i % EVERY:
                pool.adjustPoolsize(0, sizeAt(i))
            pool.callInThread(job, i)
        done.acquire()
    pool.stop()
    return sorted(seen)


@resized.variant("anyio")
async def resizedLimiter(bench: Bench) -> list[int]:
    """A task with to_thread.run_sync for each item, total_tokens set anew for each tenth."""
    from anyio import CapacityLimiter, create_task_group, to_thread

    limiter = CapacityLimiter(sizeAt(0))
    seen: list[int] = []

    async def one(i: int) -> None:
        await to_thread.run_sync(seen.append, i, limiter=limiter)

    with bench.timed():
        async with create_task_group() as group:
            for i in range(bench.size):
                if not i % EVERY:
                    limiter.total_tokens = sizeAt(i)
                group.start_soon(one, i)
    return sorted(seen)


WORKLOADS = [resized]
