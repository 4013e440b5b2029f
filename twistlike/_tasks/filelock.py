"""A lock between processes that is waited for with a Deferred. Thread: the reactor's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twistlike._base.lockfile import FilesystemLock
from twistlike._base.naming import showAs
from twistlike._defer.deferred import Deferred, fail
from twistlike._defer.errors import AlreadyTryingToLockError, TimeoutError
from twistlike._defer.locks import handOver
from twistlike._reactor.current import currentReactor

if TYPE_CHECKING:
    from twistlike._base.interfaces import IDelayedCall, IReactorTime

__all__ = ["DeferredFilesystemLock"]


class DeferredFilesystemLock(FilesystemLock):
    """A `FilesystemLock` that can be waited for."""

    _interval = 1  # seconds between two tries
    _tryLockCall: IDelayedCall | None = None
    _timeoutCall: IDelayedCall | None = None

    def __init__(self, name: str, scheduler: IReactorTime | None = None) -> None:
        """Make one.

        Args:
            name: the path of the lock.
            scheduler: what measures time; the current reactor unless given.
        """
        super().__init__(name)
        if scheduler is None:
            scheduler = currentReactor()
        self._scheduler = scheduler

    def deferUntilLocked(self, timeout: float | None = None) -> Deferred[None]:
        """Try to take the lock, again and again.

        Args:
            timeout: seconds after which to give up; None for never.

        Returns:
            a Deferred that fires once the lock is ours. It fails with `TimeoutError` after the
            timeout, and with `AlreadyTryingToLockError` if an earlier call still waits.
        """
        if self._tryLockCall is not None:
            return fail(AlreadyTryingToLockError("deferUntilLocked isn't safe for concurrent use."))
        waiting: Deferred[None] = Deferred(lambda _: self._stopWaiting())
        if timeout is not None:
            message = f"Timed out acquiring lock: {self.name} after {timeout:f}s"
            self._timeoutCall = self._scheduler.callLater(timeout, self._giveUp, waiting, message)
        self._try(waiting)
        return waiting

    def _try(self, waiting: Deferred[None]) -> None:
        self._tryLockCall = None
        try:
            locked = self.lock()
        except OSError as error:
            self._stopWaiting()
            waiting.errback(error)
            return
        if locked:
            self._stopWaiting()
            try:
                handOver(waiting, None, lambda _: self.unlock())
            except BaseException:
                if not waiting.called:
                    self.unlock()  # nothing else would: the Deferred is another thread's
                raise
        else:
            self._tryLockCall = self._scheduler.callLater(self._interval, self._try, waiting)

    def _giveUp(self, waiting: Deferred[None], message: str) -> None:
        self._stopWaiting()
        waiting.errback(TimeoutError(message))

    def _stopWaiting(self) -> None:
        for call in (self._tryLockCall, self._timeoutCall):
            if call is not None and call.active():
                call.cancel()
        self._tryLockCall = self._timeoutCall = None


showAs("twistlike.internet.defer", globals(), __all__)
