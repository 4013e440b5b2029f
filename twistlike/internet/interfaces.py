"""What the parts expect of each other, as typing Protocols, where Twisted has zope interfaces.

Rooms: `_base.interfaces`; `_reactor.interfaces` for those that speak of Deferreds.
"""

from __future__ import annotations

from twistlike._base.interfaces import (
    IDelayedCall,
    IFileDescriptor,
    InterfaceType,
    IReactorCore,
    IReactorFDSet,
    IReactorFromThreads,
    IReactorInThreads,
    IReactorThreads,
    IReactorTime,
    IReadDescriptor,
    IReadWriteDescriptor,
    IWriteDescriptor,
)
from twistlike._reactor.interfaces import IResolverSimple

__all__ = [
    "IDelayedCall",
    "IFileDescriptor",
    "IReactorCore",
    "IReactorFDSet",
    "IReactorFromThreads",
    "IReactorInThreads",
    "IReactorThreads",
    "IReactorTime",
    "IReadDescriptor",
    "IReadWriteDescriptor",
    "IResolverSimple",
    "IWriteDescriptor",
    "InterfaceType",
]
