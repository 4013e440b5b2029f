"""TCP: ports, their connections, clients and their connectors. Thread: the reactor's."""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING, Any

from twistlike._base.address import IPv4Address, IPv6Address
from twistlike._base.error import CannotListenError
from twistlike._base.ip import isIPAddress, isIPv6Address
from twistlike._base.naming import showAs
from twistlike._base.network_error import ServiceNameUnknownError
from twistlike._transports.binding import Binding, makeBinding, numericAddress
from twistlike._transports.clients import BaseClient, BaseConnector
from twistlike._transports.loop_stream import openConnection
from twistlike._transports.ports import ServerConnection, StreamPort

if TYPE_CHECKING:
    Address = IPv4Address | IPv6Address

__all__ = ["Client", "Connector", "Port", "Server", "adoptConnection", "adoptPort"]


def _address(name: tuple[Any, ...]) -> Address:
    """Return the address that a socket of the internet's gives as a tuple."""
    if len(name) == 2:
        return IPv4Address("TCP", *name)
    if name[3]:  # with the scope's name, so that one can connect to it
        flags = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
        name = (socket.getnameinfo(name, flags)[0], *name[1:])
    return IPv6Address("TCP", *name)


class Server(ServerConnection):
    """A port's end of a connection.

    Args:
        sock: The socket.
        protocol: What takes the bytes.
        client: The other end's address, as the socket tells it.
        server: The port.
        sessionno: Its number among the port's connections.
        reactor: The reactor.
    """

    @property
    def hostname(self) -> str:
        """The other end's host."""
        return _address(self.client).host

    def __repr__(self) -> str:
        protocol = getattr(self, "protocol", None)
        if protocol is None:
            return super().__repr__()
        port = getattr(self.server, "_realPortNumber", None)
        return f"<{type(protocol).__name__} #{self.sessionno} on {port}>"

    # A web server asks for both with each request.
    _host: Address | None = None
    _peer: Address | None = None

    def getHost(self) -> Address:
        """Return the address of this end. Only while the connection lasts."""
        skt = self.socket
        if self._host is None:
            self._host = _address(skt.getsockname())
        return self._host

    def getPeer(self) -> Address:
        """Return the address of the other end."""
        if self._peer is None:
            self._peer = _address(self.client)
        return self._peer


class Port(StreamPort):
    """A TCP port that connections are accepted on.

    Args:
        port: The number; 0 for any that is free. Or what `makeBinding` returns.
        factory: Makes a protocol for each connection.
        backlog: How many connections may wait in the system.
        interface: The local address; empty for all of IPv4, `"::"` for all.
        reactor: The reactor.

    Raises:
        TypeError: If the port is no number.
        ValueError: If the interface is another one than the binding's.
    """

    socketType = socket.SOCK_STREAM
    addressFamily: int = socket.AF_INET
    transport = Server
    _realPortNumber: int | None = None
    _binding: Binding | None = None
    _preexistingSocket: socket.socket | None = None

    def __init__(
        self,
        port: int | Binding,
        factory: Any,
        backlog: int = 50,
        interface: str = "",
        reactor: Any = None,
    ) -> None:
        if isinstance(port, Binding):
            self._binding = port
            if interface not in ("", port.interface):
                raise ValueError(f"the interface is {interface!r}, but the binding says {port!r}")
            interface, port = port.interface, port.port
        if not isinstance(port, int):
            raise TypeError(f"a TCP port is listened on by its number, not {port!r}")
        super().__init__(factory, backlog, reactor)
        self.port = port
        self.interface = interface
        if isIPv6Address(interface):
            self.addressFamily = socket.AF_INET6

    def _where(self) -> str:
        return f"on {self._realPortNumber}"

    def _name(self) -> object:
        return self._realPortNumber

    def _buildAddr(self, name: Any) -> Any:
        return _address(name)

    def createInternetSocket(self) -> socket.socket:
        """Return a new socket of the right kind, whose port can be had again soon after its end."""
        skt = socket.socket(self.addressFamily, self.socketType)
        if os.name == "posix":
            if self._binding is None:  # else that says whether
                skt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        elif sys.platform == "win32":
            # Else a second process could have the port as well, and the connections of the first.
            skt.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        return skt

    def startListening(self) -> None:
        """Bind and listen now; connections are accepted once the reactor has a loop.

        Raises:
            CannotListenError: The address cannot be had.
        """
        skt = self._preexistingSocket
        self._preexistingSocket = None
        if skt is None:
            skt = self._bound()
        self._realPortNumber = skt.getsockname()[1]
        self._listen(skt, (self.interface, self.port))

    def _bound(self) -> socket.socket:
        skt = None
        try:
            skt = self.createInternetSocket()
            binding = self._binding or makeBinding(self.interface, self.port)
            binding.bind(skt)
        except BaseException as error:
            if skt is not None:
                skt.close()
            if isinstance(error, OSError):
                raise CannotListenError(self.interface, self.port, error) from None
            raise
        return skt

    def _closePort(self) -> None:
        super()._closePort()
        self._realPortNumber = None


class Client(BaseClient):
    """A client's end of a connection, and before that the attempt to connect.

    Args:
        host: The other end's host.
        port: Its port.
        bindAddress: What `makeBinding` returns, `None` for any local address.
        connector: What is told how it goes.
        reactor: The reactor.
    """

    def __init__(
        self,
        host: str,
        port: int,
        bindAddress: Binding | None,
        connector: Any,
        reactor: Any = None,
    ) -> None:
        super().__init__(connector, reactor)
        self.addr = (host, port)
        self.addressFamily = socket.AF_INET
        self._isName = not isIPAddress(host)
        if self._isName and isIPv6Address(host):
            self.addressFamily = socket.AF_INET6
            self._isName = False
        self._prepare(None if bindAddress is None else bindAddress.bind)

    def _requiresResolution(self) -> bool:
        return self._isName

    def _setRealAddress(self, address: Any) -> None:
        if self.addressFamily == socket.AF_INET6:
            try:
                address = numericAddress(*address)
            except OSError as error:  # a scope or a port that there is not
                self.failIfNotConnected(error)
                return
        super()._setRealAddress(address)

    def _nameFor(self, protocol: Any) -> str:
        name = super()._nameFor(protocol)
        return name if protocol is None else f"{name},client"

    def getHost(self) -> Address:
        """Return the address of this end. Only while the connection lasts."""
        return _address(self.socket.getsockname())

    def getPeer(self) -> Address:
        """Return the address of the other end."""
        return _address(self.realAddress or self.addr)

    def __repr__(self) -> str:
        return f"<{type(self)} to {self.addr} at {id(self):x}>"


class Connector(BaseConnector):
    """Connects to a TCP port.

    Args:
        host: The host, as an address or a name.
        port: The port's number, or a service's name.
        factory: Makes the protocol, and is told how it goes.
        timeout: Seconds that an attempt may take.
        bindAddress: The local address and port, or the address alone; `None` for any.
        reactor: The reactor.

    Raises:
        ServiceNameUnknownError: The port is a name that the system does not know.
        TypeError: Host or port are something else.
    """

    def __init__(
        self,
        host: str | bytes,
        port: int | str,
        factory: Any,
        timeout: float | None,
        bindAddress: str | tuple[str, int] | Binding | None,
        reactor: Any = None,
    ) -> None:
        if isinstance(port, str):
            try:
                port = socket.getservbyname(port, "tcp")
            except OSError as error:
                raise ServiceNameUnknownError(string=f"{error} ({port!r})") from None
        if not isinstance(port, int):
            raise TypeError(f"a TCP port is a number or a service's name, not {port!r}")
        if isinstance(host, bytes):
            host = host.decode("ascii")
        if not isinstance(host, str):
            raise TypeError(f"a host is text, an address or a name, not {host!r}")
        self.host = host
        self.port = port
        if isinstance(bindAddress, str):
            bindAddress = makeBinding(bindAddress)
        elif bindAddress is not None and not isinstance(bindAddress, Binding):
            bindAddress = makeBinding(*bindAddress)
        self.bindAddress = bindAddress
        super().__init__(factory, timeout, reactor)

    def _makeTransport(self) -> Client:
        return Client(self.host, self.port, self.bindAddress, self, self.reactor)

    def getDestination(self) -> Address:
        """Return the address that is connected to, with the host as it was given."""
        if isIPv6Address(self.host):
            return IPv6Address("TCP", self.host, self.port)
        return IPv4Address("TCP", self.host, self.port)

    def __repr__(self) -> str:
        return f"<{type(self).__qualname__} to {self.host}:{self.port}, {self.state}>"


class _Adopted:
    """Stands for the port of a connection that has none of ours."""

    def __init__(self, skt: socket.socket) -> None:
        self._realPortNumber = skt.getsockname()[1]


def adoptPort(fileno: int, addressFamily: int, factory: Any, reactor: Any) -> Port:
    """Listen on a socket that somebody else has bound, by a descriptor of our own.

    Args:
        fileno: The socket's descriptor. It is duplicated.
        addressFamily: `socket.AF_INET` or `socket.AF_INET6`.
        factory: Makes a protocol for each connection.
        reactor: The reactor.
    """
    skt = socket.fromfd(fileno, addressFamily, socket.SOCK_STREAM)
    host, number = skt.getsockname()[:2]
    port = Port(number, factory, interface=host, reactor=reactor)
    port._preexistingSocket = skt
    port.startListening()
    return port


def adoptConnection(fileno: int, addressFamily: int, factory: Any, reactor: Any) -> Server | None:
    """Take over a connection of somebody else's, by a descriptor of our own.

    Args:
        fileno: The socket's descriptor. It is duplicated.
        addressFamily: `socket.AF_INET` or `socket.AF_INET6`.
        factory: Makes the protocol.
        reactor: The reactor.

    Returns:
        The connection; `None` if the factory has made no protocol.
    """
    skt = socket.fromfd(fileno, addressFamily, socket.SOCK_STREAM)
    try:
        name = skt.getpeername()
        protocol = factory.buildProtocol(_address(name))
    except BaseException:
        skt.close()
        raise
    if protocol is None:
        skt.close()
        return None
    server = Server(skt, protocol, name, _Adopted(skt), 0, reactor)
    openConnection(server)
    return server


showAs("twistlike.internet.tcp", globals(), ["Client", "Connector", "Port", "Server"])
