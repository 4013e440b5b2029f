"""What a pool tells about itself: `ThreadPool.stats()`, and the workers that it left behind.

Made in the thread that asks, without stopping the workers, so that the numbers of one record may be
a job apart.
"""

from __future__ import annotations

import sys
import traceback
from bisect import bisect_right
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from twistlike._base.functions import describe
from twistlike._base.naming import showAs

if TYPE_CHECKING:
    from types import FrameType

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

# The modules whose frames are below a user's function on a worker's stack.
_OUTERMOST = ("threading", "twistlike._pool.", "twistlike._threads.")

# Upper bounds in seconds of a histogram's buckets: from "did next to nothing" to "blocks a worker".
BOUNDS = (0.0001, 0.001, 0.01, 0.1, 1.0, 10.0)


class Histogram(NamedTuple):
    """How many jobs took how long.

    Attributes:
        bounds: The upper bounds of the buckets but the last, in seconds; the last has none.
        counts: The jobs in each bucket: one number more than there are bounds.
        seconds: The sum of their times.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    seconds: float

    @property
    def total(self) -> int:
        """How many jobs there are in all buckets."""
        return sum(self.counts)

    def cumulative(self) -> list[tuple[float, int]]:
        """Return pairs of an upper bound and how many jobs lie below it, as Prometheus counts.

        The last bound is infinity.
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
        cancelled: Whether the job that it runs was cancelled.
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
        compensating: How many spare workers are allowed on top of the maximum for now.
        queued: How many jobs wait for a worker. Cancelled ones count until a worker has come past.
        oldest: For how many seconds the first of them has waited; 0 if there is none.
        done: Jobs whose function has returned.
        failed: Jobs whose function has raised.
        cancelled: Jobs that were cancelled: before they ran, or ended by `checkCancelled`.
        abandoned: Jobs that the end of the pool found in the queue, and failed.
        waitTimes: How long the jobs that ran had waited in the queue.
        runTimes: How long they ran.
        activity: What each worker does.

    A job that has ended is counted in one of `done`, `failed`, `cancelled` and `abandoned`.
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
        stack: Its frames from the function on, as `traceback.format_stack` puts it.
    """

    thread: str
    function: str
    seconds: float
    stack: str

    def __str__(self) -> str:
        text = f"{self.thread} has run {self.function} for {self.seconds:.1f} s"
        return f"{text}:\n{self.stack}" if self.stack else text


class Tally:
    """What a worker, or all workers that have left, did. Written by one thread at a time.

    How it works: one number counts the jobs. Most of them are quick, and have waited for about as
    long as the one before, so those that are not make the histograms: `_slow` has the jobs of all
    buckets but the first, and in `_waits` each job is missing that came since the bucket changed.
    The times are added up when a worker rests: then one subtraction does for all jobs since.

    Attributes:
        taken: How many jobs have run.
        failed: Those among them whose function raised.
        interrupted: Those among them that `checkCancelled` ended.
        cancelled: How many were cancelled before they ran.
        waitSeconds: For how long those that ran had waited in the queue, in all.
        runSeconds: For how long they ran.
    """

    __slots__ = (
        "_bucket",
        "_slow",
        "_waits",
        "cancelled",
        "failed",
        "interrupted",
        "runSeconds",
        "taken",
        "waitSeconds",
    )

    def __init__(self) -> None:
        self.taken = 0
        self.failed = 0
        self.interrupted = 0
        self.cancelled = 0
        self.waitSeconds = 0.0
        self.runSeconds = 0.0
        self._slow = [0] * (len(BOUNDS) + 1)
        self._waits = [0] * (len(BOUNDS) + 1)
        self._bucket = 0

    def skip(self) -> None:
        """Note that the present job does not run: the worker is about to count it, wrongly."""
        self.taken -= 1

    def ranFor(self, seconds: float) -> None:
        """Note that the job that has just been counted was not a quick one."""
        self._slow[bisect_right(BOUNDS, seconds)] += 1

    def waitedFor(self, seconds: float) -> tuple[float, float]:
        """Note for how long the job that is about to be counted has waited.

        Returns:
            The bounds, in seconds: jobs that wait for longer or shorter have to be noted.
        """
        self._waits[self._bucket] += self.taken - sum(self._waits)
        self._bucket = bucket = bisect_right(BOUNDS, seconds)
        low = BOUNDS[bucket - 1] if bucket else float("-inf")
        return low, BOUNDS[bucket] if bucket < len(BOUNDS) else float("inf")

    def runTimes(self) -> list[int]:
        """Return how many jobs ran for how long, by bucket."""
        return [self.taken - sum(self._slow[1:]), *self._slow[1:]]

    def waitTimes(self) -> list[int]:
        """Return how many jobs waited for how long, by bucket."""
        waits = list(self._waits)
        waits[self._bucket] += self.taken - sum(waits)
        return waits

    def add(self, other: Tally) -> None:
        """Count another's on top."""
        waits = zip(self.waitTimes(), other.waitTimes(), strict=True)
        self._slow = [a + b for a, b in zip(self._slow, other._slow, strict=True)]
        self.taken += other.taken
        self._waits = [a + b for a, b in waits]
        self.failed += other.failed
        self.interrupted += other.interrupted
        self.waitSeconds += other.waitSeconds
        self.runSeconds += other.runSeconds
        self.cancelled += other.cancelled


def describeStuck(worker: Worker) -> StuckWorker | None:
    """Return what a worker does and where it stands, or None if it is idle. Thread: any."""
    item = worker.item
    thread = worker.thread
    if item is None or thread is None:
        return None
    frame = sys._current_frames().get(thread.ident or 0)
    stack = "" if frame is None else "".join(_usersStack(frame))
    return StuckWorker(thread.name, _functionOf(worker), monotonic() - worker.since, stack)


def _usersStack(frame: FrameType) -> list[str]:
    """Return the lines of a worker's stack, without the outermost frames: threading's and ours."""
    frames: list[FrameType] = []
    outer: FrameType | None = frame
    while outer is not None:
        frames.append(outer)
        outer = outer.f_back
    stack = traceback.extract_stack(frame)
    while frames and str(frames.pop().f_globals.get("__name__")).startswith(_OUTERMOST):
        del stack[0]
    return traceback.format_list(stack)


def _functionOf(worker: Worker) -> str:
    item = worker.item
    if item is None:
        return "nothing"
    function = item[1] if isinstance(item, tuple) else item.function
    return "nothing" if function is None else describe(function)


def ageOfOldest(workers: Workers, now: float) -> float:
    """Return for how many seconds the oldest job has waited; 0 if there is none."""
    try:
        item = workers.queue[0]
    except IndexError:
        return 0.0
    return now - (item[3] if isinstance(item, tuple) else item.queued)


def snapshot(workers: Workers, name: str | None) -> PoolStats:
    """Return what workers do now and have done. Thread: any."""
    now = monotonic()
    total = Tally()
    with workers.lock:
        members = list(workers.members)
        total.add(workers.past)
    activity = []
    for worker in members:
        if not worker.hasStarted():
            continue
        total.add(worker.tally)
        if worker.item is not None:  # since its last rest; the job that it runs is not counted yet
            total.runSeconds += max(0.0, worker.since - worker.busySince)
        activity.append(_activityOf(worker, now))
    states = [worker.state for worker in activity]
    return PoolStats(
        name=name,
        state=workers.state.value,
        minimum=workers.minimum,
        maximum=workers.maximum,
        workers=len(states),
        idle=states.count("idle"),
        busy=states.count("busy"),
        waiting=states.count("waiting"),
        compensating=workers.compensation.compensating(),
        queued=len(workers.queue),
        oldest=ageOfOldest(workers, now),
        done=total.taken - total.failed - total.interrupted,
        failed=total.failed,
        cancelled=total.cancelled + total.interrupted + workers.cancelled,
        abandoned=workers.abandoned,
        waitTimes=Histogram(BOUNDS, tuple(total.waitTimes()), total.waitSeconds),
        runTimes=Histogram(BOUNDS, tuple(total.runTimes()), total.runSeconds),
        activity=activity,
    )


def _activityOf(worker: Worker, now: float) -> WorkerStats:
    item = worker.item
    thread = "?" if worker.thread is None else worker.thread.name
    if item is None:
        return WorkerStats(thread, "idle", None, now - worker.since, False)
    return WorkerStats(
        thread,
        worker.state.value,
        _functionOf(worker),
        now - worker.since,
        not isinstance(item, tuple) and item.cancelRequested,
    )


showAs(
    "twistlike.python.threadpool",
    globals(),
    ["Histogram", "PoolStats", "StuckWorker", "WorkerStats"],
)
