"""The addresses of connections. Room: `_base.address`."""

from __future__ import annotations

from twistlike._base.address import (
    HostnameAddress,
    IPv4Address,
    IPv6Address,
    UNIXAddress,
)

__path__: list[str] = []  # a name that is not here is asked of the package's finder

__all__ = [
    "HostnameAddress",
    "IPv4Address",
    "IPv6Address",
    "UNIXAddress",
]
