"""Names without documentation that Twisted's own modules, or published suites, take from ours.

Thread: any, at import.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twistlike.internet import defer, task

__all__ = ["addToDefer", "addToTask"]

_task: Any = task
_defer: Any = defer


def addToTask(short: str) -> None:
    """Add what others take from `twisted.internet.task`."""
    if not hasattr(task, "_EPSILON"):
        # How far a float may be off a multiple of an interval, in seconds: tests step clocks by it.
        _task._EPSILON = 2.0**-20
    if not hasattr(task, "_theCooperator"):
        _task._theCooperator = SimpleNamespace(
            coiterate=task.coiterate, cooperate=task.cooperate
        )


def addToDefer(short: str) -> None:
    """Add what others take from `twisted.internet.defer`."""
    if not hasattr(defer, "_DEFERRED_SUBCLASSES"):
        _defer._DEFERRED_SUBCLASSES = [defer.Deferred]
