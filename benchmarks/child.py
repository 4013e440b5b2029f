"""A process that measures one peer: ``python -m benchmarks.child PEER WORKLOAD...``.

It pins itself to a CPU before it imports any peer, runs the work once unmeasured, then the wanted
number of times, and compares every result with what is expected. It prints one line of JSON.
"""

from __future__ import annotations

import argparse
import faulthandler
import gc
import json
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.workload import Variant, Workload

__all__ = ["main"]

# The share of the size with which the unmeasured run is done.
WARM_UP = 10


class WrongResultError(Exception):
    """A peer did not do the work: there is nothing to measure."""


def main(arguments: list[str] | None = None) -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.child", description=__doc__)
    parser.add_argument("host")
    parser.add_argument("tasks", nargs="+", metavar="WORKLOAD[:WAY]")
    parser.add_argument("--size", type=int, help="items; by default what the workload says")
    parser.add_argument("--repeats", type=int, help="measured runs; else what the workload says")
    parser.add_argument("--cpu", type=int, help="pin to this CPU")
    parser.add_argument("--limit", type=float, default=300.0, help="seconds until it gives up")
    options = parser.parse_args(arguments)
    faulthandler.dump_traceback_later(options.limit, exit=True)  # says where it hangs
    try:
        measure(options)
    finally:
        faulthandler.cancel_dump_traceback_later()


def measure(options: argparse.Namespace) -> None:
    """Measure what the options name, and print the figures."""
    if options.cpu is not None:
        os.sched_setaffinity(0, {options.cpu})  # before there is any other thread

    # Only now: peers may start threads when they are imported.
    from benchmarks.hosts import HOSTS
    from benchmarks.workloads import WORKLOADS

    tasks: list[tuple[Workload, Variant]] = []
    for task in options.tasks:
        name, _, way = task.partition(":")
        workload = WORKLOADS[name]
        tasks.append((workload, workload.named(f"{options.host} {way}".strip())))
    measured: dict[str, dict[str, Any]] = {}
    host = HOSTS[options.host]
    for workload, variant in tasks:
        if not variant.needsLoop:
            runs = _plan(workload, options)
            figures = [
                _figure(workload, bench, variant.function(bench)) for bench in runs(host.kit)
            ]
            measured[f"{workload.name}:{variant.way}"] = _summary(workload, figures)

    async def inLoop() -> None:
        for workload, variant in tasks:
            if variant.needsLoop:
                runs = _plan(workload, options)
                figures = []
                for bench in runs(host.kit):
                    figures.append(_figure(workload, bench, await variant.function(bench)))
                measured[f"{workload.name}:{variant.way}"] = _summary(workload, figures)

    if any(variant.needsLoop for _, variant in tasks):
        host.run(inLoop)
    print(json.dumps(measured))


def _plan(workload: Workload, options: argparse.Namespace) -> Any:
    """Return a function that gives a fresh bench for each run: first the unmeasured one."""
    from benchmarks.hosts import assertNoDebug
    from benchmarks.workload import Bench

    size = workload.sizeFor(options.size or workload.size)
    repeats = options.repeats or workload.repeats

    def benches(kit: Any) -> Any:
        yield Bench(workload.sizeFor(size // WARM_UP), kit)
        for _ in range(repeats):
            gc.collect()
            assertNoDebug()
            yield Bench(size, kit)

    return benches


def _figure(workload: Workload, bench: Any, result: object) -> tuple[float, float]:
    """Check a run's result, and return its wall and CPU time for one operation."""
    expected = workload.expect(bench.size)
    if result != expected:
        raise WrongResultError(
            f"{workload.name} of size {bench.size} gave {str(result)[:200]}, "
            f"not {str(expected)[:200]}"
        )
    operations = bench.size * workload.per
    return bench.seconds / operations, bench.cpuSeconds / operations


def _summary(workload: Workload, figures: list[tuple[float, float]]) -> dict[str, Any]:
    """Return the figures of the measured runs."""
    measured = figures[1:]
    return {"values": [wall for wall, _ in measured], "cpu": [cpu for _, cpu in measured]}


if __name__ == "__main__":
    main()
    sys.stdout.flush()
