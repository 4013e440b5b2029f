"""What endpoints, resolvers and protocols ask a reactor for, as typing Protocols."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from twistlike._base.interfaces import InterfaceType
from twistlike._base.naming import showAs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from twistlike._defer.deferred import Deferred
    from twistlike._transports.interfaces import (
        IAddress,
        IConnector,
        IListeningPort,
        IProcessProtocol,
        IProcessTransport,
        IProtocolFactory,
    )

__all__ = [
    "IHostResolution",
    "IHostnameResolver",
    "IReactorDaemonize",
    "IReactorMulticast",
    "IReactorPluggableNameResolver",
    "IReactorPluggableResolver",
    "IReactorProcess",
    "IReactorSSL",
    "IReactorSocket",
    "IReactorTCP",
    "IReactorUDP",
    "IReactorUNIX",
    "IReactorUNIXDatagram",
    "IResolutionReceiver",
    "IStreamClientEndpoint",
    "IStreamClientEndpointStringParserWithReactor",
    "IStreamServerEndpoint",
    "IStreamServerEndpointStringParser",
]


class IReactorTCP(Protocol, metaclass=InterfaceType):
    """TCP."""

    def listenTCP(
        self, port: int, factory: IProtocolFactory, backlog: int = 50, interface: str = ""
    ) -> IListeningPort:
        """Accept connections on a port; 0 takes a free one.

        Raises:
            CannotListenError: The address cannot be had.
        """
        ...

    def connectTCP(
        self,
        host: str,
        port: int,
        factory: Any,
        timeout: float = 30.0,
        bindAddress: tuple[str, int] | None = None,
    ) -> IConnector:
        """Connect to a port of a host, within `timeout` seconds."""
        ...


class IReactorSSL(Protocol, metaclass=InterfaceType):
    """TCP with TLS from the first byte."""

    def listenSSL(
        self,
        port: int,
        factory: IProtocolFactory,
        contextFactory: Any,
        backlog: int = 50,
        interface: str = "",
    ) -> IListeningPort:
        """Accept connections on a port."""
        ...

    def connectSSL(
        self,
        host: str,
        port: int,
        factory: Any,
        contextFactory: Any,
        timeout: float = 30.0,
        bindAddress: tuple[str, int] | None = None,
    ) -> IConnector:
        """Connect to a port of a host, within `timeout` seconds."""
        ...


class IReactorUNIX(Protocol, metaclass=InterfaceType):
    """UNIX sockets."""

    def listenUNIX(
        self,
        address: str | bytes,
        factory: IProtocolFactory,
        backlog: int = 50,
        mode: int = 0o666,
        wantPID: bool = False,
    ) -> IListeningPort:
        """Accept connections on a path."""
        ...

    def connectUNIX(
        self, address: str | bytes, factory: Any, timeout: float = 30, checkPID: bool = False
    ) -> IConnector:
        """Connect to a path, within `timeout` seconds."""
        ...


class IReactorUDP(Protocol, metaclass=InterfaceType):
    """UDP."""

    def listenUDP(
        self, port: int, protocol: Any, interface: str = "", maxPacketSize: int = 8192
    ) -> IListeningPort:
        """Take datagrams on a port; 0 takes a free one.

        Raises:
            CannotListenError: The address cannot be had.
        """
        ...


class IReactorMulticast(Protocol, metaclass=InterfaceType):
    """UDP to groups of hosts."""

    def listenMulticast(
        self,
        port: int,
        protocol: Any,
        interface: str = "",
        maxPacketSize: int = 8192,
        listenMultiple: bool = False,
    ) -> IListeningPort:
        """Take datagrams on a port, which other processes may share if `listenMultiple`."""
        ...


class IReactorUNIXDatagram(Protocol, metaclass=InterfaceType):
    """Datagrams through UNIX sockets."""

    def listenUNIXDatagram(
        self, address: str | bytes, protocol: Any, maxPacketSize: int = 8192, mode: int = 0o666
    ) -> IListeningPort:
        """Take datagrams on a path."""
        ...

    def connectUNIXDatagram(
        self,
        address: str | bytes,
        protocol: Any,
        maxPacketSize: int = 8192,
        mode: int = 0o666,
        bindAddress: str | bytes | None = None,
    ) -> IListeningPort:
        """Exchange datagrams with the socket of a path."""
        ...


class IReactorProcess(Protocol, metaclass=InterfaceType):
    """Child processes."""

    def spawnProcess(
        self,
        processProtocol: IProcessProtocol,
        executable: str | bytes,
        args: Sequence[str | bytes] = (),
        env: Mapping[str, str] | Mapping[bytes, bytes] | None = None,
        path: str | bytes | None = None,
        uid: int | None = None,
        gid: int | None = None,
        usePTY: Any = False,
        childFDs: Mapping[int, int | str] | None = None,
    ) -> IProcessTransport:
        """Start a program, and handle its pipes by a protocol.

        Raises:
            OSError: No process can be made.
        """
        ...


class IReactorSocket(Protocol, metaclass=InterfaceType):
    """Sockets that somebody else has made. The descriptor is copied: the caller closes its own."""

    def adoptStreamPort(
        self, fileDescriptor: int, addressFamily: int, factory: IProtocolFactory
    ) -> IListeningPort:
        """Accept connections on a listening socket."""
        ...

    def adoptStreamConnection(
        self, fileDescriptor: int, addressFamily: int, factory: IProtocolFactory
    ) -> object:
        """Handle a connected socket by a protocol."""
        ...

    def adoptDatagramPort(
        self, fileDescriptor: int, addressFamily: int, protocol: Any, maxPacketSize: int = 8192
    ) -> IListeningPort:
        """Take datagrams on a bound socket."""
        ...


class IReactorDaemonize(Protocol, metaclass=InterfaceType):
    """A reactor that has to know when its process becomes a daemon."""

    def beforeDaemonize(self) -> None:
        """Prepare."""

    def afterDaemonize(self) -> None:
        """Go on, in the new process."""


class IHostResolution(Protocol, metaclass=InterfaceType):
    """A look-up of a name that is going on."""

    @property
    def name(self) -> str:
        """The name that is looked up."""
        ...

    def cancel(self) -> None:
        """Stop it: no more addresses follow."""


class IResolutionReceiver(Protocol, metaclass=InterfaceType):
    """What is told the addresses of a name, one by one."""

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        """Hear that the look-up has begun."""

    def addressResolved(self, address: IAddress) -> None:
        """Take an address."""

    def resolutionComplete(self) -> None:
        """Hear that all addresses have been told. With none, the name is unknown."""


class IHostnameResolver(Protocol, metaclass=InterfaceType):
    """Names to addresses, of all families."""

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        """Look a name up.

        Args:
            resolutionReceiver: What is told the addresses.
            hostName: The name, or an address in text form.
            portNumber: The port that the addresses get.
            addressTypes: What addresses are wanted, `IPv4Address` and `IPv6Address`; None: any.
            transportSemantics: "TCP" or "UDP".
        """
        ...


class IReactorPluggableResolver(Protocol, metaclass=InterfaceType):
    """A reactor whose look-up of IPv4 addresses can be replaced."""

    def installResolver(self, resolver: Any) -> Any:
        """Look names up by an `IResolverSimple` from now on; return the one before."""
        ...


class IReactorPluggableNameResolver(Protocol, metaclass=InterfaceType):
    """A reactor whose look-up of names can be replaced."""

    @property
    def nameResolver(self) -> IHostnameResolver:
        """What looks names up."""
        ...

    def installNameResolver(self, resolver: IHostnameResolver) -> IHostnameResolver:
        """Look names up by another resolver from now on; return the one before."""
        ...


class IStreamClientEndpoint(Protocol, metaclass=InterfaceType):
    """A place that can be connected to."""

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        """Connect; return a Deferred with the protocol."""
        ...


class IStreamServerEndpoint(Protocol, metaclass=InterfaceType):
    """A place where connections can be accepted."""

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Accept connections; return a Deferred with the port."""
        ...


class IStreamServerEndpointStringParser(Protocol, metaclass=InterfaceType):
    """What makes a server's endpoint of a description such as "tcp:8080"."""

    @property
    def prefix(self) -> str:
        """The word before the first colon."""
        ...

    def parseStreamServer(self, reactor: Any, *args: str, **kwargs: str) -> IStreamServerEndpoint:
        """Make the endpoint of the description's parts."""
        ...


class IStreamClientEndpointStringParserWithReactor(Protocol, metaclass=InterfaceType):
    """What makes a client's endpoint of a description such as "tcp:localhost:8080"."""

    @property
    def prefix(self) -> str:
        """The word before the first colon."""
        ...

    def parseStreamClient(self, reactor: Any, *args: str, **kwargs: str) -> IStreamClientEndpoint:
        """Make the endpoint of the description's parts."""
        ...


showAs("twistlike.internet.interfaces", globals(), __all__)
