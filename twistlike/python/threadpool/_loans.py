"""
Spare workers, for as long as a worker waits for other jobs of its own pool. `Loan` is used in a
worker's thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twistlike.python.threadpool._errors import PoolWedgedError
from twistlike.python.threadpool._worker import currentWorker

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from twistlike.python.threadpool._crew import Crew

__all__ = ["Loan", "Loans"]


class Loan:
    """The time during which a worker only waits: a context manager. See `ThreadPool.lent`."""

    __slots__ = ("_crew", "_onWedged", "_worker", "covered")

    def __init__(
        self, crew: Crew, onWedged: Callable[[PoolWedgedError], object] | None = None
    ) -> None:
        self._crew = crew
        self._onWedged = onWedged
        self._worker: Any = None
        self.covered = False

    def __enter__(self) -> Self:
        worker = currentWorker()
        # A worker that lends itself twice is made up for once.
        if worker is not None and worker.crew is self._crew and not worker.lent:
            self._crew.loans.begin(self)
            worker.lent = True
            self._worker = worker
        return self

    def __exit__(self, *details: object) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.lent = False
            self._crew.loans.end(self)

    def breakWedge(self) -> bool:
        """
        Tell who waits that the pool is wedged. Returns False if it cannot be told, or has been.
        """
        onWedged, self._onWedged = self._onWedged, None
        if onWedged is None or self.covered:
            return False
        onWedged(self._crew.loans.error())
        return True


class Loans:
    """
    The permits that a crew has lent out. Each is for a `Loan`, or for a job that was cancelled
    while it ran.
    """

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        # Covered or not, in the order in which they began.
        self._out: dict[object, bool] = {}
        self.limit = 0

    def __len__(self) -> int:
        return sum(self._out.values())

    def begin(self, loan: Loan) -> None:
        """
        Lend a permit, if the limit allows it. Raises `PoolWedgedError` if it does not and nobody is
        left to work.
        """
        crew = self._crew
        with crew.lock:
            loan.covered = len(self) < self.limit
            self._out[loan] = loan.covered
        if loan.covered:
            crew.addPermits(1)
        elif self.wedged(besides=currentWorker()):
            self.end(loan)
            raise self.error()

    def wedged(self, besides: object = None) -> bool:
        """Are jobs queued that nobody is left to run?"""
        crew = self._crew
        if not crew.queue or crew.slots or crew.idle:
            return False
        return all(worker.lent or worker is besides for worker in list(crew.members))

    def breakWedge(self) -> None:
        """
        If the pool is wedged, tell the newest of those that go without a spare. Called by the
        watchdog.
        """
        if not self._out or not self.wedged():
            return
        with self._crew.lock:
            loans = [loan for loan in self._out if isinstance(loan, Loan)]
        for loan in reversed(loans):
            if loan.breakWedge():
                return

    def error(self) -> PoolWedgedError:
        """Return an error that names the wedge."""
        return PoolWedgedError(
            f"all {len(self._crew.members)} workers of the pool, {len(self)} spare ones too, "
            f"wait for jobs of the same pool, and {len(self._crew.queue)} jobs are queued behind "
            f"them; raise ThreadPool.maxSpare (now {self.limit}), or do not wait in a pool's job "
            "for another one of the same pool"
        )

    def setLimit(self, limit: int) -> None:
        """Take a new limit. What is lent stays lent; those that go without get what it allows."""
        with self._crew.lock:
            self.limit = limit
            wanting = [loan for loan, covered in self._out.items() if not covered]
            wanting = wanting[: max(0, limit - len(self))]
            for loan in wanting:
                self._cover(loan)
        self._crew.addPermits(len(wanting))

    def _cover(self, loan: object) -> None:
        self._out[loan] = True
        if isinstance(loan, Loan):
            loan.covered = True

    def makeUpFor(self, job: object) -> None:
        """
        Lend a permit in place of the worker that is stuck with a cancelled job, if the limit allows
        it.
        """
        with self._crew.lock:
            if job in self._out or len(self) >= self.limit:
                return
            self._out[job] = True
        self._crew.addPermits(1)

    def end(self, loan: object) -> None:
        """
        Take a permit back, or hand it on to a loan that had to do without. Does nothing if there
        was none.
        """
        with self._crew.lock:
            covered = self._out.pop(loan, False)
            if covered:
                for other, hasPermit in self._out.items():
                    if not hasPermit:
                        self._cover(other)
                        return
        if covered:
            self._crew.removePermits(1)
