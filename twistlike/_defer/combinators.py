"""Several Deferreds as one, and functions whose results become Deferreds. Thread: any."""

from __future__ import annotations

from types import CoroutineType
from typing import TYPE_CHECKING, Any, TypeVar, overload

from twistlike._base.failure import Failure
from twistlike._base.naming import showAs
from twistlike._defer.callbacks import COLLECT, NON_DEFERRED_TYPES
from twistlike._defer.coroutines import fromAwaitable, start
from twistlike._defer.deferred import Deferred, fail, succeed
from twistlike._defer.errors import FailureGroup, FirstError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence
    from typing import ParamSpec

    _P = ParamSpec("_P")

__all__ = [
    "FAILURE",
    "SUCCESS",
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


class DeferredList(Deferred[list[tuple[bool, Any]]]):
    """What several Deferreds have come to, as a list of (succeeded, result or Failure).

    Each keeps its own result, for the callbacks that are added to it later.

    Attributes:
        resultList: what is known so far; None for those that have not fired.
        finishedCount: how many have.
    """

    __slots__ = ("_deferredList", "_firesOnOne", "consumeErrors", "finishedCount", "resultList")

    thread = None  # it does not wait on a loop

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
        """
        self._deferredList = list(deferredList)
        self.resultList: list[Any] = [None] * len(self._deferredList)
        self.finishedCount = 0
        self.consumeErrors = consumeErrors
        super().__init__()
        if fireOnOneCallback:
            self.fireOnOneCallback = True
        if fireOnOneErrback:
            self.fireOnOneErrback = True
        self._firesOnOne = self.fireOnOneCallback  # in a slot, since each result asks for it
        if not self._deferredList and not fireOnOneCallback:
            self.callback(self.resultList)
        ours = Deferred.addCallbacks
        known: Any = None  # the class of the one before, if that adds callbacks as ours does
        for index, deferred in enumerate(self._deferredList):
            if type(deferred) is not known:
                known = type(deferred)
                if getattr(known, "addCallbacks", None) is not ours:
                    # What adds callbacks in its own way (a subclass, another library's) is asked.
                    known = None
                    deferred.addCallbacks(
                        self._cbDeferred, self._cbDeferred, (index, SUCCESS), {}, (index, FAILURE)
                    )
                    continue
            if deferred._callbacks is not None:
                deferred._add((COLLECT, index, self))
            elif not deferred.called:
                deferred._callbacks = (COLLECT, index, self)
                if deferred._state is None:
                    deferred._state = self
            elif deferred.paused or deferred._state is not None:
                deferred._callbacks = (COLLECT, index, self)
            else:
                self._collectFired(deferred, index)

    def _collectFired(self, deferred: Deferred[Any], index: int) -> None:
        """Do what a callback would do that is added to a Deferred with a result."""
        outcome = deferred.result
        failed = type(outcome) not in NON_DEFERRED_TYPES and isinstance(outcome, Failure)
        if self._collect(outcome, index, failed):
            deferred.result = None
            if deferred._debugInfo is not None:
                deferred._debugInfo.failResult = None

    def _collect(self, result: Any, index: int, failed: bool) -> bool:
        """Note what one has come to; return whether it is to be taken away from it."""
        results = self.resultList
        results[index] = (not failed, result)
        self.finishedCount = finished = self.finishedCount + 1
        if failed:
            if self.fireOnOneErrback and not self.called:
                self.errback(Failure(FirstError(result, index)))
        elif self._firesOnOne and not self.called:
            first: Any = (result, index)
            self.callback(first)
        if finished == len(results) and not self.called:
            self.callback(results)
        return failed and self.consumeErrors

    def _cbDeferred(self, result: Any, index: int, succeeded: bool) -> Any:
        """Do what `_collect` does, as a callback."""
        return None if self._collect(result, index, not succeeded) else result

    def cancel(self) -> None:
        """Cancel those that have not fired, if this has not fired.

        An error of a canceller is reported, and the others are cancelled all the same.
        """
        if self.called:
            return
        for deferred in self._deferredList:
            try:
                deferred.cancel()
            except BaseException:
                from twistlike._log.report import report  # for errors of cancellers only

                report(Failure(), "Exception raised from user supplied canceller", source=self)


class _Gathered(DeferredList):
    """What `gatherResults` returns: the results as they are, for all have succeeded if it does.

    So no pairs are made, for each of which the garbage collector would have one thing more to look
    at until the last one has come; those who look at `resultList` see some all the same.
    """

    __slots__ = ("_results",)

    _shownAs = "DeferredList"

    @property
    def resultList(self) -> list[Any]:
        return [
            None if result is _MISSING else (not isinstance(result, Failure), result)
            for result in self._results
        ]

    @resultList.setter
    def resultList(  # pyright: ignore[reportIncompatibleVariableOverride]
        self, results: list[Any]
    ) -> None:
        self._results = [_MISSING] * len(results)

    def _collect(self, result: Any, index: int, failed: bool) -> bool:
        results = self._results
        results[index] = result
        self.finishedCount = finished = self.finishedCount + 1
        if failed:
            if not self.called:
                self.errback(Failure(FirstError(result, index)))
            return self.consumeErrors
        if finished == len(results) and not self.called:
            self.callback(results)
        return False


def _parseDeferredListResult(  # pyright: ignore[reportUnusedFunction]
    resultList: list[tuple[bool, _T]], fireOnOneErrback: bool = False, /
) -> list[_T]:
    """Return a `DeferredList`'s results without the notes of which succeeded. (For ported code.)"""
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
    won = False
    failures: list[tuple[int, Failure]] = []

    def cancelAll(_: object) -> None:
        for d in ds:
            d.cancel()

    def succeeded(result: _T, index: int) -> None:
        nonlocal won
        if won:
            return
        won = True
        for other, d in enumerate(ds):
            if other != index:
                d.cancel()
        first.callback((index, result))

    def failed(failure: Failure, index: int) -> None:
        failures.append((index, failure))
        if len(failures) == len(ds) and not won:
            failures.sort(key=lambda pair: pair[0])
            first.errback(FailureGroup([failure for _, failure in failures]))

    first: Deferred[tuple[int, _T]] = Deferred(cancelAll)
    for index, d in enumerate(ds):
        d.addCallbacks(succeeded, failed, (index,), {}, (index,))
    return first


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
    if isinstance(result, Deferred):
        return result
    if isinstance(result, Failure):
        return fail(result)
    if isinstance(result, CoroutineType):
        return start(result)
    if getattr(result, "_asyncio_future_blocking", None) is not None:
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
