"""Maps each event loop to its reactor: the first one that was bound to it.

Thread: any. Threads with loops of their own meet here: plain dictionaries, whose single operations
are atomic.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Generic, TypeVar

from twistlike._reactor.parts import Part

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from twistlike._reactor.reactor import Reactor

__all__ = ["ReactorRegistry", "RegistryEntry", "registry"]

T = TypeVar("T")


class ReactorRegistry(Generic[T]):
    """The reactors of the loops, by the loops' ids; held weakly, unless `keep` says otherwise."""

    def __init__(self) -> None:
        self._bound: dict[int, weakref.ref[T]] = {}
        self._kept: dict[int, T] = {}
        self._alive: dict[int, weakref.ref[T]] = {}

    def note(self, reactor: T) -> None:
        """Remember a reactor for as long as it lives, for the child of a fork."""
        key = id(reactor)
        self._alive[key] = weakref.ref(reactor, lambda _: self._alive.pop(key, None))

    def alive(self) -> list[T]:
        """Return all reactors that there are, with a loop or without."""
        found = [reference() for reference in list(self._alive.values())]
        return [reactor for reactor in found if reactor is not None]

    def enter(self, loop: AbstractEventLoop, reactor: T) -> bool:
        """Make a reactor that of a loop. False: the loop has another one."""
        if self.of(loop) is not None:
            return False
        self._bound[id(loop)] = weakref.ref(reactor)
        return True

    def leave(self, reactor: T) -> None:
        """Let a reactor be that of no loop, and keep it no longer."""
        for key, reference in list(self._bound.items()):
            if reference() in (reactor, None):
                self._bound.pop(key, None)
        self._kept.pop(id(reactor), None)

    def of(self, loop: AbstractEventLoop) -> T | None:
        """Return the reactor of a loop."""
        reference = self._bound.get(id(loop))
        return None if reference is None else reference()

    def keep(self, reactor: T) -> None:
        """Keep a reactor that only its loop knows, until it leaves."""
        self._kept[id(reactor)] = reactor

    def clear(self) -> None:
        """Forget which reactor is whose, in the child of a fork."""
        self._bound.clear()
        self._kept.clear()


registry: ReactorRegistry[Reactor] = ReactorRegistry()
"""All reactors of this process."""


class RegistryEntry(Part):
    """Enters a reactor for the loop that it gets, as one of its parts. Holds it weakly."""

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = weakref.ref(reactor)

    def bind(self, loop: AbstractEventLoop) -> None:
        """Enter the reactor, unless the loop has another one."""
        if (reactor := self._reactor()) is not None:
            reactor._home = loop if registry.enter(loop, reactor) else None

    def unbind(self) -> None:
        """Take the reactor out."""
        if (reactor := self._reactor()) is not None:
            reactor._home = None
            registry.leave(reactor)
