"""Names of things, things by their names, and texts of things that may be broken.

Thread: any.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "qual",
    "safe_repr",
    "safe_str",
]


def qual(clazz: type) -> str:
    """Return a class's name as ``module.Name`` (as in Twisted without the classes around it)."""
    return f"{clazz.__module__}.{clazz.__name__}"


def safe_repr(o: object) -> str:
    """Return ``repr(o)``, or where that fails a text which says how. Never raises."""
    try:
        return repr(o)
    except BaseException:  # as in Twisted: whatever it is, the text must come to its end
        return _describe(o, repr)


def safe_str(o: object) -> str:
    """Return ``str(o)``, or where that fails a text which says how. Never raises.

    Bytes that are ASCII are decoded.
    """
    try:
        if isinstance(o, bytes):
            try:
                return o.decode("ascii")
            except UnicodeDecodeError:
                pass
        return str(o)
    except BaseException:
        return _describe(o, str)


def _describe(o: object, asked: Callable[[object], str]) -> str:
    """Return the text of an object whose own text raised the exception that is being handled."""
    import traceback  # 10 ms at import time, and needed for broken objects only

    what = f"{type(o).__name__} instance at 0x{id(o):x}"
    return f"<{what} with {asked.__name__} error:\n {traceback.format_exc()}>"
