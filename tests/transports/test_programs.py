"""Programs on connections give the same transcript on Twisted and on each kind of loop."""

from __future__ import annotations

from functools import cache
from textwrap import dedent

import pytest

from tests.oracle import Transcript, run
from tests.transports.programs import HEADER, LOOPS, PROGRAMS


@cache
def _twisteds(name: str) -> Transcript:
    return run(_text(name, ""), "twisted")


def _text(name: str, loop: str) -> str:
    return "\n".join([dedent(loop), dedent(HEADER), dedent(PROGRAMS[name]), "run(main)"])


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_program(name: str, loop: str) -> None:
    """What each side sees, in which order and for which reason, is what it sees on Twisted."""
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    theirs = _twisteds(name)
    ours = run(_text(name, LOOPS[loop]), "twistlike")
    assert ours.lines == theirs.lines, ours.stderr
    assert theirs.lines
    assert ours.returncode == theirs.returncode == 0
