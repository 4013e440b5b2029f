"""What a careless program meets at the reactor's edges: each is run for real, in a process."""

from __future__ import annotations

import importlib.util
import re
import signal
import textwrap
from collections.abc import Callable

import pytest

from tests.oracle import Transcript, runProgram, runPython
from tests.reactor import seams

HOSTS = ["asyncio", "uvloop", "debug"]

PRELUDE = """
import asyncio, os, signal, sys, threading, time
from twistlike.internet import asyncioreactor, defer, reactor, task, threads
HOST = sys.argv[1]
if HOST == "uvloop":
    import uvloop
    newLoop, host = uvloop.new_event_loop, uvloop.run
else:
    newLoop, host = asyncio.new_event_loop, asyncio.run
asyncioreactor.setLoopFactory(newLoop)
"""

Run = Callable[[str], Transcript]


@pytest.fixture(params=HOSTS)
def program(request: pytest.FixtureRequest) -> Run:
    """Runs a program, in a process of its own, on each kind of loop."""
    kind: str = request.param
    if kind == "uvloop" and not importlib.util.find_spec("uvloop"):
        pytest.skip("uvloop is not installed")
    env = {"PYTHONASYNCIODEBUG": "1"} if kind == "debug" else {}

    def start(text: str) -> Transcript:
        whole = PRELUDE + textwrap.dedent(text)
        return runProgram(whole, ["-W", "error"], args=[kind], env=env)

    return start


def said(transcript: Transcript) -> str:
    """What a program that went well has printed."""
    assert transcript.returncode == 0, transcript.stderr
    assert not transcript.reports
    return transcript.stdout


# ---- first use from a thread -------------------------------------------------------------------


def test_attach_is_the_line_for_a_main(program: Run) -> None:
    """After attach(), which may be said again, threads that know no loop are served."""
    out = said(
        program(
            """
            async def main():
                for _ in range(2):
                    reactor.attach()
                print(await asyncio.to_thread(threads.blockingCallFromThread, reactor, lambda: 1))
            host(main())
            async def scope():
                async with reactor:
                    print(await asyncio.to_thread(
                        threads.blockingCallFromThread, reactor, lambda: 2))
            host(scope())
            try:
                reactor.attach()
            except RuntimeError as error:
                print("coroutine" in str(error))
            """
        )
    )
    assert out == "1\n2\nTrue\n"


def test_a_thread_of_anyios_finds_the_loop(program: Run) -> None:
    """In a plain endpoint of FastAPI, which AnyIO runs in a thread, everything simply works."""
    out = said(
        program(
            """
            import anyio.to_thread
            def endpoint():
                seen = []
                reactor.callFromThread(seen.append, "posted")
                return threads.blockingCallFromThread(reactor, lambda: seen + ["called"])
            async def main():
                print(await anyio.to_thread.run_sync(endpoint))
            host(main())
            host(main())
            """
        )
    )
    assert out == "['posted', 'called']\n" * 2


def test_a_wait_for_a_loop_in_vain_is_reported(program: Run) -> None:
    """After a while one report says who waits, since when, where, and what to write."""
    done = program(
        """
        from tests.reactor import seams
        seams.reportUnboundSoon()
        argument = "sec" + "ret"
        def library():
            for _ in range(3):
                reactor.callFromThread(print, argument)
        async def main():
            threading.Thread(target=library, name="client").start()
            await asyncio.to_thread(seams.awaitUnboundReport)
        host(main())
        """
    )
    assert done.returncode == 0
    assert done.stdout == ""
    pattern = r"callFromThread was called in thread 'client' (\S+) s ago"
    (seconds,) = re.findall(pattern, done.stderr)
    assert float(seconds) >= seams.REPORT_AFTER
    assert "in library" in done.stderr
    assert "write reactor.attach()" in done.stderr
    assert done.stderr.count("3 calls and jobs were never run") == 1
    assert "secret" not in done.stderr


def test_ctrl_c_ends_a_program_that_waits_in_vain(program: Run) -> None:
    """A thread that waits for a loop does not keep the process, nor the interpreter's exit."""
    done = program(
        """
        def interrupt():
            while True:
                time.sleep(0.3)
                os.kill(os.getpid(), signal.SIGINT)
        threading.Thread(target=interrupt, daemon=True).start()
        async def main():
            await asyncio.to_thread(threads.blockingCallFromThread, reactor, int)
        host(main())
        """
    )
    assert done.returncode in (1, -signal.SIGINT, 128 + signal.SIGINT)
    assert "KeyboardInterrupt" in done.stderr


def test_a_deferred_from_before_the_loop_fires_in_it(program: Run) -> None:
    """A job and a timer of module level are served by the loop whose task awaits them."""
    out = said(
        program(
            """
            job = threads.deferToThread(lambda: "job")
            timer = task.deferLater(reactor, 0.01, lambda: "timer")
            async def main():
                print(await defer.gatherResults([job, timer]))
            host(main())
            """
        )
    )
    assert out == "['job', 'timer']\n"


def test_a_post_from_a_strangers_loop_leaves_the_reactor_free(program: Run) -> None:
    """A thread with a loop of its own may post before the main thread's run()."""
    out = said(
        program(
            """
            posted, done, out = threading.Event(), threading.Event(), []
            async def stranger():
                reactor.callFromThread(lambda: out.append(threading.current_thread().name))
                reactor.callInThread(out.append, "job")
                posted.set()
                await asyncio.to_thread(done.wait)
            other = threading.Thread(target=lambda: host(stranger()))
            other.start()
            posted.wait(10)
            reactor.callLater(0.05, reactor.stop)
            reactor.run()
            done.set()
            other.join(10)
            print(sorted(out))
            """
        )
    )
    assert out == "['MainThread', 'job']\n"


# ---- loops -------------------------------------------------------------------------------------


def test_between_two_runs_the_loops_thread_is_known(program: Run) -> None:
    """While the loop rests, a blocking call in its own thread is an error, not a dead-lock."""
    out = said(
        program(
            """
            loop = newLoop()
            async def use():
                reactor.attach()
            loop.run_until_complete(use())
            try:
                threads.blockingCallFromThread(reactor, int)
            except Exception as error:
                print(type(error).__name__)
            loop.close()
            """
        )
    )
    assert out == "WrongThreadError\n"


def test_tasks_from_before_run_are_run() -> None:
    """install() has run() take the loop that asyncio.get_event_loop() returns, as in Twisted."""
    done = runPython(
        [
            "-c",
            textwrap.dedent(
                """
                import asyncio, sys
                from twistlike.internet import asyncioreactor
                asyncioreactor.install()
                from twistlike.internet import reactor
                assert sys.modules["twistlike.internet.reactor"] is reactor
                async def work():
                    print("task")
                    reactor.stop()
                loop = asyncio.get_event_loop()
                task = loop.create_task(work())
                reactor.run()
                print(loop.is_closed())
                """
            ),
        ]
    )
    assert (done.stdout, done.returncode) == ("task\nFalse\n", 0), done.stderr


@pytest.mark.skipif(not importlib.util.find_spec("nest_asyncio"), reason="needs nest_asyncio")
@pytest.mark.parametrize("debug", ["0", "1"])
def test_nested_runs_are_served(debug: str) -> None:
    """Under nest_asyncio, a run inside of a call, timer or trigger gets jobs, calls and timers."""
    text = """
        import asyncio, nest_asyncio
        from twistlike.internet import reactor, task, threads
        async def inner():
            out = []
            reactor.callLater(0.001, out.append, "timer")
            out.append(await threads.deferToThread(lambda: "job"))
            await task.deferLater(reactor, 0.005)
            arrived = asyncio.Event()
            reactor.callFromThread(arrived.set)
            await arrived.wait()
            return sorted(out)
        left = [3]
        def nested(name):
            print(name, asyncio.run(inner()))
            left[0] -= 1
            if not left[0]:
                done.set()  # the last one to return is the outermost
        async def main():
            global done
            nest_asyncio.apply()
            done = asyncio.Event()
            reactor.callWhenRunning(nested, "trigger")
            reactor.callFromThread(nested, "call")
            reactor.callFromThread(print, "behind the call")
            reactor.callLater(0.01, nested, "timer")
            reactor.callLater(0.01, print, "behind the timer")
            await done.wait()
        asyncio.run(main())
    """
    done = runPython(["-c", textwrap.dedent(text)], env={"PYTHONASYNCIODEBUG": debug})
    lines = sorted(line for line in done.stdout.splitlines())
    inner = "['job', 'timer']"
    wanted = [f"{name} {inner}" for name in ("call", "timer", "trigger")]
    assert lines == sorted([*wanted, "behind the call", "behind the timer"]), done.stderr
    assert "already entered" not in done.stderr


def test_a_loop_that_cannot_watch_still_hears_of_calls() -> None:
    """Where add_reader raises whatever error, calls come by call_soon_threadsafe."""
    text = """
        import asyncio
        from twistlike.internet import asyncioreactor, reactor, threads
        class Loop(asyncio.SelectorEventLoop):
            def add_reader(self, *args):
                raise ValueError("none of that")
        asyncioreactor.setLoopFactory(Loop)
        reactor.callWhenRunning(
            lambda: threads.deferToThread(lambda: 1).addCallback(print).addCallback(
                lambda _: reactor.stop()))
        reactor.run()
    """
    done = runPython(["-c", textwrap.dedent(text)])
    assert (done.stdout, done.returncode) == ("1\n", 0), done.stderr


# ---- the end -----------------------------------------------------------------------------------


def test_every_step_of_the_end_runs(program: Run) -> None:
    """Whatever each part raises when it ends is reported, and run() returns all the same."""
    done = program(
        """
        from twistlike.internet.asyncioreactor import Reactor
        errors = [ValueError, SystemExit, KeyboardInterrupt, asyncio.CancelledError, GeneratorExit]
        for kind in errors:
            for name in ("end", "unbind"):
                reactor = Reactor()
                reports, ran = [], []
                reactor._life._report = lambda failure, message: reports.append(failure.type)
                for number, part in enumerate(reactor._life._parts):
                    def fails(original=getattr(part, name), number=number):
                        original()
                        ran.append(number)
                        raise kind("boo")
                    setattr(part, name, fails)
                def boo():
                    raise kind("boo")
                reactor.disconnectAll = boo
                reactor.callWhenRunning(reactor.stop)
                reactor.run()
                assert {*range(len(reactor._life._parts))} == {*ran}, ran
                assert set(reports) == {kind}, reports
                assert "ended" in repr(reactor)
        print("ended")
        """
    )
    assert done.stdout == "ended\n", done.stderr
    assert done.returncode == 0


def test_a_connection_lost_that_exits_does_not_hold_the_end_up(program: Run) -> None:
    """SystemExit from a reader's connectionLost is reported, and the other readers are told."""
    done = program(
        """
        import socket
        class Reader:
            def __init__(self, error):
                self.ours, self.theirs = socket.socketpair()
                self.error = error
            def fileno(self):
                return self.ours.fileno()
            def logPrefix(self):
                return "reader"
            def doRead(self):
                pass
            def connectionLost(self, reason):
                print("told")
                self.ours.close(), self.theirs.close()
                raise self.error
        for error in (SystemExit(3), ValueError("boo"), KeyboardInterrupt()):
            reactor.addReader(Reader(error))
        reactor.callWhenRunning(reactor.stop)
        reactor.run()
        print("ended")
        """
    )
    assert done.stdout == "told\n" * 3 + "ended\n"
    assert done.stderr.count("failed\n") == 3, done.stderr


def test_after_stop_in_a_host_the_error_says_how_to_go_on(program: Run) -> None:
    """Who uses a reactor that somebody has stopped is told who did, and to write attach()."""
    out = said(
        program(
            """
            async def main():
                await threads.deferToThread(int)
                reactor.stop()  # here
                await asyncio.sleep(0.05)
                for use in (lambda: threads.deferToThread(int),
                            lambda: reactor.callFromThread(int),
                            lambda: reactor.callInThread(int)):
                    try:
                        use()
                    except Exception as error:
                        print(type(error).__name__, "stop() was called at <string>:" in str(error),
                              "reactor.attach()" in str(error))
                reactor.attach()
                print(await threads.deferToThread(lambda: "again"))
            host(main())
            """
        )
    )
    assert out == "ReactorNotRunning True True\n" * 3 + "again\n"


def test_a_forked_child_has_fresh_threads_at_once(program: Run) -> None:
    """In a child forked from a running reactor, callInThread runs without a loop."""
    out = said(
        program(
            """
            def main():
                child = os.fork()
                if not child:
                    ran = threading.Event()
                    reactor.callInThread(ran.set)
                    print("child", ran.wait(10), flush=True)
                    os._exit(0)
                os.waitpid(child, 0)
                reactor.stop()
            reactor.callWhenRunning(main)
            reactor.run()
            """
        )
        if not hasattr(signal, "SIGBREAK")
        else Transcript("child True\n", "", 0)
    )
    assert out == "child True\n"


# ---- what is called ----------------------------------------------------------------------------


def test_coroutine_functions_are_run_wherever_they_are_called(program: Run) -> None:
    """Posted, delayed, as triggers: the coroutine runs in the call's context; errors are told."""
    done = program(
        """
        import contextvars
        name = contextvars.ContextVar("name", default="none")
        async def work(what, fails=False):
            await asyncio.sleep(0.001)
            if fails:
                raise ValueError(what)
            print(what, name.get())
        def begin():
            name.set("mine")
            reactor.callFromThread(work, "posted")
            reactor.callLater(0, work, "delayed")
            reactor.callWhenRunning(work, "at once")
            reactor.callFromThread(work, "boo", fails=True)
            reactor.callLater(0.1, reactor.stop)
        reactor.addSystemEventTrigger("during", "startup", work, "trigger")
        reactor.callWhenRunning(begin)
        reactor.run()
        """
    )
    wanted = ["at once mine", "delayed mine", "posted mine", "trigger none"]
    assert sorted(done.stdout.splitlines()) == wanted, done.stderr
    assert done.stderr.count("ValueError: boo") == 1
    assert "the coroutine of __main__.work" in done.stderr


def test_reports_name_functions_and_never_their_arguments(program: Run) -> None:
    """A partial's arguments, a broken repr: the error comes through, the secret does not."""
    done = program(
        """
        from functools import partial
        class Broken:
            def __repr__(self):
                raise RuntimeError("no repr")
            def __call__(self, *args, **kwargs):
                raise ValueError("boo")
        def fails(password):
            raise ValueError("boo")
        reactor.callFromThread(partial(fails, password="hunter2"))
        reactor.callFromThread(fails, password="hunter2")
        reactor.callFromThread(Broken())
        reactor.callLater(0, Broken())
        reactor.addSystemEventTrigger("during", "startup", Broken())
        reactor.addSystemEventTrigger("during", "startup", partial(fails, password="hunter2"))
        reactor.callLater(0.02, reactor.stop)
        reactor.run()
        for use in (lambda: reactor.callFromThread(fails, "hunter2"),
                    lambda: reactor.callFromThread(partial(fails, "hunter2")),
                    lambda: reactor.callFromThread(Broken())):
            try:
                use()
            except Exception as error:
                print(type(error).__name__, error)
        """
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count(" failed\n") == 6, done.stderr
    assert done.stdout.count("ReactorNotRunning") == 3
    assert "hunter2" not in done.stderr + done.stdout


def test_an_interrupted_wakeup_strands_nobody(program: Run) -> None:
    """KeyboardInterrupt or an OSError while the loop is woken: the next call brings all through."""
    out = said(
        program(
            """
            async def main():
                reactor.attach()
                await asyncio.sleep(0.01)
                inbox, ran = reactor._inbox, []
                waker = inbox._waker
                class Failing:
                    error = None
                    def wake(self, token):
                        if self.error:
                            error, self.error = self.error, None
                            raise error
                        waker.wake(token)
                inbox._waker = failing = Failing()
                for error in (KeyboardInterrupt(), OSError("refused"), RecursionError(), None):
                    def post(error=error):
                        failing.error = error
                        try:
                            reactor.callFromThread(ran.append, repr(error))
                        except BaseException as raised:
                            assert raised is error
                            ran.append("raised " + repr(error))
                    await asyncio.to_thread(post)
                async with asyncio.timeout(60):
                    while not {"None", "RecursionError()"} <= set(ran):
                        await asyncio.sleep(0.001)
                # The interrupted wakeup is made again, for others: the loop may be quicker than
                # the poster, who takes the call back. Then it has run, and an error is none.
                assert ran.count("None") == ran.count("RecursionError()") == 1, ran
                assert ran.count("raised KeyboardInterrupt()") == 1, ran
                assert len([each for each in ran if "OSError" in each]) == 1, ran
                print("each call ran or raised")
            host(main())
            """
        )
    )
    assert out == "each call ran or raised\n"


def test_near_the_recursion_limit_a_post_either_raises_or_runs(program: Run) -> None:
    """callFromThread at any depth: what raised does not run, what did not raise runs."""
    out = said(
        program(
            """
            async def main():
                reactor.attach()
                await asyncio.sleep(0.01)
                ran, raised, sent = [], [], []
                def dive(number):
                    try:
                        dive(number)
                    except RecursionError:
                        pass
                    try:
                        reactor.callFromThread(ran.append, number)
                        sent.append(number)
                    except RecursionError:
                        raised.append(number)
                        raise
                def post():
                    for number in range(20):
                        try:
                            dive(number)
                        except RecursionError:
                            pass
                await asyncio.to_thread(post)
                async with asyncio.timeout(10):
                    while len(ran) < len(sent):
                        await asyncio.sleep(0.001)
                await asyncio.sleep(0.05)
                print(len(ran) == len(sent), bool(raised))
            host(main())
            """
        )
    )
    assert out == "True True\n"


# ---- time --------------------------------------------------------------------------------------


def test_seconds_count_from_the_epoch(program: Run) -> None:
    """reactor.seconds and getTime are the wall clock's when it starts, and can be replaced."""
    out = said(
        program(
            """
            def near(seconds):
                return abs(seconds - time.time()) < 5
            print(near(reactor.seconds()))
            def main():
                call = reactor.callLater(100, print)
                print(near(reactor.seconds()), near(call.getTime() - 100),
                      abs(call.getTime() - reactor.seconds() - 100) < 1)
                now = [50.0]
                reactor.seconds = lambda: now[0]
                print(reactor.seconds(), reactor.callLater(1, int).getTime())
                del reactor.seconds
                print(near(reactor.seconds()), near(call.getTime() - 100))
                reactor.stop()
            reactor.callWhenRunning(main)
            reactor.run()
            """
        )
    )
    assert out == "True\nTrue True True\n50.0 51.0\nTrue True\n"


def test_a_call_made_within_a_call_comes_after_what_is_due() -> None:
    """Order of callFromThread in calls versus callLater(0), as in Twisted."""
    from tests.oracle import assertSame

    assertSame(
        """
        from twisted.internet import reactor
        def first():
            print("first")
            reactor.callFromThread(print, "posted in first")
            reactor.callLater(0, print, "due in first")
        def main():
            reactor.callFromThread(first)
            reactor.callFromThread(print, "second")
            reactor.callLater(0.1, reactor.stop)
        reactor.callWhenRunning(main)
        reactor.run()
        """
    )


def test_triggers_signals_and_timers_as_in_twisted() -> None:
    """When signals are taken, wrong handles, the pool's size, timers that the end has dropped."""
    from tests.oracle import assertSame

    assertSame(
        """
        import signal
        from twisted.internet import reactor
        def note(what):
            print(what, signal.getsignal(signal.SIGTERM) != signal.SIG_DFL, reactor.running)
        for phase in ("before", "during", "after"):
            reactor.addSystemEventTrigger(phase, "startup", note, phase)
        handles = [
            ("shutdown", ("bad", print, (), {})), ("shutdown", ("before", print, (), {}))]
        for handle in handles:
            try:
                reactor.removeSystemEventTrigger(handle)
            except Exception as error:
                print(type(error).__name__)
        print(reactor.threadpool)
        reactor.suggestThreadPoolSize(3)
        print(reactor.threadpool.max)
        call = reactor.callLater(100, print)
        reactor.callWhenRunning(reactor.stop)
        reactor.run()
        print(len(reactor.getDelayedCalls()), call.active())
        call.cancel()
        print(len(reactor.getDelayedCalls()))
        """
    )
