"""What the names of a source file are bound to, as far as that has to do with Twisted.

How it works
------------
First the whole tree is walked once: each scope (module, function, class, comprehension) notes what
binds each of its names: an import, or the expression that is assigned to it. Only then names are
looked up, as a function may be called after all of a module was run. A name that is bound several
times may be any of these: `try: from a import b` / `except ImportError: b = None` is an import.

All walks have a stack of their own: source that nests deeply must not end ours.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from twistlike.overlay.catalog import catalog
from twistlike.overlay.names import OURS, THEIRS
from twistlike.overlay.ownership import isOursAlone

__all__ = [
    "IMPORTERS",
    "REACTOR",
    "Bound",
    "Scope",
    "Scopes",
    "boundTo",
    "calledName",
    "isTwisteds",
]

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)

REACTOR = f"{THEIRS}.internet.reactor"

IMPORTERS = ("import_module", "__import__", "namedAny", "namedModule", "importorskip")
"""Functions that return the module, or the object, whose name they are given."""

_MOST = 16
"""How many things one expression may be. Source can be made where each line doubles them."""

_REACTOR_NAMES = ("reactor", "_reactor", "__reactor")
"""Names by which parameters and attributes are taken for a reactor, if nothing else is known."""

_REACTOR_TYPES = ("IReactor", "AsyncioSelectorReactor")
"""How the names of types begin whose values are reactors."""


class Bound(NamedTuple):
    """What a name or expression is.

    Attributes:
        name: In Twisted's terms, `twisted.internet.defer`.
        isGuess: It is taken for that by the name of a parameter or attribute alone.
        root: The import statement that bound `twisted` in it, if it is a dotted name in full.
        isPorted: The program says `twistlike`.
    """

    name: str
    isGuess: bool = False
    root: ast.Import | None = None
    isPorted: bool = False


class Scope:
    """One scope: its names, each with the expressions and imports that bind it.

    Attributes:
        parent: The scope around it.
        isClass: Whether functions inside do not see its names.
        stars: The modules of which it imports all names.
    """

    def __init__(self, parent: Scope | None, isClass: bool = False) -> None:
        self.parent = parent
        self.isClass = isClass
        self.names: dict[str, list[Bound | ast.expr | None]] = {}
        self.stars: list[Bound] = []
        self.elsewhere: dict[str, Scope] = {}  # what global and nonlocal say

    def bind(self, name: str, value: Bound | ast.expr | None) -> None:
        """Note that a name is bound; `None` is something that has nothing to do with Twisted."""
        self.elsewhere.get(name, self).names.setdefault(name, []).append(value)

    def find(self, name: str) -> Scope | None:
        """Return the scope that a name used here belongs to; `None` if nothing binds it."""
        scope: Scope | None = self.elsewhere.get(name, self)
        isFirst = True
        while scope is not None:
            if name in scope.names and (isFirst or not scope.isClass):
                return scope
            scope, isFirst = scope.parent, False
        return None


class Scopes:
    """The scopes of one source file.

    Attributes:
        module: The outermost.
    """

    def __init__(self, tree: ast.Module) -> None:
        """Walk a file's syntax."""
        self.module = Scope(None)
        self._of: dict[ast.AST, Scope] = {}
        self._attributes: dict[str, list[Bound | ast.expr | None]] = {}
        self._known: dict[ast.expr, list[Bound]] = {}
        self._collect(tree)

    def scopeOf(self, node: ast.AST) -> Scope:
        """Return the scope that a node's names are looked up in."""
        return self._of[node]

    # ---- collecting ------------------------------------------------------------------------------

    def _collect(self, tree: ast.Module) -> None:
        stack: list[tuple[ast.AST, Scope]] = [(tree, self.module)]
        while stack:
            node, scope = stack.pop()
            self._of[node] = scope
            self._bind(node, scope)
            # Reversed: global statements and imports are met in the order of the text.
            stack += reversed(list(self._children(node, scope)))

    def _children(self, node: ast.AST, scope: Scope) -> Iterator[tuple[ast.AST, Scope]]:
        """The nodes inside a node, each with its scope."""
        if isinstance(node, _FUNCTIONS):
            inner = Scope(scope)
            self._bindParameters(node, inner)
            body = [node.body] if isinstance(node, ast.Lambda) else node.body
            inside = {id(each) for each in body}
        elif isinstance(node, ast.ClassDef):
            inner = Scope(scope, isClass=True)
            inside = {id(each) for each in node.body}
        elif isinstance(node, _COMPREHENSIONS):
            inner = Scope(scope)
            # The first iterable belongs to the scope around it; it makes no difference here.
            inside = {id(each) for each in ast.iter_child_nodes(node)}
        else:
            inner, inside = scope, set()
        for child in ast.iter_child_nodes(node):
            yield child, inner if id(child) in inside else scope

    def _bind(self, node: ast.AST, scope: Scope) -> None:
        """Note what a node binds in its scope."""
        if isinstance(node, ast.Import):
            for alias in node.names:
                self._bindImport(node, alias, scope)
        elif isinstance(node, ast.ImportFrom):
            self._bindFrom(node, scope)
        elif isinstance(node, ast.Global | ast.Nonlocal):
            for name in node.names:
                scope.elsewhere[name] = self._declared(node, name, scope)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            scope.bind(node.name, None)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                self._assign(target, node.value, scope)
        elif isinstance(node, ast.AnnAssign):
            self._assign(node.target, node.value, scope)
            self._assign(node.target, _typed(node.annotation), scope)
        elif isinstance(node, ast.NamedExpr):
            around = scope
            while around.parent is not None and around.isClass:
                around = around.parent
            around.bind(node.target.id, node.value)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            scope.names.setdefault(node.id, [])  # by a loop, a with statement, and so on

    def _bindImport(self, node: ast.Import, alias: ast.alias, scope: Scope) -> None:
        bound = boundTo(alias.name)
        if alias.asname:
            scope.bind(alias.asname, bound)
        else:
            top = bound and bound._replace(name=THEIRS, root=node)
            scope.bind(alias.name.partition(".")[0], top)

    def _bindFrom(self, node: ast.ImportFrom, scope: Scope) -> None:
        module = "" if node.level else node.module or ""
        for alias in node.names:
            if alias.name != "*":
                scope.bind(alias.asname or alias.name, boundTo(f"{module}.{alias.name}"))
            elif bound := boundTo(module):
                scope.stars.append(bound)

    def _declared(self, node: ast.Global | ast.Nonlocal, name: str, scope: Scope) -> Scope:
        if isinstance(node, ast.Global):
            return self.module
        around = scope.parent
        while around is not None and (around.isClass or name not in around.names):
            around = around.parent
        return around or scope

    def _assign(self, target: ast.expr, value: Bound | ast.expr | None, scope: Scope) -> None:
        if isinstance(target, ast.Name):
            scope.bind(target.id, value)
        elif isinstance(target, ast.Attribute):
            # self._clock = reactor: by its name, whichever object it belongs to.
            self._attributes.setdefault(target.attr, []).append(value)
        elif isinstance(target, ast.Tuple | ast.List) and isinstance(value, ast.Tuple | ast.List):
            for left, right in zip(target.elts, value.elts, strict=False):
                self._assign(left, right, scope)

    def _bindParameters(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, scope: Scope
    ) -> None:
        """Bind the parameters: to their defaults, and to a reactor where their names say so."""
        given = node.args
        positional = [*given.posonlyargs, *given.args]
        defaults: dict[str, ast.expr | None] = {}
        for each, default in zip(reversed(positional), reversed(given.defaults), strict=False):
            defaults[each.arg] = default
        for each, keyword in zip(given.kwonlyargs, given.kw_defaults, strict=True):
            defaults[each.arg] = keyword
        for each in [*positional, *given.kwonlyargs, *filter(None, [given.vararg, given.kwarg])]:
            scope.bind(each.arg, defaults.get(each.arg))
            if each.arg in _REACTOR_NAMES or _typed(each.annotation):
                scope.bind(each.arg, _typed(each.annotation) or Bound(REACTOR, isGuess=True))

    # ---- looking up ------------------------------------------------------------------------------

    def resolve(self, node: ast.expr) -> list[Bound]:
        """Return what an expression may be, of Twisted's things. Nothing if it is none."""
        known = self._known.get(node)
        if known is None:
            self._known[node] = []  # a name that is bound to itself ends here
            try:
                known = list(dict.fromkeys(islice(self._resolve(node), _MOST)))
            except RecursionError:
                known = []  # thousands of attributes in a row: nothing that anybody means
            self._known[node] = known
        return known

    def _resolve(self, node: ast.expr) -> Iterator[Bound]:
        if isinstance(node, ast.Name):
            yield from self._resolveName(node)
        elif isinstance(node, ast.Attribute):
            yield from self._resolveAttribute(node)
        elif isinstance(node, ast.IfExp):
            yield from self.resolve(node.body)
            yield from self.resolve(node.orelse)
        elif isinstance(node, ast.BoolOp):
            for each in node.values:
                yield from self.resolve(each)
        elif isinstance(node, ast.NamedExpr):
            yield from self.resolve(node.value)
        elif isinstance(node, ast.Call):
            yield from self._resolveCall(node)

    def _resolveName(self, node: ast.Name) -> Iterator[Bound]:
        scope = self._of[node].find(node.id)
        if scope is None:
            yield from self._fromStars(node)
            return
        for each in scope.names[node.id]:
            if isinstance(each, Bound):
                yield each
            elif each is not None:
                # The root belongs to the text of the dotted name, which an alias hides.
                yield from (bound._replace(root=None) for bound in self.resolve(each))

    def _fromStars(self, node: ast.Name) -> Iterator[Bound]:
        scope: Scope | None = self._of[node]
        while scope is not None:
            for module in scope.stars:
                offered = catalog().names(module.name.partition(".")[2])
                if node.id in offered and not node.id.startswith("_"):
                    yield module._replace(name=f"{module.name}.{node.id}")
            scope = scope.parent

    def _resolveAttribute(self, node: ast.Attribute) -> Iterator[Bound]:
        bases = self.resolve(node.value)
        for base in bases:
            yield base._replace(name=f"{base.name}.{node.attr}")
        if bases or not isinstance(node.value, ast.Name | ast.Attribute):
            return
        # An attribute of some object: what this file assigns to attributes of that name.
        known = False
        for each in self._attributes.get(node.attr, ()):
            bound = [each] if isinstance(each, Bound) else self.resolve(each) if each else []
            for one in bound:
                if one.name == REACTOR:
                    known = True
                    yield Bound(REACTOR, isGuess=True)
        if not known and node.attr in _REACTOR_NAMES:
            yield Bound(REACTOR, isGuess=True)

    def _resolveCall(self, node: ast.Call) -> Iterator[Bound]:
        """What a call returns: a module that is imported by its name, or a reactor that is made."""
        name = calledName(node)
        if name in IMPORTERS and node.args:
            text = node.args[0]
            if isinstance(text, ast.Constant) and isTwisteds(text.value):
                yield Bound(THEIRS if name == "__import__" else str(text.value))
        elif name.endswith("Reactor"):
            for bound in self.resolve(node.func):
                if "reactor" in bound.name.split(".")[-2]:
                    yield Bound(REACTOR)


def _typed(annotation: ast.expr | None) -> Bound | None:
    """A reactor, if an annotation says so."""
    if annotation is None:
        return None
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        last = annotation.value.rpartition(".")[2]
    elif isinstance(annotation, ast.Attribute):
        last = annotation.attr
    else:
        last = annotation.id if isinstance(annotation, ast.Name) else ""
    return Bound(REACTOR, isGuess=True) if last.startswith(_REACTOR_TYPES) else None


def calledName(node: ast.Call) -> str:
    """Return the last part of the name of what is called."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def boundTo(name: str) -> Bound | None:
    """Return what an absolute dotted name means, if it is below `twisted` or `twistlike`."""
    top, dot, rest = name.partition(".")
    if top == THEIRS:
        return Bound(name)
    if top == OURS and not isOursAlone(rest):
        return Bound(f"{THEIRS}{dot}{rest}", isPorted=True)
    return None


def isTwisteds(value: object) -> bool:
    """Return whether a constant is `twisted` or the plain dotted name of something below it."""
    if not isinstance(value, str) or not value.startswith(THEIRS):
        return False
    parts = value.split(".")
    return parts[0] == THEIRS and all(each.isidentifier() for each in parts)
