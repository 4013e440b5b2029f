"""Gives each fault its variants, and lets the runner know what will be asked for."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

from tests.faults import runner
from tests.faults.harness import programOf, variantsOf

FULL = os.environ.get("FAULTS_MATRIX") == "full"

# The processes have limits of their own; this one is for all that are run before a test's.
WAIT = 3600 if FULL else 600

BATCHES = pytest.StashKey[list[runner.Batch]]()
"""All there are, also those of which not every fault is selected."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a fault on each of its variants."""
    program = programOf(metafunc.function)
    if program is not None:
        metafunc.parametrize("variant", variantsOf(program, FULL), ids=str)


@pytest.hookimpl(wrapper=True)  # so that it comes before pytest-xdist's, which looks at the groups
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Generator[None, None, None]:
    """Give faults the time that they need, and each batch of them to one worker."""
    itemOf = {case: item for item in items if (case := _caseOf(item)) is not None}
    for item in itemOf.values():
        item.add_marker(pytest.mark.timeout(WAIT))
    if isGrouped(config):
        config.stash[BATCHES] = runner.divide(itemOf)
        for batch in config.stash[BATCHES]:
            for program in batch.programs:
                group = pytest.mark.xdist_group(batch.name)
                itemOf[program, batch.variant].add_marker(group)
    yield


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start the faults that were selected; those of a worker when it is given one of a batch."""
    if session.config.option.collectonly:
        return
    cases = dict.fromkeys(case for item in session.items if (case := _caseOf(item)) is not None)
    if isGrouped(session.config):
        batches = session.config.stash[BATCHES]
        runner.plan(batches, cases)
    elif not hasattr(session.config, "workerinput"):  # any test may be given to any worker
        runner.plan(runner.divide(cases), cases, ahead=True)


def pytest_sessionfinish() -> None:
    """End what a session that was broken off has started."""
    runner.stop()


def isGrouped(config: pytest.Config) -> bool:
    """Return whether this process is a worker of pytest-xdist that is given whole groups."""
    return hasattr(config, "workerinput") and config.option.loadgroup


def _caseOf(item: pytest.Item) -> runner.Case | None:
    program = programOf(getattr(item, "function", None))
    callspec = getattr(item, "callspec", None)
    return None if program is None or callspec is None else (program, callspec.params["variant"])
