"""How long it takes to import what a program needs at its start."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.workload import Bench, Workload, same

__all__ = ["WORKLOADS"]

imported = Workload(
    name="import",
    title="import of reactor, threads and defer",
    size=5,
    expect=same("imported"),
    unit="import",
    headline=True,
    goals={"twisted": 5},
    repeats=1,
)


def importIn(bench: Bench, statement: str) -> str:
    """Import in as many fresh interpreters as there are items; each says how long it took."""
    program = f"""
from time import perf_counter
start = perf_counter()
{statement}
print(perf_counter() - start)
"""
    seconds = 0.0
    for _ in range(bench.size):
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, check=True, text=True
        )
        seconds += float(done.stdout)
    bench.record(seconds)
    return "imported"


@imported.variant("twistlike", "twisted")
def importBoth(bench: Bench) -> str:
    """Import the three."""
    return importIn(bench, f"from {bench.kit.package}.internet import reactor, threads, defer")


@imported.variant("asyncio")
async def importAsyncio(bench: Bench) -> str:
    """Import asyncio."""
    return importIn(bench, "import asyncio")


WORKLOADS = [imported]
