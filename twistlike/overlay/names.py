"""The names of the two packages, and how dotted names are compared. Thread: any."""

from __future__ import annotations

__all__ = ["OURS", "THEIRS", "isBelow"]

THEIRS = "twisted"
OURS = "twistlike"


def isBelow(name: str, parents: tuple[str, ...]) -> bool:
    """Return whether a dotted name is one of these, or inside one of them."""
    return any(name == parent or name.startswith(parent + ".") for parent in parents)
