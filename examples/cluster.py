"""Beyond one machine: the same call on processes, and on a cluster of Dask's.

Dask's executor has the interface of `concurrent.futures`, so `deferToThreadPool` takes it. Here the
cluster is two processes on this machine; an address of a scheduler makes it any number of machines.
"""

from __future__ import annotations

import asyncio
import math
from concurrent.futures import Executor, ProcessPoolExecutor

from distributed import Client, LocalCluster

from twistlike.internet import reactor, threads


async def compute(executor: Executor) -> list[int]:
    """Run some calls on an executor at once."""
    calls = [threads.deferToThreadPool(reactor, executor, math.factorial, n) for n in range(5)]
    return list(await asyncio.gather(*calls))


async def main() -> None:
    """Compute on both."""
    async with reactor:
        with ProcessPoolExecutor(2) as processes:
            print("processes:", await compute(processes))
            try:
                await threads.deferToThreadPool(reactor, processes, math.factorial, -1)
            except ValueError as error:
                print("an error arrives as itself:", error)
        cluster = await threads.deferToThread(
            LocalCluster, n_workers=2, threads_per_worker=1, dashboard_address=":0"
        )
        client = await threads.deferToThread(Client, cluster)
        print("cluster:", await compute(client.get_executor()))
        await threads.deferToThread(client.close)
        await threads.deferToThread(cluster.close)


if __name__ == "__main__":
    asyncio.run(main())
