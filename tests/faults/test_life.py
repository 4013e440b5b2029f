"""Faults at the start and the end: stopping, signals, forks, the interpreter's exit."""

from __future__ import annotations

import asyncio
import atexit
import gc
import os
import signal
import threading
import time
from collections.abc import Callable
from time import monotonic
from typing import Any

from tests.faults.harness import Host, atOnce, fault, inThread
from tests.waits import until, waitFor
from twistlike._pool import pool
from twistlike._reactor.run_loop import SAME_REQUEST
from twistlike.internet.asyncioreactor import Reactor, defaultReactor
from twistlike.internet.error import ReactorAlreadyRunning, ReactorNotRunning, WrongThreadError
from twistlike.internet.threads import blockingCallFromThread, deferToThread, deferToThreadPool
from twistlike.python.threadpool import ThreadPool

# ---- stopping ------------------------------------------------------------------------------------


@fault()
def test_stop_from_worker(host: Host) -> None:
    """callFromThread(reactor.stop) by a worker ends run() at once; a second one does no harm."""

    async def main(reactor: Reactor) -> None:
        def stop() -> None:
            reactor.callFromThread(reactor.stop)
            reactor.callFromThread(stopAgain)

        def stopAgain() -> None:
            try:
                reactor.stop()
            except ReactorNotRunning:
                refused.append(1)

        reactor.shutdownTimeout = 100.0
        reactor.callInThread(stop)

    refused: list[int] = []
    with atOnce():
        host.run(main, stop=False)
    assert refused == [1]


@fault()
def test_stop_wrong_thread(host: Host) -> None:
    """reactor.stop() called directly from another thread raises there, and names what to call."""

    async def main(reactor: Reactor) -> None:
        def stop() -> str:
            try:
                reactor.stop()
            except WrongThreadError as error:
                return str(error)
            return ""

        assert "callFromThread(reactor.stop" in await inThread(stop)

    host.run(main)


@fault()
def test_later_wrong_thread(host: Host) -> None:
    """reactor.callLater from another thread raises there; it is never late in silence."""

    async def main(reactor: Reactor) -> None:
        def later() -> str:
            try:
                reactor.callLater(0, int)
            except WrongThreadError as error:
                return str(error)
            return ""

        assert "callFromThread(reactor.callLater" in await inThread(later)
        # ... and as it says, it works:
        called = threading.Event()
        await inThread(reactor.callFromThread, reactor.callLater, 0.01, called.set)
        await until(called.is_set)

    host.run(main)


@fault(modes=("run",))
def test_run_twice(host: Host) -> None:
    """run() inside run() raises; run() after the end works."""
    reactor = Reactor()
    for _ in range(3):

        async def main(reactor: Reactor) -> int:
            for function in (reactor.run, reactor.iterate, Reactor().run):
                try:
                    function()
                except ReactorAlreadyRunning:
                    pass
                else:
                    raise AssertionError("it ran")
            return await deferToThread(int, "1")

        assert host.run(main, reactor) == 1


@fault(modes=("run",))
def test_run_in_thread(host: Host) -> None:
    """The reactor may run in a thread and serve blockingCallFromThread from the main thread."""
    reactor = Reactor()
    thread = threading.Thread(target=reactor.run)
    thread.start()
    assert blockingCallFromThread(reactor, threading.get_ident) == thread.ident
    assert blockingCallFromThread(reactor, lambda: deferToThread(int, "7")) == 7
    reactor.callFromThread(reactor.stop)
    thread.join(10)
    assert not thread.is_alive()


@fault()
def test_stop_trigger_uses_pool(host: Host) -> None:
    """A 'before shutdown' trigger may use the pool and blocking calls; its Deferred is awaited."""
    results: list[object] = []

    async def main(reactor: Reactor) -> None:
        def before() -> Any:
            def work() -> int:
                return blockingCallFromThread(reactor, lambda: deferToThread(int, "32"))

            return deferToThreadPool(reactor, reactor.getThreadPool(), work).addCallback(
                results.append
            )

        reactor.addSystemEventTrigger("before", "shutdown", before)

    host.run(main)
    assert results == [32]


def countDescriptors() -> int:
    """Return how many file descriptors are open."""
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


@fault(modes=("run",), limit=60)
def test_many_reactors(host: Host) -> None:
    """50 reactors, one after the other in threads: descriptors and threads do not pile up."""

    def one() -> None:
        reactor = Reactor()

        async def main(reactor: Reactor) -> None:
            assert await deferToThread(int, "3") == 3

        results.append(host.run(main, reactor))

    results: list[None] = []
    counts: list[int] = []
    for _ in range(50):
        thread = threading.Thread(target=one)
        thread.start()
        thread.join(20)
        assert not thread.is_alive()
        gc.collect()
        counts.append(countDescriptors())
    assert len(results) == 50
    assert counts[-1] <= counts[4], counts
    assert threading.active_count() < 5


# ---- forks ---------------------------------------------------------------------------------------


def inChild(function: Callable[[], object], seconds: float = 20.0) -> None:
    """Run a function in a forked child; fail if it fails there, or does not end."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            function()
            code = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(code)
    ended: list[int] = []
    waiting = threading.Thread(target=lambda: ended.append(os.waitpid(pid, 0)[1]))
    waiting.start()
    waiting.join(seconds)
    if waiting.is_alive():
        os.kill(pid, signal.SIGKILL)  # it may hang in the handlers of the fork itself
        waiting.join()
    assert ended == [0], f"the child ended with status {ended}"


def quietForks() -> None:
    """CPython 3.12 and later warn of forks in a process with threads; that is the point here."""
    import warnings

    warnings.simplefilter("ignore", DeprecationWarning)


@fault(alone=True)
def test_fork_live_pool(host: Host) -> None:
    """In a forked child the pool works again with fresh threads; the parent is unharmed."""
    quietForks()

    async def main(reactor: Reactor) -> None:
        own = ThreadPool(1, 2, "own")
        own.start()
        opens = threading.Event()
        pool = reactor.getThreadPool()
        busy = deferToThreadPool(reactor, pool, opens.wait)
        await until(lambda: pool.stats().busy == 1)

        def child() -> None:
            ran = threading.Event()
            own.callInThread(ran.set)
            assert ran.wait(10), "the child's pool does not work"
            own.stop()

        await inThread(inChild, child)
        opens.set()
        assert await busy is True
        assert await deferToThreadPool(reactor, own, int, "4") == 4
        await inThread(own.stop)

    host.run(main)


@fault(alone=True)
def test_fork_with_held_locks(host: Host) -> None:
    """A fork while another thread holds the pool's lock: the child frees all of the parent's."""
    quietForks()

    async def main(reactor: Reactor) -> None:
        workers = reactor.getThreadPool()._workers  # the pool itself is the reactor's alone
        assert await deferToThread(int, "1") == 1
        held, over = threading.Event(), threading.Event()

        def hold() -> None:
            with workers.lock:
                held.set()
                over.wait(20)

        holding = inThread(hold)
        await until(held.is_set)
        try:
            await inThread(inChild, lambda: None, 5.0)
        finally:
            over.set()
        await holding

    host.run(main)


@fault(alone=True)
def test_fork_child_reactor(host: Host) -> None:
    """A forked child can make and run its own reactor; the parent's is not disturbed."""
    quietForks()

    async def main(reactor: Reactor) -> None:
        ran: list[str] = []

        def child() -> None:
            # Of the parent's loop nothing is left: neither this thread's, nor its reactor's.
            asyncio._set_running_loop(None)
            for mine in (Reactor(), reactor):
                results: list[object] = []

                def begin(mine: Reactor = mine, results: list[object] = results) -> None:
                    deferToThread(int, "8").addCallback(results.append).addCallback(
                        lambda _: mine.stop()
                    )

                mine.callWhenRunning(begin)
                mine.run()
                assert results == [8], results

        await inThread(inChild, child)
        await inThread(reactor.callFromThread, ran.append, "parent")
        await until(lambda: ran == ["parent"])
        assert await deferToThread(int, "9") == 9

    host.run(main)


@fault(alone=True, limit=90)
def test_fork_under_load(host: Host) -> None:
    """20 forks while 4 threads hammer inbox and pool: no child inherits a held lock."""
    quietForks()

    async def main(reactor: Reactor) -> None:
        over = threading.Event()
        pool = reactor.getThreadPool()

        def hammer() -> None:
            while not over.is_set():
                if len(reactor._inbox) > 500 or pool.stats().queued > 500:
                    over.wait(0.001)
                reactor.callFromThread(int)
                reactor.callInThread(int)
                pool.submit(int)

        threads = [threading.Thread(target=hammer) for _ in range(4)]
        for thread in threads:
            thread.start()

        def child() -> None:
            own = ThreadPool(0, 2, "own")
            own.start()
            assert own.submit(int, "5").result(10) == 5
            assert pool.submit(int, "6").result(10) == 6
            own.stop()
            # Not "over.set()": a hammer of the parent's may have held its lock.

        def forks() -> None:
            for _ in range(5 if host.slow else 20):
                inChild(child)

        try:
            await inThread(forks)
        finally:
            over.set()
        for thread in threads:
            await inThread(thread.join)

    host.run(main)


# ---- signals -------------------------------------------------------------------------------------


def interrupt() -> None:
    """Send this process what a terminal sends at Ctrl-C."""
    os.kill(os.getpid(), signal.SIGINT)


@fault(alone=True)
def test_sigint_after_run(host: Host) -> None:
    """After run() ended, Ctrl-C raises KeyboardInterrupt again: no dead handler swallows it."""

    async def main(reactor: Reactor) -> None:
        pass

    host.run(main, installSignalHandlers=True)
    try:
        interrupt()
        time.sleep(5)
    except KeyboardInterrupt:
        return
    raise AssertionError("the signal was swallowed")


@fault(alone=True, modes=("run",))
def test_sigint_run(host: Host) -> None:
    """SIGINT during run(): shutdown triggers fire, run() returns, the handler is given back."""
    fired: list[str] = []
    reactor = Reactor()
    reactor.shutdownTimeout = 100.0
    reactor.addSystemEventTrigger("before", "shutdown", fired.append, "before")
    reactor.addSystemEventTrigger("after", "shutdown", fired.append, "after")
    reactor.callWhenRunning(lambda: reactor.callLater(0.05, interrupt))
    before = signal.getsignal(signal.SIGINT)
    with atOnce():
        reactor.run()
    assert fired == ["before", "after"]
    assert signal.getsignal(signal.SIGINT) is before


@fault(alone=True, modes=("run",))
def test_sigint_storm(host: Host) -> None:
    """30 SIGINTs in 30 ms while shutdown takes 0.5 s: one orderly end, no exception from run()."""
    fired: list[str] = []
    reactor = Reactor()

    def storm() -> None:
        for _ in range(30):
            interrupt()
            time.sleep(0.001)

    def shutdown() -> Any:
        from twistlike.internet.defer import Deferred

        fired.append("before")
        done: Deferred[None] = Deferred()
        reactor.callLater(0.5, done.callback, None)
        return done

    reactor.addSystemEventTrigger("before", "shutdown", shutdown)
    reactor.addSystemEventTrigger("after", "shutdown", fired.append, "after")
    thread = threading.Thread(target=storm)
    reactor.callWhenRunning(thread.start)
    begin = monotonic()
    with atOnce():
        reactor.run()
    thread.join()
    assert fired == ["before", "after"]
    assert monotonic() - begin > 0.4  # no signal has forced the end


@fault("1 thread was left behind:.*opens.wait", alone=True, modes=("run",))
def test_sigint_pool_stuck(host: Host) -> None:
    """SIGINT with a worker stuck for ever: run() ends within its limit, here by the second one."""
    opens = threading.Event()
    reactor = Reactor()
    reactor.shutdownTimeout = 100.0
    reactor.callInThread(lambda: opens.wait())
    reactor.callWhenRunning(lambda: reactor.callLater(0.05, interrupt))
    # Later than what counts as the same request.
    second = threading.Timer(3 * SAME_REQUEST, interrupt)
    reactor.addSystemEventTrigger("before", "shutdown", second.start)
    with atOnce():
        reactor.run()
    assert second.finished.is_set()


@fault("1 thread was left behind:.*opens.wait", alone=True, modes=("run",))
def test_sigint_pool_stuck_once(host: Host) -> None:
    """The same with one SIGINT: run() ends when the limit is over, and so does the process."""
    opens = threading.Event()
    reactor = Reactor()
    reactor.shutdownTimeout = 0.5
    reactor.callInThread(lambda: opens.wait())
    reactor.callWhenRunning(lambda: reactor.callLater(0.05, interrupt))
    with atOnce():
        reactor.run()
    with atOnce():
        pool._atExit()  # it has had its time: the interpreter does not wait for it once more


# ---- the interpreter's exit ----------------------------------------------------------------------


@fault(alone=True, modes=("run",))
def test_exit_pool_idle(host: Host) -> None:
    """A started pool that nobody stopped does not keep the interpreter from ending."""
    pool = ThreadPool(3, 5, "forgotten")
    pool.start()
    pool.submit(int).result(10)


@fault(r"3 calls and jobs were never run", alone=True, modes=("run",))
def test_exit_never_run(host: Host) -> None:
    """deferToThread without ever running the reactor: the interpreter ends."""
    deferToThread(int)
    defaultReactor().callInThread(int)
    defaultReactor().callFromThread(int)


kept: list[ThreadPool] = []


@fault(r"Left behind at the interpreter's exit:.*stuck\.wait", alone=True, modes=("run",))
def test_exit_worker_stuck(host: Host) -> None:
    """A worker stuck for ever does not keep the interpreter from ending, and is named."""
    stuck = threading.Event()
    pool = ThreadPool(1, 1, "stuck")
    kept.append(pool)  # one that nobody holds would be forgotten without a word
    pool.exitTimeout = 0.3
    pool.start()
    pool.callInThread(lambda: stuck.wait())
    waitFor(lambda: pool.stats().busy)


@fault(mayReport=(r"never run",), alone=True, modes=("run",))
def test_exit_submits(host: Host) -> None:
    """atexit handlers and late threads that call in neither hang nor crash the exit."""
    reactor = Reactor()

    async def main(reactor: Reactor) -> None:
        await deferToThread(int)

    host.run(main, reactor)
    pool = ThreadPool(1, 2, "late")
    pool.start()
    never = Reactor()

    def submit() -> None:
        for call in (
            reactor.callFromThread,
            reactor.callInThread,
            never.callFromThread,
            never.callInThread,
            pool.callInThread,
            pool.submit,
        ):
            try:
                call(int)
            except RuntimeError:
                pass  # an answer, and no crash

    atexit.register(submit)
    over = threading.Event()

    def late() -> None:
        while not over.wait(0.001):
            submit()

    threading.Thread(target=late, daemon=True).start()
