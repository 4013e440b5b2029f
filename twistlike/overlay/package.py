"""The package `twisted` and its module `copyright`, where no Twisted is used.

Thread: any, at import.

Programs look which Twisted they run on. Without one that is the Twisted whose API we offer.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from twistlike.overlay.names import OURS, THEIRS

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["COPYRIGHT", "Version", "fillCopyright", "fillPackage"]

COPYRIGHT = "copyright"
"""The short name of the module that is made here."""


class Version(NamedTuple):
    """A version of Twisted, as `twisted.version`: to be compared, and shown."""

    major: int
    minor: int
    micro: int
    package: str = "Twisted"

    def base(self) -> str:
        """Return its numbers as text."""
        return f"{self.major}.{self.minor}.{self.micro}"

    def public(self) -> str:
        """Return what `base` does: it is a release."""
        return self.base()

    def short(self) -> str:
        """Return what `base` does."""
        return self.base()

    def __str__(self) -> str:
        return f"[{self.package}, version {self.base()}]"


def fillPackage(module: ModuleType) -> None:
    """Make an empty module the package: what it has besides a version is ours."""

    def ask(name: str) -> Any:
        if name == "__version__":
            return _version()
        if name == "version":
            major, minor, micro = map(int, _version().split("."))
            return Version(major, minor, micro)
        if name == COPYRIGHT:
            return import_module(f"{THEIRS}.{COPYRIGHT}")
        return getattr(sys.modules[OURS], name)

    module.__doc__ = sys.modules[OURS].__doc__
    # `from twisted import x` asks for a module below this name: errors then name what serves.
    module.__name__ = OURS
    setattr(module, "__getattr__", ask)


def fillCopyright(module: ModuleType) -> None:
    """Make an empty module `copyright`: it tells which Twisted programs run on."""
    version = _version()
    text = f"twistlike {sys.modules[OURS].__version__} has the API of Twisted {version}"
    vars(module).update(version=version, longversion=f"{version} ({text})", copyright=text)


def _version() -> str:
    from twistlike.overlay.catalog import catalog  # reads a file; few programs ask

    return catalog().version
