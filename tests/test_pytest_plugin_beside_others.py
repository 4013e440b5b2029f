"""The pytest plugin beside pytest-asyncio, AnyIO's and pytest-twisted: each has its tests."""

from __future__ import annotations

import itertools

import pytest

from tests.pytestruns import OURS, RunTests

pytest_plugins = ["pytester"]

ASYNCIO = "pytest_asyncio.plugin"
ANYIO = "anyio.pytest_plugin"
TWISTED = "pytest_twisted"

TESTS = """
import asyncio
import pytest
from twistlike.internet import reactor as default
from twistlike.internet.asyncioreactor import currentReactor
from twistlike.internet.threads import deferToThread

async def test_ours(reactor):
    assert reactor is currentReactor() is default
    assert await deferToThread(lambda: 3) == 3
    await asyncio.sleep(0)

def test_plain(reactor):
    assert reactor is currentReactor()
    return deferToThread(lambda: 3)

class TestMethods:
    @pytest.mark.parametrize("n", [1, 2])
    async def test_coroutine(self, reactor, n):
        assert await deferToThread(lambda: n) == n

@pytest.mark.xfail(raises=KeyError, strict=True)
async def test_error(reactor):
    raise KeyError("own")
"""
# Two for each of the others.
THEIRS = {
    ASYNCIO: """
@pytest.mark.asyncio
async def test_asyncio():
    await asyncio.sleep(0)

@pytest.mark.asyncio
async def test_asyncio_and_ours(reactor):
    assert await deferToThread(lambda: 3) == 3
""",
    ANYIO: """
@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_anyio(anyio_backend):
    assert "anyio" in repr(asyncio.current_task())

@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_anyio_and_ours(reactor, anyio_backend):
    assert "anyio" in repr(asyncio.current_task())
    assert await deferToThread(lambda: 3) == 3
""",
    TWISTED: """
import pytest_twisted
from twisted.internet import reactor as twisteds, task

@pytest_twisted.inlineCallbacks
def test_twisted():
    yield task.deferLater(twisteds, 0)
    assert twisteds.running

def test_twisted_plain():
    return task.deferLater(twisteds, 0)
""",
}


@pytest.fixture
def runTests(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> RunTests:
    """Runs a test file's text in a process of its own."""
    return RunTests(pytester, monkeypatch)


def combinations() -> list[tuple[tuple[str, ...], str]]:
    """Which plugins are loaded, in their order, and pytest-asyncio's mode."""
    others = [each for n in range(len(THEIRS) + 1) for each in itertools.combinations(THEIRS, n)]
    return [
        *(((OURS, *each), "strict") for each in others),
        *(((OURS, *each), "auto") for each in others if ASYNCIO in each),
        ((*THEIRS, OURS), "strict"),
    ]


@pytest.mark.parametrize(("plugins", "mode"), combinations())
def test_each_plugin_runs_the_tests_that_are_its_own(
    plugins: tuple[str, ...], mode: str, runTests: RunTests
) -> None:
    """Ours those with `reactor`, but for those that another plugin is asked for by its mark."""
    others = [each for each in plugins if each != OURS]
    for other in others:
        pytest.importorskip(other.partition(".")[0])
    # pytest-twisted's loop runs from the first of its tests on: some of ours come after that.
    late = TESTS.replace("test_", "late_test_").replace("class Test", "class TestLate")
    late = late.replace("late_test_", "test_late_")
    result = runTests(
        "".join([TESTS, *(THEIRS[other] for other in others), late]),
        ini=f"asyncio_mode = {mode}" if ASYNCIO in others else "",
        plugins=plugins,
    )
    result.assert_outcomes(passed=8 + 2 * len(others), xfailed=2)


def test_beside_pytest_twisted_on_an_asyncio_loop(runTests: RunTests) -> None:
    """That loop stands still inside of its `run_forever`; those with `reactor` run all the same."""
    pytest.importorskip("pytest_twisted")
    result = runTests(THEIRS[TWISTED] + TESTS, "--reactor=asyncio", plugins=(OURS, TWISTED))
    result.assert_outcomes(passed=6, xfailed=1)


def test_without_a_loop_of_asyncios(runTests: RunTests) -> None:
    """Where a plugin runs tests on another kind of loop, such as trio's, the failure says so."""
    runTests.pytester.makeconftest(
        """
        import pytest

        @pytest.hookimpl(tryfirst=True)
        def pytest_pyfunc_call(pyfuncitem):
            pyfuncitem.obj(None).send(None)
        """
    )
    result = runTests("async def test_it(reactor):\n    pass\n", plugins=[OURS])
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*needs a loop of asyncio's*`anyio_backend`*'asyncio'*"])


def test_twisteds_own_deferred(runTests: RunTests) -> None:
    """A test with `reactor` that awaits what belongs to Twisted's reactor is told so."""
    pytest.importorskip("pytest_twisted")
    result = runTests(
        """
        from twisted.internet import reactor as twisteds, task

        async def test_it(reactor):
            await task.deferLater(twisteds, 0)
        """,
        plugins=(OURS, TWISTED),
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*A Deferred of Twisted's own, *"])


def test_on_the_overlay_with_pytest_twisted(runTests: RunTests) -> None:
    """What pytest-twisted runs already has no scope of its own: use the decorators, it says."""
    pytest.importorskip("pytest_twisted")
    overlay = "twistlike.overlay.pytest_plugin"
    text = THEIRS[TWISTED] + "\nasync def test_ours(reactor):\n    pass\n"
    result = runTests(text, plugins=(overlay, OURS, TWISTED))
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*runs already, *pytest-twisted*decorators*"])
    # Before that the reactor is free.
    result = runTests(TESTS + THEIRS[TWISTED], plugins=(overlay, OURS, TWISTED))
    result.assert_outcomes(passed=6, xfailed=1)
