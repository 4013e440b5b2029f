"""Attributes of classes that are made when they are first read. Thread: any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Late"]


class Late:
    """Stands for an attribute of a class until somebody asks for it.

    Args:
        make: Returns the attribute; called once.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    def __get__(self, instance: object, owner: type) -> Any:
        """Put the attribute into this one's place, and return it as Python would have."""
        home, name = next(
            (base, name) for base in owner.__mro__ for name, it in vars(base).items() if it is self
        )
        setattr(home, name, self._make())
        return getattr(owner if instance is None else instance, name)
