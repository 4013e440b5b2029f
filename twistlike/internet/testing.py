"""Stand-ins for the reactor and for transports, for tests.

Rooms: `_tasks.testing`, `_tasks.memory_resolver`, `_net.testing`.
"""

from __future__ import annotations

from twistlike._net.testing import (
    AccumulatingProtocol,
    EventLoggingObserver,
    FakeDatagramTransport,
    LineSendingProtocol,
    NonStreamingProducer,
    RaisingMemoryReactor,
    StringIOWithoutClosing,
    StringTransportWithDisconnection,
    waitUntilAllDisconnected,
)
from twistlike._tasks.memory_resolver import SynchronousResolver
from twistlike._tasks.testing import (
    MemoryReactor,
    MemoryReactorClock,
    StringTransport,
    assertNoResult,
    failureResultOf,
    successResultOf,
)

__path__: list[str] = []  # a name that is not here is asked of the package's finder

__all__ = [
    "AccumulatingProtocol",
    "EventLoggingObserver",
    "FakeDatagramTransport",
    "LineSendingProtocol",
    "MemoryReactor",
    "MemoryReactorClock",
    "NonStreamingProducer",
    "RaisingMemoryReactor",
    "StringIOWithoutClosing",
    "StringTransport",
    "StringTransportWithDisconnection",
    "SynchronousResolver",
    "assertNoResult",
    "failureResultOf",
    "successResultOf",
    "waitUntilAllDisconnected",
]
