"""A coroutine where none is awaited: a method that was written with ``async`` by mistake."""

from __future__ import annotations

from types import CoroutineType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["refuseCoroutine"]


def refuseCoroutine(result: object, function: Callable[..., object]) -> None:
    """Refuse what a method has returned if it is a coroutine, which would never run.

    Args:
        result: What it has returned.
        function: The method.

    Raises:
        TypeError: It is a coroutine.
    """
    if isinstance(result, CoroutineType):
        result.close()
        raise TypeError(
            f"{function!r} is a coroutine function, which nobody awaits; "
            "make it a plain method and use ensureDeferred in it"
        )
