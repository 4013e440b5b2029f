"""Gives classes and functions the public names by which users know them. Thread: any, at import.

A class is written in a room (`twistlike._defer.deferred`) and known by its face
(`twistlike.internet.defer`): in a `repr`, a traceback, a pickle, and for `Failure.check`, which
compares names. So its `__module__` reads as the face's name.

How it works
------------
`inspect.getsource` takes the source of a class from the file of `sys.modules[cls.__module__]`,
which would be the face's. So the `__module__` of a class is a `PublicName`: a string that reads as
the face and finds the room where it is looked up. Functions need nothing of the kind: their code
knows its file.
"""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["PublicName", "callAs", "showAs"]


def showAs(face: str, namespace: Mapping[str, Any], names: Iterable[str]) -> None:
    """Show a room's classes and functions under a public module's name.

    Args:
        face: The public module, such as `"twistlike.internet.defer"`.
        namespace: The room's `globals()`.
        names: What to show. What the room has not defined itself is left as it is.
    """
    room = namespace["__name__"]
    name = PublicName(face, room)
    for each in names:
        value = namespace[each]
        if isinstance(value, FunctionType) and value.__module__ == room:
            value.__module__ = face
        elif isinstance(value, type) and value.__module__ == room:
            line = vars(value).get("__firstlineno__")
            value.__module__ = name
            if line is not None:  # CPython 3.13 and later drop it when the module is set
                value.__firstlineno__ = line  # type: ignore[attr-defined]


def callAs(public: type, *inner: type) -> None:
    """Show classes of ours by the name of the public class of which each is a kind.

    Args:
        public: What users know. Its name stands in the `repr` of an instance, and in an error of
            Python's about one.
        inner: Classes of a room.
    """
    for each in inner:
        each.__name__, each.__qualname__ = public.__name__, public.__qualname__
        each.__module__ = public.__module__


class PublicName(str):
    """The name of a public module, which a dictionary of modules takes for the room's.

    Args:
        face: What it reads as.
        room: What it finds.
    """

    __slots__ = ("_room",)

    _room: str

    def __new__(cls, face: str, room: str) -> Self:
        """Make one."""
        self = super().__new__(cls, face)
        self._room = room
        return self

    def __eq__(self, other: object) -> bool:
        """Be equal to both names."""
        return str.__eq__(self, other) is True or other == self._room

    def __ne__(self, other: object) -> bool:
        """Be the opposite of `__eq__`."""
        return not self == other

    def __hash__(self) -> int:
        """Be found where the room is."""
        return hash(self._room)

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        """Be a plain string in a pickle, which then finds the face."""
        return str, (str.__str__(self),)
