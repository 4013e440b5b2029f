"""The futures of `ThreadPool.submit`, and the jobs that set them.

Made in the submitter's thread, set in a worker's.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, InvalidStateError
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from twistlike._pool.compensation import BlockedWorker
from twistlike._pool.jobs import QueuedJob
from twistlike._pool.worker import currentWorker

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Context

    from twistlike._base.failure import Failure
    from twistlike._pool.errors import PoolWedgedError
    from twistlike._pool.worker import Worker
    from twistlike._pool.workers import Workers

__all__ = ["FutureJob", "PoolFuture"]

_T = TypeVar("_T")


class PoolFuture(Future[_T]):
    """A future of a pool. While a worker of the same pool waits for it, a spare worker may work."""

    def __init__(self, workers: Workers) -> None:
        super().__init__()
        self._workers = workers

    def __repr__(self) -> str:
        return super().__repr__().replace(type(self).__name__, "Future", 1)

    def result(self, timeout: float | None = None) -> _T:
        """Return the result, or raise the error, as any `concurrent.futures.Future`.

        Raises:
            PoolWedgedError: This is a worker of the same pool, see `ThreadPool.compensated`.
        """
        try:
            return Future.result(self, self._wait(timeout))
        finally:
            del self  # an error is in the future, and its traceback holds this frame

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return the error or None, as any `concurrent.futures.Future`.

        Raises:
            PoolWedgedError: This is a worker of the same pool, see `ThreadPool.compensated`.
        """
        return Future.exception(self, self._wait(timeout))

    def _wait(self, timeout: float | None) -> float | None:
        """Wait, if this is a worker of the same pool. Returns what is left of the timeout."""
        worker = currentWorker()
        if worker is None or worker.workers is not self._workers or self.done():
            return timeout
        begin = monotonic()
        wakeLock = threading.Event()
        wedged: list[PoolWedgedError] = []

        def onWedged(error: PoolWedgedError) -> None:
            wedged.append(error)
            wakeLock.set()

        blocked = BlockedWorker(self._workers, onWedged)
        try:
            with blocked:
                self.add_done_callback(lambda _: wakeLock.set())
                wakeLock.wait(timeout)
        except BaseException:
            blocked.__exit__()  # a signal's exception may have interrupted that
            raise
        if wedged:
            raise wedged.pop()
        return None if timeout is None else max(0.0, begin + timeout - monotonic())


class FutureJob(QueuedJob):
    """A job of `ThreadPool.submit`. Its future may be cancelled by anybody, without its claim."""

    __slots__ = ("_future", "args", "claim", "context", "function", "queued", "workers")

    def __init__(
        self,
        context: Context | None,
        future: Future[Any],
        function: Callable[..., Any],
        args: tuple[Any, ...],
    ) -> None:
        self.context = context
        self._future: Future[Any] | None = future
        self.function = function
        self.args = args
        self.claim = True

    def run(self, worker: Worker, here: Context) -> None:
        """Run the function, unless the future was cancelled. Thread: the worker's."""
        future = self._future
        if future is not None and not future.set_running_or_notify_cancel():
            self._release()
            worker.tally.cancelled += 1
        del future
        QueuedJob.run(self, worker, here)

    def deliverResult(self, context: Context | None, result: Any) -> None:
        """Set the future's result. Thread: the worker's."""
        future = self._future
        self.function = self.args = self.context = None
        assert future is not None
        if context is None:
            future.set_result(result)
        else:
            context.run(future.set_result, result)
        self._future = None  # it has its outcome: see `interrupted`

    def deliverFailure(
        self, context: Context | None, failure: Failure, hasRun: bool = True
    ) -> None:
        """Set the future's error. Thread: any."""
        future = self._future
        self.function = self.args = self.context = None
        if future is None:
            return
        error = failure.value
        try:
            if hasRun or future.running() or future.set_running_or_notify_cancel():
                if context is None:
                    future.set_exception(error)
                else:
                    context.run(future.set_exception, error)
            self._future = None
        finally:
            del failure, error, future  # the error's traceback may hold this frame

    def interrupted(self, error: BaseException) -> bool:
        """Set an error that was raised outside of the function, unless the future is done.

        Returns:
            False if it had its outcome before.
        """
        if self.fail(error):
            return True
        future, self._future = self._future, None
        if future is None:
            return False
        try:
            if future.cancelled():
                future.set_running_or_notify_cancel()
            elif not future.done():
                future.set_exception(error)
        except (InvalidStateError, RuntimeError):
            pass  # it was cancelled, or told, meanwhile
        finally:
            del error, future
        return True

    def cancelQueued(self) -> bool:
        """Cancel the future, and wake the threads that wait for it. Thread: any."""
        future = self._future
        try:
            del self.claim
        except AttributeError:
            return False
        self.function = self.args = self.context = None
        if future is None:
            return False
        future.cancel()
        future.set_running_or_notify_cancel()
        self._future = None
        return True

    def _release(self) -> bool:
        """Take the job, so that nobody runs it, and drop all that it holds. False: it is taken."""
        try:
            del self.claim
        except AttributeError:
            return False
        self.function = self.args = self.context = self._future = None
        return True
