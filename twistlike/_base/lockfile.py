"""A lock between processes: a file that says which process has it. Thread: any.

The lock is a symbolic link whose target is the number of the process: making one fails if there is
one already, in one step, on any file system that has links. Where there are none (Windows), a
directory with a file in it serves.

How it works
------------
A lock whose process has ended is stale and may be removed. Two processes that find it at once must
not both remove it, the second one the lock that the first has just taken. So it is removed under an
advisory lock of the folder that it is in, after one more look. A folder whose lock somebody else
holds is not waited for: the lock counts as taken for now.
"""

from __future__ import annotations

import errno
import os
import sys

from twistlike._base.naming import showAs

__all__ = ["FilesystemLock", "isLocked"]

_LINKS = sys.platform != "win32"

_MOST = 2**31 - 1
"""The largest number that a process can have: pid_t is a C int on every system."""


def _read(name: str) -> str:
    """Return what the lock says about its owner."""
    if _LINKS:
        return os.readlink(name)
    with open(os.path.join(name, "owner")) as file:
        return file.read()


def _create(name: str, owner: str) -> None:
    """Take the lock; raise FileExistsError if somebody has it."""
    if _LINKS:
        os.symlink(owner, name)
        return
    os.mkdir(name)
    with open(os.path.join(name, "owner"), "w") as file:
        file.write(owner)


def _remove(name: str) -> None:
    if _LINKS:
        os.remove(name)
    else:
        os.remove(os.path.join(name, "owner"))
        os.rmdir(name)


def _lives(name: str, owner: str) -> bool:
    """Return whether the process that has a lock is there. One that we may not signal is.

    Raises:
        OSError: What stands there is no lock: it does not name a process.
    """
    if not (owner.isascii() and owner.isdecimal() and 0 < int(owner) <= _MOST):
        text = (
            f"not a lock: it says {owner!r}, which is no process; remove it or choose another path"
        )
        raise OSError(errno.EINVAL, text, name)
    if not _LINKS:
        return True  # os.kill would end it
    try:
        os.kill(int(owner), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _lockFolderOf(name: str) -> int | None:
    """Take the lock of the folder that a lock is in.

    Returns:
        A descriptor, to be closed; None if somebody else has it.
    """
    if sys.platform == "win32":
        return os.open(os.devnull, os.O_RDONLY)
    import fcntl  # only where a process has left a lock behind

    folder = os.open(os.path.dirname(os.path.abspath(name)), os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(folder)
        return None
    except OSError:
        pass  # this file system has no such locks: one more look has to do
    return folder


class FilesystemLock:
    """A lock between processes.

    Attributes:
        name: The path of the lock.
        locked: Whether this object has it.
        clean: Whether the one that had it before gave it back; None until this object has had it.
    """

    clean: bool | None = None
    locked: bool = False

    def __init__(self, name: str) -> None:
        self.name = name

    def lock(self) -> bool:
        """Take the lock, if nobody who still lives has it.

        Returns:
            Whether it is this object's now.

        Raises:
            OSError: Something stands at the path that is no lock: a file, a folder, a link that
                names no process. Or the folder cannot be written to.
        """
        clean = True
        while True:
            try:
                _create(self.name, str(os.getpid()))
            except FileExistsError:
                try:
                    if _lives(self.name, _read(self.name)) or not self._removeStale():
                        return False
                except FileNotFoundError:
                    continue  # given back since
                clean = False
            else:
                self.locked = True
                self.clean = clean
                return True

    def _removeStale(self) -> bool:
        """Remove the lock of a process that has ended; return whether that was done."""
        folder = _lockFolderOf(self.name)
        if folder is None:
            return False
        try:
            # Race: since we looked, another process may have removed the lock and taken it anew.
            if _lives(self.name, _read(self.name)):
                return False
            _remove(self.name)
            return True
        finally:
            os.close(folder)

    def unlock(self) -> None:
        """Give the lock back.

        Raises:
            ValueError: Another process has it.
            OSError: Nobody has it.
        """
        if _read(self.name) != str(os.getpid()):
            raise ValueError(f"Lock {self.name!r} not owned by this process")
        _remove(self.name)
        self.locked = False


def isLocked(name: str) -> bool:
    """Return whether somebody has the lock of that path."""
    lock = FilesystemLock(name)
    taken = False
    try:
        taken = lock.lock()
    finally:
        if taken:
            lock.unlock()
    return not taken


showAs("twistlike.python.lockfile", globals(), __all__)
