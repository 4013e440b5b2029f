"""Handing items to whoever waits in the loop: safe against a cancel, and fair to the loop.

Thread: the reactor's.

How it works
------------
A Deferred that fires resumes a task on the loop's next turn. If the task is cancelled in between,
nobody gets what the Deferred fired with. `ItemDeferred` sees that in its own `await`: it is
resumed by an exception although it has fired. Then it gives the item back.

A task may also be cancelled before it has begun to wait: `asyncio.wait_for(queue.get(), 0)` makes
one and cancels it at once. Then the Deferred is dropped, with an item that nobody has asked it
for, and gives it back when it is collected.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from twistlike._base.error import WrongThreadError
from twistlike._base.failure import Failure
from twistlike._base.naming import callAs
from twistlike._defer.deferred import Deferred
from twistlike._defer.fields import DeferredFields
from twistlike._eventloop import current
from twistlike._log.report import report
from twistlike._reactor.current import currentReactor

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from twistlike._reactor.reactor import Reactor
    from twistlike._threads.queue import ThreadsafeQueue

__all__ = ["NOTHING", "Guard", "ItemDeferred", "Turns", "reactorOfThisThread", "setResult"]

T = TypeVar("T")

NOTHING: Any = type("Nothing", (), {"__repr__": lambda _: "<nothing>"})()
"""In the place of an item: there is none."""

TAKEN = -1
"""Of an `ItemDeferred`: one that waited has the item."""

# How long a reader may be served without a turn of the loop, in seconds: as long as a batch of
# calls from threads may run. A reader that is never kept waiting would starve timers and sockets.
MAX_WITHOUT_TURN = 0.01

# How many items there are between two looks at the clock, which costs as much as a short item.
ITEMS_A_LOOK = 32


# The field itself: `ItemDeferred.result` notes that somebody looks at it.
_getResult: Any = vars(DeferredFields)["result"].__get__
setResult: Any = vars(DeferredFields)["result"].__set__
"""Set the result of a Deferred, as `deferred.result = result` does."""


class Guard:
    """Has an item that nobody has taken, and gives it back when it is collected with that.

    Not the Deferred's own `__del__`: an exception that a signal's handler raises there is lost, and
    one for each item would lose Ctrl-C now and then. A guard whose item was taken is kept for the
    next one, and does not know its queue meanwhile: that would be a cycle.

    Args:
        queue: Whose item it is.
    """

    __slots__ = ("item", "queue")

    item: Any
    queue: ThreadsafeQueue[Any] | None

    def __init__(self, queue: ThreadsafeQueue[Any]) -> None:
        self.item = NOTHING
        self.queue = queue

    def __del__(self) -> None:
        if self.item is NOTHING or self.queue is None:
            return
        try:
            self.queue._undo(NOTHING, self.item)
        except BaseException:
            text = "an item that nobody has taken could not be given back"
            report(Failure(), text, source=self.queue)


class ItemDeferred(Deferred[T]):
    """A Deferred of an item that is given back if nobody takes it.

    Whoever awaits it, adds a callback or reads `result` takes the item, unless it is a task that is
    cancelled before it goes on.
    """

    __slots__ = ("_awaiting", "_guard", "_item")

    # What it has fired with, while tasks wait that have not got it yet.
    _item: Any

    # How many wait for it in an `await`; TAKEN once one of them has the item.
    _awaiting: int

    # Has the item, if it has fired and nobody waited.
    _guard: Guard | None

    def __init__(self, canceller: Callable[[Deferred[Any]], None] | None = None) -> None:
        self._item = NOTHING
        self._awaiting = 0
        self._guard = None
        super().__init__(canceller)

    def giveBack(self, item: T) -> None:
        """Have it as if the item had not been given."""
        raise NotImplementedError

    def give(self, item: T, guard: Guard | None) -> None:
        """Fire with an item.

        Args:
            item: The item.
            guard: Gets it if nobody waits. None: then it is not given back.
        """
        isWanted = self._callbacks is not None
        # Before it fires: a Deferred coroutine resumes at once.
        self._item = item
        self.callback(item)
        if not isWanted and guard is not None:
            guard.item = item
            self._guard = guard
        if self._awaiting <= 0:
            self._item = NOTHING  # whoever has added callbacks has got it

    def __await__(self) -> Generator[Any, Any, T]:
        """Wait for the item."""
        guard = self._guard
        if guard is not None and not self.paused:
            item: Any = guard.item
            self._guard = None
            # Nothing is called from here to the end: no signal's exception comes in between.
            guard.item = NOTHING
            queue = guard.queue
            guard.queue = None
            queue._spareGuard = guard  # type: ignore[union-attr]
            return item  # type: ignore[no-any-return]
        if self._awaiting >= 0:
            self._awaiting += 1
        try:
            result = yield from Deferred.__await__(self)
        except BaseException:
            self._leaveAwait()
            raise
        self._awaiting = TAKEN
        self._item = NOTHING
        return result

    __iter__ = __await__

    def _leaveAwait(self) -> None:
        """Give the item back, unless somebody else waits for it, or has it."""
        if self._awaiting <= 0:
            return
        self._awaiting -= 1
        if not self._awaiting:
            item, self._item = self._item, NOTHING
            # Callbacks that made something else of it have taken it.
            if item is not NOTHING and _getResult(self) is item:
                self.giveBack(item)

    def __repr__(self) -> str:
        guard, self._guard = self._guard, None
        try:
            return super().__repr__()
        finally:
            self._guard = guard  # it has only been looked at

    if not TYPE_CHECKING:

        @property
        def result(self):
            """The item. Whoever reads it has it, unless a task waits for it."""
            guard = self._guard
            if guard is not None:
                guard.item = NOTHING
                self._guard = None
            return _getResult(self)

        @result.setter
        def result(self, result):
            setResult(self, result)


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
