"""What is in a pool's queue. Made in the submitter's thread, run in a worker's.

How it works
------------
Every kind of job has one claim, an attribute. Whoever deletes it has the job: the worker that runs
it, the caller who cancels it, the submitter who could not find a worker, or the pool that gives it
up. To delete an attribute is one atomic step, so no lock is needed; the others find it gone. A
cancelled job lets go of its function and arguments at once, and stays in the queue as an empty
object until a worker comes past.

`QueuedJob` claims, runs, cancels and fails. What it is made for decides how an outcome is
delivered: to a function (`Job`), to a future (`FutureJob`), to a Deferred (`JobDeferred`, in
`_threads`). A call that nobody waits for and nobody can cancel is no job but a plain tuple.
"""

from __future__ import annotations

from contextvars import Context, copy_context
from time import monotonic
from typing import TYPE_CHECKING, Any

from twistlike._base.coroutines import NOT_RUN
from twistlike._base.failure import Failure
from twistlike._base.functions import describe, describeWithPlace
from twistlike._base.naming import showAs
from twistlike._pool.unrun import refuseUnrun
from twistlike._wakeup.gil_handoff import LONG

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import CancelledError

    from twistlike._pool.worker import Worker
    from twistlike._pool.workers import Workers

    OnResult = Callable[[bool, Any], object]
    # The context, the function, its arguments, and when the call was queued. To make it and to run
    # it costs 0.63 us, a job with a claim 0.82.
    Call = tuple[Context | None, Callable[..., Any], tuple[Any, ...], float]

__all__ = ["Job", "QueuedJob", "cancelledError"]


class QueuedJob:
    """A function that is queued, or runs, in a pool. Subclasses deliver its outcome.

    Attributes:
        context: The context that it runs in; None is an empty one.
        function: The function; None once it has run, or will not.
        args: Its arguments.
        claim: There until somebody has taken the job.
        workers: The workers to which it was given; the pool sets this.
        queued: When that was, in seconds of `time.monotonic`; the pool sets this.
        cancelRequested: Whether it was cancelled while it ran.
    """

    if not TYPE_CHECKING:  # mypy would take these for all the attributes that there are
        __slots__ = ()  # subclasses name the slots: a second base class may have some, too

    context: Context | None
    function: Callable[..., Any] | None
    args: tuple[Any, ...] | None
    claim: bool
    workers: Workers
    queued: float

    cancelRequested: bool = False

    # ---- what subclasses say ---------------------------------------------------------------------

    def deliverResult(self, context: Context | None, result: Any) -> None:
        """Deliver what the function has returned, in the job's context. Thread: the worker's."""
        raise NotImplementedError

    def deliverFailure(
        self, context: Context | None, failure: Failure, hasRun: bool = True
    ) -> None:
        """Deliver an error, in the job's context. Thread: any.

        Args:
            context: The context.
            failure: The error.
            hasRun: Whether the function has raised it; else it was never called.
        """
        raise NotImplementedError

    def isAwaited(self) -> bool:
        """Return whether somebody seems to wait for this job, and for no other.

        Then the next one may be asked for in the same way. Thread: the worker's, when the outcome
        is delivered.
        """
        return False

    def cancelQueued(self) -> bool:
        """Cancel the job for a pool that shuts down. False: somebody has it. Thread: any."""
        raise NotImplementedError

    # ---- what all have in common -----------------------------------------------------------------

    def run(self, worker: Worker, here: Context) -> None:
        """Run the function in its context, and deliver the outcome. Thread: the worker's.

        Args:
            worker: The worker that took the job off the queue.
            here: The context that this is called in, an empty one: it serves a job that has none.
                The worker gives it to no other job if anything is in it afterwards.
        """
        function: Any = self.function
        args: Any = self.args
        try:
            # Race: a kill between this and the call leaves the job to `interrupted`.
            del self.claim
        except AttributeError:
            worker.tally.skip()
            if self.cancelRequested:  # cancelled twice; the second time it seemed to run
                self.workers.compensation.end(self)
            return
        context = self.context
        try:
            result = function(*args) if context is None else context.run(function, *args)
        except BaseException as error:
            if self.cancelRequested and issubclass(type(error), type(cancelledError())):
                worker.tally.interrupted += 1
            else:
                worker.tally.failed += 1
            # The error's traceback holds this frame, by the `f_back` of the function's frame if not
            # by an entry of its own. So this frame keeps nothing that gets the failure.
            if context is None and here:
                context = copy_context()
            try:
                self.deliverFailure(context, Failure.fromException(error))
            finally:
                del self
            return
        function = args = None
        if worker.justWoken:
            # Now and not when the outcome is delivered: the loop gets the GIL then, and computes.
            worker.justWoken = False
            if monotonic() - worker.since >= LONG:
                worker.workers.handoff.noteLong()
        if context is None and here:
            context = copy_context()  # the worker is in it still, so nobody else can enter it
        self.deliverResult(context, result)

    def fail(self, error: BaseException) -> bool:
        """Give the job up: deliver `error`. False: somebody has the job. Thread: any."""
        try:
            del self.claim
        except AttributeError:
            return False
        self.deliverFailure(self.context or Context(), Failure.fromException(error, 0), False)
        return True

    def interrupted(self, error: BaseException) -> bool:
        """Deliver `error`, raised in the worker outside of the function. Thread: the worker's.

        Returns:
            False if an outcome has been delivered before.
        """
        if self.fail(error):
            return True
        if self.function is None:
            return False
        self.deliverFailure(self.context or Context(), Failure.fromException(error, 0), False)
        return True

    def cancelJob(self) -> bool:
        """Keep the function from running, or have `checkCancelled` raise in it. Thread: any.

        While a job that was cancelled runs on, a spare worker may work in its place.

        Returns:
            True if it was still queued: no outcome is delivered.
        """
        try:
            del self.claim
        except AttributeError:
            if self.function is not None and not self.cancelRequested:
                self.cancelRequested = True
                self.workers.compensation.begin(self)
                # Race: the job ended before the compensation began, and saw none to end. It drops
                # the function, then looks at `cancelRequested`; we set that, begin, then look at
                # the function: one of us ends it, and twice does no harm.
                if not self._runs():
                    self.workers.compensation.end(self)
            return False
        self.function = self.args = self.context = None
        self.workers.noteCancelled()
        return True

    def _runs(self) -> bool:
        return self.function is not None


class Job(QueuedJob):
    """A function that is queued or runs in a pool, as `ThreadPool.enqueue` returns it.

    Attributes:
        context: The context that the function and `onResult` run in: a copy of the submitter's, or
            None if that was empty.
        cancelRequested: Whether it was cancelled while it ran.
    """

    __slots__ = (
        "_onResult",
        "_wasCancelled",
        "args",
        "cancelRequested",
        "claim",
        "context",
        "function",
        "queued",
        "workers",
    )

    def __init__(
        self,
        context: Context | None,
        onResult: OnResult | None,
        function: Callable[..., Any],
        args: tuple[Any, ...],
    ) -> None:
        self.context = context
        self._onResult = onResult
        self.function = function
        self.args = args
        self.cancelRequested = self._wasCancelled = False
        self.claim = True

    def cancel(self) -> bool:
        """Keep the function from running, or tell it to end if it runs already.

        Returns:
            True if it was still queued: it never runs, and its `onResult` is never called. False if
            it has ended or runs; a running one finds out by `checkCancelled`, its place in the pool
            is taken by a spare worker (within `ThreadPool.maxSpare`) until it ends, and its
            `onResult` is called as if nothing had happened.

        Thread: any.
        """
        if not self.cancelJob():
            return False
        self._wasCancelled = True
        self._onResult = None
        return True

    cancelQueued = cancel  # what the pool calls

    def deliverResult(self, context: Context | None, result: Any) -> None:
        """Call `onResult(True, result)`. Thread: the worker's."""
        onResult = self._onResult
        # Before the outcome is delivered: what `onResult` sets going may take the memory again. And
        # a kill from outside that comes from here on finds the job delivered, see `interrupted`:
        # there is no point between these lines and the call at which a thread can be killed.
        self.function = self.args = self._onResult = None
        try:
            if onResult is not None:
                if context is None:
                    returned = onResult(True, result)
                else:
                    returned = context.run(onResult, True, result)
                if returned is not None and type(returned) in NOT_RUN:
                    refuseUnrun(returned, onResult, "onResult")
        finally:
            if self.cancelRequested:
                self.workers.compensation.end(self)

    def deliverFailure(
        self, context: Context | None, failure: Failure, hasRun: bool = True
    ) -> None:
        """Call `onResult(False, failure)`, or report the error if there is none. Thread: any."""
        onResult = self._onResult
        function = self.function
        self.function = self.args = self._onResult = None
        try:
            if onResult is None:
                what = "failed" if hasRun else "did not run"
                self.workers.report(failure, f"{describeWithPlace(function)} {what} in a thread")
            else:
                if context is None:
                    returned = onResult(False, failure)
                else:
                    returned = context.run(onResult, False, failure)
                if returned is not None and type(returned) in NOT_RUN:
                    refuseUnrun(returned, onResult, "onResult")
        finally:
            if self.cancelRequested:
                self.workers.compensation.end(self)

    def __repr__(self) -> str:
        # Its state follows from what it still holds.
        function = self.function
        if hasattr(self, "claim"):
            words = "queued"
        elif function is not None:
            words = f"running {describe(function)}"
            if self.cancelRequested:
                words += ", cancelled"
        else:
            words = "cancelled" if self._wasCancelled else "ended"
        return f"<Job {words}>"


def cancelledError() -> CancelledError:
    """Return what `checkCancelled` raises."""
    from concurrent.futures import CancelledError

    return CancelledError("the job was cancelled while it ran")


showAs("twistlike.python.threadpool", globals(), ["Job"])
