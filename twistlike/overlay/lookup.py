"""Looks single names of Twisted up: what becomes of each here. Thread: any.

What is ours is found by looking at our own modules, so it is never out of date; what is Twisted's
stands in the catalogue; which of both counts is `ownership`'s. A name is given as a program writes
it, `twisted.internet.defer.Deferred`.
"""

from __future__ import annotations

import importlib
import sys
from enum import Enum
from functools import cache
from types import ModuleType
from typing import NamedTuple

from twistlike.overlay.catalog import catalog
from twistlike.overlay.differences import differenceOf
from twistlike.overlay.instead import insteadOf
from twistlike.overlay.names import OURS, THEIRS
from twistlike.overlay.ownership import OURS_OVER_TWISTED, hasModule

__all__ = ["Ownership", "State", "ownershipOf", "splitName"]


class State(Enum):
    """What becomes of a use of Twisted's name. The value is the word that users read."""

    COVERED = "covered"
    DIFFERS = "differs"
    TWISTED = "from an installed Twisted"
    MISSING = "not there"


class Ownership(NamedTuple):
    """What is known of a name.

    Attributes:
        name: In Twisted's terms, up to the part that is known of: for `log.msg.x` that is
            `twisted.python.log.msg`.
        state: Whose it is.
        how: What differs, or why it is not there; empty if there is nothing to say.
        instead: What serves instead of what we do not have; may be empty.
    """

    name: str
    state: State
    how: str = ""
    instead: str = ""

    @property
    def isOurs(self) -> bool:
        """Whether twistlike has it."""
        return self.state in (State.COVERED, State.DIFFERS)


@cache
def splitName(name: str) -> tuple[str, tuple[str, ...]]:
    """Split a dotted name into the module, by its short name, and what is below it.

    Raises:
        ValueError: It is no name of Twisted's.
    """
    top, *parts = name.split(".")
    if top != THEIRS:
        raise ValueError(f"{name!r} is no name below {THEIRS!r}")
    for end in range(len(parts), 0, -1):
        short = ".".join(parts[:end])
        if hasModule(short) or catalog().hasModule(short):
            return short, tuple(parts[end:])
    return "", tuple(parts)


@cache
def ownershipOf(name: str) -> Ownership:
    """Look a name up.

    Args:
        name: A module, a name in a module, or an attribute of a class or of the reactor, as a
            program for Twisted writes it: `twisted.internet.reactor.callLater`.

    Raises:
        ValueError: It is no name of Twisted's.
    """
    short, parts = splitName(name)
    if not parts:
        return _ofModule(short)
    known = _known(short, parts)
    full = _full(short, known)
    # The package itself offers modules alone: its version is not Twisted's.
    if short and hasModule(short) and _has(_load(short), known):
        return _ofOurs(full)
    theirs = catalog().hasName(short, known[0])
    if len(known) > 1:
        theirs = catalog().hasMember(short, *known[:2])
    instead = insteadOf(full.partition(".")[2])
    if not theirs and short == "plugins":
        # A package of Twisted's into which others install modules of their own.
        return Ownership(full, State.TWISTED, "a plug-in, if it is installed")
    if not theirs:
        where = _full(short, known[:-1]) if short or len(known) > 1 else THEIRS
        how = f"neither twistlike's {where} nor that of Twisted {catalog().version} has it"
        return Ownership(full, State.MISSING, how, instead)
    if short in OURS_OVER_TWISTED:
        how = f"Twisted has it; twistlike stands in for {_full(short, ())} and does not"
        return Ownership(full, State.MISSING, how, instead)
    return Ownership(full, State.TWISTED, "", instead)


def _ofModule(short: str) -> Ownership:
    name = _full(short, ())
    if hasModule(short):
        return _ofOurs(name)
    instead = insteadOf(short)
    if catalog().hasModule(short):
        return Ownership(name, State.TWISTED, "", instead)
    return Ownership(name, State.MISSING, "no such module", instead)


def _ofOurs(name: str) -> Ownership:
    how = differenceOf(name.partition(".")[2])
    return Ownership(name, State.DIFFERS if how else State.COVERED, how)


def _full(short: str, parts: tuple[str, ...]) -> str:
    return ".".join(each for each in (THEIRS, short, *parts) if each)


@cache
def _load(short: str) -> object:
    """Our module, or the object that has taken its place."""
    name = f"{OURS}.{short}" if short else OURS
    importlib.import_module(name)
    return sys.modules[name]


def _has(owner: object, parts: tuple[str, ...]) -> bool:
    """Whether a module of ours offers a name, or a class of it an attribute."""
    for part in parts:
        if part not in dir(owner):
            return False
        # The reactor's attributes are not looked at: its properties may attach it to a loop.
        isObject = not isinstance(owner, ModuleType | type)
        owner = None if isObject else getattr(owner, part, None)
        if isinstance(owner, ModuleType) and not owner.__name__.startswith(f"{OURS}."):
            return False  # imported from elsewhere
    return True


def _known(short: str, parts: tuple[str, ...]) -> tuple[str, ...]:
    """The part of a dotted name that can be known: a name, or an attribute of a class of ours.

    What is further down belongs to values, which only a run would show.
    """
    if len(parts) == 1:
        return parts
    isClass = isinstance(getattr(_load(short), parts[0], None), type) if hasModule(short) else False
    if not isClass or not _isPublic(parts[1]):
        return parts[:1]
    inOurs = _has(_load(short), parts[:2])
    return parts[:2] if inOurs or catalog().hasMember(short, *parts[:2]) else parts[:1]


def _isPublic(name: str) -> bool:
    return not name.startswith("_")
