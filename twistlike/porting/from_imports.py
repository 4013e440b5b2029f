"""Takes some names out of a `from x import (a, b)`, with their formatting and comments."""

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
    if indices[-1] == len(statement.names) - 1:
        return statement.with_changes(names=names)
    # What follows the last comma was meant for the next name: the end of the list follows now.
    comments, end = _commentsAfter(names[-1]), statement.names[-1].comma
    bare = names[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
    rpar, own = statement.rpar, names[-1].comma
    if rpar is None or not isinstance(own, cst.Comma):
        return statement.with_changes(names=[*names[:-1], bare])
    if isinstance(end, cst.Comma):
        after = _ending(comments, end.whitespace_after)
        last = names[-1].with_changes(comma=own.with_changes(whitespace_after=after))
        return statement.with_changes(names=[*names[:-1], last])
    before = _ending(comments, rpar.whitespace_before)
    closing = rpar.with_changes(whitespace_before=before)
    return statement.with_changes(names=[*names[:-1], bare], rpar=closing)


def _commentsAfter(alias: cst.ImportAlias) -> cst.ParenthesizedWhitespace | None:
    """The white space after a name's comma, if there are comments in it."""
    after = alias.comma.whitespace_after if isinstance(alias.comma, cst.Comma) else None
    return after if isinstance(after, cst.ParenthesizedWhitespace) and _hasComment(after) else None


def _ending(
    comments: cst.ParenthesizedWhitespace | None, closing: cst.BaseParenthesizableWhitespace
) -> cst.BaseParenthesizableWhitespace:
    """What ends a list: the comments of the new last name, and then what ended it before."""
    closing = _withoutComment(closing)
    return closing if comments is None else _commented(comments, closing)


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
