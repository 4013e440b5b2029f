"""
`ThreadPool` as a `concurrent.futures` executor: CPython's own tests of that contract run against it
where this interpreter has them, and asyncio and uvloop use it as theirs.
"""

from __future__ import annotations

import asyncio
import contextvars
import importlib
import importlib.util
import itertools
import textwrap
import threading
import unittest
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import pytest

from tests.oracle import runPython
from tests.waits import WAIT
from twistlike.python.threadpool import PoolStoppedError, ThreadPool, currentPool


class AsExecutor(ThreadPool):
    """
    A ThreadPool that is made as a ThreadPoolExecutor is, and shows what CPython's tests look at.
    """

    _numbers = itertools.count()

    def __init__(
        self,
        max_workers: int | None = None,
        thread_name_prefix: str = "",
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
    ) -> None:
        if max_workers is None:
            max_workers = futures.thread.ThreadPoolExecutor()._max_workers
        if max_workers <= 0:
            raise ValueError("max_workers must be greater than 0")
        self._prefix = thread_name_prefix or f"ThreadPoolExecutor-{next(self._numbers)}"
        super().__init__(0, max_workers, initializer=initializer, initargs=initargs)

    def threadName(self, number: int) -> str:
        """Name threads as a ThreadPoolExecutor does."""
        return f"{self._prefix}_{number}"

    @property
    def _max_workers(self) -> int:  # type: ignore[override]
        return self.max

    @property
    def _threads(self) -> set[threading.Thread]:  # type: ignore[override]
        return set(self.threads)

    @property
    def _broken(self) -> str:  # type: ignore[override]
        return self._workers.broken


ELSEWHERE = [
    "test_interpreter_shutdown",
    "test_submit_after_interpreter_shutdown",
    "test_hang_gh83386",
    "test_cancel_futures_wait_false",
    "test_hang_global_shutdown_lock",
]
"""CPython's tests that start another interpreter."""


def contract() -> Iterator[tuple[str, type]]:
    """CPython's test cases, made to use our pool."""
    try:
        modules = {
            name: importlib.import_module(f"test.test_concurrent_futures.test_{name}")
            for name in ("as_completed", "init", "shutdown", "thread_pool", "wait")
        }
    except (ImportError, unittest.SkipTest):
        return
    # These start another interpreter, which imports CPython's own class by its name: see
    # `test_contract_in_another_interpreter`.
    elsewhere = ELSEWHERE

    def setUp(self: Any) -> None:
        patch = pytest.MonkeyPatch()
        patch.setattr(futures, "ThreadPoolExecutor", AsExecutor)
        self.addCleanup(patch.undo)
        base: Any = super(type(self), self)
        base.setUp()

    bases = {
        "Executor": modules["thread_pool"].ThreadPoolExecutorTest,
        "Shutdown": modules["shutdown"].ThreadPoolShutdownTest,
        "Wait": modules["wait"].ThreadPoolWaitTests,
        "AsCompleted": modules["as_completed"].ThreadPoolAsCompletedTest,
        "Initializer": modules["init"].ThreadPoolInitializerTest,
        "FailingInitializer": modules["init"].ThreadPoolFailingInitializerTest,
    }
    for name, base in bases.items():
        body: dict[str, Any] = {"executor_type": AsExecutor, "setUp": setUp, "__test__": True}
        body |= {test: None for test in elsewhere if hasattr(base, test)}
        if name == "FailingInitializer":
            # We log through our own logger.
            body["_assert_logged"] = lambda self, message: self.assertLogs("twistlike", "ERROR")
        yield f"Test{name}Contract", type(f"Test{name}Contract", (base,), body)


globals().update(contract())


def test_contract_is_there_where_it_should_be() -> None:
    """The interpreter's own tests were found, or this interpreter has none."""
    try:
        importlib.import_module("test.test_concurrent_futures.executor")
    except ImportError:
        pytest.skip("this interpreter comes without its test suite")
    assert "TestExecutorContract" in globals()


PROGRAMS = {
    "test_interpreter_shutdown": """
        from time import sleep

        def sleep_and_print(t, msg):
            sleep(t)
            print(msg, flush=True)

        t = AsExecutor(5)
        t.submit(sleep_and_print, 0.3, "apple")
        """,
    "test_submit_after_interpreter_shutdown": """
        t = AsExecutor(5)
        t.submit(id, 42).result()
        unused = AsExecutor(5)
        """,
    "test_hang_gh83386": """
        def log(n):
            print("apple", flush=True)

        t = AsExecutor(max_workers=3)
        with t:
            pass
        t = AsExecutor(max_workers=3)
        t.submit(log, 1)
        t.shutdown(wait=False)
        """,
    "test_cancel_futures_wait_false": """
        from time import sleep

        t = AsExecutor()
        t.submit(lambda: (sleep(0.1), print("apple", flush=True)))
        t.shutdown(wait=False, cancel_futures=True)
        """,
}
"""What those tests say, for our pool; the last one is about processes."""

LAST = """
import atexit

@atexit.register
def last():
    from concurrent.futures import Future
    for pool in [globals().get("t"), globals().get("unused"), None]:
        for way in ("submit", "callInThread", "enqueue", "start"):
            if way == "start" and pool is None:
                continue
            try:
                pool = AsExecutor(5) if pool is None else pool
                if way == "start":
                    pool.start()
                elif way == "enqueue":
                    pool.enqueue(None, id, (1,))
                else:
                    getattr(pool, way)(id, 1)
            except RuntimeError as error:
                print("RuntimeError:", error)
            else:
                print(way, "was taken by", pool)
"""


@pytest.mark.parametrize("name", PROGRAMS)
def test_contract_in_another_interpreter(name: str) -> None:
    """At the interpreter's end jobs finish; after it a RuntimeError says so, whatever the pool."""
    head = LAST if name == "test_submit_after_interpreter_shutdown" else ""
    program = f"{head}\nfrom tests.pool.test_executor import AsExecutor\n"
    transcript = runPython(["-c", program + textwrap.dedent(PROGRAMS[name])])
    if head:
        said = "RuntimeError: cannot schedule new futures after interpreter shutdown"
        assert transcript.stdout.splitlines() == [said] * 12, transcript
    else:
        assert transcript.stdout == "apple\n"
    assert transcript.stderr == ""


def test_with_starts_and_stops() -> None:
    """
    `with ThreadPool() as pool` starts the pool, runs what was submitted, and leaves no thread.
    """
    with ThreadPool(0, 3) as pool:
        results = list(pool.map(lambda number: number * number, range(50)))
        threads = pool.threads
    assert results == [number * number for number in range(50)]
    assert not any(thread.is_alive() for thread in threads)
    with pytest.raises(PoolStoppedError):
        pool.submit(int)


def test_shutdown_cancels_what_is_queued() -> None:
    """
    shutdown(cancel_futures=True) cancels queued futures and jobs, and lets running ones finish.
    """
    pool = ThreadPool(0, 1)
    gate, inside = threading.Event(), threading.Event()

    def work() -> str:
        inside.set()
        assert gate.wait(WAIT)
        return "finished"

    running = pool.submit(work)
    assert inside.wait(WAIT)
    queued = [pool.submit(int) for _ in range(5)]
    called: list[object] = []
    pool.callInThreadWithCallback(lambda *result: called.append(result), int)
    pool.shutdown(wait=False, cancel_futures=True)
    done = futures.wait(queued, timeout=WAIT).done
    assert all(future.cancelled() for future in done) and len(done) == 5
    gate.set()
    pool.shutdown()
    assert running.result(0) == "finished"
    assert called == []


def test_wait_and_as_completed_while_resizing() -> None:
    """futures.wait and as_completed see all results while the pool is resized."""
    with ThreadPool(0, 2) as pool:
        submitted = []
        for number in range(400):
            submitted.append(pool.submit(abs, -number))
            pool.adjustPoolsize(0, 1 + number % 5)
        found = {future.result() for future in futures.as_completed(submitted, timeout=WAIT)}
        assert found == set(range(400))
        assert not futures.wait(submitted, timeout=WAIT).not_done


loops = ["asyncio"]
if importlib.util.find_spec("uvloop") is not None:
    loops.append("uvloop")


def runOn(loop: str, main: Any) -> Any:
    """Run a coroutine on a fresh loop of a kind."""
    if loop == "uvloop":
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(main)
    return asyncio.run(main)


@pytest.mark.parametrize("loop", loops)
def test_run_in_executor(loop: str) -> None:
    """loop.run_in_executor(pool, f) gives results and errors, in the caller's context."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")

    async def main(pool: ThreadPool) -> None:
        running = asyncio.get_running_loop()
        variable.set("caller's")
        assert await running.run_in_executor(pool, variable.get) == "caller's"
        results = await asyncio.gather(*(running.run_in_executor(pool, abs, -n) for n in range(99)))
        assert results == list(range(99))
        with pytest.raises(ZeroDivisionError):
            await running.run_in_executor(pool, divmod, 1, 0)

    with ThreadPool(0, 3) as pool:
        runOn(loop, main(pool))


@pytest.mark.parametrize("loop", loops)
def test_default_executor(loop: str) -> None:
    """The pool may be a loop's default executor; asyncio.run ends it with the loop."""
    pool = ThreadPool(0, 3)

    async def main() -> None:
        running = asyncio.get_running_loop()
        running.set_default_executor(pool)
        assert await asyncio.to_thread(currentPool) is pool
        assert await running.run_in_executor(None, pow, 2, 5) == 32
        if loop == "asyncio":  # resolves names in the default executor
            assert await running.getaddrinfo("127.0.0.1", 80)

    runOn(loop, main())
    assert (pool.started, pool.joined, pool.threads) == (False, True, [])


def test_shutdown_default_executor_in_the_loop() -> None:
    """loop.shutdown_default_executor() waits for the jobs, and the loop refuses more."""

    async def main() -> None:
        running = asyncio.get_running_loop()
        pool = ThreadPool(0, 1)
        running.set_default_executor(pool)
        ended: list[int] = []
        job = asyncio.ensure_future(asyncio.to_thread(ended.append, 1))
        await asyncio.sleep(0)
        await running.shutdown_default_executor()
        assert ended == [1]
        await job
        with pytest.raises(RuntimeError):
            await asyncio.to_thread(int)

    asyncio.run(main())
