"""Lists the names of an installed Twisted for `twistlike/overlay/twisted_names.txt`.

`python -m tests.overlay.list_names` writes that file anew: facts alone, which modules there are
and which names each has. It imports every module of Twisted, so Twisted's optional dependencies
should be installed too; of a module that cannot be imported the names are read from its syntax.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import pkgutil
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, ModuleType

from tests.oracle import ROOT

__all__ = ["FILE", "listing"]

FILE = ROOT / "twistlike" / "overlay" / "twisted_names.txt"

REACTORS = [
    "twisted.internet.selectreactor.SelectReactor",
    "twisted.internet.pollreactor.PollReactor",
    "twisted.internet.epollreactor.EPollReactor",
    "twisted.internet.asyncioreactor.AsyncioSelectorReactor",
]

WITH_CLASSES = ("internet.", "logger", "protocols.", "python.")
"""What twistlike may have modules of: there the names of classes are listed as well."""

HEAD = """\
# The modules of Twisted {version} and their names, as `python -m tests.overlay.list_names` finds
# them. A line is a module (without "twisted."), a colon, and its names; "*" stands for names that
# are not listed. An indented line is a class of the module above, and the names of the class.
"""


def listing() -> str:
    """The text of the file."""
    import twisted

    lines = [HEAD.format(version=twisted.__version__)]
    for name in ["twisted", *sorted(moduleNames(twisted))]:
        lines += [f"{line}\n" for line in linesOf(name)]
    return "".join(lines)


def moduleNames(twisted: ModuleType) -> Iterator[str]:
    """All modules of Twisted, found without running what tests do when they are imported."""
    for module in pkgutil.walk_packages(twisted.__path__, "twisted.", onerror=lambda name: None):
        # Other packages install modules of their own among Twisted's plug-ins.
        isForeign = module.name.startswith(("twisted.plugins.", "twisted.names.plugins.")) and not (
            module.name.rpartition(".")[2].startswith(("twisted_", "cred_"))
        )
        if module.name.rpartition(".")[2] != "__main__" and not isForeign:
            yield module.name


def linesOf(name: str) -> Iterator[str]:
    """The line of a module, and those of its classes where twistlike may have the module."""
    short = name.removeprefix("twisted").lstrip(".") or "."
    if ".test." in f"{name}.":
        yield f"{short}: *"
    elif name == "twisted.internet.reactor":
        yield f"{short}: {' '.join(sorted(reactorNames()))}"
    else:
        module = imported(name)
        names = syntaxNames(name) if module is None else set(publicNames(module))
        yield f"{short}: {' '.join(sorted(names))}".rstrip()
        if module is not None and short.startswith(WITH_CLASSES):
            yield from classLines(module, sorted(names))


def imported(name: str) -> ModuleType | None:
    """The module, if it can be imported here."""
    try:
        return importlib.import_module(name)
    except Exception as error:
        print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr)
        return None


def publicNames(module: ModuleType) -> Iterator[str]:
    """What a module offers: what it defines or hands on of Twisted's, private names included.

    Programs use those as well. What it has imported from elsewhere is none of it.
    """
    offered = getattr(module, "__all__", ())
    for name in dir(module):
        if name == "TYPE_CHECKING" or (name.startswith("__") and name != "__version__"):
            continue
        try:
            value = getattr(module, name)
        except Exception:
            yield name
            continue
        isSubmodule = isinstance(value, ModuleType) and hasattr(module, "__path__")
        if name in offered or not (isForeign(value) or isSubmodule):
            yield name


def isForeign(value: object) -> bool:
    """Whether a value comes from elsewhere: of constants, that cannot be known."""
    if isinstance(value, ModuleType):
        return value.__name__.partition(".")[0] != "twisted"
    home = str(getattr(value, "__module__", None) or "twisted").partition(".")[0]
    isDefinition = isinstance(value, type | FunctionType | BuiltinFunctionType)
    return home != "twisted" and (isDefinition or home in ("__future__", "typing"))


def syntaxNames(name: str) -> set[str]:
    """What a module defines at its top level, by its syntax."""
    spec = importlib.util.find_spec(name)
    assert spec is not None and spec.origin is not None
    found: set[str] = set()
    for node in ast.parse(Path(spec.origin).read_bytes()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {each.id for each in node.targets if isinstance(each, ast.Name)}
    return {each for each in found if not each.startswith("__")}


def classLines(module: ModuleType, names: list[str]) -> Iterator[str]:
    """The classes of a module, each with the names that it has beyond an object's."""
    for name in names:
        value = getattr(module, name, None)
        if not inspect.isclass(value) or value.__module__ != module.__name__:
            continue
        own = {
            each
            for base in value.__mro__
            if base.__module__.startswith("twisted.")
            for each in vars(base)
            if not each.startswith("_")
        }
        yield f"  {name}: {' '.join(sorted(own))}".rstrip()


def reactorNames() -> set[str]:
    """What some reactor of Twisted has, or one of the interfaces of reactors demands."""
    interfaces = importlib.import_module("twisted.internet.interfaces")
    found: set[str] = set()
    for dotted in REACTORS:
        module, _, name = dotted.rpartition(".")
        loaded = imported(module)
        found.update(dir(getattr(loaded, name)) if loaded else ())
    for name in dir(interfaces):
        if name.startswith("IReactor"):
            found.update(getattr(interfaces, name).names(all=True))
    return {each for each in found if not each.startswith("_")}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    FILE.write_text(listing(), encoding="utf-8")
    print(f"{FILE}: {FILE.stat().st_size} bytes")
