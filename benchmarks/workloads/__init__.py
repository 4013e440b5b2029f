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
    network,
    queues,
    resizing,
    threads,
    timers,
    web,
)

__all__ = ["WORKLOADS"]

WORKLOADS: dict[str, Workload] = {
    workload.name: workload
    for module in (
        calls,
        computing,
        threads,
        blocking,
        queues,
        resizing,
        timers,
        deferreds,
        coroutines,
        memory,
        network,
        imports,
        floor,
        web,
    )
    for workload in module.WORKLOADS
}
