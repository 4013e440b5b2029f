"""The reactor: Twisted's reactor API over one asyncio event loop.

Rooms: `_reactor.reactor`; `_reactor.current` for which one; `_eventloop.loops` for its loop.
"""

from __future__ import annotations

from twistlike._eventloop.loops import setLoopFactory
from twistlike._reactor.current import currentReactor, defaultReactor, install
from twistlike._reactor.reactor import AsyncioSelectorReactor, Reactor

__path__: list[str] = []  # a name that is not here is asked of the package's finder

__all__ = [
    "AsyncioSelectorReactor",
    "Reactor",
    "currentReactor",
    "defaultReactor",
    "install",
    "setLoopFactory",
]
