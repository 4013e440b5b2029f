"""Finds source files, and reads them: what cannot be read is named, and stops nothing."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["MAX_SIZE", "SUFFIXES", "Unreadable", "findSources", "readSource"]

SUFFIXES = (".py", ".pyi", ".pyw", ".tac")
"""What is source: Python's suffixes, and that of Twisted's application configurations."""

MAX_SIZE = 5_000_000
"""Bytes above which a file is data. The largest module that we have met has 0.7 MB."""


class Unreadable(NamedTuple):
    """A file or folder that was not looked at, and the reason."""

    path: str
    reason: str


def findSources(paths: Iterable[str], complain: Callable[[Unreadable], object]) -> Iterator[str]:
    """Find the source files among paths: a file is taken as it is, a folder is searched.

    Hidden folders, `__pycache__`, `node_modules` and virtual environments are left out, and so
    are folders behind symbolic links: those end no search.

    Args:
        paths: Files and folders.
        complain: Is told what cannot be looked at.

    Yields:
        Paths that begin as the given ones do, sorted within a folder, each file once.
    """
    seen: set[str] = set()
    for path in paths:
        found = _inFolder(path, complain) if os.path.isdir(path) else [path]
        for each in found:
            real = os.path.realpath(each)
            if real not in seen:
                seen.add(real)
                yield each


def _inFolder(folder: str, complain: Callable[[Unreadable], object]) -> Iterator[str]:
    def failed(error: OSError) -> None:
        complain(Unreadable(str(error.filename), error.strerror or str(error)))

    for parent, folders, files in os.walk(folder, onerror=failed):
        folders[:] = sorted(each for each in folders if _isSearched(parent, each))
        for name in sorted(files):
            if name.endswith(SUFFIXES):
                yield os.path.join(parent, name)


def _isSearched(parent: str, name: str) -> bool:
    return not (
        name.startswith(".")
        or name in ("__pycache__", "node_modules")
        or os.path.exists(os.path.join(parent, name, "pyvenv.cfg"))
    )


def readSource(path: str) -> bytes:
    """Read a file.

    Raises:
        OSError: It cannot be read; that it is no regular file, or larger than `MAX_SIZE`, counts.
    """
    # A named pipe would be waited for: so nothing is opened before it is known to be a file.
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(0, "not a regular file", path)
    if status.st_size > MAX_SIZE:
        raise OSError(0, f"larger than {MAX_SIZE:,} bytes", path)
    with open(path, "rb") as file:
        return file.read()
