"""The workers of a pool and the queue that they share. Any thread may call in; nothing here blocks for
long.

How it works:

- Permits. A worker needs a permit to live. There are as many permits as there may be workers; they
  lie in `freePermits`, or are held by workers. Growing the pool adds permits; shrinking it takes some out
  of `freePermits`, and for those that are held it leaves a token in `surplus`: the next worker that sees
  one leaves, and its permit with it. Tokens are moved by single atomic operations of lists, so the
  sum holds under any interleaving, and in a signal handler, without a lock.
- The call. `wakeDeadline` is 0 if nobody is on the way to the queue, else the time until which somebody
  is, or until which it is known that nobody is free. A submitter appends, then looks at `wakeDeadline`:
  one comparison if all is in hand. It is a time and not a flag so that a call that was lost (its
  caller interrupted by a signal at the wrong place) is made again after `RECALL`.

What is guaranteed: a job that was accepted is run once, or handed an error once, or was cancelled.
No job waits while a worker sleeps. There are never more workers than permits. Nobody is called
while `lock` is held.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from concurrent.futures.thread import BrokenThreadPool
from contextvars import Context
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, NoReturn

from twistlike._base.failure import Failure
from twistlike._pool import watchdog
from twistlike._pool.compensation import Compensation
from twistlike._pool.errors import PoolStoppedError
from twistlike._pool.jobs import describe
from twistlike._pool.stats import StuckWorker, Tally, describeStuck
from twistlike._pool.worker import Worker
from twistlike._wakeup.gil_handoff import HandoffSlot

if TYPE_CHECKING:
    from collections.abc import Callable

    from twistlike._pool.jobs import Call, QueuedJob
    from twistlike._pool.pool import ThreadPool

__all__ = ["Workers", "threadsOf"]

# Seconds after which a call that nobody has answered is made again. A tenth of a second is long for
# a thread to wake up, and costs at most ten needless looks a second.
RECALL = 0.1

# The two kinds of token in `surplus`.
_SHRINK = True  # the permit goes with the worker
_DISMISS = False  # the permit stays


class Workers:
    """The queue and the workers of one life of a pool, from `start` to `stop`. A pool that starts
    again gets a new one.
    """

    def __init__(self, pool: ThreadPool) -> None:
        # Weak: a pool that nobody holds any more is collected, and its workers leave.
        self.pool = weakref.ref(pool, self._orphaned)
        self.queue: deque[Call | QueuedJob] = deque()
        self.idle: list[Worker] = []  # asleep; the last is woken first: mostly the last one used
        self.handoff = HandoffSlot()
        self.freePermits: list[int] = []  # permits that nobody holds
        self.surplus: list[bool] = []
        self.wakeDeadline = 0.0
        # accepts jobs: from the beginning, also before `started`, until `close`
        self.open = True
        self.wasOpen = True
        self.started = False
        self.sealed = False
        self.ended = False
        self.minimum = pool.min
        self.maximum = pool.max
        self.idleTimeout = pool.idleTimeout
        self.members: set[Worker] = set()
        self.leaving: list[threading.Thread] = []
        # Re-entrant, since a finalizer or a signal handler may come in while this thread holds it.
        # Held for a few bytecodes at a time, never while anything of the user's is called or a
        # thread is started.
        self.lock = threading.RLock()
        self.onStopped: list[Callable[[], object]] = []
        self.compensation = Compensation(self, pool.maxSpare)
        self.numbers: list[int] = []  # given back
        self.nextNumber = 0
        self.past = Tally()  # of the workers that have left
        self.abandoned = 0
        self.cancelled = 0
        self.broken = ""
        self._initializer = pool.initializer
        self._initargs = pool.initargs
        self._finalizer = pool.finalizer
        self.queueWarnAfter = pool.queueWarnAfter
        self.watched = False
        self.nextWarning = 0.0

    # ---- submitting and calling workers ----------------------------------------------------------

    def ensureWorker(self, now: float, item: Call | QueuedJob | None = None) -> None:
        """See to it that somebody comes to the queue: wake a worker, start one, or know that none is
        free.

        Args:
            now: `time.monotonic()`
            item: The job that the caller has just appended, if it is to be taken back and the
                caller told when there is no worker and none can be started.
        """
        # Race: a worker falls idle while we find nobody. We set `wakeDeadline` before we look; it
        # publishes itself, then resets `wakeDeadline`, then looks at the queue. If we do not see it, its
        # reset comes after our setting.
        self.wakeDeadline = now + RECALL
        try:
            self._call(item)
        except BaseException:
            self.wakeDeadline = (
                0.0  # perhaps nobody comes: a signal's handler has raised, or a kill
            )
            raise

    def _call(self, item: Call | QueuedJob | None) -> None:
        """Do what `ensureWorker` does, once it is known that somebody is at it."""
        try:
            if self._wake() or self._grow():
                return
        except Exception:
            if not self.members:
                self.wakeDeadline = 0.0
                if item is not None and self.takeBack(item):
                    raise
                return
            # The job waits for one of them.
        self.watch()

    def _wake(self) -> bool:
        """Wake the worker that is to be woken first, if any sleeps."""
        try:
            # `for`: a signal handler that raises cannot come between taking a worker and ringing
            # its bell.
            for worker in iter(self.idle.pop, None):
                worker.wakeLock.release()
                return True
        except IndexError:
            pass
        return False

    def watch(self) -> None:
        """Jobs are queued and nobody is free: have it looked after, once there can be workers."""
        if self.started and not self.watched:
            watchdog.watch(self)

    def _grow(self) -> bool:
        """Start a worker if there is a permit. Raises what starting a thread raises."""
        try:
            for number in iter(self.freePermits.pop, None):
                worker: Worker | None = None
                try:
                    worker = Worker(self, number)
                    self.members.add(worker)
                    # Race: the last worker of a closed crew leaves, and the end is noted, while we
                    # come. We count the new one, then look at `sealed`; `_finish` seals, then
                    # counts. If both see the other, we step back, and see to the end ourselves.
                    if self.sealed:
                        self._undoStart(worker, number)
                        return False
                    self._startThread(worker)
                except BaseException:
                    self._undoStart(worker, number)
                    raise
                return True
        except IndexError:
            pass
        return False

    def _startThread(self, worker: Worker) -> None:
        # A worker that starts another is in the context that its next job is to find empty.
        thread = Context().run(self._makeThread, worker)
        thread.daemon = True  # set, since a thread inherits its maker's
        worker.thread = thread
        watchdog.startThread(thread)

    def _makeThread(self, worker: Worker) -> threading.Thread:
        pool = self.pool()
        factory = threading.Thread if pool is None else pool.threadFactory
        name = "PoolThread" if pool is None else pool.threadName(worker.number)
        return factory(target=worker.main, name=name)

    def _undoStart(self, worker: Worker | None, number: int) -> None:
        """Undo the birth of a worker whose thread could not be started, unless it runs after all."""
        if worker is None:
            self.freePermits.append(number)
        else:
            try:
                worker.startToken.pop()
            except IndexError:
                return  # only the starter was interrupted; the thread runs
            self.members.discard(worker)
            self._giveBack(worker)
        if not self.open:
            self._finish(callForHelp=False)

    def takeBack(self, item: Call | QueuedJob) -> bool:
        """Remove a job that its submitter has just appended. False: a worker has it."""
        with self.lock:
            above = []
            found = False
            # Not deque.remove: that compares jobs by value, and so would call the `==` of users'
            # arguments.
            while self.queue and not found:
                try:
                    last = self.queue.pop()
                except IndexError:
                    break
                found = last is item
                if not found:
                    above.append(last)
            self.queue.extend(reversed(above))
        if self.queue and self.idle:
            self.ensureWorker(monotonic())
        return found

    # ---- for workers -----------------------------------------------------------------------------

    def initialize(self) -> bool:
        """Run the pool's initializer. False: it failed, and the pool is broken."""
        if self._initializer is None:
            return True
        try:
            self._initializer(*self._initargs)
        except BaseException as error:
            self.broken = f"the pool's initializer failed: {error!r}"
            self.open = False
            self.report(Failure.fromException(error), "The initializer of a pool failed")
            self._failQueued(self._brokenError())
            return False
        return True

    def finalize(self) -> None:
        """Run the pool's finalizer."""
        if self._finalizer is None:
            return
        try:
            self._finalizer()
        except BaseException as error:
            self.report(Failure.fromException(error), "The finalizer of a pool failed")

    def _brokenError(self) -> BrokenThreadPool:
        return BrokenThreadPool(f"{self.broken}; start() opens the pool again")

    def idleWait(self) -> float:
        """How long an idle worker sleeps: for ever (-1) if it is one of the minimum."""
        return -1 if len(self.members) <= self.minimum else self.idleTimeout

    def retire(self, worker: Worker) -> bool:
        """A worker that has been idle for long, and is off the list, asks whether it may leave."""
        with self.lock:
            if len(self.members) <= self.minimum:
                return False
            # Now, and not only when it has left: else two leave where one may.
            self.members.discard(worker)
            self._noteLeaving(worker)
        return True

    def dismiss(self, worker: Worker) -> bool:
        """Is this worker one too many? Called by it between two jobs."""
        # Here and below: `for` takes a token such that a kill or a signal cannot come between
        # taking it and putting it where it belongs. The iterators are made before.
        permit = iter(worker.permit.pop, None)
        try:
            for token in iter(self.surplus.pop, None):
                if token is _SHRINK:
                    for number in permit:
                        self.numbers.append(number)
                        break
                return True
        except IndexError:
            pass
        return False

    def _giveBack(self, worker: Worker) -> None:
        """Lay down a worker's permit, or pay with it for one that is to go. Twice does no harm."""
        debts = iter(self.surplus.pop, None)
        try:
            for number in iter(worker.permit.pop, None):
                try:
                    for token in debts:
                        (self.numbers if token is _SHRINK else self.freePermits).append(number)
                        break
                except IndexError:
                    self.freePermits.append(number)
                return
        except IndexError:
            pass

    def _noteLeaving(self, worker: Worker) -> None:
        # `stop` waits for the threads themselves, and this one still has a few steps to go.
        self.leaving = [thread for thread in self.leaving if thread.is_alive()]
        if worker.thread is not None:
            self.leaving.append(worker.thread)

    def leave(self, worker: Worker) -> None:
        """A worker ends."""
        with self.lock:
            self.members.discard(worker)
            tally, worker.tally = worker.tally, Tally()
            self.past.add(tally)
            self._noteLeaving(worker)
            self._giveBack(worker)
        # Race: a submitter came after the worker had left the list of the idle and before its
        # permit was back, and found neither. It appended before it looked, we look after both.
        self.wakeDeadline = 0.0
        if self.queue:
            self.ensureWorker(monotonic())
        if not self.open:
            self._finish()

    def reap(self) -> None:
        """Count out workers whose thread ended without saying so."""
        for worker in list(self.members):
            if worker.hasStarted() and worker.thread is not None and not worker.thread.is_alive():
                self.leave(worker)
        with self.lock:
            self.leaving = [thread for thread in self.leaving if thread.is_alive()]

    # ---- size ------------------------------------------------------------------------------------

    def addPermits(self, count: int) -> None:
        """Let `count` more workers work, at once if jobs are queued."""
        for _ in range(count):
            try:
                token = self.surplus.pop()
            except IndexError:
                token = _DISMISS
            if token is not _SHRINK:
                try:
                    number = self.numbers.pop()
                except IndexError:
                    number = self.nextNumber
                    self.nextNumber += 1
                self.freePermits.append(number)
        self.wakeDeadline = 0.0
        if self.queue:
            self.ensureWorker(monotonic())

    def removePermits(self, count: int) -> None:
        """Let `count` workers fewer work: idle ones leave now, busy ones after their job."""
        for _ in range(count):
            try:
                for number in iter(self.freePermits.pop, None):
                    self.numbers.append(number)
                    break
            except IndexError:
                self.surplus.append(_SHRINK)
                self._wakeOldest()

    def dismissOne(self) -> None:
        """Let one worker end. Its permit stays."""
        if len(self.members) > len(self.surplus):
            self.surplus.append(_DISMISS)
            self._wakeOldest()

    def _wakeOldest(self) -> None:
        try:
            for worker in iter(partial(self.idle.pop, 0), None):  # `for`: see `_wake`
                worker.wakeLock.release()
                return
        except IndexError:
            pass

    def resize(self, minimum: int, maximum: int) -> None:
        """Take new limits."""
        with self.lock:
            change = maximum - self.maximum
            lower = minimum < self.minimum
            self.minimum = minimum
            self.maximum = maximum
            started = self.started
        if not started:
            return
        if change > 0:
            self.addPermits(change)
        else:
            self.removePermits(-change)
        self.fill()
        if lower:
            # Those that sleep for ever, since they belonged to the minimum, are to think again.
            for _ in range(len(self.idle)):
                self._wakeOldest()

    def fill(self) -> None:
        """Start workers up to the minimum."""
        try:
            while self.open and len(self.members) < self.minimum and self._grow():
                pass
        except Exception:
            return  # no thread to be had now: nothing is lost, the next job asks again

    # ---- life ------------------------------------------------------------------------------------

    def start(self, fill: bool = True) -> None:
        """Let the work begin. With `fill`, start the minimum of workers now."""
        with self.lock:
            if self.started:
                return
            self.started = True
            # Under the lock: a `resize` either comes before, or adds to these.
            self.freePermits[:] = range(self.maximum - 1, -1, -1)
            self.nextNumber = self.maximum
        if fill:
            self.fill()
        self.wakeDeadline = 0.0
        if self.queue:
            self.ensureWorker(monotonic())

    def startOne(self) -> None:
        """Start one worker more, if there is a permit. Raises what starting a thread raises."""
        self._grow()

    def _orphaned(self, _: object) -> None:
        self.close()

    @property
    def state(self) -> str:
        """The word for where this life stands."""
        if self.open:
            return "running" if self.started else "not started"
        return "stopped" if self.ended else "stopping"

    def refuse(self) -> NoReturn:
        """Raise the error that a submitter gets who comes too late."""
        if self.broken:
            raise self._brokenError()
        raise PoolStoppedError(
            "cannot schedule new futures after shutdown: the pool was stopped; "
            "start() opens it again"
        )

    def close(self, onStopped: Callable[[], object] | None = None) -> None:
        """Refuse new jobs, let the workers empty the queue and leave. Then, or now if that is done,
        `onStopped()`.
        """
        with self.lock:
            self.open = False
            ended = self.ended
            if onStopped is not None and not ended:
                self.onStopped.append(onStopped)
        if ended:
            if onStopped is not None:
                onStopped()
            return
        for _ in range(len(self.idle)):
            self._wakeOldest()
        self._finish()

    def _finish(self, callForHelp: bool = True) -> None:
        """Note the end of a closed crew, once its last worker has left."""
        if self.members:
            return
        if callForHelp and self.started and self.queue:
            self.ensureWorker(monotonic())
        with self.lock:
            if self.ended:
                return
            self.sealed = True
            if self.members:
                self.sealed = False
                return
            self.ended = True
            callbacks, self.onStopped = self.onStopped, []
        self.handoff.clear()
        watchdog.ended(self)
        self._failQueued(PoolStoppedError("the pool was stopped before this job could run"))
        for callback in callbacks:
            try:
                callback()
            except BaseException as error:
                self.report(Failure.fromException(error), "onStopped of a pool failed")

    def countDone(self) -> int:
        """Return how many jobs have ended."""
        with self.lock:
            return self.past.done + sum(worker.tally.done for worker in list(self.members))

    def noteCancelled(self) -> None:
        """A queued job was cancelled."""
        with self.lock:
            self.cancelled += 1

    def _failQueued(self, error: BaseException) -> None:
        calls: list[str] = []
        while True:
            try:
                item = self.queue.popleft()
            except IndexError:
                break
            self.abandoned += 1
            if isinstance(item, tuple):
                calls.append(describe(item[1]))
                continue
            try:
                item.fail(error)
            except BaseException as raised:
                self.report(Failure.fromException(raised), "onResult of a job failed")
        if calls:
            # One report for all of them: nobody waits for these, and there may be many.
            names = ", ".join(calls[:5]) + (", ..." if len(calls) > 5 else "")
            message = f"{len(calls)} calls of callInThread were not run: {names}"
            self.report(Failure.fromException(error, 0), message)

    def cancelQueued(self) -> None:
        """Cancel what is queued and can be cancelled; drop what cannot."""
        while True:
            try:
                item = self.queue.popleft()
            except IndexError:
                return
            if isinstance(item, tuple) or item.cancelQueued():
                self.abandoned += 1

    def abandon(self, error: BaseException) -> list[StuckWorker]:
        """Fail what is queued, forget who still works. Returns who that is."""
        with self.lock:
            self.open = False
            self.ended = True
            self.onStopped.clear()
            members = list(self.members)
            # Nobody waits for them any more, `stop` and `shutdown` neither.
            self.members.clear()
            self.leaving.clear()
        self.handoff.clear()
        watchdog.ended(self)
        self._failQueued(error)
        return [stuck for worker in members if (stuck := describeStuck(worker)) is not None]

    def abandonAfterFork(self) -> None:
        """In the child of a fork: the threads and the queue are the parent's."""
        self.lock = threading.RLock()
        self.wasOpen = self.open
        self.open = False
        self.ended = True
        self.queue.clear()
        self.idle.clear()
        self.freePermits.clear()
        self.members.clear()
        self.onStopped.clear()

    def report(self, failure: Failure, message: str) -> None:
        """Hand an error that nobody handles to the pool's `onError`. Never raises."""
        try:
            pool = self.pool()
            # Asked of the pool, and not kept here: a worker's references would keep a reactor
            # alive.
            onError = None if pool is None else pool.onError
            if onError is not None:
                onError(failure, message)
                return
        except BaseException as error:
            failure = Failure.fromException(error)
            message = "ThreadPool.onError failed"
        # Not at the top: a report is rare, and logging is slow to import.
        from twistlike._log.report import report

        report(failure, message)


def threadsOf(workers: Workers, busy: bool | None = None) -> list[threading.Thread]:
    """Return the threads of a crew's workers: all, those at work, or (False) those that have nothing
    to do.
    """
    return [
        worker.thread
        for worker in list(workers.members)
        if worker.hasStarted()
        and worker.thread is not None
        and (busy is None or busy is (worker.item is not None))
    ]
