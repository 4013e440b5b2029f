"""Benchmarks: the same work in twistlike and in each peer that can do it.

``python -m benchmarks`` runs them. How it works:

* ``workloads/`` has a file for each kind of work; in it, side by side, what each peer does.
* ``hosts.py`` starts a peer's loop; ``child.py`` is the process that measures one peer at one
  workload, pinned to a CPU, and checks each result.
* ``runner.py`` starts these processes in pairs, ours and a peer's one after the other.
* ``results.py`` takes the medians of the pairs' ratios; ``report.py`` and ``plot.py`` show them.
"""
