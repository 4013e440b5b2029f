"""UDP ports. Thread: the reactor's."""

from __future__ import annotations

import socket
from typing import Any

from twistlike._base.address import IPv4Address, IPv6Address
from twistlike._base.error import CannotListenError
from twistlike._base.ip import isIPAddress, isIPv6Address
from twistlike._base.naming import showAs
from twistlike._base.network_error import (
    InvalidAddressError,
    UnsupportedAddressFamily,
    UnsupportedSocketType,
)
from twistlike._transports.datagrams import BaseDatagramPort

__all__ = ["Port", "adoptPort"]


class Port(BaseDatagramPort):
    """A UDP port.

    Args:
        port: Its number; 0 for any that is free.
        proto: The protocol.
        interface: The address that datagrams are received at; empty for all of IPv4, `"::"` for
            all of IPv6.
        maxPacketSize: How many bytes of a datagram are taken; the rest of it is lost.
        reactor: The reactor.

    Raises:
        InvalidAddressError: The interface is no address.
    """

    addressFamily = socket.AF_INET
    socketType = socket.SOCK_DGRAM
    _realPortNumber: int | None = None
    _connectedAddr: tuple[str, int] | None = None
    _adopted: socket.socket | None = None
    _checkedHost: str | None = None  # the last one that was all right

    def __init__(
        self,
        port: int,
        proto: Any,
        interface: str = "",
        maxPacketSize: int = 8192,
        reactor: Any = None,
    ) -> None:
        super().__init__(proto, maxPacketSize, reactor)
        self.port = port
        self.interface = interface
        if isIPv6Address(interface):
            self.addressFamily = socket.AF_INET6
        elif interface and not isIPAddress(interface):
            raise InvalidAddressError(interface, "not an IPv4 or IPv6 address.")

    def _where(self) -> str:
        return f"on {self.interface or 'any'}:{self._realPortNumber}"

    def _name(self) -> object:
        return self._realPortNumber

    def getHost(self) -> IPv4Address | IPv6Address:
        """Return the address that datagrams are received at.

        Raises:
            RuntimeError: The port is closed.
        """
        if not self.connected:
            raise RuntimeError(f"{self!r} is closed: it has no address")
        name = self.socket.getsockname()
        if self.addressFamily == socket.AF_INET6:
            return IPv6Address("UDP", *name)
        return IPv4Address("UDP", *name)

    # ---- beginning -------------------------------------------------------------------------------

    def createInternetSocket(self) -> socket.socket:
        """Make the socket. Subclasses set its options."""
        skt = socket.socket(self.addressFamily, self.socketType)
        skt.setblocking(False)
        return skt

    def startListening(self) -> None:
        """Bind the socket, tell the protocol, and receive.

        Raises:
            CannotListenError: The address cannot be had.
        """
        skt, self._adopted = self._adopted, None
        if skt is None:
            try:
                skt = self.createInternetSocket()
                try:
                    skt.bind((self.interface, self.port))
                except BaseException:
                    skt.close()
                    raise
            except OSError as error:
                raise CannotListenError(self.interface, self.port, error) from None
        self._realPortNumber = skt.getsockname()[1]
        self._connectedAddr = None
        self._begin(skt)

    # ---- sending ---------------------------------------------------------------------------------

    def write(  # type: ignore[override]
        self, datagram: bytes, addr: tuple[str, int] | None = None
    ) -> int | None:
        """Send a datagram.

        Args:
            datagram: Its bytes.
            addr: An address and a port, `("<broadcast>", port)` included; None where the port
                is connected.

        Returns:
            The number of bytes; None if it was refused, or handed to the reactor's thread.

        Raises:
            InvalidAddressError: The address is a name, or of another family than the port.
            AssertionError: The port is connected to another address, or not connected and no
                address was given.
            MessageLengthError: It is too long.
            BlockingIOError: The system has no room for it at the moment.
            OSError: The system cannot send it.
            RuntimeError: The port is closed.
            WrongThreadError: In another thread than the loop's.
        """
        if self._elsewhere(self.write, datagram, addr):
            return None
        peer = self._connectedAddr
        if peer is not None:
            if addr is not None and tuple(addr[:2]) != peer:
                raise AssertionError(f"{self!r} is connected to {peer}: it cannot send to {addr}")
            return self._send(datagram, None)
        if addr is None:
            raise AssertionError(f"{self!r} is not connected: a datagram needs an address")
        host = addr[0]
        if host != self._checkedHost:  # looking at one takes 0.5 us
            self._checkAddress(host)
            self._checkedHost = host
        return self._send(datagram, addr)

    def _checkAddress(self, host: str) -> None:
        # The address of the port's own family is the usual case, so it is looked for first.
        isIPv6 = self.addressFamily == socket.AF_INET6
        if (isIPv6Address if isIPv6 else isIPAddress)(host) or host == "<broadcast>":
            return
        if (isIPAddress if isIPv6 else isIPv6Address)(host):
            family, other = ("IPv6", "IPv4") if isIPv6 else ("IPv4", "IPv6")
            raise InvalidAddressError(host, f"{family} port write() called with {other} address")
        raise InvalidAddressError(host, "write() only accepts IP addresses, not hostnames")

    def connect(self, host: str, port: int) -> None:
        """Take datagrams from one address alone, and send to that by default.

        Args:
            host: An address.
            port: A port.

        Raises:
            RuntimeError: It is connected already.
            InvalidAddressError: The host is a name, or of another family than the port.
            WrongThreadError: In another thread than the loop's.
        """
        if self._elsewhere(self.connect, host, port):
            return
        if self._connectedAddr is not None:
            raise RuntimeError(
                f"{self!r} is connected to {self._connectedAddr}: it cannot be connected again"
            )
        isOurs = isIPv6Address if self.addressFamily == socket.AF_INET6 else isIPAddress
        if not isOurs(host):
            if isIPAddress(host) or isIPv6Address(host):
                raise InvalidAddressError(host, f"of another family than {self!r}.")
            raise InvalidAddressError(host, "not an IPv4 or IPv6 address.")
        self.socket.connect((host, port))
        self._connectedAddr = (host, port)
        self._isConnected = True

    def _received(self, data: bytes, address: Any) -> None:
        # Of IPv6 it has a flow and a scope besides.
        self._call(self.protocol.datagramReceived, data, address[:2])

    # ---- options ---------------------------------------------------------------------------------

    def setBroadcastAllowed(self, enabled: bool) -> None:
        """Set whether datagrams may be sent to a broadcast address."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, enabled)

    def getBroadcastAllowed(self) -> bool:
        """Return whether datagrams may be sent to a broadcast address."""
        return bool(self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST))


def adoptPort(fileno: int, family: int, proto: Any, maxPacketSize: int, reactor: Any) -> Port:
    """Receive on a UDP socket that is bound already.

    Args:
        fileno: Its descriptor, which is duplicated.
        family: Its address family.
        proto: The protocol.
        maxPacketSize: How many bytes of a datagram are taken.
        reactor: The reactor.

    Raises:
        UnsupportedAddressFamily: It is neither IPv4 nor IPv6.
        UnsupportedSocketType: It is no socket of datagrams.
    """
    if family not in (socket.AF_INET, socket.AF_INET6):
        raise UnsupportedAddressFamily(f"a UDP port cannot be of the address family {family!r}")
    skt = socket.fromfd(fileno, family, socket.SOCK_DGRAM)
    if skt.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) != socket.SOCK_DGRAM:
        skt.close()
        raise UnsupportedSocketType(f"the descriptor {fileno} is no socket of datagrams")
    interface, number = skt.getsockname()[:2]
    port = Port(number, proto, interface, maxPacketSize, reactor)
    port._adopted = skt
    port.startListening()
    return port


showAs("twistlike.internet.udp", globals(), ["Port"])
