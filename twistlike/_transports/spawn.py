"""Starts a program in a child process, with its descriptors as they are asked for.

Thread: the reactor's; nothing here waits.

How it works
------------
`os.posix_spawn` maps descriptors, closes the rest, resets signals and makes a session in which a
terminal that is opened becomes the controlling one; no Python runs in the child. It can change
neither the folder nor the user: for these `subprocess.Popen` forks, with a function that does the
rest in the child only where Popen has no way of its own.

Every descriptor that the child gets is copied above all numbers that the child wants, before any is
put in its place: otherwise a copy could overwrite one that is still needed.
"""

from __future__ import annotations

import errno
import os
import signal
import stat
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Text = str | bytes

__all__ = ["Program", "isSupported", "spawn"]

DEFAULT_MAX_FD = 256
"""Which descriptors may be open where the system does not list them: those below this number."""


class Program(NamedTuple):
    """What is started, and as whom.

    Args:
        executable: A path, or a name that is looked for on the search path.
        args: All arguments, the program's own name first.
        env: The environment; None is this process's.
        path: The folder to run in; None is this process's.
        uid: The user's number; None is this process's.
        gid: The group's number; None is this process's.
    """

    executable: Text
    args: Sequence[Text]
    env: Mapping[Text, Text] | None
    path: Text | None
    uid: int | None
    gid: int | None


def spawn(program: Program, descriptors: Mapping[int, int], terminal: str | None = None) -> int:
    """Start a program.

    Args:
        program: The program.
        descriptors: The child's descriptors, each with ours that it is a copy of. All others are
            closed in the child.
        terminal: The path of a terminal that becomes the controlling one, and descriptors 0 to 2.

    Returns:
        The process's number. It has to be waited for.

    Raises:
        OSError: The program does not exist or may not be run, or no process can be made.
        TypeError: An argument is no text.
        ValueError: There are no arguments, or one has a zero byte.
    """
    if isinstance(program.args, (str, bytes)):
        raise TypeError(f"the arguments of a program are a list, not {program.args!r}")
    args = [_checked(each) for each in program.args]
    if not args:
        raise ValueError(
            "the arguments of a program begin with its own name: "
            f"spawnProcess(protocol, {program.executable!r}, [{program.executable!r}])"
        )
    env = os.environ if program.env is None else program.env
    variables = {_checked(key): _checked(value) for key, value in env.items()}
    executable = _find(program.executable, program.env, program.path)
    wanted = set(range(3)) if terminal else set(descriptors)
    base = max([2, *descriptors]) + 1
    copies: dict[int, int] = {}
    try:
        for number, ours in descriptors.items():
            copies[number] = _copyAbove(ours, base)
        unwanted = _inheritable(wanted)
        if program.path is None and program.uid is None and program.gid is None:
            return _posixSpawn(executable, args, variables, copies, unwanted, terminal)
        return _popen(program, executable, args, variables, copies, unwanted, terminal)
    finally:
        for copy in copies.values():
            os.close(copy)


def _checked(text: Any) -> bytes:
    found = os.fsencode(text)
    if b"\0" in found:
        raise ValueError(f"{text!r} has a zero byte, which no argument or variable can have")
    return found


def _find(executable: Text, env: Mapping[Text, Text] | None, path: Text | None) -> bytes:
    """Return the path of a program.

    The search path is the given environment's, if that has one, else this process's.
    """
    name = _checked(executable)
    if b"/" not in name:
        hasPath = env is not None and ("PATH" in env or b"PATH" in env)
        found = [os.fsencode(each) for each in os.get_exec_path(env if hasPath else None)]  # type: ignore[arg-type]
        candidates = [os.path.join(folder, name) for folder in found]
    elif path is not None:
        return name  # it is looked for from there
    else:
        candidates = [name]
    worst = errno.ENOENT
    for each in candidates:
        try:
            mode = os.stat(each).st_mode
        except OSError as error:
            if error.errno == errno.EACCES:
                worst = errno.EACCES
            continue
        if stat.S_ISREG(mode) and os.access(each, os.X_OK):
            return each
        worst = errno.EACCES
    raise OSError(worst, os.strerror(worst), os.fsdecode(name))


def _copyAbove(descriptor: int, least: int) -> int:
    import fcntl  # not on Windows, where nothing here is used but the module is imported

    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, least)


def _inheritable(wanted: set[int]) -> list[int]:
    """Return what the child would inherit besides what it gets: it is closed there."""
    found = []
    for number in _openDescriptors():
        try:
            if number not in wanted and os.get_inheritable(number):
                found.append(number)
        except OSError:
            pass  # the one by which the list was read, or closed by another thread
    return found


def _openDescriptors() -> list[int]:
    for folder in ("/proc/self/fd", "/dev/fd"):
        try:
            return sorted(int(name) for name in os.listdir(folder))
        except (OSError, ValueError):
            pass
    return list(range(DEFAULT_MAX_FD))


def _posixSpawn(
    executable: bytes,
    args: list[bytes],
    env: dict[bytes, bytes],
    copies: dict[int, int],
    unwanted: list[int],
    terminal: str | None,
) -> int:
    actions: list[tuple[Any, ...]] = [(os.POSIX_SPAWN_CLOSE, number) for number in unwanted]
    if terminal is not None:
        # The first terminal that the leader of a new session opens becomes the controlling one.
        actions.append((os.POSIX_SPAWN_OPEN, 0, terminal, os.O_RDWR, 0))
        actions += [(os.POSIX_SPAWN_DUP2, 0, number) for number in (1, 2)]
    actions += [(os.POSIX_SPAWN_DUP2, copy, number) for number, copy in copies.items()]
    session: dict[str, Any] = {"setsid": True} if terminal is not None else {}
    return os.posix_spawn(
        executable, args, env, file_actions=actions, setsigdef=_resettable(), **session
    )


def _resettable() -> set[int]:
    return {int(each) for each in signal.valid_signals()} - {signal.SIGKILL, signal.SIGSTOP}


def _popen(
    program: Program,
    executable: bytes,
    args: list[bytes],
    env: dict[bytes, bytes],
    copies: dict[int, int],
    unwanted: list[int],
    terminal: str | None,
) -> int:
    import subprocess  # 5 ms; most programs start no child

    inChild = None
    if terminal is not None or set(copies) != {0, 1, 2} or unwanted or _ignored():
        inChild = partial(_prepare, copies, unwanted, terminal)
    user: dict[str, Any] = {}
    if program.uid is not None or program.gid is not None:
        uid = os.geteuid() if program.uid is None else program.uid
        gid = os.getegid() if program.gid is None else program.gid
        user = {"user": uid, "group": gid, "extra_groups": _groups(uid, gid)}
    with _quietFork(inChild is not None):
        process = subprocess.Popen(
            args,
            executable=executable,
            env=env,
            cwd=program.path,
            stdin=copies.get(0),
            stdout=copies.get(1),
            stderr=copies.get(2),
            close_fds=inChild is None,
            preexec_fn=inChild,
            start_new_session=terminal is not None,
            **user,
        )
    # The process is waited for elsewhere: Popen must not do so, nor complain that nobody did.
    process.returncode = 0
    return process.pid


def _ignored() -> bool:
    """Whether this process ignores a signal that Popen would leave ignored in the child."""
    resets = {signal.SIGPIPE, getattr(signal, "SIGXFZ", None), getattr(signal, "SIGXFSZ", None)}
    return any(
        signal.getsignal(each) is signal.SIG_IGN
        for each in signal.valid_signals()
        if each not in resets
    )


def _groups(uid: int, gid: int) -> list[int]:
    import pwd  # not on Windows

    try:
        return os.getgrouplist(pwd.getpwuid(uid).pw_name, gid)
    except KeyError:
        return [gid]  # a user without a name has no other groups


class _quietFork:
    """Python warns of a fork in a process with threads; this one only copies descriptors."""

    def __init__(self, forks: bool) -> None:
        self._forks = forks

    def __enter__(self) -> None:
        import warnings

        self._catch = warnings.catch_warnings()
        if self._forks:
            self._catch.__enter__()
            warnings.filterwarnings("ignore", "This process", DeprecationWarning)

    def __exit__(self, *ignored: object) -> None:
        if self._forks:
            self._catch.__exit__(None, None, None)


def _prepare(copies: dict[int, int], unwanted: list[int], terminal: str | None) -> None:
    """Do in the child, between fork and exec, what Popen cannot do."""
    for number in unwanted:
        os.close(number)
    if terminal is not None:
        slave = os.open(terminal, os.O_RDWR)
        for number in range(3):
            os.dup2(slave, number)
        if slave > 2:
            os.close(slave)
    for number in {0, 1, 2} - set(copies):
        if terminal is None:
            _closeQuietly(number)
    for number, copy in copies.items():
        os.dup2(copy, number)
    for number in _resettable():
        signal.signal(number, signal.SIG_DFL)


def _closeQuietly(number: int) -> None:
    try:
        os.close(number)
    except OSError:
        pass  # it was not open


def isSupported() -> bool:
    """Whether programs can be started here: not on Windows, nor in a browser."""
    return hasattr(os, "posix_spawn")
