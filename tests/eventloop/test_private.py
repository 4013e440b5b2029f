"""What twistlike uses of asyncio that is private: these tests say which Python broke it."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from twistlike._eventloop import current
from twistlike.internet.defer import Deferred

HERE = f"CPython {sys.version.split()[0]}"


async def running() -> asyncio.AbstractEventLoop:
    """Return the running loop."""
    return asyncio.get_running_loop()


@pytest.mark.parametrize("name", ["_enter_task", "_leave_task"])
def test_tasks_can_be_left_and_entered(name: str) -> None:
    """`asyncio.tasks` has the functions by which a task becomes the current one (3.11)."""
    assert callable(getattr(asyncio.tasks, name, None)), f"{HERE} has no asyncio.tasks.{name}"


@pytest.mark.skipif(sys.version_info < (3, 12), reason="3.11 leaves and enters instead")
def test_the_current_task_can_be_swapped() -> None:
    """`asyncio.tasks._swap_current_task` takes any object, and returns what was current."""

    async def main() -> None:
        loop, task, other = asyncio.get_running_loop(), asyncio.current_task(), object()
        before = current.swapTask(loop, other)
        seen = asyncio.current_task()
        back = current.swapTask(loop, before)
        assert (before, seen, back) == (task, other, other), f"{HERE} swaps tasks in another way"

    assert hasattr(asyncio.tasks, "_swap_current_task"), f"{HERE} has no _swap_current_task"
    asyncio.run(main())


def test_a_task_takes_what_says_that_it_blocks_a_future() -> None:
    """A task waits for any object that it gets with `_asyncio_future_blocking` set."""

    class Future:
        _asyncio_future_blocking = True

        def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
            self.get_loop = lambda: loop
            self.wakeup: Any = None

        def add_done_callback(self, wakeup: Any, *, context: object) -> None:
            self.wakeup = wakeup

        def result(self) -> None:
            return None

        def __await__(self) -> Any:
            yield self

    async def main() -> bool:
        future = Future(asyncio.get_running_loop())

        async def waits() -> bool:
            await future
            return True

        task = asyncio.create_task(waits())
        await asyncio.sleep(0)
        assert future.wakeup is not None, f"{HERE}: tasks do not wait for objects of this kind"
        asyncio.get_running_loop().call_soon(future.wakeup, future)
        return await task

    assert asyncio.run(main())


def test_a_deferred_is_no_future() -> None:
    """`asyncio.isfuture` asks the class for `_asyncio_future_blocking`, and finds it not set."""
    assert not asyncio.isfuture(Deferred()), f"{HERE} takes a Deferred for a future"


def test_the_running_loop_is_asked_for_by_a_private_function() -> None:
    """`asyncio._get_running_loop` answers None where no loop runs."""
    assert asyncio._get_running_loop() is None
    loop = asyncio.run(running())
    assert isinstance(loop, asyncio.AbstractEventLoop)
