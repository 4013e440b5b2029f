"""Protocols, and the factories that make one for each connection.

Rooms: `_net.protocol`, `_net.client_creator`, `_net.file_wrapper`.
Differs from Twisted: what a file raises that is used as a transport (`FileWrapper`) is reported.
"""

from __future__ import annotations

from twistlike._net.client_creator import ClientCreator
from twistlike._net.file_wrapper import FileWrapper
from twistlike._net.protocol import (
    AbstractDatagramProtocol,
    BaseProtocol,
    ClientFactory,
    ConnectedDatagramProtocol,
    DatagramProtocol,
    Factory,
    ProcessProtocol,
    Protocol,
    ReconnectingClientFactory,
    ServerFactory,
    connectionDone,
)

__path__: list[str] = []  # a name that is not here is asked of the package's finder

__all__ = [
    "AbstractDatagramProtocol",
    "BaseProtocol",
    "ClientCreator",
    "ClientFactory",
    "ConnectedDatagramProtocol",
    "DatagramProtocol",
    "Factory",
    "FileWrapper",
    "ProcessProtocol",
    "Protocol",
    "ReconnectingClientFactory",
    "ServerFactory",
    "connectionDone",
]
