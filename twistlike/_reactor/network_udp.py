"""The reactor's methods that exchange datagrams. Thread: the loop's, or any before there is a loop.

Each asks for the module that does the work when it is first called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twistlike._reactor.loading import LoadingForPort

if TYPE_CHECKING:
    from twistlike._transports.multicast import MulticastPort
    from twistlike._transports.udp import Port
    from twistlike._transports.unix_datagrams import ConnectedDatagramPort, DatagramPort

__all__ = ["DatagramNetwork"]


class DatagramNetwork:
    """The part of the reactor's interface that exchanges datagrams."""

    if TYPE_CHECKING:

        def _inOurThread(self, name: str) -> None: ...

    def listenUDP(
        self, port: int, protocol: Any, interface: str = "", maxPacketSize: int = 8192
    ) -> Port:
        """Take datagrams on a UDP port.

        The port is bound when this returns, also before the reactor has a loop; datagrams are
        received once it has one.

        Args:
            port: The number; 0 for any that is free, which `getHost()` of the port tells.
            protocol: Takes the datagrams; its `transport` is the port.
            interface: The local address; empty for all of IPv4, `"::"` for all of IPv6.
            maxPacketSize: How many bytes of a datagram are taken; the rest of it is lost.

        Returns:
            The port. Its `stopListening()` closes it.

        Raises:
            CannotListenError: The address cannot be had.
            InvalidAddressError: The interface is no address.
            WrongThreadError: In another thread than the loop's; use
                `threads.blockingCallFromThread(reactor, reactor.listenUDP, ...)` there.
        """
        with LoadingForPort(interface, port):
            from twistlike._transports.udp import Port

        self._inOurThread("listenUDP")
        listening = Port(port, protocol, interface, maxPacketSize, self)
        listening.startListening()
        return listening

    def listenMulticast(
        self,
        port: int,
        protocol: Any,
        interface: str = "",
        maxPacketSize: int = 8192,
        listenMultiple: bool = False,
    ) -> MulticastPort:
        """Take datagrams on a UDP port that can join groups.

        Args:
            port: The number; 0 for any that is free.
            protocol: Takes the datagrams; its `transport` is the port.
            interface: As for `listenUDP`.
            maxPacketSize: As for `listenUDP`.
            listenMultiple: Whether other sockets may be bound to the port as well.

        Returns:
            The port.

        Raises:
            CannotListenError: The address cannot be had.
            InvalidAddressError: The interface is no address.
            WrongThreadError: In another thread than the loop's.
        """
        with LoadingForPort(interface, port):
            from twistlike._transports.multicast import MulticastPort

        self._inOurThread("listenMulticast")
        listening = MulticastPort(port, protocol, interface, maxPacketSize, self, listenMultiple)
        listening.startListening()
        return listening

    def listenUNIXDatagram(
        self, address: str | bytes, protocol: Any, maxPacketSize: int = 8192, mode: int = 0o666
    ) -> DatagramPort:
        """Take datagrams on a UNIX socket.

        Args:
            address: The path of its file, which must not exist.
            protocol: Takes the datagrams; its `transport` is the port.
            maxPacketSize: How many bytes of a datagram are taken; the rest of it is lost.
            mode: The file's permissions.

        Returns:
            The port. The file is left behind when it is closed, as in Twisted.

        Raises:
            CannotListenError: The path cannot be had.
            WrongThreadError: In another thread than the loop's.
        """
        with LoadingForPort(None, address):
            from twistlike._transports.unix_datagrams import DatagramPort

        self._inOurThread("listenUNIXDatagram")
        listening = DatagramPort(address, protocol, maxPacketSize, mode, self)
        listening.startListening()
        return listening

    def connectUNIXDatagram(
        self,
        address: str | bytes,
        protocol: Any,
        maxPacketSize: int = 8192,
        mode: int = 0o666,
        bindAddress: str | bytes | None = None,
    ) -> ConnectedDatagramPort:
        """Exchange datagrams with a UNIX socket.

        Args:
            address: The path of the other socket.
            protocol: A `ConnectedDatagramProtocol`; its `connectionFailed` is called if there is
                no such socket.
            maxPacketSize: How many bytes of a datagram are taken; the rest of it is lost.
            mode: The permissions of this socket's file.
            bindAddress: The path of this socket's file; without one the other cannot answer.

        Returns:
            The port.

        Raises:
            WrongThreadError: In another thread than the loop's.
        """
        from twistlike._transports.unix_datagrams import ConnectedDatagramPort

        self._inOurThread("connectUNIXDatagram")
        port = ConnectedDatagramPort(address, protocol, maxPacketSize, mode, bindAddress, self)
        port.startListening()
        return port

    def adoptDatagramPort(
        self, fileDescriptor: int, addressFamily: int, protocol: Any, maxPacketSize: int = 8192
    ) -> Port:
        """Take datagrams on a UDP socket that is bound already.

        Args:
            fileDescriptor: The socket's. It is duplicated; closing it is the caller's task.
            addressFamily: `socket.AF_INET` or `AF_INET6`.
            protocol: Takes the datagrams; its `transport` is the port.
            maxPacketSize: How many bytes of a datagram are taken; the rest of it is lost.

        Returns:
            The port.

        Raises:
            UnsupportedAddressFamily: It is another family.
            UnsupportedSocketType: It is no socket of datagrams.
            WrongThreadError: In another thread than the loop's.
        """
        from twistlike._transports.udp import adoptPort

        self._inOurThread("adoptDatagramPort")
        return adoptPort(fileDescriptor, addressFamily, protocol, maxPacketSize, self)
