"""Runs programs in processes that are forked, with what a program imports first already imported.

Most of what a short program costs is the start of its interpreter: 0.15 s of imports for one of
ours, 0.3 s for one of Twisted's. A *server* is an interpreter that has imported modules of others,
and nothing of twistlike. It has one thread, and forks for each program. The process then does what
a fresh one does: it runs the program as ``__main__`` and ends as interpreters end.

This is for tests of what a running program does. What an import does or costs, a command line, and
an interpreter's options need an interpreter of their own: ``tests.oracle.runPython``.

As a program (``python -m tests.forkserver DESCRIPTOR MODULE...``) this module is the server.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import linecache
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from time import monotonic
from typing import Any

__all__ = ["Ended", "ForkServer"]

# The longest request, in bytes: a program's text and its environment.
LONGEST = 1 << 18

# A killed process that was asked for its stacks gets this long to write them. Seconds.
STACKS_GRACE = 2.0


class Ended:
    """How a program's process has ended.

    Attributes:
        stdout: What it wrote.
        stderr: The same.
        returncode: The exit status, or minus a signal's number; None if it did not end in time.
    """

    def __init__(self) -> None:
        self.stdout = self.stderr = ""
        self.returncode: int | None = None


class ForkServer:
    """A server, from the side that asks. Thread: any; one program runs at a time.

    Args:
        options: Of the interpreter.
        modules: What it imports before it forks.
        environment: Its own; that of a program comes with the program.
    """

    def __init__(
        self, options: Sequence[str], modules: Iterable[str], environment: Mapping[str, str]
    ) -> None:
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for each in (self._socket, theirs):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LONGEST)
        with theirs:
            number = theirs.fileno()
            self._process = subprocess.Popen(
                [sys.executable, *options, "-m", "tests.forkserver", str(number), *modules],
                env=environment,
                pass_fds=[number],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C ends the tests, and they end the server
            )
        atexit.register(self.close)

    def close(self) -> None:
        """End the server."""
        self._socket.close()
        self._process.wait()

    def run(
        self,
        text: str,
        filename: str,
        argv: Sequence[str],
        environment: Mapping[str, str],
        timeout: float,
    ) -> Ended:
        """Run a program in a process of its own, within a hard limit.

        Args:
            text: The program.
            filename: What its code is said to be from.
            argv: Its ``sys.argv``.
            environment: All of its environment.
            timeout: Seconds until the process, and all that it has started, is killed.
        """
        message = json.dumps([text, filename, list(argv), dict(environment)]).encode()
        pipes = [os.pipe(), os.pipe()]
        with self._lock:
            try:
                socket.send_fds(self._socket, [message], [writing for _, writing in pipes])
            finally:
                for _, writing in pipes:
                    os.close(writing)
            pid = int(self._socket.recv(100))
            try:
                return self._watch(pid, [reading for reading, _ in pipes], timeout)
            finally:
                for reading, _ in pipes:
                    os.close(reading)

    def _watch(self, pid: int, pipes: list[int], timeout: float) -> Ended:
        """Read what a process and all that it has started write, until they have ended."""
        wrote: dict[int, list[bytes]] = {number: [] for number in pipes}
        ended = Ended()
        status = self._socket.fileno()
        if not _read(wrote, status, monotonic() + timeout):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGABRT)  # faulthandler writes the stacks
            _read(wrote, status, monotonic() + STACKS_GRACE)
            _killGroup(pid)
            self._socket.recv(100)
        else:
            ended.returncode = int(self._socket.recv(100))
            _killGroup(pid)
        ended.stdout, ended.stderr = (_decode(b"".join(wrote[number])) for number in pipes)
        return ended


def _read(wrote: dict[int, list[bytes]], status: int, end: float) -> bool:
    """Read pipes until all are at their end and the status has come. Returns whether that is so."""
    waiting = {*wrote, status}
    while waiting:
        ready, _, _ = select.select(waiting, [], [], max(0.0, end - monotonic()))
        if not ready:
            return False
        for number in ready:
            if number == status:
                waiting.discard(status)  # it is read by the caller
            elif data := os.read(number, 1 << 16):
                wrote[number].append(data)
            else:
                waiting.discard(number)
    return True


def _decode(data: bytes) -> str:
    """Return the text of a pipe, as `subprocess` does."""
    text = data.decode("utf-8", "backslashreplace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _killGroup(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _serve(server: socket.socket) -> list[Any] | None:
    """Fork for each request, and tell how the process has ended. In the server.

    Returns:
        In a process that runs a program: the request. In the server: None, when nobody asks
        any more.
    """
    while True:
        message, descriptors, _, _ = socket.recv_fds(server, LONGEST, 2)
        if not message:
            return None
        pid = os.fork()
        if pid == 0:
            os.setsid()
            for target, descriptor in enumerate(descriptors, start=1):
                os.dup2(descriptor, target)
                os.close(descriptor)
            found: list[Any] = json.loads(message)
            return found
        for descriptor in descriptors:
            os.close(descriptor)
        server.send(str(pid).encode())
        _, status = os.waitpid(pid, 0)
        server.send(str(os.waitstatus_to_exitcode(status)).encode())


if __name__ == "__main__":
    for name in sys.argv[2:]:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as listening:
        asked = _serve(listening)
    if asked is not None:
        program, filename, sys.argv, environment = asked
        os.environ.clear()
        os.environ.update(environment)
        sys.path[0] = os.path.dirname(filename)
        if not os.path.exists(filename):  # tracebacks show its lines, as those of "python -c"
            linecache.cache[filename] = (len(program), None, program.splitlines(True), filename)
        gc.unfreeze()  # else the exit frees less than it does
        # This module goes on as the program's: its globals go at the exit as they always do.
        globals().update(__spec__=None, __package__=None, __doc__=None)
        __file__, _code = filename, compile(program, filename, "exec", dont_inherit=True)
        _name = ""
        for _name in {each for each in globals() if each[:2] != "__"} - {"_code", "_name"}:
            del globals()[_name]
        del _name
        exec(globals().pop("_code"))
