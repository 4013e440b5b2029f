"""What a Deferred remembers besides its result: an error to report, and in debug mode two stacks.

Thread: whichever has the Deferred. `DebugInfo.__del__` runs in whichever lets go of it last.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from twistlike._base.naming import showAs

if TYPE_CHECKING:
    from twistlike._base.failure import Failure

_causeOf: Any = BaseException.__dict__["__cause__"].__get__

__all__ = ["DebugInfo", "currentStack", "isCancelOfAsyncio"]


def currentStack(skip: int) -> list[str]:
    """Return the calling stack as text, outermost first, without the `skip` innermost frames."""
    import traceback  # debug mode only: costs 10 ms at import time

    return traceback.format_stack()[: -(skip + 1)]


class DebugInfo:
    """Goes with a Deferred, and reports its error if both are let go with the error in it.

    Unless that error is a cancel of asyncio's.

    An object of its own, so that a Deferred without an error needs no `__del__`, and so that what
    a Deferred in a reference cycle holds is reported as well.

    Attributes:
        failResult: the error that nobody has handled, or None.
        creator: the stack in which the Deferred was made (debug mode).
        invoker: the stack in which it was fired (debug mode).
        taken: whether a task has got the error that is the Deferred's result.
    """

    __slots__ = ("__weakref__", "creator", "failResult", "invoker", "taken")

    failResult: Failure | None
    creator: list[str] | None
    invoker: list[str] | None
    taken: bool

    def __init__(self) -> None:
        self.failResult = None
        self.creator = None
        self.invoker = None
        self.taken = False

    def _getDebugTracebacks(self) -> str:
        """Return where the Deferred was made and fired, as text; empty outside debug mode."""
        text = ""
        if self.creator is not None:
            text += " C: Deferred was created:\n" + _indent(" C:", self.creator)
        if self.invoker is not None:
            text += " I: First Invoker was:\n" + _indent(" I:", self.invoker)
        return text

    def __del__(self) -> None:
        failure = self.failResult
        if failure is None or isCancelOfAsyncio(failure.value):
            return
        message = "Unhandled error in Deferred:"
        stacks = self._getDebugTracebacks()
        if stacks:
            message += f"\n(debug: {stacks})"
        if not sys.meta_path:
            # The interpreter ends: nothing can be imported any more, and where something has been,
            # it is being taken apart. A Deferred of the main program's globals is reported here.
            print(message, file=sys.stderr)
            if isinstance(failure.value, BaseException):
                sys.__excepthook__(type(failure.value), failure.value, failure.tb)
            else:
                print(failure.getErrorMessage(), file=sys.stderr)  # Twisted allows any object
            return
        # An error that nobody handles is rare, and logging is dear.
        from twistlike._log.report import reportCollected

        reportCollected(failure, message, "Deferred")


def isCancelOfAsyncio(error: object) -> bool:
    """Return whether something of asyncio's that was waited for has been cancelled.

    That is no error that somebody forgot: asyncio reports none either, and cancels all tasks of a
    loop that ends.
    """
    # By name: at the interpreter's end, when global Deferreds are collected, modules are gone.
    kind = type(error)
    if not issubclass(kind, BaseException):
        return False
    cause = type(_causeOf(error))
    return (
        kind.__name__ == cause.__name__ == "CancelledError"
        and cause.__module__ == "asyncio.exceptions"
    )


def _indent(mark: str, stack: list[str]) -> str:
    lines = (line for entry in stack for line in entry.splitlines())
    return "".join(f"{mark}{line}\n" for line in lines)


showAs("twistlike.internet.defer", globals(), ["DebugInfo"])
