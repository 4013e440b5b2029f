"""Factories and protocols around others: time limits, other limits, logs of the traffic.

Rooms: `_net.wrapping`, `_net.timeouts`, `_net.limits`.
Differs from Twisted: where the wrapped factory makes no protocol, the wrapping one makes none.
`LimitConnectionsByPeer` takes the addresses that transports have. `TrafficLoggingProtocol` closes
its file. A throttled connection needs no producer.
"""

from __future__ import annotations

from twistlike._net.limits import (
    LimitConnectionsByPeer,
    LimitTotalConnectionsFactory,
    ThrottlingFactory,
    ThrottlingProtocol,
)
from twistlike._net.timeouts import (
    TimeoutFactory,
    TimeoutMixin,
    TimeoutProtocol,
)
from twistlike._net.wrapping import (
    ProtocolWrapper,
    SpewingFactory,
    SpewingProtocol,
    TrafficLoggingFactory,
    TrafficLoggingProtocol,
    WrappingFactory,
)

__path__: list[str] = []  # a name that is not here is asked of the package's finder

__all__ = [
    "LimitConnectionsByPeer",
    "LimitTotalConnectionsFactory",
    "ProtocolWrapper",
    "SpewingFactory",
    "SpewingProtocol",
    "ThrottlingFactory",
    "ThrottlingProtocol",
    "TimeoutFactory",
    "TimeoutMixin",
    "TimeoutProtocol",
    "TrafficLoggingFactory",
    "TrafficLoggingProtocol",
    "WrappingFactory",
]
