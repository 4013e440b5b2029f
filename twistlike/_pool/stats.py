"""What a pool tells about itself: `ThreadPool.stats()`, and whom it left behind. Made in the thread
that asks, without stopping anybody, so that the numbers of one record may be a job apart.
"""

from __future__ import annotations

import sys
import traceback
from bisect import bisect_right
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from twistlike._base.naming import showAs
from twistlike._pool.jobs import describe

if TYPE_CHECKING:
    from twistlike._pool.worker import Worker
    from twistlike._pool.workers import Workers

__all__ = [
    "BOUNDS",
    "Histogram",
    "PoolStats",
    "StuckWorker",
    "Tally",
    "WorkerStats",
    "ageOfOldest",
    "describeStuck",
    "snapshot",
]

# Upper bounds in seconds of a histogram's buckets: from "did next to nothing" to "blocks a worker".
BOUNDS = (0.0001, 0.001, 0.01, 0.1, 1.0, 10.0)


class Histogram(NamedTuple):
    """How many jobs took how long.

    Attributes:
        bounds: The upper bounds of the buckets but the last, in seconds; the last has none.
        counts: The jobs in each bucket: one number more than there are bounds.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        """How many jobs there are in all buckets."""
        return sum(self.counts)

    def cumulative(self) -> list[tuple[float, int]]:
        """Return pairs of an upper bound and how many jobs lie below it, as Prometheus counts; the
        last is infinity.
        """
        pairs = []
        running = 0
        for bound, count in zip((*self.bounds, float("inf")), self.counts, strict=True):
            running += count
            pairs.append((bound, running))
        return pairs


class WorkerStats(NamedTuple):
    """What one worker does.

    Attributes:
        thread: The name of its thread.
        state: "idle", "busy", or "waiting" if it is busy but only waits for the loop or another job
            (see `ThreadPool.compensated`).
        function: The module and name of the function that it runs, or None.
        seconds: For how long it has been at it, or idle.
        cancelled: Was the job that it runs cancelled?
    """

    thread: str
    state: str
    function: str | None
    seconds: float
    cancelled: bool


class PoolStats(NamedTuple):
    """A pool at one moment, and what it has done since it was started.

    Attributes:
        name: The pool's name.
        state: "not started", "running", "stopping" or "stopped".
        minimum: How few workers it keeps.
        maximum: How many may run jobs at a time.
        workers: How many there are. The sum of the next three.
        idle: How many of them have nothing to do.
        busy: How many of them run a job.
        waiting: How many of them run a job that waits for the loop or another job.
        lent: How many spare workers are allowed on top of the maximum for now.
        queued: How many jobs wait for a worker. Cancelled ones count until a worker has come past.
        oldest: For how many seconds the first of them has waited; 0 if there is none.
        done: Jobs that ran to an end, good or failed.
        failed: Those among them whose function raised.
        cancelled: Jobs that were cancelled before they ran.
        abandoned: Jobs that the end of the pool found in the queue, and failed.
        waitTimes: How long jobs waited in the queue.
        runTimes: How long they ran.
        activity: What each worker does.
    """

    name: str | None
    state: str
    minimum: int
    maximum: int
    workers: int
    idle: int
    busy: int
    waiting: int
    compensating: int
    queued: int
    oldest: float
    done: int
    failed: int
    cancelled: int
    abandoned: int
    waitTimes: Histogram
    runTimes: Histogram
    activity: list[WorkerStats]


class StuckWorker(NamedTuple):
    """A worker that a pool left behind when it ended.

    Attributes:
        thread: The name of its thread.
        function: The module and name of the function that it runs.
        seconds: For how long it has run.
        stack: Where it stands, as `traceback.format_stack` puts it.
    """

    thread: str
    function: str
    seconds: float
    stack: str

    def __str__(self) -> str:
        return f"{self.thread} has run {self.function} for {self.seconds:.1f} s:\n{self.stack}"


class Tally:
    """What a worker, or all workers that have left, did. Written by one thread at a time.

    How it works: one number counts the jobs. Most of them are quick, and have waited for about as
    long as the one before, so those that are not make the histograms: `_slow` has the jobs of all
    buckets but the first, and in `_waits` each job is missing that came since the bucket changed.

    Attributes:
        done: How many jobs have run.
        failed: Those among them whose function raised.
        cancelled: How many were cancelled before they ran.
    """

    __slots__ = ("_bucket", "_slow", "_waits", "cancelled", "done", "failed")

    def __init__(self) -> None:
        self.done = 0
        self.failed = 0
        self.cancelled = 0
        self._slow = [0] * (len(BOUNDS) + 1)
        self._waits = [0] * (len(BOUNDS) + 1)
        self._bucket = 0

    def skip(self) -> None:
        """The job of now does not run. The worker is about to count it as one that took no time: do
        not.
        """
        self.done -= 1

    def ranFor(self, seconds: float) -> None:
        """The job that has just been counted was not a quick one."""
        self._slow[bisect_right(BOUNDS, seconds)] += 1

    def waitedFor(self, seconds: float) -> tuple[float, float]:
        """The job that is about to be counted has waited for so long. Returns the bounds, in seconds,
        within which others do not have to be told of.
        """
        self._waits[self._bucket] += self.done - sum(self._waits)
        self._bucket = bucket = bisect_right(BOUNDS, seconds)
        low = BOUNDS[bucket - 1] if bucket else float("-inf")
        return low, BOUNDS[bucket] if bucket < len(BOUNDS) else float("inf")

    def runTimes(self) -> list[int]:
        """Return how many jobs ran for how long, by bucket."""
        return [self.done - sum(self._slow[1:]), *self._slow[1:]]

    def waitTimes(self) -> list[int]:
        """Return how many jobs waited for how long, by bucket."""
        waits = list(self._waits)
        waits[self._bucket] += self.done - sum(waits)
        return waits

    def add(self, other: Tally) -> None:
        """Count another's on top."""
        waits = zip(self.waitTimes(), other.waitTimes(), strict=True)
        self._slow = [a + b for a, b in zip(self._slow, other._slow, strict=True)]
        self.done += other.done
        self._waits = [a + b for a, b in waits]
        self.failed += other.failed
        self.cancelled += other.cancelled


def describeStuck(worker: Worker) -> StuckWorker | None:
    """Return what a worker does and where it stands, or None if it is idle. Thread: any."""
    item = worker.item
    thread = worker.thread
    if item is None or thread is None:
        return None
    frame = sys._current_frames().get(thread.ident or 0)
    stack = "" if frame is None else "".join(traceback.format_stack(frame))
    return StuckWorker(thread.name, _functionOf(worker), monotonic() - worker.since, stack)


def _functionOf(worker: Worker) -> str:
    item = worker.item
    if item is None:
        return "nothing"
    function = item[1] if isinstance(item, tuple) else item.function
    return "nothing" if function is None else describe(function)


def ageOfOldest(workers: Workers, now: float) -> float:
    """Return for how many seconds the job has waited that has waited the longest; 0 if there is none."""
    try:
        item = workers.queue[0]
    except IndexError:
        return 0.0
    return now - (item[3] if isinstance(item, tuple) else item.queued)


def snapshot(workers: Workers, name: str | None) -> PoolStats:
    """Return what a crew does now and has done. Thread: any."""
    now = monotonic()
    total = Tally()
    with workers.lock:
        members = [worker for worker in list(workers.members) if worker.hasStarted()]
        total.add(workers.past)
    activity = []
    for worker in members:
        total.add(worker.tally)
        item = worker.item
        thread = "?" if worker.thread is None else worker.thread.name
        if item is None:
            activity.append(WorkerStats(thread, "idle", None, now - worker.since, False))
            continue
        state = "waiting" if worker.compensated else "busy"
        cancelRequested = not isinstance(item, tuple) and item.cancelRequested
        seconds = now - worker.since
        activity.append(WorkerStats(thread, state, _functionOf(worker), seconds, cancelRequested))
    states = [worker.state for worker in activity]
    return PoolStats(
        name=name,
        state=workers.state,
        minimum=workers.minimum,
        maximum=workers.maximum,
        workers=len(states),
        idle=states.count("idle"),
        busy=states.count("busy"),
        waiting=states.count("waiting"),
        compensating=workers.compensation.compensating(),
        queued=len(workers.queue),
        oldest=ageOfOldest(workers, now),
        done=total.done,
        failed=total.failed,
        cancelled=total.cancelled + workers.cancelled,
        abandoned=workers.abandoned,
        waitTimes=Histogram(BOUNDS, tuple(total.waitTimes())),
        runTimes=Histogram(BOUNDS, tuple(total.runTimes())),
        activity=activity,
    )


showAs(
    "twistlike.python.threadpool",
    globals(),
    ["Histogram", "PoolStats", "StuckWorker", "WorkerStats"],
)
