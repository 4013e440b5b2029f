"""Interfaces that count only where they are declared. Thread: any.

Having the methods is not enough for some questions. A wrapper whose `__getattr__` falls through to
its transport "has" the transport's `readConnectionLost`, and would be taken for a protocol that
wants to go on after the peer's end of file. So a `DeclaredInterface` is provided only by

- an instance of a class that inherits it,
- what zope's `implementer`, `classImplements`, `directlyProvides` or `alsoProvides` declare, for
  the interface itself or for the one of the same name in an imported Twisted,
- what `implementer` or `alsoProvides` of this module declare: our own classes, which must neither
  need zope nor have the metaclass of Protocols.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeVar

from twistlike._base.interfaces import InterfaceType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

__all__ = ["DeclaredInterface", "TypeInterface", "alsoProvides", "extends", "implementer"]

_NAME = "_twistlikeProvides"
"""The attribute of a class or an instance that holds what is declared by this module."""


class DeclaredInterface(InterfaceType):
    """The type of interfaces that an object provides only if that is declared."""

    _zopes: Any = None

    def __iter__(cls) -> Iterator[Any]:
        """Yield an interface of zope's: zope's declarations are made for that."""
        found = cls._zopesOwn()
        return iter(() if found is None else (found,))

    def providedBy(cls, ob: object) -> bool:
        """Return whether an object is declared to provide the interface."""
        if cls.implementedBy(type(ob)):
            return True
        try:
            declared: tuple[InterfaceType, ...] = vars(ob).get(_NAME, ())
        except TypeError:  # it has no __dict__
            declared = ()
        for each in declared:
            if extends(each, cls):
                return True
        return any(each.providedBy(ob) for each in cls._foreign())

    def implementedBy(cls, class_: type) -> bool:
        """Return whether a class is declared to implement the interface."""
        bases = class_.__mro__
        if cls in bases:
            return True
        # Plain loops: each connection asks this at its end, and any() takes twice as long.
        for base in bases:
            for each in base.__dict__.get(_NAME, ()):
                if extends(each, cls):
                    return True
        foreign = cls._foreign()
        return bool(foreign) and any(each.implementedBy(class_) for each in foreign)

    def _zopesOwn(cls) -> Any:
        """Return zope's interface that stands for this one; nothing where zope is not imported."""
        zope = sys.modules.get("zope.interface")
        if zope is None:
            return None
        found = vars(cls).get("_zopes")
        if found is None:
            bases = [b for b in cls.__bases__ if isinstance(b, DeclaredInterface)]
            parents = tuple(b._zopesOwn() for b in bases) or (zope.Interface,)
            make = type(zope.Interface)
            found = make(cls.__name__, parents, {}, cls.__doc__, str(cls.__module__))
            cls._zopes = found
        return found

    def _foreign(cls) -> list[Any]:
        """Return the interfaces of zope's that mean the same."""
        own = cls._zopesOwn()
        if own is None:
            return []
        twisteds = getattr(sys.modules.get("twisted.internet.interfaces"), cls.__name__, None)
        return [own] if twisteds is None or twisteds is cls else [own, twisteds]


class TypeInterface(InterfaceType):
    """The type of interfaces that the methods of an object's type decide about.

    What an instance only seems to have (`__getattr__`, a mock's attributes) does not count.
    """

    def providedBy(cls, ob: object) -> bool:
        """Return whether the type of an object has what the interface demands."""
        return cls.implementedBy(type(ob))


def extends(interface: type, other: type) -> bool:
    """Return whether an interface is another one or extends it.

    `issubclass` would ask the metaclass, which looks at methods.
    """
    return other in interface.__mro__


def implementer(*interfaces: InterfaceType) -> Callable[[T], T]:
    """Make a decorator of classes that declares interfaces for their instances.

    Args:
        interfaces: What the instances provide. Only for a `DeclaredInterface` it matters.

    Returns:
        The decorator, which returns the class.
    """

    def declare(class_: T) -> T:
        setattr(class_, _NAME, (*vars(class_).get(_NAME, ()), *interfaces))
        return class_

    return declare


def alsoProvides(ob: object, *interfaces: InterfaceType) -> None:
    """Declare that one object provides interfaces, besides what its class declares.

    Args:
        ob: The object. It must have a `__dict__`.
        interfaces: What it provides.
    """
    own = vars(ob)
    own[_NAME] = (*own.get(_NAME, ()), *interfaces)
