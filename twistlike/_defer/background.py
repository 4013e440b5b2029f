"""Coroutines that nobody awaits: they are run, and their errors are reported.

Thread: the one in which the coroutine is to run.
"""

from __future__ import annotations

from types import CoroutineType
from typing import TYPE_CHECKING, Any

from twistlike._base.coroutines import checkGenerator
from twistlike._base.functions import describeWithPlace, withoutArguments
from twistlike._defer.coroutines import ensureDeferred

if TYPE_CHECKING:
    from collections.abc import Callable

    from twistlike._base.failure import Failure

__all__ = ["startCoroutine"]


def startCoroutine(coroutine: Any, function: Callable[..., object]) -> None:
    """Run a coroutine, in the present context, and report its error.

    Args:
        coroutine: What a coroutine function returned whose result nobody takes. It may be any other
            of the types `NOT_RUN`, too.
        function: The function, for the report.

    Raises:
        TypeError: If it is the generator of the function, which nobody runs.
    """
    if type(coroutine) is not CoroutineType:
        checkGenerator(coroutine, function)
        return
    ensureDeferred(coroutine).addErrback(_failed, function)


def _failed(failure: Failure, function: Callable[..., object]) -> None:
    from twistlike._log.report import report  # only an error that nobody handles needs it

    what = f"the coroutine of {describeWithPlace(function)} failed"
    report(failure, what, source=withoutArguments(function))
