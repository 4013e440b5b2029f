"""A number in the kernel that one thread counts up to wake another: `eventfd`, on Linux.

Thread: any.
"""

from __future__ import annotations

import os
from typing import Self

__all__ = ["Eventfd"]

# Those that are open, and by what the kernel knows each, if it tells. (Somebody may have closed the
# descriptors of all, as daemons do, and then others have got their numbers.)
_open: dict[int, str | None] = {}


def _identityOf(number: int) -> str | None:
    """Return by what the kernel knows the event counter with that number.

    Nothing, if there is something else; None, if the kernel cannot be asked (no descriptor is left
    to do so, or there is no `/proc`).
    """
    try:
        # Not open(): at the interpreter's end there is none.
        info = os.open(f"/proc/self/fdinfo/{number}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        lines = os.read(info, 4096).decode().splitlines()
    finally:
        os.close(info)
    return next((line for line in lines if line.startswith("eventfd-id:")), "")


class Eventfd(int):
    """The descriptor of an event counter of the system's, which starts at 0.

    It can be read from while the count is not 0, and reading resets that. It is closed when nobody
    has it in their hands any more. Not before: a thread that is about to write to the descriptor
    would write to whatever has got its number by then.

    Raises:
        AttributeError: this system has no event counters.
        OSError: no descriptor is left.
    """

    _identity: str | None

    def __new__(cls) -> Self:
        number = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self = super().__new__(cls, number)
        self._identity = _open[number] = _identityOf(number)
        return self

    def __del__(self) -> None:
        try:
            number = int(self)
            if self._identity is None or _identityOf(number) in (self._identity, None):
                _open.pop(number, None)
                os.close(number)
        except (AttributeError, OSError, TypeError):
            pass  # the interpreter ends, or somebody else has closed it


def _afterFork() -> None:
    """In the child: what is written to these numbers must not be heard in the parent."""
    for number, identity in list(_open.items()):
        if not identity or identity != _identityOf(number):
            continue
        # One of the child's own takes its place. Closed before: perhaps no other number is left.
        os.close(number)
        try:
            own = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            if own != number:
                os.dup2(own, number, inheritable=False)
                os.close(own)
        except OSError:
            continue  # the limit is lower by now: this number cannot be had again
        _open[number] = _identityOf(number)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_afterFork)
