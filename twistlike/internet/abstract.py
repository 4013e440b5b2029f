"""What a file descriptor that is written to does, for those that have a kind of their own.

Rooms: `_transports.abstract`, `_base.ip`.
"""

from __future__ import annotations

from twistlike._base.ip import isIPAddress, isIPv6Address
from twistlike._transports.abstract import FileDescriptor

__all__ = ["FileDescriptor", "isIPAddress", "isIPv6Address"]
