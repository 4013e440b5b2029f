"""What `check` writes: lines for people, or JSON for programs."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import twistlike
from twistlike.overlay.catalog import catalog
from twistlike.overlay.lookup import State

if TYPE_CHECKING:
    from collections.abc import Collection

    from twistlike.porting.checking import Finding, Report
    from twistlike.porting.terminal import Output

__all__ = ["JSON_VERSION", "writeJson", "writeText"]

JSON_VERSION = 1
"""Goes up when a field changes its meaning or is gone; new fields do not change it."""

_MOST_MISSED = 10  # lines of the summary's list: what fits on a screen with the rest


def writeText(report: Report, out: Output, states: Collection[State]) -> None:
    """Write a line for each use, then what could not be read, then a summary.

    Args:
        report: What was found.
        out: Where to.
        states: The states whose uses are shown; all count in the summary.
    """
    for each in report.findings:
        if each.name.state in states:
            out.write(f"{each.path}:{each.line}:{each.column}: {_describe(each)}\n")
    for path, reason in report.unreadable:
        out.write(f"{path}: cannot be read: {reason}\n")
    if report.findings or report.unreadable:
        out.write("\n")
    _writeSummary(report, out)


def _describe(finding: Finding) -> str:
    name = finding.name
    text = f"{name.name}: {name.state.value}"
    if name.state is State.MISSING and finding.isOptional:
        text += ", and the program is prepared for that"
    if name.how:
        text += f": {name.how}"
    if name.instead and not name.isOurs:
        text += f". Instead: {name.instead}" if name.how else f"; or instead: {name.instead}"
    return text


def _writeSummary(report: Report, out: Output) -> None:
    counts = report.byState()
    out.write(
        f"{_count(report.files, 'file')} read, {len(report.unreadable)} not readable; "
        f"{_count(len(report.findings), 'use')} of Twisted\n"
    )
    for state in State:
        names = {each.name.name for each in report.findings if each.name.state is state}
        if names:
            out.write(
                f"  {state.value}: {_count(counts[state], 'use')} of {_count(len(names), 'name')}\n"
            )
    lost = Counter(each.name.name for each in report.findings if each.isLost)
    if lost:
        out.write("not there, most used first:\n")
    for name, count in lost.most_common(_MOST_MISSED):
        out.write(f"  {name}: {_count(count, 'use')}\n")
    if len(lost) > _MOST_MISSED:
        out.write(f"  and {len(lost) - _MOST_MISSED} more\n")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def writeJson(report: Report, out: Output) -> None:
    """Write everything as one JSON object, in ASCII."""
    counts = report.byState()
    answer = {
        "version": JSON_VERSION,
        "twistlike": twistlike.__version__,
        "twisted": catalog().version,
        "files": report.files,
        "summary": {state.value: counts[state] for state in State},
        "uses": [
            {
                "path": each.path,
                "line": each.line,
                "column": each.column,
                "name": each.name.name,
                "state": each.name.state.value,
                "how": each.name.how,
                "instead": each.name.instead,
                "kind": each.kind.value,
                "optional": each.isOptional,
                "guess": each.isGuess,
            }
            for each in report.findings
        ],
        "unreadable": [{"path": path, "reason": reason} for path, reason in report.unreadable],
    }
    out.write(json.dumps(answer, indent=1) + "\n")
