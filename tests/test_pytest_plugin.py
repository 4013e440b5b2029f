"""The pytest plugin: tests on a reactor, which fail for what they leave behind."""

from __future__ import annotations

import sys

import pytest

from tests.oracle import ROOT, runPython

pytest_plugins = ["pytester"]


@pytest.fixture
def runTests(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> RunTests:
    """Runs a test file's text in a process of its own."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # only what a test asks for: 0.5 s
    return RunTests(pytester)


class RunTests:
    """See the fixture."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester

    def __call__(self, text: str, *arguments: str, ini: str = "") -> pytest.RunResult:
        self.pytester.makeini(
            "[pytest]\nfilterwarnings = error\n"
            f"asyncio_default_fixture_loop_scope = function\n{ini}"
        )
        self.pytester.makepyfile(text)
        plugins = ["twistlike.pytest_plugin", "pytest_asyncio.plugin", "anyio.pytest_plugin"]
        chosen = [word for plugin in (*plugins, "no:cacheprovider") for word in ("-p", plugin)]
        return self.pytester.runpytest_subprocess(*chosen, *arguments, timeout=100)


def test_tests_run_on_the_reactor(runTests: RunTests) -> None:
    """Plain functions, Deferreds, coroutines with and without pytest-asyncio or anyio, classes."""
    result = runTests(
        """
        import asyncio
        import pytest
        from twistlike.internet import reactor as default
        from twistlike.internet.asyncioreactor import currentReactor
        from twistlike.internet.defer import Deferred, inlineCallbacks
        from twistlike.internet.threads import deferToThread

        @pytest.fixture
        def number():
            return 7

        def test_plain(reactor, number):
            asyncio.get_running_loop()
            assert reactor is currentReactor() is default
            assert number == 7

        def test_deferred(reactor):
            deferred = deferToThread(lambda: 3)
            reactor.callLater(0, lambda: None)
            return deferred.addCallback(lambda result: (reactor, result))

        @inlineCallbacks
        def test_inline_callbacks(reactor):
            assert (yield deferToThread(lambda: 3)) == 3

        async def test_without_a_plugin(reactor):
            assert await deferToThread(lambda: 3) == 3

        @pytest.mark.asyncio
        async def test_asyncio(reactor, number):
            assert reactor is currentReactor() is default
            assert await deferToThread(lambda: number) == 7

        @pytest.mark.anyio
        async def test_anyio(reactor, anyio_backend_name):
            assert await deferToThread(lambda: 3) == 3

        @pytest.fixture
        def anyio_backend():
            return "asyncio"

        class TestMethods:
            def test_deferred(self, reactor):
                return deferToThread(lambda: 3)

            async def test_coroutine(self, reactor):
                await asyncio.sleep(0)

            @pytest.mark.parametrize("n", [1, 2])
            @pytest.mark.asyncio
            async def test_parametrized(self, reactor, n):
                assert await deferToThread(lambda: n) == n

        @pytest.mark.usefixtures("reactor")
        def test_by_mark():
            return deferToThread(lambda: 3)

        def test_skipped(reactor):
            pytest.skip("not today")

        @pytest.mark.xfail(strict=True)
        def test_xfail(reactor):
            return deferToThread(lambda: 1 / 0)
        """
    )
    result.assert_outcomes(passed=11, skipped=1, xfailed=1)


def test_failures_are_shown(runTests: RunTests) -> None:
    """A test that fails shows its own error, and not what it could not clean up."""
    result = runTests(
        """
        import pytest
        from twistlike.internet.defer import fail
        from twistlike.internet.threads import deferToThread

        def test_assertion(reactor):
            reactor.callLater(1000, print)
            assert 1 == 2

        def test_deferred(reactor):
            return deferToThread(lambda: 1 / 0)

        async def test_coroutine(reactor):
            raise KeyError("own error")

        @pytest.mark.asyncio
        async def test_asyncio(reactor):
            raise OSError("own error")
        """
    )
    result.assert_outcomes(failed=4)
    result.stdout.fnmatch_lines_random(
        ["E*assert 1 == 2", "E*ZeroDivisionError*", "E*KeyError: 'own error'", "E*OSError: own*"]
    )
    result.stdout.no_fnmatch_line("*left behind*")


def test_what_is_left_behind_fails_the_test(runTests: RunTests) -> None:
    """Pending timers, living threads, unhandled errors: however the test is run."""
    result = runTests(
        """
        import threading
        import pytest
        from twistlike.internet.defer import Deferred, fail
        from twistlike.internet.threads import deferToThread
        from twistlike.python import log

        release = threading.Event()

        def leaveTimer(reactor):
            reactor.callLater(1000, print, "the timer")

        def leaveThread(reactor):
            threading.Thread(target=release.wait, name="left-1", daemon=True).start()

        def leaveError(reactor):
            fail(ValueError("dropped"))

        def leaveErrorInCycle(reactor):
            deferred = Deferred()
            deferred.itself = deferred
            deferred.errback(ValueError("dropped in a cycle"))

        def leaveLoggedError(reactor):
            log.err(ValueError("logged"))

        def leaveErrorOfThread(reactor):
            reactor.callInThread(lambda: 1 / 0)

        LEAVE = [leaveTimer, leaveThread, leaveError, leaveErrorInCycle, leaveLoggedError,
                 leaveErrorOfThread]

        @pytest.mark.parametrize("leave", LEAVE)
        def test_plain(reactor, leave):
            leave(reactor)

        @pytest.mark.parametrize("leave", LEAVE)
        @pytest.mark.asyncio
        async def test_asyncio(reactor, leave):
            leave(reactor)

        def test_next(reactor):
            pass
        """,
        "-v",
    )
    result.assert_outcomes(failed=12, passed=1)
    for line in (
        "*timer that is still pending: <DelayedCall*'the timer'*",
        "*thread that is still alive: left-1*",
        "*ValueError: dropped*",
        "*ValueError: dropped in a cycle*",
        "*ValueError: logged*",
        "*ZeroDivisionError*",
    ):
        assert str(result.stdout).count("The test has left behind") >= 12
        result.stdout.fnmatch_lines([line])


def test_what_is_cleaned_up_passes(runTests: RunTests) -> None:
    """Cancelled timers, finished threads, flushed errors, shutdown triggers, a stopped reactor."""
    result = runTests(
        """
        import asyncio
        import pytest
        import pytest_asyncio
        from twistlike.internet.defer import fail
        from twistlike.internet.threads import deferToThread
        from twistlike.python import log

        def test_cancelled(reactor):
            reactor.callLater(1000, print).cancel()

        def test_cancelled_at_shutdown(reactor):
            call = reactor.callLater(1000, print)
            reactor.addSystemEventTrigger("before", "shutdown", call.cancel)

        def test_pool(reactor):
            reactor.callInThread(lambda: None)

        def test_flushed(reactor, flushLoggedErrors):
            fail(ValueError("dropped"))
            log.err(KeyError("logged"))
            assert [f.type for f in flushLoggedErrors(ValueError)] == [ValueError]
            assert flushLoggedErrors(ValueError) == []
            assert [f.type for f in flushLoggedErrors()] == [KeyError]

        def test_stopped(reactor):
            reactor.callLater(0, reactor.stop)
            return asyncio.sleep(0.01)

        @pytest.mark.asyncio
        async def test_default_executor(reactor):
            await asyncio.to_thread(print)

        @pytest_asyncio.fixture
        async def early(reactor):
            call = reactor.callLater(1000, print)
            yield deferToThread(lambda: 3)
            assert not call.active()

        @pytest.mark.asyncio
        async def test_async_fixture(reactor, early):
            assert await early == 3
            for call in reactor.getDelayedCalls():
                call.cancel()
        """
    )
    result.assert_outcomes(passed=7)


def test_a_deferred_that_does_not_fire_fails_the_test(runTests: RunTests) -> None:
    """The ini option's limit holds, and the next test is not harmed; a TimeoutError is no limit."""
    result = runTests(
        """
        from twistlike.internet.defer import Deferred, fail

        def test_hangs(reactor):
            return Deferred()

        def test_raises(reactor):
            return fail(TimeoutError("own"))

        def test_next(reactor):
            pass
        """,
        ini="twistlike_timeout = 0.05",
    )
    result.assert_outcomes(failed=2, passed=1)
    result.stdout.fnmatch_lines(["<Deferred at 0x*> has not fired within 0.05 s"])
    result.stdout.no_fnmatch_line("*CancelledError*")
    result.stdout.fnmatch_lines(["FAILED *test_raises - Ti*"])


def test_a_failure_shows_no_frame_of_ours(runTests: RunTests) -> None:
    """The traceback leads from the test to the function that failed, also that of a cause."""
    result = runTests(
        """
        import pytest
        from twistlike.internet.defer import Deferred, ensureDeferred, inlineCallbacks
        from twistlike.internet.threads import deferToThread

        def fails():
            raise ZeroDivisionError("by a test")

        @inlineCallbacks
        def between():
            try:
                yield deferToThread(fails)
            except ZeroDivisionError as error:
                raise LookupError("because") from error

        async def test_coroutine(reactor):
            await between()

        def test_deferred(reactor):
            return between()
        """,
    )
    result.assert_outcomes(failed=2)
    shown = result.stdout.str()
    assert shown.count("ZeroDivisionError: by a test") >= 2
    assert shown.count("LookupError: because") >= 2
    assert "fails()" in shown and "between()" in shown
    assert "twistlike/" not in shown


@pytest.mark.slow  # the limit is so long that a busy machine has its turn before it is over
@pytest.mark.parametrize("way", ["ini", "option", "marker"])
def test_a_test_that_never_fires_says_so_before_the_suites_own_limit(
    way: str, runTests: RunTests
) -> None:
    """With pytest-timeout, what has not fired is named; not where the loop sleeps."""
    mark = "@pytest.mark.timeout(4)" if way == "marker" else ""
    arguments = ["-p", "pytest_timeout", *(["--timeout=4"] if way == "option" else [])]
    result = runTests(
        f"""
        import pytest
        from twistlike.internet.defer import Deferred

        {mark}
        def test_it(reactor):
            return Deferred()
        """,
        *arguments,
        ini="timeout = 4\n" if way == "ini" else "",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*<Deferred *has not fired within 3.2 s"])
    assert "Timeout" not in result.stdout.str()


def test_a_coroutine_that_does_not_end_fails_the_test(runTests: RunTests) -> None:
    """The limit is the same for coroutines, whichever plugin runs them."""
    result = runTests(
        """
        import asyncio
        import pytest

        async def test_ours(reactor):
            await asyncio.sleep(100)

        @pytest.mark.asyncio
        async def test_asyncio(reactor):
            await asyncio.sleep(100)

        @pytest.mark.anyio
        @pytest.mark.parametrize("anyio_backend", ["asyncio"])
        async def test_anyio(reactor, anyio_backend):
            await asyncio.sleep(100)

        async def test_next(reactor):
            await asyncio.sleep(0)
        """,
        ini="twistlike_timeout = 0.05",
    )
    result.assert_outcomes(failed=3, passed=1)
    for name in ("ours", "asyncio", "anyio"):
        result.stdout.fnmatch_lines(
            [
                f"<coroutine object test_{name} at 0x*> has not ended within*it waited here:",
                f'  File "*", line *, in test_{name}',
                "    await asyncio.sleep(100)",
            ]
        )


def test_methods_of_unittest(runTests: RunTests) -> None:
    """A coroutine runs on the reactor; another is warned of, for unittest calls it by itself."""
    result = runTests(
        """
        import unittest
        import pytest
        from twistlike.internet import reactor
        from twistlike.internet.defer import Deferred

        @pytest.mark.usefixtures("reactor")
        class TestIt(unittest.IsolatedAsyncioTestCase):
            async def test_coroutine(self):
                d = Deferred()
                reactor.callLater(0, d.callback, 1)
                assert await d == 1

            def test_plain(self):
                assert not reactor.running
        """,
        "-W",
        "default",
    )
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.fnmatch_lines(["*test_methods_of_unittest.py::TestIt::test_plain"])
    result.stdout.fnmatch_lines(["*runs without the reactor; make it `async def`*"])


def test_async_fixtures_use_the_reactor_on_both_sides(runTests: RunTests) -> None:
    """What a fixture does behind its yield, after the test, has timers and threads as before it."""
    result = runTests(
        """
        import pytest
        import pytest_asyncio
        from twistlike.internet.task import deferLater
        from twistlike.internet.threads import deferToThread

        @pytest_asyncio.fixture
        async def service(reactor):
            assert await deferLater(reactor, 0.001, lambda: 1) == 1
            yield await deferToThread(lambda: 2)
            assert await deferLater(reactor, 0.001, lambda: 3) == 3
            assert await deferToThread(lambda: 4) == 4
            print("torn down")

        @pytest.mark.asyncio
        async def test_first(service):
            assert service == 2

        @pytest.mark.asyncio
        async def test_second(service, reactor):
            assert reactor.running
        """,
        "-s",
    )
    result.assert_outcomes(passed=2)
    assert str(result.stdout).count("torn down") == 2


def test_flushing_finds_what_a_test_expects(runTests: RunTests) -> None:
    """Errors of other types than those that were flushed still fail the test."""
    result = runTests(
        """
        from twistlike.python import log

        def test_one(reactor, flushLoggedErrors):
            log.err(ValueError("flushed"))
            log.err(KeyError("forgotten"))
            flushLoggedErrors(ValueError)
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*KeyError: 'forgotten'*"])
    result.stdout.no_fnmatch_line("*nobody handled*ValueError*")


def test_clock(runTests: RunTests) -> None:
    """`clock` is a `task.Clock`, fresh for each test, which imports no reactor."""
    result = runTests(
        """
        import sys
        import pytest

        @pytest.mark.parametrize("n", [1, 2])
        def test_clock(clock, n):
            calls = []
            clock.callLater(5, calls.append, n)
            clock.advance(5)
            assert (calls, clock.seconds()) == ([n], 5)
            assert "twistlike.internet.reactor" not in sys.modules
        """
    )
    result.assert_outcomes(passed=2)


def test_other_tests_are_left_alone(runTests: RunTests) -> None:
    """Without the fixtures nothing of twistlike is imported and no test runs otherwise."""
    result = runTests(
        """
        import asyncio, sys
        import pytest

        def test_plain():
            with pytest.raises(RuntimeError):
                asyncio.get_running_loop()
            asyncio.run(asyncio.sleep(0))

        @pytest.mark.asyncio
        async def test_asyncio():
            await asyncio.sleep(0)

        def test_imports():
            ours = [name for name in sys.modules if name.startswith("twistlike.")]
            assert ours == ["twistlike.pytest_plugin"]
        """
    )
    result.assert_outcomes(passed=3)


def test_a_test_that_runs_again_is_fresh(runTests: RunTests) -> None:
    """A plugin that repeats a test gets the same test again; no observer of the log is left."""
    runTests.pytester.makeconftest(
        """
        from _pytest.runner import runtestprotocol

        def pytest_runtest_protocol(item, nextitem):
            for _ in range(2):
                item._initrequest()
                runtestprotocol(item, nextitem=nextitem)
                assert item.obj.__code__.co_filename == str(item.path)
            return True
        """
    )
    result = runTests(
        """
        import pytest
        from twistlike.internet.threads import deferToThread
        from twistlike.logger import globalLogPublisher

        @pytest.mark.asyncio
        async def test_asyncio(reactor):
            assert len(globalLogPublisher._observers) == 1
            assert await deferToThread(lambda: 3) == 3

        def test_plain(reactor):
            assert len(globalLogPublisher._observers) == 1
            return deferToThread(lambda: 3)
        """
    )
    result.assert_outcomes(passed=4)


def test_loops_are_closed() -> None:
    """A suite leaves no open loop behind, and so no ResourceWarning."""
    program = """
import pytest, sys
code = '''
def test_one(reactor):
    pass
async def test_two(reactor):
    pass
'''
import pathlib, tempfile
with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder, "test_x.py")
    path.write_text(code)
    result = pytest.main(
        ["-q", "-p", "twistlike.pytest_plugin", "-p", "no:cacheprovider", "-p", "no:asyncio",
         "-p", "no:twisted",
         "-c", "/dev/null", "--rootdir", folder, str(path)])
import asyncio, gc
gc.collect()
loops = [each for each in gc.get_objects() if isinstance(each, asyncio.BaseEventLoop)]
print([loop.is_closed() for loop in loops if not loop.is_closed()])
sys.exit(result)
"""
    transcript = runPython(["-W", "error", "-c", program])
    assert transcript.returncode == 0, transcript.stdout + transcript.stderr
    assert transcript.stdout.splitlines()[-1] == "[]"
    assert sys.platform == "win32" or transcript.stderr == ""
