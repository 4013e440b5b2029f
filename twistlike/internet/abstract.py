"""What a file descriptor that is written to does, for those that have a kind of their own.

Room: `_transports.abstract`.
"""

from __future__ import annotations

from twistlike._transports.abstract import FileDescriptor, isIPAddress, isIPv6Address

__all__ = ["FileDescriptor", "isIPAddress", "isIPv6Address"]
