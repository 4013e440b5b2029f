"""A reactor that never gets a loop: whoever waits for it, or asked it for something, is told."""

from __future__ import annotations

import re
import sys

import pytest

from tests.reactor import seams
from tests.reactor.test_edges import Run, program, said

__all__ = ["program"]  # a fixture

SOON = "from tests.reactor import seams; seams.reportUnboundSoon({})\n"
"""The start of a program that is reported soon."""

# Older Pythons do not know the lines of a program that was given by "-c".
SOURCE = "\n    {}" if sys.version_info >= (3, 13) else ", in <module>"

WAITS = [
    "threads.blockingCallFromThread(reactor, int)",
    "threads.blockingCallWithTimeout(20, reactor, int)",
    "threads.runInReactor(int)().result()",
    "threads.runInReactor(int)().exception()",
    "threads.waitFor(20)(int)()",
]

JOBS = [
    "threads.deferToThread(print, 'ran')",
    "threads.deferToThreadPool(reactor, reactor.getThreadPool(), print, 'ran')",
    "reactor.callInThread(print, 'ran')",
    "reactor.getThreadPool().callInThread(print, 'ran')",
    "threads.callMultipleInThread([(print, ('ran',), {})])",
]

LATER = [
    "reactor.callLater(0.1, print, 'ran')",
    "reactor.callWhenRunning(print, 'ran')",
    "reactor.addSystemEventTrigger('after', 'startup', print, 'ran')",
    "task.deferLater(reactor, 0.1)",
    "task.LoopingCall(int).start(0.1)",
]


@pytest.mark.parametrize("wait", WAITS)
def test_a_blocking_call_of_the_main_thread_is_told(program: Run, wait: str) -> None:
    """A script that waits in its main thread before any loop runs is told after a while."""
    done = program(
        f"""
        {SOON.format("")}
        seams.interruptAfterReport()
        try:
            {wait}
        except KeyboardInterrupt:
            print("interrupted")
        """
    )
    assert done.stdout == "interrupted\n"
    assert done.stderr.count("a thread waits for a reactor without a loop") == 1
    assert SOURCE.format(wait) in done.stderr
    assert "in thread 'MainThread'" in done.stderr


def test_a_wait_that_is_over_is_not_told(program: Run) -> None:
    """A limited wait that has ended is not told; a later one that takes too long is."""
    done = program(
        f"""
        {SOON.format(1.0)}
        def wait(seconds):
            try:
                threads.blockingCallWithTimeout(seconds, reactor, int)
            except TimeoutError:
                print("limit")
        wait(0.01)
        wait(0.02)
        seams.interruptAfterReport()
        try:
            wait(20)
        except KeyboardInterrupt:
            print("interrupted")
        """
    )
    assert done.stdout == "limit\nlimit\ninterrupted\n"
    assert done.stderr.count("a thread waits for a reactor without a loop") == 1
    assert SOURCE.format("wait(20)") in done.stderr


@pytest.mark.slow
def test_each_wait_without_a_loop_is_told(program: Run) -> None:
    """One that begins after another one was told is told too; not again what asks in a loop."""
    done = program(
        """
        def library(seconds):
            for _ in range(2):
                try:
                    threads.blockingCallWithTimeout(seconds, reactor, int)
                except TimeoutError:
                    print("limit")
        for name in ("one", "other"):
            thread = threading.Thread(target=library, args=(2.2,), name=name)
            thread.start()
            thread.join()
        os._exit(0)
        """
    )
    assert done.stdout == "limit\n" * 4
    assert done.stderr.count("a thread waits for a reactor without a loop") == 2
    for name in ("one", "other"):
        assert done.stderr.count(f"was called in thread '{name}'") == 1


def test_a_call_whose_caller_has_gone_never_begins(program: Run) -> None:
    """Whoever was told that a limit is over may not see the call made afterwards."""
    out = said(
        program(
            """
            def library():
                try:
                    threads.blockingCallWithTimeout(0.01, reactor, print, "made")
                except TimeoutError:
                    print("limit")
                threads.blockingCallFromThread(reactor, print, "and this")
            thread = threading.Thread(target=library)
            thread.start()
            time.sleep(0.1)
            async def main():
                async with reactor:
                    while thread.is_alive():
                        await asyncio.sleep(0.01)
            host(main())
            """
        )
    )
    assert out == "limit\nand this\n"


@pytest.mark.parametrize("how", ["threading.Thread(target=late).start()", "atexit.register(late)"])
def test_a_wait_at_the_programs_end_is_given_up(program: Run, how: str) -> None:
    """A thread that waits when the main thread has ended would keep the process for ever."""
    done = program(
        f"""
        import atexit
        def late():
            while threading.main_thread().is_alive():
                time.sleep(0.01)
            try:
                threads.blockingCallFromThread(reactor, int)
            except Exception as error:
                print(type(error).__name__)
        {how}
        """
    )
    assert done.stdout == "ReactorNotRunning\n"
    assert done.returncode == 0


def test_what_is_asked_at_the_programs_exit_is_refused(program: Run) -> None:
    """Nothing would run it, and nobody could be told any more, so the caller is."""
    out = said(
        program(
            """
            import atexit
            def late():
                pools = "concurrent.futures.thread" in sys.modules
                for ask in (
                    lambda: threads.deferToThread(print, "ran"),
                    lambda: reactor.callInThread(print, "ran"),
                    lambda: reactor.callFromThread(print, "ran"),
                    lambda: threads.blockingCallFromThread(reactor, print, "ran"),
                    lambda: pools or reactor.getThreadPool(),
                ):
                    try:
                        ask()
                    except RuntimeError as error:
                        print(type(error).__name__, "the program ends" in str(error))
            atexit.register(late)
            """
        )
    )
    refused = "ReactorNotRunning True\n" * 4
    assert out in (refused, refused + "RuntimeError True\n")


@pytest.mark.parametrize("limit", ["", "20, "])
def test_a_wait_for_a_reactor_that_is_not_ours_is_told(program: Run, limit: str) -> None:
    """A mock, or a reactor of somebody else's that does not run, never makes the call."""
    call = f"threads.blockingCall{'WithTimeout' if limit else 'FromThread'}({limit}other, int)"
    done = program(
        f"""
        from unittest.mock import Mock
        other = Mock()
        threading.Timer(2.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            {call}
        except KeyboardInterrupt:
            print("interrupted")
        """
    )
    assert done.stdout == "interrupted\n"
    assert done.stderr.count("a thread waits for a reactor") == 1, done.stderr
    assert "is not a reactor of twistlike's, has not begun the call" in done.stderr
    assert SOURCE.format(call) in done.stderr


def test_a_blocking_call_in_a_forked_child_is_told(program: Run) -> None:
    """The child's main thread, forked inside of a loop, waits for a reactor that is not there."""
    done = program(
        f"""
        {SOON.format("")}
        async def main():
            async with reactor:
                await threads.deferToThread(int)
                pid = os.fork()
                if pid == 0:
                    seams.interruptAfterReport(signal.SIGALRM)
                    try:
                        threads.blockingCallFromThread(reactor, int)
                    finally:
                        os._exit(0)
                os.waitpid(pid, 0)
        import warnings
        warnings.simplefilter("ignore")
        host(main())
        """
    )
    assert "without a loop" in done.stderr or "WrongThreadError" in done.stderr


@pytest.mark.parametrize("ask", JOBS)
def test_jobs_that_never_ran_are_told_at_the_end(program: Run, ask: str) -> None:
    """A job is a call that was never run, as one of `callFromThread` is."""
    done = program(ask)
    assert done.stderr.count("1 call or job was never run") == 1


@pytest.mark.parametrize("ask", LATER)
def test_what_a_thread_asks_of_a_reactor_without_a_loop_is_told(program: Run, ask: str) -> None:
    """A timer that a library's thread sets in a program that never attaches never runs."""
    done = program(
        f"""
        {SOON.format("")}
        def library():
            {ask}
        async def main():
            threading.Thread(target=library, name="client").start()
            await asyncio.to_thread(seams.awaitUnboundReport)
        host(main())
        """
    )
    (seconds,) = re.findall(r"was called in thread 'client' (\S+) s ago", done.stderr)
    assert float(seconds) >= seams.REPORT_AFTER
    assert "write reactor.attach()" in done.stderr
    assert done.stderr.count("1 call or job was never run") == 1


def test_a_thread_may_prepare_the_reactor_that_it_runs(program: Run) -> None:
    """Timers of a thread that goes on to run the reactor itself are run, and nothing is told."""
    out = said(
        program(
            """
            def run():
                reactor.callWhenRunning(print, "running")
                reactor.callLater(0.01, reactor.stop)
                reactor.run(installSignalHandlers=False)
            thread = threading.Thread(target=run)
            thread.start()
            thread.join()
            """
        )
    )
    assert out == "running\n"


def test_timers_of_the_main_thread_are_its_own_business(program: Run) -> None:
    """A module that prepares a timer in the main thread may end without a run, in silence."""
    assert said(program("reactor.callLater(1, print)")) == ""


@pytest.mark.parametrize(
    "stop", ["reactor.callFromThread(reactor.stop)", "reactor.callLater(0, reactor.stop)"]
)
def test_a_stop_by_the_loop_is_not_told_to_be_at_its_lines(program: Run, stop: str) -> None:
    """Who called stop() is not the loop's own code, but whoever runs the loop."""
    done = program(
        f"""
        import logging
        logging.basicConfig(level="INFO", stream=sys.stdout)
        async def main():
            {stop}
            await asyncio.sleep(0.1)
            try:
                reactor.callFromThread(print)
            except Exception as error:
                print(error)
        host(main())
        """
    )
    assert done.stdout.count("reactor.stop() was called by the loop, asked to by call") == 2
    assert done.stdout.count("which runs at <string>:") == 2
    assert "events.py" not in done.stdout


def test_a_stop_is_told_with_its_line(program: Run) -> None:
    """A stop() in a coroutine is told to be there."""
    done = program(
        """
        async def main():
            reactor.attach()
            reactor.stop()
            await asyncio.sleep(0.1)
            try:
                reactor.callFromThread(print)
            except Exception as error:
                print(error)
        host(main())
        """
    )
    assert "reactor.stop() was called at <string>:" in done.stdout
