"""
A worker of a pool: takes jobs from the queue, runs them, sleeps when there are none. All of it runs in the
worker's own thread, except `Worker.bell.release()`.
"""

from __future__ import annotations

import threading
from time import monotonic
from typing import TYPE_CHECKING, Any

from twistlike.python.failure import Failure
from twistlike.python.threadpool._jobs import describe

if TYPE_CHECKING:
    from twistlike.python.threadpool._crew import Crew
    from twistlike.python.threadpool._jobs import Call, FutureJob, Job

__all__ = ["Worker", "currentWorker"]

_local = threading.local()


def currentWorker() -> Worker | None:
    """Return the worker whose thread runs this code, or None. Thread: any."""
    return getattr(_local, "worker", None)


class Worker:
    """
    One thread of a crew, and what it does now.

    Attributes:
        number: Its permit to work, which is also the number in its name. None once the permit was taken away.
        bell: What it sleeps on, held by it. Who takes it off `Crew.idle` releases it, exactly once.
        birth: One token. Popped by the new thread as it begins to work, or by the starter who gives it up.
        item: The job that it runs, or None.
        lent: It waits for other jobs of its pool, see `ThreadPool.lent`.
        since: When it began with the job, or fell idle, in seconds of `time.monotonic`.
    """

    __slots__ = ("bell", "birth", "crew", "item", "lent", "number", "since", "thread")

    def __init__(self, crew: Crew, number: int) -> None:
        self.crew = crew
        self.number: int | None = number
        self.bell = threading.Lock()
        self.bell.acquire()
        self.birth = [None]
        self.item: Call | Job | FutureJob | None = None
        self.since = monotonic()
        self.lent = False
        self.thread: threading.Thread | None = None

    def isBorn(self) -> bool:
        """Does its thread run? Until then nobody counts it."""
        return not self.birth

    def main(self) -> None:
        """Live: what the thread runs."""
        try:
            self.birth.pop()
        except IndexError:
            return  # given up by its starter, which an interrupt had hit
        _local.worker = self
        crew = self.crew
        try:
            if crew.initialize(self):
                self._work()
        except BaseException as error:
            self._killed(error)
        try:
            crew.finalize(self)
        finally:
            _local.worker = None
            crew.leave(self)

    def _work(self) -> None:
        crew = self.crew
        excess = crew.excess
        # `for` over an iterator and not `item = popleft()`: a thread can be killed (PyThreadState_SetAsyncExc)
        # where a call returns, before its result is stored, and the job would be lost. There is no such point
        # between the iterator and the loop's variable.
        source = iter(crew.queue.popleft, None)
        item: Any
        function: Any
        while True:
            if excess and crew.dismiss(self):
                return
            begin = monotonic()
            woken = True
            try:
                for item in source:
                    self.item = item
                    self.since = begin
                    if woken:
                        # One sleeper is woken at a time: whoever wakes calls the next, if there is work left.
                        woken = False
                        if crew.queue:
                            crew.attend(begin)
                    if item.__class__ is tuple:
                        context, function, args, kwargs, queued = item
                        try:
                            context.run(function, *args, **kwargs)
                        except BaseException as error:
                            self._callFailed(error, function)
                    else:
                        try:
                            item.run()
                        except BaseException as error:
                            self._jobFailed(error, item)
                    self.item = None
                    begin = monotonic()
                    if excess:
                        break
            except IndexError:
                # The queue is empty. Nothing of the last job stays alive in this frame while we sleep.
                item = context = function = args = kwargs = None
                if not self._rest():
                    return

    def _rest(self) -> bool:
        """Sleep until there may be work. Returns False if the worker is to leave."""
        crew = self.crew
        idle = crew.idle
        bell = self.bell
        self.since = monotonic()
        if not crew.open:
            return bool(crew.queue)
        idle.append(self)
        # Race: a submitter appends, finds nobody idle, and leaves; we had looked at the queue before that. It
        # appends before it looks at `idle` (or at `callBy`), we publish ourselves in `idle` and reset `callBy`
        # before we look at the queue once more: one of us sees the other.
        crew.callBy = 0.0
        if crew.queue or crew.excess or not crew.open:
            if not self._withdraw():
                bell.acquire()  # taken off the list by someone who rings, or is about to
                crew.callBy = 0.0
            return True
        if bell.acquire(True, crew.patience()) or not self._withdraw():
            return self._woken()
        return not crew.retire(self)

    def _woken(self) -> bool:
        # `callBy` is reset before we look at the queue: a submitter that relied on our waking had appended
        # before, so we see its job; one that appends later sees the reset, and calls again.
        self.crew.callBy = 0.0
        return True

    def _withdraw(self) -> bool:
        """Take ourselves off the list of the idle. False: someone else has, and rings."""
        try:
            self.crew.idle.remove(self)
        except ValueError:
            return False
        return True

    def _callFailed(self, error: BaseException, function: object) -> None:
        self.crew.failed += 1
        self.crew.report(Failure.fromException(error), f"{describe(function)} failed in a thread")

    def _jobFailed(self, error: BaseException, item: Job | FutureJob) -> None:
        """An error came out of a job: of its `onResult`, or one that hit this thread from outside."""
        if item.running is not None:
            item.hit(error)
            return
        self.crew.report(Failure.fromException(error), "The callback of a job in a thread failed")

    def _killed(self, error: BaseException) -> None:
        """An exception from outside hit the thread between two jobs, or while it slept."""
        item, self.item = self.item, None
        if item is None:
            self._withdraw()
        elif isinstance(item, tuple):
            self._callFailed(error, item[1])
        else:
            item.hit(error)
        if not isinstance(error, SystemExit):
            self.crew.report(Failure.fromException(error), "A worker thread was killed")
