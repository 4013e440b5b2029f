"""What Twisted's reactors have and ours does not: asking for it says what serves instead.

How it works
------------
Each such name is a descriptor that raises `AttributeError`, so that `hasattr` is False. They
are in a base class that comes last in the reactor's: what the reactor really has wins. A
`__getattr__` would do the same for less text, but costs every user of the reactor: on CPython
3.11 each call of a method 28 ns more (22 ns without), later each property 36 ns.
"""

from __future__ import annotations

from typing import NoReturn

__all__ = ["NOT_OFFERED", "NotOffered"]

_WINDOWS = "asyncio's Proactor loop, which waits for events by itself"

NOT_OFFERED = {
    "addEvent": _WINDOWS,
    "removeEvent": _WINDOWS,
}
"""Attribute of Twisted's reactors: what serves instead where ours has none."""


class _Missing:
    """Stands for an attribute that is not there."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, owner: type) -> NoReturn:
        # Without the object: Python would look for a similar name, and suggest the wrong one.
        raise AttributeError(
            f"twistlike's reactor has no {self._name}. Instead: {NOT_OFFERED[self._name]}; or run "
            "the program on Twisted's own reactor",
            name=self._name,
        )

    # There is no __set__: a program or a test may put its own in that place.


class NotOffered:
    """The base of the reactor that knows what it does not have. It has to come last."""

    def __dir__(self) -> list[str]:
        """Leave out what is not there."""
        return [each for each in super().__dir__() if each not in NOT_OFFERED or _isSet(self, each)]


def _isSet(instance: object, name: str) -> bool:
    """Whether something has taken the place of a missing attribute."""
    if name in vars(instance):
        return True
    found = next(vars(base)[name] for base in type(instance).__mro__ if name in vars(base))
    return not isinstance(found, _Missing)


for _each in NOT_OFFERED:
    setattr(NotOffered, _each, _Missing(_each))
