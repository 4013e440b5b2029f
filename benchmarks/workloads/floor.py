"""The floor: what a hop between two threads costs by itself. No bridge can be faster.

What a thread and a loop need at the very least is measured beside the bridges, under the name
"floor".
"""

from __future__ import annotations

import os
from _thread import allocate_lock
from threading import Thread

from benchmarks.workload import Bench, Workload, same

__all__ = ["WORKLOADS"]

handOver = Workload(
    name="floor",
    title="two threads, to and fro",
    size=5_000,
    expect=same("done"),
    unit="round trip",
    hops=True,
    ours="",
)


@handOver.variant("futures", way="lock")
def byLock(bench: Bench) -> str:
    """Each waits for a lock that the other releases."""
    there, back = allocate_lock(), allocate_lock()
    there.acquire()
    back.acquire()

    def answer() -> None:
        for _ in range(bench.size):
            there.acquire()
            back.release()

    thread = Thread(target=answer)
    thread.start()
    with bench.timed():
        for _ in range(bench.size):
            there.release()
            back.acquire()
    thread.join()
    return "done"


@handOver.variant("futures", way="pipe")
def byPipe(bench: Bench) -> str:
    """Each waits for a byte that the other writes into a pipe."""
    readThere, writeThere = os.pipe()
    readBack, writeBack = os.pipe()

    def answer() -> None:
        for _ in range(bench.size):
            os.write(writeBack, os.read(readThere, 1))

    thread = Thread(target=answer)
    thread.start()
    with bench.timed():
        for _ in range(bench.size):
            os.write(writeThere, b"x")
            os.read(readBack, 1)
    thread.join()
    for end in (readThere, writeThere, readBack, writeBack):
        os.close(end)
    return "done"


WORKLOADS = [handOver]
