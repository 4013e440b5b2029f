"""Sockets that come from elsewhere, by their family. Thread: the reactor's."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from twistlike._base.network_error import UnsupportedAddressFamily
from twistlike._transports import tcp

if TYPE_CHECKING:
    from twistlike._transports.ports import StreamPort
    from twistlike._transports.stream import Connection

__all__ = ["adoptConnection", "adoptPort"]

_INTERNET = (socket.AF_INET, socket.AF_INET6)
_UNIX = getattr(socket, "AF_UNIX", None)


def adoptPort(fileno: int, family: int, factory: Any, reactor: Any) -> StreamPort:
    """Listen on a socket that is bound already.

    Args:
        fileno: Its descriptor.
        family: Its address family.
        factory: Makes a protocol for each connection.
        reactor: The reactor.

    Raises:
        UnsupportedAddressFamily: It is neither of the internet's nor UNIX's.
    """
    if family in _INTERNET:
        return tcp.adoptPort(fileno, family, factory, reactor)
    if family == _UNIX:
        from twistlike._transports import unix

        return unix.adoptPort(fileno, factory, reactor)
    raise UnsupportedAddressFamily(f"a port cannot be of the address family {family!r}")


def adoptConnection(fileno: int, family: int, factory: Any, reactor: Any) -> Connection | None:
    """Take over a connection that is there already.

    Args:
        fileno: Its descriptor.
        family: Its address family.
        factory: Makes the protocol.
        reactor: The reactor.

    Raises:
        UnsupportedAddressFamily: It is neither of the internet's nor UNIX's.
    """
    if family in _INTERNET:
        return tcp.adoptConnection(fileno, family, factory, reactor)
    if family == _UNIX:
        from twistlike._transports import unix

        return unix.adoptConnection(fileno, factory, reactor)
    raise UnsupportedAddressFamily(f"a connection cannot be of the address family {family!r}")
