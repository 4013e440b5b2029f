"""Faults of asking for jobs: at the limit of the stack, interrupted; odd functions and values."""

from __future__ import annotations

import gc
import math
import os
import signal
import sys
import threading
import time
import warnings
from collections import Counter
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from types import CoroutineType
from typing import Any
from unittest.mock import MagicMock

from tests.faults.harness import AT_ONCE, Host, fault, inThread
from tests.waits import until
from twistlike.internet.asyncioreactor import Reactor
from twistlike.internet.defer import Deferred
from twistlike.internet.error import ReactorNotRunning, TimeoutError
from twistlike.internet.threads import (
    blockingCallFromThread,
    blockingCallWithTimeout,
    deferToThread,
    deferToThreadPool,
)
from twistlike.python.threadpool import ThreadPool


def fail(error: type[BaseException]) -> None:
    """Raise."""
    raise error


def deep(depth: int, function: Any) -> Any:
    """Call a function, so many calls deeper."""
    return deep(depth - 1, function) if depth else function()


async def coroutine(*args: object) -> None:
    """Must never run in a thread."""


# ---- raised and ran ------------------------------------------------------------------------------


@fault(limit=60)
def test_raised_and_ran(host: Host) -> None:
    """Near the recursion limit a call either raises or runs, and the next one runs in any case."""

    async def main(reactor: Reactor) -> None:
        foreign = ThreadPoolExecutor(1)
        ran: list[int] = []
        ways: dict[str, Any] = {
            "deferToThread": lambda: deferToThread(ran.append, 1),
            "deferToThreadPool": lambda: deferToThreadPool(reactor, foreign, ran.append, 1),
        }
        await deferToThread(int)
        limit = sys.getrecursionlimit()
        wrong: Counter[tuple[str, bool, int]] = Counter()
        for name, way in ways.items():
            for depth in range(200, 400):
                ran.clear()
                sys.setrecursionlimit(400)
                job = None
                try:
                    job = deep(depth, way)
                except RecursionError:
                    pass
                finally:
                    sys.setrecursionlimit(limit)
                if job is not None:
                    await job
                await deferToThread(int)
                await deferToThreadPool(reactor, foreign, int)
                if len(ran) != (job is not None):
                    wrong[name, job is None, len(ran)] += 1
        assert not wrong
        foreign.shutdown()

    host.run(main)


@fault(modes=("run",), limit=60)
def test_raised_and_ran_in_a_pool(host: Host) -> None:
    """The same for a pool that has to start its first worker, or to wake it; no permit is lost."""
    wrong: Counter[tuple[str, bool, bool, int]] = Counter()
    limit = sys.getrecursionlimit()
    for name in ("callInThread", "enqueue", "submit"):
        for warm in (False, True):
            for depth in range(300, 400):
                ran: list[int] = []
                pool = ThreadPool(0, 1)
                pool.start()
                if warm:
                    pool.submit(int).result()
                ways: dict[str, Any] = {
                    "callInThread": partial(pool.callInThread, ran.append, 1),
                    "enqueue": partial(pool.enqueue, None, ran.append, (1,)),
                    "submit": partial(pool.submit, ran.append, 1),
                }
                raised = False
                sys.setrecursionlimit(400)
                try:
                    deep(depth, ways[name])
                except RecursionError:
                    raised = True
                finally:
                    sys.setrecursionlimit(limit)
                assert pool.submit(int, "5").result(10) == 5
                pool.stop()
                if raised is bool(ran):
                    wrong[name, warm, raised, len(ran)] += 1
                assert pool._workers.freePermits == [0]
    assert not wrong


@fault(modes=("run",), limit=60)
def test_interrupted_calls(host: Host) -> None:
    """Signals interrupt calls at any place: no later call is stranded, none runs and raises."""
    pool = ThreadPool(0, 2)
    pool.start()
    armed = True

    def interrupt(*_: object) -> None:
        if armed:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    interrupts = 0
    deadline = time.monotonic() + 3
    try:
        while interrupts < host.many(2000) and time.monotonic() < deadline:
            try:
                armed = True
                signal.setitimer(signal.ITIMER_REAL, 0.0002)
                for _ in range(2000):
                    pool.callInThread(int)
                    pool.submit(int)
            except KeyboardInterrupt:
                interrupts += 1
            armed = False
            assert pool.submit(int, "5").result(AT_ONCE) == 5
    finally:
        armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert interrupts
    pool.stop()
    assert pool._workers.ended
    assert sorted(pool._workers.freePermits) == [0, 1]


# ---- functions and values ------------------------------------------------------------------------


class Awaiting:
    """An object whose calls return coroutines."""

    async def __call__(self) -> None: ...

    async def method(self) -> None: ...


@fault(r"callInThread takes a function that blocks, and .*\.coroutine \(.*test_jobs\.py:\d+\)")
def test_coroutine_functions_are_refused(host: Host) -> None:
    """Where they are asked for, by name and place, and with what to write instead."""

    async def main(reactor: Reactor) -> None:
        functions: list[Any] = [coroutine, partial(coroutine, 1), Awaiting(), Awaiting().method]
        pool = reactor.getThreadPool()
        asking: list[Any] = [
            deferToThread,
            partial(deferToThreadPool, reactor, pool),
            partial(pool.enqueue, None),
            partial(pool.callInThreadWithCallback, None),
        ]
        for function in functions:
            for ask in asking:
                try:
                    ask(function)
                except TypeError as error:
                    text = str(error)
                    assert "coroutine function" in text and "Await it in the loop" in text
                    assert ("Awaiting" in text or ".coroutine" in text) and "test_jobs.py:" in text
                else:
                    raise AssertionError(f"{function} was taken")
        # Nothing waits for this one: it is reported, and its coroutine closed, see the first line.
        pool.callInThread(coroutine)
        # An executor takes it as any other does.
        made = pool.submit(coroutine).result(10)
        assert isinstance(made, CoroutineType)
        made.close()
        await until(lambda: pool.stats().failed == 1)

    host.run(main)


@fault()
def test_what_is_no_function_is_refused(host: Host) -> None:
    """None, or the result of a call, in the place of a function: the caller gets the error."""

    async def main(reactor: Reactor) -> None:
        pool = reactor.getThreadPool()
        asking: list[Any] = [
            deferToThread,
            partial(deferToThreadPool, reactor, pool),
            pool.callInThread,
            partial(pool.callInThreadWithCallback, None),
        ]
        for thing in (None, "hunter2"):
            for ask in asking:
                try:
                    ask(thing)
                except TypeError as error:
                    assert "takes a function to call, not" in str(error)
                    assert "hunter2" not in str(error)
                else:
                    raise AssertionError(f"{thing} was taken")

        def blocking() -> None:
            wrong: list[tuple[Any, ...]] = [(int,), (int, reactor), (reactor,), (reactor, None)]
            for args in wrong:
                try:
                    blockingCallFromThread(*args)
                except TypeError as error:
                    first = "takes the reactor first" in str(error)
                    assert first is (args[0] is int)
                    assert first or "takes a function after the reactor" in str(error)
                else:
                    raise AssertionError(f"{args} was taken")

        await inThread(blocking)

    host.run(main)


class Lazy:
    """An object that fails when it is asked for anything."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"not now: {name}")


@fault()
def test_results_that_answer_everything(host: Host) -> None:
    """Jobs hand them on as they are."""

    async def main(reactor: Reactor) -> None:
        values: list[Any] = [MagicMock(), Lazy(), math]
        for value in values:
            assert await deferToThread(values.__getitem__, values.index(value)) is value
        mock = MagicMock()
        await deferToThread(mock, 1)
        mock.assert_called_once_with(1)

    host.run(main)


@fault(r"\.Lazy \(.*test_jobs\.py:\d+\) failed in thread")
def test_functions_that_answer_everything(host: Host) -> None:
    """Describing them neither hangs nor fails."""

    class Function(Lazy):
        def __call__(self) -> None:
            raise ZeroDivisionError

    Function.__qualname__ = "Lazy"

    async def main(reactor: Reactor) -> None:
        pool = reactor.getThreadPool()
        pool.callInThread(Function())
        go = threading.Event()
        mock = MagicMock(side_effect=lambda: go.wait(10))
        pool.callInThread(mock)
        await until(lambda: mock.called)
        assert "MagicMock" in str(pool.stats().activity)
        go.set()
        await until(lambda: pool.stats().busy == 0)

    host.run(main)


# ---- secrets -------------------------------------------------------------------------------------


def logIn(user: str, password: str, go: threading.Event, inside: threading.Event) -> None:
    """A job with a secret."""
    inside.set()
    go.wait(20)


@fault(r"(?s)left behind.*logIn")
def test_secrets(host: Host) -> None:
    """No text about a job has its arguments: its function's name, and its place."""
    go, inside = threading.Event(), threading.Event()
    kept: list[Any] = []

    async def main(reactor: Reactor) -> None:
        reactor.shutdownTimeout = 0.05
        job = deferToThread(logIn, "me", password="hunter2", go=go, inside=inside)
        job.addErrback(kept.append)
        unstarted = ThreadPool()
        queued = unstarted.enqueue(None, logIn, ("me",), {"password": "hunter2"})
        kept.append(repr(queued))
        queued.cancel()
        kept.append(queued)
        kept.append(reactor.getThreadPool().stats())

        def ask() -> None:
            waiting: Any = partial(
                deferToThread, logIn, "me", password="hunter2", go=go, inside=inside
            )
            try:
                blockingCallWithTimeout(0.01, reactor, waiting)
            except TimeoutError as error:
                kept.append(error)

        await inThread(ask)
        assert inside.wait(10)

    host.run(main)
    go.set()
    assert any(isinstance(thing, TimeoutError) for thing in kept)
    ended = [thing for thing in kept if hasattr(thing, "check")]
    assert ended and ended[0].check(ReactorNotRunning)
    for thing in kept:
        text = repr(thing) + str(thing)
        assert "hunter2" not in text, text
    assert "logIn" in str(ended[0]) and "test_jobs.py:" in str(ended[0])


# ---- pools that nobody has started ---------------------------------------------------------------


@fault()
def test_a_pool_that_nobody_has_started(host: Host) -> None:
    """deferToThreadPool starts it, as submit does; not one that was stopped."""

    async def main(reactor: Reactor) -> None:
        pool = ThreadPool(0, 1)
        assert await deferToThreadPool(reactor, pool, int, "5") == 5
        pool.stop()
        try:
            deferToThreadPool(reactor, pool, int)
        except RuntimeError as error:
            assert "start()" in str(error)
        else:
            raise AssertionError("it was started again")

    host.run(main)


@fault(modes=("run",))
def test_idle_for_any_time(host: Host) -> None:
    """Any legal number will do for the times of a pool; others are refused where they are given."""
    for seconds in (0, 0.0, 1e-9, 1e9, 1e300, sys.maxsize, math.inf):
        pool = ThreadPool(0, 1, idleTimeout=seconds, queueWarnAfter=seconds)
        pool.exitTimeout = seconds
        pool.start()
        for _ in range(3):
            assert pool.submit(int, "5").result(10) == 5
        pool.stop()
    for wrong in (-1, math.nan, "1", None):
        for name in ("idleTimeout", "queueWarnAfter"):
            try:
                ThreadPool(0, 1, **{name: wrong})  # type: ignore[arg-type]
            except (TypeError, ValueError) as error:
                assert name in str(error)
            else:
                raise AssertionError(f"{name}={wrong} was taken")


# ---- garbage -------------------------------------------------------------------------------------


@fault()
def test_errors_leave_no_garbage(host: Host) -> None:
    """Of jobs, futures and blocking calls whose errors were caught."""

    async def main(reactor: Reactor) -> None:
        pool = reactor.getThreadPool()

        async def later() -> None:
            raise ValueError

        def ask(function: Any, *args: Any) -> None:
            for _ in range(50):
                try:
                    function(*args)
                except (ValueError, TimeoutError):
                    pass

        def submitted() -> None:
            pool.submit(fail, ValueError).result()

        works: list[Any] = [
            (blockingCallFromThread, reactor, fail, ValueError),
            (blockingCallFromThread, reactor, later),
            (blockingCallFromThread, reactor, deferToThread, fail, ValueError),
            (blockingCallWithTimeout, 0.0001, reactor, Deferred),
            (submitted,),
            (pool.callInThreadWithCallback, lambda *_: None, fail, ValueError),
        ]
        for work in works:
            await inThread(ask, *work)
            await until(lambda: pool.stats().busy == 0 and not reactor._outstanding.calls)
            gc.collect()
            gc.disable()
            await inThread(ask, *work)
            await until(lambda: pool.stats().busy == 0 and not reactor._outstanding.calls)
            found = gc.collect()
            gc.enable()
            assert found < 50, (found, work)

    host.run(main)


# ---- executors that misbehave --------------------------------------------------------------------


class Odd(Executor):
    """An executor whose `submit` fails, or answers at once."""

    def __init__(self, error: BaseException | None = None) -> None:
        self._error = error

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run the function here and now."""
        if self._error is not None:
            raise self._error
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@fault()
def test_odd_executors(host: Host) -> None:
    """One that answers at once serves; one that refuses raises in the caller, and nothing waits."""

    async def main(reactor: Reactor) -> None:
        assert await deferToThreadPool(reactor, Odd(), int, "5") == 5
        try:
            deferToThreadPool(reactor, Odd(ZeroDivisionError("no")), int)
        except ZeroDivisionError:
            pass
        else:
            raise AssertionError("it was taken")
        assert not reactor._outstanding.calls

    host.run(main)


# ---- exceptions, children ------------------------------------------------------------------------


@dataclass(frozen=True)
class Frozen(Exception):
    """An exception that refuses to have attributes set."""

    number: int = 1


class Refusing(Exception):
    """The same, by hand."""

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)


@fault()
def test_exceptions_that_refuse_attributes(host: Host) -> None:
    """Jobs, futures and blocking calls hand them on as any other."""

    async def main(reactor: Reactor) -> None:
        pool = reactor.getThreadPool()
        for error in (Frozen, Refusing):

            def ask(way: Any, *args: Any) -> type | None:
                try:
                    way(*args)
                except Exception as raised:
                    return type(raised)
                return None

            assert await inThread(ask, blockingCallFromThread, reactor, fail, error) is error
            assert await inThread(ask, lambda e: pool.submit(fail, e).result(10), error) is error
            try:
                await deferToThread(fail, error)
            except error:
                pass
            else:
                raise AssertionError(f"{error} was lost")

    host.run(main)


@fault()
def test_values_that_answer_everything(host: Host) -> None:
    """A blocking call returns them: they are no awaitables, and asking them wakes the caller."""

    async def main(reactor: Reactor) -> None:
        for value in (MagicMock(), Lazy(), math):
            values: list[Any] = [value]
            found = await inThread(blockingCallFromThread, reactor, values.__getitem__, 0)
            assert found is value

    host.run(main)


@fault()
def test_a_forked_child_of_a_running_reactor(host: Host) -> None:
    """callInThread works in it, with fresh threads."""

    async def main(reactor: Reactor) -> None:
        await deferToThread(int)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of threads and forks
            child = os.fork()
        if not child:
            ran = threading.Event()
            reactor.callInThread(ran.set)
            os._exit(0 if ran.wait(10) else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert await deferToThread(int, "5") == 5

    host.run(main)
