"""Rewrites a source file from Twisted's names to ours, by LibCST. The file itself is not touched.

Formatting and comments stay. Needs the package libcst, of the extra `twistlike[port]`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import libcst as cst
from libcst.metadata import CodeRange, MetadataWrapper, PositionProvider

from twistlike.overlay.names import OURS, THEIRS
from twistlike.porting.checking import parse
from twistlike.porting.from_imports import split
from twistlike.porting.places import BOM, Place
from twistlike.porting.plan import Action, planOf
from twistlike.porting.uses import QUOTED_NAME

if TYPE_CHECKING:
    from twistlike.porting.plan import Plan
    from twistlike.porting.uses import Use

__all__ = ["Rewritten", "rewrite"]

_Node = TypeVar("_Node", bound=cst.CSTNode)

_DIRECTIVES = ("noqa", "type:", "pylint:", "pragma:", "fmt:", "isort:", "pyright:", "mypy:")
"""How comments for tools begin: both halves of a divided line need them."""


_FORM_FEED = re.compile(rb"^\x0c(?=\r?$)", re.MULTILINE)
"""A line that is a page break, as old editors put between classes. LibCST drops it."""

_STAND_IN = b"# twistlike: a form feed"
"""Takes its place meanwhile."""


class Rewritten(NamedTuple):
    """A file's new text, and what of Twisted is still in it."""

    source: bytes
    left: list[Use]


def rewrite(source: bytes) -> Rewritten:
    """Rewrite a file's text.

    Raises:
        SyntaxError: It is no Python, or LibCST cannot parse it.
        ValueError: LibCST would change what nobody has asked it to change.
        RecursionError, MemoryError: It nests too deeply.
    """
    tree = parse(source)
    if b"twist" not in source:
        return Rewritten(source, [])  # neither has Twisted's names nor ours
    plan = planOf(source, tree)
    if not plan:
        return Rewritten(source, plan.left)
    mark = BOM if source.startswith(BOM) else b""
    changed = _change(_FORM_FEED.sub(_STAND_IN, source.removeprefix(BOM)), plan)
    changed = mark + changed.replace(_STAND_IN, b"\x0c")
    parse(changed)
    return Rewritten(changed, plan.left)


def _change(text: bytes, plan: Plan) -> bytes:
    try:
        module = cst.parse_module(text)
    except cst.ParserSyntaxError as error:
        raise SyntaxError(f"LibCST cannot parse it: {error.message}") from None
    if module.bytes != text:
        raise ValueError("LibCST would not leave the rest of the file as it is")
    rewriter = _Rewriter(plan)
    changed = MetadataWrapper(module, unsafe_skip_copy=True).visit(rewriter).bytes
    # Before 3.12 Python tells wrong places for what is inside of some f-strings.
    missed = (plan.imports.keys() | plan.names | plan.strings | plan.quoted.keys()) - rewriter.met
    if missed:
        line = min(missed).line
        raise ValueError(f"LibCST does not find what Python has found in line {line}")
    return changed


class _Rewriter(cst.CSTTransformer):
    """Carries a plan out.

    Attributes:
        met: The places of the plan that it has come to.
    """

    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self._plan = plan
        self.met: set[Place] = set()

    def _meet(self, node: cst.CSTNode) -> Place:
        """Return where something begins that may be in the plan."""
        where = self.get_metadata(PositionProvider, node)
        assert isinstance(where, CodeRange)
        place = Place(where.start.line, where.start.column)
        self.met.add(place)
        return place

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.Name:
        """Rename the first part of a dotted name."""
        if original_node.value == THEIRS and self._meet(original_node) in self._plan.names:
            return updated_node.with_changes(value=OURS)
        return updated_node

    def leave_SimpleString(
        self, original_node: cst.SimpleString, updated_node: cst.SimpleString
    ) -> cst.SimpleString:
        """Rename a dotted name in a string, or those in a quoted annotation."""
        if not self._plan.strings and not self._plan.quoted:
            return updated_node
        place = self._meet(original_node)
        quoted = self._plan.quoted.get(place, ())
        if place in self._plan.strings:
            renamed = updated_node.value.replace(THEIRS, OURS, 1)
        elif quoted:
            renamed = QUOTED_NAME.sub(
                lambda name: name[0].replace(THEIRS, OURS, 1) if name[0] in quoted else name[0],
                updated_node.value,
            )
        else:
            return updated_node
        return updated_node.with_changes(value=renamed)

    def leave_Import(self, original_node: cst.Import, updated_node: cst.Import) -> cst.Import:
        """Rename some of the modules that are imported, or import both."""
        names: list[cst.ImportAlias] = []
        changes = False
        pairs = zip(original_node.names, updated_node.names, strict=True)
        for original, alias in pairs:
            action = self._plan.imports.get(self._meet(original))
            changes = changes or action is not None
            if action is not None:
                ours = alias.with_changes(name=_renameFirst(alias.name))
                if action is Action.BOTH:
                    comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
                    names += [ours.with_changes(comma=comma), alias]
                else:
                    names.append(ours)
            else:
                names.append(alias)
        return updated_node.with_changes(names=names) if changes else updated_node

    def leave_ImportFrom(
        self, original_node: cst.ImportFrom, updated_node: cst.ImportFrom
    ) -> cst.ImportFrom | cst.FlattenSentinel[cst.BaseSmallStatement]:
        """Rename the module, or divide the statement in two."""
        if isinstance(original_node.names, cst.ImportStar):
            # Python's syntax has the star as a name of the statement.
            ours = [0] if self._meet(original_node.names) in self._plan.imports else []
            count = 1
        else:
            places = [self._meet(each) for each in original_node.names]
            ours = [at for at, place in enumerate(places) if place in self._plan.imports]
            count = len(places)
        if not ours or updated_node.module is None:
            return updated_node
        renamed = updated_node.with_changes(module=_renameFirst(updated_node.module))
        if len(ours) == count:
            return renamed
        rest = [at for at in range(count) if at not in ours]
        return cst.FlattenSentinel(
            [
                split(renamed, ours).with_changes(semicolon=cst.MaybeSentinel.DEFAULT),
                split(updated_node, rest),
            ]
        )

    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.SimpleStatementLine | cst.FlattenSentinel[cst.BaseStatement]:
        """Give the two halves of a divided statement a line each, if it had one for itself."""
        if len(original_node.body) != 1 or len(updated_node.body) != 2:
            return updated_node
        first, second = updated_node.body
        comment = updated_node.trailing_whitespace.comment
        trailing = updated_node.trailing_whitespace
        if comment and not comment.value.lstrip("# ").startswith(_DIRECTIVES):
            trailing = trailing.with_changes(comment=None, whitespace=cst.SimpleWhitespace(""))
        return cst.FlattenSentinel(
            [
                updated_node.with_changes(body=[first]),
                updated_node.with_changes(
                    body=[second], leading_lines=(), trailing_whitespace=trailing
                ),
            ]
        )


def _renameFirst(node: _Node) -> _Node:
    """Rename the first part of a module's dotted name."""
    if isinstance(node, cst.Attribute):
        return node.with_changes(value=_renameFirst(node.value))
    return node.with_changes(value=OURS)
