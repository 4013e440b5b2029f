"""Spare workers, for those that wait for other jobs of their pool, or run a job that was cancelled.

How it works
------------
The beginning of a wait is only noted. The watchdog, which runs while jobs are queued and no worker
is free, adds a permit on top of the maximum for each worker that has waited for longer than
`COMPENSATE_AFTER`, the oldest first, up to the limit. Most waits are over before that: one thread
for each of them at once was tried, and a flood of jobs that each ask the loop something had 60
threads instead of 10, and ran into the limit.
"""

from __future__ import annotations

from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from twistlike._base.interrupts import finish
from twistlike._base.naming import showAs
from twistlike._pool.errors import PoolWedgedError
from twistlike._pool.worker import currentWorker

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from twistlike._pool.workers import Workers

__all__ = ["COMPENSATE_AFTER", "BlockedWorker", "Compensation"]

# Seconds. A loop that is alive answers a call in less; a thread costs about 0.1 ms to start.
COMPENSATE_AFTER = 0.01

# A pool is wedged when no job has ended for this many times its `queueWarnAfter`, with every worker
# waiting.
WEDGED_AFTER = 5


class BlockedWorker:
    """The time in which a worker only waits: a context manager. See `ThreadPool.compensated`."""

    __slots__ = ("_worker", "_workers", "onWedged")

    def __init__(
        self, workers: Workers, onWedged: Callable[[PoolWedgedError], object] | None = None
    ) -> None:
        self._workers = workers
        self._worker: Any = None
        self.onWedged = onWedged

    def __enter__(self) -> Self:
        worker = currentWorker()
        # One that waits inside of another wait is compensated once.
        if worker is not None and worker.workers is self._workers and not worker.compensated:
            self._worker = worker  # first: `__exit__` undoes what an exception has interrupted
            worker.compensated = True
            self._workers.compensation.begin(self)
        return self

    def __exit__(self, *details: object) -> None:
        """End the wait. Twice does no harm."""
        worker = self._worker
        if worker is not None:
            worker.compensated = False
            self._workers.compensation.end(self)
            self._worker = None


class _Entry:
    """When a wait began, and whether a permit was added for it."""

    __slots__ = ("compensated", "since")

    def __init__(self) -> None:
        self.since = monotonic()
        self.compensated = False


class Compensation:
    """The workers of a pool that wait, and the permits that were added for them."""

    def __init__(self, workers: Workers, limit: int, callUser: Callable[..., object]) -> None:
        self._workers = workers
        self.limit = limit
        self._callUser = callUser  # the watchdog's
        # By `BlockedWorker`, or by the job that was cancelled while it ran; the oldest first.
        self._waiting: dict[object, _Entry] = {}
        # Since when, and at which number of jobs done, the pool has looked wedged.
        self._wedged: tuple[float, int] | None = None

    def compensating(self) -> int:
        """Return how many permits there are on top of the maximum. Thread: any."""
        return sum(entry.compensated for entry in list(self._waiting.values()))

    def begin(self, blocked: object) -> None:
        """Note that a wait has begun. Thread: any."""
        with self._workers.lock:
            if blocked not in self._waiting:
                self._waiting[blocked] = _Entry()

    def end(self, blocked: object) -> None:
        """Take back the permit. Does nothing if the wait has ended already. Thread: any."""
        try:
            with self._workers.lock:
                entry = self._waiting.pop(blocked, None)
            if entry is not None and entry.compensated:
                self._workers.balance()
        except BaseException:  # a signal's; perhaps after the entry was taken
            finish(partial(self._endInterrupted, blocked))
            raise

    def _endInterrupted(self, blocked: object) -> None:
        self._waiting.pop(blocked, None)
        self._workers.balance()

    def checkUp(self, now: float) -> None:
        """Add permits for those that have waited for long. Thread: the watchdog's.

        Args:
            now: `time.monotonic()`; no worker is free.
        """
        if not self._waiting:
            self._wedged = None
            return
        with self._workers.lock:
            chosen, isWanting = self._choose(now)
        if chosen:
            self._workers.balance()
            self._wedged = None
        elif isWanting:
            self._breakWedge(now)

    def _choose(self, now: float) -> tuple[int, bool]:
        """Note for which waits there is to be a permit. Under the lock.

        Returns:
            How many have been chosen now, and whether any has waited for long enough.
        """
        wanting = [
            entry
            for entry in self._waiting.values()
            if not entry.compensated and now - entry.since >= COMPENSATE_AFTER
        ]
        chosen = wanting[: max(0, self.limit - self.compensating())]
        for entry in chosen:
            entry.compensated = True
        return len(chosen), bool(wanting)

    def _breakWedge(self, now: float) -> None:
        """Fail the newest wait if no worker has been left to run a job for long."""
        workers = self._workers
        # Workers that wait, or are stuck with a cancelled job. One of both kinds counts as two:
        # that may tell a wedge too early by one worker, after a long time without any progress.
        if len(self._waiting) < len(workers.members):
            self._wedged = None
            return
        done = workers.countDone()
        if self._wedged is None or self._wedged[1] != done:
            self._wedged = (now, done)
        elif now - self._wedged[0] >= WEDGED_AFTER * workers.queueWarnAfter:
            self._wedged = None
            for blocked in reversed(list(self._waiting)):
                if isinstance(blocked, BlockedWorker) and blocked.onWedged is not None:
                    onWedged, blocked.onWedged = blocked.onWedged, None
                    self._callUser(self._workers, onWedged, self._error())
                    return

    def _error(self) -> PoolWedgedError:
        workers = self._workers
        return PoolWedgedError(
            f"all {len(workers.members)} workers of the pool, {self.compensating()} spare ones"
            f" included, wait for jobs of the same pool, and {len(workers.queue)} jobs are queued"
            " behind them; raise "
            f"ThreadPool.maxSpare (now {self.limit}), or do not wait in a pool's job for another "
            "one of the same pool"
        )


showAs("twistlike.python.threadpool", globals(), ["BlockedWorker"])
