"""Runs a program on Twisted and on twistlike, each in a fresh process, and compares the outcome.

Twisted is the oracle: where a document leaves a behaviour open, what it does is what we do.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from tests.forkserver import ForkServer

__all__ = [
    "LIMIT",
    "ROOT",
    "Hung",
    "Transcript",
    "assertSame",
    "normalise",
    "run",
    "runProgram",
    "runPython",
]

ROOT = Path(__file__).resolve().parent.parent
"""The project's folder: the processes find ``twistlike`` here."""

Platform = Literal["twisted", "twistlike"]

LIMIT = 100.0
"""Seconds until a program is killed: it hangs. Others take a fraction, on a busy machine too."""

# Of each interpreter.
OPTIONS = ["-X", "faulthandler", "-X", "utf8", "-B"]

# What many programs import, and what does nothing at a process's exit that the order matters to.
MODULES: tuple[str, ...] = (
    *("contextlib", "dataclasses", "enum", "heapq", "inspect", "linecache", "random", "re"),
    *("selectors", "signal", "socket", "ssl", "subprocess", "tempfile", "traceback"),
    *("typing_extensions", "warnings", "weakref", "zope.interface"),
)

# Of Twisted, in a program for it: all but a reactor.
TWISTEDS: tuple[str, ...] = (
    *("twisted.internet.defer", "twisted.internet.endpoints", "twisted.internet.protocol"),
    *("twisted.internet.task", "twisted.internet.threads", "twisted.logger"),
    *("twisted.protocols.basic", "twisted.python.failure", "twisted.python.log"),
    "twisted.python.threadpool",
)

# A killed process that was asked for its stacks gets this long to write them. Seconds.
_STACKS_GRACE = 2.0


@dataclass(frozen=True)
class Transcript:
    """What one process left behind."""

    stdout: str
    stderr: str
    returncode: int

    @property
    def lines(self) -> list[str]:
        """The lines of the standard output, normalised."""
        return normalise(self.stdout).splitlines()

    @property
    def reports(self) -> str:
        """The standard error, without what asyncio's debug mode says of a machine that is busy."""
        lines = self.stderr.splitlines(keepends=True)
        return "".join(
            line for line in lines if not re.match(r"Executing <.* took \S+ seconds", line)
        )


class Hung(AssertionError):
    """A process did not end within its time. It was asked for its stacks and killed.

    Attributes:
        stdout: What it had written by then.
        stderr: The same, with the stacks of its threads.
    """

    def __init__(self, what: str, timeout: float, stdout: str, stderr: str) -> None:
        super().__init__(
            f"{what} did not end within {timeout} s\n--- stdout\n{stdout}\n--- stderr\n{stderr}"
        )
        self.stdout = stdout
        self.stderr = stderr


def run(
    program: str,
    on: Platform,
    *,
    args: Sequence[str] = (),
    timeout: float = LIMIT,
    env: Mapping[str, str] | None = None,
    overlay: bool = False,
) -> Transcript:
    """Run a program's text in a fresh process.

    Args:
        program: The source, written for Twisted; it may be indented as a whole.
        on: For ``'twistlike'`` each word ``twisted`` of the text becomes ``twistlike``, and every
            warning is an error.
        args: The program's command line arguments.
        timeout: Seconds until the process is killed.
        env: Environment variables in addition to this process's.
        overlay: With ``'twistlike'``: leave the text as it is, and run it by
            ``python -m twistlike run``.

    Returns:
        What the process wrote, and its return code.

    Raises:
        Hung: It did not end in time.
    """
    text = textwrap.dedent(program)
    if on == "twistlike" and not overlay:
        text = re.sub(r"\btwisted\b", "twistlike", text)
    options = ["-W", "error"] if on == "twistlike" else []
    with tempfile.TemporaryDirectory(prefix="oracle-") as folder:
        script = Path(folder) / "program.py"
        script.write_text(text, encoding="utf-8")
        if on == "twistlike" and overlay:
            command = [*options, "-m", "twistlike", "run", str(script), *args]
            return runPython(command, timeout=timeout, env=env)
        return runProgram(text, options, script, args, timeout=timeout, env=env)


def runProgram(
    text: str,
    options: Sequence[str],
    script: Path | str = "<string>",
    args: Sequence[str] = (),
    *,
    timeout: float = LIMIT,
    env: Mapping[str, str] | None = None,
) -> Transcript:
    """Run a program in a process of its own, for tests of what a running program does.

    As :func:`runPython`, but much of what programs import is imported when the process begins:
    modules of others alone, see ``tests.forkserver``.

    Args:
        text: The program.
        options: The interpreter's.
        script: The file that the text is in, if it is in one.
        args: The program's command line arguments.
        timeout: Seconds until the process and all that it started are killed.
        env: Environment variables in addition to this process's.

    Returns:
        What the process wrote, and its return code.

    Raises:
        Hung: It did not end in time.
    """
    environment = _environment(env)
    if not hasattr(os, "fork"):
        source = ["-c", text] if script == "<string>" else [str(script)]
        return runPython([*options, *source, *args], timeout=timeout, env=env)
    modules = MODULES
    if re.search(r"\btwisted\b", text):
        modules += TWISTEDS
    elif re.search(r"^(import|from) asyncio\b", text, re.MULTILINE):
        # Not in other programs: what it registers for the exit would come earlier than in theirs.
        modules += ("asyncio",)
    argv = ["-c" if script == "<string>" else str(script), *args]
    server = _server(tuple(options), modules)
    ended = server.run(text, str(script), argv, environment, timeout)
    if ended.returncode is None:
        raise Hung(f"{script} {' '.join(args)}", timeout, ended.stdout, ended.stderr)
    return Transcript(ended.stdout, ended.stderr, ended.returncode)


@cache
def _server(options: tuple[str, ...], modules: tuple[str, ...]) -> ForkServer:
    return ForkServer([*OPTIONS, *options], modules, _environment(None))


def assertSame(
    program: str,
    *,
    args: Sequence[str] = (),
    timeout: float = LIMIT,
    env: Mapping[str, str] | None = None,
    overlay: bool = False,
) -> Transcript:
    """Run a program on both and fail unless standard output and return code are the same.

    Addresses, thread identifiers and the packages' own names do not count as differences.

    Args:
        program: As for :func:`run`, as are the others.

    Returns:
        Twistlike's transcript, for what else a test wants to say about it.
    """
    theirs = run(program, "twisted", args=args, timeout=timeout, env=env)
    ours = run(program, "twistlike", args=args, timeout=timeout, env=env, overlay=overlay)
    expected = (normalise(theirs.stdout), theirs.returncode)
    found = (normalise(ours.stdout), ours.returncode)
    assert found == expected, (
        f"twistlike differs from Twisted\n"
        f"--- Twisted (return code {theirs.returncode})\n{expected[0]}{theirs.stderr}\n"
        f"--- twistlike (return code {ours.returncode})\n{found[0]}{ours.stderr}"
    )
    return ours


def normalise(text: str) -> str:
    """Replace what differs from run to run, and from Twisted to twistlike, without meaning."""
    text = re.sub(r"\btwistlike\b", "twisted", text)
    # Twisted's logger shows where its classes are written, ours what they are imported from.
    text = text.replace("twisted.logger._levels.", "twisted.logger.")
    text = re.sub(r"\b0x[0-9a-fA-F]{4,}\b", "0xADDRESS", text)
    text = re.sub(r"\b1[0-9]{14}\b", "THREAD-IDENT", text)  # pthread identifiers on Linux
    if "oracle-" in text:  # the pattern takes seconds for a line of 100 kB
        text = re.sub(r"[^\s'\"]*oracle-\w+[/\\]program\.py", "program.py", text)
    return text


def runPython(
    arguments: Sequence[str],
    *,
    timeout: float = LIMIT,
    env: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
) -> Transcript:
    """Run this interpreter with a command line, twistlike importable, within a hard limit.

    Args:
        arguments: What follows ``python`` on the command line.
        timeout: Seconds until the process and all that it started are killed.
        env: Environment variables in addition to this process's.
        cwd: The folder it runs in.

    Returns:
        What the process wrote, and its return code.

    Raises:
        Hung: It did not end in time.
    """
    command = [sys.executable, *OPTIONS, *arguments]
    with _groupOf(command, _environment(env), cwd) as process:
        try:
            stdout, stderr = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            raise _hung(process, " ".join(command), timeout) from None
    return Transcript(stdout, stderr, process.returncode)


def _environment(added: Mapping[str, str] | None) -> dict[str, str]:
    """Return the environment of a program: it finds twistlike, and its hashes are the same."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "0", **(added or {})}


@contextlib.contextmanager
def _groupOf(
    command: Sequence[str], env: Mapping[str, str], cwd: str | Path | None
) -> Iterator[subprocess.Popen[str]]:
    """Start a process in a group of its own, and leave nothing of that group behind."""
    with subprocess.Popen(
        command,
        env=env,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="backslashreplace",
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            _killGroup(process)


def _killGroup(process: subprocess.Popen[str]) -> None:
    """Kill a process and what it started, if anything of that is left."""
    if sys.platform == "win32":
        process.kill()
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _hung(process: subprocess.Popen[str], what: str, timeout: float) -> Hung:
    """Make faulthandler write the stacks, kill the process, and say all that."""
    if sys.platform != "win32":
        process.send_signal(signal.SIGABRT)
    try:
        stdout, stderr = process.communicate(timeout=_STACKS_GRACE)
    except subprocess.TimeoutExpired:
        _killGroup(process)
        stdout, stderr = process.communicate()
    return Hung(what, timeout, stdout, stderr)
