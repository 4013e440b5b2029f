"""Several Deferreds as one. Thread: whichever fires them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from twistlike.internet.defer._coroutines import ensureDeferred
from twistlike.internet.defer._deferred import Deferred, fail, succeed
from twistlike.internet.defer._errors import FailureGroup, FirstError
from twistlike.python.failure import Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["FAILURE", "SUCCESS", "DeferredList", "execute", "gatherResults", "maybeDeferred", "race"]

SUCCESS = True
FAILURE = False

_T = TypeVar("_T")


class DeferredList(Deferred["list[tuple[bool, Any]]"]):
    fireOnOneCallback = False
    fireOnOneErrback = False

    def __init__(
        self,
        deferredList: Iterable[Deferred[Any]],
        fireOnOneCallback: bool = False,
        fireOnOneErrback: bool = False,
        consumeErrors: bool = False,
    ) -> None:
        self._deferredList = list(deferredList)
        self.resultList: list[Any] = [None] * len(self._deferredList)
        Deferred.__init__(self)
        if not self._deferredList and not fireOnOneCallback:
            self.callback(self.resultList)
        self.fireOnOneCallback = fireOnOneCallback
        self.fireOnOneErrback = fireOnOneErrback
        self.consumeErrors = consumeErrors
        self.finishedCount = 0
        for index, deferred in enumerate(self._deferredList):
            deferred.addCallbacks(
                self._cbDeferred,
                self._cbDeferred,
                callbackArgs=(index, SUCCESS),
                errbackArgs=(index, FAILURE),
            )

    def _cbDeferred(self, result: Any, index: int, succeeded: bool) -> Any:
        self.resultList[index] = (succeeded, result)
        self.finishedCount += 1
        if not self.called:
            if succeeded == SUCCESS and self.fireOnOneCallback:
                self.callback((result, index))
            elif succeeded == FAILURE and self.fireOnOneErrback:
                self.errback(Failure(FirstError(result, index)))
            elif self.finishedCount == len(self.resultList):
                self.callback(self.resultList)
        if succeeded == FAILURE and self.consumeErrors:
            return None
        return result

    def cancel(self) -> None:
        if not self.called:
            for deferred in self._deferredList:
                deferred.cancel()


def _values(pairs: list[tuple[bool, Any]]) -> list[Any]:
    return [value for _, value in pairs]


def gatherResults(
    deferredList: Iterable[Deferred[Any]], consumeErrors: bool = False
) -> Deferred[list[Any]]:
    d = DeferredList(deferredList, fireOnOneErrback=True, consumeErrors=consumeErrors)
    return d.addCallback(_values)


def maybeDeferred(f: Any, *args: Any, **kwargs: Any) -> Deferred[Any]:
    try:
        result = f(*args, **kwargs)
    except BaseException as error:
        return fail(Failure.fromException(error))
    if isinstance(result, Deferred):
        return result
    if hasattr(result, "cr_frame"):
        return Deferred.fromCoroutine(result)
    return succeed(result)


def execute(callable: Any, *args: Any, **kwargs: Any) -> Deferred[Any]:
    try:
        return succeed(callable(*args, **kwargs))
    except BaseException as error:
        return fail(Failure.fromException(error))


def race(ds: Sequence[Deferred[Any]]) -> Deferred[Any]:
    """Return the first result of several Deferreds, and cancel the others.

    Returns:
        a Deferred of (index, result); it fails with `FailureGroup` if all fail.
    """
    won = False
    failures: list[tuple[int, Failure]] = []

    def cancelAll(_: object) -> None:
        for d in ds:
            d.cancel()

    def succeeded(result: Any, index: int) -> None:
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

    first: Deferred[Any] = Deferred(cancelAll)
    for index, d in enumerate(ds):
        d.addCallbacks(succeeded, failed, (index,), {}, (index,))
    return first
