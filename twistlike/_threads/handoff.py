"""Handing items to whoever waits in the loop: safe against a cancel, and fair to the loop.

Thread: the reactor's.

How it works
------------
A Deferred that fires resumes a task on the loop's next turn. If the task is cancelled in between,
nobody gets what the Deferred fired with. `ItemDeferred` sees that in its own `await`: it is
resumed by an exception although it has fired. Then it gives the item back.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from twistlike._base.error import WrongThreadError
from twistlike._base.naming import callAs
from twistlike._defer.deferred import Deferred
from twistlike._eventloop import current
from twistlike._reactor.current import currentReactor

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from twistlike._reactor.reactor import Reactor

__all__ = ["NOTHING", "ItemDeferred", "Turns", "reactorOfThisThread"]

T = TypeVar("T")

NOTHING: Any = type("Nothing", (), {"__repr__": lambda _: "<nothing>"})()
"""In the place of an item: there is none."""

# How long a reader may be served without a turn of the loop, in seconds: as long as a batch of
# calls from threads may run. A reader that is never kept waiting would starve timers and sockets.
MAX_WITHOUT_TURN = 0.01

# How many items there are between two looks at the clock, which costs as much as a short item.
ITEMS_A_LOOK = 32


class ItemDeferred(Deferred[T]):
    """A Deferred of an item that is given back if the task that waits for it is cancelled."""

    __slots__ = ("_awaiting", "_item")

    def __init__(self, canceller: Callable[[Deferred[Any]], None]) -> None:
        super().__init__(canceller)
        self._item: Any = NOTHING
        self._awaiting = 0

    def giveBack(self, item: T) -> None:
        """Have it as if the item had not been given."""
        raise NotImplementedError

    def give(self, item: T) -> None:
        """Fire with an item."""
        # Before it fires: a Deferred coroutine resumes at once.
        self._item = item
        self.callback(item)
        if not self._awaiting:
            self._item = NOTHING  # whoever has added callbacks has got it

    def __await__(self) -> Generator[Any, Any, T]:
        """Wait for the item."""
        self._awaiting += 1
        try:
            result = yield from Deferred.__await__(self)
        except BaseException:
            self._awaiting -= 1
            item = self._item
            if not self._awaiting:
                self._item = NOTHING
                # Callbacks that made something else of it have taken it; so has another task.
                if item is not NOTHING and self.result is item:
                    self.giveBack(item)
            raise
        self._item = NOTHING
        return result

    __iter__ = __await__


class Turns:
    """Says when a reader that is never kept waiting is to leave the loop a turn.

    Attributes:
        left: How many items there are until the next look at the clock. The reader counts down.
    """

    __slots__ = ("_begin", "left")

    def __init__(self) -> None:
        self._begin = 0.0
        self.left = ITEMS_A_LOOK

    def begin(self) -> None:
        """Note that the reader waits, so that the loop has a turn."""
        self._begin = monotonic()
        self.left = ITEMS_A_LOOK

    def isDue(self) -> bool:
        """Look at the clock."""
        self.left = ITEMS_A_LOOK
        return monotonic() - self._begin >= MAX_WITHOUT_TURN


def reactorOfThisThread(name: str, instead: str) -> Reactor:
    """Return the reactor in whose thread a Deferred that is asked for now can fire.

    Args:
        name: What was called, for the error.
        instead: What to do in another thread, for the error.

    Raises:
        WrongThreadError: If this is another thread than the reactor's.
        ReactorNotRunning: If the reactor has ended.

    Thread: any.
    """
    reactor = currentReactor()
    life = reactor._life
    if life.loop is None or current.runningLoop() is not life.loop:
        try:
            isOurs = life.enter(name)
        except WrongThreadError:
            isOurs = False
        if not isOurs:
            raise WrongThreadError(
                f"{name} was called in a thread that does not run the reactor's loop, where its "
                f"Deferred cannot fire; {instead}"
            )
        life.acceptWork(name)
    return reactor


callAs(Deferred, ItemDeferred)
