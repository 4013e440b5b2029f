"""Takes some names out of a ``from x import (a, b)``, with their formatting and comments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["split"]


def split(statement: cst.ImportFrom, indices: Sequence[int]) -> cst.ImportFrom:
    """Return the statement with some of its names.

    Args:
        statement: It imports single names, no star.
        indices: Which of its names, in order.
    """
    assert not isinstance(statement.names, cst.ImportStar)
    names = [statement.names[at] for at in indices]
    if indices[-1] != len(statement.names) - 1:
        names[-1] = _asLast(names[-1], statement.names[-1], statement.lpar is not None)
    return statement.with_changes(names=names)


def _asLast(alias: cst.ImportAlias, last: cst.ImportAlias, hasParens: bool) -> cst.ImportAlias:
    """Give a name the end of a list: what follows its comma was meant for the next name."""
    own, end = alias.comma, last.comma
    if not hasParens or not isinstance(own, cst.Comma):
        return alias.with_changes(comma=cst.MaybeSentinel.DEFAULT)
    after = own.whitespace_after
    comments = after if isinstance(after, cst.ParenthesizedWhitespace) else None
    if comments is not None and not _hasComment(comments):
        comments = None
    if isinstance(end, cst.Comma):
        closing = _withoutComment(end.whitespace_after)
    elif comments is None:
        return alias.with_changes(comma=cst.MaybeSentinel.DEFAULT)
    else:
        closing = cst.SimpleWhitespace("")
    if comments is not None:
        closing = _commented(comments, closing)
    return alias.with_changes(comma=own.with_changes(whitespace_after=closing))


def _hasComment(whitespace: cst.ParenthesizedWhitespace) -> bool:
    isInLine = whitespace.first_line.comment is not None
    return isInLine or any(each.comment is not None for each in whitespace.empty_lines)


def _withoutComment(
    whitespace: cst.BaseParenthesizableWhitespace,
) -> cst.BaseParenthesizableWhitespace:
    """Take out the comment of the name that was last, and is not any more."""
    if not isinstance(whitespace, cst.ParenthesizedWhitespace):
        return whitespace
    newline = whitespace.first_line.newline
    line = cst.TrailingWhitespace(whitespace=cst.SimpleWhitespace(""), newline=newline)
    return whitespace.with_changes(first_line=line, empty_lines=())


def _commented(
    whitespace: cst.ParenthesizedWhitespace, closing: cst.BaseParenthesizableWhitespace
) -> cst.ParenthesizedWhitespace:
    """Keep the comments, and end as the list ends."""
    if isinstance(closing, cst.ParenthesizedWhitespace):
        return whitespace.with_changes(indent=closing.indent, last_line=closing.last_line)
    return whitespace.with_changes(indent=False, last_line=cst.SimpleWhitespace(""))
