"""Shows our classes under Twisted's names: by these they are asked for, and shown in logs.

Thread: any, at import.
"""

from __future__ import annotations

from types import FunctionType

from twistlike._base.naming import PublicName
from twistlike.overlay.names import OURS, THEIRS

__all__ = ["showAsTwisteds"]


def showAsTwisteds(module: object) -> None:
    """Give what a module of ours offers the name of Twisted's module."""
    for name in getattr(module, "__all__", ()):
        value = getattr(module, name)
        shown = getattr(value, "__module__", None)
        if not isinstance(shown, str) or not str.startswith(shown, OURS + "."):
            continue
        face = THEIRS + str.__str__(shown)[len(OURS) :]
        if isinstance(value, FunctionType):
            value.__module__ = face
        elif isinstance(value, type):
            room = getattr(shown, "_room", shown)
            line = vars(value).get("__firstlineno__")
            value.__module__ = PublicName(face, room)
            if line is not None:  # CPython 3.13 and later drop it when the module is set
                value.__firstlineno__ = line  # type: ignore[attr-defined]
