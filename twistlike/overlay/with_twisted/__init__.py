"""What is done where a Twisted is installed: how its code and ours are fitted to each other.

Nothing here is imported unless the overlay is installed and finds a Twisted. `AFTER` is the table:
which function runs when a module of that Twisted, or one of ours in its place, has been loaded.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["AFTER", "AROUND", "afterLoading", "load"]

_HERE = __name__

AFTER: dict[str, tuple[str, ...]] = {
    "internet.address": ("reactor.useTwistedsAddresses",),
    "internet.asyncioreactor": ("reactor.fit",),
    "internet.defer": ("private_names.addToDefer",),
    "internet.epollreactor": ("other_reactors.replaceInstall",),
    "internet.interfaces": ("reactor.fit",),
    "internet.kqreactor": ("other_reactors.replaceInstall",),
    "internet.pollreactor": ("other_reactors.replaceInstall",),
    "internet.reactor": ("reactor.fit",),
    "internet.selectreactor": ("other_reactors.replaceInstall",),
    "internet.task": ("private_names.addToTask",),
    "internet.tcp": ("native.replaceClasses",),
    "python.threadable": ("reactor.registerBoth",),
    "python.threadpool": ("private_names.addToThreadPool",),
}
"""Short name of a module: functions of the modules here. Each is called with that short name."""

AROUND: dict[str, str] = {
    "internet.ssl": "native.withTheirClasses",
    "internet.unix": "native.withTheirClasses",
}
"""Short name of a module of that Twisted: the function here that loads it."""


def load(short: str, plain: Callable[[], None]) -> None:
    """Load a module of that Twisted, in the way that the tables say.

    Args:
        short: Its short name.
        plain: Loads it, and does nothing else.
    """
    around = AROUND.get(short)
    if around is None:
        plain()
    else:
        _function(around)(short, plain)
    afterLoading(short)


def afterLoading(short: str) -> None:
    """Do what is to be done when a module has been loaded. Thread: the one that imports."""
    for each in AFTER.get(short, ()):
        _function(each)(short)


def _function(name: str) -> Callable[..., Any]:
    module, _, function = name.partition(".")
    found: Callable[..., Any] = getattr(import_module(f"{_HERE}.{module}"), function)
    return found
