"""How tests wait for something that happens elsewhere: a condition, a thread, a gate.

Each wait has a hard limit and says what has not come. The limit is for a machine that is very busy:
a wait that works takes a fraction of it, and no test may depend on how long one takes.

Programs in processes of their own import this, too; it needs nothing of twistlike, nor pytest.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

__all__ = ["WAIT", "Gate", "until", "waitFor"]

WAIT = 30.0
"""Seconds after which a test that waits for something has failed."""

# Between two looks at a condition, in seconds.
PAUSE = 0.001


def waitFor(condition: Callable[[], object], within: float = WAIT) -> None:
    """Block until a condition is true, for something that nobody tells. Thread: any.

    Raises:
        AssertionError: It has not become true.
    """
    pause = threading.Event()
    for _ in _looks(condition, within):
        pause.wait(PAUSE)


async def until(condition: Callable[[], object], within: float = WAIT) -> None:
    """Do what ``waitFor`` does, while the loop runs."""
    import asyncio  # programs without a loop do not import it

    for _ in _looks(condition, within):
        await asyncio.sleep(PAUSE)


def _looks(condition: Callable[[], object], within: float) -> Iterator[None]:
    """Look at a condition until it is true, and have the caller pause after each look."""
    end = monotonic() + within
    while not condition():
        if monotonic() > end:
            raise AssertionError(f"{_describe(condition)} has not become true in {within} s")
        yield


def _describe(condition: Callable[[], object]) -> str:
    """Return where a condition is written."""
    code = getattr(condition, "__code__", None)
    if code is None:
        return repr(condition)
    return f"{condition.__qualname__} at {code.co_filename}:{code.co_firstlineno}"


class Gate:
    """A function that says that it was entered, and holds its thread until it is opened.

    Args:
        result: What a call returns.
    """

    def __init__(self, result: object = None) -> None:
        self.result = result
        self._entered = threading.Semaphore(0)
        self._open = threading.Event()

    def __call__(self) -> Any:
        """Hold the calling thread. Thread: any."""
        self._entered.release()
        assert self._open.wait(WAIT), f"nobody has opened the gate in {WAIT} s"
        return self.result

    def awaitEntered(self, count: int = 1) -> None:
        """Block until so many more threads have come in."""
        for _ in range(count):
            assert self._entered.acquire(timeout=WAIT), f"no thread has come in {WAIT} s"

    def open(self) -> None:
        """Let all threads go, and do not hold any later one."""
        self._open.set()
