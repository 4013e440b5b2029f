"""Whose a module of Twisted is: the table, and nothing that takes time to import. Thread: any.

A module's *short* name is the one without `twisted.`; that of the package is empty. `lookup`
answers for single names.
"""

from __future__ import annotations

import importlib.util
import sys

from twistlike.overlay.names import OURS, isBelow

__all__ = ["OURS_ALONE", "OURS_OVER_TWISTED", "PACKAGES", "hasModule", "isOursAlone"]

OURS_ALONE = ("__main__", "overlay", "porting", "pytest_plugin")
"""What is below `twistlike` and has no counterpart in Twisted: not to be had as `twisted.*`.

Neither are the rooms, whose names begin with `_`.
"""

PACKAGES = ("", "internet", "protocols", "python")
"""Those of ours that are packages in Twisted too. Any other folder of ours is a module there."""

OURS_OVER_TWISTED = frozenset(
    {
        "internet.asyncioreactor",
        "internet.defer",
        "internet.error",
        "internet.reactor",
        "internet.task",
        "internet.threads",
        "python.context",
        "python.failure",
        "python.threadpool",
    }
)
"""The modules of ours that stand in for Twisted's even where a Twisted is installed.

They are what one loop, one Deferred and one set of exceptions need. All others that an installed
Twisted has are to be Twisted's own: its code works with their private parts. Where no Twisted is
installed each module that we have is ours.
"""


def isOursAlone(short: str) -> bool:
    """Return whether something of ours is not for programs written for Twisted."""
    top = short.partition(".")[0]
    isRoom = top.startswith("_") and importlib.util.find_spec(f"{OURS}.{top}") is not None
    return isRoom or isBelow(short, OURS_ALONE)


def hasModule(short: str) -> bool:
    """Return whether we have a module of Twisted's. Nothing but its packages is imported."""
    parent = short.rpartition(".")[0]
    if isOursAlone(short) or parent not in PACKAGES:
        return False
    name = f"{OURS}.{short}" if short else OURS
    if name in sys.modules:
        return True  # an object in the place of its module has no __spec__ to be found
    return (not parent or hasModule(parent)) and importlib.util.find_spec(name) is not None
