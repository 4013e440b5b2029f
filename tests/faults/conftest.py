"""Gives each fault its variants, and lets the runner know what will be asked for."""

from __future__ import annotations

import os

import pytest

from tests.faults import runner
from tests.faults.harness import Program, Variant, programOf, variantsOf

FULL = os.environ.get("FAULTS_MATRIX") == "full"

# The processes have limits of their own; this one is for all that are run before a test's.
WAIT = 3600 if FULL else 600


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a fault on each of its variants."""
    program = programOf(metafunc.function)
    if program is not None:
        metafunc.parametrize("variant", variantsOf(program, FULL), ids=str)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give faults the time that they need."""
    for item in items:
        if _caseOf(item) is not None:
            item.add_marker(pytest.mark.timeout(WAIT))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start the faults that were selected."""
    # With xdist each worker sees all tests and runs some: those are started one by one.
    if not session.config.option.collectonly and not hasattr(session.config, "workerinput"):
        runner.plan([case for item in session.items if (case := _caseOf(item)) is not None])


def pytest_sessionfinish() -> None:
    """End what a session that was broken off has started."""
    runner.stop()


def _caseOf(item: pytest.Item) -> tuple[Program, Variant] | None:
    program = programOf(getattr(item, "function", None))
    callspec = getattr(item, "callspec", None)
    return None if program is None or callspec is None else (program, callspec.params["variant"])
