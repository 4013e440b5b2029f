"""The errors of a callback that is not callable, or that returns its own Deferred. Thread: any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twistlike._base.failure import Failure
from twistlike._base.reflect import safe_repr

if TYPE_CHECKING:
    from twistlike._defer.deferred import Deferred

__all__ = ["explain", "warnSelf"]


def explain(
    error: BaseException, current: Deferred[Any], entry: Any, failed: bool
) -> BaseException:
    """Return a better error where what was added as a callback cannot be called."""
    function = entry[failed] if type(entry) is tuple else entry
    if callable(function):
        return error
    better = TypeError(
        f"{'an errback' if failed else 'a callback'} of {safe_repr(current)} is"
        f" {safe_repr(function)}, which cannot be called; defer.setDebugging(True), called before"
        " the Deferred is made, shows where that was"
    )
    better.__cause__ = error
    return better


def warnSelf(entry: Any, failed: bool, result: Any) -> Any:
    """Warn of a callback that returned its own Deferred, at the place where that callback ends.

    Returns:
        the result: that Deferred, or a Failure if the warning is an error.
    """
    import warnings  # a mistake is rare, and the module is not free

    function = entry[failed] if type(entry) is tuple else entry
    code = getattr(function, "__code__", None)
    filename, last = "<unknown>", 0  # a callable that was not written in Python
    if code is not None:
        filename = code.co_filename
        last = max(line for _, _, line in code.co_lines() if line is not None)
    try:
        warnings.warn_explicit(
            "Callback returned the Deferred it was attached to; this breaks the callback chain and"
            " will raise an exception in the future.",
            DeprecationWarning,
            filename,
            last,
            module=getattr(function, "__module__", None),
            registry=getattr(function, "__globals__", {}).setdefault("__warningregistry__", {}),
        )
    except DeprecationWarning as error:
        return Failure.fromException(error, 0)
    return result
