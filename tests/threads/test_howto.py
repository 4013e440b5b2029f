"""What Twisted's document "Using Threads in Twisted" states, tried on Twisted and on twistlike.

Each test is one statement; what it says stands in its docstring. Each program runs on both, and
what it prints must be the same. The snippets of the document stand here as they stand there, with
what a test needs in front of them; the one that fetches a page asks a function of ours instead.
"""

from __future__ import annotations

import textwrap

import pytest

from tests.oracle import Transcript, assertSame, run

BEGIN = """
import sys, threading, time
from twisted.internet import defer, reactor, threads

def where():
    return "reactor" if threading.get_ident() == home else "elsewhere"

def start(function):
    global home
    home = threading.get_ident()
    def begin():
        d = defer.maybeDeferred(function)
        d.addErrback(lambda failure: print("FAILED", failure.getTraceback()))
        d.addBoth(lambda _: reactor.stop())
    reactor.callWhenRunning(begin)
    reactor.run()
"""
"""``where()`` tells the thread; ``start(f)`` runs the reactor until the Deferred of f() fires."""

ENDS_WITH_ITS_PRINT = """
import builtins, time
from twisted.internet import reactor
sleep, write = time.sleep, print
def printAndStop(*things):
    write(*things, threading.current_thread() is threading.main_thread())
    reactor.callFromThread(reactor.stop)
import threading
builtins.print = printAndStop
time.sleep = lambda seconds: sleep(seconds / 20)
"""
"""Ends a snippet that would run for ever at its first print, and has less patience."""


def same(program: str, begin: str = BEGIN) -> Transcript:
    """Run a program on both; it must end well, and print something."""
    ours = assertSame(begin + textwrap.dedent(program))
    assert ours.returncode == 0, ours.stderr
    assert "FAILED" not in ours.stdout
    assert ours.stderr == ""
    return ours


def test_callbacks_are_called_from_run() -> None:
    """Whatever is registered with the reactor is called by reactor.run(), in its thread."""
    ours = same("""
        def callers():
            frame = sys._getframe(2)
            while frame:
                yield frame.f_code.co_name
                frame = frame.f_back
        def check(name, result=None):
            print(name, where(), "caller" in callers())
        def main():
            done = [defer.Deferred() for _ in range(4)]
            for each, name in zip(done, ["timer", "in order", "from a thread", "a job's result"]):
                each.addCallback(lambda _, name=name: check(name))
            reactor.callLater(0, done[0].callback, None)
            reactor.callFromThread(done[1].callback, None)
            thread = threading.Thread(target=reactor.callFromThread, args=(done[2].callback, None))
            thread.start()
            thread.join()
            d = defer.gatherResults(done[:3])
            d.addCallback(lambda _: threads.deferToThread(int))
            d.addCallback(done[3].callback)
            reactor.addSystemEventTrigger("before", "shutdown", check, "at shutdown")
            check("when running")
            return d
        def caller():
            start(main)
        caller()
    """)
    assert ours.stdout.count("reactor True") == 6


def test_the_reactor_thread_is_the_one_that_called_run() -> None:
    """Called main, reactor or I/O thread: the thread that called run(), whichever that is."""
    same("""
        def inThread():
            global home
            home = threading.get_ident()
            reactor.callWhenRunning(lambda: print(where()))
            reactor.callWhenRunning(reactor.stop)
            reactor.run(installSignalHandlers=False)
        thread = threading.Thread(target=inThread)
        thread.start()
        thread.join()
    """)


def test_no_threads_without_need() -> None:
    """The reactor by itself, with timers, calls and Deferreds, makes no thread."""
    same("""
        def main():
            d = defer.Deferred()
            reactor.callLater(0.05, d.callback, None)
            reactor.callFromThread(lambda: None)
            d.addCallback(lambda _: print(threading.enumerate() == [threading.main_thread()]))
            return d
        start(main)
    """)


def test_host_names_are_resolved_in_the_pool() -> None:
    """The system's blocking resolver is called in a thread; its result comes as a Deferred."""
    same("""
        asked = []
        def note(event, args):
            if event in ("socket.getaddrinfo", "socket.gethostbyname"):
                asked.append(where())
        sys.addaudithook(note)
        def main():
            d = reactor.resolve("localhost")
            d.addCallback(lambda address: print(address, where(), set(asked)))
            return d
        start(main)
    """)


def test_many_things_at_once_happen_in_one_thread() -> None:
    """Many timers and Deferreds at once: one thread, one thing after the other, no locks."""
    same("""
        inside = 0
        seen = set()
        def work(d, number):
            global inside
            inside += 1
            seen.add((where(), inside))
            inside -= 1
            d.callback(number)
        def main():
            all = []
            for number in range(200):
                d = defer.Deferred()
                reactor.callLater(number % 7 / 1000, work, d, number)
                all.append(d)
            return defer.gatherResults(all).addCallback(lambda r: print(sum(r), seen))
        start(main)
    """)


def test_other_methods_are_for_the_reactor_thread_only() -> None:
    """A method not documented as thread-safe is refused in another thread, with what to do.

    In Twisted it may work, or hang, or corrupt data; there is nothing to compare with.
    """
    program = BEGIN + textwrap.dedent("""
        def inThread():
            for function in (lambda: reactor.callLater(0, int), reactor.stop):
                try:
                    function()
                except Exception as error:
                    print(type(error).__name__, "callFromThread" in str(error))
        start(lambda: threads.deferToThread(inThread))
    """)
    assert run(program, "twistlike").stdout == "WrongThreadError True\n" * 2


def test_the_snippet_with_call_from_thread() -> None:
    """A function is given to the reactor, which runs it in its own thread, with its arguments."""
    same(
        """
        from twisted.internet import reactor
        def notThreadSafe(someProtocol, message):
            someProtocol.transport.write(b"a message: " + message)
        def callFromWhateverThreadYouWant():
            reactor.callFromThread(notThreadSafe, b"hello")
        # What follows is ours: as it stands there the call lacks its first argument.
        class Protocol:
            class transport:
                def write(message):
                    print(message, where())
        import functools
        notThreadSafe = functools.partial(notThreadSafe, Protocol)
        start(lambda: threads.deferToThread(callFromWhateverThreadYouWant))
        """
    )


def test_call_from_thread_is_for_any_thread() -> None:
    """Any thread may call callFromThread; the function runs only in the reactor's."""
    same("""
        results, names = [], []
        def note(name, number, *, done=None):
            results.append((name, number, where()))
            if done:
                done.callback(None)
        def calls(name, done=None):
            for number in range(100):
                reactor.callFromThread(note, name, number)
            reactor.callFromThread(note, name, "last", done=done)
        def main():
            done = [defer.Deferred() for _ in range(7)]
            for name in range(5):
                threading.Thread(target=calls, args=(name, done[name])).start()
            reactor.callInThread(calls, 5, done[5])
            calls(6, done[6])
            return defer.gatherResults(done)
        start(main)
        print(len(results), {r[2] for r in results})
        for name in range(7):
            print([number for n, number, _ in results if n == name] == [*range(100), "last"])
    """)


def test_calls_from_threads_run_in_their_order_also_from_before_the_start() -> None:
    """Calls run in the order in which they were made; what was asked for early waits."""
    same("""
        log = []
        for number in range(5):
            reactor.callFromThread(log.append, number)
        reactor.callInThread(reactor.callFromThread, lambda: log.append("from the pool"))
        print(log, reactor.running)
        def main():
            d = defer.Deferred()
            reactor.callFromThread(log.append, 5)
            def look():
                if "from the pool" in log:
                    log.remove("from the pool")
                    d.callback(None)
                else:
                    reactor.callLater(0.01, look)
            look()
            return d.addCallback(lambda _: print(log, reactor.running))
        start(main)
        print(reactor.running)
    """)


def test_the_snippet_with_call_in_thread() -> None:
    """A method that blocks runs in a thread that is not the reactor's."""
    ours = same(
        """
        from twisted.internet import reactor
        def aSillyBlockingMethod(x):
            import time
            time.sleep(2)
            print(x)
        reactor.callInThread(aSillyBlockingMethod, "2 seconds have passed")
        reactor.run()
        """,
        begin=ENDS_WITH_ITS_PRINT,
    )
    assert ours.stdout == "2 seconds have passed False\n"


def test_jobs_wait_in_a_queue_for_the_next_thread() -> None:
    """Work is queued and taken in order by the next free thread: it may not run at once."""
    same("""
        reactor.suggestThreadPoolSize(1)
        gate, log = threading.Event(), []
        def main():
            done = defer.Deferred()
            reactor.callInThread(gate.wait, 20)
            for number in range(5):
                reactor.callInThread(log.append, number)
            reactor.callInThread(reactor.callFromThread, done.callback, None)
            print("nothing yet:", log)
            reactor.callLater(0.05, lambda: (print("nothing yet:", log), gate.set()))
            return done.addCallback(lambda _: print(log))
        start(main)
    """)


@pytest.mark.parametrize("size", [1, 3, None])
def test_a_fixed_maximum_runs_at_once_shared_by_all_users(size: int | None) -> None:
    """No more jobs than the maximum run at once, whoever submitted them and by which function."""
    same(f"""
        size = {size}
        if size:
            reactor.suggestThreadPoolSize(size)
        limit = size or 10
        lock, gate, full = threading.Lock(), threading.Event(), threading.Event()
        now = most = 0
        def job():
            global now, most
            with lock:
                now += 1
                most = max(most, now)
                if now == limit:
                    full.set()
            gate.wait(20)
            with lock:
                now -= 1
        def main():
            all = []
            for number in range(2 * limit):
                all.append(threads.deferToThread(job))
                d = defer.Deferred()
                all.append(d)
                reactor.callInThread(lambda d=d: (job(), reactor.callFromThread(d.callback, None)))
            print(full.wait(20), now)
            reactor.callLater(0.05, gate.set)
            return defer.gatherResults(all).addCallback(lambda _: print(most, now))
        start(main)
    """)


def test_jobs_that_wait_for_jobs_can_fill_the_pool() -> None:
    """As many blockers as threads: their unblockers cannot run, and nothing moves by itself."""
    same("""
        from queue import Queue
        X = 4
        reactor.suggestThreadPoolSize(X)
        q, begun, sums = Queue(), Queue(), Queue()
        def blocker():
            begun.put(None)
            sums.put(q.get() + q.get())
        def unblocker(a, b):
            q.put(a)
            q.put(b)
        def main():
            for each in range(X):
                reactor.callInThread(blocker)
            for each in range(X):
                begun.get()
            done = threads.deferToThread(unblocker, 1, 2)
            d = defer.Deferred()
            reactor.callLater(0.1, d.callback, None)
            def help(_):
                print("wedged:", not done.called, q.empty(), sums.empty())
                for each in range(2 * X):
                    q.put(10)
                print([sums.get() for each in range(X)])
                return done
            return d.addCallback(help)
        start(main)
    """)


def test_out_of_the_reactor_thread_and_into_it() -> None:
    """callInThread moves a call out of the reactor's thread and callFromThread into it."""
    same("""
        def main():
            done = defer.Deferred()
            def inside():
                print(where())
                done.callback(None)
            def outside(*, call):
                print(where())
                call(inside)
            print(where())
            reactor.callInThread(outside, call=reactor.callFromThread)
            return done
        start(main)
    """)


def test_the_snippet_with_defer_to_thread() -> None:
    """The result of blocking code comes back into the reactor's thread, by a Deferred."""
    ours = same(
        """
        from twisted.internet import reactor, threads
        def doLongCalculation():
            # .... do long calculation here ...
            return 3
        def printResult(x):
            print(x)
        # run method in thread and get result as defer.Deferred
        d = threads.deferToThread(doLongCalculation)
        d.addCallback(printResult)
        reactor.run()
        """,
        begin=ENDS_WITH_ITS_PRINT,
    )
    assert ours.stdout == "3 True\n"


def test_defer_to_thread_gives_result_or_failure() -> None:
    """The function runs elsewhere with its arguments; its result or error comes to a callback."""
    same("""
        def works(a, *, b):
            return a, b, where()
        def fails():
            raise KeyError("no", where())
        def show(result):
            print(where(), result)
        async def main():
            await threads.deferToThread(works, 1, b=2).addCallback(show)
            await threads.deferToThread(fails).addErrback(lambda f: show((f.type, f.value)))
            try:
                await threads.deferToThread(fails)
            except KeyError as error:
                show(error)
        start(lambda: defer.ensureDeferred(main()))
    """)


def test_the_snippet_with_blocking_call_from_thread() -> None:
    """A thread has code run in the reactor's thread and waits for its result or its error."""
    for outcome in ("callback, b'a page'", "errback, OSError('no such host')"):
        same(
            f"""
            from twisted.internet import threads, reactor, defer
            def request(method, url):
                print(method, url, threading.current_thread() is threading.main_thread())
                d = defer.Deferred()
                reactor.callLater(0.01, d.{outcome})
                return d
            def inThread():
                try:
                    result = threads.blockingCallFromThread(
                        reactor,
                        request,
                        b"GET",
                        b"https://twistedmatrix.com/",
                    )
                except Exception as exc:
                    print(exc)
                else:
                    print(result)
                reactor.callFromThread(reactor.stop)
            reactor.callInThread(inThread)
            reactor.run()
            """
        )


@pytest.mark.parametrize(
    "outcome",
    [
        "return [1, 2]",
        "return None",
        "return ValueError('returned')",
        "raise ValueError('raised')",
        "return Failure(ValueError('a failure'))",
        "return defer.succeed('now')",
        "return defer.fail(ValueError('failed now'))",
        "d = defer.Deferred(); reactor.callLater(0.01, d.callback, 'later'); return d",
        "d = defer.Deferred(); reactor.callLater(0.01, d.errback, KeyError('later')); return d",
        "return defer.succeed(1).addCallback(lambda _: defer.succeed('chained'))",
    ],
)
def test_blocking_call_returns_or_raises_what_the_function_gave(outcome: str) -> None:
    """It returns or raises what the function did, or what the Deferred that it returned gave."""
    same(f"""
        from twisted.python.failure import Failure
        def function(a, *, b):
            print(where(), a, b)
            {outcome}
        def inThread():
            try:
                result = threads.blockingCallFromThread(reactor, function, 1, b=2)
            except Exception as error:
                print(where(), "raised", repr(error))
            else:
                print(where(), "returned", repr(result))
        start(lambda: threads.deferToThread(inThread))
    """)


def test_blocking_call_is_for_threads_outside_of_the_pool_too() -> None:
    """Any thread but the reactor's may wait for the reactor."""
    same("""
        def main():
            done = defer.Deferred()
            def inThread():
                print(threads.blockingCallFromThread(reactor, where), where())
                reactor.callFromThread(done.callback, None)
            threading.Thread(target=inThread).start()
            return done
        start(main)
    """)


def test_the_snippet_with_the_size_of_the_pool() -> None:
    """The size of the pool can be changed, before and while it is in use, up and down."""
    same("""
        from twisted.internet import reactor
        reactor.suggestThreadPoolSize(30)
        pool = reactor.getThreadPool()
        print(pool.min, pool.max)
        def together(n):
            barrier = threading.Barrier(n)
            jobs = [threads.deferToThread(barrier.wait, 20) for _ in range(n)]
            return defer.gatherResults(jobs).addCallback(lambda r: print(sorted(r) == [*range(n)]))
        async def main():
            await together(30)
            for size in (3, 40, 1):
                reactor.suggestThreadPoolSize(size)
                print(pool.min, pool.max)
                await together(size)
        start(lambda: defer.ensureDeferred(main()))
    """)


def test_the_default_size_of_the_pool() -> None:
    """The default reactor's pool has a minimum of 0 and a maximum of 10 threads."""
    same("""
        pool = reactor.getThreadPool()
        print(pool.min, pool.max)
        start(lambda: print(len(reactor.getThreadPool().threads)))
    """)


def test_the_pool_is_a_thread_pool_that_one_can_get() -> None:
    """getThreadPool() gives the ThreadPool itself, for tuning and monitoring."""
    same("""
        from twisted.python.threadpool import ThreadPool
        pool = reactor.getThreadPool()
        print(type(pool) is ThreadPool, pool is reactor.getThreadPool(), pool.started)
        async def main():
            print(reactor.getThreadPool() is pool, pool.started, pool.joined)
            begun, gate = threading.Event(), threading.Event()
            d = threads.deferToThreadPool(reactor, pool, lambda: begun.set() or gate.wait(20))
            begun.wait(20)
            print(len(pool.threads), len(pool.working), len(pool.waiters))
            gate.set()
            print(await d)
            pool.adjustPoolsize(2, 5)
            print(pool.min, pool.max, pool.workers)
        start(lambda: defer.ensureDeferred(main()))
    """)


def test_a_pool_of_ones_own() -> None:
    """deferToThreadPool gives work to another ThreadPool, with a limit of its own."""
    same("""
        from twisted.python.threadpool import ThreadPool
        pool = ThreadPool(1, 2, name="own")
        pool.start()
        async def main():
            thread = await threads.deferToThreadPool(reactor, pool, threading.current_thread)
            print(thread in pool.threads, thread in reactor.getThreadPool().threads)
            await threads.deferToThreadPool(reactor, pool, int, "x").addErrback(
                lambda f: print(f.type, where())
            )
        start(lambda: defer.ensureDeferred(main()))
        pool.stop()
        print(pool.joined)
    """)


def test_several_calls_one_after_the_other_in_one_thread() -> None:
    """callMultipleInThread runs a list of calls in order, in one thread of the pool."""
    same("""
        log = []
        def note(*args, **kwargs):
            log.append((threading.get_ident(), where(), args, kwargs))
        def main():
            done = defer.Deferred()
            calls = [(note, [n], {"k": n}) for n in range(3)]
            threads.callMultipleInThread([*calls, (reactor.callFromThread, [done.callback, 0], {})])
            return done
        start(main)
        print(len({entry[0] for entry in log}), [entry[1:] for entry in log])
    """)


def test_a_job_that_fails_is_reported_and_its_thread_lives_on() -> None:
    """An error in callInThread is reported, and the only thread of the pool takes the next job."""
    program = BEGIN + textwrap.dedent("""
        reactor.suggestThreadPoolSize(1)
        def main():
            done = defer.Deferred()
            seen = []
            reactor.callInThread(lambda: seen.append(threading.get_ident()))
            reactor.callInThread(lambda: 1 / 0)
            reactor.callInThread(lambda: seen.append(threading.get_ident()))
            reactor.callInThread(reactor.callFromThread, done.callback, None)
            return done.addCallback(lambda _: print(len(seen), len(set(seen))))
        start(main)
    """)
    ours = assertSame(program)
    assert ours.stdout == "2 1\n"
    assert "ZeroDivisionError: division by zero" in ours.stderr
    assert "Traceback (most recent call last)" in ours.stderr
