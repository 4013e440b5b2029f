"""UDP ports, for those that make them themselves.

The usual way to them is `reactor.listenUDP` and `listenMulticast`.
Rooms: `_transports.udp`, `_transports.multicast`.
"""

from __future__ import annotations

from twistlike._transports.multicast import MulticastPort
from twistlike._transports.udp import Port

__path__: list[str] = []  # a name that is not here is asked of the package's finder

__all__ = ["MulticastPort", "Port"]
