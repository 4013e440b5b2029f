"""Lists what a source file uses of Twisted: imports, dotted names, names in strings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from twistlike.overlay.catalog import catalog
from twistlike.overlay.lookup import Ownership, State, ownershipOf
from twistlike.overlay.names import THEIRS
from twistlike.porting.scopes import (
    IMPORTERS,
    REACTOR,
    Bound,
    Scopes,
    boundTo,
    calledName,
    isTwisteds,
)

__all__ = ["QUOTED_NAME", "Kind", "Use", "usesOf"]

_TAKERS = (*IMPORTERS, "delattr", "find_spec", "namedObject", "patch", "requireModule", "setattr")
"""Functions whose string is the name of a module or object, whatever it is."""

_ASKERS = ("find_spec", "hasattr", "importorskip", "requireModule")
"""Functions by which a program asks for something that may not be there."""

_ATTRIBUTE_TAKERS = ("delattr", "getattr", "hasattr", "object", "patch", "setattr")
"""Functions that take an object and the name of an attribute: `patch.object` is one."""

_ANNOTATION = "an annotation"  # what a string in one is given to

_LOGGERS = ("getLogger", "Logger", "get_logger")
"""Functions whose string is the name of a logger: that names no module."""


QUOTED_NAME = re.compile(rf"(?<![\w.]){THEIRS}(?:\.\w+)+")
"""A dotted name of Twisted's inside of a quoted annotation."""


class Kind(Enum):
    """How a name is used.

    A string is given to a function that imports or replaces what it names; a mention is a string
    that may be for anything, such as a setting. An annotation is one that is written in quotes.
    """

    IMPORT = "import"
    STAR = "import *"
    DOTTED = "use"
    STRING = "string"
    MENTION = "mention"
    ANNOTATION = "annotation"


class Use(NamedTuple):
    """A name of Twisted at one place of a source file.

    Attributes:
        name: In Twisted's terms: `twisted.internet.reactor.callLater`.
        kind: How it is used.
        node: The syntax; its position is that of the use.
        isGuess: It is a use of a reactor, to judge by the name of a parameter or attribute.
        isOptional: The program is prepared for it not to be there, or only type checkers read it.
        root: The import statement whose `twisted` it begins with, if it is a dotted name in full.
        isPorted: The program says `twistlike`.
    """

    name: str
    kind: Kind
    node: ast.expr | ast.alias
    isGuess: bool = False
    isOptional: bool = False
    root: ast.Import | None = None
    isPorted: bool = False

    @property
    def ownership(self) -> Ownership:
        """Whose the name is. What only Twisted has is not to be had by our name."""
        found = ownershipOf(self.name)
        if self.isPorted and found.state is State.TWISTED:
            how = f"Twisted has it, not twistlike: import it from {THEIRS}"
            return found._replace(state=State.MISSING, how=how)
        return found


def usesOf(tree: ast.Module, scopes: Scopes | None = None) -> list[Use]:
    """List what a file uses of Twisted, in no certain order.

    Args:
        tree: The file's syntax.
        scopes: Its scopes, if they are known already.
    """
    finder = _Finder(scopes or Scopes(tree))
    # An explicit stack: source that nests deeply must not end this.
    stack: list[tuple[ast.AST, bool]] = [(tree, False)]
    found: list[Use] = []
    while stack:
        node, isOptional = stack.pop()
        for use in finder.usesAt(node):
            found.append(use._replace(isOptional=use.isOptional or isOptional))
        stack += [(child, isOptional or _isOptional(node, child)) for child in finder.inside(node)]
    own = {use.name for use in found if _isStored(use)}
    return [use for use in found if _isWorthTelling(use, own)]


def _isWorthTelling(use: Use, own: set[str]) -> bool:
    """Whether a use is certain enough: a program may put attributes of its own onto the reactor."""
    if not use.name.startswith(REACTOR + "."):
        return True
    name = use.name[len(REACTOR) + 1 :].partition(".")[0]
    if name.startswith("__"):
        return False  # each object has it
    isKnown = name in catalog().names("internet.reactor") or ownershipOf(use.name).isOurs
    return isKnown or not (use.isGuess or use.name in own)


def _isStored(use: Use) -> bool:
    return isinstance(use.node, ast.Attribute) and not isinstance(use.node.ctx, ast.Load)


def _isOptional(node: ast.AST, child: ast.AST) -> bool:
    """Whether a node's child is run only if something is there, or never."""
    if isinstance(node, ast.If) and "TYPE_CHECKING" in _names(node.test):
        return child not in node.orelse
    if isinstance(node, ast.Try):
        caught = {name for each in node.handlers for name in _names(each.type)}
        isBare = any(each.type is None for each in node.handlers)
        return child in node.body and (isBare or bool(caught & _IMPORT_ERRORS))
    if isinstance(node, ast.With):
        given = {name for each in node.items for name in _names(each.context_expr)}
        return child in node.body and "suppress" in given and bool(given & _IMPORT_ERRORS)
    return False


_IMPORT_ERRORS = {"ImportError", "ModuleNotFoundError", "AttributeError", "Exception"}


def _names(node: ast.expr | None) -> set[str]:
    """The last parts of all names in an expression."""
    found = set()
    for each in ast.walk(node) if node else ():
        if isinstance(each, ast.Name):
            found.add(each.id)
        elif isinstance(each, ast.Attribute):
            found.add(each.attr)
    return found


def _annotations(node: ast.AST) -> Iterator[ast.expr]:
    """The annotations that a node has itself."""
    found: ast.expr | None = None
    if isinstance(node, ast.AnnAssign | ast.arg):
        found = node.annotation
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        found = node.returns
    if found is not None:
        yield found


def _useOf(bound: Bound, kind: Kind, node: ast.expr) -> Use:
    return Use(bound.name, kind, node, bound.isGuess, root=bound.root, isPorted=bound.isPorted)


class _Finder:
    """Finds the uses at single nodes of a file."""

    def __init__(self, scopes: Scopes) -> None:
        self._scopes = scopes
        self._whole: set[ast.AST] = set()  # attributes that are inside a name told already
        self._takenBy: dict[ast.AST, str] = {}  # string: the function that it is given to

    def inside(self, node: ast.AST) -> Iterator[ast.AST]:
        """The nodes inside a node, after what they are given to was noted."""
        if isinstance(node, ast.Call):
            name = calledName(node)
            for each in [*node.args, *(keyword.value for keyword in node.keywords)]:
                self._takenBy[each] = name
        elif isinstance(node, ast.Subscript) and "modules" in _names(node.value):
            self._takenBy[node.slice] = "import_module"  # sys.modules[...]
        elif isinstance(node, ast.Compare) and "modules" in _names(node.comparators[-1]):
            self._takenBy[node.left] = "find_spec"  # ... in sys.modules
        for each in _annotations(node):
            for part in ast.walk(each):
                self._takenBy[part] = _ANNOTATION
        return ast.iter_child_nodes(node)

    def usesAt(self, node: ast.AST) -> Iterator[Use]:
        """The uses that one node is, those inside it aside."""
        if isinstance(node, ast.Import):
            for alias in node.names:
                if bound := boundTo(alias.name):
                    yield Use(bound.name, Kind.IMPORT, alias, isPorted=bound.isPorted)
        elif isinstance(node, ast.ImportFrom):
            yield from self._from(node)
        elif isinstance(node, ast.Attribute):
            yield from self._dotted(node)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield from self._bare(node)
        elif isinstance(node, ast.Constant) and self._takenBy.get(node) == _ANNOTATION:
            yield from self._quoted(node)
        elif isinstance(node, ast.Constant) and isTwisteds(node.value):
            yield from self._string(node)
        elif isinstance(node, ast.Call):
            yield from self._attributeByName(node)

    def _from(self, node: ast.ImportFrom) -> Iterator[Use]:
        module = "" if node.level else node.module or ""
        for alias in node.names:
            isStar = alias.name == "*"
            if bound := boundTo(module if isStar else f"{module}.{alias.name}"):
                kind = Kind.STAR if isStar else Kind.IMPORT
                yield Use(bound.name, kind, alias, isPorted=bound.isPorted)

    def _dotted(self, node: ast.Attribute) -> Iterator[Use]:
        if node in self._whole:
            self._whole.add(node.value)
            return
        bounds = self._scopes.resolve(node)
        if bounds:
            self._whole.add(node.value)
        for bound in bounds:
            # A bare "self.reactor" says nothing of what is used of it.
            if not (bound.isGuess and bound.name == REACTOR):
                yield _useOf(bound, Kind.DOTTED, node)

    def _bare(self, node: ast.Name) -> Iterator[Use]:
        """A name alone: only what came by a star, or `twisted` itself, was not told before."""
        if node in self._whole:
            return
        scope = self._scopes.scopeOf(node).find(node.id)
        for bound in self._scopes.resolve(node):
            if scope is None or bound.root is not None:
                yield _useOf(bound, Kind.DOTTED, node)

    def _string(self, node: ast.Constant) -> Iterator[Use]:
        taker = self._takenBy.get(node, "")
        if taker in _LOGGERS:
            return
        name = str(node.value)
        if taker in _TAKERS and (name != THEIRS or taker not in ("setattr", "delattr", "patch")):
            yield Use(name, Kind.STRING, node, isOptional=taker in _ASKERS)
        elif name.count(".") > 1 and ownershipOf(name).state is not State.MISSING:
            yield Use(name, Kind.MENTION, node)

    def _quoted(self, node: ast.Constant) -> Iterator[Use]:
        """The dotted names in a quoted annotation that begin with an imported `twisted`."""
        scope = self._scopes.scopeOf(node).find(THEIRS)
        bounds = scope.names[THEIRS] if scope else []
        roots = [each for each in bounds if isinstance(each, Bound) and each.root]
        for name in dict.fromkeys(QUOTED_NAME.findall(str(node.value))):
            for bound in roots:
                yield _useOf(bound._replace(name=name), Kind.ANNOTATION, node)

    def _attributeByName(self, node: ast.Call) -> Iterator[Use]:
        """`getattr(reactor, "listenTCP")` and its kin."""
        name = calledName(node)
        if name not in _ATTRIBUTE_TAKERS or len(node.args) < 2:
            return
        owner, attribute = node.args[:2]
        if not isinstance(attribute, ast.Constant) or not isinstance(attribute.value, str):
            return
        isOptional = name == "hasattr" or (name == "getattr" and len(node.args) > 2)
        for bound in self._scopes.resolve(owner):
            full = bound._replace(name=f"{bound.name}.{attribute.value}")
            yield _useOf(full, Kind.STRING, attribute)._replace(isOptional=isOptional)
