"""What tests that look at `HandoffLock`s replace in the wakeup room."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twistlike._wakeup.gil_handoff import HandoffSlot

__all__ = ["neverLong"]


def neverLong(put: Callable[[Any, str, Any], object] = setattr) -> None:
    """Have no wait count as long, as each may on a busy machine: then the lock is not given out.

    Args:
        put: A test's ``monkeypatch.setattr``, which is undone. A program in a process of its own
            needs none.
    """
    put(HandoffSlot, "noteLong", lambda self: None)
