"""Checks and descriptions of the functions that users give us to call. Thread: any.

A description has a function's name and place, and never its arguments: those may be secrets.
"""

from __future__ import annotations

from functools import partial
from types import FunctionType, MethodType
from typing import Any

__all__ = [
    "ASYNC",
    "checkClock",
    "checkFactory",
    "checkFunction",
    "describe",
    "describeWithPlace",
    "haveRoom",
    "withoutArguments",
]

ASYNC = 0x80 | 0x200
"""In the `co_flags` of coroutine functions and asynchronous generators, as `inspect` has them.

That module is slow to import.
"""


def haveRoom(depth: int) -> None:
    """Raise RecursionError unless the stack has room for so many calls of Python functions.

    For what must not be interrupted halfway by that error.
    """
    if depth:
        haveRoom(depth - 1)


def describe(function: object) -> str:
    """Return a function's module and name, without its arguments. Never raises."""
    target: Any = withoutArguments(function)
    try:
        return _nameOf(target) or _nameOf(type(target)) or object.__repr__(function)
    except Exception:
        return object.__repr__(function)


def describeWithPlace(function: object) -> str:
    """Return a function's module and name, and where its code is if it has any. Never raises."""
    name = describe(function)
    try:
        code = _codeOf(function)
    except Exception:
        return name
    return name if code is None else f"{name} ({code.co_filename}:{code.co_firstlineno})"


def checkFunction(function: object, caller: str) -> None:
    """Refuse what cannot run in a thread.

    Args:
        function: What a user wants to have called.
        caller: The name of the function that was asked for that.

    Raises:
        TypeError: If it is not callable, or is a coroutine function.
    """
    if not callable(function):
        found = "None" if function is None else f"an object of type {type(function).__qualname__}"
        raise TypeError(
            f"{caller} takes a function to call, not {found}; give the function's arguments to"
            f" {caller} after it"
        )
    code = _codeOf(function)
    if code is not None and code.co_flags & ASYNC:
        raise TypeError(
            f"{caller} takes a function that blocks, and {describeWithPlace(function)} is a"
            " coroutine function: a thread would only make its coroutine, and run none of it. Await"
            " it in the loop, or have it run in a loop of the thread's own: asyncio.run(...)"
        )


def checkClock(clock: object, caller: str) -> None:
    """Refuse what cannot measure a time.

    Args:
        clock: What a user has given as a reactor or a clock.
        caller: The name of the function that was given it.

    Raises:
        TypeError: If it has no `callLater`.
    """
    if not callable(getattr(clock, "callLater", None)):
        found = "None" if clock is None else f"an object of type {type(clock).__qualname__}"
        raise TypeError(
            f"{caller} takes a reactor, or a clock that has callLater, not {found}; write"
            " `from twistlike.internet import reactor`"
        )


def _nameOf(target: Any) -> str | None:
    try:
        name, module = target.__qualname__, target.__module__
    except Exception:  # it has no name, or its class answers for all attributes, and raises
        return None
    if not isinstance(name, str):
        return None
    return f"{module}.{name}" if isinstance(module, str) else name


def withoutArguments(function: Any) -> Any:
    """Return the function that a `functools.partial` calls, else what was given."""
    # By the exact type: there are objects that have an attribute of any name, or none but errors.
    while type(function) is partial:
        function = function.func
    return function


def _codeOf(function: object) -> Any:
    """Return the code that a call of `function` runs first, if it is Python's, else None."""
    target: Any = withoutArguments(function)
    if type(target) not in (FunctionType, MethodType):
        target = vars(type(target)).get("__call__")  # not by getattr: that may be anybody's code
    if type(target) is MethodType:
        target = target.__func__
    return target.__code__ if type(target) is FunctionType else None


def checkFactory(factory: object, caller: str) -> None:
    """Refuse what makes no protocols.

    Args:
        factory: What a user wants to have asked for a protocol.
        caller: The name of the function that was given it.

    Raises:
        TypeError: If it has no `buildProtocol`, or is the class of a factory.
    """
    if not callable(getattr(factory, "buildProtocol", None)):
        name = (factory if isinstance(factory, type) else type(factory)).__qualname__
        kind = f"the class {name}" if isinstance(factory, type) else f"an object of type {name}"
        raise TypeError(
            f"{caller} takes a factory of protocols, not {kind}: for a protocol write"
            " Factory.forProtocol(...) with its class"
        )
    if isinstance(factory, type):
        raise TypeError(
            f"{caller} takes a factory, not its class: make one, {factory.__qualname__}()"
        )
