"""The workers of a pool, and the queue that they share. Thread: any; nothing blocks for long.

How it works
------------
- Permits. A worker needs a permit to live. There are as many permits as there may be workers; they
  are in `freePermits`, or held by workers. Growing the pool adds permits; shrinking it takes some
  out of `freePermits`, and for those that are held it leaves a token in `surplus`: the next worker
  that sees one leaves, and its permit with it. Tokens are moved by single atomic operations of
  lists, so the sum holds under any interleaving, and in a signal handler, without a lock.
- Waking. `wakeDeadline` is 0 if no worker is on the way to the queue, else the time until which one
  is, or until which it is known that none is free. A submitter appends, then looks at
  `wakeDeadline`: one comparison if all is in hand. It is a time and not a flag so that a wakeup
  that was lost (a signal interrupted it at the wrong place) is made again after `WAKE_AGAIN`.

Guarantees: a job that was accepted runs once, or gets an error once, or was cancelled; a job whose
submitter got an error does not run. No job waits while a worker sleeps. There are never more
workers than permits. No user's code is called while `lock` is held.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from concurrent.futures.thread import BrokenThreadPool
from contextvars import Context
from enum import Enum
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, NoReturn

from twistlike._base.failure import Failure
from twistlike._base.functions import describe, haveRoom
from twistlike._base.interrupts import finish
from twistlike._pool import watchdog
from twistlike._pool.compensation import Compensation
from twistlike._pool.errors import PoolStoppedError
from twistlike._pool.stats import StuckWorker, Tally, describeStuck
from twistlike._pool.worker import Worker
from twistlike._wakeup.gil_handoff import HandoffSlot

if TYPE_CHECKING:
    from collections.abc import Callable

    from twistlike._pool.jobs import Call, QueuedJob
    from twistlike._pool.pool import ThreadPool

__all__ = ["PoolState", "Workers", "setExiting", "threadsOf"]

# Seconds after which a wakeup that no worker has answered is made again. A tenth of a second is
# long for a thread to wake up, and costs at most ten needless looks a second.
WAKE_AGAIN = 0.1

# How many calls may nest on the way to a started thread, `Thread.start` included. If there is no
# room for them on the stack, nothing is begun.
_START_DEPTH = 16

# The two kinds of token in `surplus`.
_SHRINK = True  # the permit goes with the worker
_DISMISS = False  # the permit stays


_exiting = False  # the interpreter ends


def setExiting() -> None:
    """Have pools take no more jobs: the interpreter ends."""
    global _exiting
    _exiting = True


class PoolState(Enum):
    """Where a pool is in its life; the value is the word that errors, `repr` and `stats` show."""

    NOT_STARTED = "not started"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"


class Workers:
    """The queue and the workers of a pool, from `start` to `stop`.

    A pool that starts again gets new ones.
    """

    def __init__(self, pool: ThreadPool) -> None:
        self.queue: deque[Call | QueuedJob] = deque()
        self.idle: list[Worker] = []  # asleep; the last one is woken first: mostly the last used
        self.handoff = HandoffSlot()
        self.freePermits: list[int] = []  # permits that nobody holds
        self.permits = 0  # how many there are: see `balance`
        self.surplus: list[bool] = []
        self.wakeDeadline = 0.0
        # Accepts jobs: from the beginning, also before `started`, until `close`.
        self.open = not _exiting
        self.wasOpen = True
        self.started = False
        self.sealed = False
        self.ended = False
        self.minimum = pool.min
        self.maximum = pool.max
        self.idleTimeout = min(pool.idleTimeout, threading.TIMEOUT_MAX)
        self.members: set[Worker] = set()
        self.leaving: list[threading.Thread] = []
        # Re-entrant, since a finalizer or a signal handler may come in while this thread holds it.
        # Held for a few bytecodes at a time, never while anything of the user's is called or a
        # thread is started.
        self.lock = threading.RLock()
        self.onStopped: list[Callable[[], object]] = []
        self.compensation = Compensation(self, pool.maxSpare, watchdog.callUser)
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
        # The watchdog's: whether it looks at us, when it may warn again, who does that for it, and
        # whether it has said that looking failed.
        self.watched = False
        self.nextWarning = 0.0
        self.warner: threading.Thread | None = None
        self.watchFailed = False
        # Weak: a pool that nobody holds any more is collected, and its workers leave. At the end:
        # it may be collected at once, if this was interrupted.
        self.pool = weakref.ref(pool, self._orphaned)

    # ---- submitting and waking workers -----------------------------------------------------------

    def ensureWorker(self, now: float, item: Call | QueuedJob | None = None) -> None:
        """Wake a worker, start one, or know that none is free.

        Args:
            now: `time.monotonic()`
            item: The job that the caller has just appended. If there is no worker and none can be
                started, the caller gets the error, and takes the job back.

        Raises:
            RecursionError: There is no room on the stack; no worker was taken or started.
        """
        # Race: a worker falls idle while we find none. We set `wakeDeadline` before we look; it
        # publishes itself, then resets `wakeDeadline`, then looks at the queue. If we do not see
        # it, its reset comes after our setting.
        self.wakeDeadline = now + WAKE_AGAIN
        try:
            if self._wake() or self._grow():
                return
        except BaseException as error:
            # Perhaps no worker comes: a signal's handler has raised, or the stack has no room, or
            # there is no thread. The last is no matter if there are workers: the job waits for one.
            if not isinstance(error, Exception) or isinstance(error, RecursionError):
                self.wakeDeadline = 0.0
                raise
            if not self.members:
                self.wakeDeadline = 0.0
                if item is None:
                    return
                raise
        self.watch()

    def rouse(self) -> None:
        """Have what is queued looked after, whatever is known of workers on the way.

        For whoever was interrupted on the way to `ensureWorker`, or in it: other submitters rely on
        that.
        """
        self.wakeDeadline = 0.0
        if self.queue:
            self.ensureWorker(monotonic())

    def rouseOthers(self) -> None:
        """Do the same for a submitter that was interrupted, or could not find a worker."""
        if self.queue and self.open:
            finish(self.rouse)

    def _wake(self, position: int = -1) -> bool:
        """Wake a worker: the one that comes first, or by 0 the one that comes last.

        Returns:
            False if none sleeps.
        """
        try:
            # `for`: a signal handler that raises cannot come between taking a worker and waking it.
            for worker in iter(partial(self.idle.pop, 0) if position == 0 else self.idle.pop, None):
                try:
                    worker.wakeLock.release()
                except OSError:  # of a `HandoffLock`, whose descriptor somebody else has closed
                    worker.wakeLock.releaseSpare()  # type: ignore[union-attr]
                except RecursionError:  # CPython 3.11 counts calls of C functions, too
                    self.idle.append(worker)
                    raise
                return True
        except IndexError:
            pass
        return False

    def watch(self) -> None:
        """Have the watchdog look after jobs that are queued while no worker is free."""
        if self.started and not self.watched:
            haveRoom(_START_DEPTH)
            watchdog.watch(self)

    def _grow(self) -> bool:
        """Start a worker if there is a permit. Raises what starting a thread raises."""
        if not self.freePermits:
            return False
        haveRoom(_START_DEPTH)
        try:
            for number in iter(self.freePermits.pop, None):
                worker: Worker | None = None
                try:
                    worker = Worker(self, number)
                    self.members.add(worker)
                    # Race: the last worker of a closed pool leaves, and the end is noted, while we
                    # start another. We count the new one, then look at `sealed`; `_finish` seals,
                    # then counts. If both see the other, we step back, and note the end ourselves.
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
        # A worker that starts another is in the context that its next job must find empty.
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
        """Take back a worker whose thread could not be started, unless that runs after all."""
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
            self._finish(wakeOthers=False)

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
        """Return how long an idle worker sleeps: for ever (-1) if it is one of the minimum."""
        return -1 if len(self.members) <= self.minimum else self.idleTimeout

    def retire(self, worker: Worker) -> bool:
        """Return whether a worker that has been idle for long, and is off the list, may leave."""
        with self.lock:
            if len(self.members) <= self.minimum:
                return False
            # Now, and not only when it has left: else two leave where one may.
            self.members.discard(worker)
            self._noteLeaving(worker)
        return True

    def dismiss(self, worker: Worker) -> bool:
        """Return whether this worker is one too many. It calls this between two jobs."""
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
        """Return a worker's permit, or drop it if there is one too many. Twice does no harm."""
        tooMany = iter(self.surplus.pop, None)
        try:
            for number in iter(worker.permit.pop, None):
                try:
                    for token in tooMany:
                        (self.numbers if token is _SHRINK else self.freePermits).append(number)
                        break
                except IndexError:
                    self.freePermits.append(number)
                return
        except IndexError:
            pass

    def _noteLeaving(self, worker: Worker) -> None:
        # `stop` waits for the threads themselves, and this one still has a few steps to go.
        self._forgetEnded()
        if worker.thread is not None:
            self.leaving.append(worker.thread)

    def leave(self, worker: Worker) -> None:
        """Forget a worker that ends."""
        with self.lock:
            self.members.discard(worker)
            tally, worker.tally = worker.tally, Tally()
            self.past.add(tally)
            self._noteLeaving(worker)
            self._giveBack(worker)
        # Race: a submitter came after the worker had left the list of the idle and before its
        # permit was back, and found neither. It appended before it looked, we look after both.
        self.rouse()
        if not self.open:
            self._finish()

    def reap(self) -> None:
        """Forget workers whose thread ended without a word."""
        for worker in list(self.members):
            if worker.hasStarted() and worker.thread is not None and not worker.thread.is_alive():
                self.leave(worker)
        with self.lock:
            self._forgetEnded()

    def _forgetEnded(self) -> None:
        # Not under `with` itself: where a loop there jumps back, CPython 3.13 does not see it.
        self.leaving = [thread for thread in self.leaving if thread.is_alive()]

    # ---- size ------------------------------------------------------------------------------------

    def balance(self) -> None:
        """Have as many permits as there may be workers. What was interrupted is done once more."""
        try:
            self._balance()
        except BaseException:
            finish(self._balance)
            raise

    def _balance(self) -> None:
        while change := self._changePermits():
            if change < 0:
                self._wake(0)
        # Also where an interrupted call has made the change: more may work, or fewer.
        for _ in range(min(len(self.surplus), len(self.idle))):
            self._wake(0)
        self.rouse()

    def _changePermits(self) -> int:
        """Add a permit (return 1), remove one (-1), or find that there are as many as there may be.

        No call stands between what is done and its count, so an exception of a signal's finds both
        or neither.
        """
        with self.lock:
            wanted = self.maximum + self.compensation.compensating()
            if self.permits < wanted:
                self._addPermit()
                return 1
            if self.permits > wanted:
                self._removePermit()
                return -1
        return 0

    def _addPermit(self) -> None:
        """Let one worker more work."""
        try:
            for token in iter(self.surplus.pop, None):
                if token is _SHRINK:
                    self.permits += 1
                    return
                break
        except IndexError:
            pass
        try:
            number = self.numbers.pop()
        except IndexError:
            number = self.nextNumber
            self.nextNumber += 1
        self.freePermits += [number]
        self.permits += 1

    def _removePermit(self) -> None:
        """Let one worker fewer work: an idle one leaves now, a busy one after its job."""
        try:
            for number in iter(self.freePermits.pop, None):
                self.permits -= 1
                self.numbers += [number]
                return
        except IndexError:
            pass
        self.surplus += [_SHRINK]
        self.permits -= 1

    def dismissOne(self) -> None:
        """Let one worker end. Its permit stays."""
        if len(self.members) > len(self.surplus):
            self.surplus.append(_DISMISS)
            self._wake(0)

    def resize(self, minimum: int, maximum: int) -> None:
        """Take new limits."""
        with self.lock:
            lower = minimum < self.minimum
            self.minimum = minimum
            self.maximum = maximum
            started = self.started
        if not started:
            return
        self.balance()
        self.fill()
        if lower:
            # Some sleep for ever, since they belonged to the minimum. Now they may not.
            self._wakeAll()

    def _wakeAll(self) -> None:
        for _ in range(len(self.idle)):
            self._wake(0)

    def fill(self) -> None:
        """Start workers up to the minimum."""
        try:
            self._fill()
        except Exception:
            return  # no thread to be had now: nothing is lost, the next job asks again

    def _fill(self) -> None:
        while self.open and len(self.members) < self.minimum and self._grow():
            pass

    # ---- life ------------------------------------------------------------------------------------

    def start(self, fill: bool = True) -> None:
        """Begin to work.

        Args:
            fill: Start the minimum of workers now; else they come with the first jobs.

        Raises:
            PoolStoppedError: The interpreter ends.
        """
        if _exiting:
            self.refuse()
        with self.lock:
            if not self.started:
                # Under the lock: a `resize` either comes before, or adds to these.
                self.freePermits[:] = range(self.maximum - 1, -1, -1)
                self.nextNumber = self.permits = self.maximum
                self.started = True
        try:
            if fill:
                self.fill()
            self.rouse()
        except BaseException:
            finish(self.rouse)
            raise

    def startOne(self) -> None:
        """Start one worker more, if there is a permit. Raises what starting a thread raises."""
        self._grow()

    def _orphaned(self, _: object) -> None:
        self.close()

    @property
    def state(self) -> PoolState:
        """Where the pool is in its life. Thread: any."""
        if self.open:
            return PoolState.RUNNING if self.started else PoolState.NOT_STARTED
        return PoolState.STOPPED if self.ended else PoolState.STOPPING

    def refuse(self) -> NoReturn:
        """Raise the error of a submitter who comes too late."""
        if self.broken:
            raise self._brokenError()
        if _exiting:
            raise PoolStoppedError("cannot schedule new futures after interpreter shutdown")
        raise PoolStoppedError(
            "cannot schedule new futures after shutdown: the pool was stopped; "
            "start() opens it again"
        )

    def close(self, onStopped: Callable[[], object] | None = None) -> None:
        """Refuse new jobs, and let the workers empty the queue and leave.

        Args:
            onStopped: Called when that is done, by the last worker, or now if there is none.
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
        try:
            self._closed()
        except BaseException:
            finish(self._closed)
            raise

    def _closed(self) -> None:
        self._wakeAll()
        self._finish()

    def _finish(self, wakeOthers: bool = True) -> None:
        """Note the end of a closed pool, once its last worker has left."""
        if self.members:
            return
        if wakeOthers and self.started and self.queue:
            self.ensureWorker(monotonic())
        with self.lock:
            if not self.ended:
                self.sealed = True
                if self.members:
                    self.sealed = False
                    return
                self.ended = True
        # Also where an interrupted call has noted the end.
        self.handoff.clear()
        watchdog.ended(self)
        self._failQueued(PoolStoppedError("the pool was stopped before this job could run"))
        try:
            for callback in iter(partial(self.onStopped.pop, 0), None):
                try:
                    callback()
                except BaseException as error:
                    self.report(Failure.fromException(error), "onStopped of a pool failed")
        except IndexError:
            pass

    def countDone(self) -> int:
        """Return how many jobs have run."""
        with self.lock:
            return self.past.taken + sum(worker.tally.taken for worker in list(self.members))

    def noteCancelled(self) -> None:
        """Count a queued job that was cancelled."""
        with self.lock:
            self.cancelled += 1

    def _failQueued(self, error: BaseException) -> None:
        calls: list[str] = []
        item: Any
        try:
            # `for`: no signal's exception comes between taking a job and having it.
            for item in iter(self.queue.popleft, None):
                try:
                    if isinstance(item, tuple):
                        self.abandoned += 1
                        calls.append(describe(item[1]))
                    else:
                        self.abandoned += item.fail(error)  # False: it was cancelled
                except BaseException as raised:
                    if isinstance(item, tuple) or not item.interrupted(raised):
                        self.report(Failure.fromException(raised), "onResult of a job failed")
        except IndexError:
            pass
        if calls:
            # One report for all: nobody waits for these calls, and there may be many.
            names = ", ".join(calls[:5]) + (", ..." if len(calls) > 5 else "")
            message = f"{len(calls)} calls of callInThread were not run: {names}"
            self.report(Failure.fromException(error, 0), message)

    def cancelQueued(self) -> None:
        """Cancel what is queued and can be cancelled; drop what cannot."""
        item: Any
        try:
            for item in iter(self.queue.popleft, None):
                try:
                    if isinstance(item, tuple) or item.cancelQueued():
                        self.abandoned += 1
                except BaseException as error:
                    if not isinstance(item, tuple):
                        item.interrupted(error)
                    raise
        except IndexError:
            pass

    def abandon(self, error: BaseException) -> list[StuckWorker]:
        """Fail what is queued, and forget the workers that still work. Returns what these do."""
        with self.lock:
            self.open = False
            self.ended = True
            self.onStopped.clear()
            members = list(self.members)
            # `stop` and `shutdown` do not wait for them any more.
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
        """Give an error that nobody handles to the pool's `onError`. Never raises."""
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
    """Return the threads of workers: of all, of the busy ones, or (False) of the idle ones."""
    return [
        worker.thread
        for worker in list(workers.members)
        if worker.hasStarted()
        and worker.thread is not None
        and (busy is None or busy is (worker.item is not None))
    ]
