"""What is done where a Twisted is installed: how its code and ours are fitted to each other.

Nothing here is imported unless the overlay is installed and finds a Twisted. `AFTER` is the table:
which function runs when a module of that Twisted, or one of ours in its place, has been loaded.
"""

from __future__ import annotations

from importlib import import_module

__all__ = ["AFTER", "afterLoading"]

_HERE = __name__

AFTER: dict[str, tuple[str, ...]] = {
    "internet.address": ("reactor.useTwistedsAddresses",),
    "internet.asyncioreactor": ("reactor.fit",),
    "internet.defer": ("private_names.addToDefer", "deprecations.ofDeferred"),
    "internet.epollreactor": ("other_reactors.replaceInstall",),
    "internet.interfaces": ("reactor.fit",),
    "internet.kqreactor": ("other_reactors.replaceInstall",),
    "internet.pollreactor": ("other_reactors.replaceInstall",),
    "internet.reactor": ("reactor.fit",),
    "internet.selectreactor": ("other_reactors.replaceInstall",),
    "internet.task": ("private_names.addToTask", "deprecations.ofLoopingCall"),
    "internet.tcp": ("native.countOurs",),
    "python.threadable": ("reactor.registerBoth",),
    "python.threadpool": ("private_names.addToThreadPool", "deprecations.ofThreadPool"),
}
"""Short name of a module: functions of the modules here. Each is called with that short name."""


def afterLoading(short: str) -> None:
    """Do what is to be done when a module has been loaded. Thread: the one that imports."""
    for each in AFTER.get(short, ()):
        module, _, function = each.partition(".")
        getattr(import_module(f"{_HERE}.{module}"), function)(short)
