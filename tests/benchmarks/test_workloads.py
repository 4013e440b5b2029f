"""Every workload, for every peer, does its work and gives the result that is expected."""

from __future__ import annotations

import faulthandler
import json
import subprocess
import sys

import pytest

from benchmarks.hosts import HOSTS
from benchmarks.workload import Bench, Variant, Workload
from benchmarks.workloads import WORKLOADS
from tests.oracle import ROOT

LIMIT = 150
"""Seconds for one peer's process: it takes ten to twenty, beside two other runs thrice that."""


def tasksOf(host: str) -> list[str]:
    """What a peer can do, as the measuring process takes it."""
    return [
        f"{workload.name}:{variant.way}"
        for workload in WORKLOADS.values()
        for variant in workload.variants
        if variant.host == host
    ]


@pytest.mark.slow
@pytest.mark.timeout(LIMIT + 10)
@pytest.mark.parametrize("host", HOSTS)
def test_every_workload_once(host: str) -> None:
    """A peer does all that it can do once, at size 1, in one process, and says nothing else."""
    if HOSTS[host].missing:
        pytest.skip(f"{', '.join(HOSTS[host].missing)} is not installed (dependency group bench)")
    tasks = tasksOf(host)
    command = [sys.executable, "-m", "benchmarks.child", host, *tasks]
    command += ["--size", "1", "--repeats", "1", "--limit", str(LIMIT - 10)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT)
    assert (done.returncode, done.stderr) == (0, "")
    measured = json.loads(done.stdout)
    assert list(measured) == sorted(tasks, key=list(measured).index)
    for name, figures in measured.items():
        assert len(figures["values"]) == len(figures["cpu"]) == 1, name
        assert figures["values"][0] >= 0, name


@pytest.mark.parametrize("name", WORKLOADS)
def test_every_peer_has_ours_to_be_compared_with(name: str) -> None:
    """Each variant is compared with one of ours that does the same work, or with nothing."""
    workload = WORKLOADS[name]
    names = [variant.name for variant in workload.variants]
    assert len(set(names)) == len(names)
    for variant in workload.variants:
        assert variant.host in HOSTS
        assert variant.against in (*names, "")
        assert variant.function.__doc__, "what a peer does is said in words"
    for peer in workload.goals:
        assert any(peer in (variant.name, variant.host) for variant in workload.variants)


def test_a_wrong_result_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that does not do the work is an error, not a figure; the limit ends with it."""
    from benchmarks import child

    armed: list[float] = []
    monkeypatch.setattr(
        faulthandler, "dump_traceback_later", lambda limit, exit: armed.append(limit)
    )
    monkeypatch.setattr(faulthandler, "cancel_dump_traceback_later", armed.clear)

    def lies(bench: Bench) -> int:
        with bench.timed():
            return bench.size + 1

    workload = Workload("lie", "a lie", 1, expect=lambda size: size)
    workload.variants.append(Variant("futures", "", lies, ""))
    monkeypatch.setitem(WORKLOADS, "lie", workload)
    with pytest.raises(child.WrongResultError, match="lie of size 1 gave 2, not 1"):
        child.main(["futures", "lie"])
    assert not armed, "it would end this process, minutes later and without a word"


def test_debug_mode_is_refused() -> None:
    """A process in development mode measures nothing."""
    command = [sys.executable, "-X", "dev", "-m", "benchmarks.child", "futures", "floor:lock"]
    done = subprocess.run(
        [*command, "--size", "1"], cwd=ROOT, capture_output=True, text=True, timeout=LIMIT
    )
    assert done.returncode != 0
    assert "python -X dev slows asyncio down" in done.stderr
