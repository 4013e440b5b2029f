"""Runs an asynchronous test on each kind of loop, and fails if the loop had an error to report."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest

from twistlike.internet.defer import Deferred

_T = TypeVar("_T")

KINDS = ["standard", "debug", "eager", "uvloop"]


def _newLoop(kind: str) -> asyncio.AbstractEventLoop:
    if kind == "uvloop":
        uvloop = pytest.importorskip("uvloop")
        loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        return loop
    loop = asyncio.new_event_loop()
    if kind == "eager":
        factory = getattr(asyncio, "eager_task_factory", None)
        if factory is None:
            loop.close()
            pytest.skip("eager tasks came with CPython 3.12")
        loop.set_task_factory(factory)
    return loop


async def wait(deferred: Deferred[Any]) -> Any:
    """Await a Deferred: a coroutine for what takes one."""
    return await deferred


def run(kind: str, main: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
    """Run a coroutine function to its end on a loop of a kind.

    Raises:
        AssertionError: something was reported to the loop's exception handler.
    """
    reported: list[dict[str, Any]] = []

    async def watched() -> _T:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: reported.append(context))
        return await main()

    def factory() -> asyncio.AbstractEventLoop:
        return _newLoop(kind)

    with asyncio.Runner(loop_factory=factory, debug=kind == "debug") as runner:
        result = runner.run(watched())
        gc.collect()  # a task or future that nobody looked at is reported when it is collected
    assert reported == []
    return result
