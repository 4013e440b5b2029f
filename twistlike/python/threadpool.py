"""The thread pool. Room: `_pool`."""

from __future__ import annotations

from twistlike._pool.compensation import BlockedWorker
from twistlike._pool.errors import PoolSizeError, PoolStoppedError, PoolWedgedError
from twistlike._pool.jobs import Job
from twistlike._pool.pool import ThreadPool, afterFork, checkCancelled, currentPool
from twistlike._pool.stats import Histogram, PoolStats, StuckWorker, WorkerStats

__path__: list[str] = []  # a name that is not here is asked of the package's finder

__all__ = [
    "BlockedWorker",
    "Histogram",
    "Job",
    "PoolSizeError",
    "PoolStats",
    "PoolStoppedError",
    "PoolWedgedError",
    "StuckWorker",
    "ThreadPool",
    "WorkerStats",
    "afterFork",
    "checkCancelled",
    "currentPool",
]
