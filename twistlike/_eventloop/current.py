"""What the rest of this package needs to know of asyncio, without importing it.

Thread: any; each answer is about the calling thread.

A loop can only run in a process that has imported asyncio, so a process that has not pays one look
into `sys.modules`. Once asyncio is there, `runningLoop` replaces itself by asyncio's own
function: callers therefore go through this module (`current.runningLoop()`) each time.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable

__all__ = ["currentTask", "runningLoop", "swapTask"]

_modules = sys.modules


def _lookForLoop() -> AbstractEventLoop | None:
    """Return the loop that runs in this thread; until asyncio has been imported there is none."""
    asyncio = _modules.get("asyncio")
    # The names appear when asyncio's own import is through: until then it has no running loop.
    if asyncio is None or not hasattr(asyncio, "Runner") or not hasattr(asyncio, "tasks"):
        return None
    _adopt(asyncio)
    return runningLoop()


def _noTask(loop: Any) -> Any:
    _adopt(_modules["asyncio"])
    return currentTask(loop)


def _noSwap(loop: Any, task: Any) -> Any:
    _adopt(_modules["asyncio"])
    return swapTask(loop, task)


runningLoop: Callable[[], AbstractEventLoop | None] = _lookForLoop
"""Return the loop that runs in this thread, or None."""

currentTask: Callable[[AbstractEventLoop], Any] = _noTask
"""Return the current task of this thread's running loop, or None."""

swapTask: Callable[[AbstractEventLoop, Any], Any] = _noSwap
"""Make something (or None) the current task of a loop, and return what was it before."""


def _swapByLeaving(asyncio: Any) -> Callable[[Any, Any], Any]:
    """Return what `swapTask` is before CPython 3.12."""
    current, enter, leave = (
        asyncio.tasks.current_task,
        asyncio.tasks._enter_task,
        asyncio.tasks._leave_task,
    )

    def swap(loop: Any, task: Any) -> Any:
        before = current(loop)
        if before is not None:
            leave(loop, before)
        if task is not None:
            enter(loop, task)
        return before

    return swap


def _adopt(asyncio: Any) -> None:
    """Take over asyncio's own functions."""
    global runningLoop, currentTask, swapTask
    currentTask = asyncio.tasks.current_task
    swapTask = getattr(asyncio.tasks, "_swap_current_task", None) or _swapByLeaving(asyncio)
    runningLoop = asyncio._get_running_loop
