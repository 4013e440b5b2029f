"""Refuses what a call in a thread has returned, if nothing of it has run and nobody takes it."""

from __future__ import annotations

from types import CoroutineType

from twistlike._base.coroutines import checkGenerator
from twistlike._base.functions import checkFunction, describeWithPlace

__all__ = ["refuseUnrun"]


def refuseUnrun(result: object, function: object, caller: str = "callInThread") -> None:
    """Refuse a coroutine, or the generator of a function. Thread: the worker's.

    Args:
        result: What the function has returned, of one of the types `NOT_RUN`.
        function: The function.
        caller: What calls it, for the error.

    Raises:
        TypeError: It is a coroutine, or the generator of the function.
    """
    if isinstance(result, CoroutineType):
        result.close()
        checkFunction(function, caller)  # says it better, for most
        raise TypeError(
            f"{describeWithPlace(function)} has returned a coroutine, which nobody runs: await it"
            " in the loop, or have it run in a loop of the thread's own: asyncio.run(...)"
        )
    checkGenerator(result, function, "iterate over it in a function that runs in the thread")
