"""Host names to addresses, by the operating system's resolver in a thread.

Thread: the reactor's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from twistlike.internet.defer import Deferred, fail, succeed
from twistlike.internet.error import DNSLookupError
from twistlike.python.failure import Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twistlike.internet.interfaces import IReactorFromThreads, IReactorTime
    from twistlike.python.threadpool import ThreadPool

    class _Reactor(IReactorTime, IReactorFromThreads, Protocol): ...


__all__ = ["ThreadedResolver"]

# How long a look-up may take, in seconds, as a sum: Twisted's default for its resolvers, whose
# first, second, ... attempt may take so long. The system's resolver makes its attempts by itself.
DEFAULT_TIMEOUT = (1, 3, 11, 45)


class ThreadedResolver:
    """Looks names up with ``socket.gethostbyname`` in a pool.

    Args:
        reactor: For the timeout and the way back from the thread.
        getPool: Returns the pool to block in.
    """

    def __init__(self, reactor: _Reactor, getPool: Callable[[], ThreadPool]) -> None:
        self._reactor = reactor
        self._getPool = getPool

    def getHostByName(
        self, name: str, timeout: Sequence[float] | None = DEFAULT_TIMEOUT
    ) -> Deferred[str]:
        """Look the IPv4 address of a host up.

        Args:
            name: The host's name, or an address, which is returned as it is.
            timeout: How long the attempts may take, in seconds; their sum counts.

        Returns:
            A Deferred of the address, as text. It fails with ``DNSLookupError``.
        """
        import socket  # not at the top: 3 ms, which a program that looks nothing up need not wait

        if _isAddress(name):
            return succeed(name)
        found: Deferred[str] = Deferred()
        reactor = self._reactor

        def onResult(success: bool, result: object) -> None:
            # The job may outlive the reactor; its result is then nobody's.
            reactor.callFromThread(answer, success, result)

        def answer(success: bool, result: object) -> None:
            if found.called:
                return
            if success:
                found.callback(str(result))
            else:
                found.errback(_lookupFailed(name, result))

        def tooLate() -> None:
            found.errback(Failure(DNSLookupError(f"timeout looking up {name!r}")))

        try:
            job = self._getPool().enqueue(onResult, socket.gethostbyname, (name,))
        except RuntimeError as error:
            return fail(Failure(DNSLookupError(f"cannot look {name!r} up: {error}")))
        late = reactor.callLater(sum(timeout or DEFAULT_TIMEOUT), tooLate)

        def settled(result: str | Failure) -> str | Failure:
            job.cancel()
            if late.active():
                late.cancel()
            return result

        found.addBoth(settled)
        return found


def _isAddress(name: str) -> bool:
    parts = name.split(".")
    return len(parts) == 4 and all(part.isdecimal() and int(part) < 256 for part in parts)


def _lookupFailed(name: str, result: object) -> Failure:
    error = result.value if isinstance(result, Failure) else result
    if isinstance(error, (OSError, UnicodeError)):
        return Failure(DNSLookupError(f"address {name!r} not found: {error}"))
    assert isinstance(result, Failure)
    return result
