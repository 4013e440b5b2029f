"""Stand-ins for the reactor and for transports, for tests. Room: `_tasks.testing`."""

from __future__ import annotations

from twistlike._tasks.testing import (
    MemoryReactor,
    MemoryReactorClock,
    StringTransport,
    assertNoResult,
    failureResultOf,
    successResultOf,
)

__all__ = [
    "MemoryReactor",
    "MemoryReactorClock",
    "StringTransport",
    "assertNoResult",
    "failureResultOf",
    "successResultOf",
]
