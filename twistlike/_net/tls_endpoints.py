"""Endpoints around endpoints, with TLS. Thread: any; the endpoints are for the reactor's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twistlike._base.naming import showAs
from twistlike._net.endpoints import _WrapperEndpoint, _WrapperServerEndpoint

if TYPE_CHECKING:
    from twistlike._transports.reactor_interfaces import (
        IStreamClientEndpoint,
        IStreamServerEndpoint,
    )

__all__ = ["wrapClientTLS", "wrapServerTLS"]


def wrapClientTLS(
    connectionCreator: Any, wrappedEndpoint: IStreamClientEndpoint, clock: Any = None
) -> IStreamClientEndpoint:
    """Make an endpoint that speaks TLS over what another one connects.

    Args:
        connectionCreator: What `optionsForClientTLS` returns, an `ssl.SSLContext`, or what makes
            one. A context alone checks no name: that is what `optionsForClientTLS` is for.
        wrappedEndpoint: What connects.
        clock: Taken for Twisted's sake; there is nothing to time.
    """
    from twistlike._transports.tls import TLSMemoryBIOFactory

    return _WrapperEndpoint(
        wrappedEndpoint, lambda factory: TLSMemoryBIOFactory(connectionCreator, True, factory)
    )


def wrapServerTLS(
    connectionCreator: Any, wrappedEndpoint: IStreamServerEndpoint, clock: Any = None
) -> IStreamServerEndpoint:
    """Make an endpoint that speaks TLS over what another one accepts.

    Args:
        connectionCreator: An `ssl.SSLContext`, or what makes one.
        wrappedEndpoint: What listens.
        clock: Taken for Twisted's sake; there is nothing to time.
    """
    from twistlike._transports.tls import TLSMemoryBIOFactory

    return _WrapperServerEndpoint(
        wrappedEndpoint, lambda factory: TLSMemoryBIOFactory(connectionCreator, False, factory)
    )


showAs("twistlike.internet.endpoints", globals(), __all__)
