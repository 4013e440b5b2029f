"""Runs of callbacks inside of each other, to any depth. Thread: whichever fires the Deferred.

How it works
------------
A callback may fire another Deferred itself, whose callbacks run inside of that call, as in Twisted:
it releases a lock, puts into a queue, or calls `callback`. Such runs nest. `nesting` counts them,
and once there are some, `runNested` looks at the interpreter's stack: when half of it is in use,
the Deferred is paused and queued, and a run further out goes on with it. So the order is Twisted's
up to about the depth at which Twisted gets a RecursionError, and no depth is too much.
"""

from __future__ import annotations

import sys
from _thread import _local
from collections import deque
from typing import TYPE_CHECKING, Any

from twistlike._defer.callbacks import AGAIN, fire, nesting

if TYPE_CHECKING:
    from collections.abc import Callable

    from twistlike._defer.deferred import Deferred

__all__ = ["runIfReady", "runNested"]

# Of the interpreter's frames, which may be 1,000: half of them, so that what callbacks do has room.
_MOST_FRAMES = 500


class _Here(_local):
    """What each thread has queued; None where no run is there to go on with it."""

    queue: deque[tuple[Callable[[Any], object], Any]] | None = None


_here = _Here()


def _stackIsDeep() -> bool:
    """Return whether half of the stack is in use."""
    try:
        sys._getframe(min(sys.getrecursionlimit() // 2, _MOST_FRAMES))
    except ValueError:
        return False
    return True


_RUNS = frozenset((fire.__code__,))


def _countRuns() -> int:
    """Return how many runs of callbacks this thread is in."""
    runs = 0
    frame = sys._getframe(1).f_back
    while frame is not None:
        runs += frame.f_code in _RUNS
        frame = frame.f_back
    return runs


def runNested(deferred: Any, cancel: Callable[[Any], object] | None = None) -> None:
    """Run a fired Deferred's callbacks, `NEAR` runs deep or more.

    Where the stack is deep, too, a run further out does it, after this has returned.

    Args:
        deferred: one that has fired and is neither paused nor running.
        cancel: what to call with it instead; it raises nothing.
    """
    queue = _here.queue
    if queue is not None and _stackIsDeep():
        if cancel is None:
            deferred.paused += 1  # so that all who look at it see that it is not through
        queue.append((cancel or _runQueued, deferred))
        return
    depth = nesting[0]
    outermost = queue is None
    if queue is None:
        depth = _countRuns()
        queue = _here.queue = deque()
    nesting[0] = 0
    try:
        if cancel is None:
            fire(deferred, AGAIN)
        else:
            cancel(deferred)
    finally:
        del deferred  # see the end of fire
        try:
            _runQueue(queue)
        finally:
            nesting[0] = depth
            if outermost:
                _here.queue = None


def _runQueue(queue: deque[tuple[Callable[[Any], object], Any]]) -> None:
    """Go on with what was queued, all of it, whatever is raised."""
    try:
        _emptyQueue(queue)
    finally:
        if queue:
            _runQueue(queue)


def _emptyQueue(queue: deque[tuple[Callable[[Any], object], Any]]) -> None:
    # A loop of its own: where one in a `try` jumps back, 3.12 and later find no `finally`.
    try:
        # Not popleft(): where it returns a signal's exception may come, and its result be lost.
        for function, argument in iter(queue.popleft, None):
            function(argument)
            del argument
    except IndexError:
        if queue:
            raise


def _runQueued(deferred: Any) -> None:
    """Take back the pause of runNested."""
    deferred.paused -= 1
    if not deferred.paused and deferred._state is None:
        fire(deferred, AGAIN)


def runIfReady(deferred: Deferred[Any]) -> None:
    """Run the callbacks of a fired Deferred, unless something keeps them from it."""
    if deferred.called and deferred._state is None and not deferred.paused:
        fire(deferred, AGAIN)
