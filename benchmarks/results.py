"""What was measured, and what follows from it: medians, ratios pair by pair, their spread."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyperf

    from benchmarks.workload import Workload

__all__ = ["BUSY", "FLAT", "Growth", "Pair", "Ratio", "Results", "Sample"]

FLAT = 1.3
"""By how much the cost of an operation may grow with the size."""


BUSY = 1.1
"""From how many times the CPU time on the wall time of pinned processes says nothing any more."""


@dataclass(frozen=True)
class Sample:
    """What one process measured, in seconds (or bytes) for one operation.

    Args:
        workload: The workload's name.
        variant: The variant's name.
        size: How many items there were.
        cpu: The CPU that it was pinned to, if any.
        values: Wall time, of each run.
        cpuValues: CPU time of all its threads, of each run.
    """

    workload: str
    variant: str
    size: int
    cpu: int | None
    values: list[float]
    cpuValues: list[float]

    @property
    def cost(self) -> float:
        """The middle one."""
        return median(self.values)

    @property
    def cpuCost(self) -> float:
        """The middle one of CPU time."""
        return median(self.cpuValues)


@dataclass(frozen=True)
class Pair:
    """Two processes that ran one right after the other: ours, and a peer's."""

    ours: Sample
    peer: Sample


@dataclass(frozen=True)
class Ratio:
    """How many times our cost a peer's is: the median of the pairs, the least, the greatest."""

    middle: float
    least: float
    most: float

    @classmethod
    def of(cls, values: list[float]) -> Ratio:
        """Return the summary of the pairs' ratios."""
        return cls(median(values), min(values), max(values))


@dataclass(frozen=True)
class Growth:
    """What an operation cost at three sizes, from the least to the greatest."""

    sizes: tuple[int, ...]
    costs: tuple[float, ...]

    @property
    def worst(self) -> float:
        """By how much an operation at a larger size costs more than at the least."""
        return max(cost / self.costs[0] for cost in self.costs)


@dataclass
class Results:
    """All that one run of the benchmarks has measured."""

    pairs: list[Pair] = field(default_factory=list)
    alone: list[Sample] = field(default_factory=list)
    growth: list[Sample] = field(default_factory=list)
    machine: dict[str, str] = field(default_factory=dict)

    def samples(self, workload: str, variant: str, pinned: bool) -> list[Sample]:
        """Return the samples of one variant; a sample that two pairs share counts once."""
        found = {
            id(sample): sample
            for sample in [s for pair in self.pairs for s in (pair.ours, pair.peer)] + self.alone
            if sample.workload == workload
            and sample.variant == variant
            and (sample.cpu is not None) is pinned
        }
        return list(found.values())

    def cost(self, workload: str, variant: str, pinned: bool) -> float | None:
        """Return the median cost of one operation; ``None`` if it was not measured."""
        samples = self.samples(workload, variant, pinned)
        return median(sample.cost for sample in samples) if samples else None

    def ratio(
        self, workload: str, variant: str, pinned: bool, *, cpu: bool = False
    ) -> Ratio | None:
        """Return how many times our cost a peer's is; ``None`` if no pair was measured."""
        values = []
        for pair in self.pairs:
            peer, ours = pair.peer, pair.ours
            if (peer.workload, peer.variant) != (workload, variant):
                continue
            if (peer.cpu is not None) is not pinned:
                continue
            if cpu and ours.cpuCost:
                values.append(peer.cpuCost / ours.cpuCost)
            elif ours.cost:
                values.append(peer.cost / ours.cost)
        return Ratio.of(values) if values else None

    @property
    def waited(self) -> float:
        """How many times its CPU time a pinned process took: above 1, others used its CPU.

        The median of all; a few workloads do wait, for they sleep.
        """
        samples = [sample for pair in self.pairs for sample in (pair.ours, pair.peer)]
        shares = [s.cost / s.cpuCost for s in samples if s.cpu is not None and s.cpuCost]
        return median(shares) if shares else 1.0

    def growthOf(self, workload: Workload) -> Growth | None:
        """Return how a workload's cost grows; ``None`` if that was not measured.

        It is CPU time, and of each size the best run: interference by others only ever adds, and a
        run that takes longer meets more of it.
        """
        samples = [sample for sample in self.growth if sample.workload == workload.name]
        sizes = sorted({sample.size for sample in samples})
        if not sizes:
            return None
        costs = [
            median(min(sample.cpuValues) for sample in samples if sample.size == size)
            for size in sizes
        ]
        return Growth(tuple(sizes), tuple(costs))

    def toPyperf(self, units: dict[str, str]) -> pyperf.BenchmarkSuite:
        """Return all samples as pyperf's suite, so that its tools can be used on them.

        Args:
            units: For each workload ``"second"`` or ``"byte"``.
        """
        import pyperf

        runs: dict[str, list[pyperf.Run]] = {}
        seen: set[int] = set()

        def add(name: str, sample: Sample, values: list[float], unit: str, pair: int) -> None:
            metadata: dict[str, str | int] = {"name": name, "unit": unit, "size": sample.size}
            if sample.cpu is not None:
                metadata["cpu_affinity"] = str(sample.cpu)
            if pair >= 0:
                metadata["pair"] = pair
            metadata.update(self.machine)
            positive = [max(value, 1e-12) for value in values]  # pyperf knows no 0
            runs.setdefault(name, []).append(
                pyperf.Run(positive, metadata=metadata, collect_metadata=False)
            )

        def addBoth(sample: Sample, pair: int = -1, suffix: str = "") -> None:
            if id(sample) in seen:
                return
            seen.add(id(sample))
            unit = units[sample.workload]
            where = "pinned" if sample.cpu is not None else "unpinned"
            name = f"{sample.workload}, {sample.variant}, {where}{suffix}"
            add(name, sample, sample.values, unit, pair)
            if unit == "second":
                add(f"{name}, CPU time", sample, sample.cpuValues, unit, pair)

        for number, pair in enumerate(self.pairs):
            addBoth(pair.ours, number)
            addBoth(pair.peer, number)
        for sample in self.alone:
            addBoth(sample)
        for sample in self.growth:
            addBoth(sample, -1, f", size {sample.size}")
        return pyperf.BenchmarkSuite([pyperf.Benchmark(each) for each in runs.values()])
