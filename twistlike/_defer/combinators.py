"""Several Deferreds as one, and functions whose results become Deferreds. Thread: any."""

from __future__ import annotations

from types import CoroutineType
from typing import TYPE_CHECKING, Any, TypeVar, overload

from twistlike._base.failure import Failure
from twistlike._base.naming import callAs, showAs
from twistlike._base.reflect import safe_repr
from twistlike._defer.callbacks import (
    COLLECT,
    KEEP,
    NON_DEFERRED_TYPES,
    bindThread,
    chainEnd,
    nesting,
)
from twistlike._defer.cancelling import cancelSurely
from twistlike._defer.coroutines import fromAwaitable, start
from twistlike._defer.deferred import Deferred, fail, succeed
from twistlike._defer.errors import CancelledError, FailureGroup, FirstError
from twistlike._defer.futures import isFuture

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Coroutine, Iterable, Sequence
    from typing import ParamSpec

    _P = ParamSpec("_P")

__all__ = [
    "FAILURE",
    "SUCCESS",
    "Collector",
    "DeferredList",
    "execute",
    "gatherResults",
    "maybeDeferred",
    "race",
]

SUCCESS = True
FAILURE = False

_T = TypeVar("_T")

_MISSING: Any = object()  # in the place of a result that has not come


class _ListState:
    """Stands in the `_state` of a `Collector`: its parts will fire it."""

    __slots__ = ()

    thread = None

    def bind(self, target: Any, waiter: Any) -> Iterable[Deferred[Any]]:
        """Let the parts of `target` be fired only in the thread of its waiter.

        Returns:
            those of its parts for which something else waits, too.
        """
        target.thread = waiter.thread
        target.loop = waiter.loop
        others: Iterable[Deferred[Any]] = target._others
        return others


_LIST_STATE = _ListState()


class Collector(Deferred[_T]):
    """A Deferred of what other Deferreds, its parts, come to.

    It is what waits for its parts: `thread` and `loop` say for them where they may be fired.
    """

    __slots__ = ("_others", "_parts", "loop", "thread")

    _parts: Sequence[Deferred[Any]]
    _others: list[Deferred[Any]]
    thread: int | None
    loop: AbstractEventLoop | None

    def _start(self, name: str, deferreds: Iterable[Deferred[Any]]) -> None:
        """Set the fields, all but a Deferred's own."""
        if issubclass(type(deferreds), Deferred):
            raise TypeError(f"{name} takes a list of Deferreds: write {name}([d1, d2])")
        self._parts = list(deferreds)
        self._others = []
        self.thread = self.loop = None

    def _watch(self, name: str) -> None:
        """Add an entry to each part, or note its result."""
        if not self.called:
            self._state = _LIST_STATE
        ours = Deferred.addCallbacks
        known: Any = None  # the class of the one before, if that adds callbacks as ours does
        for index, deferred in enumerate(self._parts):
            if type(deferred) is not known:
                known = type(deferred)
                if getattr(known, "addCallbacks", None) is not ours:
                    self._watchOther(name, deferred, index)
                    known = None
                    continue
            if deferred._callbacks is not None:
                deferred._add((COLLECT, index, self))
                self._addSource(deferred)
            elif not deferred.called:
                if deferred._state is None:
                    deferred._state = self
                    deferred._callbacks = index  # one object less for each
                else:
                    deferred._callbacks = [(COLLECT, index, self)]
                    self._others.append(deferred)
            elif deferred.paused or deferred._state is not None:
                deferred._callbacks = (COLLECT, index, self)
                self._addSource(deferred)
            else:
                self._collectFired(deferred, index)

    def _watchOther(self, name: str, deferred: Any, index: int) -> None:
        """Ask what adds callbacks in its own way: a subclass, or another library's Deferred."""
        if issubclass(type(deferred), CoroutineType) or isFuture(deferred):
            raise TypeError(
                f"{name} takes Deferreds; number {index} is {safe_repr(deferred)}: write"
                f" {'Deferred.fromFuture' if isFuture(deferred) else 'ensureDeferred'}(...)"
            )
        if not hasattr(deferred, "addCallbacks"):
            raise AttributeError(  # as in Twisted
                f"{name} takes Deferreds; number {index} is {safe_repr(deferred)}: write"
                " succeed(...) for a result that is there, maybeDeferred(f, ...) for a call"
            )
        deferred.addCallbacks(
            self._asCallback, self._asCallback, (index, SUCCESS), {}, (index, FAILURE)
        )

    def _addSource(self, deferred: Any) -> None:
        """Let a part, or what a part waits for, be fired where this may be fired only."""
        end, _ = chainEnd(deferred)
        if not end.called:
            if end._state is None:
                end._state = self
            else:
                self._others.append(end)  # type: ignore[arg-type]
                if self.thread is not None:
                    bindThread(end, self)

    def _collectFired(self, deferred: Deferred[Any], index: int) -> None:
        """Do what a callback would do that is added to a Deferred with a result."""
        outcome = deferred.result
        failed = type(outcome) not in NON_DEFERRED_TYPES and issubclass(type(outcome), Failure)
        if self._collect(outcome, index, failed) not in (False, KEEP):
            deferred.result = None
            if deferred._debugInfo is not None:
                deferred._debugInfo.failResult = None

    def _collect(self, result: Any, index: int, failed: bool) -> Any:
        """Note what a part has come to.

        Returns:
            whether it is to be taken away from the part; KEEP: no, but it counts as handled.
        """
        raise NotImplementedError

    def _fire(self, result: Any) -> None:
        """Fire. This is counted here, as `callback` does not count the part's own run."""
        depth = nesting[0]
        nesting[0] = depth + 1
        try:
            self.callback(result)
        finally:
            nesting[0] = depth
            del self, result  # see the end of fire

    def _asCallback(self, result: Any, index: int, succeeded: bool) -> Any:
        """Do what `_collect` does, as a callback."""
        return None if self._collect(result, index, not succeeded) else result

    def _cancelParts(self) -> None:
        """Cancel all parts; an error of a canceller is reported, and its part fails all the same.

        Raises:
            WrongThreadError: a loop in another thread waits for this. Nothing has been cancelled.
        """
        self._checkThread()
        for deferred in self._parts:
            if issubclass(type(deferred), Deferred):
                cancelSurely(deferred)
            else:
                deferred.cancel()


class DeferredList(Collector[list[tuple[bool, Any]]]):
    """What several Deferreds have come to, as a list of (succeeded, result or Failure).

    Each keeps its own result, for the callbacks that are added to it later.

    Attributes:
        resultList: what is known so far; None for those that have not fired.
        finishedCount: how many have.
    """

    __slots__ = ("_cancelled", "_firesOnOne", "consumeErrors", "finishedCount", "resultList")

    fireOnOneCallback: bool = False
    fireOnOneErrback: bool = False

    def __init__(
        self,
        deferredList: Iterable[Deferred[Any]],
        fireOnOneCallback: bool = False,
        fireOnOneErrback: bool = False,
        consumeErrors: bool = False,
    ) -> None:
        """Wait for several Deferreds.

        Args:
            deferredList: the Deferreds.
            fireOnOneCallback: fire with (result, index) as soon as one has a result.
            fireOnOneErrback: fail with `FirstError` as soon as one fails.
            consumeErrors: leave None instead of the error in those that fail, so that it is not
                reported.

        Raises:
            TypeError: it is no list of Deferreds.
        """
        name = type(self)._shownName
        self._start(name, deferredList)
        self.resultList: list[Any] = [None] * len(self._parts)
        self.finishedCount = 0
        self.consumeErrors = consumeErrors
        self._cancelled = False
        super().__init__()
        if fireOnOneCallback:
            self.fireOnOneCallback = True
        if fireOnOneErrback:
            self.fireOnOneErrback = True
        self._firesOnOne = self.fireOnOneCallback  # in a slot, since each result asks for it
        if not self._parts and not fireOnOneCallback:
            self._fire(self.resultList)
        self._watch(name)

    _shownName = "DeferredList"  # in errors

    @property
    def _deferredList(self) -> Sequence[Deferred[Any]]:
        return self._parts  # ported code reads it

    def _collect(self, result: Any, index: int, failed: bool) -> Any:
        results = self.resultList
        results[index] = (not failed, result)
        self.finishedCount = finished = self.finishedCount + 1
        if failed:
            if self.fireOnOneErrback and not self.called:
                self._fire(Failure(FirstError(result, index)))
        elif self._firesOnOne and not self.called:
            first: Any = (result, index)
            self._fire(first)
        if finished == len(results) and not self.called:
            self._fire(results)
        return failed and self._mayDrop(result)

    def _mayDrop(self, failure: Failure) -> Any:
        """Return whether a part's error is to be taken away, or KEEP if only its report is."""
        if self.consumeErrors:
            return True
        # What has been cancelled with the list is no error that somebody forgot.
        return (
            KEEP if self._cancelled and issubclass(type(failure.value), CancelledError) else False
        )

    def _cancelNow(self) -> None:
        """Cancel those that have not fired, if this has not fired.

        An error of a canceller is reported, and its Deferred fails with `CancelledError`. (In
        Twisted that does not fire, and so this may not.)
        """
        if self.called:
            return
        self._checkThread()
        self._cancelled = True
        self._cancelParts()
        if not self._parts and not self.called:
            self._fire(Failure(CancelledError()))  # nothing else will ever fire it


class _Gathered(DeferredList):
    """What `gatherResults` returns: the results as they are, for all have succeeded if it does.

    So no pairs are made, for each of which the garbage collector would have one thing more to look
    at until the last one has come; those who look at `resultList` see some all the same.
    """

    __slots__ = ("_results",)

    _shownName = "gatherResults"

    @property
    def resultList(self) -> list[Any]:
        return [
            None if result is _MISSING else (not issubclass(type(result), Failure), result)
            for result in self._results
        ]

    @resultList.setter
    def resultList(  # pyright: ignore[reportIncompatibleVariableOverride]
        self, results: list[Any]
    ) -> None:
        self._results = [_MISSING] * len(results)

    def _collect(self, result: Any, index: int, failed: bool) -> Any:
        results = self._results
        results[index] = result
        self.finishedCount = finished = self.finishedCount + 1
        if failed:
            if not self.called:
                self._fire(Failure(FirstError(result, index)))
            return self._mayDrop(result)
        if finished == len(results) and not self.called:
            self._fire(results)
        return False


def _parseDeferredListResult(  # pyright: ignore[reportUnusedFunction]
    resultList: list[tuple[bool, _T]], fireOnOneErrback: bool = False, /
) -> list[_T]:
    """Return a `DeferredList`'s results without the notes of which succeeded, for ported code."""
    return [result for _, result in resultList]


def gatherResults(
    deferredList: Iterable[Deferred[_T]], consumeErrors: bool = False
) -> Deferred[list[_T]]:
    """Return a Deferred of all results, in order; it fails with `FirstError` as soon as one does.

    Args:
        deferredList: the Deferreds.
        consumeErrors: do not have the errors reported that nobody handles in those Deferreds.
    """
    gathered: Any = _Gathered(deferredList, fireOnOneErrback=True, consumeErrors=consumeErrors)
    return gathered  # type: ignore[no-any-return]


def race(ds: Sequence[Deferred[_T]]) -> Deferred[tuple[int, _T]]:
    """Return a Deferred of the first result, as (index, result), and cancel the others.

    It fails with `FailureGroup` if all fail. Cancelling it cancels all.
    """
    return _Race(ds)


class _Race(Collector[Any]):
    """What `race` returns."""

    __slots__ = ("_failures", "_won")

    def __init__(self, ds: Sequence[Deferred[Any]]) -> None:
        self._start("race", ds)
        self._failures: dict[int, Failure] = {}
        self._won = False
        super().__init__(_cancelRace)
        self._watch("race")

    def _collect(self, result: Any, index: int, failed: bool) -> Any:
        failures = self._failures
        if failed:
            failures[index] = result
            if len(failures) == len(self._parts) and not self.called:
                group = FailureGroup([failures[index] for index in sorted(failures)])
                self._fire(Failure(group))
        elif not self.called and not self._won:
            self._won = True
            for other, deferred in enumerate(self._parts):
                if other != index:
                    cancelSurely(deferred)
            self._fire((index, result))
        return True


def _cancelRace(race: Any) -> None:
    """Cancel all parts; when the last has failed, so does the race."""
    race._cancelParts()


@overload
def maybeDeferred(
    f: Callable[_P, Deferred[_T]], *args: _P.args, **kwargs: _P.kwargs
) -> Deferred[_T]: ...


@overload
def maybeDeferred(
    f: Callable[_P, Coroutine[Any, Any, _T]], *args: _P.args, **kwargs: _P.kwargs
) -> Deferred[_T]: ...


@overload
def maybeDeferred(
    f: Callable[_P, Deferred[_T] | _T], *args: _P.args, **kwargs: _P.kwargs
) -> Deferred[_T]: ...


def maybeDeferred(f: Callable[..., Any], *args: Any, **kwargs: Any) -> Deferred[Any]:
    """Call a function, and return a Deferred of what it returns or raises.

    A coroutine that it returns is run; a Deferred is returned itself.
    """
    try:
        result = f(*args, **kwargs)
    except BaseException as error:
        return fail(Failure.fromException(error))
    kind = type(result)
    if kind in NON_DEFERRED_TYPES:
        return succeed(result)
    if issubclass(kind, Deferred):
        return result  # type: ignore[no-any-return]
    if issubclass(kind, Failure):
        return fail(result)
    if kind is CoroutineType:
        return start(result)
    if isFuture(result):
        return fromAwaitable(result) or succeed(result)
    return succeed(result)


def execute(callable: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Deferred[_T]:
    """Call a function, and return a Deferred that has fired with what it returns or raises."""
    try:
        return succeed(callable(*args, **kwargs))
    except BaseException as error:
        return fail(Failure.fromException(error))


showAs(
    "twistlike.internet.defer",
    globals(),
    [
        "DeferredList",
        "_parseDeferredListResult",
        "execute",
        "gatherResults",
        "maybeDeferred",
        "race",
    ],
)
callAs(DeferredList, _Gathered)
callAs(Deferred, _Race)
