"""Protocols that take lines and strings off a stream of bytes; `FileSender`.

Rooms: `_net.line_receivers`, `_net.string_receivers`, `_net.file_sender`.
Differs from Twisted: the receivers' work is linear in the number of bytes. What an
`IntNStringReceiver` receives inside of `stringReceived` waits until that returns (in Twisted the
same string is handed on again without end). A `NetstringReceiver` takes nothing more from a peer
that broke the rules.
"""

from __future__ import annotations

from twistlike._net.file_sender import FileSender
from twistlike._net.line_receivers import LineOnlyReceiver, LineReceiver
from twistlike._net.string_receivers import (
    IncompleteNetstring,
    Int8StringReceiver,
    Int16StringReceiver,
    Int32StringReceiver,
    IntNStringReceiver,
    NetstringParseError,
    NetstringReceiver,
    StatefulStringProtocol,
    StringTooLongError,
)

__path__: list[str] = []  # a name that is not here is asked of the package's finder

__all__ = [
    "FileSender",
    "IncompleteNetstring",
    "Int8StringReceiver",
    "Int16StringReceiver",
    "Int32StringReceiver",
    "IntNStringReceiver",
    "LineOnlyReceiver",
    "LineReceiver",
    "NetstringParseError",
    "NetstringReceiver",
    "StatefulStringProtocol",
    "StringTooLongError",
]
