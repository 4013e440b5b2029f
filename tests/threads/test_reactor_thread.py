"""The reactor in a thread of its own, and the decorators for functions that belong there."""

from __future__ import annotations

import concurrent.futures
import contextvars
import gc
import textwrap
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.oracle import Transcript, runProgram
from twistlike.internet import threads
from twistlike.internet.asyncioreactor import Reactor
from twistlike.internet.defer import Deferred, fail, succeed
from twistlike.internet.error import (
    ReactorAlreadyRunning,
    ReactorNotRunning,
    TimeoutError,
    WrongThreadError,
)
from twistlike.internet.task import deferLater

VARIANTS = [("asyncio", ""), ("uvloop", ""), ("asyncio", "1")]


def runOn(loop: str, debug: str, program: str) -> Transcript:
    """Run a program in a process of its own, on a loop and perhaps in asyncio's debug mode."""
    head = """
        import asyncio, os, signal, sys, threading, time
        from twistlike.internet import defer, reactor, task, threads
    """
    if loop == "uvloop":
        pytest.importorskip("uvloop")
        head += """
        import uvloop
        from twistlike.internet.asyncioreactor import setLoopFactory
        setLoopFactory(uvloop.new_event_loop)
        """
    text = textwrap.dedent(head) + textwrap.dedent(program)
    return runProgram(text, ["-W", "error"], env={"PYTHONASYNCIODEBUG": debug})


def assertRuns(loop: str, debug: str, program: str, stdout: str = "") -> None:
    """Run a program that ends well, and says nothing but what is expected."""
    transcript = runOn(loop, debug, program)
    assert (transcript.returncode, transcript.reports) == (0, "")
    assert transcript.stdout == textwrap.dedent(stdout).lstrip("\n")


@pytest.fixture
def running() -> Iterator[Reactor]:
    """A reactor that runs in a thread of its own."""
    reactor = Reactor()
    with threads.startReactorThread(reactor):
        yield reactor


# ---- its life ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("loop", "debug"), VARIANTS)
def test_everythingWorksFromTheNextLineOn(loop: str, debug: str) -> None:
    """One line starts it; calls from threads, blocking calls, coroutines and jobs work after it."""
    assertRuns(
        loop,
        debug,
        """
        threads.startReactorThread()
        assert reactor.running
        async def main():
            assert await threads.deferToThread(int, "5") == 5
            await asyncio.sleep(0.001)
            return threading.current_thread().name
        print(threads.blockingCallFromThread(reactor, main))
        print(threads.blockingCallWithTimeout(5, reactor, task.deferLater, reactor, 0, str, 1))
        done = threading.Event()
        reactor.callFromThread(reactor.callLater, 0, done.set)
        assert done.wait(10)
        """,
        """
        reactor
        1
        """,
    )


@pytest.mark.parametrize(("loop", "debug"), VARIANTS)
def test_startAndStopTwice(loop: str, debug: str) -> None:
    """Starting and stopping twice does no harm; it can be started again, any number of times."""
    assertRuns(
        loop,
        debug,
        """
        for _ in range(3):
            first = threads.startReactorThread()
            assert threads.startReactorThread() is first and first.running and reactor.running
            assert threads.blockingCallFromThread(reactor, int) == 0
            thread = first.thread
            threads.stopReactorThread()
            assert not thread.is_alive() and not first.running and not reactor.running
            threads.stopReactorThread()
        assert threading.enumerate() == [threading.main_thread()]
        """,
    )


def test_theOutermostBlockEndsIt() -> None:
    """As a context manager it starts and ends; blocks may be nested."""
    reactor = Reactor()
    with threads.startReactorThread(reactor) as outer:
        with threads.startReactorThread(reactor) as inner:
            assert inner is outer
        assert threads.blockingCallFromThread(reactor, lambda: 5) == 5
    assert not outer.running
    with pytest.raises(ReactorNotRunning):
        reactor.callFromThread(print)


def test_manyThreadsStartItAtOnce() -> None:
    """Whoever asks for it, all find it serving; there is one thread."""
    reactor = Reactor()
    served: list[Any] = []

    def use() -> None:
        threads.startReactorThread(reactor)
        served.append(threads.blockingCallFromThread(reactor, threading.get_ident))

    users = [threading.Thread(target=use) for _ in range(20)]
    for user in users:
        user.start()
    for user in users:
        user.join()
    threads.stopReactorThread(reactor)
    assert len(served) == 20
    assert len(set(served)) == 1


def test_whatKeepsItFromRunningIsRaised(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the loop's maker, or no thread, comes out of the start; the next may succeed."""
    from twistlike.internet.asyncioreactor import setLoopFactory

    def refuse() -> Any:
        raise OSError("too many open files")

    reactor = Reactor()
    setLoopFactory(refuse)
    try:
        with pytest.raises(OSError, match="too many open files"):
            threads.startReactorThread(reactor)
    finally:
        setLoopFactory(None)
    with monkeypatch.context() as patch:

        def noThread(self: object) -> None:
            raise RuntimeError("can't start new thread")

        patch.setattr(threading.Thread, "start", noThread)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            threads.startReactorThread(reactor)
    with threads.startReactorThread(reactor):
        assert threads.blockingCallFromThread(reactor, lambda: 5) == 5


def test_stoppedBeforeItServes() -> None:
    """A startup trigger that stops the reactor, and keeps it from serving, is told."""
    reactor = Reactor()
    never: Deferred[None] = Deferred()

    def refuse() -> Deferred[None]:
        reactor.stop()
        return never

    reactor.addSystemEventTrigger("before", "startup", refuse)
    with pytest.raises(ReactorNotRunning, match="before it served"):
        threads.startReactorThread(reactor)


@pytest.mark.asyncio
async def test_aReactorOnALoopCannotHaveAThread() -> None:
    """A reactor that is attached to a loop runs already."""
    async with Reactor() as reactor:
        with pytest.raises(ReactorAlreadyRunning):
            threads.startReactorThread(reactor)


def test_stopInItsOwnThreads(running: Reactor) -> None:
    """The reactor's thread and its workers may end it; they do not wait for themselves."""
    thread = threads.startReactorThread(running)
    assert thread.thread is not None
    real = thread.thread
    job = threads.blockingCallFromThread(running, lambda: running.getThreadPool())
    job.callInThread(threads.stopReactorThread, running)
    real.join(10)
    assert not real.is_alive()
    thread.start()
    threads.blockingCallFromThread(running, threads.stopReactorThread, running)
    threads.stopReactorThread(running)
    assert not running.running


def test_stopIsBounded() -> None:
    """A shutdown trigger that never ends, or a thread that is stuck, is not waited for for long."""
    reactor = Reactor()
    reactor.shutdownTimeout = 0.1
    threads.startReactorThread(reactor)
    threads.blockingCallFromThread(
        reactor, reactor.addSystemEventTrigger, "before", "shutdown", lambda: Deferred()
    )
    threads.stopReactorThread(reactor)
    assert not reactor.running
    block = threading.Event()
    started = threading.Event()
    threads.startReactorThread(reactor)

    def hold() -> None:
        started.set()
        block.wait()

    reactor.callFromThread(hold)
    started.wait()
    with pytest.raises(TimeoutError, match="hold"):
        threads.stopReactorThread(reactor)
    block.set()
    threads.stopReactorThread(reactor)


def test_waitersAreReleasedByTheEnd(running: Reactor) -> None:
    """What waits for a result gets ReactorNotRunning when it ends."""
    waits: Any = threads.runInReactor(reactor=running)(Deferred)
    future: Any = waits()
    errors: list[Any] = []

    def block() -> None:
        try:
            threads.blockingCallFromThread(running, Deferred)
        except ReactorNotRunning as error:
            errors.append(error)

    thread = threading.Thread(target=block)
    thread.start()
    while not running._blocked.waiting:
        pass
    threads.stopReactorThread(running)
    thread.join(10)
    assert len(errors) == 1
    with pytest.raises(ReactorNotRunning):
        future.result(10)
    with pytest.raises(ReactorNotRunning):
        waits()


# ---- the interpreter's end, forks, signals -------------------------------------------------------


@pytest.mark.parametrize(("loop", "debug"), VARIANTS)
def test_theInterpretersEndStopsIt(loop: str, debug: str) -> None:
    """At the end the shutdown events fire, after the threads that are no daemons have ended."""
    assertRuns(
        loop,
        debug,
        """
        threads.startReactorThread()
        @threads.waitFor(10)
        async def end():
            reactor.addSystemEventTrigger("before", "shutdown", print, "shutdown")
        end()
        def late():
            threading.main_thread().join()
            time.sleep(0.05)
            print(threads.blockingCallFromThread(reactor, str, "served"), flush=True)
        threading.Thread(target=late).start()
        """,
        """
        served
        shutdown
        """,
    )


@pytest.mark.parametrize("what", ["reactor.callFromThread(time.sleep, 60)", "never()"])
def test_theInterpretersEndIsBounded(what: str) -> None:
    """A reactor's thread that is stuck is reported with its stack and left behind."""
    transcript = runOn(
        "asyncio",
        "",
        f"""
        reactor.shutdownTimeout = 0.2
        threads.startReactorThread()
        @threads.waitFor(10)
        async def never():
            reactor.addSystemEventTrigger("before", "shutdown", defer.Deferred)
        {what}
        """,
    )
    assert transcript.returncode == 0
    if "sleep" in what:
        assert "time.sleep" in transcript.stderr or "inbox" in transcript.stderr
        assert "has not ended within 0.2 s" in transcript.stderr
    else:
        assert transcript.stderr.count("Traceback") <= 1


@pytest.mark.parametrize(("loop", "debug"), VARIANTS)
def test_aForkedChildStartsItsOwn(loop: str, debug: str) -> None:
    """In a child the first use starts a thread of the child's own; the parent's is unharmed."""
    assertRuns(
        loop,
        debug,
        """
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside threads
        threads.startReactorThread()
        @threads.waitFor(10)
        async def where():
            return os.getpid()
        @threads.runInReactor
        def later():
            return task.deferLater(reactor, 0, os.getpid)
        def useBlocking():
            return threads.blockingCallFromThread(reactor, where.__wrapped__)
        def useCall():
            found = []
            done = threading.Event()
            reactor.callFromThread(lambda: (found.append(os.getpid()), done.set()))
            done.wait(10)
            return found[0]
        def useJob():
            found = []
            done = threading.Event()
            reactor.callInThread(lambda: (found.append(os.getpid()), done.set()))
            done.wait(10)
            return found[0]
        def useStart():
            threads.startReactorThread()
            return where()
        assert where() == os.getpid()
        for use in (where, lambda: later().result(10), useBlocking, useCall, useJob, useStart):
            child = os.fork()
            if child == 0:
                assert use() == os.getpid()
                assert threading.active_count() <= 3
                sys.exit(0)
            assert os.waitpid(child, 0)[1] == 0
            assert where() == os.getpid()
        child = os.fork()
        if child == 0:
            threads.stopReactorThread()  # nothing has begun
            assert threading.active_count() == 1
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        """,
    )


def test_forkUnderLoad() -> None:
    """20 forks while 4 threads call in: each child gets its own reactor, at once."""
    assertRuns(
        "asyncio",
        "",
        """
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside threads
        threads.startReactorThread()
        stop = threading.Event()
        @threads.waitFor(10)
        async def where():
            return os.getpid()
        def load():
            while not stop.is_set():
                where()
        users = [threading.Thread(target=load) for _ in range(4)]
        for user in users:
            user.start()
        for _ in range(20):
            child = os.fork()
            if child == 0:
                os._exit(0 if where() == os.getpid() else 1)
            assert os.waitpid(child, 0)[1] == 0
        stop.set()
        for user in users:
            user.join()
        """,
    )


def test_ctrlCWhileItIsWaitedFor() -> None:
    """Ctrl-C gets out of a blocking call, a future and a queue; the program ends in order."""
    assertRuns(
        "asyncio",
        "",
        """
        threads.startReactorThread()
        queue = threads.ThreadsafeQueue()
        never = threads.runInReactor(defer.Deferred)
        for wait in (
            lambda: threads.blockingCallFromThread(reactor, defer.Deferred),
            lambda: never().result(),
            queue.blockingGet,
            lambda: threads.waitFor(60)(defer.Deferred)(),
        ):
            threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
            try:
                wait()
            except KeyboardInterrupt:
                print("interrupted")
        queue.putNoWait(5)
        print(queue.blockingGet())
        queue.putNoWait(6)  # and the interpreter ends with it
        """,
        """
        interrupted
        interrupted
        interrupted
        interrupted
        5
        """,
    )


# ---- the decorators ------------------------------------------------------------------------------


def test_waitForGivesTheResult(running: Reactor) -> None:
    """Functions, coroutine functions, Deferreds, methods; arguments and context go along."""
    variable = contextvars.ContextVar("variable", default=0)
    waitFor = threads.waitFor(10, reactor=running)

    class Service:
        @threads.waitFor(10, reactor=running)
        async def add(self, a: int, *, b: int) -> int:
            return a + b + variable.get()

    def failing() -> Deferred[int]:
        return fail(LookupError())

    variable.set(100)
    assert Service().add(1, b=2) == 103
    assert waitFor(lambda: 5)() == 5
    assert waitFor(lambda: succeed(6))() == 6
    assert waitFor(threading.get_ident)() != threading.get_ident()
    with pytest.raises(LookupError):
        waitFor(failing)()
    assert Service.add.__name__ == "add"


def test_waitForHasALimit(running: Reactor) -> None:
    """After the limit what it waited for is cancelled."""
    cancelled = threading.Event()

    @threads.waitFor(0.01, reactor=running)
    def never() -> Deferred[None]:
        return Deferred(lambda _: cancelled.set())

    with pytest.raises(TimeoutError):
        never()
    assert cancelled.wait(10)


def test_runInReactorGivesAFuture(running: Reactor) -> None:
    """The future has the result; those who watch several futures hear of it, too."""
    runInReactor = threads.runInReactor(reactor=running)

    async def double(number: int) -> int:
        return await deferLater(running, 0, lambda: 2 * number)

    def exiting() -> Deferred[int]:
        return fail(SystemExit(3))

    doubled = runInReactor(double)
    futures = [doubled(number) for number in range(5)]
    done, pending = concurrent.futures.wait(futures, 10)
    assert sorted(future.result() for future in done) == [0, 2, 4, 6, 8]
    assert not pending
    with pytest.raises(SystemExit):
        runInReactor(exiting)().result(10)

    def bad() -> None:
        raise LookupError("bad")

    assert isinstance(runInReactor(bad)().exception(10), LookupError)


def test_runInReactorCancelled(running: Reactor) -> None:
    """Cancelling the future cancels what it waits for, or keeps the function from being called."""
    cancelled = threading.Event()
    hold = threading.Event()
    ran: list[int] = []
    runInReactor = threads.runInReactor(reactor=running)
    future: Any = runInReactor(lambda: Deferred(lambda _: cancelled.set()))()
    threads.blockingCallFromThread(running, int)
    assert future.cancel()
    assert future.cancel()
    assert cancelled.wait(10)
    assert concurrent.futures.wait([future], 10).done
    running.callFromThread(hold.wait)
    late = runInReactor(lambda: ran.append(1))()
    assert late.cancel()
    hold.set()
    threads.blockingCallFromThread(running, int)
    assert not ran
    cancelledThere: Any = runInReactor(Deferred)()
    found: list[Any] = []
    running.callFromThread(lambda: found.append(cancelledThere._deferred))
    threads.blockingCallFromThread(running, int)
    running.callFromThread(found[0].cancel)
    with pytest.raises(concurrent.futures.CancelledError):
        cancelledThere.result(10)


def test_aFutureIsNotWaitedForInTheReactorsThread(running: Reactor) -> None:
    """That would wait for itself; a call from there is fine, and so is one from a worker."""
    later = threads.runInReactor(reactor=running)(lambda: deferLater(running, 0, lambda: 5))

    async def wait() -> None:
        later().result()

    with pytest.raises(WrongThreadError, match="wrap_future"):
        threads.blockingCallFromThread(running, wait)

    async def ask() -> int:
        import asyncio

        return await asyncio.wrap_future(later())

    assert threads.blockingCallFromThread(running, ask) == 5

    async def askInWorkers() -> list[int]:
        jobs = [threads.deferToThread(lambda: later().result(10)) for _ in range(20)]
        return [await job for job in jobs]

    assert threads.blockingCallFromThread(running, askInWorkers) == [5] * 20

    @threads.waitFor(1, reactor=running)
    def blocking() -> None: ...

    with pytest.raises(WrongThreadError):
        threads.blockingCallFromThread(running, blocking)


def test_aThousandAtOnce(running: Reactor) -> None:
    """1,000 futures, and 100 threads that wait."""
    later = threads.runInReactor(reactor=running)(lambda: deferLater(running, 0.001, lambda: 1))
    waits = threads.waitFor(30, reactor=running)(lambda: deferLater(running, 0.001, lambda: 1))
    futures = [later() for _ in range(1_000)]
    got: list[int] = []
    users = [threading.Thread(target=lambda: got.append(waits())) for _ in range(100)]
    for user in users:
        user.start()
    assert sum(future.result(30) for future in futures) == 1_000
    for user in users:
        user.join()
    assert len(got) == 100


@pytest.mark.parametrize("wrong", [5, None, "f"])
def test_onlyFunctionsAreDecorated(wrong: Any) -> None:
    """A mistake is told where it is made."""
    with pytest.raises(TypeError):
        threads.runInReactor(wrong)
    with pytest.raises(TypeError):
        threads.waitFor(1)(wrong)
    with pytest.raises(TypeError, match="@waitFor"):
        threads.waitFor(print)  # type: ignore[arg-type]
    with pytest.raises(ValueError):
        threads.waitFor(-1)


def test_anErrorLeavesNoGarbage(running: Reactor) -> None:
    """A failed call leaves nothing for the collector."""

    def bad() -> None:
        raise LookupError

    def worse() -> Deferred[Any]:
        return fail(LookupError())

    for function in (bad, worse):
        fails: Any = threads.runInReactor(reactor=running)(function)
        fails().exception(10)
        threads.blockingCallFromThread(running, int)
        gc.collect()
        gc.disable()
        try:
            for _ in range(20):
                fails().exception(10)
            threads.blockingCallFromThread(running, int)
            assert gc.collect() < 20
        finally:
            gc.enable()


def test_only_a_reactor_runs_in_a_thread() -> None:
    """Anything else is refused with what was found."""
    with pytest.raises(TypeError, match="not a reactor that can run in a thread: 5"):
        threads.startReactorThread(5)  # type: ignore[arg-type]
