"""What stands in a pool's queue. Made in the submitter's thread, run in a worker's.

How a `Job` works: its load (what to run) is in a list of one. Whoever pops it has the job: the
worker that runs it, the caller that cancels it, or the pool that gives it up. `list.pop` is atomic,
so no lock is needed, and a cancelled job lets go of its function and arguments at once although its
empty shell stays in the queue.
"""

from __future__ import annotations

from concurrent.futures import CancelledError
from contextvars import Context
from operator import call
from typing import TYPE_CHECKING, Any, Protocol

from twistlike._base.failure import Failure
from twistlike._base.naming import showAs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from twistlike._pool.worker import Worker
    from twistlike._pool.workers import Workers

    OnResult = Callable[[bool, Any], object]
    Load = tuple[OnResult | None, Callable[..., Any], tuple[Any, ...], Mapping[str, Any]]
    # A call that nobody waits for and nobody can cancel is a plain tuple: context, function,
    # arguments, and when it was queued. It costs a sixth of a Job to make.
    Call = tuple[Context | None, Callable[..., Any], tuple[Any, ...], float]

__all__ = ["Job", "QueuedJob", "cancelledError", "describe"]


class QueuedJob(Protocol):
    """What the queue holds besides plain calls.

    Attributes:
        context: The context that it runs in; None is an empty one.
        crew: The workers to which it was given.
        queued: When that was, in seconds of `time.monotonic`.
        told: Was it cancelled while it ran?
    """

    context: Context | None
    workers: Workers
    queued: float

    @property
    def cancelRequested(self) -> bool: ...

    @property
    def function(self) -> Callable[..., Any] | None:
        """The function, while it runs."""

    def run(self, worker: Worker, here: Context) -> None:
        """Run, and hand the outcome over, both in the job's context, unless somebody else has the job.
        Called once, by the worker that took it.

        Args:
            here: The context that this is called in, an empty one: it serves a job without one. The
                worker gives it to no other job if anything is in it afterwards.
        """
        ...

    def isAwaited(self) -> bool:
        """Does whoever asked for the job seem to wait for it, and for no other? Then the next one may
        be asked for in the same way. Thread: the worker's, when it has handed over the outcome.
        """
        ...

    def interrupted(self, error: BaseException) -> bool:
        """The worker was hit by `error` outside the function: hand that over. False: something has
        been before.
        """
        ...

    def fail(self, error: BaseException) -> bool:
        """Give the job up: hand over `error`. False: somebody has the job."""
        ...

    def cancelQueued(self) -> bool:
        """Cancel the job. False: somebody has it."""
        ...


def describe(function: object) -> str:
    """Return a function's module and name for a report. Never raises, whatever `function` is."""
    try:
        target: Any = function
        while hasattr(target, "func"):  # functools.partial
            target = target.func
        name = getattr(target, "__qualname__", None) or type(target).__qualname__
        module = getattr(target, "__module__", None)
        return f"{module}.{name}" if module else str(name)
    except Exception:
        return object.__repr__(function)


class Job:
    """A function that is queued or runs in a pool, as `ThreadPool.enqueue` returns it.

    Attributes:
        context: The context that the function and `onResult` run in: a copy of the submitter's, or
            None if that was empty.
    """

    # told: cancel() was called while the function ran. ended: the outcome is being handed over.
    # Both go from False to True once. running: the function, while it runs.
    __slots__ = ("_load", "cancelRequested", "context", "ended", "queued", "running", "workers")

    workers: Workers
    queued: float

    def __init__(self, context: Context | None, load: Load) -> None:
        self._load = [load]
        self.context = context
        self.running: Load | None = None
        self.cancelRequested = False
        self.ended = False

    def cancel(self) -> bool:
        """Keep the function from running, or tell it to end if it runs already.

        Returns:
            True if it was still queued: it never runs, and its `onResult` is never called. False if
            it has ended or runs; a running one finds out by `checkCancelled`, its slot in the pool
            is made up for by a spare worker (within `ThreadPool.maxSpare`) until it ends, and its
            `onResult` is called as if nothing had happened.

        Thread: any.
        """
        try:
            self._load.pop()
        except IndexError:
            if self.running is not None and not self.cancelRequested:
                self._tell()
            return False
        self.workers.noteCancelled()
        return True

    cancelQueued = cancel  # what the pool calls

    def _tell(self) -> None:
        self.cancelRequested = True
        self.workers.compensation.begin(self)
        # Race: the job ended before it was made up for, and saw nothing to settle. It resets
        # `running`, then looks at `cancelRequested`; we set `cancelRequested`, make up for it, then look at `running`:
        # one of us settles, and twice does no harm.
        if self.running is None:
            self.workers.compensation.end(self)

    def run(self, worker: Worker, here: Context) -> None:
        """Run the function and hand its outcome to `onResult`, see `QueuedJob.run`."""
        run: Any = call if self.context is None else self.context.run
        try:
            # Noted before it is popped: a thread that is killed right after `pop` would drop what
            # it returned.
            self.running = load = self._load[0]
            self._load.pop()
        except IndexError:
            # Cancelled, perhaps a moment ago: then a second `cancel` may have taken it for running.
            self.running = None
            if self.cancelRequested:
                self.workers.compensation.end(self)
            worker.tally.skip()
            return
        result = None
        failed: list[Any] | None = None
        try:
            result = run(load[1], *load[2], **load[3])
        except BaseException as error:
            worker.tally.failed += 1
            # The error's traceback holds this frame, by the `f_back` of the function's frame if not
            # by an entry of its own. So this frame keeps neither the failure nor `onResult` (which
            # may lead to a Deferred that gets the failure): else they are a cycle.
            failed = [load, Failure.fromException(error)]
            onResult = None
        else:
            onResult = load[0]
        # Before the outcome is handed over: what onResult sets going may take the memory again.
        del load
        # `ended` goes up right before the outcome is handed over, with no point between at which
        # this thread could be killed from outside: it decides who hands it over then, see `interrupted`.
        self.running = None
        self.ended = True
        try:
            if failed is not None:
                run(self._handOver, failed.pop(0), failed.pop(), "failed")
            elif onResult is not None:
                run(onResult, True, result)
        finally:
            if self.cancelRequested:
                self.workers.compensation.end(self)

    def isAwaited(self) -> bool:
        """False: nobody can know."""
        return False

    def interrupted(self, error: BaseException) -> bool:
        """The worker was hit by `error` outside the function: hand that over, unless something has
        been before.
        """
        load = self.running
        if load is None or self.ended:
            return self.fail(error)
        self.ended = True
        self.running = None
        if self.cancelRequested:
            self.workers.compensation.end(self)
        context = self.context or Context()
        context.run(self._handOver, load, Failure.fromException(error, 0), "did not run")
        return True

    def fail(self, error: BaseException) -> bool:
        """Give the job up: hand `error` to its `onResult`, unless it ran, or was cancelled, before."""
        try:
            load = self._load.pop()
        except IndexError:
            return False
        self.ended = True
        context = self.context or Context()
        context.run(self._handOver, load, Failure.fromException(error, 0), "did not run")
        return True

    def _handOver(self, load: Load, failure: Failure, what: str) -> None:
        if load[0] is None:
            self.workers.report(failure, f"{describe(load[1])} {what} in a thread")
        else:
            load[0](False, failure)

    @property
    def function(self) -> Callable[..., Any] | None:
        """The function, while it runs."""
        load = self.running
        return None if load is None else load[1]

    def __repr__(self) -> str:
        if self.ended:
            state = "ended"
        elif self.running is not None:
            state = f"running {describe(self.running[1])}" + (
                ", cancelled" if self.cancelRequested else ""
            )
        else:
            state = "queued" if self._load else "cancelled"
        return f"<Job {state}>"


def cancelledError() -> CancelledError:
    """Return what `checkCancelled` raises."""
    return CancelledError("the job was cancelled while it ran")


showAs("twistlike.python.threadpool", globals(), ["Job"])
