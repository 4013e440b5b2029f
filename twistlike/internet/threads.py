"""Work that blocks, in threads; and calls from there into the reactor's thread.

Room: `_threads.api`.
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

__all__ = [
    "blockingCallFromThread",
    "blockingCallWithTimeout",
    "callMultipleInThread",
    "checkCancelled",
    "deferToThread",
    "deferToThreadPool",
]
