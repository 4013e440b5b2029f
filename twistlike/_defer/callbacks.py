"""The loop that runs callbacks. Thread: whichever fires the Deferred.

How it works
------------
A Deferred keeps a list of entries `(callback, errback, extra)`. For a plain callback `extra` is
None, or the arguments. Four kinds of entries are not calls of somebody's function:

- `(CONTINUE, CONTINUE, deferred)`: a callback of that Deferred returned this one. It takes over
  the result, and this one is left with None.
- `(RESUME, RESUME, coroutine)`: a Deferred coroutine waits here. It takes the result, too.
- `(KEEP, KEEP, waiter)`: a task waits here, and leaves the result to those who come after.
- `(COLLECT, index, collector)`: a `DeferredList` or a race notes the result of that index.

Mostly a coroutine, a task, a `DeferredList` or another Deferred is the only one that waits. Then
its entry stands in the place of the list, the waiter itself or `CONTINUES` in `_state`, and
`Deferred.callback` runs the entry without the loop.

`runCallbacks` runs a fired Deferred's entries. What an entry sets going (a Deferred that continues,
a coroutine that ended and so fired its own Deferred) comes back to the same loop, which keeps those
that it has not finished on a stack of its own. So a chain of any length runs at once and without
recursion.

A callback may also fire another Deferred itself: that run is inside of this one. See `nesting`.

Threads
-------
A Deferred that something on an asyncio loop waits for may only be fired in that loop's thread. The
waiter stands in `_state` (of the Deferred that is still to fire), and its `thread` says which that
is. `bindThread` hands this on to what will fire the Deferred: the end of a chain, the source of
`chainDeferred`, the parts of a list.
"""

# pyright: reportPossiblyUnboundVariable=false
# In runCallbacks, where each name costs, "following" and "inner" are set where they are read.
from __future__ import annotations

from types import MappingProxyType, MethodType, NoneType
from typing import TYPE_CHECKING, Any

from twistlike._base.failure import Failure
from twistlike._base.reflect import safe_repr
from twistlike._defer.debug import DebugInfo
from twistlike._defer.fields import DeferredFields

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from twistlike._defer.deferred import Deferred

    # What runCallbacks has not finished: the Deferred, whether it counts as running, and then its
    # result.
    _Frame = tuple[Deferred[Any], bool, Any]

__all__ = [
    "COLLECT",
    "CONTINUE",
    "KEEP",
    "NON_DEFERRED_TYPES",
    "NO_KEYWORDS",
    "PASS",
    "RESUME",
    "RUNNING",
    "ChainSource",
    "addWaiter",
    "bindThread",
    "chain",
    "chainEnd",
    "collectOne",
    "handOn",
    "nesting",
    "removeEntry",
    "runCallbacks",
]


class _Marker:
    """Something to compare with `is`; its name is what a debugger shows."""

    __slots__ = ("name",)

    thread = None  # as the `_state` of a Deferred, it allows any to fire it

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
CONTINUES = _Marker("CONTINUES")  # in Deferred._state: another one is alone to take over the result
RUNNING = _Marker("RUNNING")  # in Deferred._state: runCallbacks is at it

# Looked up once: an attribute that is a class's method is made anew each time.
_failureOf = Failure.fromException

NO_KEYWORDS: Mapping[str, Any] = MappingProxyType({})

# What most results are made of. One look into a set is cheaper than two calls of isinstance (15 ns
# against 60), for each callback that runs.
NON_DEFERRED_TYPES = frozenset((NoneType, bool, int, float, str, bytes, list, tuple, dict, set))


class ChainSource:
    """Says of a Deferred that it was given to another's `Deferred.chainDeferred`.

    Attributes:
        source: The Deferred that is to fire it.
        before: What stood in its `_state`.
    """

    __slots__ = ("before", "source")

    thread = None  # waiters on a loop have one

    def __init__(self, source: DeferredFields[Any], before: Any) -> None:
        self.source = source
        self.before = before

    def bind(self, target: DeferredFields[Any], waiter: Any) -> Iterable[DeferredFields[Any]]:
        """Return the Deferreds that fire `target`, for which `waiter` waits now."""
        if hasattr(self.before, "bind"):
            return [self.source, *self.before.bind(target, waiter)]
        return [self.source]


def chain(outer: Deferred[Any], inner: Deferred[Any]) -> None:
    """Let a fired Deferred, whose result is another one, wait for that one's result."""
    outer.result = inner
    outer.paused += 1
    outer._state = inner
    if outer._callbacks is not None:
        for entry in _listed(outer):
            if type(entry) is tuple and _bindFor(entry, inner):
                break
    entry = (CONTINUE, CONTINUE, outer)
    if inner._callbacks is None:
        inner._callbacks = [entry]
    else:
        _listed(inner).append(entry)


def _bindFor(entry: Any, inner: Deferred[Any]) -> bool:
    """Bind a Deferred to the thread of the waiter behind an entry, if it has one."""
    kind = entry[0]
    if kind is KEEP or kind is RESUME:
        waiter = entry[2]
    elif kind is COLLECT:
        entry[2]._addSource(inner)
        return False
    elif type(kind) is MethodType and issubclass(type(kind.__self__), DeferredFields):
        target: Any = kind.__self__  # chainDeferred's
        waiter = target._state
        if target.called or waiter is None:
            return False
    else:
        return False
    if waiter.thread is None:
        return False
    bindThread(inner, waiter)
    return True


def _listed(deferred: DeferredFields[Any]) -> list[Any]:
    """Return the entries of a Deferred that has some, as the list that it has from now on."""
    callbacks = deferred._callbacks
    if type(callbacks) is tuple:
        callbacks = deferred._callbacks = [callbacks]
    entries: list[Any] = callbacks
    return entries


def addWaiter(deferred: Deferred[Any], entry: Any) -> None:
    """Add the entry of a waiter to a Deferred that has no result for it yet."""
    if deferred._callbacks is None:
        deferred._callbacks = entry
    else:
        callbacks = _listed(deferred)
        last = callbacks[-1] if callbacks else None
        if type(last) is tuple and last[0] is RESUME:
            # Two that wait in a row both get the outcome. (In Twisted the second gets None.)
            callbacks[-1] = (KEEP, KEEP, last[2])
        callbacks.append(entry)
    if entry[2].thread is not None:
        bindThread(deferred, entry[2])


def removeEntry(deferred: Deferred[Any], target: Any) -> None:
    """Remove the entry of a waiter, or of a Deferred that continues, if it is there."""
    entries = deferred._callbacks
    if type(entries) is tuple:
        if entries[2] is target:
            deferred._callbacks = None
    elif entries is not None:
        for index, entry in enumerate(entries):
            if type(entry) is tuple and entry[2] is target:
                del entries[index]
                return


def chainEnd(deferred: DeferredFields[Any]) -> tuple[DeferredFields[Any], bool]:
    """Follow the results that are Deferreds.

    Returns:
        the last one, and False; or one in a circle of Deferreds that wait for each other, and True.
    """
    landmark, steps, limit = deferred, 0, 2
    while deferred.called:
        inner: Any = deferred.result if deferred.paused else None
        if not issubclass(type(inner), DeferredFields):
            break
        if inner is landmark:
            return inner, True
        deferred = inner
        steps += 1
        if steps == limit:  # a circle is found within twice its length
            landmark = deferred
            limit *= 2
    return deferred, False


def bindThread(deferred: DeferredFields[Any], waiter: Any) -> None:
    """Let nothing fire a Deferred, or what it waits for, in another thread than the waiter's."""
    todo: list[DeferredFields[Any]] = []
    while True:
        deferred, _ = chainEnd(deferred)
        if not deferred.called:
            before = deferred._state
            if before is None:
                deferred._state = waiter
            elif before.thread is None:
                deferred._state = waiter
                if hasattr(before, "bind"):
                    todo.extend(before.bind(deferred, waiter))
        if not todo:
            return
        deferred = todo.pop()


# How many runs of callbacks are inside of each other. One number for all threads, as a place for
# each would cost 60 ns for each run, and one that an exception leaves too high: it is a hint, which
# runNested corrects.
nesting = [0]


def handOn(current: Deferred[Any], result: Any, outer: Deferred[Any]) -> None:
    """Run the only entry of a Deferred that has fired: that of one that takes the result over."""
    current.result = current._state = None
    outer.result = result
    outer.paused -= 1
    outer._state = None
    if not outer.paused and (
        outer._callbacks is not None or type(result) not in NON_DEFERRED_TYPES
    ):
        runCallbacks(outer, result)
    del current, result, outer  # see the end of runCallbacks


def collectOne(current: Deferred[Any], result: Any, index: int, collector: Any) -> None:
    """Run the only entry of a Deferred that has fired: that of a collector."""
    failed = type(result) not in NON_DEFERRED_TYPES and issubclass(type(result), Failure)
    try:
        noted = collector._collect(result, index, failed)
    except BaseException as error:
        failed, noted = True, False
        _interrupted(error, COLLECT, collector)
        current.result = _failureOf(error)
    if noted and noted is not KEEP:
        current.result = None
    current._state = None
    if current._callbacks is not None or (failed and not noted):
        runCallbacks(current, current.result)  # it sees to it that an error is reported
    del current, result, collector  # see the end of runCallbacks


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
        frame = stack[-1]
        del stack[-1]
        if frame[1]:
            return frame
        # One that was left while it was not running. Something may have run it since.
        following = frame[0] if frame[0]._callbacks is not None else None


def runCallbacks(current: Any, result: Any) -> None:
    """Run the callbacks of a Deferred that has fired and is neither paused nor running.

    This is where the time goes, so it is one function: a call costs as much as half a callback.
    """
    stack: list[_Frame] | None
    taken: Any  # an error that somebody who waits has got: not to be reported
    stack = taken = None
    # raised: whether an exception may know this frame
    raised = failed = False
    if type(result) not in NON_DEFERRED_TYPES:
        failed = issubclass(type(result), Failure)
    current._state = RUNNING
    callback: Any
    following: Any
    inner: Any
    outer: Any
    while True:
        done = 0  # how many entries have run
        entries: Any = current._callbacks
        if type(entries) is not list:
            entries = () if entries is None else _listed(current)
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
                        else:
                            noted = extra._collect(result, errback, failed)
                            if noted is KEEP:
                                taken = result
                            elif noted:
                                result = current.result = None
                                failed = False
                        continue
                    if type(result) in NON_DEFERRED_TYPES:
                        failed = False
                        continue
            except BaseException as error:
                if type(error) is TypeError:
                    error = _explain(error, current, entry, failed)
                if type(entry) is tuple and entry[0] in _WAITERS:
                    callback, errback, extra = entry
                    following = _interrupted(error, callback, extra)
                    if following is not None:
                        result = current.result = _failureOf(error)
                        break
                result = current.result = _failureOf(error)
                failed = raised = True
                continue
            # Of the class: an object's own answer may be anybody's code.
            if issubclass(type(result), DeferredFields):
                inner = result
                if not inner.called or inner.paused:
                    callback = PENDING
                    break
                result = inner.result
                if type(result) in NON_DEFERRED_TYPES:  # two calls of isinstance less
                    failed = False
                elif issubclass(type(result), DeferredFields):
                    if result is current:
                        result = _warnSelf(entry, failed, result)
                        if result is not current:
                            current.result = result
                            failed = True
                            continue
                    callback = PENDING
                    break
                else:
                    failed = issubclass(type(result), Failure)
                current.result = result
                inner.result = None
                if inner._debugInfo is not None:
                    inner._debugInfo.failResult = None
                continue
            failed = issubclass(type(result), Failure)
        else:
            # All have run. An error that is left is reported if nobody comes for it.
            current._callbacks = current._state = None
            if not failed:
                if current._debugInfo is not None:
                    current._debugInfo.failResult = None
                if stack is None:
                    return
            elif result is not taken:
                if current._debugInfo is None:
                    current._debugInfo = DebugInfo()
                current._debugInfo.failResult = result  # pyright: ignore[reportAttributeAccessIssue]
            if not stack:
                break
            if stack[-1][1]:
                current, _, result = stack[-1]
                del stack[-1]  # no call: where it returns a signal's exception may come
                current.result = taken = result
                failed = type(result) not in NON_DEFERRED_TYPES and issubclass(
                    type(result), Failure
                )
                continue
            callback = following = None

        if callback is not None:
            if done == len(entries):
                current._callbacks = None
            else:
                del entries[:done]
                done = 0
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
                    if inner._callbacks is not None:
                        _listed(inner).append((CONTINUE, CONTINUE, current))
                    elif inner.called:
                        inner._callbacks = [(CONTINUE, CONTINUE, current)]
                    else:
                        inner._callbacks = (CONTINUE, CONTINUE, current)
                        if inner._state is None:
                            inner._state = CONTINUES
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
        failed = type(result) not in NON_DEFERRED_TYPES and issubclass(type(result), Failure)
        current._state = RUNNING
    # The frames in an exception's traceback hold their callers' frames, and so this one with its
    # variables. None of them may lead back to a Deferred that holds the exception.
    entries = entry = extra = current = following = outer = inner = result = None
    taken = frame = stack = None


_WAITERS = (CONTINUE, RESUME, KEEP, COLLECT)


def _interrupted(error: BaseException, kind: Any, waiter: Any) -> Any:
    """Let somebody who waits fail, as a signal's exception came in the middle of telling him.

    Returns:
        what `_resume` would.
    """
    if kind is CONTINUE:
        return waiter
    if kind is not COLLECT:
        return waiter._interrupted(error)
    if not waiter.called:
        waiter._fire(Failure.fromException(error))
    return None


def _explain(
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
