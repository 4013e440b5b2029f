"""What TLS asks of those that configure it, as typing Protocols.

The connections and contexts that these make are pyOpenSSL's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from twistlike._base.interfaces import InterfaceType
from twistlike._base.naming import showAs

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "IAcceptableCiphers",
    "ICipher",
    "IOpenSSLClientConnectionCreator",
    "IOpenSSLContextFactory",
    "IOpenSSLServerConnectionCreator",
]


class ICipher(Protocol, metaclass=InterfaceType):
    """A cipher of TLS."""

    @property
    def fullName(self) -> str:
        """The name that OpenSSL knows it by."""
        ...


class IAcceptableCiphers(Protocol, metaclass=InterfaceType):
    """A choice of ciphers."""

    def selectCiphers(self, availableCiphers: Iterable[ICipher]) -> Iterable[ICipher]:
        """Return the ciphers that may be used, the preferred one first.

        Args:
            availableCiphers: Those that there are.
        """
        ...


class IOpenSSLContextFactory(Protocol, metaclass=InterfaceType):
    """What makes a context of OpenSSL's for connections."""

    def getContext(self) -> Any:
        """Return the context."""
        ...


class IOpenSSLClientConnectionCreator(Protocol, metaclass=InterfaceType):
    """What makes a client's connection of OpenSSL's."""

    def clientConnectionForTLS(self, tlsProtocol: Any) -> Any:
        """Return the connection for a protocol of TLS.

        Args:
            tlsProtocol: The protocol.
        """
        ...


class IOpenSSLServerConnectionCreator(Protocol, metaclass=InterfaceType):
    """What makes a server's connection of OpenSSL's."""

    def serverConnectionForTLS(self, tlsProtocol: Any) -> Any:
        """Return the connection for a protocol of TLS.

        Args:
            tlsProtocol: The protocol.
        """
        ...


showAs("twistlike.internet.interfaces", globals(), __all__)
