"""A lock between processes: a file that says which process has it. Thread: any.

The lock is a symbolic link whose target is the process's number: making one fails if there is one
already, in one step, on any file system that has links. Where there are none (Windows), a directory
with a file in it serves.
"""

from __future__ import annotations

import os

from twistlike._base.naming import showAs

__all__ = ["FilesystemLock", "isLocked"]


def _read(name: str) -> str:
    """Return who has the lock."""
    try:
        return os.readlink(name)
    except OSError:
        if not os.path.isdir(name):
            raise
        with open(os.path.join(name, "owner")) as file:
            return file.read()


def _create(name: str, owner: str) -> None:
    """Take the lock; raise FileExistsError if somebody has it."""
    if os.name != "nt":
        os.symlink(owner, name)
        return
    os.mkdir(name)
    with open(os.path.join(name, "owner"), "w") as file:
        file.write(owner)


def _remove(name: str) -> None:
    if os.path.isdir(name) and not os.path.islink(name):
        os.remove(os.path.join(name, "owner"))
        os.rmdir(name)
    else:
        os.remove(name)


def _lives(owner: str) -> bool:
    """Return whether a process is there. One that we may not signal is."""
    try:
        pid = int(owner)
    except ValueError:
        return False
    if os.name == "nt":
        return True  # os.kill would end it
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class FilesystemLock:
    """A lock between processes.

    Attributes:
        name: the path of the lock.
        locked: whether this object has it.
        clean: whether the one that had it before gave it back; None until this object has had it.
    """

    clean: bool | None = None
    locked: bool = False

    def __init__(self, name: str) -> None:
        self.name = name

    def lock(self) -> bool:
        """Take the lock, if nobody who still lives has it.

        Returns:
            whether it is this object's now.
        """
        clean = True
        while True:
            try:
                _create(self.name, str(os.getpid()))
            except FileExistsError:
                try:
                    owner = _read(self.name)
                except FileNotFoundError:
                    continue  # given back since
                if _lives(owner):
                    return False
                clean = False
                try:
                    self._breakStale(owner)
                except FileNotFoundError:
                    continue  # somebody else was quicker
            else:
                self.locked = True
                self.clean = clean
                return True

    def _breakStale(self, owner: str) -> None:
        """Remove the lock of a process that has ended.

        Two that find it at once must not both remove it, the second the lock that the first has
        just taken. So it is renamed first, which only one can do, and put back if it was another's.
        """
        aside = f"{self.name}.{os.getpid()}.{id(self):x}"
        os.rename(self.name, aside)
        if _read(aside) != owner:
            os.rename(aside, self.name)
            raise FileNotFoundError
        _remove(aside)

    def unlock(self) -> None:
        """Give the lock back.

        Raises:
            ValueError: another process has it.
            OSError: nobody has it.
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
