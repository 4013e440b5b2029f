"""Work in threads, and calls from threads back into the reactor's."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import gc
import operator
import os
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from tests.oracle import assertSame, runPython
from tests.waits import until
from twistlike.internet import threads
from twistlike.internet.asyncioreactor import Reactor, currentReactor
from twistlike.internet.defer import CancelledError, Deferred, gatherResults
from twistlike.internet.error import ReactorNotRunning, TimeoutError, WrongThreadError
from twistlike.python.failure import Failure
from twistlike.python.threadpool import ThreadPool

if TYPE_CHECKING:
    from collections.abc import Callable

    from twistlike.internet.interfaces import IReactorFromThreads


async def inPool(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function in a thread of the loop's reactor, and give what it gives."""
    return await threads.deferToThread(function, *args)


# ---- deferToThread -----------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_defer_to_thread_gives_the_result() -> None:
    """The function runs in another thread; the Deferred fires with its result in this one."""
    here = threading.get_ident()
    fired: list[int] = []

    def note(ident: int) -> int:
        fired.append(threading.get_ident())
        return ident

    assert await threads.deferToThread(threading.get_ident).addCallback(note) != here
    assert fired == [here]


@pytest.mark.asyncio
async def test_defer_to_thread_passes_arguments() -> None:
    """Positional and keyword arguments reach the function."""
    assert await threads.deferToThread(int, "11", base=2) == 3


@pytest.mark.asyncio
async def test_defer_to_thread_gives_the_error() -> None:
    """What the function raises fails the Deferred: the same exception, with where it was raised."""

    def bad() -> None:
        raise LookupError("bad")

    with pytest.raises(LookupError, match="bad") as caught:
        await threads.deferToThread(bad)
    assert caught.traceback[-1].name == "bad"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), StopIteration(4)]
)
async def test_defer_to_thread_gives_any_error(error: BaseException) -> None:
    """SystemExit and its kin reach the errback like any error, and the worker lives on."""

    def bad() -> None:
        raise error

    failures: list[Failure] = []
    await threads.deferToThread(bad).addErrback(failures.append)
    assert [failure.value for failure in failures] == [error]
    assert await threads.deferToThread(lambda: "alive") == "alive"


@pytest.mark.asyncio
async def test_contexts_are_carried_and_isolated() -> None:
    """A job sees the caller's context variables; what it sets no later job sees."""
    variable = contextvars.ContextVar("variable", default="none")
    variable.set("caller's")
    assert await threads.deferToThread(variable.get) == "caller's"
    await threads.deferToThread(variable.set, "job's")
    assert await threads.deferToThread(variable.get) == "caller's"
    assert variable.get() == "caller's"


@pytest.mark.asyncio
async def test_cancelling_a_queued_job_keeps_it_from_running() -> None:
    """Cancelling a queued job fires CancelledError at once, and the function never runs."""
    pool = ThreadPool(0, 1, "one")
    pool.start()
    release = threading.Event()
    ran: list[str] = []
    reactor = currentReactor()
    first = threads.deferToThreadPool(reactor, pool, release.wait, 30)
    queued = threads.deferToThreadPool(reactor, pool, ran.append, "ran")
    queued.cancel()
    with pytest.raises(CancelledError):
        await queued
    release.set()
    await first
    await threads.deferToThreadPool(reactor, pool, ran.append, "last")
    assert ran == ["last"]
    pool.stop()


@pytest.mark.asyncio
async def test_cancelling_a_running_job_tells_it() -> None:
    """Cancelling a running job fires CancelledError at once; the job is told, its result lost."""
    started, cancelled = threading.Event(), threading.Event()
    told: list[type[BaseException]] = []
    ended = threading.Event()

    def job() -> str:
        started.set()
        cancelled.wait(30)
        try:
            threads.checkCancelled()
        except concurrent.futures.CancelledError as error:
            told.append(type(error))
        ended.set()
        return "late"

    deferred = threads.deferToThread(job)
    await until(started.is_set)
    deferred.cancel()
    with pytest.raises(CancelledError):
        await deferred
    cancelled.set()
    await until(ended.is_set)
    await threads.deferToThread(lambda: None)
    assert told == [concurrent.futures.CancelledError]


@pytest.mark.asyncio
async def test_check_cancelled_does_nothing_elsewhere() -> None:
    """checkCancelled is silent outside of a job, and in a job that nobody has cancelled."""
    threads.checkCancelled()
    await threads.deferToThread(threads.checkCancelled)


@pytest.mark.asyncio
async def test_a_task_that_is_cancelled_cancels_its_job() -> None:
    """A task that waits for a job cancels it when it is cancelled."""
    started, release = threading.Event(), threading.Event()
    told: list[bool] = []

    def job() -> None:
        started.set()
        release.wait(30)
        try:
            threads.checkCancelled()
        except concurrent.futures.CancelledError:
            told.append(True)

    task = asyncio.create_task(inPool(job))
    await until(started.is_set)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    release.set()
    await threads.deferToThread(lambda: None)
    await until(lambda: told)


@pytest.mark.asyncio
async def test_nothing_of_a_job_stays_alive() -> None:
    """Once a job has ended nobody holds its function, argument or result, without the collector."""

    class Thing:
        pass

    thing = Thing()
    gone = weakref.ref(thing)
    gc.disable()
    try:
        await threads.deferToThread(str, thing)
        await threads.deferToThread(lambda held: held, thing)
        del thing
        for _ in range(1000):
            if gone() is None:
                break
            await asyncio.sleep(0.001)  # until the worker has let go of it
        assert gone() is None
    finally:
        gc.enable()


@pytest.mark.asyncio
@pytest.mark.parametrize("good", [True, False])
async def test_a_job_leaves_no_cycle(good: bool) -> None:
    """A job, good or failing, leaves nothing to the garbage collector."""

    async def once() -> None:
        try:
            await threads.deferToThread(operator.truediv, 1, 1 if good else 0)
        except ZeroDivisionError:
            pass

    await once()
    gc.collect()
    gc.disable()
    try:
        for _ in range(50):
            await once()
        await asyncio.sleep(0)
        # The last one may still be in somebody's hands; fifty are none of them garbage.
        assert gc.collect() < 25
    finally:
        gc.enable()


# ---- pools of one's own, and others' -----------------------------------------------------------


@pytest.mark.asyncio
async def test_a_pool_of_ones_own() -> None:
    """deferToThreadPool runs the function in the pool that it is given."""
    with ThreadPool(0, 1, "mine") as pool:
        name = await threads.deferToThreadPool(
            currentReactor(), pool, lambda: threading.current_thread().name
        )
    assert "mine" in name


@pytest.mark.asyncio
async def test_any_executor_will_do() -> None:
    """deferToThreadPool takes any concurrent.futures executor: results and errors come back."""
    with concurrent.futures.ThreadPoolExecutor(1, "foreign") as executor:
        reactor = currentReactor()
        assert await threads.deferToThreadPool(reactor, executor, int, "7") == 7
        with pytest.raises(ValueError, match="invalid literal"):
            await threads.deferToThreadPool(reactor, executor, int, "seven")


@pytest.mark.asyncio
async def test_a_job_of_a_foreign_executor_can_be_cancelled() -> None:
    """Cancelling a queued job of a foreign executor cancels its future."""
    release = threading.Event()
    ran: list[str] = []
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        reactor = currentReactor()
        first = threads.deferToThreadPool(reactor, executor, release.wait, 30)
        queued = threads.deferToThreadPool(reactor, executor, ran.append, "ran")
        queued.cancel()
        release.set()
        with pytest.raises(CancelledError):
            await queued
        await first
    assert ran == []


@pytest.mark.asyncio
async def test_a_future_that_is_cancelled_fails_its_deferred() -> None:
    """Shutting a foreign executor down with cancel_futures fails the Deferreds of its queue."""
    release = threading.Event()
    executor = concurrent.futures.ThreadPoolExecutor(1)
    reactor = currentReactor()
    first = threads.deferToThreadPool(reactor, executor, release.wait, 30)
    queued = threads.deferToThreadPool(reactor, executor, print, "never")
    executor.shutdown(wait=False, cancel_futures=True)
    release.set()
    with pytest.raises(CancelledError):
        await queued
    assert await first is True


@pytest.mark.asyncio
async def test_processes_will_do() -> None:
    """Work outgrows one process: an executor of processes works, too."""
    import multiprocessing

    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as executor:
        assert await threads.deferToThreadPool(currentReactor(), executor, pow, 2, 10) == 1024


# ---- callMultipleInThread ----------------------------------------------------------------------


@pytest.mark.asyncio
async def test_several_calls_run_in_one_thread_in_order() -> None:
    """callMultipleInThread runs its functions one after the other in one thread."""
    out: list[tuple[Any, int]] = []
    done = threading.Event()

    def note(value: object, *, last: bool = False) -> None:
        out.append((value, threading.get_ident()))
        if last:
            done.set()

    calls: list[Any] = [(note, (number,), {}) for number in range(5)]
    threads.callMultipleInThread([*calls, (note, ("end",), {"last": True})])
    await until(done.is_set)
    assert [value for value, _ in out] == [0, 1, 2, 3, 4, "end"]
    assert len({ident for _, ident in out}) == 1


# ---- blockingCallFromThread --------------------------------------------------------------------


def asked(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Callable[[], Any]:
    """Return a job that asks the loop's reactor to call a function, and waits for the result."""
    reactor: IReactorFromThreads = currentReactor()
    return lambda: threads.blockingCallFromThread(reactor, function, *args, **kwargs)


@pytest.mark.asyncio
async def test_blocking_call_gives_the_result() -> None:
    """The function runs in the reactor's thread, and the waiting thread gets what it returns."""
    assert await inPool(asked(threading.get_ident)) == threading.get_ident()
    assert await inPool(asked(int, "11", base=2)) == 3


@pytest.mark.asyncio
async def test_blocking_call_raises_the_error() -> None:
    """What the function raises is raised in the waiting thread: the very same exception."""
    error = LookupError("bad")

    def bad() -> None:
        raise error

    def job() -> BaseException | None:
        try:
            asked_()
        except LookupError as caught:
            return caught
        return None

    asked_ = asked(bad)
    assert await inPool(job) is error


@pytest.mark.asyncio
async def test_blocking_call_waits_for_a_deferred() -> None:
    """If the function returns a Deferred, its result or error is what comes."""
    reactor = currentReactor()

    def later(result: object) -> Deferred[object]:
        deferred: Deferred[object] = Deferred()
        reactor.callLater(0.001, deferred.callback, result)
        return deferred

    assert await inPool(asked(later, "fired")) == "fired"
    with pytest.raises(LookupError, match="failed"):
        await inPool(asked(later, Failure(LookupError("failed"))))


@pytest.mark.asyncio
async def test_blocking_call_waits_for_anything_awaitable() -> None:
    """If the function returns a coroutine, a task or a future, that is waited for, too."""

    async def coroutine() -> str:
        await asyncio.sleep(0.001)
        return "coroutine"

    def task() -> asyncio.Task[str]:
        return asyncio.get_running_loop().create_task(coroutine())

    async def bad() -> None:
        raise LookupError("bad")

    assert await inPool(asked(coroutine)) == "coroutine"
    assert await inPool(asked(task)) == "coroutine"
    with pytest.raises(LookupError, match="bad"):
        await inPool(asked(bad))


@pytest.mark.asyncio
async def test_blocking_call_in_the_reactors_own_thread_is_refused() -> None:
    """In the reactor's thread it would wait for itself: an error at once, not a deadlock."""
    reactor = currentReactor()
    reactor.callLater(0, lambda: None)
    with pytest.raises(WrongThreadError, match="own thread"):
        threads.blockingCallFromThread(reactor, lambda: None)


def test_blocking_call_is_refused_also_as_the_first_use() -> None:
    """It is refused in a running loop's thread where the reactor has had no loop before, too."""
    reactor = Reactor()

    async def main() -> None:
        with pytest.raises(WrongThreadError, match="wait for itself"):
            threads.blockingCallFromThread(reactor, print)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("timeout", "error"), [(-1, ValueError), (float("nan"), ValueError), ("1", TypeError)]
)
def test_a_bad_limit_is_refused(timeout: Any, error: type[Exception]) -> None:
    """A timeout is a number from 0 up; with any other, nothing is called."""
    reactor = Reactor()
    called: list[int] = []
    with pytest.raises(error, match="a timeout is a number of seconds"):
        threads.blockingCallWithTimeout(timeout, reactor, called.append, 1)
    reactor.callFromThread(reactor.stop)
    reactor.run()
    assert called == []


@pytest.mark.asyncio
async def test_blocking_call_has_a_limit() -> None:
    """blockingCallWithTimeout gives up after its limit, and cancels what it waited for."""
    reactor = currentReactor()
    cancelled: list[Any] = []
    begun: list[Deferred[None]] = []

    def call() -> Deferred[None]:
        begun.append(Deferred())
        begun[-1].addErrback(lambda failure: cancelled.append(failure.check(CancelledError)))
        return begun[-1]

    # On a busy machine the limit may be over before the call has begun: then it never does.
    while not begun:
        with pytest.raises(TimeoutError, match=r"0\.01 s"):
            await inPool(threads.blockingCallWithTimeout, 0.01, reactor, call)
    await until(lambda: cancelled)
    assert cancelled == [CancelledError]


@pytest.mark.asyncio
async def test_a_limit_may_be_infinite() -> None:
    """A limit that no lock can wait for, infinity among them, is as good as none."""
    reactor = currentReactor()

    def later() -> Deferred[str]:
        fired: Deferred[str] = Deferred()
        reactor.callLater(0.03, fired.callback, "came")
        return fired

    for limit in (float("inf"), 1e12):
        assert await inPool(threads.blockingCallWithTimeout, limit, reactor, later) == "came"


@pytest.mark.asyncio
async def test_blocking_call_within_its_limit() -> None:
    """blockingCallWithTimeout passes all arguments on, one named timeout included."""
    reactor = currentReactor()

    def function(**kwargs: object) -> dict[str, object]:
        return kwargs

    assert await inPool(
        lambda: threads.blockingCallWithTimeout(30, reactor, function, timeout=1, f=2)
    ) == {"timeout": 1, "f": 2}


@pytest.mark.asyncio
async def test_blocking_calls_do_not_wedge_the_pool() -> None:
    """Workers that wait for jobs queued behind them are compensated by spare ones."""
    reactor = Reactor()
    async with reactor:
        reactor.suggestThreadPoolSize(2)

        def outer(number: int) -> Any:
            return threads.blockingCallFromThread(
                reactor, threads.deferToThread, lambda: number * 10
            )

        jobs = [threads.deferToThread(outer, number) for number in range(20)]
        assert await gatherResults(jobs) == [number * 10 for number in range(20)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_that_answers_does_not_answer_in_its_parent() -> None:
    """A thread waits before the reactor runs; a child runs it first, then the parent does."""
    program = """
import os, threading, time
from twistlike.internet import reactor
from twistlike.internet.threads import blockingCallFromThread

out = []
def ask():
    out.append(blockingCallFromThread(reactor, os.getpid))
    reactor.callFromThread(reactor.stop)
thread = threading.Thread(target=ask)
thread.start()
while not len(reactor._blocked):
    time.sleep(0.001)
time.sleep(0.05)
if not (child := os.fork()):
    reactor.callLater(0.05, reactor.stop)
    reactor.run()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
time.sleep(0.05)
print(out)
reactor.run()
thread.join()
print(out == [os.getpid()])
"""
    transcript = runPython(["-W", "ignore::DeprecationWarning", "-c", program])
    assert (transcript.stdout, transcript.stderr) == ("[]\nTrue\n", "")


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_blocking_calls_that_give_up_keep_no_descriptor() -> None:
    """Without the garbage collector, too, whatever it is that they have waited for."""

    async def slow() -> None:
        await asyncio.sleep(10)

    async def main() -> list[int]:
        def ask() -> None:
            for _ in range(20):
                with pytest.raises(TimeoutError):
                    threads.blockingCallWithTimeout(0.001, reactor, slow)

        reactor = currentReactor()
        seen = []
        for _ in range(6):  # the locks of the pool and of the waits may come later
            await threads.deferToThread(ask)
            seen.append(len(os.listdir("/proc/self/fd")))
        return seen

    gc.collect()
    gc.disable()
    try:
        *before, after = asyncio.run(main())
    finally:
        gc.enable()
    assert after <= max(before) + 1


def test_blocking_call_before_the_start_is_served_after_it() -> None:
    """A thread that asks before the reactor runs waits, and is served once it does."""
    reactor = Reactor()
    out: list[str] = []

    def ask() -> None:
        out.append(threads.blockingCallFromThread(reactor, lambda: "served"))
        reactor.callFromThread(reactor.stop)

    thread = threading.Thread(target=ask)
    thread.start()
    reactor.run()
    thread.join(10)
    assert out == ["served"]


def test_blocking_call_ends_with_the_reactor() -> None:
    """A thread that waits when the reactor ends gets ReactorNotRunning."""
    reactor = Reactor()
    errors: list[BaseException] = []

    def stop() -> Deferred[None]:
        reactor.stop()
        return Deferred()

    def ask() -> None:
        try:
            threads.blockingCallFromThread(reactor, stop)
        except ReactorNotRunning as error:
            errors.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    reactor.run()
    thread.join(10)
    assert [type(error) for error in errors] == [ReactorNotRunning]


@pytest.mark.asyncio
async def test_blocking_call_needs_only_call_from_thread() -> None:
    """Any object with callFromThread will do as a reactor."""

    class Poster:
        def __init__(self) -> None:
            self.loop = asyncio.get_running_loop()

        def callFromThread(self, callable: Callable[..., object], *args: Any, **kw: Any) -> None:
            self.loop.call_soon_threadsafe(lambda: callable(*args, **kw))

    poster = Poster()
    assert await inPool(lambda: threads.blockingCallFromThread(poster, int, "5")) == 5
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        assert await threads.deferToThreadPool(poster, executor, int, "6") == 6


def test_whole_programs_behave_as_on_twisted() -> None:
    """Results, errors, order and cancelling of deferToThread, as Twisted has them."""
    assertSame(
        """
        import threading
        from twisted.internet import defer, reactor, threads

        def main():
            steps = []
            def job(n):
                if n % 3 == 2:
                    raise ValueError(n)
                return n
            jobs = [threads.deferToThread(job, n) for n in range(6)]
            d = defer.DeferredList(jobs, consumeErrors=True)
            d.addCallback(lambda r: print([(ok, str(getattr(x, "value", x))) for ok, x in r]))
            held = threading.Event()
            running = threads.deferToThread(held.wait)
            running.addErrback(lambda f: print("running", f.type.__name__))
            d.addCallback(lambda _: running.cancel())
            d.addCallback(lambda _: held.set())
            d.addCallback(lambda _: threads.deferToThread(
                threads.blockingCallFromThread, reactor, defer.succeed, "through"))
            d.addCallback(print)
            d.addCallback(lambda _: threads.deferToThread(
                threads.blockingCallFromThread, reactor, defer.fail, KeyError("k")))
            d.addErrback(lambda f: print(f.type.__name__, f.value.args))
            d.addBoth(lambda _: reactor.stop())

        reactor.callWhenRunning(main)
        reactor.run()
        """
    )


@pytest.mark.asyncio
async def test_any_pool_with_twisteds_interface_serves() -> None:
    """deferToThreadPool uses `callInThreadWithCallback` of what is no executor."""

    class Pool:
        def callInThreadWithCallback(
            self, onResult: Callable[[bool, Any], object], func: Callable[[], object]
        ) -> None:
            def work() -> None:
                try:
                    onResult(True, func())
                except Exception as error:
                    onResult(False, Failure(error))

            threading.Thread(target=work).start()

    assert await threads.deferToThreadPool(currentReactor(), Pool(), divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await threads.deferToThreadPool(currentReactor(), Pool(), divmod, 7, 0)
