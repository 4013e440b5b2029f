"""Servers and clients give the same transcript on Twisted and on each kind of loop."""

from __future__ import annotations

from functools import cache
from textwrap import dedent

import pytest

from tests.net.howto_programs import HEADER, PROGRAMS
from tests.oracle import Transcript, run
from tests.transports.programs import LOOPS


def _text(name: str, loop: str) -> str:
    return "\n".join([dedent(loop), dedent(HEADER), dedent(PROGRAMS[name]), "run(main)"])


@cache
def _twisteds(name: str) -> Transcript:
    return run(_text(name, ""), "twisted")


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_program(name: str, loop: str) -> None:
    """What each side hears, in which order, is what it hears on Twisted."""
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    theirs = _twisteds(name)
    ours = run(_text(name, LOOPS[loop]), "twistlike")
    assert ours.lines == theirs.lines, ours.stderr
    assert theirs.lines
    assert ours.returncode == theirs.returncode == 0, theirs.stderr
