"""Starts the measuring processes, in pairs, and collects what they say.

How it works
------------
Ratios are taken between processes that ran one right after the other, so that a machine that slows
down for a while slows both. In a round, a workload's peers are taken by twos: the one, ours, the
other; each peer has ours beside it, and ours comes now first, now last. From round to round the
peers change places.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.hosts import HOSTS
from benchmarks.results import Pair, Results, Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from benchmarks.workload import Variant, Workload

__all__ = ["ROOT", "Runner", "chooseVariants", "chooseWorkloads", "machine", "measure"]

ROOT = Path(__file__).resolve().parent.parent

LIMIT = 120.0
"""After how many seconds a measuring process is taken to hang. The longest takes about 30."""

GRACE = 10.0
"""How many seconds it has then to say where, and to end, before it is killed."""

SELDOM = 3
"""In every third round growth and the unpinned figures are measured as well."""

GROWTH_ITEMS = 50
"""How many times a growth workload's least size is run in one process."""


class MeasuringError(Exception):
    """A measuring process failed: there is no figure."""


@dataclass(frozen=True)
class Task:
    """One measuring process."""

    workload: Workload
    variant: Variant
    size: int
    repeats: int
    cpu: int | None


def measure(task: Task) -> Sample:
    """Run one measuring process.

    Raises:
        MeasuringError: If it fails, says anything on standard error, or takes too long.
    """
    command = [sys.executable, "-m", "benchmarks.child", task.variant.host]
    command += [f"{task.workload.name}:{task.variant.way}"]
    command += ["--size", str(task.size), "--repeats", str(task.repeats)]
    command += ["--limit", str(LIMIT)]
    if task.cpu is not None:
        command += ["--cpu", str(task.cpu)]
    what = f"{task.workload.name} on {task.variant.name}"
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=LIMIT + GRACE,
    )
    if done.returncode or done.stderr:
        raise MeasuringError(f"{what} failed ({done.returncode}):\n{done.stderr or done.stdout}")
    (figures,) = json.loads(done.stdout.splitlines()[-1]).values()
    return Sample(
        task.workload.name,
        task.variant.name,
        task.size,
        task.cpu,
        figures["values"],
        figures["cpu"],
    )


def environment() -> dict[str, str]:
    """Return the environment of the measuring processes: without what changes Python's speed."""
    keep = {"PYTHONPATH", "PYTHONHOME"}
    return {
        name: value
        for name, value in os.environ.items()
        if name in keep or not name.startswith("PYTHON")
    }


def chooseWorkloads(all_: Iterable[Workload], patterns: list[str], quick: bool) -> list[Workload]:
    """Return the workloads that ``--only`` and ``--quick`` leave.

    Args:
        all_: What there is.
        patterns: Names, the parts of names before a dot, or patterns as a shell's; none is all.
        quick: Whether only headline workloads are wanted. Those that are named are taken anyway.
    """
    if not patterns:
        return [workload for workload in all_ if workload.headline or not quick]
    return [
        workload
        for workload in all_
        if any(
            fnmatchcase(workload.name, pattern) or workload.name.startswith(f"{pattern}.")
            for pattern in patterns
        )
    ]


def chooseVariants(workload: Workload, peers: list[str]) -> list[Variant]:
    """Return those peers of a workload that are wanted and installed, without ours."""
    return [
        variant
        for variant in workload.variants
        if variant.name != variant.against
        and not HOSTS[variant.host].missing
        and (not peers or any(fnmatchcase(variant.host, peer) for peer in peers))
    ]


class Runner:
    """Measures what was chosen.

    Args:
        workloads: What to measure.
        peers: The hosts to compare with; none is all.
        rounds: How many pairs there are of each peer.
        cpu: The CPU to pin to; ``None`` if the system has no such thing.
        shrink: By how much to divide the sizes.
        repeats: The most measured runs in a process.
        growth: Whether to measure how cost grows.
        unpinned: Whether to measure with no CPU pinned as well, where threads wake each other.
        together: With how many peers one process of ours is compared: with 2 it runs between them.
    """

    def __init__(
        self,
        workloads: list[Workload],
        peers: list[str],
        *,
        rounds: int,
        cpu: int | None,
        shrink: int = 1,
        repeats: int = 100,
        growth: bool = True,
        unpinned: bool = True,
        together: int = 2,
    ) -> None:
        self._workloads = workloads
        self._peers = peers
        self._rounds = rounds
        self._cpu = cpu
        self._shrink = shrink
        self._repeats = repeats
        self._growth = growth
        self._unpinned = unpinned and cpu is not None
        self._together = together

    def plan(self) -> list[list[Task]]:
        """Return the groups of processes: in each, a peer has ours right before or after it."""
        groups = []
        for number in range(self._rounds):
            for workload in self._workloads:
                groups += list(self._groups(workload, number, self._cpu))
                if number % SELDOM:
                    continue
                if self._unpinned and workload.hops:
                    groups += list(self._groups(workload, number, None))
                if self._growth and workload.growth and "twistlike" in workload.ours:
                    groups.append(list(self._growing(workload)))
        return groups

    def run(self, onProcess: Callable[[Task], object]) -> Results:
        """Run all processes.

        Args:
            onProcess: Called before each one.
        """
        results = Results(machine=machine())
        for group in self.plan():
            samples = []
            for task in group:
                onProcess(task)
                samples.append(measure(task))
            if len({task.size for task in group}) > 1:
                results.growth += samples
            elif len(group) == 1:
                results.alone += samples
            else:
                self._pair(group, samples, results)
        return results

    def _pair(self, group: list[Task], samples: list[Sample], results: Results) -> None:
        against = next(t.variant.against for t in group if t.variant.name != t.variant.against)
        (ours,) = [sample for sample in samples if sample.variant == against]
        results.pairs += [Pair(ours, sample) for sample in samples if sample is not ours]

    def _groups(self, workload: Workload, number: int, cpu: int | None) -> Iterator[list[Task]]:
        """Return a workload's groups in a round: in each, ours after the first peer."""
        chosen = chooseVariants(workload, self._peers)
        if not chosen and workload.ours:
            yield [self._task(workload, workload.named(workload.ours), cpu)]
        for name in dict.fromkeys(variant.against for variant in chosen):
            peers = [self._task(workload, v, cpu) for v in chosen if v.against == name]
            if not name:
                yield from ([peer] for peer in peers)
                continue
            ours = self._task(workload, workload.named(name), cpu)
            turned = number % len(peers)
            peers = peers[turned:] + peers[:turned]
            if number % 2:
                peers.reverse()
            for first in range(0, len(peers), self._together):
                yield [peers[first], ours, *peers[first + 1 : first + self._together]]

    def _growing(self, workload: Workload) -> Iterator[Task]:
        ours = workload.named(workload.ours)
        for factor in (1, 10, 100):
            repeats = max(3, GROWTH_ITEMS // factor)
            yield Task(workload, ours, workload.growth * factor, repeats, self._cpu)

    def _task(self, workload: Workload, variant: Variant, cpu: int | None) -> Task:
        size = max(1, workload.size // self._shrink)
        return Task(workload, variant, size, min(workload.repeats, self._repeats), cpu)


def machine() -> dict[str, str]:
    """Return the names of the machine, of Python, and of all peers, with their versions."""
    import pyperf

    found = pyperf.Run([1.0], metadata={"name": "machine"}).get_metadata()
    wanted = ("cpu_model_name", "cpu_count", "platform", "python_version")
    said = {name: str(found[name]) for name in wanted if name in found}
    said.setdefault("platform", platform.platform())
    for host in HOSTS.values():
        for name, version in host.versions.items():
            said[f"{name.lower()}_version"] = version
    from twistlike import __version__

    said["twistlike_version"] = __version__
    return said
