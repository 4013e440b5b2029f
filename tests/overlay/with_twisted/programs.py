"""Runs programs for Twisted on the overlay, on each kind of loop, each in a process of its own."""

from __future__ import annotations

import tempfile
import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.oracle import LIMIT, Transcript, runPython

__all__ = ["LOOPS", "QUIET", "inHost", "inRun", "onEachLoop"]

LOOPS = ["asyncio", "uvloop"]

onEachLoop = pytest.mark.parametrize("loop", LOOPS)
"""Runs a test on each kind of loop."""

QUIET = ["-W", "ignore:Using readBody:DeprecationWarning"]
"""Twisted's client warns about its own transport; it does so on its own reactors as well."""

HOST = """
    import asyncio, sys
    from twistlike import overlay
    overlay.install()

    def runHost(main):
        factory = None
        if sys.argv[1] == "uvloop":
            import uvloop
            factory = uvloop.new_event_loop
        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(main())
"""
"""Stands before programs that run a loop of their own."""


def inRun(
    program: str,
    loop: str,
    *arguments: str,
    timeout: float = LIMIT,
    env: Mapping[str, str] | None = None,
) -> str:
    """Run a program by `python -m twistlike run`; it must succeed and say nothing on stderr.

    Args:
        program: Its text; it may be indented as a whole.
        loop: The kind of loop.
        arguments: Those of the program.
        timeout: Seconds until it is killed.
        env: Environment variables in addition to this process's.

    Returns:
        Its standard output.
    """
    return _run(["-m", "twistlike", "run", "--loop", loop], program, arguments, timeout, env)


def inHost(program: str, loop: str, *, timeout: float = LIMIT) -> str:
    """Run a program that calls `runHost(main)`, in the same way; `main` is a coroutine function."""
    return _run([], textwrap.dedent(HOST) + textwrap.dedent(program), [loop], timeout, None)


def _run(
    command: list[str],
    program: str,
    arguments: tuple[str, ...] | list[str],
    timeout: float,
    env: Mapping[str, str] | None,
) -> str:
    with tempfile.TemporaryDirectory(prefix="overlay-") as folder:
        script = Path(folder) / "program.py"
        script.write_text(textwrap.dedent(program), encoding="utf-8")
        transcript = runPython(
            [*QUIET, *command, str(script), *arguments], timeout=timeout, env=env, cwd=folder
        )
    return _checked(transcript)


def _checked(transcript: Transcript) -> str:
    assert (transcript.returncode, transcript.reports) == (0, ""), transcript.stderr
    return transcript.stdout
