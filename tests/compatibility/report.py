"""The comparison as text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

__all__ = ["REASONS", "Outcome", "losses", "table", "writeInto"]

Comparison = Mapping[str, Mapping[str, "Outcome"]]


class Outcome(NamedTuple):
    """What became of a test: `passed`, `failed`, `skipped`, or `begun` if its process ended."""

    outcome: str
    why: str = ""


REASONS: dict[str, str] = {
    r"test_fromFuture(Deferred|Future)Cancelled": "decided otherwise: a future that was cancelled "
    "fails its Deferred with `defer.CancelledError`",
    r"test_DEFERRED_SUBCLASSES": "a private list that subclasses of Deferred are put into",
    r"MemoryBackedTests": "replaces the private team of Twisted's pool",
    r"test_resolver\.(Helper|Hostname|Legacy)": "replaces the private team of Twisted's pool",
    r"test_default\.": "looks which reactor class is the platform's default",
    r"TracebackHandlingTests": "looks at the innermost frames of a Deferred that is run by trial",
    r"test_boundedStackDepth": "counts frames: a callback that is alone is run with one frame "
    "fewer",
    r"LogTests\.test_errorLogDebugInfo": "sets `debug` on one Deferred after it was made; ours "
    "notes what `setDebugging` asks for",
    r"FlattenerErrorTests": "compares a whole traceback, with the lines that drive a coroutine",
    r"test_connectionLostFailed": "tests a base class of Twisted's reactors, which ours has not",
}
"""Regular expression for the names of tests: why they are lost. The first that fits counts."""


def losses(found: Comparison) -> dict[str, Outcome]:
    """Return the tests that pass on Twisted and not on the overlay."""
    ours = found["twistlike"]
    return {
        name: ours.get(name, Outcome("not run"))
        for name, outcome in found["twisted"].items()
        if outcome.outcome == "passed" and ours.get(name, Outcome("")).outcome != "passed"
    }


def table(found: Mapping[str, Comparison]) -> str:
    """Return a table with a row for each group, in Markdown."""
    rows = ["| suites | pass on Twisted | of these on the overlay |", "|---|---|---|"]
    for group, outcomes in found.items():
        passing = sum(each.outcome == "passed" for each in outcomes["twisted"].values())
        rows.append(f"| {group} | {passing} | {passing - len(losses(outcomes))} |")
    return "\n".join(rows)


def reasonOf(name: str) -> str:
    """Return why a test is lost."""
    fitting = (reason for pattern, reason in REASONS.items() if re.search(pattern, name))
    return next(fitting, "not looked into yet")


def writeInto(path: Path, found: Mapping[str, Comparison]) -> None:
    """Replace the part of the document between its two marks."""
    lost = [(group, name) for group in found for name in losses(found[group])]
    lines = [table(found), "", "| lost | why |", "|---|---|"]
    lines += [f"| `{name}` | {reasonOf(name)} |" for _, name in lost]
    text = path.read_text(encoding="utf-8")
    begin, end = "<!-- suites:begin -->", "<!-- suites:end -->"
    if begin not in text:
        text += f"\n## Their own tests\n\n{begin}\n{end}\n"
    head, _, rest = text.partition(begin)
    tail = rest.partition(end)[2]
    path.write_text(f"{head}{begin}\n\n" + "\n".join(lines) + f"\n\n{end}{tail}", encoding="utf-8")
