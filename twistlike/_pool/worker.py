"""A worker of a pool: takes jobs from the queue, runs them, sleeps when there are none.

All of it runs in the worker's own thread, except `Worker.wakeLock.release()`.
"""

from __future__ import annotations

import threading
from contextvars import Context
from enum import Enum
from functools import partial
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any

from twistlike._base.coroutines import NOT_RUN
from twistlike._base.failure import Failure
from twistlike._base.functions import describeWithPlace
from twistlike._base.interrupts import finish
from twistlike._pool.stats import BOUNDS, Tally
from twistlike._pool.unrun import refuseUnrun
from twistlike._wakeup.gil_handoff import HandoffLock

if TYPE_CHECKING:
    from twistlike._pool.jobs import Call, QueuedJob
    from twistlike._pool.workers import Workers

__all__ = ["Worker", "WorkerState", "currentWorker"]

_local = threading.local()

# How many quick jobs are not looked at between two that are.
_LOT = 3

# Seconds that an idle worker sleeps on the pool's `HandoffLock`, before it goes on to sleep on its
# own lock. Nobody asks for jobs one after another with such a pause between them, and a lock needs
# no look once a second whether its descriptor is there still.
_HANDOFF_WAIT = 1.0


def currentWorker() -> Worker | None:
    """Return the worker whose thread runs this code, or None. Thread: any."""
    return getattr(_local, "worker", None)


class WorkerState(Enum):
    """What a worker does; the value is the word that `WorkerStats.state` shows."""

    IDLE = "idle"
    BUSY = "busy"
    WAITING = "waiting"


class Worker:
    """One thread of a pool, and what it does now.

    Attributes:
        number: The number in its name.
        permit: Its permit to work: its number, in a list that is empty once the permit was given
            back or taken away.
        wakeLock: What it sleeps on, held by it: its own lock, or the pool's `HandoffLock`. Whoever
            takes the worker off `Workers.idle` releases it, exactly once.
        startToken: One token. Popped by the new thread as it begins to work, or by its starter who
            gives it up.
        item: The job that it runs, or None.
        compensated: Whether it waits for other jobs of its pool, see `ThreadPool.compensated`.
        justWoken: Whether the next job is the first one since it rested.
        since: When it began with the job, or fell idle, in seconds of `time.monotonic`.
        busySince: When it last began to work, after a rest.
        tally: What it has done.
    """

    __slots__ = (
        "_lock",
        "busySince",
        "compensated",
        "item",
        "justWoken",
        "number",
        "permit",
        "since",
        "startToken",
        "tally",
        "thread",
        "wakeLock",
        "workers",
    )

    def __init__(self, workers: Workers, number: int) -> None:
        self.workers = workers
        self.number = number
        self.permit = [number]
        self._lock = Lock()
        self._lock.acquire()
        self.wakeLock: Lock | HandoffLock = self._lock
        self.startToken = [None]
        self.item: Call | QueuedJob | None = None
        self.compensated = False
        self.justWoken = False
        self.since = self.busySince = monotonic()
        self.tally = Tally()
        self.thread: threading.Thread | None = None

    def hasStarted(self) -> bool:
        """Return whether its thread runs. Until then nobody counts it."""
        return not self.startToken

    @property
    def state(self) -> WorkerState:
        """What it does. Thread: any."""
        if self.item is None:
            return WorkerState.IDLE
        return WorkerState.WAITING if self.compensated else WorkerState.BUSY

    def main(self) -> None:
        """Work until the pool needs this worker no longer: what the thread runs."""
        workers = self.workers
        killed = False
        try:
            _local.worker = self
            # No token: its starter was interrupted, and has given it up.
            if self._isTaken() and workers.initialize():
                try:
                    self._workOn()
                except BaseException as error:
                    killed = True
                    self._killed(error)
                workers.finalize()
        finally:
            _local.worker = None
            try:
                workers.leave(self)
            except BaseException:
                # An exception from outside came in the middle of it. Nothing is done twice.
                killed = True
                finish(partial(workers.leave, self))
        if killed:
            workers.fill()

    def _workOn(self) -> None:
        # A loop of its own: where one in a `try` jumps back, 3.12 and later find no `except`.
        while (context := Context()).run(self._work, context):
            pass

    def _isTaken(self) -> bool:
        try:
            self.startToken.pop()
        except IndexError:
            return False
        return True

    def _work(self, empty: Context) -> bool:
        """Run jobs, and sleep between them.

        Args:
            empty: The context that this is called in. Jobs run in it whose submitters had an empty
                context, as most threads have: to keep one for each job that is queued, and to enter
                it, would cost more than to look whether the last job left something in it.

        Returns:
            False if the worker shall leave; True if the last job has set something in the context,
            so that the next one needs another.
        """
        workers = self.workers
        surplus = workers.surplus
        queue = workers.queue
        tally = self.tally
        quick = BOUNDS[0]
        # Between these was the last job's time in the queue: the next one's mostly is, too.
        low, high = 0.0, quick
        # `for` over an iterator and not `item = popleft()`: a thread can be killed
        # (PyThreadState_SetAsyncExc) where a call returns, before its result is stored, and the job
        # would be lost. There is no such point between the iterator and the loop's variable.
        source = iter(queue.popleft, None)
        item: Any
        context: Context | None
        while True:
            if surplus and workers.dismiss(self):
                return False
            # Reset before we look at the queue: a submitter that relied on our coming had appended
            # before, so we see its job; one that appends later sees the reset, and calls again.
            workers.wakeDeadline = 0.0
            self.since = self.busySince = begin = monotonic()
            woken = True
            awaited = False
            waited = 0.0
            self.justWoken = True
            unseen = lot = 0
            try:
                for item in source:
                    self.item = item
                    if woken:
                        # One sleeper is woken at a time: it wakes the next, if there is work left.
                        woken = False
                        if queue:
                            workers.ensureWorker(begin)
                    if type(item) is tuple:
                        # Not unpacked: names would keep the function and its arguments alive
                        # while a later job, which is no tuple, runs.
                        try:
                            if (context := item[0]) is None:
                                result = item[1](*item[2])
                            else:
                                result = context.run(item[1], *item[2])
                            if result is not None and type(result) in NOT_RUN:
                                refuseUnrun(result, item[1])
                            result = None
                        except BaseException as error:
                            self._callFailed(error, item[1])
                    else:
                        try:
                            item.run(self, empty)
                        except BaseException as error:
                            self._jobFailed(error, item)
                    self.item = None
                    tally.taken += 1
                    # While jobs are quick, one in four is looked at: looking costs as much as the
                    # rest of this loop. Four that take less than 0.1 ms are four quick ones.
                    if unseen < lot and queue and not empty and not surplus:
                        unseen += 1
                        continue
                    # One look at the clock is the end of this job and the beginning of the next.
                    end = monotonic()
                    wait = begin - (item[3] if isinstance(item, tuple) else item.queued)
                    if not low <= wait < high:
                        low, high = tally.waitedFor(wait)
                    waited += wait * (unseen + 1)
                    unseen = 0
                    if end - begin < quick:
                        lot = _LOT
                    else:
                        lot = 0
                        tally.ranFor(end - begin)
                        tally.waitSeconds += waited
                        waited = 0.0
                    self.since = begin = end
                    if empty:
                        tally.runSeconds += begin - self.busySince
                        tally.waitSeconds += waited
                        return True
                    if surplus or not queue:
                        awaited = not isinstance(item, tuple) and item.isAwaited()
                        break
            except IndexError:
                pass  # another worker was quicker
            tally.runSeconds += begin - self.busySince
            tally.waitSeconds += waited
            # Nothing of the last job stays alive in this frame while we sleep.
            item = context = None
            if not self._rest(begin, awaited):
                return False

    def _rest(self, now: float, awaited: bool) -> bool:
        """Sleep until there may be work.

        Args:
            now: `time.monotonic()`
            awaited: Whether somebody has waited for the last job.

        Returns:
            False if the worker shall leave.
        """
        self.since = self.busySince = now
        if not self.workers.open and not self.workers.queue:
            return False
        workers = self.workers
        # If somebody waits for a job, it is best to be woken at once: see `gil_handoff`.
        handoff = workers.handoff
        lock = handoff.take() if awaited else None
        if lock is not None:
            self.wakeLock = lock
            woken = self._sleep(True, _HANDOFF_WAIT)
            self.wakeLock = self._lock
            handoff.giveBack(lock)
            if woken:
                return True
            if workers.idleTimeout <= _HANDOFF_WAIT:
                return not workers.retire(self)
        # The worker that sleeps on the `HandoffLock` comes first.
        first = not (awaited and handoff.taken)
        return self._sleep(first, workers.idleWait()) or not workers.retire(self)

    def _sleep(self, first: bool, limit: float) -> bool:
        """Sleep on `wakeLock`.

        Args:
            first: Be the next one to be woken, not the last.
            limit: For how long, in seconds; -1 is for ever.

        Returns:
            False if nobody has woken it in that time.
        """
        workers = self.workers
        if first:
            workers.idle.append(self)
        else:
            workers.idle.insert(0, self)
        # Race: a submitter appends, finds no worker idle, and leaves; we had looked at the queue
        # before that. It appends before it looks at `wakeDeadline` or `idle`, we publish ourselves
        # in `idle` and reset `wakeDeadline` before we look at the queue once more: one of us sees
        # the other. The same for `surplus`, and for `open`.
        workers.wakeDeadline = 0.0
        if workers.queue or workers.surplus or not workers.open:
            if not self._withdraw():
                self.wakeLock.acquire()  # taken off the list by someone who wakes us just now
        elif not self.wakeLock.acquire(True, limit):
            # Race: someone took us off the list while our time ran out. Whoever takes us off wakes
            # us: if we are not on the list any more a job counts on us, and we wait for that.
            if self._withdraw():
                return False
            self.wakeLock.acquire()
        elif self in workers.idle:
            # Nobody has taken us off: the lock's descriptor was closed, and is another one by now.
            self._withdraw()
        return True

    def _withdraw(self) -> bool:
        """Take ourselves off the list of the idle. False: someone else has, and wakes us."""
        try:
            self.workers.idle.remove(self)
        except ValueError:
            return False
        return True

    def _callFailed(self, error: BaseException, function: object) -> None:
        self.tally.failed += 1
        failure = Failure.fromException(error)
        what = describeWithPlace(function)
        self.workers.report(failure, f"{what} failed in thread {_nameOf(self)}")

    def _jobFailed(self, error: BaseException, item: QueuedJob) -> None:
        """Handle an error that came out of a job: of its `onResult`, or from outside, as a kill."""
        # A kill may come before the job's first line: then nobody has taken it yet, and it fails.
        if not item.interrupted(error):
            failure = Failure.fromException(error)
            self.workers.report(failure, f"onResult of a job failed in thread {_nameOf(self)}")

    def _killed(self, error: BaseException) -> None:
        """Handle an exception from outside that came between two jobs, or while it slept."""
        self.wakeLock = self._lock  # a `HandoffLock` is not given back: it may still be released
        item, self.item = self.item, None
        if item is None:
            self._withdraw()
            if not issubclass(type(error), SystemExit):
                failure = Failure.fromException(error)
                self.workers.report(failure, f"Thread {_nameOf(self)} was killed")
        elif isinstance(item, tuple):
            self._callFailed(error, item[1])
        else:
            item.interrupted(error)


def _nameOf(worker: Worker) -> str:
    return "?" if worker.thread is None else worker.thread.name
