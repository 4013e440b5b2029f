"""What runs inside Pyodide: pytest over the tests that can run there, on a loop without sockets.

A test that needs what the platform does not have (threads, processes, sockets) is skipped by what
it raises, with that as the reason. Everything else has to pass.
"""

from __future__ import annotations

import asyncio
import sys
import types
from collections.abc import Generator
from typing import Any

import pytest

from tests.pyodide.bare_loop import BareLoop

__all__ = ["main"]

ROOMS = ["tests/base", "tests/defer", "tests/timers", "tests/tasks", "tests/log"]

LEAST = 1000
"""How many tests pass at least: fewer mean that something keeps them from running."""

LACKS = (
    "emscripten does not support processes",
    "can't start new thread",
    "cannot join thread before it is started",
    "has no threads",
    "UNIX sockets not supported",
    "module 'socket' has no attribute",
)
"""What the platform says where it lacks something."""

NOT_HERE = {
    "uvloop": "is native code",
    "many_coroutines_wait": "frees 5,000 nested generators: too deep for the stack of WebAssembly",
    "many_lists_in_lists": "frees 5,000 nested lists: likewise",
}
"""Parts of the names of tests that do not run here, and why."""


class SkipWhatIsLacking:
    """A pytest plugin: skips a test that fails for what the platform lacks; counts the rest."""

    def __init__(self) -> None:
        self.passed = 0

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: Any, call: Any) -> Generator[None, Any, Any]:
        report = yield
        text = "" if call.excinfo is None else str(report.longrepr)
        lacking = next((lack for lack in LACKS if lack in text), None)
        if report.failed and lacking is not None:
            report.outcome = "skipped"
            report.longrepr = (str(item.path), 0, f"Skipped: {lacking}")
        self.passed += report.passed and report.when == "call"
        return report


class Anything:
    """Takes the place of hypothesis' strategies, which are built when a file is imported."""

    def __getattr__(self, name: str) -> Any:
        return Anything()

    def __call__(self, *args: Any, **kw: Any) -> Any:
        return Anything()

    def __or__(self, other: Any) -> Any:
        return Anything()


def skipping(*args: Any, **kw: Any) -> Any:
    """Take the place of hypothesis' decorators: the test is skipped."""

    def replace(function: Any) -> Any:
        def skipped() -> None:
            """Be skipped."""

        skipped.__name__ = function.__name__
        return pytest.mark.skip("hypothesis is native code")(skipped)

    return replace


def takePlaceOf(name: str, **values: Any) -> None:
    """Put a module into the place of one that needs native code."""
    module = types.ModuleType(name)
    vars(module).update(values)
    sys.modules[name] = module


def main() -> int:
    """Run the tests.

    Returns:
        0 if all that could run have passed, and they were not too few.
    """
    events: Any = asyncio.events
    events.new_event_loop = asyncio.new_event_loop = BareLoop
    takePlaceOf("uvloop", new_event_loop=BareLoop, Loop=BareLoop)
    strategies: Any = Anything()
    takePlaceOf(
        "hypothesis",
        HealthCheck=strategies,
        given=skipping,
        settings=skipping,
        strategies=strategies,
    )
    sys.modules["hypothesis.strategies"] = strategies
    counter = SkipWhatIsLacking()
    arguments = ["-q", "--rootdir=/project", "--import-mode=importlib", "--capture=sys"]
    arguments += ["--tb=short", "-c", "/dev/null", "-k", " and ".join(f"not {n}" for n in NOT_HERE)]
    for plugin in ("cacheprovider", "faulthandler"):
        arguments += ["-p", f"no:{plugin}"]
    pages = asyncio._get_running_loop()
    asyncio._set_running_loop(None)  # the page's loop does not run while this function does
    try:
        status = int(pytest.main([*arguments, *ROOMS], plugins=[counter]))
    finally:
        asyncio._set_running_loop(pages)
    if counter.passed < LEAST:
        print(f"only {counter.passed} tests have passed, {LEAST} are expected at least")
        return 1
    return status
