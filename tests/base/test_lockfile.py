"""python.lockfile: locks between processes, and what stands at their paths that is no lock."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.oracle import ROOT, assertSame, runPython
from twistlike.python.lockfile import FilesystemLock, isLocked

fcntl = pytest.importorskip("fcntl")


def deadProcess() -> int:
    """Return the number of a process that has ended."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_a_lock_is_taken_and_given_back(tmp_path: Path) -> None:
    """One that is taken is not taken again; given back it can be."""
    name = str(tmp_path / "lock")
    lock, other = FilesystemLock(name), FilesystemLock(name)
    assert lock.lock()
    assert (lock.locked, lock.clean, isLocked(name)) == (True, True, True)
    assert not other.lock()
    assert not other.locked
    lock.unlock()
    assert (lock.locked, isLocked(name)) == (False, False)
    assert other.lock()


def test_it_does_what_twisteds_does() -> None:
    """Names, attributes and errors are Twisted's."""
    assertSame(
        """
        import os, tempfile
        from twisted.python.lockfile import FilesystemLock, isLocked
        name = os.path.join(tempfile.mkdtemp(), "lock")
        lock = FilesystemLock(name)
        print(lock.locked, lock.clean, isLocked(name))
        print(lock.lock(), lock.locked, lock.clean, isLocked(name))
        print(os.readlink(name) == str(os.getpid()))
        print(FilesystemLock(name).lock())
        lock.unlock()
        print(lock.locked, os.path.lexists(name))
        try:
            lock.unlock()
        except OSError as error:
            print(type(error).__name__)
        os.symlink("1", name)
        try:
            lock.unlock()
        except ValueError as error:
            print(type(error).__name__)
        """
    )


def test_the_lock_of_a_process_that_has_ended_is_taken(tmp_path: Path) -> None:
    """A stale lock is nobody's; that it was not given back is told by `clean`."""
    name = tmp_path / "lock"
    name.symlink_to(str(deadProcess()))
    lock = FilesystemLock(str(name))
    assert lock.lock()
    assert lock.clean is False
    assert os.readlink(name) == str(os.getpid())


@pytest.mark.parametrize(
    "owner", ["nobody", "-1", "0", "", "\u0663\u0664", "1e3", "99999999999999"]
)
def test_a_link_that_names_no_process_is_an_error(owner: str, tmp_path: Path) -> None:
    """It is no lock of ours: it stays where it is, and the error says what stands there."""
    name = tmp_path / "lock"
    if not owner:
        name = tmp_path / "link"
        owner = "elsewhere/file"
    name.symlink_to(owner)
    with pytest.raises(OSError, match="not a lock"):
        FilesystemLock(str(name)).lock()
    assert os.readlink(name) == owner


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_a_path_that_is_taken_by_something_else_is_an_error(kind: str, tmp_path: Path) -> None:
    """A folder or a file is told of at once; nobody spins on it."""
    program = f"""
        import os
        from twistlike.python.lockfile import FilesystemLock
        name = os.path.join({str(tmp_path)!r}, "lock")
        os.mkdir(name) if {kind!r} == "folder" else open(name, "w").close()
        try:
            FilesystemLock(name).lock()
        except OSError as error:
            print(type(error).__name__, os.path.exists(name))
    """
    transcript = runPython(["-c", textwrap.dedent(program)])
    assert transcript.stdout == "OSError True\n", transcript


def test_a_stale_lock_that_another_process_looks_at_counts_as_taken(tmp_path: Path) -> None:
    """While somebody else removes what is stale in the folder, nothing is waited for or removed."""
    name = tmp_path / "lock"
    name.symlink_to(str(deadProcess()))
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        assert not FilesystemLock(str(name)).lock()
        assert name.is_symlink()
    finally:
        os.close(folder)
    assert FilesystemLock(str(name)).lock()


def test_a_lock_that_was_taken_anew_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at a stale lock and its removal another process takes it: it keeps it."""
    from twistlike._base import lockfile

    name = tmp_path / "lock"
    name.symlink_to(str(deadProcess()))
    real = lockfile._lockFolderOf

    def late(path: str) -> object:
        name.unlink()
        name.symlink_to("1")
        return real(path)

    monkeypatch.setattr(lockfile, "_lockFolderOf", late)
    assert not FilesystemLock(str(name)).lock()
    assert os.readlink(name) == "1"


def test_many_processes_and_stale_locks_have_one_owner(tmp_path: Path) -> None:
    """Four processes take, give back, and leave behind one lock: never do two have it at once."""
    program = f"""
        import os, random, sys
        from twistlike.python.lockfile import FilesystemLock
        name, inside = {str(tmp_path / "lock")!r}, {str(tmp_path / "inside")!r}
        taken = 0
        while taken < 100:
            if (child := os.fork()) == 0:
                lock = FilesystemLock(name)
                if not lock.lock():
                    os._exit(1)
                os.mkdir(inside)  # fails if somebody else is inside
                os.rmdir(inside)
                if random.random() < 0.5:
                    lock.unlock()
                os._exit(0)
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            taken += status == 0
    """
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(program)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    children = [
        subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for child in children:
        _, errors = child.communicate(timeout=100)
        assert (child.returncode, errors) == (0, "")
