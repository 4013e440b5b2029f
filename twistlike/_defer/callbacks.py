"""The loop that runs callbacks. Thread: whichever fires the Deferred.

How it works
------------
A Deferred keeps a list of entries `(callback, errback, extra)`. For a plain callback `extra` is
None, or the arguments. Four kinds of entries are not calls of somebody's function:

- `(CONTINUE, CONTINUE, deferred)`: a callback of that Deferred returned this one. It takes over
  the result, and this one is left with None.
- `(RESUME, RESUME, coroutine)`: a Deferred coroutine waits here. It takes the result, too.
- `(KEEP, KEEP, waiter)`: a task waits here. It leaves a result to those who come after, and an
  error to others that wait; callbacks get None for the error, as behind a coroutine.
- `(COLLECT, index, collector)`: a `DeferredList` or a race notes the result of that index.

Mostly a coroutine, a task, a `DeferredList` or another Deferred is the only one that waits. Then
its entry stands in the place of the list, the waiter itself or `CONTINUES` in `_state`, and `fire`
runs the entry without the loop. A list's entry is only the index then, as lists have many parts.

`fire` is `Deferred.callback`. It also goes on with one that has fired before (`AGAIN`). What an
entry sets going (a Deferred that continues, a coroutine that ended and so fired its own Deferred)
comes back to the same loop, which keeps those that it has not finished on a stack of its own. So a
chain of any length runs at once and without recursion.

A callback may also fire another Deferred itself: that run is inside of this one. See `nesting`.

Threads
-------
A Deferred that something on an asyncio loop waits for may only be fired in that loop's thread. The
waiter stands in `_state` (of the Deferred that is still to fire), and its `thread` says which that
is. `bindThread` hands this on to what will fire the Deferred: the end of a chain, the source of
`chainDeferred`, the parts of a list.
"""

# pyright: reportPossiblyUnboundVariable=false, reportOptionalMemberAccess=false
# In fire, where each name costs, "following" and "inner" are set where they are read.
from __future__ import annotations

from _thread import get_ident
from types import MappingProxyType, MethodType, NoneType
from typing import TYPE_CHECKING, Any

from twistlike._base.failure import Failure
from twistlike._defer.debug import DebugInfo
from twistlike._defer.fields import DeferredFields
from twistlike._defer.mistakes import explain, warnSelf

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from twistlike._defer.deferred import Deferred

    # What fire has not finished: the Deferred, whether it counts as running, and then its
    # result.
    _Frame = tuple[Deferred[Any], bool, Any]

__all__ = [
    "AGAIN",
    "COLLECT",
    "CONTINUE",
    "KEEP",
    "NEAR",
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
    "fire",
    "listed",
    "markTaken",
    "nesting",
    "removeEntry",
    "setMostNested",
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
PENDING = _Marker("PENDING")  # in fire: the result is a Deferred that is to be waited for
CONTINUES = _Marker("CONTINUES")  # in Deferred._state: another one is alone to take over the result
RUNNING = _Marker("RUNNING")  # in Deferred._state: its callbacks are being run
AGAIN = _Marker("AGAIN")  # as the result given to `fire`: it has fired, go on with its callbacks

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
        for entry in listed(outer):
            if type(entry) is tuple and _bindFor(entry, inner):
                break
    entry = (CONTINUE, CONTINUE, outer)
    if inner._callbacks is None:
        inner._callbacks = [entry]
    else:
        listed(inner).append(entry)


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


def listed(deferred: DeferredFields[Any]) -> list[Any]:
    """Return the entries of a Deferred that has some, as the list that it has from now on.

    Whatever changes the `_state` of a Deferred with an entry that is a number calls this before.
    """
    callbacks = deferred._callbacks
    if type(callbacks) is tuple:
        callbacks = deferred._callbacks = [callbacks]
    elif type(callbacks) is int:
        callbacks = deferred._callbacks = [(COLLECT, callbacks, deferred._state)]
    entries: list[Any] = callbacks
    return entries


def addWaiter(deferred: Deferred[Any], entry: Any) -> None:
    """Add the entry of a waiter to a Deferred that has no result for it yet."""
    if deferred._callbacks is None:
        deferred._callbacks = entry
    else:
        callbacks = listed(deferred)
        last = callbacks[-1] if callbacks else None
        if type(last) is tuple and last[0] is RESUME:
            # Two that wait in a row both get the outcome. (In Twisted the second gets None.)
            callbacks[-1] = (KEEP, KEEP, last[2])
        callbacks.append(entry)
    if entry[2].thread is not None:
        bindThread(deferred, entry[2])


def markTaken(deferred: DeferredFields[Any]) -> None:
    """Note that a task has got the error that a fired Deferred keeps, if it is one.

    Others that wait get it, too; callbacks get None; nobody needs a report.
    """
    if issubclass(type(deferred.result), Failure):
        if deferred._debugInfo is None:
            deferred._debugInfo = DebugInfo()
        deferred._debugInfo.failResult = None
        deferred._debugInfo.taken = True


def removeEntry(deferred: Deferred[Any], target: Any) -> None:
    """Remove the entry of a waiter, or of a Deferred that continues, if it is there."""
    entries = deferred._callbacks
    if type(entries) is tuple:
        if entries[2] is target:
            deferred._callbacks = None
    elif type(entries) is int:
        if deferred._state is target:
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
                if type(deferred._callbacks) is int:
                    listed(deferred)
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

NEAR = 8
"""From this many nested runs on, the stack is looked at; again after as many more."""

# From how many nested runs on a firing takes the longer way. In debug mode each does, to be noted:
# one comparison is enough for both.
_mostNested = NEAR


def setMostNested(most: int) -> None:
    """Set from how many nested runs on a firing takes the longer way."""
    global _mostNested
    _mostNested = most


def _unwind(stack: list[_Frame] | None, following: Deferred[Any] | None) -> _Frame | None:
    """Return what `fire` runs next, if it cannot simply run what comes next."""
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


def fire(self: Any, result: Any) -> None:
    """Fire: have the callbacks called, now, with the result.

    Raises:
        AlreadyCalledError: it has fired.
        WrongThreadError: something on an asyncio loop in another thread waits for it.
    """
    # This is Deferred.callback, and where the time goes. So it is one function, as a call costs
    # half as much as a callback, and `self` is the Deferred whose callbacks run: others follow.
    depth = nesting[0]
    callback: Any
    entries: Any
    following: Any
    inner: Any
    if not self.called:
        if self._state is not None:
            # _checkThread, without the call: what a coroutine or a task awaits comes here.
            if self._state.thread is not None and self._state.thread != get_ident():
                self._checkThread()
            entries = self._callbacks
            if type(entries) is tuple and depth < _mostNested and not self.paused:
                # What the loop below does, for a waiter alone, at half of its cost.
                callback, errback, extra = entries
                self._callbacks = None
                self.called = True
                self._canceller = None
                if callback is not CONTINUE:
                    self.result = result
                    self._state = RUNNING
                    nesting[0] = depth + 1
                    try:
                        following = extra._resume(result)
                    except BaseException as error:
                        following = None
                        callback = KEEP  # and reported below
                        self._callbacks = self._callbacks or []
                        self.result = _failureOf(error)
                    nesting[0] = depth
                    if callback is RESUME:
                        self.result = None
                    elif type(self.result) not in NON_DEFERRED_TYPES and self.result is result:
                        markTaken(self)
                    if following is not None and not following.paused:
                        fire(following, AGAIN)
                    self._state = None
                    if self._callbacks is not None:
                        fire(self, AGAIN)
                    del self, result, entries, extra, following  # see the end
                    return
                # A Deferred that has fired before goes on with this result.
                self.result = self._state = None
                self = extra
                self.paused -= 1
            elif type(entries) is int:
                if depth < _mostNested and not self.paused:
                    # The same for a list alone.
                    extra = self._state
                    self._callbacks = self._canceller = None
                    self.called = True
                    self.result = result
                    self._state = RUNNING
                    failed = type(result) not in NON_DEFERRED_TYPES and issubclass(
                        type(result), Failure
                    )
                    try:
                        noted = extra._collect(result, entries, failed)
                    except BaseException as error:
                        failed, noted = True, False
                        self.result = _failureOf(error)
                    if noted and noted is not KEEP:
                        self.result = None
                    self._state = None
                    if self._callbacks is not None or (failed and not noted):
                        fire(self, AGAIN)  # it sees to it that an error is reported
                    del self, result, extra  # see the end
                    return
                listed(self)
            self._state = None
        self.called = True
        self._canceller = None
        self.result = result
        if depth >= _mostNested:
            self._fireNested()
            return
        if self.paused or (self._callbacks is None and type(result) in NON_DEFERRED_TYPES):
            return
    elif result is AGAIN:
        if depth >= NEAR:
            self._runNested()
            return
        result = self.result
    else:
        self._firedAgain()
        return
    nesting[0] = depth + 1
    stack: list[_Frame] | None
    taken: Any  # an error that a waiter has got: not to be reported, and None for callbacks
    quiet: Any  # an error that is not to be reported
    stack = taken = quiet = None
    # raised: whether an exception may know this frame
    raised = failed = False
    if type(result) not in NON_DEFERRED_TYPES:
        failed = issubclass(type(result), Failure)
        if failed and self._debugInfo is not None and self._debugInfo.taken:
            taken = result
    self._state = RUNNING
    while True:
        entries = self._callbacks
        if type(entries) is not list:
            entries = () if entries is None else listed(self)
        done = 0  # how many of them have run
        for entry in entries:
            done += 1
            try:
                if type(entry) is not tuple:
                    if failed:
                        if result is not taken:
                            continue
                        result = None
                        failed = False
                    result = self.result = entry(result)
                    if type(result) in NON_DEFERRED_TYPES:
                        continue
                else:
                    callback, errback, extra = entry
                    if callback is RESUME:
                        following = extra._resume(result)
                        if following is not None:
                            break
                        result = self.result = None
                        failed = False
                        continue
                    if extra is None:
                        if failed:
                            if result is taken:
                                result = self.result = None
                                failed = False
                            else:
                                callback = errback
                        if callback is PASS:
                            continue
                        result = self.result = callback(result)
                    elif type(extra) is tuple:
                        if failed:
                            if result is taken:
                                result = self.result = None
                                failed = False
                            else:
                                callback = errback
                        if callback is PASS:
                            continue
                        extra = extra[failed]
                        result = self.result = callback(result, *extra[0], **extra[1])
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
                                quiet = result
                            elif noted:
                                result = self.result = None
                                failed = False
                        continue
                    if type(result) in NON_DEFERRED_TYPES:
                        failed = False
                        continue
            except BaseException as error:
                if type(error) is TypeError:
                    error = explain(error, self, entry, failed)
                result = self.result = _failureOf(error)
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
                    if result is self:
                        result = warnSelf(entry, failed, result)
                        if result is not self:
                            self.result = result
                            failed = True
                            continue
                    callback = PENDING
                    break
                else:
                    failed = issubclass(type(result), Failure)
                self.result = result
                inner.result = None
                if inner._debugInfo is not None:
                    inner._debugInfo.failResult = None
                continue
            failed = issubclass(type(result), Failure)
        else:
            # All have run. An error that is left is reported if nobody comes for it.
            self._callbacks = self._state = None
            if not failed:
                if self._debugInfo is not None:
                    self._debugInfo.failResult = None
                    self._debugInfo.taken = False
                if stack is None:
                    nesting[0] = depth
                    return
            elif result is taken:
                markTaken(self)
            elif result is not quiet:
                if self._debugInfo is None:
                    self._debugInfo = DebugInfo()
                self._debugInfo.failResult = result  # pyright: ignore[reportAttributeAccessIssue]
                self._debugInfo.taken = False
            if not stack:
                break
            if stack[-1][1]:
                self, _, result = stack.pop()
                self.result = taken = result
                failed = type(result) not in NON_DEFERRED_TYPES and issubclass(
                    type(result), Failure
                )
                continue
            callback = following = None

        if callback is not None:
            if done == len(entries):
                self._callbacks = None
            else:
                del entries[:done]
            if callback is CONTINUE:
                following.result = result
                following.paused -= 1
                following._state = None
                self.result = self._state = None
                if self._debugInfo is not None:
                    self._debugInfo.failResult = None
                if self._callbacks is not None:
                    if stack is None:
                        stack = []
                    stack.append((self, False, None))
                if not following.paused:
                    self = following
                    self._state = RUNNING
                    taken = None
                    continue
            elif callback is PENDING:
                if self._debugInfo is not None:
                    self._debugInfo.failResult = None
                    self._debugInfo.taken = False
                if self._callbacks is None and self is not inner:
                    self.paused += 1
                    self._state = inner
                    if inner._callbacks is not None:
                        listed(inner).append((CONTINUE, CONTINUE, self))
                    elif inner.called:
                        inner._callbacks = [(CONTINUE, CONTINUE, self)]
                    else:
                        inner._callbacks = (CONTINUE, CONTINUE, self)
                        if inner._state is None:
                            inner._state = CONTINUES
                else:
                    chain(self, inner)
                if not stack:
                    if raised:
                        break
                    nesting[0] = depth
                    return
                following = None
            else:
                if stack is None:
                    stack = []
                stack.append((self, True, None if callback is RESUME else result))

        if following is None or following.paused:
            frame = _unwind(stack, following)
            if frame is None:
                break
            self = frame[0]
            if frame[1]:
                self.result = taken = frame[2]
        else:
            self = following
            taken = None
        result = self.result
        failed = type(result) not in NON_DEFERRED_TYPES and issubclass(type(result), Failure)
        self._state = RUNNING
    nesting[0] = depth
    # The frames in an exception's traceback hold their callers' frames, and so this one with its
    # variables. None of them may lead back to a Deferred that holds the exception.
    entries = entry = extra = self = following = inner = result = None
    taken = quiet = frame = stack = None


fire.__name__, fire.__qualname__ = "callback", "Deferred.callback"  # as users know it
