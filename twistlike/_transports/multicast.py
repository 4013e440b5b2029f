"""UDP ports that take part in groups of hosts. Thread: the reactor's."""

from __future__ import annotations

import socket
import struct
from typing import Any

from twistlike._base.ip import isIPAddress, isIPv6Address
from twistlike._base.naming import showAs
from twistlike._base.network_error import MulticastJoinError
from twistlike._defer.deferred import Deferred, succeed
from twistlike._transports.udp import Port

__all__ = ["MulticastPort"]


class MulticastPort(Port):
    """A UDP port that can join groups.

    Args:
        port: Its number; 0 for any that is free.
        proto: The protocol.
        interface: As for a `Port`.
        maxPacketSize: How many bytes of a datagram are taken; the rest of it is lost.
        reactor: The reactor.
        listenMultiple: Whether other sockets, also of other processes, may be bound to the port
            as well, if they say so, too.
    """

    def __init__(
        self,
        port: int,
        proto: Any,
        interface: str = "",
        maxPacketSize: int = 8192,
        reactor: Any = None,
        listenMultiple: bool = False,
    ) -> None:
        super().__init__(port, proto, interface, maxPacketSize, reactor)
        self.listenMultiple = listenMultiple

    def createInternetSocket(self) -> socket.socket:
        """Make the socket, which may share its port."""
        skt = super().createInternetSocket()
        if self.listenMultiple:
            skt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if hasattr(socket, "SO_REUSEPORT"):
                skt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        return skt

    @property
    def _isIPv6(self) -> bool:
        return self.addressFamily == socket.AF_INET6

    def _option(self, ipv4: int, ipv6: int) -> tuple[int, int]:
        if self._isIPv6:
            return socket.IPPROTO_IPV6, ipv6
        return socket.IPPROTO_IP, ipv4

    # ---- sending ---------------------------------------------------------------------------------

    def getOutgoingInterface(self) -> str | int:
        """Return the interface that multicast datagrams leave by.

        Returns:
            Its address; for IPv6 its index. `"0.0.0.0"` or 0 where the system chooses.
        """
        if self._isIPv6:
            return self.socket.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF)
        found = self.socket.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, 4)
        return socket.inet_ntoa(found)

    def setOutgoingInterface(self, addr: str | int) -> Deferred[int]:
        """Set the interface that multicast datagrams leave by.

        Args:
            addr: Its address, or a name that is looked up; for IPv6 its index.

        Returns:
            A Deferred with 1, once that is done.

        Raises:
            TypeError: For IPv6 an index was expected, or an address for IPv4.
        """
        if self._isIPv6:
            if not isinstance(addr, int):
                raise TypeError(f"an interface of IPv6 is given by its index, not by {addr!r}")
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, addr)
            return succeed(1)
        if not isinstance(addr, str):
            raise TypeError(f"an interface of IPv4 is given by its address, not by {addr!r}")

        def set(address: str) -> int:
            packed = socket.inet_aton(address)
            self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, packed)
            return 1

        done: Deferred[int] = self._resolve(addr).addCallback(set)
        return done

    def getLoopbackMode(self) -> bool:
        """Return whether this host sees its own multicast datagrams."""
        option = self._option(socket.IP_MULTICAST_LOOP, socket.IPV6_MULTICAST_LOOP)
        return bool(self.socket.getsockopt(*option))

    def setLoopbackMode(self, mode: bool) -> None:
        """Set whether this host sees its own multicast datagrams."""
        option = self._option(socket.IP_MULTICAST_LOOP, socket.IPV6_MULTICAST_LOOP)
        self.socket.setsockopt(*option, bool(mode))

    def getTTL(self) -> int:
        """Return how many routers a multicast datagram may pass."""
        option = self._option(socket.IP_MULTICAST_TTL, socket.IPV6_MULTICAST_HOPS)
        return self.socket.getsockopt(*option)

    def setTTL(self, ttl: int) -> None:
        """Set how many routers a multicast datagram may pass.

        Args:
            ttl: 0 to 255; 1 keeps it in the local network.
        """
        option = self._option(socket.IP_MULTICAST_TTL, socket.IPV6_MULTICAST_HOPS)
        self.socket.setsockopt(*option, ttl)

    # ---- receiving -------------------------------------------------------------------------------

    def joinGroup(self, addr: str, interface: str | int = "") -> Deferred[None]:
        """Take the datagrams that are sent to a group.

        Args:
            addr: The group's address, or a name that is looked up.
            interface: The address of the interface to join by, or a name that is looked up; for
                IPv6 its index or name. Default: the system chooses.

        Returns:
            A Deferred that fires once that is done. It fails with `MulticastJoinError` if the
            system refuses, with `DNSLookupError` if a name is unknown.
        """
        return self._change(addr, interface, True)

    def leaveGroup(self, addr: str, interface: str | int = "") -> Deferred[None]:
        """Take the datagrams that are sent to a group no longer.

        Args:
            addr: As for `joinGroup`.
            interface: As for `joinGroup`.

        Returns:
            As `joinGroup`.
        """
        return self._change(addr, interface, False)

    def _change(self, addr: str, interface: str | int, joining: bool) -> Deferred[None]:
        def apply(group: str, by: str | int) -> None:
            level = socket.IPPROTO_IPV6 if self._isIPv6 else socket.IPPROTO_IP
            if self._isIPv6:
                option = socket.IPV6_JOIN_GROUP if joining else socket.IPV6_LEAVE_GROUP
            else:
                option = socket.IP_ADD_MEMBERSHIP if joining else socket.IP_DROP_MEMBERSHIP
            try:
                self.socket.setsockopt(level, option, self._membership(group, by))
            except OSError as error:
                raise MulticastJoinError(group, by, *error.args) from error

        def resolved(group: str) -> Any:
            if self._isIPv6 or not interface:
                return apply(group, interface or (0 if self._isIPv6 else "0.0.0.0"))
            return self._resolve(str(interface)).addCallback(lambda by: apply(group, by))

        done: Deferred[None] = self._resolve(addr).addCallback(resolved)
        return done

    def _membership(self, group: str, by: str | int) -> bytes:
        if not self._isIPv6:
            return socket.inet_aton(group) + socket.inet_aton(str(by))
        if isinstance(by, str):
            by = 0 if isIPv6Address(by) else socket.if_nametoindex(by)
        return socket.inet_pton(socket.AF_INET6, group) + struct.pack("@I", by)

    def _resolve(self, name: str) -> Deferred[str]:
        if isIPAddress(name) or isIPv6Address(name):
            return succeed(name)
        found: Deferred[str] = self.reactor.resolve(name)
        return found


showAs("twistlike.internet.udp", globals(), __all__)
