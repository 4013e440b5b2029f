"""
The races that are named in the pool's source, each forced: the other side comes exactly where the
comment says. The watchdog, which would heal a lost call within a round, is off.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import Context
from typing import Any

import pytest

from tests.waits import WAIT, waitFor
from twistlike._pool import watchdog, worker
from twistlike._pool.jobs import Job
from twistlike._pool.workers import Workers
from twistlike.python.threadpool import ThreadPool


@pytest.fixture(autouse=True)
def noWatchdog(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody repairs what a race has broken."""
    monkeypatch.setattr(watchdog, "watch", lambda workers: None)


def started(low: int, high: int, **kw: Any) -> ThreadPool:
    """Make a started pool."""
    pool = ThreadPool(low, high, **kw)
    pool.start()
    return pool


class HookedList(list[Any]):
    """A list that calls somebody, once, right before something is appended."""

    before: Callable[[], object] | None = None

    def append(self, item: Any) -> None:
        """Call, then append."""
        before, self.before = self.before, None
        if before is not None:
            before()
        super().append(item)


def test_job_comes_before_the_worker_is_known_to_be_idle() -> None:
    """
    A job that is queued after the worker found the queue empty, and before it is on the list of the
    idle, is run.
    """
    pool = ThreadPool(0, 1)
    workers = pool._workers
    ran = threading.Event()
    idle = HookedList()
    idle.before = lambda: pool.callInThread(ran.set)
    workers.idle = idle
    pool.start()
    pool.callInThread(int)
    assert ran.wait(WAIT)
    pool.stop()


def test_closing_comes_before_the_worker_is_known_to_be_idle() -> None:
    """A pool that is closed while its worker falls asleep does not leave it asleep."""
    pool = ThreadPool(0, 1)
    idle = HookedList()
    idle.before = pool._workers.close
    pool._workers.idle = idle
    pool.start()
    pool.callInThread(int)
    for thread in pool.threads:
        thread.join(WAIT)
        assert not thread.is_alive()


def test_woken_while_the_time_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A worker whose time is over as someone takes it off the list waits to be woken, and runs the
    job once.
    """
    hook: list[Callable[[], object]] = []

    class LateLock:
        def __init__(self) -> None:
            self._lock = threading.Lock()

        def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
            if timeout >= 0:
                if hook:
                    hook.pop()()
                return False
            return self._lock.acquire(blocking, WAIT)

        def release(self) -> None:
            self._lock.release()

    monkeypatch.setattr(worker, "Lock", LateLock)
    pool = ThreadPool(0, 1, idleTimeout=1000.0)
    ran: list[int] = []
    done = threading.Event()
    hook.append(lambda: (pool.callInThread(ran.append, 1), pool.callInThread(done.set)))
    pool.start()
    workers = pool._workers
    retired: list[bool] = []
    retire = workers.retire

    def noteRetire(worker: worker.Worker) -> bool:
        retired.append(worker in workers.idle or bool(workers.queue))
        return retire(worker)

    workers.retire = noteRetire  # type: ignore[method-assign]
    pool.callInThread(int)
    assert done.wait(WAIT)
    pool.stop()
    assert ran == [1]
    assert not any(retired)


def test_worker_falls_idle_while_a_submitter_finds_nobody() -> None:
    """
    A worker that publishes itself right after a submitter saw no idle worker is called for the next
    job.
    """
    pool = started(0, 1)
    workers = pool._workers
    gate, inside, ran = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        inside.set()
        gate.wait(WAIT)

    pool.callInThread(work)
    assert inside.wait(WAIT)
    grow = workers._grow

    def slowly() -> bool:
        # The submitter has found nobody idle. Now the worker finishes, empties the queue, and
        # sleeps.
        workers._grow = grow  # type: ignore[method-assign]
        gate.set()
        waitFor(lambda: workers.idle)
        return grow()

    workers._grow = slowly  # type: ignore[method-assign]
    pool.callInThread(int)
    pool.callInThread(ran.set)
    assert ran.wait(WAIT)
    pool.stop()


def test_job_comes_while_a_worker_retires() -> None:
    """
    A job that is queued after the worker left the idle, and before its permit is back, is run.
    """
    pool = started(0, 1, idleTimeout=0.01)
    workers = pool._workers
    giveBack = workers._giveBack
    late: list[Any] = []
    came = threading.Event()

    def slowly(worker: worker.Worker) -> None:
        if not late:
            late.append(pool.submit(pow, 2, 5))  # finds nobody idle, and no permit
            came.set()
        giveBack(worker)

    workers._giveBack = slowly  # type: ignore[method-assign]
    pool.submit(int).result(WAIT)
    assert came.wait(WAIT)
    assert late[0].result(WAIT) == 32
    pool.stop()


@pytest.mark.parametrize("way", ["callInThread", "enqueue", "submit"])
def test_pool_is_closed_while_a_submitter_comes(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A job that is appended to a pool that ended meanwhile is taken back, and its submitter is told.
    """
    pool = started(0, 1)
    workers = pool._workers
    from twistlike._pool import pool as module

    def clock() -> float:
        workers.close()
        return 0.0

    monkeypatch.setattr(module, "monotonic", clock)
    submit: Any = {
        "callInThread": lambda: pool.callInThread(int),
        "enqueue": lambda: pool.enqueue(None, int),
        "submit": lambda: pool.submit(int),
    }[way]
    with pytest.raises(RuntimeError, match="start"):
        submit()
    assert len(workers.queue) == 0


def test_job_ends_while_it_is_compensated() -> None:
    """A job that ends between its cancel and its compensation leaves no permit behind."""
    pool = started(0, 1)
    workers = pool._workers
    gate, inside, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        inside.set()
        gate.wait(WAIT)

    job = pool.enqueue(lambda *_: ended.set(), work)
    assert inside.wait(WAIT)
    begin = workers.compensation.begin

    def slowly(blocked: object) -> None:
        # The worker looked before that was set.
        cancelRequested, job.cancelRequested = job.cancelRequested, False
        gate.set()
        assert ended.wait(WAIT)
        job.cancelRequested = cancelRequested
        begin(blocked)

    workers.compensation.begin = slowly  # type: ignore[method-assign]
    assert not job.cancel()
    assert not workers.compensation._waiting
    pool.stop()


def test_worker_is_started_while_the_end_is_noted() -> None:
    """A worker that would be started after the end was decided is not; its permit is back."""
    pool = started(0, 1)
    workers = pool._workers
    workers.sealed = True
    assert not workers._grow()
    assert (workers.members, workers.freePermits) == (set(), [0])


def test_watchdog_lets_go_while_a_job_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that is queued while the watchdog lets go of its pool has the pool watched again."""
    pool = started(0, 0)
    workers = pool._workers
    checkUp = watchdog._checkUp
    watched: list[Workers] = []

    def slowly(workers: Workers, now: float) -> bool:
        monkeypatch.setattr(watchdog, "_checkUp", checkUp)
        pool.callInThread(int)  # finds nobody, and sees that the pool is watched
        return False

    monkeypatch.setattr(watchdog, "_checkUp", slowly)
    monkeypatch.setattr(watchdog, "watch", watched.append)
    monkeypatch.setattr(watchdog, "_watched", [workers])
    workers.watched = True
    watchdog._visit(workers, 0.0)
    assert watched == [workers]
    assert workers.wakeDeadline == 0.0
    pool.onError = lambda failure, message: None
    pool.stop()


def test_growing_calls_somebody() -> None:
    """Raising the maximum starts workers for what is queued, without waiting for the next job."""
    pool = started(0, 0)
    ran = threading.Event()
    pool.callInThread(ran.set)
    pool.adjustPoolsize(0, 1)
    assert ran.wait(WAIT)
    pool.stop()


def test_shrinking_wakes_the_idle() -> None:
    """Lowering the maximum, and nothing else, makes idle workers leave at once."""
    pool = started(0, 4)
    workers = pool._workers
    for _ in range(4):
        pool.startAWorker()
    waitFor(lambda: len(workers.idle) >= 4)
    threads = pool.threads
    pool.adjustPoolsize(0, 1)
    waitFor(lambda: sum(thread.is_alive() for thread in threads) == 1)
    assert pool.workers == 1
    pool.stop()


@pytest.mark.parametrize("where", ["_wake", "_grow"])
def test_interrupt_of_who_calls_a_worker(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A signal's handler raises while somebody sees to it that a worker comes: that call does not run,
    and the next one does not take it that a worker comes.
    """
    pool = started(0, 1)
    if where == "_wake":
        first = threading.Event()
        pool.callInThread(first.set)
        assert first.wait(WAIT)
        while not pool._workers.idle:
            pass
    real = getattr(Workers, where)

    def interrupted(self: Workers) -> bool:
        monkeypatch.setattr(Workers, where, real)
        raise KeyboardInterrupt

    monkeypatch.setattr(Workers, where, interrupted)
    ran: list[int] = []
    both = threading.Event()
    with pytest.raises(KeyboardInterrupt):
        pool.callInThread(ran.append, 1)
    pool.callInThread(ran.append, 2)
    pool.callInThread(both.set)
    assert both.wait(WAIT)
    assert ran == [2]
    pool.stop()


def test_interrupt_between_taking_and_ringing(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    An interrupt of a starter whose thread runs already takes no permit back that the thread holds.
    """
    pool = ThreadPool(0, 2)

    class Interrupted(threading.Thread):
        def start(self) -> None:
            super().start()
            waitFor(lambda: pool.threads)
            raise KeyboardInterrupt

    pool.threadFactory = Interrupted
    pool.start()
    workers = pool._workers
    with pytest.raises(KeyboardInterrupt):
        pool.callInThread(int)
    assert (pool.workers, len(workers.freePermits)) == (1, 1)
    pool.stop()
    assert sorted(workers.freePermits) == [0, 1]


def test_a_kill_before_the_first_line_of_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that is hit between taking a job and its first line fails that job, and lives on."""
    outcomes: list[tuple[bool, Any]] = []
    arrived = threading.Semaphore(0)

    def onResult(success: bool, result: Any) -> None:
        outcomes.append((success, result))
        arrived.release()

    run = Job.run

    def interrupted(job: Job, worker: worker.Worker, context: Context) -> None:
        monkeypatch.setattr(Job, "run", run)
        raise SystemExit

    pool = ThreadPool(0, 1)
    pool.start()
    monkeypatch.setattr(Job, "run", interrupted)
    pool.enqueue(onResult, int, ("1",))
    pool.enqueue(onResult, int, ("2",))
    for _ in range(2):
        assert arrived.acquire(timeout=10)
    pool.stop()
    (first, failure), second = outcomes
    assert not first
    assert failure.check(SystemExit)
    assert second == (True, 2)
