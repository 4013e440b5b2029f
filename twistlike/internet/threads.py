"""Work that blocks, in threads; and calls from there into the reactor's thread.

Room: `_threads`: `api`, `decorators`, `iterate`, `queue` and `queue_waiters`, `reactor_thread`.
"""

from __future__ import annotations

from twistlike._threads.api import (
    blockingCallFromThread,
    blockingCallWithTimeout,
    callMultipleInThread,
    checkCancelled,
    deferToThread,
    deferToThreadPool,
)
from twistlike._threads.decorators import runInReactor, waitFor
from twistlike._threads.iterate import ThreadIterator, iterateInThread
from twistlike._threads.queue import ThreadsafeQueue
from twistlike._threads.queue_waiters import QueueClosed
from twistlike._threads.reactor_thread import ReactorThread, startReactorThread, stopReactorThread

__path__: list[str] = []  # a name that is not here is asked of the package's finder

__all__ = [
    "QueueClosed",
    "ReactorThread",
    "ThreadIterator",
    "ThreadsafeQueue",
    "blockingCallFromThread",
    "blockingCallWithTimeout",
    "callMultipleInThread",
    "checkCancelled",
    "deferToThread",
    "deferToThreadPool",
    "iterateInThread",
    "runInReactor",
    "startReactorThread",
    "stopReactorThread",
    "waitFor",
]
