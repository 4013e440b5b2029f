"""TCP: ports, clients, connectors, and connections, for those that make them themselves.

The usual way to them is `reactor.listenTCP` and `connectTCP`. Room: `_transports`.
"""

from __future__ import annotations

from twistlike._transports.binding import Binding, makeBinding
from twistlike._transports.clients import BaseClient
from twistlike._transports.stream import Connection
from twistlike._transports.tcp import Client, Connector, Port, Server

__path__: list[str] = []  # a name that is not here is asked of the package's finder

__all__ = [
    "BaseClient",
    "Binding",
    "Client",
    "Connection",
    "Connector",
    "Port",
    "Server",
    "makeBinding",
]
