"""Checks source files: what each uses of Twisted, and what becomes of it here."""

from __future__ import annotations

import ast
import warnings
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from twistlike.overlay.lookup import Ownership, State
from twistlike.porting.files import Unreadable, findSources, readSource
from twistlike.porting.places import Places
from twistlike.porting.uses import Kind, Use, usesOf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Finding", "Report", "check", "parse", "reasonOf"]


class Finding(NamedTuple):
    """A name of Twisted at a place in a file, and what becomes of it.

    Attributes:
        path: The file.
        line: The line, from 1.
        column: The character in the line, from 1.
        kind: How the name is used.
        isOptional: The program is prepared for it not to be there, or only type checkers read it.
        isGuess: It is taken for a use of a reactor by the name of a variable alone.
        name: The name, its state, what differs and what serves instead.
    """

    path: str
    line: int
    column: int
    kind: Kind
    isOptional: bool
    isGuess: bool
    name: Ownership

    @property
    def isLost(self) -> bool:
        """Whether a run will miss it: it is not there, and the program counts on it."""
        return self.name.state is State.MISSING and not self.isOptional


class Report(NamedTuple):
    """What a check has found.

    Attributes:
        files: How many files were read.
        findings: By file and place.
        unreadable: What was not read.
    """

    files: int
    findings: list[Finding]
    unreadable: list[Unreadable]

    def byState(self) -> Counter[State]:
        """Count the uses in each state."""
        return Counter(each.name.state for each in self.findings)


def check(
    paths: Iterable[str], progress: Callable[[list[str]], Iterable[str]] = lambda each: each
) -> Report:
    """Check files and folders. Nothing of them is imported or run.

    Args:
        paths: Files, and folders that are searched.
        progress: Is given all files, and gives them back one by one.
    """
    unreadable: list[Unreadable] = []
    findings: list[Finding] = []
    files = list(findSources(paths, unreadable.append))
    read = 0
    for path in progress(files):
        try:
            findings += _checkFile(path)
        except (OSError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
            unreadable.append(Unreadable(path, reasonOf(error)))
        else:
            read += 1
    return Report(read, findings, unreadable)


def _checkFile(path: str) -> list[Finding]:
    source = readSource(path)
    tree = parse(source)
    if b"twist" not in source:
        return []  # the same answer, in a tenth of the time
    places = Places(source)
    found: dict[tuple[int, str], Finding] = {}
    for use in usesOf(tree):
        line, column = places.of(use.node)
        finding = _finding(path, line, column + 1, use)
        key = (line, finding.name.name)
        # An import and its use on one line are one finding; that which counts on it wins.
        if key not in found or (found[key].isOptional and not finding.isOptional):
            found[key] = finding
    return sorted(found.values(), key=lambda each: (each.line, each.column, each.name.name))


def _finding(path: str, line: int, column: int, use: Use) -> Finding:
    name = use.ownership
    return Finding(path, line, column, use.kind, use.isOptional, use.isGuess, name)


def parse(source: bytes) -> ast.Module:
    """Parse a file's text, in whatever encoding it declares.

    Raises:
        SyntaxError: It is no Python, or not in the encoding that it declares.
        ValueError: It has null bytes.
        RecursionError, MemoryError: It nests too deeply for Python's parser.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "\d" in somebody's source is not our user's concern
        return ast.parse(source)


def reasonOf(error: BaseException) -> str:
    """Say in a line why a file could not be read."""
    if isinstance(error, SyntaxError):
        where = f" (line {error.lineno})" if error.lineno else ""
        return f"{error.msg}{where}"
    if isinstance(error, RecursionError | MemoryError):
        return "nests too deeply for Python's parser"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error)
