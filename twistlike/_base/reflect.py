"""Names of things, things by their names, and texts of things that may be broken.

Thread: any.
"""

from __future__ import annotations

import sys
import types
from typing import TYPE_CHECKING, Any

from twistlike._base.naming import showAs

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "InvalidName",
    "ModuleNotFound",
    "ObjectNotFound",
    "accumulateClassDict",
    "accumulateClassList",
    "accumulateMethods",
    "fullyQualifiedName",
    "namedAny",
    "namedClass",
    "namedModule",
    "namedObject",
    "prefixedMethodNames",
    "prefixedMethods",
    "qual",
    "requireModule",
    "safe_repr",
    "safe_str",
]


class InvalidName(ValueError):
    """The text is no name of a Python object."""


class ModuleNotFound(InvalidName):
    """There is no module of that name."""


class ObjectNotFound(InvalidName):
    """No part of that name is the name of a module."""


def namedModule(name: str) -> types.ModuleType:
    """Import a module by its full name, and return it."""
    __import__(name)
    return sys.modules[name]


def namedObject(name: str) -> Any:
    """Return what `module.attribute` names; the module is imported."""
    module, _, attribute = name.rpartition(".")
    return getattr(namedModule(module), attribute)


def accumulateClassDict(
    classObj: type, attr: str, adict: dict[Any, Any], baseClass: type | None = None
) -> None:
    """Gather a dictionary that a class and its bases each have; the class wins over its bases.

    Args:
        classObj: The class.
        attr: The name of the attribute in each of them.
        adict: Where to put the items.
        baseClass: The class itself counts only if this one is among its bases.
    """
    for base in classObj.__bases__:
        accumulateClassDict(base, attr, adict)
    if baseClass is None or baseClass in classObj.__bases__:
        adict.update(vars(classObj).get(attr, {}))


def accumulateClassList(
    classObj: type, attr: str, listObj: list[Any], baseClass: type | None = None
) -> None:
    """Gather a list that a class and its bases each have, the bases' items first.

    Args:
        classObj: The class.
        attr: The name of the attribute in each of them.
        listObj: Where to put the items.
        baseClass: The class itself counts only if this one is among its bases.
    """
    for base in classObj.__bases__:
        accumulateClassList(base, attr, listObj)
    if baseClass is None or baseClass in classObj.__bases__:
        listObj.extend(vars(classObj).get(attr, []))


def namedClass(name: str) -> Any:
    """Return what `module.attribute` names; the older name of `namedObject`."""
    return namedObject(name)


def namedAny(name: str) -> Any:
    """Return what a full name names: a module, or something in one, however deep.

    Args:
        name: `package.module.Class.method`, say. Modules are imported as far as needed.

    Raises:
        InvalidName: it is no dotted name.
        ModuleNotFound: it has no dot, and there is no such module.
        ObjectNotFound: its first part is no module.
        AttributeError: the module has nothing of that name.
        Exception: whatever importing the module raises.
    """
    if not name:
        raise InvalidName("Empty module name")
    parts = name.split(".")
    if "" in parts:
        raise InvalidName(
            f"name must be a string giving a '.'-separated list of Python identifiers, not {name!r}"
        )
    for end in range(len(parts), 0, -1):
        module = ".".join(parts[:end])
        try:
            found: Any = namedModule(module)
        except ModuleNotFoundError as error:
            # An import that fails inside the module is its own error, and not "no such module".
            if error.name is None or not f"{module}.".startswith(f"{error.name}."):
                raise
            continue
        for attribute in parts[end:]:
            found = getattr(found, attribute)
        return found
    if len(parts) == 1:
        raise ModuleNotFound(f"No module named {name!r}")
    raise ObjectNotFound(f"{name!r} does not name an object")


def requireModule(name: str, default: Any = None) -> Any:
    """Return the module of that name, or `default` if it cannot be imported."""
    try:
        return namedModule(name)
    except ImportError:
        return default


def fullyQualifiedName(obj: Any) -> str:
    """Return the full name of a module, class, function or method: what `namedAny` takes."""
    try:
        name: str = obj.__qualname__
    except AttributeError:
        name = obj.__name__
    if isinstance(obj, types.ModuleType | types.BuiltinFunctionType):
        return name
    return f"{obj.__module__}.{name}"


def prefixedMethodNames(classObj: type, prefix: str) -> list[str]:
    """Return the rest of the names of a class's methods whose names begin with `prefix`.

    Those of base classes come first.
    """
    names: dict[str, None] = {}  # keeps the order in which a name was first met
    for base in classObj.__bases__:
        names.update(dict.fromkeys(prefixedMethodNames(base, prefix)))
    for name, value in vars(classObj).items():
        if name.startswith(prefix) and isinstance(value, types.FunctionType):
            names[name[len(prefix) :]] = None
    return list(names)


def accumulateMethods(
    obj: object, dict: dict[str, Any], prefix: str = "", curClass: type | None = None
) -> None:
    """Add an object's methods whose names begin with `prefix` to `dict`, by the rest of it.

    Args:
        obj: any object.
        dict: what is added to.
        prefix: what the names begin with.
        curClass: a base class of the object's, if only its methods are wanted.
    """
    for name in prefixedMethodNames(type(obj) if curClass is None else curClass, prefix):
        dict[name] = getattr(obj, prefix + name)


def prefixedMethods(obj: object, prefix: str = "") -> list[Any]:
    """Return an object's methods whose names begin with `prefix`, those of base classes first."""
    return [getattr(obj, prefix + name) for name in prefixedMethodNames(type(obj), prefix)]


def qual(clazz: type) -> str:
    """Return a class's name as `module.Name` (as in Twisted without the classes around it)."""
    return f"{clazz.__module__}.{clazz.__name__}"


def safe_repr(o: object) -> str:
    """Return `repr(o)`, or where that fails a text which says how. Never raises."""
    try:
        return repr(o)
    except BaseException:  # as in Twisted: whatever it is, the text must come to its end
        return _describe(o, repr)


def safe_str(o: object) -> str:
    """Return `str(o)`, or where that fails a text which says how. Never raises.

    Bytes that are UTF-8 are decoded.
    """
    try:
        if isinstance(o, bytes):
            try:
                return o.decode("utf-8")
            except UnicodeDecodeError:
                pass
        return str(o)
    except BaseException:
        return _describe(o, str)


def _describe(o: object, asked: Callable[[object], str]) -> str:
    """Return the text of an object whose own text raised the exception that is being handled."""
    import traceback  # 10 ms at import time, and needed for broken objects only

    text = traceback.format_exc()
    try:
        name = type(o).__name__
    except BaseException:  # a metaclass may answer for the name
        name = type.__repr__(type(o))
    return f"<{name} instance at 0x{id(o):x} with {asked.__name__} error:\n {text}>"


showAs("twistlike.python.reflect", globals(), __all__)
