"""A number in the kernel that one thread counts up to wake another: ``eventfd``, on Linux.

Thread: any.
"""

from __future__ import annotations

import os

__all__ = ["EventCounter"]


class EventCounter:
    """An event counter of the system's, which starts at 0.

    It is closed when nobody has it in their hands any more. Not before: a thread that is about to
    write to the descriptor would write to whatever has got its number by then.

    Attributes:
        number: its descriptor, which can be read from while the count is not 0. Reading resets it.

    Raises:
        AttributeError: this system has no event counters.
        OSError: no descriptor is left.
    """

    __slots__ = ("number",)

    def __init__(self) -> None:
        self.number = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def __del__(self) -> None:
        try:
            os.close(self.number)
        except (AttributeError, OSError):
            pass  # there was none to be had
