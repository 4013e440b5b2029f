"""How the tests are distributed over processes, and what a run inherits from its shell.

With ``-n auto`` (pytest-xdist) several worker processes run the tests. Tests that carry the same
group run in one worker. The long ones begin first, so that no worker ends long after the others.
Without ``-n``, all run in this process, in the order of the files.
"""

from __future__ import annotations

import gc
import os
import signal

import pytest

# Workers beyond the number of processors: tests wait for processes and timers half of their time.
# On two processors a run took 239 s with one more, and 214 s with three.
SPARE_WORKERS = 3


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return how many workers ``-n auto`` means."""
    return available() + SPARE_WORKERS


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Keep groups together, unless the command line says how to distribute."""
    if getattr(config.option, "numprocesses", None) and config.option.dist == "no":
        config.option.dist = "loadgroup"


def pytest_configure() -> None:
    """Let Ctrl-C have its meaning, also for a run that a shell has put into the background.

    Such a shell has SIGINT ignored, and a child inherits that: tests that interrupt would hang.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the long tests where others run beside them."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_collection_finish() -> None:
    """Leave what was there before the first test out of the garbage collector's rounds.

    Many tests collect the garbage that they made. Looking through all tests' own objects each time
    takes ten times as long as that.
    """
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    """Have pytest's last round of garbage collection find what any test has left."""
    gc.unfreeze()


def available() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
