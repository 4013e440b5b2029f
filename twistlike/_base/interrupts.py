"""What was interrupted by a signal's exception, and has to be finished all the same. Thread: any.

How it works
------------
A signal's handler may raise, and a thread may be killed (`PyThreadState_SetAsyncExc`), wherever a
function begins, a call of a function of C returns, or a loop jumps back. What others rely on is
therefore done in one step, without such a point in it, or in steps that can be done twice. In the
second case an `except` clause, which costs nothing where nothing is raised, does them once more.
"""

from __future__ import annotations

from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    F = TypeVar("F", bound=Callable[..., Any])

__all__ = ["MAX_INTERRUPTS", "finish", "repair", "repairedBy"]

MAX_INTERRUPTS = 1_000
"""How many exceptions of signals one repair bears: far more than come one upon the other at a
signal each millisecond while another thread holds a lock. Bounded, so that no defect lasts."""


def finish(
    step: Callable[[], object], ownErrors: type[BaseException] | tuple[()] = Exception
) -> None:
    """Call a function, which may be called again, until no signal's exception comes out of it.

    Args:
        step: The function.
        ownErrors: What the function itself may raise: it comes out at once. `()` for a function
            that raises nothing: then an Exception is a signal's, too.

    Raises:
        BaseException: The last of the signals' exceptions, when the function is done.
    """
    interrupt: BaseException | None = None
    for _ in range(MAX_INTERRUPTS):
        try:
            step()
            break
        except ownErrors:
            raise
        except BaseException as error:
            interrupt = error
    if interrupt is not None:
        raise interrupt


_REPAIR = "_repair"


def repairedBy(repair: Callable[..., object]) -> Callable[[F], F]:
    """Return a decorator of a function that is posted to a loop, which may be interrupted there.

    Args:
        repair: Called with the exception that has come out of it, and its arguments. It sees to it
            that nobody waits in vain for what the function was to do.
    """

    def decorate(function: F) -> F:
        function.__dict__[_REPAIR] = repair
        return function

    return decorate


def repair(error: BaseException, function: Any, args: tuple[Any, ...]) -> None:
    """Repair what an exception out of a posted function may have left undone, if it says how."""
    if type(function) is MethodType:
        function, args = function.__func__, (function.__self__, *args)
    if type(function) is FunctionType and (repairing := function.__dict__.get(_REPAIR)) is not None:
        repairing(error, *args)
