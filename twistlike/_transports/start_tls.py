"""`startTLS`: TLS in the middle of a connection. Thread: the reactor's.

How it works
------------
The TLS layer takes the place of the connection's protocol. The connection keeps its identity: the
methods that change are set on that one connection, so that plain connections pay nothing, and are
taken away at its end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twistlike._transports.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol

if TYPE_CHECKING:
    from twistlike._base.failure import Failure

__all__ = ["attach", "detach", "startTLS"]

CHANGED = (
    "abortConnection",
    "getHandle",
    "getPeerCertificate",
    "loseConnection",
    "loseWriteConnection",
    "registerProducer",
    "unregisterProducer",
    "write",
    "writeSequence",
)
"""The methods of a connection that TLS does from `startTLS` on."""


class _Below:
    """A connection as the transport below TLS: its own methods, whatever is set on it."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        kind = type(connection)
        self.write = kind.write.__get__(connection)
        self.abortConnection = kind.abortConnection.__get__(connection)
        self.loseConnection = kind.loseConnection.__get__(connection)
        self.registerProducer = kind.registerProducer.__get__(connection)
        self.unregisterProducer = kind.unregisterProducer.__get__(connection)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


class _StartedTLS(TLSMemoryBIOProtocol):
    """TLS that was started in the middle of a connection, which keeps its identity."""

    connection: Any = None

    def attach(self, connection: Any) -> None:
        """Take the place of the connection's protocol, and that of some of its methods."""
        streams = connection.producer is not None and connection.streamingProducer
        wasPaused = bool(connection.producerPaused)
        self.connection = connection
        attach(self, connection)
        if streams and wasPaused:
            self._producer.hold(isPaused=True)

    def _shakeHands(self) -> None:
        super()._shakeHands()
        if self._isShaken:
            self.connection.negotiatedProtocol = self.negotiatedProtocol

    def connectionLost(self, reason: Failure) -> None:
        """Hear that the connection has ended, and leave it as it was."""
        connection, self.connection = self.connection, None
        detach(connection)
        super().connectionLost(reason)
        self.transport = None


def attach(tls: Any, connection: Any) -> None:
    """Have a TLS layer take the place of a connection's protocol, and that of some of its methods.

    Args:
        tls: The layer, made for that protocol; ours, or Twisted's under the overlay.
        connection: The connection.
    """
    producer, streaming = connection.producer, connection.streamingProducer
    if producer is not None:
        connection.unregisterProducer()
    connection.protocol = tls
    connection.TLS = True
    tls.makeConnection(_Below(connection))
    for name in CHANGED:
        setattr(connection, name, getattr(tls, name))
    if producer is not None:
        connection.registerProducer(producer, streaming)


def detach(connection: Any) -> None:
    """Leave a connection that has ended as it was before `attach`."""
    for name in CHANGED:
        vars(connection).pop(name, None)


def startTLS(connection: Any, contextFactory: Any, isClient: bool) -> None:
    """Let a connection that is there speak TLS from now on.

    Args:
        connection: The connection, whose protocol stays.
        contextFactory: An `ssl.SSLContext`, or what makes one.
        isClient: Whether this side is the client.

    Raises:
        TypeError: There is no `ssl.SSLContext` to be had.
    """
    if connection.TLS:
        raise RuntimeError(f"{connection!r} speaks TLS already")
    factory = TLSMemoryBIOFactory(contextFactory, isClient, None)
    _StartedTLS(factory, connection.protocol, False).attach(connection)
