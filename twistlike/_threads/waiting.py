"""How a thread waits for the loop: another worker may work in its place meanwhile.

Thread: the one that waits.
"""

from __future__ import annotations

from typing import Any

from twistlike._base.failure import Failure
from twistlike._reactor.blocked import BlockingCall
from twistlike._reactor.pools import currentPool

__all__ = ["LendingWaiter"]

# A worker that waits for no longer than this, in seconds, does not say so to its pool: a spare
# one is not started before that anyway, and saying so costs a third of a quick blocking call.
_SOON = 0.01


class LendingWaiter(BlockingCall[Any]):
    """One thread's wait for one outcome, in a pool's worker made up for by a spare one.

    Args:
        slot: Where to take a `HandoffLock` from; None for a plain lock.
    """

    __slots__ = ()

    def waitLending(self, timeout: float | None) -> bool:
        """Wait for the outcome, and lend this thread's place in its pool if that takes long.

        Args:
            timeout: For how long, in seconds; `None` is for ever.

        Returns:
            Whether it has come.

        Thread: the one that waits. A signal's exception gets through.
        """
        pool = currentPool()
        if pool is None:
            return self.wait(timeout)
        if timeout is not None and timeout <= _SOON:
            return self.wait(timeout)
        if self.wait(_SOON):
            return True
        compensated = pool.compensated(self.wedged)
        try:
            with compensated:
                return self.wait(None if timeout is None else timeout - _SOON)
        except BaseException:
            compensated.__exit__()  # a signal's exception may have interrupted that
            raise

    def wedged(self, error: Exception) -> None:
        """Fail: the pool of the worker that waits is wedged. Thread: any."""
        self.fail(Failure(error))
