"""Runs of callbacks that a signal's exception has left: what they were to do is done all the same.

Thread: the one that was hit.

How it works
------------
`runCallbacks` raises nothing of users'. What comes out of it has come between two steps of its own:
from a signal's handler, or a kill (see `_base.interrupts`). To keep notes for that would cost each
firing. The frame that was left is in the exception's traceback, and its variables say what has been
done. Only `except` clauses lead here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twistlike._base.failure import Failure
from twistlike._defer.callbacks import (
    COLLECT,
    CONTINUE,
    KEEP,
    RESUME,
    RUNNING,
    _unwind,
    chain,
    runCallbacks,
)
from twistlike._defer.fields import DeferredFields

if TYPE_CHECKING:
    from twistlike._defer.deferred import Deferred

__all__ = ["recover", "recoverWaiter"]


def recover(error: BaseException, deferred: Deferred[Any] | None = None) -> None:
    """Go on with the runs that an exception has left on its way to the caller.

    Args:
        error: the exception, in the caller's `except` clause.
        deferred: one that was to be run in any case.
    """
    left: list[Any] = []
    tb = error.__traceback__
    while tb is not None:
        if tb.tb_frame.f_code is runCallbacks.__code__:
            _recoverFrame(dict(tb.tb_frame.f_locals), left)
        elif tb.tb_frame.f_code is _unwind.__code__:
            names = tb.tb_frame.f_locals
            left += [names["following"]] if names["following"] is not None else []
            left += [names["frame"][0]] if "frame" in names else []
        tb = tb.tb_next
    if deferred is not None:
        left.append(deferred)
    for each in left:
        _goOn(each)


def recoverWaiter(error: BaseException, deferred: Any, kind: Any, index: Any, waiter: Any) -> None:
    """Go on where a firing was interrupted that ran the entry of somebody who waits alone."""
    if kind is CONTINUE:
        if waiter._state is deferred or waiter.paused:
            _handOn(deferred, waiter)
        left = waiter
    elif kind is COLLECT:
        left = waiter if waiter.called else None
        if not waiter.called:
            waiter._fire(Failure.fromException(error))
    else:
        left = waiter._interrupted(error)
    if deferred._state is RUNNING:
        deferred._state = None
    recover(error, left)
    _goOn(deferred)


def _goOn(deferred: Any) -> None:
    if deferred.called and deferred._state is None and not deferred.paused:
        runCallbacks(deferred, deferred.result)


def _handOn(inner: Any, outer: Any) -> None:
    outer.result = inner.result
    outer.paused -= 1
    outer._state = None
    inner.result = None


def _recoverFrame(names: dict[str, Any], left: list[Any]) -> None:
    """Bring what one run was doing to where the next one can go on, and note whom to run."""
    current: Any = names["current"]
    if current is None:
        return  # it was through
    for deferred, wasRunning, result in names.get("stack") or ():
        if wasRunning and deferred._state is RUNNING:
            deferred._state = None
            deferred.result = result
        left.append(deferred)
    if current._state is RUNNING:
        current._state = None
    entries = names.get("entries")
    if type(entries) is list and current._callbacks is entries:
        del entries[: names.get("done", 0)]
        if not entries:
            current._callbacks = None
    kind, following, inner = names.get("callback"), names.get("following"), names.get("inner")
    if kind is CONTINUE and following is not None and following._state is current:
        _handOn(current, following)
    elif kind is RESUME and following is not None:
        current.result = None  # the coroutine has taken it
    if inner is not None and current.result is inner and issubclass(type(inner), DeferredFields):
        _waitFor(current, inner)
    left.append(current)
    if following is not None and (kind is CONTINUE or kind is RESUME or kind is KEEP):
        left.append(following)


def _waitFor(outer: Any, inner: Any) -> None:
    """Have a Deferred wait for the one that it has for a result, if it does not already."""
    if outer._state is not inner:
        chain(outer, inner)
        return
    entries = inner._callbacks
    listed = entries if type(entries) is list else [] if entries is None else [entries]
    if not any(type(entry) is tuple and entry[2] is outer for entry in listed):
        entry = (CONTINUE, CONTINUE, outer)
        inner._callbacks = [*listed, entry]
