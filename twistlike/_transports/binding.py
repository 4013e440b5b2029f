"""Where and how a TCP socket is bound on this side. Thread: any."""

from __future__ import annotations

import socket
from typing import Any, NamedTuple

from twistlike._base.ip import isIPv6Address
from twistlike._base.naming import showAs

__all__ = ["Binding", "makeBinding", "numericAddress"]


class Binding(NamedTuple):
    """A local address, and options of the socket: see `makeBinding`, which makes one."""

    interface: str
    port: int
    reuseAddress: bool
    reusePort: bool

    def bind(self, skt: socket.socket) -> None:
        """Set a socket's options, and bind it.

        Raises:
            OSError: The address cannot be had, or the system does not know an option.
        """
        if self.reuseAddress:
            skt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self.reusePort:
            option = getattr(socket, "SO_REUSEPORT", None)
            if option is None:
                raise OSError("this system has no SO_REUSEPORT")
            skt.setsockopt(socket.SOL_SOCKET, option, 1)
        address: Any = (self.interface, self.port)
        if isIPv6Address(self.interface):
            address = numericAddress(*address)
        skt.bind(address)


def numericAddress(host: str, port: int) -> tuple[Any, ...]:
    """Return an IPv6 address as sockets want it, with its scope's number, without a look-up.

    Raises:
        OSError: It is no address, or the scope is none.
    """
    # A negative port is refused here, as in Twisted; one that is too large, where it is used.
    found = socket.getaddrinfo(host, min(port, 0), flags=socket.AI_NUMERICHOST)[0][4]
    return (found[0], port, *found[2:])


def makeBinding(
    interface: str = "", port: int = 0, reuseAddress: bool = False, reusePort: bool = False
) -> Binding:
    """Say where a client's connection comes from, or where a port listens.

    Args:
        interface: The local address; empty for any.
        port: The port's number; 0 for any that is free.
        reuseAddress: Whether the address may be had although an old connection's end is remembered.
        reusePort: Whether several sockets may have the same address and port at once.

    Returns:
        What ``connectTCP`` takes as its `bindAddress`, and ``listenTCP`` in the place of a port.
    """
    return Binding(interface, port, reuseAddress, reusePort)


showAs("twistlike.internet.tcp", globals(), ["Binding", "makeBinding"])
