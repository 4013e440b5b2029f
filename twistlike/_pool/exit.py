"""The end of pools with the interpreter. Thread: the one that ends it."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from twistlike._pool.errors import PoolStoppedError
from twistlike._pool.workers import threadsOf

if TYPE_CHECKING:
    from twistlike._pool.stats import StuckWorker
    from twistlike._pool.workers import Workers

__all__ = ["endAll"]


def endAll(groups: list[Workers], seconds: float) -> list[StuckWorker]:
    """End groups as the interpreter exits: let them finish for `seconds`, then leave them behind.

    What was queued before a start that never came is dropped in silence: nobody is left to hear of
    it.

    Returns:
        Who was left behind.
    """
    deadline = monotonic() + seconds
    for workers in groups:
        if not workers.started:
            workers.queue.clear()
        workers.close()
    for workers in groups:
        # Anew after each: a worker that is needed for what is queued may be starting just now.
        while not workers.ended and (left := deadline - monotonic()) > 0:
            for thread in threadsOf(workers)[:1]:
                thread.join(left)
            workers.reap()
    stuck = []
    for workers in groups:
        if not workers.ended:
            stuck += workers.abandon(
                PoolStoppedError("the interpreter exits before this job could run")
            )
    return stuck
