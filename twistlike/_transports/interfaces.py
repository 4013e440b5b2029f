"""What protocols, transports, producers and addresses expect of each other, as typing Protocols.

Nothing needs to inherit from these, but for a `DeclaredInterface`, which counts only where it is
declared (see `_base.declarations`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from twistlike._base.declarations import DeclaredInterface, TypeInterface
from twistlike._base.interfaces import InterfaceType
from twistlike._base.naming import showAs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Self

    from twistlike._base.failure import Failure
    from twistlike._defer.deferred import Deferred

__all__ = [
    "IAddress",
    "IConnector",
    "IConsumer",
    "IFileDescriptorReceiver",
    "IHalfCloseableDescriptor",
    "IHalfCloseableProtocol",
    "IHandshakeListener",
    "IListeningPort",
    "ILoggingContext",
    "IMulticastTransport",
    "INegotiated",
    "IProcessProtocol",
    "IProcessTransport",
    "IProducer",
    "IProtocol",
    "IProtocolFactory",
    "IProtocolNegotiationFactory",
    "IPullProducer",
    "IPushProducer",
    "ISSLTransport",
    "ISystemHandle",
    "ITCPTransport",
    "ITLSTransport",
    "ITransport",
    "IUDPTransport",
    "IUNIXDatagramConnectedTransport",
    "IUNIXDatagramTransport",
    "IUNIXTransport",
]


class IAddress(Protocol, metaclass=InterfaceType):
    """An address that a connection comes from or leads to."""


class ILoggingContext(Protocol, metaclass=TypeInterface):
    """Something that gives what is logged on its behalf a name.

    Differs from Twisted: the type decides, not a declaration.
    """

    def logPrefix(self) -> str:
        """Return the name."""
        ...


class IConnector(Protocol, metaclass=InterfaceType):
    """An attempt to connect, then the connection, for a client's factory."""

    def stopConnecting(self) -> None:
        """Give the attempt up."""

    def disconnect(self) -> None:
        """End the connection, or give the attempt up."""

    def connect(self) -> None:
        """Try again."""

    def getDestination(self) -> IAddress:
        """Return the address that is connected to."""
        ...


class IListeningPort(Protocol, metaclass=InterfaceType):
    """A port that accepts connections, or a socket that takes datagrams.

    `async with` is what ports here have besides Twisted's; no object is asked for it.
    """

    def startListening(self) -> None:
        """Start.

        Raises:
            CannotListenError: The address cannot be had.
        """

    def stopListening(self) -> Deferred[None]:
        """Stop; return a Deferred that fires once the port is closed."""
        ...

    def getHost(self) -> IAddress:
        """Return the address that is listened on."""
        ...

    async def __aenter__(self) -> Self:
        """Begin a block of code. The port listens already."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the port at the end of the block, and wait until that is done."""
        await self.stopListening()


class IProducer(Protocol, metaclass=InterfaceType):
    """A source of bytes for a consumer."""

    def stopProducing(self) -> None:
        """Stop for good."""


class IPushProducer(IProducer, Protocol, metaclass=InterfaceType):
    """A producer that writes on its own until it is paused."""

    def pauseProducing(self) -> None:
        """Write no more for now."""

    def resumeProducing(self) -> None:
        """Write again."""


class IPullProducer(IProducer, Protocol, metaclass=InterfaceType):
    """A producer that writes one piece each time it is asked."""

    def resumeProducing(self) -> None:
        """Write one piece."""


class IConsumer(Protocol, metaclass=InterfaceType):
    """A sink of bytes that can slow its producer down."""

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Take a producer: an `IPushProducer` if `streaming`, else an `IPullProducer`.

        Raises:
            RuntimeError: There is one already.
        """

    def unregisterProducer(self) -> None:
        """Let the producer go: it has written all."""

    def write(self, data: bytes) -> None:
        """Take some bytes."""


class ITransport(Protocol, metaclass=InterfaceType):
    """A connection, as a protocol sees it."""

    def write(self, data: bytes) -> None:
        """Send some bytes. They are buffered, and the call returns at once."""

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Send several pieces, in their order."""

    def loseConnection(self) -> None:
        """Close the connection once all that was written is sent."""

    def getPeer(self) -> IAddress:
        """Return the other end's address."""
        ...

    def getHost(self) -> IAddress:
        """Return this end's address."""
        ...


class ITCPTransport(ITransport, Protocol, metaclass=InterfaceType):
    """A TCP connection, as a protocol sees it."""

    def loseWriteConnection(self) -> None:
        """Send all that was written, then tell the peer that no more follows; go on reading."""

    def abortConnection(self) -> None:
        """Close the connection now; what was not sent yet is dropped."""

    def getTcpNoDelay(self) -> bool:
        """Return whether small packets are sent at once."""
        ...

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Set whether small packets are sent at once."""

    def getTcpKeepAlive(self) -> bool:
        """Return whether the system checks an idle peer."""
        ...

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Set whether the system checks an idle peer."""


class IUNIXTransport(ITransport, Protocol, metaclass=InterfaceType):
    """A connection through a UNIX socket, which can pass file descriptors."""

    def sendFileDescriptor(self, descriptor: int) -> None:
        """Send a copy of a descriptor, along with the bytes that are written next."""


class ITLSTransport(ITCPTransport, Protocol, metaclass=InterfaceType):
    """A connection that can go over to TLS."""

    def startTLS(self, contextFactory: Any) -> None:
        """Negotiate TLS; what is written from now on is encrypted."""


class ISSLTransport(ITCPTransport, Protocol, metaclass=InterfaceType):
    """A connection that uses TLS."""

    def getPeerCertificate(self) -> Any:
        """Return the peer's certificate; nothing if it has sent none."""


class INegotiated(ISSLTransport, Protocol, metaclass=InterfaceType):
    """A TLS connection that may have negotiated a protocol by ALPN."""

    @property
    def negotiatedProtocol(self) -> bytes | None:
        """The protocol's name, once the handshake is done; None if there is none."""
        ...


class ISystemHandle(Protocol, metaclass=InterfaceType):
    """Something on top of an object of the system's, such as a socket."""

    def getHandle(self) -> Any:
        """Return that object."""
        ...


class IUDPTransport(Protocol, metaclass=InterfaceType):
    """A UDP port, as a datagram protocol sees it."""

    def write(self, packet: bytes, addr: tuple[str, int] | None = None) -> None:
        """Send a datagram: to an address, or where the port is connected, to its peer.

        Raises:
            MessageLengthError: The datagram is too long.
        """

    def connect(self, host: str, port: int) -> None:
        """Take datagrams from one address alone, and send to that by default."""

    def getHost(self) -> IAddress:
        """Return this end's address."""
        ...

    def stopListening(self) -> Deferred[None]:
        """Stop; return a Deferred that fires once the port is closed."""
        ...

    def setBroadcastAllowed(self, enabled: bool) -> None:
        """Set whether datagrams may be sent to a broadcast address."""

    def getBroadcastAllowed(self) -> bool:
        """Return whether datagrams may be sent to a broadcast address."""
        ...


class IMulticastTransport(IUDPTransport, Protocol, metaclass=InterfaceType):
    """A UDP port that can take part in multicast groups."""

    def getOutgoingInterface(self) -> str | int:
        """Return the interface that multicast datagrams leave by."""
        ...

    def setOutgoingInterface(self, addr: str | int) -> Deferred[int | None] | None:
        """Set the interface that multicast datagrams leave by."""

    def getLoopbackMode(self) -> bool:
        """Return whether this host sees its own multicast datagrams."""
        ...

    def setLoopbackMode(self, mode: bool) -> None:
        """Set whether this host sees its own multicast datagrams."""

    def getTTL(self) -> int:
        """Return how many routers a multicast datagram may pass."""
        ...

    def setTTL(self, ttl: int) -> None:
        """Set how many routers a multicast datagram may pass."""

    def joinGroup(self, addr: str, interface: str = "") -> Deferred[None]:
        """Take the datagrams that are sent to a group."""
        ...

    def leaveGroup(self, addr: str, interface: str = "") -> Deferred[None]:
        """Take the datagrams that are sent to a group no longer."""
        ...


class IUNIXDatagramTransport(Protocol, metaclass=InterfaceType):
    """A UNIX datagram socket, as a protocol sees it."""

    def write(self, packet: bytes, addr: str) -> None:
        """Send a datagram to the socket of a path."""

    def getHost(self) -> IAddress:
        """Return this end's address."""
        ...


class IUNIXDatagramConnectedTransport(Protocol, metaclass=InterfaceType):
    """A connected UNIX datagram socket, as a protocol sees it."""

    def write(self, packet: bytes) -> None:
        """Send a datagram to the peer."""

    def getHost(self) -> IAddress:
        """Return this end's address."""
        ...

    def getPeer(self) -> IAddress:
        """Return the peer's address."""
        ...


class IProtocol(Protocol, metaclass=InterfaceType):
    """What a connection is handled by."""

    def dataReceived(self, data: bytes) -> None:
        """Take some bytes from the peer, of any number."""

    def connectionLost(self, reason: Failure) -> None:
        """Hear that the connection has ended, and why."""

    def makeConnection(self, transport: Any) -> None:
        """Take the transport, and call `connectionMade`."""

    def connectionMade(self) -> None:
        """Hear that the connection is there."""


class IProcessProtocol(Protocol, metaclass=InterfaceType):
    """What a child process is handled by."""

    def makeConnection(self, process: Any) -> None:
        """Take the transport, which is the process."""

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """Take some bytes that the child has written to one of its descriptors."""

    def childConnectionLost(self, childFD: int) -> None:
        """Hear that the pipe to one of the child's descriptors is closed."""

    def processExited(self, reason: Failure) -> None:
        """Hear that the child has ended; its pipes may still be open."""

    def processEnded(self, reason: Failure) -> None:
        """Hear that the child has ended and all its pipes are closed."""


class IProcessTransport(ITransport, Protocol, metaclass=InterfaceType):
    """A child process, as its protocol sees it."""

    @property
    def pid(self) -> int | None:
        """The process's number; None once it has ended."""
        ...

    def closeStdin(self) -> None:
        """Close the pipe to the child's standard input, once all is written."""

    def closeStdout(self) -> None:
        """Close the pipe from the child's standard output."""

    def closeStderr(self) -> None:
        """Close the pipe from the child's standard error."""

    def closeChildFD(self, descriptor: int) -> None:
        """Close the pipe to or from one of the child's descriptors."""

    def writeToChild(self, childFD: int, data: bytes) -> None:
        """Write to one of the child's descriptors."""

    def signalProcess(self, signalID: str | int) -> None:
        """Send the child a signal: its number, its name, or "KILL", "TERM", "INT", "HUP".

        Raises:
            ProcessExitedAlready: The child has ended.
        """


class IProtocolFactory(Protocol, metaclass=InterfaceType):
    """What makes a protocol for each connection."""

    def buildProtocol(self, addr: Any) -> IProtocol | None:
        """Return a protocol for a connection with an address; None refuses it."""

    def doStart(self) -> None:
        """Hear that a port or connector uses this factory from now on."""

    def doStop(self) -> None:
        """Hear that a port or connector uses this factory no more."""


class IHalfCloseableProtocol(Protocol, metaclass=DeclaredInterface):
    """A protocol whose connection goes on when one of its two directions has ended.

    A class declares it by inheriting it besides its `Protocol`, or by zope's `implementer`.
    """

    def readConnectionLost(self) -> None:
        """Hear that the peer sends no more. Writing goes on until `loseConnection`."""

    def writeConnectionLost(self) -> None:
        """Hear that the peer takes no more, or that `loseWriteConnection` has been carried out."""


class IHalfCloseableDescriptor(Protocol, metaclass=DeclaredInterface):
    """A descriptor of which one direction can end without the other."""

    def writeConnectionLost(self, reason: Failure) -> None:
        """Hear that nothing can be written any more."""

    def readConnectionLost(self, reason: Failure) -> None:
        """Hear that nothing is to be read any more."""


class IFileDescriptorReceiver(Protocol, metaclass=DeclaredInterface):
    """A protocol that takes file descriptors from a UNIX socket."""

    def fileDescriptorReceived(self, descriptor: int) -> None:
        """Take a descriptor, which the protocol has to close."""


class IHandshakeListener(Protocol, metaclass=DeclaredInterface):
    """A protocol that waits for the end of the TLS handshake."""

    def handshakeCompleted(self) -> None:
        """Hear that the handshake is done: the peer's certificate is known."""


class IProtocolNegotiationFactory(Protocol, metaclass=DeclaredInterface):
    """A factory that offers protocols in the TLS handshake (ALPN)."""

    def acceptableProtocols(self) -> Sequence[bytes]:
        """Return the protocols' names, the preferred one first."""
        ...


showAs("twistlike.internet.interfaces", globals(), __all__)
