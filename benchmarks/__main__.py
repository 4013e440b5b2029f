"""The command line: ``python -m benchmarks --help``."""

from __future__ import annotations

import argparse
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.hosts import HOSTS
from benchmarks.report import asText, fullTables, headlineTable, verdicts, writeBetween
from benchmarks.results import BUSY
from benchmarks.runner import ROOT, Runner, Task, chooseWorkloads
from benchmarks.workloads import WORKLOADS

if TYPE_CHECKING:
    from benchmarks.results import Results

__all__ = ["main"]

ROUNDS = 5
"""How many pairs each peer has, where nothing else is asked for."""

QUICK_SHRINK = 10
"""By how much --quick divides the sizes."""

QUICK_TOGETHER = 20
"""With how many peers --quick compares one process of ours: with all that a work has."""


def options(arguments: list[str] | None) -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Time the same work in twistlike and in its peers.",
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NAME",
        help="these workloads: calls, timers.*",
    )
    parser.add_argument("--peers", default="", metavar="A,B", help=f"of {', '.join(HOSTS)}")
    parser.add_argument("--quick", action="store_true", help="a rough picture, in under a minute")
    parser.add_argument("--rounds", type=int, help=f"pairs of processes for each peer ({ROUNDS})")
    parser.add_argument("--cpu", type=int, help="the CPU to pin to (the last one)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures, for pyperf")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw the picture")
    parser.add_argument(
        "--write", action="store_true", help="write the README's table, docs/ and the picture"
    )
    parser.add_argument("--no-growth", action="store_true", help="leave out how cost grows")
    parser.add_argument("--no-unpinned", action="store_true", help="leave out the unpinned figures")
    parser.add_argument("--list", action="store_true", help="list the workloads, and measure none")
    parser.add_argument(
        "--check",
        action="store_true",
        help="tell which of the project's own goals were reached; exit with 1 if one was not",
    )
    chosen = parser.parse_args(arguments)
    if chosen.write and chosen.quick:
        parser.error("--quick is too rough for --write")
    return chosen


def runner(chosen: argparse.Namespace) -> Runner:
    """Return what measures that."""
    peers = [peer.strip() for peer in chosen.peers.split(",") if peer.strip()]
    cpu: int | None = None
    if hasattr(os, "sched_getaffinity"):
        cpu = max(os.sched_getaffinity(0)) if chosen.cpu is None else chosen.cpu
    return Runner(
        chooseWorkloads(WORKLOADS.values(), chosen.only, chosen.quick),
        peers,
        rounds=chosen.rounds or (1 if chosen.quick else ROUNDS),
        cpu=cpu,
        shrink=QUICK_SHRINK if chosen.quick else 1,
        repeats=2 if chosen.quick else 100,
        growth=not (chosen.quick or chosen.no_growth),
        unpinned=not (chosen.quick or chosen.no_unpinned),
        together=QUICK_TOGETHER if chosen.quick else 2,
    )


def measured(work: Runner) -> Results:
    """Measure, with a bar that shows how far it is."""
    from tqdm import tqdm

    total = sum(len(group) for group in work.plan())
    with tqdm(total=total, unit="process", leave=False, file=sys.stderr) as bar:

        def show(task: Task) -> None:
            bar.set_postfix_str(f"{task.workload.name}, {task.variant.name}")
            bar.update()

        return work.run(show)


def lacks() -> str | None:
    """Return what is not there that the benchmarks need, and where it comes from."""
    missing = [name for name in ("pyperf", "tqdm") if find_spec(name) is None]
    if not missing:
        return None
    return (
        f"{' and '.join(missing)} not found. The benchmarks run in a checkout, with the peers that "
        'they compare: pip install "pip>=25.1" && pip install -e . --group bench'
    )


def main(arguments: list[str] | None = None) -> int:
    """Do what was asked for; return the exit code."""
    chosen = options(arguments)
    if (text := lacks()) is not None:
        print(text, file=sys.stderr)
        return 2
    if chosen.list:
        for workload in WORKLOADS.values():
            print(f"{workload.name:24} {workload.title}")
        return 0
    for host, about in HOSTS.items():
        if about.missing:
            print(
                f"{host} is left out: {', '.join(about.missing)} is not installed", file=sys.stderr
            )
    results = measured(runner(chosen))
    workloads = chooseWorkloads(WORKLOADS.values(), chosen.only, chosen.quick)
    print("\n".join(asText(workloads, results, goals=chosen.check)))
    if chosen.json:
        units = {workload.name: workload.measure for workload in WORKLOADS.values()}
        results.toPyperf(units).dump(str(chosen.json), replace=True)
    if chosen.svg:
        from benchmarks.plot import draw

        draw(chosen.svg, workloads, results)
    if results.waited > BUSY:
        print(
            f"The machine was busy: the processes took {results.waited:.2f} times their CPU time. "
            "Go by the ratios of CPU time, or measure again when it is quiet.",
            file=sys.stderr,
        )
    if chosen.write and results.waited > BUSY:
        print("Such figures are not written into documents.", file=sys.stderr)
        return 2
    if chosen.write:
        write(results)
    missed = [verdict for verdict in verdicts(workloads, results) if not verdict.met]
    return 1 if chosen.check and missed else 0


def write(results: Results) -> None:
    """Write the README's table, the tables of docs/performance.md, and the two pictures."""
    from benchmarks.plot import draw, drawHeadline

    workloads = list(WORKLOADS.values())
    writeBetween(ROOT / "README.md", headlineTable(workloads, results))
    writeBetween(ROOT / "docs" / "performance.md", fullTables(workloads, results))
    draw(ROOT / "docs" / "benchmarks.svg", workloads, results)
    drawHeadline(ROOT / "docs" / "headline.svg", workloads, results)


if __name__ == "__main__":
    sys.exit(main())
