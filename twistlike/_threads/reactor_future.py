"""The futures of `runInReactor`. Made and waited for in any thread, set in the reactor's.

Not imported before it is needed: `concurrent.futures` takes 10 ms.
"""

from __future__ import annotations

import weakref
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Self, TypeVar

from twistlike._base.error import ReactorNotRunning, WrongThreadError
from twistlike._base.failure import Failure, tracebackOf, withTraceback
from twistlike._defer.coroutines import fromAwaitable
from twistlike._defer.errors import CancelledError
from twistlike._eventloop import current
from twistlike._log.report import reportCollected
from twistlike._reactor.pools import currentPool
from twistlike._reactor.unbound import REPORT_AFTER
from twistlike._threads.blocking import tellHeldUp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from twistlike._defer.deferred import Deferred
    from twistlike._reactor.reactor import Reactor

__all__ = ["ReactorFuture"]

UNHEARD = "a function of runInReactor failed, and nobody has asked its future"

T = TypeVar("T")
U = TypeVar("U")


class ReactorFuture(Future[T]):
    """A future of a call in the reactor's thread.

    A worker of a pool that waits for it is compensated by a spare one. An error that nobody has
    asked for is reported when the future is collected.

    Args:
        reactor: In whose thread the call is made.

    Attributes:
        begun: Whether the call was begun.
    """

    def __init__(self, reactor: Reactor) -> None:
        super().__init__()
        self._reactor = reactor
        self.begun = False
        self._isHeard = False  # somebody has got the outcome, or will
        self._deferred: Deferred[Any] | None = None
        self._notice = [True]  # one token: whoever pops it tells those who watch several futures

    def __repr__(self) -> str:
        return super().__repr__().replace(type(self).__name__, "Future", 1)

    @classmethod
    def ofCall(
        cls,
        reactor: Reactor,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> Self:
        """Have a function called in the reactor's thread, and return the future of its result.

        Raises:
            ReactorNotRunning: If the reactor has ended.

        Thread: any.
        """
        future = cls(reactor)
        reactor.callFromThread(_serve, [(future, function, args, kwargs)])
        return future

    def cancel(self) -> bool:
        """Cancel what the function returned, or keep the function from being called.

        Returns:
            Whether it is cancelled. False: it has a result already.

        Thread: any.
        """
        cancelled = self._cancel()
        if cancelled:
            try:
                self._reactor.callFromThread(self._cancelDeferred)
            except ReactorNotRunning:
                pass  # its end has cancelled what there was
        return cancelled

    def _cancel(self) -> bool:
        cancelled = super().cancel()
        if cancelled:
            try:
                self._notice.pop()
            except IndexError:
                return True
            self.set_running_or_notify_cancel()
        return cancelled

    def result(self, timeout: float | None = None) -> T:
        """Return the result, or raise the error, as any `concurrent.futures.Future`.

        Raises:
            WrongThreadError: In the reactor's own thread, if there is none yet.
        """
        return self._waitHere(super().result, timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return the error or None, as any `concurrent.futures.Future`.

        Raises:
            WrongThreadError: In the reactor's own thread, if there is no result yet.
        """
        return self._waitHere(super().exception, timeout)

    def add_done_callback(self, fn: Callable[[Future[T]], object]) -> None:
        """Add what to call with this once it is done, as any `concurrent.futures.Future`."""
        self._isHeard = True
        super().add_done_callback(fn)

    def __del__(self) -> None:
        error = self._exception
        if error is not None and not self._isHeard:
            # No frame of the error's traceback leads here: it was made without us.
            reportCollected(Failure.fromException(error, skip=0), UNHEARD, "Future")

    def _waitHere(self, get: Callable[[float | None], U], timeout: float | None) -> U:
        try:
            return self._waitFor(get, timeout)
        finally:
            if self.done():
                self._isHeard = True

    def _waitFor(self, get: Callable[[float | None], U], timeout: float | None) -> U:
        """Wait in the way that suits this thread, and return what `get` does."""
        if self.done():
            return get(timeout)
        if not self._isWorker():
            self._noteWait()
            return self._getTelling(get, timeout)
        with self._compensated():
            return self._getTelling(get, timeout)

    def _getTelling(self, get: Callable[[float | None], U], timeout: float | None) -> U:
        """Wait, and report a loop that does not begin the call."""
        if timeout is None or timeout > REPORT_AFTER:
            try:
                return get(REPORT_AFTER)
            except TimeoutError:
                pass  # or the function's own, which comes again
            if not self.done() and not self.begun:
                tellHeldUp(self._reactor)
            timeout = None if timeout is None else timeout - REPORT_AFTER
        return get(timeout)

    def _isWorker(self) -> bool:
        """Return whether a pool's worker is about to wait; see to it that the reactor's is not."""
        loop = self._reactor._life.loop
        if loop is not None and current.runningLoop() is loop:
            raise WrongThreadError(
                "a future of runInReactor was waited for in the reactor's own thread, which would "
                "wait for itself; await asyncio.wrap_future(future) there, or call the function "
                "itself (__wrapped__)"
            )
        return currentPool() is not None

    def _noteWait(self) -> None:
        """See to it that a wait for a reactor that gets no loop is told."""
        if not self.done() and self._reactor._life.loop is None:
            waiting = weakref.ref(self)

            def waits() -> bool:
                return (future := waiting()) is not None and not future.done()

            self._reactor._unbound.noteWait(waits)

    def _compensated(self) -> Any:
        pool = currentPool()
        assert pool is not None
        return pool.compensated(self._fail)

    # ---- in the reactor's thread -----------------------------------------------------------------

    def _wait(self, awaited: Deferred[Any]) -> None:
        """Take the result of something that is waited for."""
        self._deferred = awaited
        self._reactor._outstanding.waits.add(self)
        awaited.addCallbacks(self._succeed, self._failed)
        if self.cancelled():
            self._cancelDeferred()

    def _succeed(self, value: T) -> None:
        self._forget()
        if not self.cancelled():
            try:
                self.set_result(value)
            except Exception:
                # Race: it is cancelled just now, in another thread, or a wedge has failed it.
                assert self.done()

    def _failed(self, failure: Failure) -> None:
        error = failure.value
        if issubclass(type(error), CancelledError):
            self._cancel()
        self._fail(error)

    def _fail(self, error: BaseException) -> None:
        self._forget()
        if not self.done():
            try:
                self.set_exception(error)
            except Exception:
                assert self.done()  # see above

    def _forget(self) -> None:
        self._deferred = None
        self._reactor._outstanding.waits.discard(self)

    def _cancelDeferred(self) -> None:
        deferred = self._deferred
        if deferred is not None:
            deferred.cancel()

    # ---- what the reactor's end asks -------------------------------------------------------------

    @property
    def what(self) -> object:
        """What is waited for."""
        return self._deferred

    def abandon(self, failure: Failure) -> None:
        """Fail: the reactor has ended. Thread: the reactor's."""
        self._isHeard = True  # nothing has gone wrong, for a caller that did not care
        self._fail(ReactorNotRunning("the reactor has ended before this call had a result"))


def _serve(load: list[tuple[ReactorFuture[Any], Callable[..., Any], Any, Any]]) -> None:
    """Call a function for a future, unless that is cancelled. Thread: the reactor's.

    Args:
        load: The future, the function, and its arguments. They are taken out of it: an error's
            traceback leads, by the frames that called this, to what this was called with.
    """
    future, function, args, kwargs = load.pop()
    future.begun = True
    if future.cancelled():
        return
    try:
        result = function(*args, **kwargs)
        awaited = fromAwaitable(result)
    except BaseException as error:
        # By the base class: the error's own answer may be anybody's code, which may raise.
        traceback = tracebackOf(error)
        try:
            future._fail(withTraceback(error, traceback and traceback.tb_next))
        finally:
            del future, function, args, kwargs, traceback  # see above
        return
    if awaited is not None:
        future._wait(awaited)
    elif isinstance(result, Failure):
        future._fail(result.value)
    else:
        future._succeed(result)
