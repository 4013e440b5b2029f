"""What a file descriptor that is written to does, for those that have a kind of their own.

Rooms: `_transports.abstract`, `_base.ip`.
"""

from __future__ import annotations

from twistlike._base.ip import isIPAddress, isIPv6Address
from twistlike._transports.abstract import FileDescriptor

__path__: list[str] = []  # a name that is not here is asked of the package's finder

__all__ = ["FileDescriptor", "isIPAddress", "isIPv6Address"]
