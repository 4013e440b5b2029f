"""UNIX sockets: ports, clients, connectors, and connections, for those that make them themselves.

The usual way to them is `reactor.listenUNIX` and `connectUNIX`. Room: `_transports`.
"""

from __future__ import annotations

from twistlike._transports.unix import Client, Connector, Port, Server
from twistlike._transports.unix_datagrams import ConnectedDatagramPort, DatagramPort

__path__: list[str] = []  # a name that is not here is asked of the package's finder

__all__ = ["Client", "ConnectedDatagramPort", "Connector", "DatagramPort", "Port", "Server"]
