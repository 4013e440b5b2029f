"""All workloads, by name, in the order in which they are run and shown."""

from __future__ import annotations

from benchmarks.workload import Workload
from benchmarks.workloads import (
    blocking,
    calls,
    computing,
    coroutines,
    deferreds,
    floor,
    imports,
    memory,
    resizing,
    threads,
    timers,
)

__all__ = ["WORKLOADS"]

WORKLOADS: dict[str, Workload] = {
    workload.name: workload
    for module in (
        calls,
        computing,
        threads,
        blocking,
        resizing,
        timers,
        deferreds,
        coroutines,
        memory,
        imports,
        floor,
    )
    for workload in module.WORKLOADS
}
