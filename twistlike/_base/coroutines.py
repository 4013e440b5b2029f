"""What a call returns where nobody runs it: a coroutine, or the generator of a forgotten decorator.

Thread: any.
"""

from __future__ import annotations

from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import TYPE_CHECKING

from twistlike._base.functions import codeOf, describeWithPlace

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["NOT_RUN", "callHook", "checkGenerator", "refuseCoroutine"]

# What a call returns of which nothing has run yet.
NOT_RUN = frozenset((CoroutineType, GeneratorType, AsyncGeneratorType))

DECORATE = "decorate the function with inlineCallbacks, or write it with async def and await"


def checkGenerator(result: object, function: object, instead: str = DECORATE) -> None:
    """Refuse a function with a `yield` in it where nobody takes its generator.

    A generator that some other function has made, and that this one returns, is let through.

    Args:
        result: What the function has returned.
        function: The function.
        instead: What to do instead.

    Raises:
        TypeError: It has made a generator, and run none of it.
    """
    code: object = None
    if isinstance(result, GeneratorType):
        code = result.gi_code
    elif isinstance(result, AsyncGeneratorType):
        code = result.ag_code
    if code is not None and code is codeOf(function):
        raise TypeError(
            f"{describeWithPlace(function)} has a yield in it, so the call has only made a"
            f" generator, which nobody runs: {instead}"
        )


def refuseCoroutine(result: object, function: Callable[..., object]) -> None:
    """Refuse what a method has returned if it would never run.

    Args:
        result: What it has returned.
        function: The method.

    Raises:
        TypeError: It is a coroutine, or the generator of the method.
    """
    if isinstance(result, CoroutineType):
        result.close()
        raise TypeError(
            f"{function!r} is a coroutine function, which nobody awaits; "
            "make it a plain method and use ensureDeferred in it"
        )
    checkGenerator(result, function)


def callHook(method: Callable[..., object], *args: object) -> None:
    """Call a method that users override, which may have written it as a coroutine function.

    Raises:
        TypeError: As `refuseCoroutine`.

    And what the method raises.
    """
    result = method(*args)
    if result is not None:
        refuseCoroutine(result, method)
