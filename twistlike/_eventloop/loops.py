"""What a reactor asks of asyncio: the running loop, a new one, its clock, its end.

asyncio is imported only when a loop is needed: the import takes 50 ms, and a program that merely
imports the reactor must not wait for it. Where asyncio has not been imported, no loop can run.
"""

from __future__ import annotations

import sys
import weakref
from time import monotonic
from typing import TYPE_CHECKING, Any

from twistlike._base.naming import showAs
from twistlike._eventloop import current

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Task
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable

__all__ = [
    "END_LIMIT",
    "LoopCloseDetector",
    "clockOf",
    "closeLoop",
    "endTasks",
    "generatorsEnd",
    "hasTasks",
    "newLoop",
    "runningLoop",
    "setLoopFactory",
    "unwatchAsyncgenShutdown",
    "watchAsyncgenShutdown",
]

# How long what is left on a loop may take to end once its reactor has, in seconds: its tasks, its
# generators, its own default executor.
END_LIMIT = 5.0

# For how long the keeper asks the loop to hold it, in seconds: ten years, never.
FOR_EVER = 3e8

# Tasks that have not ended though they were told to: nobody waits for them once more.
_stuck: weakref.WeakSet[Task[Any]] = weakref.WeakSet()

# Tasks in which reactors wait for the generators of their hosts.
_watching: set[Task[Any]] = set()

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


def runningLoop() -> AbstractEventLoop | None:
    """Return the loop that runs in this thread, `None` if there is none. Thread: any.

    Where each call counts, `current.runningLoop()` is the same without this one.
    """
    return current.runningLoop()


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
        message = "the reactor ends without waiting any longer for a task that was told to end"
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


class LoopCloseDetector:
    """Something in a loop's hands, which knows when the loop lets go of it.

    A loop that is closed forgets its timers; a timer that is forgotten frees its function. That is
    the only sign that there is of a `loop.close()` by the loop's owner, and it comes in the
    thread that closes, from within `close()`.

    Args:
        loop: The loop.
        onClosed: Called once, when the loop has been closed.

    Thread: the loop's.
    """

    __slots__ = ("_handle", "_loop", "_onClosed")

    def __init__(self, loop: AbstractEventLoop, onClosed: Callable[[], object]) -> None:
        self._onClosed: Callable[[], object] | None = onClosed
        self._loop = weakref.ref(loop)
        self.hold(_CloseSentinel(self))

    def hold(self, sentinel: _CloseSentinel) -> None:
        """Give the loop its hold on the keeper."""
        loop = self._loop()
        if loop is not None:
            # Weak, so that the loop alone holds the handle: once forgotten it is freed at once.
            self._handle = weakref.ref(loop.call_later(FOR_EVER, sentinel))

    def release(self) -> None:
        """Take the keeper back: nobody wants to hear of the end any more."""
        self._onClosed = None
        handle = self._handle()
        if handle is not None:
            handle.cancel()

    def disarm(self) -> None:
        """Hear nothing any more, and leave the loop alone."""
        self._onClosed = None

    def dropped(self) -> None:
        """Hear that the loop has let go."""
        onClosed, self._onClosed = self._onClosed, None
        if onClosed is not None and not sys.is_finalizing():
            onClosed()


class _CloseSentinel:
    """The loop's hold on a detector."""

    __slots__ = ("_detector",)

    def __init__(self, detector: LoopCloseDetector) -> None:
        self._detector = detector

    def __call__(self) -> None:
        """Hold on: a clock for tests, which leaps over idle time, has come that far."""
        self._detector.hold(self)

    def __del__(self) -> None:
        self._detector.dropped()


def watchAsyncgenShutdown(end: Callable[[], Awaitable[object]]) -> AsyncGenerator[None, None]:
    """Have `end` called and awaited when the running loop's host is about to close it.

    The moment is `loop.shutdown_asyncgens()`, which closes the generators that the loop has seen
    starting; `asyncio.run` awaits that when the main coroutine is over.

    Args:
        end: Called in the loop's thread, while the loop still runs.

    Returns:
        The generator. The loop holds it weakly: whoever wants to hear of the end keeps it.
    """

    async def watch() -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            await end()

    generator = watch()
    _step(generator.__anext__())
    return generator


async def generatorsEnd(limit: float) -> None:
    """Wait for the generators that the host closes together with ours, when the loop ends.

    They may wait for the reactor, which therefore ends after them. Those of other reactors are not
    waited for: they do the same.

    Args:
        limit: How long to wait at most, in seconds.
    """
    import asyncio  # not at the top: see the module's docstring

    loop = asyncio.get_running_loop()
    task = asyncio.current_task(loop)
    if task is None:
        return
    _watching.add(task)
    try:
        await asyncio.sleep(0)  # they are closed by a task each, all of which have begun by then
        kind = _kindOf(task)
        others = {each for each in asyncio.all_tasks(loop) if _kindOf(each) == kind}
        others -= _watching
        if others:
            await asyncio.wait(others, timeout=limit)
    finally:
        _watching.discard(task)


def _kindOf(task: Task[Any]) -> object:
    """Return what tells the tasks that close a generator from others: what asyncio has them run."""
    return getattr(task.get_coro(), "__qualname__", None)


def unwatchAsyncgenShutdown(generator: AsyncGenerator[None, None]) -> None:
    """Take back what `watchAsyncgenShutdown` began. What `end` gives must be done at once."""
    _step(generator.aclose())


def _step(awaitable: Awaitable[object]) -> None:
    """Do, with no task, what needs only one step, since it waits for nothing."""
    try:
        awaitable.__await__().send(None)
    except StopIteration:
        pass


showAs("twistlike.internet.asyncioreactor", globals(), ["setLoopFactory"])
