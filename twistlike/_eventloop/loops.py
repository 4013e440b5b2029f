"""Makes loops for reactors, ends what is left on them, closes them; and tells a loop's clock.

asyncio is imported only when a loop is needed: the import takes 50 ms, and a program that only
imports the reactor must not wait for it.

Thread: the loop's; `newLoop` and `policyLoop`: the one that is to run it.
"""

from __future__ import annotations

import sys
import weakref
from time import monotonic
from typing import TYPE_CHECKING, Any

from twistlike._base.naming import showAs

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Task
    from collections.abc import Callable, Iterable

__all__ = [
    "END_LIMIT",
    "clockOf",
    "closeLoop",
    "endTasks",
    "hasTasks",
    "newLoop",
    "policyLoop",
    "setLoopFactory",
]

# How long what is left on a loop may take to end once its reactor has, in seconds: its tasks, its
# generators, its own default executor. As long as a reactor waits for its threads by default.
END_LIMIT = 5.0

# Tasks that were cancelled and have not ended: they are not waited for a second time.
_stuck: weakref.WeakSet[Task[Any]] = weakref.WeakSet()

_factory: Callable[[], AbstractEventLoop] | None = None


def setLoopFactory(factory: Callable[[], AbstractEventLoop] | None) -> None:
    """Set what makes the loop of a reactor that is run; `None` is asyncio's own choice.

    Args:
        factory: A function such as `uvloop.new_event_loop`.
    """
    global _factory
    _factory = factory


def newLoop() -> AbstractEventLoop:
    """Return a new loop, made by the factory that was set, or by asyncio's policy."""
    import asyncio  # not at the top: see the module's docstring

    return (_factory or asyncio.new_event_loop)()


def policyLoop() -> AbstractEventLoop:
    """Return the current loop of asyncio's policy, made and set if there is none."""
    import asyncio  # not at the top: see the module's docstring
    import warnings

    try:
        with warnings.catch_warnings():
            # From 3.12 on, it warns where it makes one.
            warnings.simplefilter("ignore", DeprecationWarning)
            loop = asyncio.get_event_loop_policy().get_event_loop()
    except RuntimeError:  # 3.14, or another thread than the main one
        loop = None
    if loop is None or loop.is_closed():
        loop = newLoop()
        asyncio.set_event_loop(loop)
    return loop


def clockOf(loop: AbstractEventLoop) -> Callable[[], float]:
    """Return the clock that a loop goes by.

    That is `time.monotonic` for asyncio's own loops, where `loop.time` is no more than that,
    and for uvloop, whose `loop.time` stands still during a callback. A loop with a time of its
    own, such as one for tests, keeps it.
    """
    from asyncio import BaseEventLoop  # not at the top: see the module's docstring

    kind = type(loop)
    if kind.__module__.partition(".")[0] == "uvloop":
        return monotonic
    if getattr(kind, "time", None) is BaseEventLoop.time and "time" not in vars(loop):
        return monotonic
    return loop.time


def hasTasks(loop: AbstractEventLoop) -> bool:
    """Return whether a loop has tasks that have not ended. Thread: the loop's."""
    import asyncio  # not at the top: see the module's docstring

    return bool(asyncio.all_tasks(loop))


async def endTasks(limit: float) -> None:
    """Cancel what runs on the running loop, and wait for its end: tasks, then generators.

    What fails meanwhile goes to the loop's exception handler, and so does what does not end within
    the limit; it is not waited for again.

    Args:
        limit: How long to wait, in seconds. Cancelling ends the wait at once.
    """
    import asyncio  # not at the top: see the module's docstring

    loop = asyncio.get_running_loop()
    tasks = asyncio.all_tasks(loop) - {asyncio.current_task(loop)} - set(_stuck)
    for task in tasks:
        task.cancel()
    if tasks:
        limit = await _await(tasks, limit, loop)
    await _await({loop.create_task(loop.shutdown_asyncgens())}, limit, loop)


async def _await(tasks: Iterable[Task[Any]], limit: float, loop: AbstractEventLoop) -> float:
    """Wait for the end of tasks; report those that have failed, or have not ended in time.

    Returns:
        The limit for whatever comes next: 0 if the wait was cancelled.
    """
    import asyncio  # not at the top: see the module's docstring

    try:
        await asyncio.wait(tasks, timeout=limit)
    except asyncio.CancelledError:
        limit = 0.0
    for task in tasks:
        _lookAt(task, loop)
    return limit


def _lookAt(task: Task[Any], loop: AbstractEventLoop) -> None:
    """Report a task that should have ended if it has not, or has failed."""
    if not task.done():
        _stuck.add(task)
        message = "the reactor ends without waiting any longer for a task that was cancelled"
        loop.call_exception_handler({"message": message, "task": task})
    elif not task.cancelled() and (error := task.exception()) is not None:
        message = "a task failed while the reactor ended"
        loop.call_exception_handler({"message": message, "exception": error, "task": task})


def closeLoop(loop: AbstractEventLoop) -> None:
    """End what is left on a loop that has stopped, as `asyncio.run` does, and close it."""
    try:
        loop.run_until_complete(endTasks(END_LIMIT))
        if sys.version_info >= (3, 12):
            loop.run_until_complete(loop.shutdown_default_executor(END_LIMIT))
        else:
            loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()


showAs("twistlike.internet.asyncioreactor", globals(), ["setLoopFactory"])
