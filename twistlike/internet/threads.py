"""Work that blocks, in threads; and calls from there into the reactor's thread.

Room: `_threads`: `api`, `queue`.
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
from twistlike._threads.queue import QueueClosed, ThreadsafeQueue

__all__ = [
    "QueueClosed",
    "ThreadsafeQueue",
    "blockingCallFromThread",
    "blockingCallWithTimeout",
    "callMultipleInThread",
    "checkCancelled",
    "deferToThread",
    "deferToThreadPool",
]
