"""The exceptions of the thread pool, and the checks that raise them. Thread: any."""

from __future__ import annotations

from twistlike._base.naming import showAs

__all__ = [
    "PoolSizeError",
    "PoolStoppedError",
    "PoolWedgedError",
    "checkSeconds",
    "checkSize",
    "checkSpare",
]


class PoolSizeError(ValueError, AssertionError):
    """A pool's size is negative, or its minimum above its maximum.

    It is an AssertionError too, since Twisted raises that.
    """


class PoolStoppedError(RuntimeError):
    """The pool takes no new jobs, or ended before this one could run.

    `ThreadPool.start` opens it again.
    """


class PoolWedgedError(RuntimeError):
    """Every worker waits for jobs that are queued, and no more spare workers may be started.

    Raised in the newest of the waiting workers, so that its job fails and the queue moves on. Raise
    `ThreadPool.maxSpare`, or do not wait in a pool's worker for another job of the same pool.
    """


def checkSize(minthreads: int, maxthreads: int) -> None:
    """Refuse sizes that a pool cannot have: the one place where that is checked.

    Raises:
        TypeError: One of them is not a whole number.
        PoolSizeError: One of them is negative, or the minimum above the maximum.
    """
    for name, number in (("minimum", minthreads), ("maximum", maxthreads)):
        if not isinstance(number, int):
            raise TypeError(f"the size of a pool is a whole number of threads, not {number!r}")
        if number < 0:
            raise PoolSizeError(
                f"{name} is negative: the size of a pool is 0 threads or more, not {number}"
            )
    if minthreads > maxthreads:
        raise PoolSizeError(
            f"minimum is greater than maximum: {minthreads} > {maxthreads} threads; "
            "give both to adjustPoolsize to move both"
        )


def checkSpare(maxSpare: int) -> int:
    """Refuse what is no number of spare workers.

    Raises:
        TypeError: It is not a whole number.
        ValueError: It is negative.
    """
    if not isinstance(maxSpare, int):
        raise TypeError(f"maxSpare is a whole number of workers, not {maxSpare!r}")
    if maxSpare < 0:
        raise ValueError(f"maxSpare is a number of workers from 0 up, not {maxSpare!r}")
    return maxSpare


def checkSeconds(seconds: float, name: str) -> float:
    """Refuse what is no time to wait; `inf` is one.

    Raises:
        TypeError: It is not a number.
        ValueError: It is negative, or not a number (NaN).
    """
    try:
        good = seconds >= 0
        _ = 0.0 + seconds
    except TypeError:
        raise TypeError(f"{name} is a number of seconds, not {seconds!r}") from None
    except OverflowError:
        raise ValueError(f"{name} is a number of seconds; this one is too large") from None
    if not good:
        raise ValueError(f"{name} is a number of seconds from 0 up, not {seconds!r}")
    return seconds


showAs(
    "twistlike.python.threadpool",
    globals(),
    ["PoolSizeError", "PoolStoppedError", "PoolWedgedError"],
)
