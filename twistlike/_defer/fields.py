"""The fields of a Deferred, as the loop that runs callbacks sees them.

`Deferred` has the methods; this class has none, so that modules below `Deferred` can know it.

Thread: whichever has the Deferred.
"""

from __future__ import annotations

from types import GenericAlias
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from twistlike._defer.debug import DebugInfo
    from twistlike._defer.deferred import Deferred

__all__ = ["DeferredFields", "attributesOf"]

_T = TypeVar("_T")


if TYPE_CHECKING:

    class _Awaitable(Awaitable[_T]):
        """What a Deferred is to a type checker."""

else:

    class _Awaitable:
        """At run time, `Awaitable` would cost a metaclass, and so 200 ns for each isinstance."""

        __slots__ = ()
        __class_getitem__ = classmethod(GenericAlias)


class DeferredFields(_Awaitable[_T]):
    """The fields of a Deferred.

    `Deferred.__init__` sets them. Three other places do the same without the call, which would be
    a fifth of their cost: `succeed`, `CoroutineDeferred.__init__` and `runInPool`. A test compares
    them.
    """

    # Slots, for their size and speed; the dictionary is made when somebody adds an attribute.
    __slots__ = (
        "__dict__",
        "__weakref__",
        "_callbacks",
        "_canceller",
        "_debugInfo",
        "_state",
        "called",
        "paused",
        "result",
    )

    result: Any
    called: bool
    paused: int

    # None, a list of entries, or one entry alone, if it is that of a waiter: see `callbacks`.
    _callbacks: Any
    _canceller: Callable[[Deferred[Any]], None] | None
    _debugInfo: DebugInfo | None
    # Before it fires: None; or its waiter, which may allow one thread only to fire it; or what
    # will fire it.
    # Afterwards: None, RUNNING, or the Deferred that it waits for.
    _state: Any

    _suppressAlreadyCalled: bool = False  # it was cancelled, so a first firing is no mistake

    # A coroutine's has failed because a canceller raised, and the coroutine has gone on.
    _orphaned: bool = False

    debug: bool = False


attributesOf: Any = vars(DeferredFields)["__dict__"].__get__
"""Return the dictionary of a Deferred's other attributes, which it makes if there is none."""
