"""The reactor's methods for connections with TLS. Thread: the loop's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twistlike._base.functions import checkFactory

if TYPE_CHECKING:
    from twistlike._transports.interfaces import IProtocolFactory
    from twistlike._transports.tcp import Connector, Port

__all__ = ["TLSMethods"]


class TLSMethods:
    """The part of the reactor's interface that is told above."""

    if TYPE_CHECKING:

        def _inOurThread(self, name: str) -> None: ...

        def listenTCP(
            self, port: int, factory: IProtocolFactory, backlog: int = 50, interface: str = ""
        ) -> Port: ...

        def connectTCP(
            self,
            host: str,
            port: int | str,
            factory: Any,
            timeout: float | None = 30,
            bindAddress: str | tuple[str, int] | None = None,
        ) -> Connector: ...

    def listenSSL(
        self,
        port: int,
        factory: IProtocolFactory,
        contextFactory: Any,
        backlog: int = 50,
        interface: str = "",
    ) -> Port:
        """Accept connections with TLS on a TCP port.

        Args:
            port: The number; 0 for any that is free, which `getHost()` of the port tells.
            factory: Makes a protocol for each connection.
            contextFactory: An `ssl.SSLContext`, or what makes one: `CertificateOptions`, or an
                object whose `getContext()` returns one.
            backlog: How many connections may wait in the system.
            interface: The local address; empty for all of IPv4, `"::"` for all.

        Returns:
            The port.

        Raises:
            CannotListenError: The address cannot be had.
            TypeError: There is no context for a server to be had.
            WrongThreadError: In another thread than the loop's.
        """
        from twistlike._transports.tls import TLSMemoryBIOFactory

        self._inOurThread("listenSSL")
        checkFactory(factory, "listenSSL")
        wrapped: Any = TLSMemoryBIOFactory(contextFactory, False, factory)
        return self.listenTCP(port, wrapped, backlog, interface)

    def connectSSL(
        self,
        host: str,
        port: int | str,
        factory: Any,
        contextFactory: Any,
        timeout: float | None = 30,
        bindAddress: str | tuple[str, int] | None = None,
    ) -> Connector:
        """Connect to a TCP port, with TLS.

        Args:
            host: An address, or a name, which is looked up.
            port: The number, or a service's name.
            factory: Makes the protocol, and is told how it goes.
            contextFactory: What `ssl.optionsForClientTLS` returns, an `ssl.SSLContext`, or what
                makes one. A context that checks names checks `host`.
            timeout: Seconds that it may take.
            bindAddress: The local address and port, or the address alone; `None` for any.

        Returns:
            The connector, which is connecting.

        Raises:
            TypeError: There is no context for a client to be had.
            WrongThreadError: In another thread than the loop's.
        """
        from twistlike._transports.tls import TLSMemoryBIOFactory

        self._inOurThread("connectSSL")
        checkFactory(factory, "connectSSL")
        wrapped = TLSMemoryBIOFactory(contextFactory, True, factory)
        return self.connectTCP(host, port, wrapped, timeout, bindAddress)
