"""Loops in a ``try`` or ``with``: where they jump back, an exception finds its handler.

CPython 3.12 and 3.13 put the jump that a condition at a loop's end needs outside of the ``try`` or
``with`` around the loop. A loop jumps back where CPython looks for signals. So an exception that a
signal's handler raises just there finds no ``finally``, and a lock that ``with`` holds stays held
for ever: so it was with 16 of 726 real signals in such a loop. The remedy is a function of
its own for the loop.
"""

from __future__ import annotations

import dis
from collections.abc import Iterator
from types import CodeType
from typing import Any

import pytest

from tests.test_shape import MODULES, modules

HARMLESS = {
    "_pool.worker:Worker._work": "what is caught there is an IndexError of popleft()",
    "_reactor.inbox:Inbox._runBatch": "what is caught there is an IndexError of popleft()",
}
"""Where it does not matter, and why."""


def codesOf(code: CodeType) -> Iterator[CodeType]:
    """Yield the code of a module, and all that is defined in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codesOf(constant)


def uncovered(code: CodeType) -> list[int]:
    """Return the lines of jumps back into a ``try`` or ``with`` which do not belong to it."""
    table: list[Any] = dis._parse_exception_table(code)  # type: ignore[attr-defined]
    instructions = list(dis.get_instructions(code))
    names = {each.offset: each.opname for each in instructions}

    def handlerOf(offset: int) -> int | None:
        return next((each.target for each in table if each.start <= offset < each.end), None)

    def isCaught(offset: int) -> bool:
        # An inlined comprehension has a handler, too, which only restores variables.
        handler = handlerOf(offset)
        while handler is not None and names[handler] != "PUSH_EXC_INFO":
            handler = handlerOf(handler)
        return handler is not None

    lines = []
    for each in instructions:
        if each.opname == "JUMP_BACKWARD" and not isCaught(each.offset) and isCaught(each.argval):
            line = next((n for b, e, n in code.co_lines() if b <= each.offset < e), None)
            if line is not None:  # else it is of an `await` that has been thrown into
                lines.append(line)
    return lines


def test_the_check_finds_one() -> None:
    """The check itself: a loop under `with` with a condition at its end, and one without."""
    source = "def f(lock, xs):\n  with lock:\n    for x in xs:\n      if x:\n        x()\n"
    bad = list(codesOf(compile(source, "<bad>", "exec")))[1]
    good = list(codesOf(compile(source.replace("if x", "if 1"), "<good>", "exec")))[1]
    assert not uncovered(good)
    if uncovered(bad):
        assert uncovered(bad) == [4]


@pytest.mark.parametrize("name", MODULES)
def test_jumps_are_covered(name: str) -> None:
    """No loop that stands in a `try` or `with` jumps back outside of it."""
    path = modules()[name]
    module = compile(path.read_text(encoding="utf-8"), str(path), "exec")
    for code in codesOf(module):
        where = f"{name}:{code.co_qualname}"
        if where not in HARMLESS:
            assert not uncovered(code), f"{where}: give the loop a function of its own"
