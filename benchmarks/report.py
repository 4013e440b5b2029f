"""Shows results: as text, and as tables that are written into documents between two markers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.results import FLAT

if TYPE_CHECKING:
    from benchmarks.results import Ratio, Results
    from benchmarks.workload import Workload

__all__ = [
    "HEADLINE",
    "Verdict",
    "asText",
    "fullTables",
    "headlineTable",
    "verdicts",
    "writeBetween",
]

BEGIN = "<!-- benchmarks:begin -->"
END = "<!-- benchmarks:end -->"

HEADLINE = (
    "web.offload-50",
    "threads.oneByOne",
    "threads.atOnce",
    "threads.blockingCall",
    "calls.flood",
    "network.echo-100x64",
)
"""The works of the README: what users of a service, of threads or of connections feel first."""

REPEAT = 0.02
"""How far below a goal still counts as reached: what two runs differ by on a quiet machine."""


def amount(value: float, measure: str) -> str:
    """Return a cost with a unit that suits its size."""
    if measure == "byte":
        return f"{value / 1024:.0f} KiB" if value >= 10_000 else f"{value:.0f} B"
    for unit, seconds in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= seconds:
            return f"{value / seconds:.3g} {unit}"
    return f"{value / 1e-9:.0f} ns"


def times(ratio: float) -> str:
    """Return a ratio as it is read: 12, 3.4, 0.85."""
    return f"{ratio:.0f}" if ratio >= 20 else f"{ratio:.1f}" if ratio >= 2 else f"{ratio:.2f}"


def spread(ratio: Ratio) -> str:
    """Return the least and the greatest."""
    return f"{times(ratio.least)} to {times(ratio.most)}"


class Verdict:
    """A goal, and what was reached.

    Args:
        workload: Whose goal it is.
        against: The peer, or what else is limited.
        goal: What was wanted.
        reached: What was measured.
        met: Whether that is enough.
        note: The spread, or the unit.
    """

    def __init__(
        self, workload: Workload, against: str, goal: str, reached: str, met: bool, note: str
    ) -> None:
        self.workload = workload
        self.against = against
        self.goal = goal
        self.reached = reached
        self.met = met
        self.note = note

    def __str__(self) -> str:
        word = "reached" if self.met else "MISSED"
        return (
            f"{word:8} {self.workload.name:24} {self.against:34} "
            f"goal {self.goal:>7}, is {self.reached:>7} ({self.note})"
        )


def verdicts(workloads: list[Workload], results: Results) -> Iterator[Verdict]:
    """Return for each goal that was measured what was reached, each process on one CPU."""
    for workload in workloads:
        for variant in workload.variants:
            goal = workload.goals.get(variant.name, workload.goals.get(variant.host))
            ratio = results.ratio(workload.name, variant.name, True)
            if variant.way == "floor" and variant.name not in workload.goals:
                continue
            if goal is not None and ratio is not None:
                met = ratio.middle >= goal * (1 - REPEAT)
                yield Verdict(
                    workload, variant.name, times(goal), times(ratio.middle), met, spread(ratio)
                )
        cost = results.cost(workload.name, workload.ours, True)
        if workload.limit is not None and cost is not None:
            yield Verdict(
                workload,
                "at most",
                amount(workload.limit, workload.measure),
                amount(cost, workload.measure),
                cost <= workload.limit,
                f"for a {workload.unit}",
            )
        growth = results.growthOf(workload)
        if growth is not None:
            sizes = ", ".join(f"{size:,}" for size in growth.sizes)
            yield Verdict(
                workload,
                "growth of the cost",
                times(FLAT),
                times(growth.worst),
                growth.worst <= FLAT,
                f"sizes {sizes}",
            )


def asText(workloads: list[Workload], results: Results, *, goals: bool) -> Iterator[str]:
    """Return the lines that are printed.

    Args:
        workloads: What to show.
        results: What was measured.
        goals: Whether to tell which of the project's own goals were reached.
    """
    for name, value in results.machine.items():
        yield f"{name.replace('_', ' ')}: {value}"
    for workload in workloads:
        yield ""
        yield f"{workload.name}: {workload.title}, for each {workload.unit}"
        for variant in workload.variants:
            for pinned in (True, False):
                cost = results.cost(workload.name, variant.name, pinned)
                if cost is None:
                    continue
                line = f"  {variant.name:34}" + ("" if pinned else " unpinned")
                line = f"{line:46}{amount(cost, workload.measure):>9}"
                ratio = results.ratio(workload.name, variant.name, pinned)
                if ratio is not None:
                    line += f"  x {times(ratio.middle):5} ({spread(ratio)})"
                    cpu = results.ratio(workload.name, variant.name, pinned, cpu=True)
                    if cpu is not None and workload.measure == "second":
                        line += f", CPU time x {times(cpu.middle)}"
                yield line
    yield ""
    yield from _summary(workloads, results)
    lines = [str(verdict) for verdict in verdicts(workloads, results)] if goals else []
    if lines:
        yield ""
        yield from lines


COLUMNS = ("twisted", "twisted-asyncio", "asyncio", "uvloop")
"""The peers that have a column of their own in short tables."""

OTHERS = ("anyio", "asgiref", "tornado", "crochet", "futures")
"""The peers that share the last one."""


def _row(workload: Workload, cost: float, results: Results) -> list[str]:
    """Return the cells of a short table: the work, our cost, what the peers take for it."""
    ratios = {
        variant: results.ratio(workload.name, variant.name, True)
        for variant in workload.variants
        if variant.way != "floor"
    }
    cells = [workload.title, amount(cost, workload.measure)]
    for host in COLUMNS:
        found = [r.middle for v, r in ratios.items() if r is not None and v.host == host]
        cells.append(times(min(found)) if found else "")
    others = [
        f"{variant.host} {times(ratio.middle)}"
        for variant, ratio in ratios.items()
        if ratio is not None and variant.host in OTHERS
    ]
    return [*cells, ", ".join(others)]


def _summary(workloads: list[Workload], results: Results) -> Iterator[str]:
    """Return the lines of the table with which the text ends."""
    rows = [["work", "twistlike", "Twisted", "on asyncio", "asyncio", "uvloop", "others"]]
    for workload in workloads:
        cost = results.cost(workload.name, workload.ours, True)
        if cost is not None:
            rows.append(_row(workload, cost, results))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    yield "How many times the cost of twistlike each peer has; above 1, twistlike is cheaper:"
    yield ""
    for first, *cells, last in rows:
        between = "  ".join(
            cell.rjust(width) for cell, width in zip(cells, widths[1:-1], strict=True)
        )
        yield f"{first:{widths[0]}}  {between}  {last}".rstrip()


def headlineTable(workloads: list[Workload], results: Results) -> Iterator[str]:
    """Return the lines of the README's table."""
    machine = results.machine
    yield (
        "How many times the cost of twistlike each peer has for the same work; above 1, twistlike "
        "is cheaper. Peers on uvloop are compared with twistlike on uvloop."
    )
    yield ""
    yield "| work | twistlike | Twisted | Twisted on asyncio | asyncio | uvloop | others |"
    yield "|---|---|---|---|---|---|---|"
    for workload in workloads:
        cost = results.cost(workload.name, workload.ours, True)
        if workload.name not in HEADLINE or cost is None:
            continue
        yield f"| {' | '.join(_row(workload, cost, results))} |"
    yield ""
    yield (
        f"CPython {machine.get('python_version', '(unknown)').split()[0]}, "
        f"Twisted {machine.get('twisted_version', '(none)')}, "
        f"uvloop {machine.get('uvloop_version', '(none)')}, "
        f"{machine.get('cpu_model_name', machine['platform'])}, each process pinned to one CPU; "
        "where a peer has several ways, its best."
    )


def fullTables(workloads: list[Workload], results: Results) -> Iterator[str]:
    """Return the lines of the tables of ``docs/performance.md``."""
    yield "![ratios to twistlike, one panel for each work](benchmarks.svg)"
    yield ""
    yield "Measured on: " + ", ".join(
        f"{name.replace('_', ' ')} {value}" for name, value in results.machine.items()
    )
    yield ""
    yield "| work | peer | cost | times ours | spread | CPU time | not pinned |"
    yield "|---|---|---|---|---|---|---|"
    for workload in workloads:
        title = f"{workload.title}, for each {workload.unit}"
        for variant in workload.variants:
            cost = results.cost(workload.name, variant.name, True)
            if cost is None:
                continue
            ratio = results.ratio(workload.name, variant.name, True)
            cpu = results.ratio(workload.name, variant.name, True, cpu=True)
            free = results.cost(workload.name, variant.name, False)
            freeRatio = results.ratio(workload.name, variant.name, False)
            unpinned = "" if free is None else amount(free, workload.measure)
            if freeRatio is not None:
                unpinned += f", {times(freeRatio.middle)} times"
            cells = [
                title,
                variant.name,
                amount(cost, workload.measure),
                "" if ratio is None else times(ratio.middle),
                "" if ratio is None else spread(ratio),
                "" if cpu is None or workload.measure != "second" else times(cpu.middle),
                unpinned,
            ]
            yield f"| {' | '.join(cells)} |"
            title = ""
    yield ""
    yield from _growthTable(workloads, results)
    yield ""
    yield "| work | goal | wanted | measured |"
    yield "|---|---|---|---|"
    for verdict in verdicts(workloads, results):
        if verdict.against == "growth of the cost":
            continue
        word = "" if verdict.met else " (missed)"
        yield (
            f"| {verdict.workload.title} | {verdict.against} | {verdict.goal} "
            f"| {verdict.reached}{word}, {verdict.note} |"
        )


def _growthTable(workloads: list[Workload], results: Results) -> Iterator[str]:
    if all(results.growthOf(workload) is None for workload in workloads):
        yield "How cost grows was not measured in this run."
        return
    yield "| work | items | CPU time of one operation at that size | largest over smallest |"
    yield "|---|---|---|---|"
    for workload in workloads:
        growth = results.growthOf(workload)
        if growth is not None:
            sizes = ", ".join(f"{size:,}" for size in growth.sizes)
            costs = ", ".join(amount(cost, workload.measure) for cost in growth.costs)
            yield f"| {workload.title} | {sizes} | {costs} | {times(growth.worst)} |"


def writeBetween(path: Path, lines: Iterator[str]) -> None:
    """Replace what is between the two markers in a document.

    Raises:
        ValueError: If the markers are not there, once each, in order.
    """
    text = path.read_text(encoding="utf-8")
    before, begin, rest = text.partition(f"{BEGIN}\n")
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in after or END in after:
        raise ValueError(f"{path} needs the lines {BEGIN} and {END}, once each, in this order")
    between = "\n".join(lines)
    path.write_text(f"{before}{begin}\n{between}\n\n{end}{after}", encoding="utf-8")
