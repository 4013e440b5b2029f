"""
Spare workers, for as long as a worker waits for other jobs of its own pool. `Loan` is used in a worker's thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twistlike.python.threadpool._errors import PoolWedgedError
from twistlike.python.threadpool._worker import currentWorker

if TYPE_CHECKING:
    from typing_extensions import Self

    from twistlike.python.threadpool._crew import Crew

__all__ = ["Loan", "Loans"]


class Loan:
    """The time during which a worker only waits: a context manager. See `ThreadPool.lent`."""

    __slots__ = ("_crew", "_worker", "covered")

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
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

    @property
    def wedged(self) -> bool:
        """Does this loan go without a spare, while all workers wait and jobs are queued?"""
        return self._worker is not None and not self.covered and self._crew.loans.wedged()


class Loans:
    """The permits that a crew has lent out. Each is for a `Loan`, or for a job that was cancelled while it ran."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        # Covered or not, in the order in which they began.
        self._out: dict[object, bool] = {}
        self.limit = 0

    def __len__(self) -> int:
        return sum(self._out.values())

    def begin(self, loan: Loan) -> None:
        """Lend a permit, if the limit allows it. Raises `PoolWedgedError` if it does not and nobody is left to work."""
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

    def error(self) -> PoolWedgedError:
        """Return an error that names the wedge."""
        return PoolWedgedError(
            f"all {len(self._crew.members)} workers of the pool, {len(self)} spare ones among them, wait for jobs "
            f"of the same pool, and {len(self._crew.queue)} jobs are queued behind them; raise ThreadPool.maxSpare "
            f"(now {self.limit}), or let the jobs return a Deferred instead of waiting"
        )

    def makeUpFor(self, job: object) -> None:
        """Lend a permit in place of the worker that is stuck with a cancelled job, if the limit allows it."""
        with self._crew.lock:
            if job in self._out or len(self) >= self.limit:
                return
            self._out[job] = True
        self._crew.addPermits(1)

    def end(self, loan: object) -> None:
        """Take a permit back, or hand it on to a loan that had to do without. Does nothing if there was none."""
        with self._crew.lock:
            covered = self._out.pop(loan, False)
            if covered:
                for other, hasPermit in self._out.items():
                    if not hasPermit:
                        self._out[other] = True
                        if isinstance(other, Loan):
                            other.covered = True
                        return
        if covered:
            self._crew.removePermits(1)
