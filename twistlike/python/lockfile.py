"""A lock between processes: a file that says which process has it. Room: `_base.lockfile`."""

from __future__ import annotations

from twistlike._base.lockfile import (
    FilesystemLock,
    isLocked,
)

__path__: list[str] = []  # a name that is not here is asked of the package's finder

__all__ = [
    "FilesystemLock",
    "isLocked",
]
