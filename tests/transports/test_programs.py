"""Programs on connections give the same transcript on Twisted and on each kind of loop."""

from __future__ import annotations

from functools import cache
from textwrap import dedent
from typing import Literal

import pytest

from tests.oracle import run
from tests.transports.programs import HEADER, LOOPS, PROGRAMS


@cache
def _transcripts(on: Literal["twisted", "twistlike"], loop: str) -> dict[str, list[str]]:
    """Run all programs in one process; return what each has shown."""
    programs = {name: dedent(text) for name, text in PROGRAMS.items()}
    if on == "twistlike":
        programs = {name: text.replace("twisted", "twistlike") for name, text in programs.items()}
    end = f"""
        programs = {programs!r}
        task.react(lambda reactor: defer.ensureDeferred(runAll(programs)))
        """
    done = run("\n".join(map(dedent, (LOOPS[loop], HEADER, end))), on)
    assert done.returncode == 0, done.stderr
    section: list[str] = []
    shown: dict[str, list[str]] = {}
    for line in done.lines:
        if line.startswith("== "):
            section = shown[line.removeprefix("== ")] = []
        else:
            section.append(line)
    return shown


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_program(name: str, loop: str) -> None:
    """What each side sees, in which order and for which reason, is what it sees on Twisted."""
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    theirs = _transcripts("twisted", "asyncio")
    assert theirs[name]
    assert _transcripts("twistlike", loop)[name] == theirs[name]
