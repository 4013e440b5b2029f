"""The threads of a reactor: the pool that its users share, and one for host names.

How it works
------------
Looking a host name up blocks, so it is done in threads; but not in the users' pool, where it would
wait behind their jobs, and a connection with it. Both pools start no thread before there is work.
"""

from __future__ import annotations

import sys
import weakref
from threading import RLock, current_thread, main_thread
from typing import TYPE_CHECKING, Any

from twistlike._base.error import ReactorNotRunning
from twistlike._defer.deferred import Deferred
from twistlike._defer.errors import CancelledError
from twistlike._reactor.parts import Part

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable

    from twistlike._base.failure import Failure
    from twistlike._pool.pool import ThreadPool
    from twistlike._pool.stats import StuckWorker

__all__ = ["DEFAULT_SIZE", "Pools", "currentPool", "forgetThreads"]

DEFAULT_SIZE = (0, 10)
"""The least and the greatest number of threads in the users' pool, as in Twisted."""


def currentPool() -> ThreadPool | None:
    """Return the pool whose worker runs this code, `None` elsewhere. Thread: any."""
    # Another thread may be half way through the first import: then there is no worker yet.
    find = getattr(sys.modules.get("twistlike._pool.pool"), "currentPool", None)
    return None if find is None else find()


# How long the end waits for a thread to return from its last line, in seconds: a hundred times what
# that takes on a machine with more threads than CPUs.
LEAVING = 0.1


def forgetThreads() -> None:
    """In the child of a fork: make all pools fit for use, before anything of the parent's is freed.

    The pools see to that themselves, but only after the reactors, which were imported before them.
    A reactor drops its pools; a pool that is freed takes its lock, and that may be held, for ever,
    by a thread of the parent's.
    """
    threadpool = sys.modules.get("twistlike._pool.pool")
    afterFork = getattr(threadpool, "afterFork", None)
    if afterFork is not None:
        afterFork()


class Pools(Part):
    """The pools of one reactor.

    Args:
        owner: The reactor; it is held weakly, so that threads do not keep it alive.
        onError: Called in a worker, with an error that nobody handles and what was being done.
        callFromThread: Posts a call into the reactor's thread.

    Thread: the reactor's, except where a docstring says otherwise.
    """

    def __init__(
        self,
        owner: object,
        onError: Callable[[Failure, str], None],
        callFromThread: Callable[[tuple[Any, ...]], object],
    ) -> None:
        self._owner = weakref.ref(owner)
        self._onError = onError
        self._callFromThread = callFromThread
        self._loop: AbstractEventLoop | None = None
        self._size = DEFAULT_SIZE
        self._started = False
        self._ending = False
        self._making = RLock()  # re-entrant, for a signal handler in the middle of it
        self.onMade: Callable[[], object] | None = None  # called when a pool waits for a loop
        self.users: ThreadPool | None = None
        self._names: ThreadPool | None = None

    @property
    def size(self) -> int:
        """How many threads the users' pool may have at most."""
        return self._size[1]

    def forUsers(self) -> ThreadPool:
        """Return the users' pool, made now if there is none. Thread: any.

        Raises:
            ReactorNotRunning: If the reactor ends just now.
        """
        pool = self.users
        if pool is None:
            with self._making:
                pool = self.users
                if pool is None:
                    pool = self.users = self._make("reactor", *self._size)
        return pool

    def warmUp(self) -> None:
        """Import what the first job needs, which takes some milliseconds."""
        import twistlike._pool.pool as needed

        del needed

    def forNames(self) -> ThreadPool:
        """Return the pool that looks host names up, made now if there is none. Thread: any."""
        with self._making:
            if self._names is None:
                self._names = self._make("resolver", *DEFAULT_SIZE)
            return self._names

    def suggestSize(self, size: int) -> None:
        """Set how many threads the users' pool may have at most. It takes effect at once.

        Raises:
            TypeError: If the size is not a whole number.
            PoolSizeError: If it is negative.
        """
        from twistlike._pool.errors import checkSize  # only this needs it

        checkSize(0, size)
        least = min(self._size[0], size)
        # Race: another thread makes the pool just now, with the size of before.
        with self._making:
            self._size = (least, size)
            if self.users is not None:
                self.users.adjustPoolsize(least, size)

    def afterFork(self) -> None:
        """In the child of a fork: a thread that is not here may hold the lock."""
        self._making = RLock()

    def start(self) -> None:
        """Let the jobs that wait run."""
        # Race: another thread makes a pool just now, not started, which nobody would start.
        with self._making:
            self._started = True
            self._ending = False
            if self.users is not None:
                self.users.start()
            if self._names is not None:
                self._names.start()

    def bind(self, loop: AbstractEventLoop) -> None:
        """Have a loop, by whose clock the end is limited."""
        self._loop = loop

    async def stop(self, limit: float) -> list[StuckWorker]:
        """End both pools: queued jobs run, running ones finish, for at most `limit` seconds.

        After that the queued ones fail with `ReactorNotRunning` and the workers that still run
        are left behind. Cancelling the Deferred of this coroutine ends the wait at once.

        Args:
            limit: How long to wait, in seconds.

        Returns:
            The workers that were left behind.
        """
        pools = self._takeAll()
        threads = [thread for pool in pools for thread in pool.threads]
        ended: Deferred[None] = Deferred()
        left = len(pools)

        def oneEnded() -> None:
            nonlocal left
            left -= 1
            if not left and not ended.called:
                ended.callback(None)

        def lastWorkerLeaves() -> None:
            threads.append(current_thread())
            try:
                self._callFromThread((oneEnded,))
            except ReactorNotRunning:
                pass  # the end was broken off, as by a second Ctrl-C on a host's loop

        for pool in pools:
            pool.beginStop(lastWorkerLeaves)
        if pools:
            assert self._loop is not None
            late = self._loop.call_later(limit, ended.cancel)
            try:
                await ended
            except CancelledError:
                return self._abandon(pools)
            finally:
                late.cancel()
        for thread in threads:
            # It has said that it leaves, and has only to return: a moment, so that nobody who
            # counts threads after the end finds it still there.
            if thread is not current_thread():
                thread.join(LEAVING)
        return []

    def stopUsers(self) -> None:
        """End the users' pool, and wait until its jobs are done.

        The next user gets a new one, of the usual size: a test may have left this one with none.
        """
        with self._making:
            pool, self.users = self.users, None
            self._size = DEFAULT_SIZE
        if pool is not None:
            pool.stop()

    def abandon(self) -> list[StuckWorker]:
        """End both pools without waiting for anything."""
        pools = self._takeAll()
        for pool in pools:
            pool.beginStop(_nothing)
        return self._abandon(pools)

    def end(self) -> None:
        """Take no new job, and wait for none."""
        self.abandon()

    def unbind(self) -> None:
        """Have no loop: pools that are asked for from now on are for the next run."""
        self._ending = False
        self._loop = None

    def _takeAll(self) -> list[ThreadPool]:
        with self._making:
            pools = (self.users, self._names)
            self.users = self._names = None
            self._started = False
            self._ending = True
        return [pool for pool in pools if pool is not None]

    def _abandon(self, pools: list[ThreadPool]) -> list[StuckWorker]:
        error = ReactorNotRunning("the reactor has ended before this job could run")
        return [stuck for pool in pools for stuck in pool.abandon(error)]

    def _make(self, name: str, least: int, most: int) -> ThreadPool:
        # Not at the top: the pool is an executor, and concurrent.futures takes 15 ms to import,
        # which a program that only imports the reactor must not wait for.
        try:
            from twistlike._pool.pool import ThreadPool
        except RuntimeError as error:
            if main_thread().is_alive():
                raise
            # An executor's module registers what it does at the exit, for which it is too late.
            raise RuntimeError(
                "the program ends: a thread pool that has not been used before takes no job now"
            ) from error

        if self._ending:
            raise ReactorNotRunning("the reactor ends, and its threads take no new job")
        pool = ThreadPool(least, most, name)
        pool.owner = self._owner
        pool.onError = self._onError
        if self._started:
            pool.start()
        elif self.onMade is not None:
            self.onMade()
        return pool


def _nothing() -> None:
    """Hear that the last worker has ended, and do nothing about it."""
