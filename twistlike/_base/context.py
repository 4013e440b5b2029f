"""Values that a call and all that it calls can read, without passing them as arguments.

Thread: any. The values belong to the `contextvars` context, so that they go wherever that goes:
into pool threads, timers and asyncio tasks. (Twisted's stay in their thread, but for its pool.)

    context.call({"user": "ann"}, handle, request)     # handle, and whatever it calls or starts,
    context.get("user")                                # finds "ann" with this
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from twistlike._base.naming import showAs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import ParamSpec, TypeVar

    P = ParamSpec("P")
    R = TypeVar("R")

    # Innermost first: the values of one call, and those of the calls around it.
    Chain = tuple[Mapping[Any, Any], "Chain"] | None

__all__ = [
    "ContextTracker",
    "ThreadedContextTracker",
    "call",
    "defaultContextDict",
    "get",
    "installContextTracker",
    "setDefault",
    "theContextTracker",
]

defaultContextDict: dict[Any, Any] = {}
"""What `get` finds where no call has set a value. Written by `setDefault`, read by any thread."""


def setDefault(key: Any, value: Any) -> None:
    """Set the value that every context in every thread has for a key, until a call sets another."""
    defaultContextDict[key] = value


class ContextTracker:
    """A stack of contexts, for use in one thread and with no asyncio: the plain form.

    Attributes:
        contexts: what the calls that are under way have set, outermost first, after the defaults.
    """

    def __init__(self) -> None:
        self.contexts: list[Mapping[Any, Any]] = [defaultContextDict]

    def callWithContext(
        self, newContext: Mapping[Any, Any], func: Callable[P, R], *args: P.args, **kw: P.kwargs
    ) -> R:
        """Call a function in a context that has these values in addition.

        Args:
            newContext: the values. It is not copied.
            func: called with `args` and `kw`.

        Returns:
            what `func` returns.
        """
        self.contexts.append(newContext)
        try:
            return func(*args, **kw)
        finally:
            self.contexts.pop()

    def getContext(self, key: Any, default: Any = None) -> Any:
        """Return the innermost value for a key.

        Args:
            key: any hashable.
            default: returned where there is none.
        """
        for values in reversed(self.contexts):
            if key in values:
                return values[key]
        return default


class ThreadedContextTracker:
    """Contexts that each thread, and each asyncio task, has for itself."""

    def __init__(self) -> None:
        self._chain: ContextVar[Chain] = ContextVar("twistlike.python.context", default=None)

    def currentContext(self) -> ContextTracker:
        """Return a tracker with the contexts that the caller is in; a copy of the stack."""
        tracker = ContextTracker()
        contexts = []
        chain = self._chain.get()
        while chain is not None:
            values, chain = chain
            contexts.append(values)
        tracker.contexts.extend(reversed(contexts))
        return tracker

    def callWithContext(
        self, ctx: Mapping[Any, Any], func: Callable[P, R], *args: P.args, **kw: P.kwargs
    ) -> R:
        """Call a function in a context that has these values in addition.

        Args:
            ctx: the values. It is not copied.
            func: called with `args` and `kw`.

        Returns:
            what `func` returns.
        """
        token = self._chain.set((ctx, self._chain.get()))
        try:
            return func(*args, **kw)
        finally:
            self._chain.reset(token)

    def getContext(self, key: Any, default: Any = None) -> Any:
        """Return the innermost value for a key.

        Args:
            key: any hashable.
            default: returned where there is none.
        """
        chain = self._chain.get()
        while chain is not None:
            values, chain = chain
            if key in values:
                return values[key]
        return defaultContextDict.get(key, default)


def installContextTracker(ctr: Any) -> None:
    """Let `call` and `get` be another tracker's. Who has imported them by name keeps the old ones.

    Args:
        ctr: has `callWithContext` and `getContext` as `ThreadedContextTracker` does.
    """
    global theContextTracker, call, get
    theContextTracker = ctr
    call = ctr.callWithContext
    get = ctr.getContext


theContextTracker: Any = ThreadedContextTracker()
call = theContextTracker.callWithContext
get = theContextTracker.getContext

showAs("twistlike.python.context", globals(), __all__)
