"""The reactor's life: not started, running or attached, stopping, ended, and again."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import textwrap
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from tests.oracle import assertSame, run, runPython
from tests.waits import WAIT, until, waitFor
from twistlike._reactor import run_loop
from twistlike.internet import asyncioreactor, threads
from twistlike.internet.asyncioreactor import Reactor, currentReactor
from twistlike.internet.defer import Deferred, succeed
from twistlike.internet.error import (
    DNSLookupError,
    ReactorAlreadyInstalledError,
    ReactorAlreadyRunning,
    ReactorNotRunning,
    WrongThreadError,
)
from twistlike.internet.task import deferLater

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator


@pytest.fixture
def reactor() -> Iterator[Reactor]:
    """A reactor of one's own, whose threads end soon."""
    reactor = Reactor()
    reactor.shutdownTimeout = 2.0
    yield reactor
    assert reactor._life.loop is None, f"the test left the reactor {reactor!r}"


def runUntil(reactor: Reactor, function: Callable[[], object]) -> None:
    """Run the reactor, call the function in it, and stop when what it returns has fired."""

    def ended(result: object) -> object:
        reactor.stop()
        return result

    def main() -> None:
        result = function()
        if isinstance(result, Deferred):
            result.addBoth(ended)
        else:
            reactor.stop()

    reactor.callWhenRunning(main)
    reactor.run()


# ---- run ---------------------------------------------------------------------------------------


def test_importing_makes_nothing() -> None:
    """Importing the reactor makes no loop and no thread, and does not even import asyncio."""
    program = """
        import sys, threading
        from twistlike.internet import reactor, threads, defer
        print(threading.active_count(), reactor)
        late = {"asyncio", "logging", "concurrent.futures", "socket", "traceback"}
        print(sorted(late & set(sys.modules)))
    """
    # Not by the oracle, whose processes begin with such modules.
    done = runPython(["-W", "error", "-c", textwrap.dedent(program)])
    assert done.stdout == "1 <Reactor not started>\n[]\n"
    assert done.stderr == ""


def test_the_reactor_is_a_plain_object() -> None:
    """``from twistlike.internet import reactor`` gives a Reactor, not a module and not a proxy."""
    from twistlike.internet import reactor

    assert type(reactor) is Reactor
    module: object = sys.modules["twistlike.internet.reactor"]
    assert module is reactor
    assert reactor is asyncioreactor.defaultReactor()
    assert asyncioreactor.AsyncioSelectorReactor is Reactor


def test_state_is_shown(reactor: Reactor) -> None:
    """The reactor's repr shows the word for where it is in its life."""
    seen = [repr(reactor)]
    reactor.addSystemEventTrigger("during", "shutdown", lambda: seen.append(repr(reactor)))
    runUntil(reactor, lambda: seen.append(repr(reactor)))
    seen.append(repr(reactor))
    words = ("not started", "running on <", "stopping on <", "ended>")
    assert all(word in text for word, text in zip(words, seen, strict=True)), seen


def test_system_events_fire_as_in_twisted() -> None:
    """Startup and shutdown fire in their phases, with their errors, as Twisted does it."""
    assertSame(
        """
        from twisted.internet import defer, reactor
        out = []
        def note(name, result=None, error=None):
            def trigger(*args, **kwargs):
                print(name, args, kwargs, reactor.running)
                if error:
                    raise error
                return result
            return trigger
        gate = defer.Deferred()
        add, remove = reactor.addSystemEventTrigger, reactor.removeSystemEventTrigger
        add("before", "shutdown", note("before", gate), 1, x=2)
        add("before", "shutdown", note("fails", error=ValueError("boo")))
        add("during", "shutdown", note("during"))
        add("after", "shutdown", note("after"))
        add("before", "startup", note("before startup"))
        add("during", "startup", note("during startup"))
        add("after", "startup", note("after startup"))
        reactor.callWhenRunning(note("when running"), "a", b="c")
        gone = add("before", "shutdown", note("removed"))
        remove(gone)
        for bad in (lambda: remove(gone), lambda: add("bad", "shutdown", print)):
            try:
                bad()
            except Exception as error:
                print(type(error).__name__)
        def main():
            print(reactor.callWhenRunning(note("inline")))
            add("before", "mine", note("mine"))
            reactor.fireSystemEvent("mine")
            reactor.fireSystemEvent("mine")
            reactor.stop()
            print("stop returned", reactor.running)
            for bad in (reactor.stop, reactor.run):
                try:
                    bad()
                except Exception as error:
                    print(type(error).__name__)
            reactor.callLater(0.02, later)
        def later():
            print("fire", reactor.running)
            add("before", "shutdown", note("too late"))
            add("during", "shutdown", note("late during"))
            gate.callback(None)
        reactor.callWhenRunning(main)
        reactor.run()
        print("ended", reactor.running)
        """
    )


def test_what_waits_for_the_startup_runs_though_stop_comes_first() -> None:
    """A stop() in a trigger before the startup lets the rest of the startup happen."""
    assertSame(
        """
        from twisted.internet import reactor
        reactor.addSystemEventTrigger("before", "startup", reactor.stop)
        reactor.addSystemEventTrigger("during", "startup", lambda: print(reactor.running))
        reactor.callWhenRunning(print, "runs")
        for phase in ("before", "during", "after"):
            reactor.addSystemEventTrigger(phase, "shutdown", print, phase)
        reactor.run()
        """
    )


def test_a_scope_that_ends_at_once_has_its_startup() -> None:
    """What callWhenRunning was given runs, also where the scope has nothing to wait for."""
    out: list[str] = []

    async def main() -> None:
        async with Reactor() as reactor:
            reactor.callWhenRunning(out.append, "runs")
            reactor.addSystemEventTrigger("before", "shutdown", out.append, "ends")

    asyncio.run(main())
    assert out == ["runs", "ends"]


def test_an_awaitable_of_a_trigger_is_waited_for(reactor: Reactor) -> None:
    """A coroutine that a trigger before the shutdown returns is waited for."""
    out: list[str] = []

    async def slowly() -> None:
        await asyncio.sleep(0.01)
        out.append("slept")

    reactor.addSystemEventTrigger("before", "shutdown", slowly)
    reactor.addSystemEventTrigger("after", "shutdown", out.append, "after")
    runUntil(reactor, lambda: None)
    assert out == ["slept", "after"]


def test_it_can_be_run_again_each_time_fresh(reactor: Reactor) -> None:
    """run() works again and again; timers, triggers and threads of the last run are gone."""
    fds = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    out: list[int] = []
    for number in range(100):
        reactor.addSystemEventTrigger("during", "shutdown", out.append, number)

        def main(number: int = number) -> Deferred[Any]:
            reactor.callLater(0.0, out.append, 1000 + number)
            reactor.callLater(3600, out.append, -1)
            return threads.deferToThreadPool(reactor, reactor.getThreadPool(), out.append, -2)

        runUntil(reactor, main)
        (dropped,) = reactor.getDelayedCalls()  # listed, as in Twisted, until the next run
        assert dropped.lost
        assert reactor.threadpool is None
    assert [n for n in out if n >= 0 and n < 1000] == list(range(100))
    assert -1 not in out
    waitFor(
        lambda: not [t for t in threading.enumerate() if t.name.startswith("PoolThread-reactor")]
    )
    if fds:
        assert len(os.listdir("/proc/self/fd")) <= fds + 1


def test_calls_for_the_next_run_are_kept(reactor: Reactor) -> None:
    """After the end callLater and callWhenRunning prepare the next run."""
    out: list[str] = []
    runUntil(reactor, lambda: None)
    reactor.callLater(0, out.append, "later")
    reactor.callWhenRunning(out.append, "running")
    reactor.callLater(0.001, reactor.stop)
    assert out == []
    reactor.run()
    assert out == ["running", "later"]


def test_after_the_end_threads_are_told(reactor: Reactor) -> None:
    """After the end what only a thread would call raises, and does not leak into the next run."""
    runUntil(reactor, lambda: None)
    out: list[str] = []
    pool = reactor.getThreadPool()
    for refused in (
        lambda: reactor.callFromThread(out.append, "call"),
        lambda: reactor.callInThread(out.append, "in thread"),
        lambda: threads.deferToThreadPool(reactor, pool, out.append, "deferred"),
        lambda: threads.blockingCallFromThread(reactor, out.append, "blocking"),
        reactor.stop,
        reactor.crash,
    ):
        with pytest.raises(ReactorNotRunning):
            refused()
    runUntil(reactor, lambda: None)
    assert out == []


def test_run_in_a_running_loop_is_refused_before_it_touches_it(reactor: Reactor) -> None:
    """run() inside a running loop raises, says what to do, and leaves the loop as it was."""

    async def main() -> str:
        with pytest.raises(ReactorAlreadyRunning, match="leave run\\(\\) out"):
            reactor.run()
        return repr(reactor)

    assert asyncio.run(main()) == "<Reactor not started>"


def test_crash_keeps_what_waits(reactor: Reactor) -> None:
    """crash() lets run() return with no event; timers and triggers wait for the next run."""
    out: list[str] = []
    reactor.addSystemEventTrigger("during", "shutdown", out.append, "shutdown")
    reactor.callLater(0.02, out.append, "timer")
    reactor.callLater(0, reactor.crash)
    reactor.run()
    assert out == []
    assert repr(reactor) == "<Reactor not started>"
    reactor.callLater(0.03, reactor.stop)
    reactor.run()
    assert out == ["timer", "shutdown"]


def test_iterate_turns_the_loop(reactor: Reactor) -> None:
    """iterate() runs what is due, outside of run(); and a later run() goes on from there."""
    out: list[str] = []
    reactor.callLater(0, out.append, "timer")
    reactor.callFromThread(out.append, "call")
    for _ in range(3):
        reactor.iterate()
    assert out == ["call", "timer"]
    reactor.callLater(0.01, out.append, "later")
    reactor.iterate(0.05)
    reactor.iterate()
    assert out[2:] == ["later"]
    runUntil(reactor, lambda: out.append("run"))
    assert out[3:] == ["run"]


def test_an_end_that_iterate_turns_is_complete(reactor: Reactor) -> None:
    """Signals are given back, and no stop() of the loop is left that would end the next run."""
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    out: list[str] = []
    for end in (reactor.stop, reactor.crash):
        reactor.startRunning()
        reactor.iterate()
        assert signal.getsignal(signal.SIGINT) is not handlers[0]
        reactor.callLater(0, end)
        while repr(reactor).startswith(("<Reactor running", "<Reactor stopping")):
            reactor.iterate(0.01)
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    reactor.callLater(0.02, lambda: (out.append("whole"), reactor.stop()))
    reactor.run()
    assert out == ["whole"]


def test_the_loop_that_iterate_turns_stays(reactor: Reactor) -> None:
    """Without mainLoop() nobody closes the loop: what runs on it is left alone at the end."""
    out: list[object] = []
    kept: list[asyncio.Task[None]] = []

    async def numbers() -> AsyncIterator[int]:
        yield 1

    async def main() -> None:
        out.extend([number async for number in numbers()])

    def once() -> None:
        kept.append(asyncio.get_running_loop().create_task(main()))

    def forEver() -> None:
        kept.append(asyncio.get_running_loop().create_task(asyncio.sleep(100)))

    for start in (forEver, once):
        reactor.callWhenRunning(start)
        reactor.startRunning()
        for _ in range(5):
            reactor.iterate()
        reactor.stop()
        while "ended" not in repr(reactor):
            reactor.iterate()
    assert out == [1]
    assert not kept[0].done()
    runUntil(reactor, int)
    assert kept[0].cancelled()


def test_iterate_does_not_nest(reactor: Reactor) -> None:
    """iterate() from within the loop is refused: asyncio's loops do not nest."""
    errors: list[type[BaseException]] = []

    def main() -> None:
        try:
            reactor.iterate()
        except ReactorAlreadyRunning as error:
            errors.append(type(error))

    runUntil(reactor, main)
    assert errors == [ReactorAlreadyRunning]


def test_iterate_in_another_thread_leaves_the_loop_alone(reactor: Reactor) -> None:
    """iterate() in a thread while another one runs the reactor's loop stops nobody's loop."""

    async def main() -> list[str]:
        reactor.callLater(0, int)
        errors: list[str] = []

        def iterate() -> None:
            try:
                reactor.iterate()
            except ReactorAlreadyRunning as error:
                errors.append(str(error))

        await asyncio.to_thread(iterate)
        await asyncio.sleep(0)
        return errors

    (error,) = asyncio.run(main())
    assert "another thread runs" in error


def test_run_says_which_loop_has_the_reactor(reactor: Reactor) -> None:
    """run() while a loop that does not run has the reactor says what to do about it."""
    loop = asyncio.new_event_loop()

    async def main() -> None:
        reactor.callLater(100, int)

    loop.run_until_complete(main())
    with pytest.raises(ReactorAlreadyRunning, match="does not run now: close that"):
        reactor.run()
    loop.close()
    runUntil(reactor, int)


def test_a_loop_that_is_stopped_below_ends_in_order(reactor: Reactor) -> None:
    """If somebody stops the loop itself, the reactor still fires its shutdown events."""
    out: list[str] = []
    reactor.addSystemEventTrigger("during", "shutdown", out.append, "shutdown")
    reactor.callWhenRunning(lambda: asyncio.get_running_loop().stop())
    reactor.run()
    assert out == ["shutdown"]


def test_an_exit_out_of_the_loop_ends_in_order(reactor: Reactor) -> None:
    """A SystemExit in a foreign asyncio callback leaves run() after the shutdown events."""
    out: list[str] = []
    reactor.addSystemEventTrigger("during", "shutdown", out.append, "shutdown")
    reactor.callWhenRunning(lambda: asyncio.get_running_loop().call_soon(sys.exit, 3))
    with pytest.raises(SystemExit):
        reactor.run()
    assert out == ["shutdown"]


def test_a_second_exit_breaks_the_end_off(reactor: Reactor) -> None:
    """An exit during the end that an exit has begun leaves run(), and the reactor is free again."""
    kept: list[object] = []
    workers: list[threading.Thread] = []
    opens = threading.Event()

    def main() -> None:
        loop = asyncio.get_running_loop()
        reactor.addSystemEventTrigger("during", "shutdown", loop.call_soon, sys.exit, 4)
        reactor.callInThread(opens.wait)
        workers.extend(reactor.getThreadPool().threads)
        kept.append(loop)
        loop.call_soon(sys.exit, 3)

    reactor.callWhenRunning(main)
    with pytest.raises(SystemExit, match="4"):
        reactor.run()
    assert "ended" in repr(reactor)
    assert kept[0].is_closed()  # type: ignore[attr-defined]

    def again() -> Deferred[None]:
        # The thread that the end waited for leaves now. Its last word comes into this run, and must
        # not go on with the end that was broken off.
        opens.set()
        for thread in workers:
            thread.join(10)
        seen: Deferred[None] = Deferred()
        reactor.callFromThread(reactor.callLater, 0, seen.callback, None)
        seen.addCallback(lambda _: kept.append(reactor.running))
        return seen

    runUntil(reactor, again)
    assert kept[1:] == [True]


def test_run_ends_the_tasks_of_its_loop(reactor: Reactor) -> None:
    """What is left on the reactor's own loop is cancelled when run() ends, as by asyncio.run."""
    out: list[str] = []

    async def forEver() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            out.append("cancelled")
            raise

    def main() -> Deferred[None]:
        out.append(asyncio.get_running_loop().create_task(forEver(), name="task").get_name())
        started: Deferred[None] = Deferred()
        reactor.callLater(0, started.callback, None)
        return started

    runUntil(reactor, main)
    assert out == ["task", "cancelled"]


@pytest.mark.parametrize("end", ["stop", "crash"])
def test_tasks_may_use_the_reactor_to_clear_up(reactor: Reactor, end: str) -> None:
    """A task, or a generator, that is ended with run() has threads and timers until it has ended.

    As on a host's loop. A crash still keeps what waits for the next run.
    """
    out: list[object] = []
    kept: list[object] = []

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            out.append(await deferLater(reactor, 0.001, lambda: "generator"))

    async def main() -> None:
        generator = numbers()
        kept.append(generator)
        await anext(generator)
        try:
            await asyncio.Event().wait()
        finally:
            out.append(await threads.deferToThreadPool(reactor, reactor.getThreadPool(), int, "1"))
            out.append(await deferLater(reactor, 0.001, lambda: "later"))
            reactor.callFromThread(out.append, "call")

    def start() -> None:
        kept.append(asyncio.get_running_loop().create_task(main()))
        reactor.callLater(0.001, getattr(reactor, end))
        reactor.callLater(0.1, reactor.stop)

    reactor.addSystemEventTrigger("during", "shutdown", out.append, "shutdown")
    reactor.callWhenRunning(start)
    reactor.run()
    expected = [1, "later", "call", "generator"]
    if end == "crash":
        assert sorted(map(str, out)) == sorted(map(str, expected))
        reactor.run()
    assert sorted(map(str, out[:4])) == sorted(map(str, expected))
    assert out[4:] == ["shutdown"]


@pytest.mark.parametrize("forced", [False, True])
def test_a_task_that_does_not_end_is_reported_and_left(reactor: Reactor, forced: bool) -> None:
    """A task that ignores that it is cancelled keeps run() no longer than the limit."""
    reactor.shutdownTimeout = 100.0 if forced else 0.05
    reports: list[dict[str, Any]] = []
    cancelled: list[object] = []
    kept: list[asyncio.Task[None]] = []

    async def stubborn() -> None:
        while len(cancelled) < 3:
            try:
                await asyncio.sleep(100)
            except asyncio.CancelledError as error:
                cancelled.append(error)
                if forced:
                    reactor.callLater(0, reactor._life.force)

    coroutine = stubborn()

    def start() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: reports.append(context))
        kept.append(loop.create_task(coroutine))
        reactor.callLater(0.001, reactor.stop)

    reactor.callWhenRunning(start)
    began = time.monotonic()
    reactor.run()
    assert time.monotonic() - began < WAIT
    assert len(cancelled) == 1
    assert [report["task"] for report in reports] == kept
    coroutine.close()
    kept[0]._log_destroy_pending = False  # type: ignore[attr-defined]


def test_a_second_signal_ends_all_waiting(reactor: Reactor) -> None:
    """A second Ctrl-C ends the wait for a trigger, and what would be waited for after it."""
    reactor.shutdownTimeout = 100.0
    opens = threading.Event()
    reports: list[object] = []
    reactor.callInThread(opens.wait)

    def start() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: reports.append(context["message"]))
        reactor.stop()

    def trigger() -> Deferred[None]:
        reactor.callLater(0, reactor._life.force)
        return Deferred()

    reactor.addSystemEventTrigger("before", "shutdown", trigger)
    reactor.callWhenRunning(start)
    began = time.monotonic()
    try:
        reactor.run()
    finally:
        opens.set()
    assert time.monotonic() - began < WAIT
    assert len(reports) == 2


def test_run_in_a_thread() -> None:
    """The reactor may run in any thread, and serve blocking calls from the main one."""
    reactor = Reactor()
    thread = threading.Thread(target=reactor.run)
    thread.start()
    where = threads.blockingCallFromThread(reactor, threading.get_ident)
    reactor.callFromThread(reactor.stop)
    thread.join(10)
    assert where == thread.ident


def test_several_reactors_in_several_threads() -> None:
    """Several reactors run at the same time, each in its own thread on its own loop."""
    reactors = [Reactor() for _ in range(4)]
    workers = [threading.Thread(target=reactor.run) for reactor in reactors]
    for worker in workers:
        worker.start()
    idents = [threads.blockingCallFromThread(r, threading.get_ident) for r in reactors]
    for reactor in reactors:
        reactor.callFromThread(reactor.stop)
    for worker in workers:
        worker.join(10)
    assert idents == [worker.ident for worker in workers]


def test_a_given_loop_is_run_and_left_open() -> None:
    """install(loop) makes the default reactor run on that loop, and does not close it."""
    done = run(
        """
        import asyncio
        from twistlike.internet import asyncioreactor
        loop = asyncio.new_event_loop()
        asyncioreactor.install(loop)
        from twistlike.internet import reactor
        reactor.callWhenRunning(lambda: print(asyncio.get_running_loop() is loop))
        reactor.callWhenRunning(reactor.stop)
        reactor.run()
        print(loop.is_closed())
        for again in (loop, None, object()):
            try:
                asyncioreactor.install(again)
            except AssertionError as error:
                print(type(error).__name__)
        loop.close()
        """,
        "twistlike",
    )
    assert done.stdout == "True\nFalse\n" + f"{ReactorAlreadyInstalledError.__name__}\n" * 3


def test_a_given_loop_that_cannot_be_run_is_refused(reactor: Reactor) -> None:
    """A loop that is closed, or runs elsewhere, is refused; the reactor is as it was before."""
    before = signal.getsignal(signal.SIGINT)
    loop = asyncio.new_event_loop()
    runner = threading.Thread(target=loop.run_forever)
    reactor._runLoop.installedLoop = loop
    runner.start()
    asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(10)
    with pytest.raises(ReactorAlreadyRunning, match="another thread"):
        reactor.run()
    loop.call_soon_threadsafe(loop.stop)
    runner.join()
    loop.close()
    with pytest.raises(RuntimeError, match="closed"):
        reactor.run()
    assert "not started" in repr(reactor)
    assert signal.getsignal(signal.SIGINT) is before
    reactor._runLoop.installedLoop = None
    runUntil(reactor, lambda: None)


def test_the_loop_factory_makes_the_loop(reactor: Reactor) -> None:
    """setLoopFactory chooses what makes the loop of run(): uvloop, for example."""
    uvloop = pytest.importorskip("uvloop")
    kinds: list[str] = []
    asyncioreactor.setLoopFactory(uvloop.new_event_loop)
    try:
        runUntil(reactor, lambda: kinds.append(type(asyncio.get_running_loop()).__module__))
    finally:
        asyncioreactor.setLoopFactory(None)
    assert kinds == ["uvloop"]


# ---- signals -----------------------------------------------------------------------------------


def test_signals_are_taken_while_it_runs_and_given_back(reactor: Reactor) -> None:
    """run() takes SIGINT and SIGTERM, and gives back who had them before."""
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    during: list[object] = []

    def main() -> None:
        during.extend([signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)])

    runUntil(reactor, main)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert during[0] not in before
    assert during[1] not in before


def test_signals_are_left_alone_if_so_asked(reactor: Reactor) -> None:
    """run(installSignalHandlers=False) takes no signal."""
    before = signal.getsignal(signal.SIGTERM)
    during: list[object] = []
    reactor.callWhenRunning(lambda: during.append(signal.getsignal(signal.SIGTERM)))
    reactor.callWhenRunning(reactor.stop)
    reactor.run(installSignalHandlers=False)
    assert during == [before]


def test_somebody_elses_handler_of_sigint_is_kept(reactor: Reactor) -> None:
    """A SIGINT handler that is not Python's own (a debugger's) stays while the reactor runs."""

    def mine(*ignored: object) -> None:
        """Belong to somebody else."""

    before = signal.signal(signal.SIGINT, mine)
    try:
        during: list[object] = []
        runUntil(reactor, lambda: during.append(signal.getsignal(signal.SIGINT)))
        assert during == [mine]
        assert signal.getsignal(signal.SIGINT) is mine
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_reactor(reactor: Reactor, number: int) -> None:
    """The first signal stops the reactor: the shutdown events fire and run() returns."""
    out: list[str] = []
    reactor.addSystemEventTrigger("before", "shutdown", out.append, "shutdown")
    reactor.callLater(0.01, os.kill, os.getpid(), number)
    reactor.run()
    assert out == ["shutdown"]


def test_the_signal_that_ended_it_is_known(reactor: Reactor) -> None:
    """Twisted's own runner of programs asks the reactor by which signal it ended, if by any."""
    assert reactor._exitSignal is None
    reactor.callLater(0.01, os.kill, os.getpid(), signal.SIGTERM)
    reactor.run()
    assert reactor._exitSignal == signal.SIGTERM


def test_signals_in_the_last_calls_of_the_end(
    reactor: Reactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When nothing is waited for any more a signal does nothing; a second one breaks the call."""
    monkeypatch.setattr(run_loop, "SAME_REQUEST", -1.0)
    reactor.shutdownTimeout = 0.05
    gate = threading.Event()
    out: list[str] = []

    def lastCall(failure: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        out.append("first")
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except KeyboardInterrupt:
            out.append("second")

    def main() -> None:
        threads.deferToThreadPool(reactor, reactor.getThreadPool(), gate.wait).addErrback(lastCall)
        reactor.stop()

    monkeypatch.setattr(reactor, "_report", lambda *args: None)  # of the thread left behind
    reactor._life._report = reactor._report
    reactor.callWhenRunning(main)
    reactor.run()
    gate.set()
    assert out == ["first", "second"]


def test_stop_in_the_handler_of_a_signal_wakes_an_idle_loop(reactor: Reactor) -> None:
    """A program's own handler may stop the reactor while its loop sleeps."""
    before = signal.signal(signal.SIGUSR1, lambda number, frame: reactor.stop())
    tooLate = reactor.callLater(5, lambda: None)
    early: list[bool] = []
    reactor.addSystemEventTrigger(
        "before", "shutdown", lambda: early.append(reactor.seconds() < tooLate.getTime())
    )
    killer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1))
    try:
        reactor.callWhenRunning(killer.start)
        reactor.run()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert early == [True]


def test_attached_mode_touches_no_signal(reactor: Reactor) -> None:
    """On a host's loop the signals belong to the host."""

    async def main() -> tuple[object, object]:
        before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
        async with reactor:
            during = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
        return before, during

    before, during = asyncio.run(main())
    assert before == during


# ---- attached ----------------------------------------------------------------------------------


def everyLoop(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test with asyncio.run and with uvloop.run."""
    runs: list[Any] = [pytest.param(asyncio.run, id="asyncio")]
    try:
        import uvloop
    except ImportError:
        pass
    else:
        runs.append(pytest.param(uvloop.run, id="uvloop"))
    decorated: Callable[..., None] = pytest.mark.parametrize("run", runs)(test)
    return decorated


@everyLoop
def test_nothing_has_to_be_set_up_in_a_running_loop(
    run: Callable[..., Any], reactor: Reactor
) -> None:
    """In a running loop timers, calls from threads and jobs just work."""

    async def main() -> list[str]:
        out: list[str] = []
        done = asyncio.Event()
        reactor.callLater(0, out.append, "timer")
        worker = threading.Thread(target=reactor.callFromThread, args=(done.set,))
        worker.start()
        await done.wait()
        worker.join()
        pool = reactor.getThreadPool()
        out.append(await threads.deferToThreadPool(reactor, pool, lambda: "job"))
        return [*out, repr(reactor.running)]

    assert run(main()) == ["timer", "job", "True"]
    assert repr(reactor) == "<Reactor ended>"


@everyLoop
def test_the_end_of_the_host_is_an_orderly_end(run: Callable[..., Any], reactor: Reactor) -> None:
    """When asyncio.run returns, the shutdown events have fired, and were waited for."""
    out: list[str] = []
    gate: Deferred[str] = Deferred()

    def before() -> Deferred[None]:
        out.append("before")
        reactor.callLater(0.01, gate.callback, "fired")
        return gate.addCallback(lambda result: out.append(result))

    async def main() -> None:
        reactor.addSystemEventTrigger("before", "shutdown", before)
        reactor.addSystemEventTrigger("after", "shutdown", out.append, "after")

    run(main())
    assert out == ["before", "fired", "after"]


@everyLoop
def test_a_trigger_that_never_fires_does_not_keep_the_host(
    run: Callable[..., Any], reactor: Reactor
) -> None:
    """A host's end waits for triggers no longer than the limit, then cancels them."""
    never: Deferred[None] = Deferred()
    reactor.shutdownTimeout = 0.05

    async def main() -> None:
        reactor.addSystemEventTrigger("before", "shutdown", lambda: never)
        asyncio.get_running_loop().set_exception_handler(lambda *ignored: None)

    run(main())
    assert never.called
    assert repr(reactor) == "<Reactor ended>"


@everyLoop
@pytest.mark.parametrize("reactors", [1, 3])
def test_generators_that_the_host_closes_may_use_the_reactor(
    run: Callable[..., Any], reactor: Reactor, reactors: int
) -> None:
    """A generator that waits for a timer or a thread when the host ends it does not wait for ever.

    The reactors of one loop wait for it, and not for each other.
    """
    out: list[object] = []
    kept: list[object] = []

    async def numbers(clearUp: Callable[[], Deferred[str]]) -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            out.append(await clearUp())

    async def main() -> None:
        pool = reactor.getThreadPool()
        for clearUp in (
            lambda: deferLater(reactor, 0.001, lambda: "later"),
            lambda: threads.deferToThreadPool(reactor, pool, str, "thread"),
        ):
            generator = numbers(clearUp)
            await anext(generator)
            kept.append(generator)
        for _ in range(reactors - 1):
            another = Reactor()
            another.shutdownTimeout = 100.0
            await another.__aenter__()
            kept.append(another)
        reactor.shutdownTimeout = 100.0
        reactor.addSystemEventTrigger("during", "shutdown", out.append, "shutdown")

    began = time.monotonic()
    run(main())
    assert sorted(map(str, out[:2])) == ["later", "thread"]
    assert out[2:] == ["shutdown"]
    assert time.monotonic() - began < WAIT


@everyLoop
def test_a_generator_that_does_not_end_keeps_the_reactor_for_a_while_only(
    run: Callable[..., Any], reactor: Reactor
) -> None:
    """A generator that waits for the reactor's end gets it, after the limit."""
    kept: list[object] = []
    reactor.shutdownTimeout = 0.05
    ended = asyncio.Event()

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await ended.wait()

    async def main() -> None:
        reactor.addSystemEventTrigger("during", "shutdown", ended.set)
        generator = numbers()
        await anext(generator)
        kept.append(generator)

    run(main())
    assert repr(reactor) == "<Reactor ended>"


@everyLoop
def test_stop_leaves_the_host_alone(run: Callable[..., Any], reactor: Reactor) -> None:
    """stop() of an attached reactor fires its events and ends its threads; the loop goes on."""

    async def main() -> list[str]:
        out: list[str] = []
        reactor.addSystemEventTrigger("after", "shutdown", out.append, "after")
        await threads.deferToThreadPool(reactor, reactor.getThreadPool(), out.append, "job")
        reactor.stop()
        await until(lambda: reactor._life.loop is None)
        out.append(repr(reactor))
        with pytest.raises(ReactorNotRunning):
            reactor.callFromThread(out.append, "never")
        return out

    assert run(main()) == ["job", "after", "<Reactor ended>"]


@everyLoop
def test_async_with_is_the_explicit_scope(run: Callable[..., Any]) -> None:
    """``async with Reactor()`` attaches, and has ended when the block is left."""

    async def main() -> list[str]:
        out: list[str] = []
        async with Reactor() as reactor:
            out.append(str(reactor.running))
            assert currentReactor() is reactor
            reactor.addSystemEventTrigger("before", "shutdown", out.append, "shutdown")
            out.append(await threads.deferToThread(lambda: "job"))
            async with reactor as same:
                assert same is reactor
            reactor.attach()
            out.append(str(reactor.running))
        out.append(repr(reactor))
        return out

    assert run(main()) == ["True", "job", "True", "shutdown", "<Reactor ended>"]


def test_scopes_overlap_and_the_last_one_ends_the_reactor(reactor: Reactor) -> None:
    """Two parts of a service may each have a block, in whichever order they are left."""

    async def part(entered: asyncio.Event, leave: asyncio.Event) -> None:
        async with reactor:
            entered.set()
            await leave.wait()
            assert await threads.deferToThreadPool(reactor, reactor.getThreadPool(), int) == 0

    async def main() -> None:
        for order in ((0, 1), (1, 0)):
            events = [(asyncio.Event(), asyncio.Event()) for _ in range(2)]
            parts = [asyncio.create_task(part(*each)) for each in events]
            for entered, _ in events:
                await entered.wait()
            for last, number in zip((False, True), order, strict=True):
                events[number][1].set()
                await parts[number]
                assert reactor.running is not last

    asyncio.run(main())


def test_a_scope_of_a_life_that_was_stopped_counts_no_more(reactor: Reactor) -> None:
    """After `stop()` inside of a block, the next block ends the reactor as the first would have."""

    def state() -> str:
        return repr(reactor).split()[1].strip(">")

    async def main() -> None:
        async with reactor:
            reactor.stop()
            while state() != "ended":
                await asyncio.sleep(0)
            async with reactor:
                assert state() == "attached"
            assert repr(reactor) == "<Reactor ended>"

    asyncio.run(main())


@everyLoop
def test_scopes_that_overlap_end_with_the_last_one(run: Callable[..., Any]) -> None:
    """Two tasks that each say ``async with reactor`` can both use it until they leave."""

    async def main() -> None:
        reactor = Reactor()
        used: list[object] = []

        async def service(steps: int) -> None:
            async with reactor:
                for _ in range(steps):
                    await asyncio.sleep(0)
                pool = reactor.getThreadPool()
                used.append(await threads.deferToThreadPool(reactor, pool, int))

        await asyncio.gather(*(service(steps) for steps in (1, 20, 40)))
        assert used == [0, 0, 0]
        assert not reactor.running
        async with reactor:  # and again
            pass
        with pytest.raises(ReactorNotRunning, match=r"its `async with` block ended at .*py:"):
            reactor.callFromThread(print)

    run(main())


def test_a_scope_that_is_cancelled_still_ends(reactor: Reactor) -> None:
    """Cancelling a task inside the scope ends the reactor in order, and the task is cancelled."""

    async def main() -> None:
        entered = asyncio.Event()

        async def scope() -> None:
            async with reactor:
                entered.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(scope())
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert repr(reactor) == "<Reactor ended>"

    asyncio.run(main())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child_leaves_the_hosts_loop_alone() -> None:
    """In the child of a host's process nothing of ours asks the parent's loop for anything."""
    done = run(
        """
        import asyncio, gc, os, sys
        from twistlike.internet import reactor

        async def main():
            reactor.callLater(0, print, "attached")
            await asyncio.sleep(0.01)
            loop = asyncio.get_running_loop()
            real = loop.call_soon_threadsafe

            def noting(*args, **kwargs):
                os.write(1, b"asked\\n")
                return real(*args, **kwargs)

            loop.call_soon_threadsafe = noting
            sys.stdout.flush()
            child = os.fork()
            if not child:
                gc.collect()
                os.write(1, repr(reactor).encode() + b"\\n")
                os._exit(0)
            os.waitpid(child, 0)
            del loop.call_soon_threadsafe

        asyncio.run(main())
        """,
        "twistlike",
    )
    assert done.stdout == "attached\n<Reactor not started>\n"
    assert done.stderr == ""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_daemon_runs_what_was_asked_for_before_its_fork() -> None:
    """What waits for the first run waits in a forked child, too, as in Twisted."""
    done = run(
        """
        import os, sys
        from twistlike.internet import reactor, threads
        reactor.callWhenRunning(print, "started")
        reactor.callFromThread(print, "called")
        done = threads.deferToThread(str, "job").addCallback(print)
        done.addCallback(lambda _: reactor.callLater(0.01, reactor.stop))
        if os.fork():
            os.wait()
            os._exit(0)
        reactor.run()
        sys.stdout.flush()
        """,
        "twistlike",
    )
    assert done.stdout == "started\ncalled\njob\n"
    assert done.stderr == ""


def test_it_attaches_again_to_another_loop(reactor: Reactor) -> None:
    """A reactor that has ended with one loop serves the next one, from its first use there."""

    async def main(number: int) -> int:
        pool = reactor.getThreadPool()
        return await threads.deferToThreadPool(reactor, pool, lambda: number)

    assert [asyncio.run(main(number)) for number in range(5)] == list(range(5))


def test_it_does_not_attach_again_to_the_loop_on_which_it_was_stopped(reactor: Reactor) -> None:
    """Once stopped on a loop, only an explicit scope brings the reactor back on that loop."""

    async def main() -> None:
        async with reactor:
            pass
        assert reactor.callLater(0, print) is not None
        assert repr(reactor) == "<Reactor ended>"
        async with reactor:
            assert reactor.running

    asyncio.run(main())


def test_calls_between_two_runs_of_a_loop_run_in_the_second(reactor: Reactor) -> None:
    """A host's loop may be stopped and run again: what was posted between runs in the second."""
    loop = asyncio.new_event_loop()
    out: list[int] = []

    async def first() -> None:
        reactor.callLater(0, out.append, -1)
        await asyncio.sleep(0.001)

    loop.run_until_complete(first())
    for number in range(10):
        reactor.callFromThread(out.append, number)
    reactor.callLater(0, out.append, 10)
    loop.run_until_complete(asyncio.sleep(0.005))
    assert out == [-1, *range(11)]
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


@everyLoop
def test_a_loop_that_is_merely_closed(run: Callable[..., Any], reactor: Reactor) -> None:
    """loop.close() with no farewell: accepted calls have run, waiters are released, others told."""
    loop: asyncio.AbstractEventLoop = (
        __import__("uvloop").new_event_loop()
        if run.__module__.startswith("uvloop")
        else asyncio.new_event_loop()
    )
    out: list[str] = []
    posted = threading.Event()
    never: Deferred[None] = Deferred()

    def ask() -> Deferred[None]:
        posted.set()
        return never

    def wait() -> None:
        try:
            threads.blockingCallFromThread(reactor, ask)
        except ReactorNotRunning:
            out.append("released")

    worker = threading.Thread(target=wait)

    async def main() -> None:
        reactor.callLater(3600, out.append, "never")
        worker.start()
        await until(posted.is_set)

    loop.run_until_complete(main())
    reactor.callFromThread(out.append, "accepted")
    loop.close()
    worker.join(10)
    assert sorted(out) == ["accepted", "released"]
    with pytest.raises(ReactorNotRunning):
        reactor.callFromThread(out.append, "late")
    assert repr(reactor) == "<Reactor ended>"


def test_the_last_worker_of_an_end_that_was_broken_off_says_nothing(
    reactor: Reactor, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """A loop that is closed while the reactor waits for its threads is told nothing any more."""
    begun, opens = threading.Event(), threading.Event()
    loop = asyncio.new_event_loop()

    def job() -> None:
        begun.set()
        opens.wait(10)

    async def main() -> list[threading.Thread]:
        reactor.callInThread(job)
        await asyncio.to_thread(begun.wait)
        workers = reactor.getThreadPool().threads
        reactor.addSystemEventTrigger("during", "shutdown", loop.call_later, 0.01, loop.stop)
        reactor.stop()
        return workers

    workers = loop.run_until_complete(main())
    loop.run_forever()
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    opens.set()
    for worker in workers:
        worker.join(10)
    assert capfd.readouterr().err == ""
    assert caplog.text == ""


def test_a_reactor_that_was_never_made_is_dropped_quietly() -> None:
    """A subclass that fails before ours is made leaves an object that goes without a word."""

    class Failing(Reactor):
        def __init__(self) -> None:
            raise ValueError

    with pytest.raises(ValueError):
        Failing()
    gc.collect()


def test_a_reactor_that_nobody_wants_is_collected() -> None:
    """A reactor that is dropped while its loop lives is collected, and its workers end."""

    async def main() -> None:
        reactor = Reactor()
        await threads.deferToThreadPool(reactor, reactor.getThreadPool(), print, end="")
        gone = weakref.ref(reactor)
        workers = reactor.getThreadPool().threads
        assert workers
        while not reactor.getThreadPool().waiters:  # not until(): its condition would keep it
            await asyncio.sleep(0.001)
        del reactor
        gc.collect()
        assert gone() is None
        for worker in workers:
            worker.join(20)
            assert not worker.is_alive()

    asyncio.run(main())


# ---- which reactor -----------------------------------------------------------------------------


def test_each_loop_has_its_reactor() -> None:
    """In a running loop the current reactor is the loop's; two loops never share one."""
    found: list[Reactor] = []
    meet = threading.Barrier(2)

    async def main() -> None:
        reactor = currentReactor()
        assert currentReactor() is reactor
        found.append(reactor)
        assert await threads.deferToThread(currentReactor) is reactor
        meet.wait(10)

    others = [threading.Thread(target=asyncio.run, args=(main(),)) for _ in range(2)]
    for other in others:
        other.start()
    for other in others:
        other.join(10)
    assert len({id(reactor) for reactor in found}) == 2


def test_of_two_loops_that_come_at_once_one_gets_the_reactor(
    reactor: Reactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads with loops of their own may use a reactor first at the same moment: one gets it."""
    begin = reactor._life.begin
    begins, comes, refused = threading.Event(), threading.Event(), threading.Event()
    out: list[str] = []

    def slowly(state: Any, loop: asyncio.AbstractEventLoop) -> None:
        begins.set()
        comes.wait(20)
        refused.wait(0.05)  # time to come between, for whoever is not kept out
        begin(state, loop)

    async def first() -> None:
        reactor.callLater(0, out.append, "first")
        refused.wait(20)
        await asyncio.sleep(0.01)

    async def second() -> None:
        begins.wait(20)
        comes.set()
        try:
            with pytest.raises(WrongThreadError):
                reactor.callLater(0, out.append, "second")
        finally:
            refused.set()

    monkeypatch.setattr(reactor._life, "begin", slowly)
    others = [threading.Thread(target=asyncio.run, args=(main(),)) for main in (first, second)]
    for other in others:
        other.start()
    for other in others:
        other.join(20)
    assert out == ["first"]


@everyLoop
def test_the_reactor_is_free_only_when_all_is_undone(
    run: Callable[..., Any], reactor: Reactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread's loop may take the reactor as soon as it has none: nothing is undone then."""
    life = reactor._life
    undone: list[bool] = []

    def noting(function: Callable[..., object]) -> Callable[..., None]:
        def noted(*args: Any) -> None:
            undone.append(life.loop is not None)
            function(*args)

        return noted

    async def main() -> None:
        async with reactor:
            monkeypatch.setattr(life, "_leaveLoop", noting(life._leaveLoop))
            part = life._parts[-1]
            monkeypatch.setattr(part, "unbind", noting(part.unbind))

    run(main())
    assert undone == [True, True]


def test_without_a_loop_it_is_the_default_one() -> None:
    """Where no loop runs, and in no worker, the current reactor is the default one."""
    assert currentReactor() is asyncioreactor.defaultReactor()


# ---- the loop's thread -------------------------------------------------------------------------


def test_what_belongs_to_the_loops_thread_is_refused_elsewhere(reactor: Reactor) -> None:
    """From another thread stop, callLater and their kin raise, and name what to use instead."""
    errors: list[str] = []

    def wrong() -> None:
        for call in (
            lambda: reactor.callLater(0, print),
            lambda: reactor.callWhenRunning(print),
            lambda: reactor.addSystemEventTrigger("before", "shutdown", print),
            lambda: reactor.fireSystemEvent("mine"),
            lambda: reactor.resolve("localhost"),
            reactor.stop,
            reactor.crash,
        ):
            try:
                call()
            except WrongThreadError as error:
                errors.append(str(error))

    def main() -> Deferred[Any]:
        return threads.deferToThreadPool(reactor, reactor.getThreadPool(), wrong)

    runUntil(reactor, main)
    assert len(errors) == 7
    assert all("reactor.callFromThread(reactor." in text for text in errors)


def test_a_call_is_not_moved_earlier_by_another_thread(reactor: Reactor) -> None:
    """The alarm for it would not wake the loop: it is refused, and the call stays where it was."""
    call = reactor.callLater(3600, print)
    errors: list[str] = []

    def wrong() -> None:
        due = call.getTime()
        for move, args in ((call.reset, (0,)), (call.delay, (-1,)), (call.cancel, ())):
            with pytest.raises(WrongThreadError) as caught:
                move(*args)
            errors.append(str(caught.value))
        assert call.getTime() == due
        assert call.active()

    runUntil(reactor, lambda: threads.deferToThreadPool(reactor, reactor.getThreadPool(), wrong))
    names = ["reset", "reset", "cancel"]
    wanted = [f"reactor.callFromThread(delayedCall.{name}, ...)" for name in names]
    assert all(part in text for part, text in zip(wanted, errors, strict=True)), errors


def test_a_call_that_was_handed_over_is_not_moved_to_no_time(reactor: Reactor) -> None:
    """The handle that another thread gets refuses NaN, as that of the loop's thread does."""
    reactor.wrongThread = "warn"
    out: list[object] = []

    def elsewhere() -> None:
        with pytest.warns(RuntimeWarning):
            call = reactor.callLater(3600, out.append, "ran")
        with pytest.raises(ValueError, match="not a number"):
            call.delay(float("nan"))
        out.append(call.getTime() > reactor.seconds())

    def main() -> Deferred[Any]:
        return threads.deferToThreadPool(reactor, reactor.getThreadPool(), elsewhere)

    runUntil(reactor, main)
    assert out == [True]


def test_the_reactor_of_another_loop_is_refused(reactor: Reactor) -> None:
    """Inside one loop the reactor of another loop is as wrong as another thread."""
    first = asyncio.new_event_loop()

    async def attach() -> None:
        reactor.callLater(3600, print)

    async def use() -> None:
        with pytest.raises(WrongThreadError, match=r"currentReactor.*does not run now: close that"):
            reactor.callLater(0, print)

    first.run_until_complete(attach())
    asyncio.run(use())
    first.run_until_complete(first.shutdown_asyncgens())
    first.close()


# ---- bad input ---------------------------------------------------------------------------------


@pytest.mark.parametrize("delay", [-1, float("nan"), "1", None])
def test_a_bad_delay_is_refused(reactor: Reactor, delay: Any) -> None:
    """Negative delays, NaN and what is no number are refused by callLater."""
    with pytest.raises((TypeError, ValueError), match="delay"):
        reactor.callLater(delay, print)


@pytest.mark.parametrize("seconds", [-1, float("nan"), "1", None])
def test_a_bad_shutdown_timeout_is_refused(reactor: Reactor, seconds: Any) -> None:
    """A limit for the end that is no time is refused when it is set, not when it is needed."""
    with pytest.raises((TypeError, ValueError), match="shutdownTimeout is a number of seconds"):
        reactor.shutdownTimeout = seconds
    assert reactor.shutdownTimeout == 2.0


@pytest.mark.parametrize("name", ["callFromThread", "callInThread"])
def test_what_is_not_callable_is_refused_in_the_caller(reactor: Reactor, name: str) -> None:
    """callFromThread(None) fails where it was called, not later in the loop."""
    with pytest.raises(TypeError, match=name):
        getattr(reactor, name)(None)


@pytest.mark.parametrize("size", [-1, 2.5, "3"])
def test_a_bad_pool_size_is_refused(reactor: Reactor, size: Any) -> None:
    """suggestThreadPoolSize takes whole numbers from 0 up."""
    with pytest.raises((TypeError, ValueError), match="size of a pool"):
        reactor.suggestThreadPoolSize(size)


# ---- errors of calls ---------------------------------------------------------------------------


@everyLoop
def test_errors_go_to_the_loops_exception_handler(
    run: Callable[..., Any], reactor: Reactor
) -> None:
    """What a call raises goes to the exception handler of the loop, with what was called."""
    seen: list[dict[str, Any]] = []

    def bad() -> None:
        raise ValueError("bad")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: seen.append(context))
        reactor.callFromThread(bad)
        reactor.callLater(0, bad)
        reactor.callInThread(bad)
        reactor.addSystemEventTrigger("during", "mine", bad)
        reactor.fireSystemEvent("mine")
        await until(lambda: len(seen) >= 4)

    run(main())
    assert [str(context["exception"]) for context in seen] == ["bad"] * 4


def test_errors_that_a_worker_lets_go_of_go_to_the_loops_exception_handler(
    reactor: Reactor, caplog: pytest.LogCaptureFixture
) -> None:
    """If a worker is the last to hold a Deferred, its error is the loop's all the same."""
    seen: list[dict[str, Any]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: seen.append(context))
        async with reactor:
            failed: list[Deferred[object]] = [Deferred()]
            failed[0].errback(ValueError("bad"))
            await threads.deferToThreadPool(reactor, reactor.getThreadPool(), failed.clear)

    asyncio.run(main())
    assert [str(context["exception"]) for context in seen] == ["bad"]
    assert seen[0]["thread"] != threading.current_thread().name
    assert caplog.text == ""


def test_an_exit_in_a_call_ends_a_host_after_the_batch(reactor: Reactor) -> None:
    """On a host's loop SystemExit leaves the loop, once the rest of the batch has run."""
    out: list[str] = []

    async def main() -> None:
        reactor.callFromThread(sys.exit, 3)
        reactor.callFromThread(out.append, "rest")
        await asyncio.sleep(1)

    with pytest.raises(SystemExit):
        asyncio.run(main())
    assert out == ["rest"]


def test_an_exit_in_a_call_is_reported_when_running(reactor: Reactor) -> None:
    """On its own loop a call's SystemExit is reported and the reactor runs on, as in Twisted."""
    seen: list[object] = []

    def main() -> Deferred[None]:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: seen.append(context["exception"]))
        reactor.callFromThread(sys.exit, 3)
        ended: Deferred[None] = Deferred()
        reactor.callLater(0.01, ended.callback, None)
        return ended

    runUntil(reactor, main)
    assert [type(error) for error in seen] == [SystemExit]


# ---- names -------------------------------------------------------------------------------------


def test_names_are_resolved_in_a_thread_of_their_own(reactor: Reactor) -> None:
    """resolve() works while every thread of the users' pool is busy."""
    release = threading.Event()
    found: list[object] = []

    def main() -> Deferred[Any]:
        for _ in range(20):
            reactor.callInThread(release.wait, 30)
        looked = reactor.resolve("localhost")
        looked.addBoth(found.append).addBoth(lambda _: release.set())
        return looked

    runUntil(reactor, main)
    assert found == ["127.0.0.1"]


def test_an_address_is_its_own_name(reactor: Reactor) -> None:
    """resolve() of an address answers at once with that address."""
    found: list[object] = []
    runUntil(reactor, lambda: reactor.resolve("10.0.0.1").addCallback(found.append))
    assert found == ["10.0.0.1"]


def test_a_name_that_is_not_there_fails(reactor: Reactor, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that cannot be resolved fails with DNSLookupError, which names it."""
    import socket

    def refuse(name: str) -> str:
        raise socket.gaierror(-2, "unknown")

    monkeypatch.setattr(socket, "gethostbyname", refuse)
    errors: list[BaseException] = []
    runUntil(
        reactor, lambda: reactor.resolve("no.such").addErrback(lambda f: errors.append(f.value))
    )
    assert [type(error) for error in errors] == [DNSLookupError]
    assert "no.such" in str(errors[0])


def test_a_look_up_that_takes_too_long_fails(
    reactor: Reactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look-up fails when its timeouts have passed, and its late answer is dropped."""
    import socket

    release = threading.Event()
    monkeypatch.setattr(socket, "gethostbyname", lambda name: release.wait(30) and name)
    errors: list[BaseException] = []

    def main() -> Deferred[Any]:
        looked = reactor.resolve("slow", timeout=(0.01, 0.01))
        looked.addErrback(lambda failure: errors.append(failure.value))
        return looked.addBoth(lambda _: release.set())

    runUntil(reactor, main)
    assert [type(error) for error in errors] == [DNSLookupError]


def test_a_look_up_that_outlives_the_reactor_fails(
    reactor: Reactor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The end does not leave it silent; what the resolver says later is dropped without a word."""
    import socket

    release = threading.Event()
    workers: list[threading.Thread] = []

    def stuck(name: str) -> str:
        workers.append(threading.current_thread())
        release.wait(20)
        return "10.0.0.1"

    monkeypatch.setattr(socket, "gethostbyname", stuck)
    reactor.shutdownTimeout = 0.05
    out: list[Any] = []

    def main() -> None:
        reactor.resolve("stuck.example").addErrback(lambda failure: out.append(failure.value))
        reactor.callLater(0.01, reactor.stop)

    reactor.callWhenRunning(main)
    reactor.run()
    assert [type(error) for error in out] == [DNSLookupError]
    caplog.clear()
    release.set()
    workers[0].join(10)
    assert caplog.text == ""


def test_succeed_helps() -> None:
    """A Deferred that has fired already stops the helper of these tests, too."""
    reactor = Reactor()
    runUntil(reactor, lambda: succeed(None))
    assert repr(reactor) == "<Reactor ended>"


def test_a_job_may_have_an_argument_that_is_called_callable(reactor: Reactor) -> None:
    """callInThread passes every keyword on, as in Twisted."""
    found: list[object] = []

    def job(callable: object) -> None:
        found.append(callable)
        reactor.callFromThread(reactor.stop)

    reactor.callWhenRunning(lambda: reactor.callInThread(job, callable=3))
    reactor.run()
    assert found == [3]
