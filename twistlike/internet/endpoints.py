"""Places to listen at or to connect to, whatever the protocol and the transport.

Rooms: `_net.endpoints`, `_net.hostname_endpoint`, `_net.endpoint_strings`, `_net.tls_endpoints`.

Differs from Twisted: `HostnameEndpoint` lets address families take turns, and tries the next
address as soon as one has failed; `tcp6` is a client's kind, too, and `fd` a server's; parsers
of installed packages are entry points of the group `twistlike.endpoints`. Not offered:
`haproxy`, `onion` and other kinds of Twisted's plugins, unless Twisted is loaded besides.
"""

from __future__ import annotations

from twistlike._net.connecting import _WrappingFactory as _WrappingFactory
from twistlike._net.connecting import _WrappingProtocol as _WrappingProtocol
from twistlike._net.endpoint_strings import (
    clientFromString,
    quoteStringArgument,
    serverFromString,
)
from twistlike._net.endpoints import (
    SSL4ClientEndpoint,
    SSL4ServerEndpoint,
    TCP4ClientEndpoint,
    TCP4ServerEndpoint,
    TCP6ClientEndpoint,
    TCP6ServerEndpoint,
    UNIXClientEndpoint,
    UNIXServerEndpoint,
    connectProtocol,
)
from twistlike._net.endpoints import _WrapperEndpoint as _WrapperEndpoint
from twistlike._net.endpoints import _WrapperServerEndpoint as _WrapperServerEndpoint
from twistlike._net.hostname_endpoint import HostnameEndpoint
from twistlike._net.other_endpoints import (
    AdoptedStreamServerEndpoint,
    ProcessEndpoint,
    StandardErrorBehavior,
    StandardIOEndpoint,
)
from twistlike._net.tls_endpoints import wrapClientTLS, wrapServerTLS

__path__: list[str] = []  # a name that is not here is asked of the package's finder

__all__ = [
    "AdoptedStreamServerEndpoint",
    "HostnameEndpoint",
    "ProcessEndpoint",
    "SSL4ClientEndpoint",
    "SSL4ServerEndpoint",
    "StandardErrorBehavior",
    "StandardIOEndpoint",
    "TCP4ClientEndpoint",
    "TCP4ServerEndpoint",
    "TCP6ClientEndpoint",
    "TCP6ServerEndpoint",
    "UNIXClientEndpoint",
    "UNIXServerEndpoint",
    "clientFromString",
    "connectProtocol",
    "quoteStringArgument",
    "serverFromString",
    "wrapClientTLS",
    "wrapServerTLS",
]
