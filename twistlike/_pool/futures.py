"""The futures of `ThreadPool.submit`, and the jobs that set them. Made in the submitter's thread, set
in a worker's.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from operator import call
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from twistlike._pool.compensation import BlockedWorker
from twistlike._pool.worker import currentWorker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextvars import Context

    from twistlike._pool.errors import PoolWedgedError
    from twistlike._pool.worker import Worker
    from twistlike._pool.workers import Workers

    FutureLoad = tuple[Future[Any], Callable[..., Any], tuple[Any, ...], Mapping[str, Any]]

__all__ = ["FutureJob", "PoolFuture"]

_T = TypeVar("_T")


class PoolFuture(Future[_T]):
    """A future of a pool. A worker of the same pool that waits for it is made up for by a spare one."""

    def __init__(self, workers: Workers) -> None:
        super().__init__()
        self._workers = workers

    def result(self, timeout: float | None = None) -> _T:
        """Return the result, or raise the error, as any `concurrent.futures.Future`.

        Raises:
            PoolWedgedError: It was called in a worker of the same pool, see `ThreadPool.compensated`.
        """
        return super().result(self._wait(timeout))

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return the error or None, as any `concurrent.futures.Future`.

        Raises:
            PoolWedgedError: It was called in a worker of the same pool, see `ThreadPool.compensated`.
        """
        return super().exception(self._wait(timeout))

    def _wait(self, timeout: float | None) -> float | None:
        """In a worker of the same pool, wait while a spare works. Returns what is left of the timeout."""
        worker = currentWorker()
        if worker is None or worker.workers is not self._workers or self.done():
            return timeout
        begin = monotonic()
        wakeLock = threading.Event()
        wedged: list[PoolWedgedError] = []

        def onWedged(error: PoolWedgedError) -> None:
            wedged.append(error)
            wakeLock.set()

        with BlockedWorker(self._workers, onWedged):
            self.add_done_callback(lambda _: wakeLock.set())
            wakeLock.wait(timeout)
        if wedged:
            raise wedged.pop()
        return None if timeout is None else max(0.0, begin + timeout - monotonic())


class FutureJob:
    """A job of `ThreadPool.submit`: the future is what decides who has it."""

    __slots__ = ("_load", "context", "queued", "running", "workers")

    workers: Workers
    queued: float

    def __init__(
        self,
        context: Context | None,
        future: Future[Any],
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> None:
        self.context = context
        self._load = [(future, function, args, kwargs)]
        self.running: FutureLoad | None = None

    cancelRequested = False

    def run(self, worker: Worker, here: Context) -> None:
        """Run the function and set the future, see `QueuedJob.run`."""
        run: Any = call if self.context is None else self.context.run
        try:
            self.running = load = self._load[0]
            self._load.pop()
        except IndexError:
            self.running = None
            worker.tally.skip()
            return
        future, function, args, kwargs = load
        if not future.set_running_or_notify_cancel():
            self.running = None
            worker.tally.cancelled += 1
            worker.tally.skip()
            return
        try:
            result = run(function, *args, **kwargs)
        except BaseException as error:
            worker.tally.failed += 1
            run(future.set_exception, _withoutThisFrame(error))
            # By the `f_back` of the function's frame the error holds this frame all the same: so
            # it keeps nothing that holds the error.
            self.running = None
            del load, future, function, args, kwargs
        else:
            run(future.set_result, result)
            self.running = None

    def isAwaited(self) -> bool:
        """False: nobody can know."""
        return False

    def interrupted(self, error: BaseException) -> bool:
        """The worker was hit by `error` outside the function: set that in the future, unless something
        has been before.
        """
        load = self.running
        if load is None:
            return self.fail(error)
        self.running = None
        if load[0].done():
            return False
        load[0].set_exception(error)
        return True

    @property
    def function(self) -> Callable[..., Any] | None:
        """The function, while it runs."""
        load = self.running
        return None if load is None else load[1]

    def fail(self, error: BaseException) -> bool:
        """Give the job up: set `error` in its future."""
        try:
            future = self._load.pop()[0]
        except IndexError:
            return False
        if future.set_running_or_notify_cancel():
            future.set_exception(error)
            return True
        return False

    def cancelQueued(self) -> bool:
        """Cancel the future, and wake who waits for it."""
        try:
            future = self._load.pop()[0]
        except IndexError:
            return False
        future.cancel()
        future.set_running_or_notify_cancel()
        return True


def _withoutThisFrame(error: BaseException) -> BaseException:
    """Drop the outermost entry of an error's traceback: the frame that caught it."""
    traceback = error.__traceback__
    return error.with_traceback(traceback and traceback.tb_next)
