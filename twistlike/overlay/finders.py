"""The finder that answers for `twisted` while the overlay is installed. Thread: any.

How it works
------------
It stands at the front of `sys.meta_path`. Its loader puts the very module object of ours under the
second name: a class has one identity, whichever name it was imported by, and a module that replaces
itself (the reactor) stays replaced. Which modules that are depends on whether a Twisted is
installed: then they are those of a table, and the others are that Twisted's; else all that we have.
What we lack is an error that says what to do. A second finder, which `twistlike` itself puts at the
end, hears about names below `twistlike` that nobody found: `from twisted.internet import ssl`
asks for `twistlike.internet.ssl`, because that is the package's own name.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import TYPE_CHECKING, cast

from twistlike.overlay.messages import isOnlyAsked, notFound
from twistlike.overlay.names import OURS, THEIRS
from twistlike.overlay.ownership import OURS_OVER_TWISTED, isOursAlone
from twistlike.overlay.package import COPYRIGHT, fillCopyright, fillPackage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.abc import Loader

__all__ = ["aliases", "isOurs", "loaded"]


class _Aliases:
    """Finds `twisted.X.Y` in `twistlike.X.Y`, and loads it as that same object.

    Attributes:
        hasTwisted: Whether a Twisted is installed, which then has all but some modules.
    """

    hasTwisted = False

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Answer the import system about a module.

        Raises:
            ImportError: It is Twisted's and we do not have it.
        """
        if fullname != THEIRS and not fullname.startswith(THEIRS + "."):
            return None
        name = fullname[len(THEIRS) + 1 :]
        if self.hasTwisted and name not in OURS_OVER_TWISTED:
            return _theirs(fullname, name, path)
        if name == COPYRIGHT:
            return ModuleSpec(fullname, cast("Loader", self))
        if isOursAlone(name):
            # Not None, whoever asks: the next finder would see the file in our package's folder.
            raise notFound(name)
        found = _find(_ourName(fullname))
        if found is None:
            if isOnlyAsked():
                return None
            raise notFound(name)
        spec = ModuleSpec(fullname, cast("Loader", self), origin=found.origin)
        spec.submodule_search_locations = found.submodule_search_locations
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Let the import system make a module that nobody keeps.

        It writes `__spec__` and more into what it is given here: ours has its own.
        """
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Put our module in the place of the one that the import system made."""
        name = module.__name__
        if not self.hasTwisted and name in _MADE:
            _MADE[name](module)
            return
        ours = _ourName(name)
        importlib.import_module(ours)
        # Not what import_module returns: a module may have replaced itself by any object.
        sys.modules[name] = sys.modules[ours]
        if self.hasTwisted:
            from twistlike.overlay.with_twisted import afterLoading
            from twistlike.overlay.with_twisted.public_names import showAsTwisteds

            showAsTwisteds(sys.modules[name])
            afterLoading(name[len(THEIRS) + 1 :])


_MADE = {THEIRS: fillPackage, f"{THEIRS}.{COPYRIGHT}": fillCopyright}
"""Modules that are made, since they tell of Twisted: what fills each."""

aliases = _Aliases()


def _theirs(fullname: str, short: str, path: Sequence[str] | None) -> ModuleSpec | None:
    """The spec of a module of an installed Twisted, with what is to be done after it is loaded."""
    from twistlike.overlay.with_twisted import AFTER, afterLoading

    if short not in AFTER:
        return None  # the finders after this one know it
    spec = PathFinder.find_spec(fullname, path)
    if spec is not None and spec.loader is not None:
        loader = spec.loader
        load = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            load(module)
            afterLoading(short)

        loader.exec_module = exec_module  # type: ignore[method-assign]
    return spec


def loaded() -> list[tuple[str, object]]:
    """Return what is imported under Twisted's names, each with its name."""
    return [
        (name, module)
        for name, module in list(sys.modules.items())
        if name == THEIRS or name.startswith(THEIRS + ".")
    ]


def isOurs(name: str, module: object) -> bool:
    """Return whether a module under one of Twisted's names is one of ours."""
    spec = getattr(module, "__spec__", None)
    loader: object = getattr(spec, "loader", None)
    isMade = loader is aliases and name in _MADE
    return isMade or module is sys.modules.get(_ourName(name))


def _ourName(name: str) -> str:
    """`twistlike.X` for `twisted.X`."""
    return OURS + name[len(THEIRS) :]


def _find(name: str) -> ModuleSpec | None:
    """The spec of one of our modules, which is not imported for that; `None` if there is none."""
    module = sys.modules.get(name)
    if module is not None:
        # An object that has replaced its module has no __spec__, and find_spec would object.
        spec = getattr(module, "__spec__", None)
        return spec if isinstance(spec, ModuleSpec) else ModuleSpec(name, None)
    return importlib.util.find_spec(name)
