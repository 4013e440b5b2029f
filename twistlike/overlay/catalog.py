"""What an installed Twisted offers, without looking at one: its modules and their names.

The facts lie in `twisted_names.txt`, which a script lists from an installed Twisted; the file
says from which version. It is read at the first question. Thread: any.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

__all__ = ["Catalog", "catalog"]

_FILE = Path(__file__).with_name("twisted_names.txt")
_ANY = "*"  # stands in the file for names that are not listed


class Catalog:
    """The modules of one version of Twisted, each by its name below `twisted`.

    Attributes:
        version: That version.
    """

    def __init__(self, text: str) -> None:
        """Read a listing.

        Args:
            text: A line for each module, `module: name name ...`; a line that is indented is a
                class of the module above it.
        """
        self.version = text.partition("Twisted ")[2].partition(" ")[0]
        self._names: dict[str, frozenset[str]] = {}
        self._classes: dict[str, frozenset[str]] = {}
        module = ""
        for line in text.splitlines():
            if line.startswith("#"):
                continue
            owner, _, names = line.partition(":")
            if owner.startswith(" "):
                self._classes[f"{module}.{owner.strip()}"] = frozenset(names.split())
            else:
                module = owner.strip(".")
                self._names[module] = frozenset(names.split())

    def modules(self) -> list[str]:
        """Return the names of all modules, below `twisted`."""
        return list(self._names)

    def hasModule(self, module: str) -> bool:
        """Return whether Twisted has a module; `""` is the package itself."""
        return module in self._names

    def names(self, module: str) -> frozenset[str]:
        """Return the names that a module offers; none for a module that is not there."""
        return self._names.get(module, frozenset())

    def hasName(self, module: str, name: str) -> bool:
        """Return whether a module of Twisted offers a name, as far as is known."""
        names = self.names(module)
        return name in names or _ANY in names

    def hasMember(self, module: str, owner: str, name: str) -> bool:
        """Return whether a class of Twisted has a name. Instances may have more."""
        return name in self._classes.get(f"{module}.{owner}", ())


@cache
def catalog() -> Catalog:
    """Return the catalogue of the Twisted whose API twistlike follows."""
    return Catalog(_FILE.read_text(encoding="utf-8"))
