"""Endpoints: places to listen at or to connect to, whatever the protocol and the transport.

Thread: the reactor's, except that an endpoint may be made in any.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twistlike._base.address import IPv6Address
from twistlike._base.failure import Failure
from twistlike._base.ip import isIPv6Address
from twistlike._base.naming import showAs
from twistlike._base.network_error import DNSLookupError
from twistlike._defer.deferred import Deferred, fail, succeed
from twistlike._net.connecting import attempt
from twistlike._net.protocol import Factory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    from twistlike._transports.interfaces import IListeningPort, IProtocol, IProtocolFactory
    from twistlike._transports.reactor_interfaces import IStreamClientEndpoint

    P = TypeVar("P", bound=IProtocol)
    Address = str | tuple[str, int] | None

__all__ = [
    "SSL4ClientEndpoint",
    "SSL4ServerEndpoint",
    "TCP4ClientEndpoint",
    "TCP4ServerEndpoint",
    "TCP6ClientEndpoint",
    "TCP6ServerEndpoint",
    "UNIXClientEndpoint",
    "UNIXServerEndpoint",
    "_WrapperEndpoint",
    "_WrapperServerEndpoint",
    "collectAddresses",
    "connectProtocol",
    "execute",
]


def execute(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Deferred[Any]:
    """Return a Deferred with what a function returns, or with what it raises."""
    try:
        return succeed(function(*args, **kwargs))
    except Exception as error:
        return fail(Failure(error))


def collectAddresses(
    reactor: Any, host: str, port: int, types: Sequence[type[Any]] | None = None
) -> Deferred[list[Any]]:
    """Look all addresses of a name up, by the reactor's resolver of this moment.

    Args:
        reactor: Has a `nameResolver`.
        host: The name.
        port: The addresses' port.
        types: Which addresses; by default all.

    Returns:
        A Deferred with a list of them. It fails with `DNSLookupError` if there are none.
        Cancelling stops the look-up.
    """
    receiver = _Collector(host)
    try:
        reactor.nameResolver.resolveHostName(receiver, host, port, types)
    except Exception as error:
        if not receiver.done.called:
            receiver.done.errback(Failure(error))
    return receiver.done


class _Collector:
    """Takes all addresses that a resolver tells."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._found: list[Any] = []
        self._resolution: Any = None
        self.done: Deferred[list[Any]] = Deferred(self._cancel)

    def _cancel(self, done: Deferred[Any]) -> None:
        try:
            self._resolution.cancel()
        except NotImplementedError:
            pass  # not each resolver can stop; what it tells later is ignored

    def resolutionBegan(self, resolutionInProgress: Any) -> None:
        self._resolution = resolutionInProgress

    def addressResolved(self, address: Any) -> None:
        self._found.append(address)

    def resolutionComplete(self) -> None:
        if self.done.called:
            return
        if self._found:
            self.done.callback(self._found)
        else:
            error = DNSLookupError(f"no results for hostname lookup: {self._host}")
            self.done.errback(Failure(error))


# ---- TCP -----------------------------------------------------------------------------------------


class _TCPServerEndpoint:
    def __init__(self, reactor: Any, port: int, backlog: int, interface: str) -> None:
        self._reactor = reactor
        self._port = port
        self._backlog = backlog
        self._interface = interface

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Accept connections.

        Args:
            protocolFactory: Makes a protocol for each.

        Returns:
            A Deferred with the port. It fails with `CannotListenError`.
        """
        return execute(
            self._reactor.listenTCP,
            self._port,
            protocolFactory,
            backlog=self._backlog,
            interface=self._interface,
        )


class TCP4ServerEndpoint(_TCPServerEndpoint):
    """A TCP port over IPv4.

    Args:
        reactor: The reactor.
        port: The number; 0 takes a free one.
        backlog: How many connections may wait in the system.
        interface: The local address; empty for all.
    """

    def __init__(self, reactor: Any, port: int, backlog: int = 50, interface: str = "") -> None:
        super().__init__(reactor, port, backlog, interface)


class TCP6ServerEndpoint(_TCPServerEndpoint):
    """A TCP port over IPv6.

    Args:
        reactor: The reactor.
        port: The number; 0 takes a free one.
        backlog: How many connections may wait in the system.
        interface: The local address; by default all.
    """

    def __init__(self, reactor: Any, port: int, backlog: int = 50, interface: str = "::") -> None:
        super().__init__(reactor, port, backlog, interface)


class _TCPClientEndpoint:
    def __init__(
        self,
        reactor: Any,
        host: str,
        port: int,
        timeout: float = 30,
        bindAddress: Address = None,
    ) -> None:
        self._reactor = reactor
        self._host = host
        self._port = port
        self._timeout = timeout
        self._bindAddress = bindAddress

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        """Connect.

        Args:
            protocolFactory: Makes the protocol.

        Returns:
            A Deferred with the protocol, once its `connectionMade` was called. Cancelling gives
            the attempt up.
        """
        return self._connect(self._host, protocolFactory)

    def _connect(self, host: str, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        return attempt(
            protocolFactory,
            lambda factory: self._reactor.connectTCP(
                host, self._port, factory, timeout=self._timeout, bindAddress=self._bindAddress
            ),
        )


class TCP4ClientEndpoint(_TCPClientEndpoint):
    """A TCP port of a host, over IPv4.

    Args:
        reactor: The reactor.
        host: Its address or name.
        port: The number.
        timeout: Seconds that the attempt may take.
        bindAddress: The local address, with or without a port.
    """


class TCP6ClientEndpoint(_TCPClientEndpoint):
    """A TCP port of a host, over IPv6.

    Args:
        reactor: The reactor.
        host: Its address or name, of which the first IPv6 address is taken.
        port: The number.
        timeout: Seconds that the attempt may take.
        bindAddress: The local address, with or without a port.
    """

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        """Connect.

        Args:
            protocolFactory: Makes the protocol.

        Returns:
            A Deferred with the protocol. Cancelling gives the attempt up.
        """
        if isIPv6Address(self._host):
            return self._connect(self._host, protocolFactory)
        looked = collectAddresses(self._reactor, self._host, self._port, [IPv6Address])
        return looked.addCallback(lambda found: self._connect(found[0].host, protocolFactory))


# ---- TLS -----------------------------------------------------------------------------------------


class SSL4ServerEndpoint:
    """A TCP port with TLS.

    Args:
        reactor: The reactor.
        port: The number; 0 takes a free one.
        sslContextFactory: An `ssl.SSLContext`, or what makes one.
        backlog: How many connections may wait in the system.
        interface: The local address; empty for all.
    """

    def __init__(
        self,
        reactor: Any,
        port: int,
        sslContextFactory: Any,
        backlog: int = 50,
        interface: str = "",
    ) -> None:
        self._reactor = reactor
        self._port = port
        self._sslContextFactory = sslContextFactory
        self._backlog = backlog
        self._interface = interface

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Accept connections; return a Deferred with the port."""
        return execute(
            self._reactor.listenSSL,
            self._port,
            protocolFactory,
            self._sslContextFactory,
            backlog=self._backlog,
            interface=self._interface,
        )


class SSL4ClientEndpoint:
    """A TCP port of a host, with TLS.

    Args:
        reactor: The reactor.
        host: Its address or name.
        port: The number.
        sslContextFactory: An `ssl.SSLContext`, or what makes one.
        timeout: Seconds that the attempt may take.
        bindAddress: The local address, with or without a port.
    """

    def __init__(
        self,
        reactor: Any,
        host: str,
        port: int,
        sslContextFactory: Any,
        timeout: float = 30,
        bindAddress: Address = None,
    ) -> None:
        self._reactor = reactor
        self._host = host
        self._port = port
        self._sslContextFactory = sslContextFactory
        self._timeout = timeout
        self._bindAddress = bindAddress

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        """Connect; return a Deferred with the protocol. Cancelling gives the attempt up."""
        return attempt(
            protocolFactory,
            lambda factory: self._reactor.connectSSL(
                self._host,
                self._port,
                factory,
                self._sslContextFactory,
                timeout=self._timeout,
                bindAddress=self._bindAddress,
            ),
        )


# ---- UNIX sockets --------------------------------------------------------------------------------


class UNIXServerEndpoint:
    """A UNIX socket to listen at.

    Args:
        reactor: The reactor.
        address: Its path.
        backlog: How many connections may wait in the system.
        mode: The file's permissions.
        wantPID: Whether to keep a lock file beside it.
    """

    def __init__(
        self,
        reactor: Any,
        address: str | bytes,
        backlog: int = 50,
        mode: int = 0o666,
        wantPID: bool | int = 0,
    ) -> None:
        self._reactor = reactor
        self._address = address
        self._backlog = backlog
        self._mode = mode
        self._wantPID = wantPID

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Accept connections; return a Deferred with the port."""
        return execute(
            self._reactor.listenUNIX,
            self._address,
            protocolFactory,
            backlog=self._backlog,
            mode=self._mode,
            wantPID=self._wantPID,
        )


class UNIXClientEndpoint:
    """A UNIX socket to connect to.

    Args:
        reactor: The reactor.
        path: Its path.
        timeout: Seconds that the attempt may take.
        checkPID: Whether to look at the lock file beside it first.
    """

    def __init__(
        self, reactor: Any, path: str | bytes, timeout: float = 30, checkPID: bool | int = 0
    ) -> None:
        self._reactor = reactor
        self._path = path
        self._timeout = timeout
        self._checkPID = checkPID

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        """Connect; return a Deferred with the protocol. Cancelling gives the attempt up."""
        return attempt(
            protocolFactory,
            lambda factory: self._reactor.connectUNIX(
                self._path, factory, timeout=self._timeout, checkPID=self._checkPID
            ),
        )


# ---- endpoints around endpoints ------------------------------------------------------------------


class _WrapperEndpoint:
    """A client's endpoint whose protocols are wrapped in others, such as TLS.

    Args:
        wrappedEndpoint: What connects.
        wrapperFactory: Makes of a factory the one that wraps its protocols. These have an attribute
            `wrappedProtocol`.
    """

    def __init__(self, wrappedEndpoint: Any, wrapperFactory: Callable[[Any], Any]) -> None:
        self._wrappedEndpoint = wrappedEndpoint
        self._wrapperFactory = wrapperFactory

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        """Connect; return a Deferred with the inner protocol."""

        def made(wrapper: Any) -> Any:
            return wrapper.wrappedProtocol

        connected: Deferred[Any] = self._wrappedEndpoint.connect(
            self._wrapperFactory(protocolFactory)
        )
        return connected.addCallback(made)


class _WrapperServerEndpoint:
    """A server's endpoint whose protocols are wrapped in others, such as TLS.

    Args:
        wrappedEndpoint: What listens.
        wrapperFactory: Makes of a factory the one that wraps its protocols.
    """

    def __init__(self, wrappedEndpoint: Any, wrapperFactory: Callable[[Any], Any]) -> None:
        self._wrappedEndpoint = wrappedEndpoint
        self._wrapperFactory = wrapperFactory

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Accept connections; return a Deferred with the port."""
        listening: Deferred[IListeningPort] = self._wrappedEndpoint.listen(
            self._wrapperFactory(protocolFactory)
        )
        return listening


def connectProtocol(endpoint: IStreamClientEndpoint, protocol: P) -> Deferred[P]:
    """Connect one protocol, which needs no factory.

    Args:
        endpoint: Where to.
        protocol: The protocol.

    Returns:
        A Deferred with the protocol, once it is connected. Cancelling gives the attempt up.

    Raises:
        TypeError: It is the class of a protocol.
    """
    if isinstance(protocol, type):
        raise TypeError(
            f"connectProtocol takes a protocol, not its class: make one, {protocol.__qualname__}()"
        )

    class OneShotFactory(Factory[Any]):
        noisy = False

        def buildProtocol(self, addr: Any) -> Any:
            return protocol

    return endpoint.connect(OneShotFactory())


showAs(
    "twistlike.internet.endpoints",
    globals(),
    [each for each in __all__ if each not in ("collectAddresses", "execute")],
)
