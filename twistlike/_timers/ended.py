"""Tells those who wait for a delayed call that their reactor has ended. Thread: the reactor's.

What a reactor still had to call at its end is dropped. Whoever waits for it in a Deferred would
wait for ever: a `deferLater`, the run of a `LoopingCall`. So the owner of the dropped function, if
its type has a method `_droppedAtEnd`, hears of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twistlike._defer.errors import CancelledError

if TYPE_CHECKING:
    from collections.abc import Callable

    from twistlike._timers.queue import DelayedCall

__all__ = ["endOfReactor", "tellDropped"]


def endOfReactor(before: str) -> CancelledError:
    """Return the error for who waited. It is no mistake of anybody: unhandled it is not reported.

    Args:
        before: What has not happened.
    """
    from asyncio import CancelledError as asyncioCancelledError  # loaded: there was a reactor

    error = CancelledError(f"the reactor has ended before {before}")
    error.__cause__ = asyncioCancelledError()  # `DebugInfo` looks for that
    return error


def tellDropped(
    call: DelayedCall, onError: Callable[[BaseException, Callable[..., object]], object]
) -> None:
    """Tell the owner of a dropped call's function, if it wants to know.

    Args:
        call: The call.
        onError: Called with what the owner raises, and the function.
    """
    function = call.func
    if function is None:  # one of the others has cancelled it
        return
    owner = getattr(function, "__self__", function)
    # Not the object's own: a mock has any attribute.
    told = getattr(type(owner), "_droppedAtEnd", None)
    if told is not None:
        try:
            if call.context is None:
                told(owner)
            else:
                call.context.run(told, owner)
        except BaseException as error:
            onError(error, function)
