"""
The pool against a simple model: whatever is done to it in whatever order, the right jobs run, each
once.
"""

from __future__ import annotations

import ctypes
import threading
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.waits import WAIT
from twistlike.python.threadpool import Job, PoolStoppedError, ThreadPool


class ModelJob:
    """A job that runs until it is let go, and what is known of it."""

    def __init__(self, raises: bool) -> None:
        self.raises = raises
        self.entered = threading.Event()
        self.letGo = threading.Event()
        self.ended = threading.Event()
        self.outcomes: list[tuple[bool, Any]] = []
        self.thread: threading.Thread | None = None
        self.job: Job | None = None
        self.killed = False
        self.cancelRequested = False

    def run(self) -> str:
        """What the worker runs."""
        self.thread = threading.current_thread()
        self.entered.set()
        assert self.letGo.wait(WAIT)
        if self.raises:
            raise ValueError("as asked")
        return "result"

    def onResult(self, success: bool, result: Any) -> None:
        """Note the outcome."""
        self.outcomes.append((success, result))
        self.ended.set()

    def check(self) -> None:
        """Is the outcome the one that the model says?"""
        assert self.ended.wait(WAIT)
        [(success, result)] = self.outcomes
        if self.killed:
            assert result.check(SystemExit)
        elif self.raises:
            assert result.check(ValueError)
        else:
            assert (success, result) == (True, "result")


class PoolMachine(RuleBasedStateMachine):
    """Submits, lets go, cancels, kills, resizes, stops and starts."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = ThreadPool(0, 2, "model", idleTimeout=0.01)
        self.limit = 2
        self.state = "new"
        self.queued: list[ModelJob] = []
        self.running: list[ModelJob] = []

    def advance(self) -> None:
        """Let the model take its jobs, and wait until the pool has."""
        cancelRequested = sum(job.cancelRequested for job in self.running)
        while (
            self.state == "started"
            and self.queued
            and len(self.running) < self.limit + cancelRequested
        ):
            self.running.append(self.queued.pop(0))
        for job in self.running:
            assert job.entered.wait(WAIT), (self.pool, self.pool.stats())
        assert not any(job.entered.is_set() for job in self.queued)

    @rule(raises=st.booleans(), kind=st.sampled_from(["enqueue", "callback", "submit"]))
    def submit(self, raises: bool, kind: str) -> None:
        """A job is queued, or refused if the pool is stopped."""
        job = ModelJob(raises)
        if self.state == "stopped":
            with pytest.raises(PoolStoppedError):
                self.pool.enqueue(job.onResult, job.run)
            return
        if kind == "callback":
            self.pool.callInThreadWithCallback(job.onResult, job.run)
        elif kind == "submit" and self.state == "started":
            future = self.pool.submit(job.run)
            future.add_done_callback(
                lambda future: job.onResult(future.exception() is None, _outcomeOf(future))
            )
        else:
            job.job = self.pool.enqueue(job.onResult, job.run)
        self.queued.append(job)
        self.advance()

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def letGo(self, data: st.DataObject) -> None:
        """A running job ends."""
        job = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        job.letGo.set()
        job.check()
        self.advance()

    @precondition(lambda self: self.queued)
    @rule(data=st.data())
    def cancelQueued(self, data: st.DataObject) -> None:
        """A queued job is cancelled, if it is one that can be."""
        index = data.draw(st.integers(0, len(self.queued) - 1))
        job = self.queued[index].job
        if job is not None:
            del self.queued[index]
            assert job.cancel()
            assert not job.cancel()

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def cancelRunning(self, data: st.DataObject) -> None:
        """A running job is cancelled: a spare worker takes its place."""
        job = data.draw(st.sampled_from(self.running))
        if job.job is not None:
            assert not job.job.cancel()
            job.cancelRequested = True
            self.advance()

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def killBusy(self, data: st.DataObject) -> None:
        """The thread of a running job is killed: its job fails, others do not notice."""
        job = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        job.killed = True
        assert job.thread is not None
        _kill(job.thread)
        job.letGo.set()
        job.check()
        self.advance()

    @precondition(lambda self: self.state != "stopped")
    @rule(low=st.integers(0, 2), more=st.integers(0, 4))
    def resize(self, low: int, more: int) -> None:
        """The limits change; queued jobs that fit now start at once."""
        self.pool.adjustPoolsize(low, low + more)
        self.limit = low + more
        self.advance()

    @precondition(lambda self: self.state == "started")
    @rule(start=st.booleans())
    def oneWorkerMoreOrLess(self, start: bool) -> None:
        """Nothing that can be seen in the jobs."""
        if start:
            self.pool.startAWorker()
        elif not self.running:
            self.pool.stopAWorker()
        self.advance()

    @rule()
    def start(self) -> None:
        """The pool begins, or goes on as it was."""
        self.pool.start()
        self.state = "started"
        self.advance()

    @precondition(lambda self: self.state == "started" and (self.limit > 0 or not self.queued))
    @rule()
    def stop(self) -> None:
        """The pool ends when all jobs have been let go; each has had its outcome by then."""
        jobs = self.running + self.queued
        for job in jobs:
            job.letGo.set()
        workers = self.pool._workers
        self.pool.stop()
        for job in jobs:
            job.check()
        assert self.pool.threads == []
        assert len(workers.freePermits) - workers.surplus.count(True) == self.limit
        self.queued, self.running, self.state = [], [], "stopped"

    @invariant()
    def statsAgree(self) -> None:
        """The pool's own numbers are the model's."""
        stats = self.pool.stats()
        assert stats.maximum == self.limit
        assert stats.compensating <= sum(job.cancelRequested for job in self.running)

    def teardown(self) -> None:
        """End it, whatever the state."""
        for job in self.running + self.queued:
            job.letGo.set()
        self.pool.onError = lambda failure, message: None
        if self.limit == 0:
            self.pool.adjustPoolsize(0, 1)
        self.pool.stop()
        for job in self.running:
            job.check()


def _outcomeOf(future: Any) -> Any:
    error = future.exception()
    if error is None:
        return future.result()
    from twistlike.python.failure import Failure

    return Failure(error)


def _kill(thread: threading.Thread) -> None:
    assert thread.ident is not None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit)
    )


TestPoolModel = PoolMachine.TestCase
TestPoolModel.settings = settings(
    max_examples=200,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
