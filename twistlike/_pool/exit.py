"""The end of pools with the interpreter. Thread: the one that ends it."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from twistlike._pool.errors import PoolStoppedError
from twistlike._pool.workers import threadsOf

if TYPE_CHECKING:
    from twistlike._pool.stats import StuckWorker
    from twistlike._pool.workers import Crew

__all__ = ["endAll"]


def endAll(crews: list[Crew], seconds: float) -> list[StuckWorker]:
    """
    End crews as the interpreter exits: let them finish for `seconds`, then leave them behind.

    What was queued before a start that never came is dropped in silence: nobody is left to hear of
    it.

    Returns:
        Who was left behind.
    """
    deadline = monotonic() + seconds
    for crew in crews:
        if not crew.started:
            crew.queue.clear()
        crew.close()
    for crew in crews:
        # Anew after each: a worker that is needed for what is queued may be starting just now.
        while not crew.ended and (left := deadline - monotonic()) > 0:
            for thread in threadsOf(crew)[:1]:
                thread.join(left)
            crew.reap()
    stuck = []
    for crew in crews:
        if not crew.ended:
            stuck += crew.abandon(
                PoolStoppedError("the interpreter exits before this job could run")
            )
    return stuck
