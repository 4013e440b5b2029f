"""Refuses to copy what belongs to threads and a loop. Thread: any."""

from __future__ import annotations

from typing import NoReturn

__all__ = ["refuseCopy"]


def refuseCopy(self: object) -> NoReturn:
    """Serve as `__reduce__`, which `copy.copy`, `copy.deepcopy` and `pickle.dumps` call.

    A copy would share the locks and the threads of the first, but not what it counts: calls that
    one of them takes are missed by the other.

    Raises:
        TypeError: Always.
    """
    raise TypeError(
        f"{type(self).__name__} objects cannot be copied or pickled: they belong to their process,"
        " its threads and its loop. Make another one there"
    )
