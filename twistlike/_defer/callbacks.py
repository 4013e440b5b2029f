"""The loop that runs callbacks. Thread: whichever fires the Deferred.

How it works
------------
A Deferred keeps a list of entries `(callback, errback, extra)`. For a plain callback `extra` is
None, or the arguments. Four kinds of entries are not calls of somebody's function:

- `(CONTINUE, CONTINUE, deferred)`: a callback of that Deferred returned this one. It takes over
  the result, and this one is left with None.
- `(RESUME, RESUME, coroutine)`: a Deferred coroutine waits here. It takes the result, too.
- `(KEEP, KEEP, waiter)`: somebody waits here, and leaves the result to those who come after.
- `(COLLECT, index, list)`: a `DeferredList` notes the result as the one at that index.

Mostly a coroutine, a task or a `DeferredList` that waits is the only one who wants to know. Then
its entry stands in the place of the list, itself in `_state`, and `resume` runs the entry.

`runCallbacks` runs a fired Deferred's entries. What an entry sets going (a Deferred that continues,
a coroutine that ended and so fired its own Deferred) comes back to the same loop, which keeps those
that it has not finished on a stack of its own. So a chain of any length runs at once and without
recursion.
"""

# pyright: reportPossiblyUnboundVariable=false
# In runCallbacks, where each name costs, "following" and "inner" are set where they are read.
from __future__ import annotations

from types import MappingProxyType, NoneType
from typing import TYPE_CHECKING, Any

from twistlike._base.failure import Failure
from twistlike._defer.base import DeferredBase
from twistlike._defer.debug import DebugInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twistlike._defer.deferred import Deferred

    # What runCallbacks has not finished: the Deferred, whether it counts as running, and then its
    # result.
    _Frame = tuple[Deferred[Any], bool, Any]

__all__ = [
    "COLLECT",
    "KEEP",
    "NON_DEFERRED_TYPES",
    "NO_KEYWORDS",
    "PASS",
    "RESUME",
    "RUNNING",
    "addWaiter",
    "bindThread",
    "chain",
    "resume",
    "runCallbacks",
    "runIfReady",
]


class _Marker:
    """Something to compare with `is`; its name is what a debugger shows."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<{self.name}>"


PASS = _Marker("PASS")  # in an entry: nothing to call for this kind of result
COLLECT = _Marker("COLLECT")
CONTINUE = _Marker("CONTINUE")
RESUME = _Marker("RESUME")
KEEP = _Marker("KEEP")
PENDING = _Marker("PENDING")  # in runCallbacks: the result is a Deferred that is to be waited for
RUNNING = _Marker("RUNNING")  # in Deferred._state: runCallbacks is at it

# Looked up once: an attribute that is a class's method is made anew each time.
_failureOf = Failure.fromException

NO_KEYWORDS: Mapping[str, Any] = MappingProxyType({})

# What most results are made of. One look into a set is cheaper than two calls of isinstance (15 ns
# against 60), for each callback that runs.
NON_DEFERRED_TYPES = frozenset((NoneType, bool, int, float, str, bytes, list, tuple, dict, set))


def chain(outer: Deferred[Any], inner: Deferred[Any]) -> None:
    """Let a fired Deferred, whose result is another one, wait for that one's result."""
    outer.result = inner
    outer.paused += 1
    outer._state = inner
    if outer._callbacks is not None:
        for entry in _listed(outer):
            waits = type(entry) is tuple and (entry[0] is KEEP or entry[0] is RESUME)
            if waits and entry[2].thread is not None:
                bindThread(inner, entry[2])
                break
    entry = (CONTINUE, CONTINUE, outer)
    if inner._callbacks is None:
        inner._callbacks = [entry]
    else:
        _listed(inner).append(entry)


def _listed(deferred: DeferredBase[Any]) -> list[Any]:
    """Return the entries of a Deferred that has some, as the list that it has from now on."""
    callbacks = deferred._callbacks
    if type(callbacks) is tuple:
        callbacks = deferred._callbacks = [callbacks]
    entries: list[Any] = callbacks
    return entries


def addWaiter(deferred: Deferred[Any], entry: Any) -> None:
    """Add the entry of somebody who waits for a Deferred that has no result for them yet."""
    if deferred._callbacks is None:
        deferred._callbacks = entry
    else:
        callbacks = _listed(deferred)
        last = callbacks[-1]
        if type(last) is tuple and last[0] is RESUME:
            # Two that wait in a row both get the outcome. (In Twisted the second gets None.)
            callbacks[-1] = (KEEP, KEEP, last[2])
        callbacks.append(entry)
    if entry[2].thread is not None:
        bindThread(deferred, entry[2])


def bindThread(deferred: DeferredBase[Any], waiter: Any) -> None:
    """Let nothing fire a Deferred, or what it waits for, in another thread than the waiter's."""
    while deferred.called:
        state = deferred._state
        if not isinstance(state, DeferredBase) or state is deferred:
            return
        deferred = state
    if deferred._state is None or deferred._state.thread is None:
        deferred._state = waiter


def runIfReady(deferred: Deferred[Any]) -> None:
    """Run the callbacks of a fired Deferred, unless something keeps them from it."""
    if deferred.called and deferred._state is None and not deferred.paused:
        runCallbacks(deferred, deferred.result)


def resume(current: Deferred[Any], result: Any) -> None:
    """Run the only entry of a Deferred that has fired: that of somebody who waits.

    What `runCallbacks` does, for the most frequent case, at half of its cost.
    """
    kind, index, waiter = current._callbacks
    current._callbacks = None
    current._state = RUNNING
    try:
        if kind is COLLECT:
            following = None
            failed = type(result) not in NON_DEFERRED_TYPES and isinstance(result, Failure)
            if waiter._collect(result, index, failed):
                current.result = None
            elif failed:
                kind = None  # runCallbacks sees to it that it is reported
        else:
            following = waiter._resume(result)
    except BaseException as error:
        kind = following = None
        current.result = _failureOf(error)
    if following is not None and not following.paused:
        runCallbacks(following, following.result)
    if kind is RESUME:
        current.result = None
    current._state = None
    if current._callbacks is not None or kind is None:
        runCallbacks(current, current.result)
    del current, result, waiter, following  # see the end of runCallbacks


def _unwind(stack: list[_Frame] | None, following: Deferred[Any] | None) -> _Frame | None:
    """Return what `runCallbacks` runs next, if it cannot simply run what comes next."""
    while True:
        if following is not None:
            if following.paused:
                # As in Twisted, one that is paused stops those behind it, too: they go on when
                # somebody adds a callback to them.
                while stack and not stack[-1][1]:
                    stack.pop()
            else:
                return following, False, None
        if not stack:
            return None
        frame = stack.pop()
        if frame[1]:
            return frame
        # One that was left while it was not running. Something may have run it since.
        following = frame[0] if frame[0]._callbacks is not None else None


def runCallbacks(current: Any, result: Any) -> None:
    """Run the callbacks of a Deferred that has fired and is neither paused nor running.

    This is where the time goes, so it is one function: a call costs as much as half a callback.
    """
    stack: list[_Frame] | None = None
    taken: Any = None  # an error that somebody who waits has got: not to be reported
    raised = False  # whether an exception may know this frame
    failed = type(result) not in NON_DEFERRED_TYPES and isinstance(result, Failure)
    current._state = RUNNING
    callback: Any
    following: Any
    inner: Any
    outer: Any
    while True:
        entries: Any = current._callbacks
        if type(entries) is not list:
            entries = () if entries is None else _listed(current)
        done = 0  # how many of them have run
        for entry in entries:
            done += 1
            try:
                if type(entry) is not tuple:
                    if failed:
                        continue
                    result = current.result = entry(result)
                    if type(result) in NON_DEFERRED_TYPES:
                        continue
                else:
                    callback, errback, extra = entry
                    if callback is RESUME:
                        following = extra._resume(result)
                        if following is not None:
                            break
                        result = current.result = None
                        failed = False
                        continue
                    if extra is None:
                        function = errback if failed else callback
                        if function is PASS:
                            continue
                        result = current.result = function(result)
                    elif type(extra) is tuple:
                        function = errback if failed else callback
                        if function is PASS:
                            continue
                        args, keywords = extra[failed]
                        result = current.result = function(result, *args, **keywords)
                    else:
                        if callback is CONTINUE:
                            following = extra
                            break
                        elif callback is KEEP:
                            following = extra._resume(result)
                            if following is not None:
                                break
                            taken = result
                        elif extra._collect(result, errback, failed):
                            result = current.result = None
                            failed = False
                        continue
                    if type(result) in NON_DEFERRED_TYPES:
                        failed = False
                        continue
            except BaseException as error:
                result = current.result = _failureOf(error)
                failed = raised = True
                continue
            if isinstance(result, DeferredBase):
                inner = result
                if not inner.called or inner.paused:
                    callback = PENDING
                    break
                result = inner.result
                if type(result) in NON_DEFERRED_TYPES:  # two calls of isinstance less
                    failed = False
                elif isinstance(result, DeferredBase):
                    if result is current:
                        result = _warnSelf(entry, failed, result)
                        if result is not current:
                            current.result = result
                            failed = True
                            continue
                    callback = PENDING
                    break
                else:
                    failed = isinstance(result, Failure)
                current.result = result
                inner.result = None
                if inner._debugInfo is not None:
                    inner._debugInfo.failResult = None
                continue
            failed = isinstance(result, Failure)
        else:
            # All have run. An error that is left is reported if nobody comes for it.
            current._callbacks = None
            current._state = None
            if failed:
                if result is not taken:
                    if current._debugInfo is None:
                        current._debugInfo = DebugInfo()
                    current._debugInfo.failResult = result  # pyright: ignore[reportAttributeAccessIssue]
            elif current._debugInfo is not None:
                current._debugInfo.failResult = None
            if stack is None:
                if failed:
                    break
                return
            if not stack:
                break
            if stack[-1][1]:
                current, _, result = stack.pop()
                current.result = taken = result
                failed = type(result) not in NON_DEFERRED_TYPES and isinstance(result, Failure)
                continue
            callback = following = None

        if callback is not None:
            if done == len(entries):
                current._callbacks = None
            else:
                del entries[:done]
            if callback is CONTINUE:
                outer = following
                outer.result = result
                outer.paused -= 1
                outer._state = None
                current.result = current._state = None
                if current._debugInfo is not None:
                    current._debugInfo.failResult = None
                if current._callbacks is not None:
                    if stack is None:
                        stack = []
                    stack.append((current, False, None))
                if not outer.paused:
                    current = outer
                    current._state = RUNNING
                    taken = None
                    continue
            elif callback is PENDING:
                if current._debugInfo is not None:
                    current._debugInfo.failResult = None
                if current._callbacks is None and current is not inner:
                    current.paused += 1
                    current._state = inner
                    if inner._callbacks is None:
                        inner._callbacks = [(CONTINUE, CONTINUE, current)]
                    else:
                        _listed(inner).append((CONTINUE, CONTINUE, current))
                else:
                    chain(current, inner)
                if not stack:
                    if raised:
                        break
                    return
                following = None
            else:
                if stack is None:
                    stack = []
                stack.append((current, True, None if callback is RESUME else result))

        if following is None or following.paused:
            frame = _unwind(stack, following)
            if frame is None:
                break
            current = frame[0]
            if frame[1]:
                current.result = taken = frame[2]
        else:
            current = following
            taken = None
        result = current.result
        failed = type(result) not in NON_DEFERRED_TYPES and isinstance(result, Failure)
        current._state = RUNNING
    # The frames in an exception's traceback hold their callers' frames, and so this one with its
    # variables. None of them may lead back to a Deferred that holds the exception.
    entries = entry = extra = current = following = outer = inner = result = None
    taken = frame = stack = None


def _warnSelf(entry: Any, failed: bool, result: Any) -> Any:
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
