"""Host names to addresses, by the operating system's resolver in a thread.

Thread: the reactor's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from twistlike._base.error import DNSLookupError, ReactorNotRunning
from twistlike._base.failure import Failure
from twistlike._defer.deferred import Deferred, fail, succeed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twistlike._base.interfaces import IReactorFromThreads, IReactorTime
    from twistlike._pool.pool import ThreadPool
    from twistlike._reactor.outstanding import Outstanding

    class _Reactor(IReactorTime, IReactorFromThreads, Protocol): ...


__all__ = ["ThreadedResolver"]

# How long a look-up may take, in seconds, as a sum: Twisted's default for its resolvers, whose
# first, second, ... attempt may take so long. The system's resolver makes its attempts by itself.
DEFAULT_TIMEOUT = (1, 3, 11, 45)


class ThreadedResolver:
    """Looks names up with `socket.gethostbyname` in a pool.

    Args:
        reactor: For the timeout and the way back from the thread.
        getPool: Returns the pool to block in.
        owed: The reactor's calls whose Deferreds are still to be fired.
    """

    def __init__(
        self, reactor: _Reactor, getPool: Callable[[], ThreadPool], outstanding: set[Outstanding]
    ) -> None:
        self._reactor = reactor
        self._getPool = getPool
        self._outstanding = outstanding

    def getHostByName(
        self, name: str, timeout: Sequence[float] | None = DEFAULT_TIMEOUT
    ) -> Deferred[str]:
        """Look the IPv4 address of a host up.

        Args:
            name: The host's name, or an address, which is returned as it is.
            timeout: How long the attempts may take, in seconds; their sum counts.

        Returns:
            A Deferred of the address, as text. It fails with `DNSLookupError`.
        """
        import socket  # not at the top: 3 ms, which a program that looks nothing up need not wait

        if _isAddress(name):
            return succeed(name)
        lookUp = _LookUp(self._reactor, name)
        try:
            job = self._getPool().enqueue(lookUp.onResult, socket.gethostbyname, (name,))
        except RuntimeError as error:
            return fail(_lookUpFailed(name, error))
        self._outstanding.add(lookUp)
        late = self._reactor.callLater(sum(timeout or DEFAULT_TIMEOUT), lookUp.tooLate)

        def settled(result: str | Failure) -> str | Failure:
            self._outstanding.discard(lookUp)
            job.cancel()
            if late.active():
                late.cancel()
            return result

        lookUp.found.addBoth(settled)
        return lookUp.found


class _LookUp:
    """One look-up that is under way, and the way of its outcome back."""

    def __init__(self, reactor: IReactorFromThreads, name: str) -> None:
        self.found: Deferred[str] = Deferred()
        self._reactor = reactor
        self._name = name

    @property
    def what(self) -> object:
        """What a thread still runs."""
        return f"the look-up of {self._name}"

    def onResult(self, success: bool, result: Any) -> None:
        """Send the outcome to the reactor's thread. Thread: the worker's."""
        try:
            self._reactor.callFromThread(self._answer, success, result)
        except ReactorNotRunning:
            pass  # it has ended without us: what was still owed has failed

    def abandon(self, failure: Failure) -> None:
        """Fail: the reactor has ended, and no outcome can come any more."""
        self._answer(False, failure)

    def tooLate(self) -> None:
        """Fail: it takes too long."""
        self.found.errback(Failure(DNSLookupError(f"timeout looking up {self._name!r}")))

    def _answer(self, success: bool, result: Any) -> None:
        if self.found.called:
            return
        if success:
            self.found.callback(result)
        else:
            self.found.errback(_lookUpFailed(self._name, result.value))


def _isAddress(name: str) -> bool:
    parts = name.split(".")
    return len(parts) == 4 and all(part.isdecimal() and int(part) < 256 for part in parts)


def _lookUpFailed(name: str, error: BaseException) -> Failure:
    if isinstance(error, Exception):
        return Failure(DNSLookupError(f"address {name!r} not found: {error}"))
    return Failure(error)
