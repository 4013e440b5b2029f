"""`ThreadPool`, the counterpart of Twisted's. Hands on the names of the modules beside it."""

from __future__ import annotations

from twistlike.python.threadpool._errors import PoolSizeError, PoolStoppedError, PoolWedgedError
from twistlike.python.threadpool._jobs import Job
from twistlike.python.threadpool._loans import Loan
from twistlike.python.threadpool._pool import ThreadPool, afterFork, checkCancelled, currentPool
from twistlike.python.threadpool._stats import Histogram, PoolStats, StuckWorker, WorkerStats

__all__ = [
    "Histogram",
    "Job",
    "Loan",
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
