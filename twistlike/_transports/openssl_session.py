"""pyOpenSSL's contexts and connections, for what is written for Twisted's own TLS.

They look like the standard library's session here: the same methods, the same exceptions for "more
data is needed" and for the end. Thread: the reactor's.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["isOpenSSL", "openSSLSessions"]

PIECE = 1 << 15
"""How many bytes are taken from pyOpenSSL's buffer at once: two records of TLS."""


def isOpenSSL(thing: object) -> bool:
    """Return whether something is one of pyOpenSSL's objects."""
    return any(each.__module__.startswith("OpenSSL.") for each in type(thing).__mro__)


def openSSLSessions(
    source: Any, isClient: bool
) -> Callable[[Any, list[str] | None], tuple[Any, Any, Any]]:
    """Return what makes the buffers and the session of each connection.

    Args:
        source: A context of pyOpenSSL's, or an object of Twisted's that makes its connections.
        isClient: Whether this side is the client.
    """
    from OpenSSL import SSL

    def make(tls: Any, protocols: list[str] | None) -> tuple[Any, Any, Any]:
        if isOpenSSL(source):
            connection = SSL.Connection(source, None)
        elif isClient:
            connection = source.clientConnectionForTLS(tls)
        else:
            connection = source.serverConnectionForTLS(tls)
        if protocols:
            _negotiate(SSL, connection.get_context(), [each.encode() for each in protocols])
        if connection.get_app_data() is None:
            connection.set_app_data(tls)  # Twisted's callbacks look there
        if isClient:
            connection.set_connect_state()
        else:
            connection.set_accept_state()
        return _Incoming(connection), _Outgoing(SSL, connection), _Session(SSL, connection)

    return make


def _negotiate(SSL: Any, context: Any, protocols: list[bytes]) -> None:
    """Let a context offer protocols as a client, and choose among a client's as a server."""

    def choose(connection: object, offered: list[bytes]) -> Any:
        both = [each for each in protocols if each in offered]
        return both[0] if both else SSL.NO_OVERLAPPING_PROTOCOLS

    context.set_alpn_protos(protocols)
    context.set_alpn_select_callback(choose)


class _Incoming:
    """The buffer for what has come, as `ssl.MemoryBIO`."""

    pending = 1  # what is in it is not known: it is read until more is wanted

    def __init__(self, connection: Any) -> None:
        self.write = connection.bio_write


class _Outgoing:
    """The buffer for what is to be sent, as `ssl.MemoryBIO`."""

    def __init__(self, SSL: Any, connection: Any) -> None:
        self._connection = connection
        self._nothing = SSL.WantReadError
        self._pieces: list[bytes] = []

    @property
    def pending(self) -> bool:
        """Whether there is something to be sent."""
        while True:
            try:
                self._pieces.append(self._connection.bio_read(PIECE))
            except self._nothing:
                return bool(self._pieces)

    def read(self) -> bytes:
        """Return all that is to be sent."""
        data = b"".join(self._pieces)
        self._pieces.clear()
        return data


class _Session:
    """A connection of pyOpenSSL's, as `ssl.SSLObject`."""

    def __init__(self, SSL: Any, connection: Any) -> None:
        self.connection = connection
        self.pending = connection.pending
        self._SSL = SSL

    def read(self, size: int) -> bytes:
        """Return decrypted bytes, at most so many."""
        data: bytes = self._translated(self.connection.recv, size)
        return data

    def do_handshake(self) -> None:
        """Go on with the handshake."""
        self._translated(self.connection.do_handshake)

    def write(self, data: bytes | memoryview) -> int:
        """Encrypt all of some bytes."""
        view = memoryview(data)
        done = 0
        while done < len(view):  # a record at a time
            done += self._translated(self.connection.send, view[done : done + PIECE])
        return done

    def unwrap(self) -> None:
        """Send close notify."""
        if not self._translated(self.connection.shutdown):
            raise ssl.SSLWantReadError

    def selected_alpn_protocol(self) -> str | None:
        """Return the name of the protocol that was agreed on."""
        found: bytes = self.connection.get_alpn_proto_negotiated()
        return found.decode("ascii") or None

    def peerCertificate(self) -> Any:
        """Return the peer's certificate, as pyOpenSSL's object."""
        return self.connection.get_peer_certificate()

    def _translated(self, function: Callable[..., Any], *args: Any) -> Any:
        try:
            return function(*args)
        except self._SSL.WantReadError:
            raise ssl.SSLWantReadError from None
        except self._SSL.ZeroReturnError:
            raise ssl.SSLZeroReturnError from None
        except self._SSL.SysCallError as error:
            raise ssl.SSLEOFError(str(error)) from None
