"""Where something is in a source file, counted in characters."""

from __future__ import annotations

import io
import re
import tokenize
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["BOM", "Place", "Places"]

BOM = b"\xef\xbb\xbf"
"""The byte order mark that some editors put before UTF-8."""


class Place(NamedTuple):
    """A place in a source file: the line, from 1, and the character in the line, from 0."""

    line: int
    column: int


class _HasPlace(Protocol):
    """A node of Python's syntax that has a position."""

    lineno: int
    col_offset: int


class Places:
    """Turns the positions of Python's syntax into places.

    Python counts the bytes that a line would have in UTF-8, whatever the file's encoding is.
    """

    def __init__(self, source: bytes) -> None:
        """Take a file's text, which Python has parsed before."""
        self._lines = None if source.isascii() else list(_linesOf(source.removeprefix(BOM)))

    def of(self, node: _HasPlace) -> Place:
        """Return where a node begins."""
        line, column = node.lineno, node.col_offset
        if self._lines is not None and line <= len(self._lines):
            column = len(self._lines[line - 1].encode()[:column].decode(errors="replace"))
        return Place(line, column)


def _linesOf(source: bytes) -> Iterator[str]:
    encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
    # Not splitlines: Python's lines do not end at a form feed.
    yield from re.split(r"\r\n?|\n", source.decode(encoding))
