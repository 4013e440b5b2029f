"""Which reactor is at home on which loop: the first one that was bound to it.

Thread: any. Threads with loops of their own meet here: plain dictionaries, whose single operations
are atomic.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

__all__ = ["Homes"]

T = TypeVar("T")


class Homes(Generic[T]):
    """The loops, by their ids, and who lives there; held weakly, unless somebody says `keep`."""

    def __init__(self) -> None:
        self._bound: dict[int, weakref.ref[T]] = {}
        self._kept: dict[int, T] = {}

    def enter(self, loop: AbstractEventLoop, reactor: T) -> bool:
        """Let a reactor be at home on a loop. False: another one is."""
        if self.of(loop) is not None:
            return False
        self._bound[id(loop)] = weakref.ref(reactor)
        return True

    def leave(self, reactor: T) -> None:
        """Let a reactor be at home nowhere, and be kept no longer."""
        for key, reference in list(self._bound.items()):
            if reference() in (reactor, None):
                self._bound.pop(key, None)
        self._kept.pop(id(reactor), None)

    def of(self, loop: AbstractEventLoop) -> T | None:
        """Return who is at home on a loop."""
        reference = self._bound.get(id(loop))
        return None if reference is None else reference()

    def keep(self, reactor: T) -> None:
        """Keep a reactor that nobody but its loop knows, until it leaves."""
        self._kept[id(reactor)] = reactor

    def clear(self) -> None:
        """Forget all."""
        self._bound.clear()
        self._kept.clear()
