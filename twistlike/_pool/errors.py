"""The exceptions of the thread pool. Any thread may raise them."""

from __future__ import annotations

from twistlike._base.naming import showAs

__all__ = ["PoolSizeError", "PoolStoppedError", "PoolWedgedError"]


class PoolSizeError(ValueError, AssertionError):
    """A pool's minimum is negative or above its maximum. An AssertionError too, since Twisted raises
    that.
    """


class PoolStoppedError(RuntimeError):
    """The pool takes no new jobs, or ended before this one could run. `ThreadPool.start` opens it
    again.
    """


class PoolWedgedError(RuntimeError):
    """Every worker waits for what only other queued jobs can bring, and no more spare workers may be
    lent.

    Raised in the newest of the waiting workers, so that its job fails and the queue moves on. Raise
    `ThreadPool.maxSpare`, or do not wait in a pool's worker for another job of the same pool.
    """


showAs("twistlike.python.threadpool", globals(), __all__)
