"""The errors for modules and names that are not here: what is missing, what serves instead.

Thread: any. Nothing here is imported before a program is about to fail, but by the overlay.
"""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING

from twistlike.overlay.names import OURS, THEIRS
from twistlike.overlay.ownership import PACKAGES, hasModule, isOursAlone

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType

__all__ = ["isOnlyAsked", "missingModule", "notFound"]

# Where the names are that most programs use: those that are imported from elsewhere by mistake.
_USUAL = (
    "internet.threads",
    "internet.defer",
    "internet.task",
    "internet.error",
    "internet.protocol",
    "internet.asyncioreactor",
    "internet.endpoints",
    "python.failure",
    "python.threadpool",
    "protocols.basic",
)

_ON_TWISTED = "To use Twisted's, import it from Twisted, on Twisted's reactor"

_IMPORT_SYSTEM = "<frozen importlib._bootstrap>"


def isOnlyAsked() -> bool:
    """Return whether importlib.util.find_spec, not an import, has called the finder that asks this.

    That function promises None for a module that does not exist; an import would turn None into
    an error that does not say what to do. The frames: this, the finder, importlib's loop over the
    finders, the caller.
    """
    return sys._getframe(3).f_code is importlib.util.find_spec.__code__


def missingModule(fullname: str, finder: FrameType) -> ImportError | None:
    """Return the error for a name below `twistlike` that no finder knew.

    Args:
        fullname: The module's name.
        finder: The frame of the finder that the import system has asked.

    Returns:
        `None` if importlib.util.find_spec has asked, which promises to raise nothing.
    """
    frame = finder.f_back and finder.f_back.f_back
    if frame is not None and frame.f_code is importlib.util.find_spec.__code__:
        return None
    short = fullname[len(OURS) + 1 :]
    overlay = sys.modules.get(f"{OURS}.overlay.finders")
    if overlay is not None and overlay.aliases in sys.meta_path:
        return notFound(short)
    parent = short.rpartition(".")[0]
    isName = parent not in PACKAGES and hasModule(parent)
    text = (_missingName if isName else _describe)(short, OURS, _ON_TWISTED)
    # "from package import name" hides a ModuleNotFoundError about package.name under its own.
    kind = ImportError if _isFromImport(finder) else ModuleNotFoundError
    return kind(text, name=fullname)


def notFound(short: str) -> ImportError:
    """Return the overlay's error for something below Twisted's or our package that is not there.

    The error's `name` is always Twisted's. That matters: `from package import name` hides a
    ModuleNotFoundError about `package.name` under one of its own, unless the names differ.

    Args:
        short: The name below `twisted`.
    """
    theirs = f"{THEIRS}.{short}"
    parent = short.rpartition(".")[0]
    if isOursAlone(short):
        return ModuleNotFoundError(
            f"Twisted has no module {theirs!r}: it is twistlike's own; import {OURS}.{short}",
            name=theirs,
        )
    if parent not in PACKAGES and hasModule(parent):
        way = "To use Twisted's, run the program on Twisted itself"
        return ImportError(_missingName(short, THEIRS, way), name=theirs)
    way = "To use Twisted's, install it by: pip install 'twistlike[twisted]'"
    if PathFinder.find_spec(THEIRS) is not None:
        way = (
            "To use the installed Twisted's, leave out --no-twisted, or useTwisted=False in "
            "overlay.install"
        )
    return ModuleNotFoundError(_describe(short, THEIRS, way), name=theirs)


def _describe(short: str, package: str, way: str) -> str:
    """Say that a module is missing, what may serve instead, and the ways out."""
    from twistlike.overlay.catalog import catalog  # only where a program is about to fail
    from twistlike.overlay.instead import insteadOf  # only where a program is about to fail

    text = f"twistlike {_version()} has no module '{package}.{short}'."
    if isOursAlone(short):
        return text
    instead = insteadOf(short)
    if instead:
        text += f" Instead: {instead.replace(f'{THEIRS}.', f'{package}.')}."
    if not catalog().hasModule(short):
        # A guess only where the name is nowhere: a module of Twisted's is no misspelt one of ours.
        where = _elsewhere(short.rpartition(".")[2], package)
        return f"{text}{where or f' Neither has Twisted {catalog().version}.{_nearModule(short)}'}"
    return f"{text} {way}"


def _missingName(short: str, package: str, way: str) -> str:
    """Say that a module of ours has no such name, what may serve or be meant, and the way out."""
    from twistlike.overlay.catalog import catalog  # only where a program is about to fail
    from twistlike.overlay.instead import INSTEAD  # only where a program is about to fail

    parent, _, last = short.rpartition(".")
    text = f"cannot import name {last!r} from '{package}.{parent}': twistlike {_version()} "
    text += "does not have it."
    # Not what serves instead of a whole part of Twisted: this module of it is here.
    instead = INSTEAD.get(short)
    if instead:
        return f"{text} Instead: {instead.replace(f'{THEIRS}.', f'{package}.')}."
    if catalog().hasName(parent, last):
        return f"{text}{_elsewhere(last, package)} {way}"
    return text + (
        _elsewhere(last, package) or _near(last, dir(sys.modules.get(f"{OURS}.{parent}")))
    )


def _elsewhere(name: str, package: str) -> str:
    """A sentence that names the module of ours that has a public name, or nothing."""
    if name == "reactor":
        return f" Write: from {package}.internet import reactor"
    for each in _USUAL:
        if name in importlib.import_module(f"{OURS}.{each}").__all__:
            return f" It is in {package}.{each}."
    return ""


def _version() -> str:
    version: str = sys.modules[OURS].__version__
    return version


def _isFromImport(finder: FrameType) -> bool:
    """Whether an import statement has asked for a name in a package, which may be a module."""
    frame = finder.f_back
    while frame is not None and frame.f_code.co_filename == _IMPORT_SYSTEM:
        if frame.f_code.co_name == "_handle_fromlist":
            return True
        frame = frame.f_back
    return False


def _nearModule(short: str) -> str:
    """A question that names the module that may have been meant, or nothing."""
    from twistlike.overlay.catalog import catalog  # only where a program is about to fail

    parent, _, last = short.rpartition(".")
    known = catalog().modules()
    siblings = {each.rpartition(".")[2] for each in known if each.rpartition(".")[0] == parent}
    return _near(last, siblings)


def _near(name: str, names: Iterable[str]) -> str:
    """A question that names what may have been meant, or nothing."""
    import difflib  # 2 ms, and only where a program is about to fail

    close = difflib.get_close_matches(name, [each for each in names if each[:1] != "_"], n=1)
    return f" Did you mean {close[0]!r}?" if close else ""
