"""Decides what `port` changes in a source file, and what it leaves.

How it works
------------
What is ours is taken from `twistlike`, all else stays `twisted`. A module that a file uses only
partly needs care, since both cannot have its name:

- `from twisted.python import log` stays as it is if the file uses something of `log` that only
  an installed Twisted has.
- `import twisted.python.log` becomes two imports then, and each dotted use of `twisted` goes to
  the one that has it. Where nothing that is ours is used by it, it stays: so a second run finds
  nothing to do.
- What neither has loses nothing by a change, and does not stop one.
"""

from __future__ import annotations

import ast
from enum import Enum
from typing import NamedTuple

from twistlike.overlay.lookup import State, ownershipOf, splitName
from twistlike.overlay.names import THEIRS, isBelow
from twistlike.overlay.ownership import hasModule
from twistlike.porting.places import Place, Places
from twistlike.porting.uses import Kind, Use, usesOf

__all__ = ["Action", "Plan", "planOf"]


class Action(Enum):
    """What becomes of one imported name."""

    RENAME = "rename"
    BOTH = "both"


class Plan(NamedTuple):
    """What to change in a file.

    Attributes:
        imports: Where an imported name begins, and what becomes of it.
        names: Where a dotted name begins with a `twisted` that becomes `twistlike`.
        strings: Where a string begins that does.
        quoted: Where a quoted annotation begins, and the dotted names in it that become ours.
        left: The uses that stay Twisted's, or that nobody has.
    """

    imports: dict[Place, Action]
    names: set[Place]
    strings: set[Place]
    quoted: dict[Place, set[str]]
    left: list[Use]

    def __bool__(self) -> bool:
        """Return whether anything is to be changed."""
        return bool(self.imports or self.names or self.strings or self.quoted)


_Node = ast.expr | ast.alias


class _PlainImport(NamedTuple):
    """One name of `import twisted.a, twisted.b`, not renamed by `as`."""

    name: str
    node: ast.Import
    alias: ast.alias


def planOf(source: bytes, tree: ast.Module) -> Plan:
    """Decide what to change in a file.

    Args:
        source: Its text.
        tree: Its syntax.
    """
    found = usesOf(tree)
    uses = [each for each in found if not each.isPorted]
    places = Places(source)
    plan = Plan({}, set(), set(), {}, [])
    _planImports(uses, places, plan)
    _planDotted(tree, uses, places, plan)
    for use in uses:
        isOurs = ownershipOf(use.name).isOurs
        if use.kind is Kind.STRING and isOurs and _isWholeName(use):
            plan.strings.add(places.of(use.node))
    plan.left.extend(each for each in found if not each.ownership.isOurs)
    return plan


def _isWholeName(use: Use) -> bool:
    """Whether a string is the name itself, and not an attribute's as in getattr."""
    return isinstance(use.node, ast.Constant) and use.node.value == use.name


def _planImports(uses: list[Use], places: Places, plan: Plan) -> None:
    """Plan what is imported by a name of its own: from imports, and those with `as`."""
    for use in uses:
        node = use.node
        if not isinstance(node, ast.alias) or (node.name == use.name and not node.asname):
            continue
        if ownershipOf(use.name).isOurs and not _usesTheirs(use, uses):
            plan.imports[places.of(node)] = Action.RENAME


def _usesTheirs(imported: Use, uses: list[Use]) -> bool:
    """Whether the file uses something of an imported module that only an installed Twisted has."""
    if splitName(imported.name)[1]:
        return False  # a class or function
    return any(
        use.kind is Kind.DOTTED
        and use.root is None
        and use.name.startswith(imported.name + ".")
        and ownershipOf(use.name).state is State.TWISTED
        for use in uses
    )


def _planDotted(tree: ast.Module, uses: list[Use], places: Places, plan: Plan) -> None:
    """Plan `import twisted.x` and the dotted names that begin with that `twisted`."""
    plain = [
        _PlainImport(alias.name, node, alias)
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if isBelow(alias.name, (THEIRS,)) and not alias.asname
    ]
    dotted: dict[tuple[_Node, str], list[Use]] = {}
    for use in uses:
        if use.root is not None:
            dotted.setdefault((use.node, use.name), []).append(use)
    served: set[ast.alias] = set()  # the imports by which something of ours is used
    needed: set[ast.alias] = set()  # those by which something of Twisted's is
    for (node, name), same in dotted.items():
        reach = [each for each in plain if any(use.root is each.node for use in same)]
        ours = [each for each in reach if _isOurs(each) and _brings(each, name)]
        if ours and ownershipOf(name).isOurs:
            if same[0].kind is Kind.ANNOTATION:
                plan.quoted.setdefault(places.of(node), set()).add(name)
            else:
                plan.names.add(places.of(node))
            served.update(each.alias for each in ours)
        else:
            bringing = [each for each in reach if isBelow(name, (each.name,))]
            needed.update(each.alias for each in bringing or reach)
    for each in plain:
        isUsed = each.alias in served or each.alias not in needed
        if _isOurs(each) and isUsed:
            both = each.alias in needed
            plan.imports[places.of(each.alias)] = Action.BOTH if both else Action.RENAME


def _isOurs(imported: _PlainImport) -> bool:
    """Whether we have a module. `import twisted` alone asks whether there is any."""
    return hasModule(imported.name.partition(".")[2])


def _brings(imported: _PlainImport, name: str) -> bool:
    """Whether an import makes sure that the module of a dotted name is there."""
    module = f"{THEIRS}.{splitName(name)[0]}"
    return isBelow(imported.name, (module,))
