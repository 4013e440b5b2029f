"""`ClientCreator`: connections of clients without a factory. Thread: the reactor's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twistlike._base.naming import showAs
from twistlike._defer.deferred import Deferred
from twistlike._net.protocol import ClientFactory

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ParamSpec

    from twistlike._base.failure import Failure
    from twistlike._base.interfaces import IDelayedCall, IReactorTime
    from twistlike._transports.interfaces import IConnector, IProtocol
    from twistlike._transports.reactor_interfaces import IReactorTCP

    F = ParamSpec("F")

__all__ = ["ClientCreator"]


_TURNS = 10
"""Turns of the loop that a protocol without a connection is waited for. Where the loop makes the
transport, it comes 1 or 2 turns late; in tests with a reactor in memory it may never come."""


class _InstanceFactory(ClientFactory["IProtocol"]):
    """The factory of one connection with a protocol that is there already.

    Args:
        reactor: Whose timer is used.
        instance: The protocol.
        deferred: Fires with the protocol, or the reason why there is no connection.
    """

    noisy = False

    def __init__(
        self, reactor: IReactorTime, instance: IProtocol, deferred: Deferred[IProtocol]
    ) -> None:
        self.reactor = reactor
        self.instance = instance
        self.deferred: Deferred[IProtocol] | None = deferred
        self.pending: IDelayedCall | None = None
        self._turns = _TURNS

    def __repr__(self) -> str:
        return f"<ClientCreator factory: {self.instance!r}>"

    def buildProtocol(self, addr: Any) -> Any:
        """Return the protocol, and fire once it has heard of its connection."""
        self.pending = self.reactor.callLater(0, self._fire, True, self.instance)
        return self.instance

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        """Fire with the reason."""
        self.pending = self.reactor.callLater(0, self._fire, False, reason)

    def clientConnectionLost(self, connector: IConnector, reason: Failure) -> None:
        """Fire with the reason, if the connection has ended before the protocol had it."""
        if self.deferred is not None and not self.deferred.called and self._isWaiting():
            if self.pending is not None:
                self.pending.cancel()
            self._fire(False, reason)

    def _isWaiting(self) -> bool:
        """Return whether the protocol has not got its connection yet."""
        return getattr(self.instance, "transport", self) is None

    def _fire(self, succeeded: bool, value: Any) -> None:
        self.pending = None
        if succeeded and self._turns and self._isWaiting() and self.deferred is not None:
            self._turns -= 1
            self.pending = self.reactor.callLater(0, self._fire, True, value)
            return
        deferred, self.deferred = self.deferred, None
        if deferred is not None:
            (deferred.callback if succeeded else deferred.errback)(value)


class ClientCreator:
    """Makes connections whose protocols need no factory.

    Args:
        reactor: What connects.
        protocolClass: What is called for each connection's protocol.
        args: Its arguments.
        kwargs: Its keyword arguments.
    """

    def __init__(
        self,
        reactor: IReactorTCP,
        protocolClass: Callable[F, IProtocol],
        *args: F.args,
        **kwargs: F.kwargs,
    ) -> None:
        self.reactor: Any = reactor
        self.protocolClass = protocolClass
        self.args = args
        self.kwargs = kwargs

    def connectTCP(
        self,
        host: str,
        port: int,
        timeout: float = 30,
        bindAddress: tuple[str, int] | None = None,
    ) -> Deferred[Any]:
        """Connect to a port of a host.

        Args:
            host: Its name or address.
            port: The port's number.
            timeout: Seconds until the attempt fails.
            bindAddress: This end's address; default: any.

        Returns:
            A Deferred with the protocol. Cancelling it gives the attempt up.
        """
        connect = self.reactor.connectTCP
        return self._connect(connect, host, port, timeout=timeout, bindAddress=bindAddress)

    def connectUNIX(
        self, address: str | bytes, timeout: float = 30, checkPID: bool = False
    ) -> Deferred[Any]:
        """Connect to a UNIX socket.

        Args:
            address: Its path.
            timeout: Seconds until the attempt fails.
            checkPID: Whether the server's lock file is looked at first.

        Returns:
            A Deferred with the protocol. Cancelling it gives the attempt up.
        """
        connect = self.reactor.connectUNIX
        return self._connect(connect, address, timeout=timeout, checkPID=checkPID)

    def connectSSL(
        self,
        host: str,
        port: int,
        contextFactory: Any,
        timeout: float = 30,
        bindAddress: tuple[str, int] | None = None,
    ) -> Deferred[Any]:
        """Connect to a port of a host, by TLS.

        Args:
            host: Its name or address.
            port: The port's number.
            contextFactory: What TLS is set up by.
            timeout: Seconds until the attempt fails.
            bindAddress: This end's address; default: any.

        Returns:
            A Deferred with the protocol. Cancelling it gives the attempt up.
        """
        connect = self.reactor.connectSSL
        return self._connect(
            connect, host, port, contextFactory, timeout=timeout, bindAddress=bindAddress
        )

    def _connect(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Deferred[Any]:
        def cancel(deferred: Deferred[Any]) -> None:
            factory.deferred = None  # nobody waits for what may still come
            connector.disconnect()
            if factory.pending is not None:
                factory.pending.cancel()

        deferred: Deferred[Any] = Deferred(cancel)
        protocol = self.protocolClass(*self.args, **self.kwargs)
        factory = _InstanceFactory(self.reactor, protocol, deferred)
        # The place of the factory among the arguments is before the context of TLS.
        place = 1 if method == getattr(self.reactor, "connectUNIX", None) else 2
        connector = method(*args[:place], factory, *args[place:], **kwargs)
        return deferred


showAs("twistlike.internet.protocol", globals(), __all__)
