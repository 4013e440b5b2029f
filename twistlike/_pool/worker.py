"""
A worker of a pool: takes jobs from the queue, runs them, sleeps when there are none. All of it runs
in the worker's own thread, except `Worker.bell.release()`.
"""

from __future__ import annotations

import threading
from contextvars import Context
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any

from twistlike._base.failure import Failure
from twistlike._pool.jobs import describe
from twistlike._pool.stats import BOUNDS, Tally
from twistlike._wakeup.gil_handoff import QuickBell

if TYPE_CHECKING:
    from twistlike._pool.jobs import Call, QueuedJob
    from twistlike._pool.workers import Crew

__all__ = ["Worker", "currentWorker"]

_local = threading.local()


def currentWorker() -> Worker | None:
    """Return the worker whose thread runs this code, or None. Thread: any."""
    return getattr(_local, "worker", None)


class Worker:
    """
    One thread of a crew, and what it does now.

    Attributes:
        number: The number in its name.
        permit: Its permit to work: its number, in a list that is empty once the permit was given
            back or taken away.
        bell: What it sleeps on, held by it: its own lock, or the pool's quick bell. Who takes it
            off `Crew.idle` releases it, exactly once.
        birth: One token. Popped by the new thread as it begins to work, or by the starter who gives
            it up.
        item: The job that it runs, or None.
        lent: It waits for other jobs of its pool, see `ThreadPool.lent`.
        since: When it began with the job, or fell idle, in seconds of `time.monotonic`.
        tally: What it has done.
    """

    __slots__ = (
        "_lock",
        "bell",
        "birth",
        "crew",
        "item",
        "lent",
        "number",
        "permit",
        "since",
        "tally",
        "thread",
    )

    def __init__(self, crew: Crew, number: int) -> None:
        self.crew = crew
        self.number = number
        self.permit = [number]
        self._lock = Lock()
        self._lock.acquire()
        self.bell: Lock | QuickBell = self._lock
        self.birth = [None]
        self.item: Call | QueuedJob | None = None
        self.lent = False
        self.since = monotonic()
        self.tally = Tally()
        self.thread: threading.Thread | None = None

    def isBorn(self) -> bool:
        """Does its thread run? Until then nobody counts it."""
        return not self.birth

    def main(self) -> None:
        """Live: what the thread runs."""
        crew = self.crew
        killed = False
        try:
            # Nothing to pop: given up by its starter, which an interrupt had hit.
            _local.worker = self
            if self._isTaken() and crew.initialize():
                try:
                    while (context := Context()).run(self._work, context):
                        pass
                except BaseException as error:
                    killed = True
                    self._killed(error)
                crew.finalize()
        finally:
            _local.worker = None
            try:
                crew.leave(self)
            except BaseException:
                # Hit from outside in the middle of it. What was done is not done again.
                killed = True
                crew.leave(self)
        if killed:
            crew.fill()

    def _isTaken(self) -> bool:
        try:
            self.birth.pop()
        except IndexError:
            return False
        return True

    def _work(self, empty: Context) -> bool:
        """
        Run jobs, and sleep between them.

        Args:
            empty: The context that this is called in. Jobs run in it whose submitters had an empty
                context, as most threads have: to keep one for each job that is queued, and to enter
                it, would cost more than to look whether the last job left something in it.

        Returns:
            False if the worker is to leave; True if the last job has set something in the context,
            which is nobody else's, so that the next one needs another.
        """
        crew = self.crew
        excess = crew.excess
        queue = crew.queue
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
            if excess and crew.dismiss(self):
                return False
            # Reset before we look at the queue: a submitter that relied on our coming had appended
            # before, so we see its job; one that appends later sees the reset, and calls again.
            crew.callBy = 0.0
            begin = monotonic()
            woken = True
            awaited = False
            try:
                for item in source:
                    self.item = item
                    self.since = begin
                    if woken:
                        # One sleeper is woken at a time: whoever wakes calls the next, if there is
                        # work left.
                        woken = False
                        if queue:
                            crew.attend(begin)
                    if type(item) is tuple:
                        # Not unpacked: names would keep the function and its arguments alive
                        # while a later job, which is no tuple, runs.
                        queued = item[3]
                        try:
                            if (context := item[0]) is None:
                                item[1](*item[2])
                            else:
                                context.run(item[1], *item[2])
                        except BaseException as error:
                            self._callFailed(error, item[1])
                    else:
                        queued = item.queued
                        try:
                            item.run(self, empty)
                        except BaseException as error:
                            self._jobFailed(error, item)
                    self.item = None
                    # One look at the clock is the end of this job and the beginning of the next.
                    end = monotonic()
                    if not low <= begin - queued < high:
                        low, high = tally.waitedFor(begin - queued)
                    tally.done += 1
                    if end - begin >= quick:
                        tally.ranFor(end - begin)
                    begin = end
                    if empty:
                        return True
                    if excess or not queue:
                        awaited = not isinstance(item, tuple) and item.isAwaited()
                        break
            except IndexError:
                pass  # another worker was quicker
            # Nothing of the last job stays alive in this frame while we sleep.
            item = context = None
            if not self._rest(begin, awaited):
                return False

    def _rest(self, now: float, awaited: bool) -> bool:
        """
        Sleep until there may be work.

        Args:
            now: `time.monotonic()`
            awaited: Has somebody waited for the last job?

        Returns:
            False if the worker is to leave.
        """
        self.since = now
        if not self.crew.open and not self.crew.queue:
            return False
        # If somebody waits for a job, it is best to be woken at once: see `handover`.
        bells = self.crew.bells
        quick = bells.take() if awaited else None
        if quick is None:
            # The one that sleeps on the quick bell is to be woken before us.
            return self._sleep(first=not (awaited and bells.taken))
        self.bell = quick
        stay = self._sleep(first=True)
        self.bell = self._lock
        bells.giveBack(quick)
        return stay

    def _sleep(self, first: bool) -> bool:
        """
        Sleep on the bell.

        Args:
            first: Be the next one to be woken, not the last.

        Returns:
            False if the worker is to leave.
        """
        crew = self.crew
        if first:
            crew.idle.append(self)
        else:
            crew.idle.insert(0, self)
        # Race: a submitter appends, finds nobody idle, and leaves; we had looked at the queue
        # before that. It appends before it looks at `callBy` or `idle`, we publish ourselves in
        # `idle` and reset `callBy` before we look at the queue once more: one of us sees the other.
        # The same for `excess`, and for `open`.
        crew.callBy = 0.0
        if crew.queue or crew.excess or not crew.open:
            if not self._withdraw():
                self.bell.acquire()  # taken off the list by someone who rings, or is about to
        elif not self.bell.acquire(True, crew.patience()):
            # Race: someone took us off the list while our time ran out. Whoever takes us off rings,
            # and only then: if we are not on the list any more a job counts on us, and we wait for
            # the bell.
            if self._withdraw():
                return not crew.retire(self)
            self.bell.acquire()
        return True

    def _withdraw(self) -> bool:
        """Take ourselves off the list of the idle. False: someone else has, and rings."""
        try:
            self.crew.idle.remove(self)
        except ValueError:
            return False
        return True

    def _callFailed(self, error: BaseException, function: object) -> None:
        self.tally.failed += 1
        failure = Failure.fromException(error)
        self.crew.report(failure, f"{describe(function)} failed in thread {_nameOf(self)}")

    def _jobFailed(self, error: BaseException, item: QueuedJob) -> None:
        """
        An error came out of a job: of its `onResult`, or one that hit this thread from outside.
        """
        # A kill may come before the job's first line: then nobody has taken it yet, and it fails.
        if not item.hit(error):
            failure = Failure.fromException(error)
            self.crew.report(failure, f"onResult of a job failed in thread {_nameOf(self)}")

    def _killed(self, error: BaseException) -> None:
        """An exception from outside hit the thread between two jobs, or while it slept."""
        self.bell = self._lock  # a quick bell is not given back: it may still be rung
        item, self.item = self.item, None
        if item is None:
            self._withdraw()
            if not isinstance(error, SystemExit):
                failure = Failure.fromException(error)
                self.crew.report(failure, f"Thread {_nameOf(self)} was killed")
        elif isinstance(item, tuple):
            self._callFailed(error, item[1])
        else:
            item.hit(error)


def _nameOf(worker: Worker) -> str:
    return "?" if worker.thread is None else worker.thread.name
