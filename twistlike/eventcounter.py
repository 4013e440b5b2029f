"""A number in the kernel that one thread counts up to wake another: ``eventfd``, on Linux.

Thread: any.
"""

from __future__ import annotations

import os
from typing import Self

__all__ = ["EventCounter"]

# Those that are open. A plain dict: a fork may come in the middle of each of its operations.
_open: dict[int, None] = {}


class EventCounter(int):
    """The descriptor of an event counter of the system's, which starts at 0.

    It can be read from while the count is not 0, and reading resets that. It is closed when nobody
    has it in their hands any more. Not before: a thread that is about to write to the descriptor
    would write to whatever has got its number by then.

    Raises:
        AttributeError: this system has no event counters.
        OSError: no descriptor is left.
    """

    def __new__(cls) -> Self:
        number = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self = super().__new__(cls, number)
        _open[number] = None
        return self

    def __del__(self) -> None:
        try:
            number = int(self)
            _open.pop(number, None)
            os.close(number)
        except (AttributeError, OSError, TypeError):
            pass  # the interpreter ends, or somebody else has closed it


def _afterFork() -> None:
    """In the child: what is written to these numbers must not be heard in the parent."""
    numbers = list(_open)
    if not numbers:
        return
    first, *others = numbers
    # One of the child's own in the place of each, for nobody waits for them here. The first is
    # closed before that: perhaps no other descriptor is left.
    os.close(first)
    own = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
    if own != first:
        os.dup2(own, first, inheritable=False)
        os.close(own)
    for number in others:
        os.dup2(first, number, inheritable=False)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_afterFork)
