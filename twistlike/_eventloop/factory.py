"""Makes loops for reactors, and knows by which clock a loop goes.

asyncio is imported only when a loop is needed: the import takes 50 ms, and a program that only
imports the reactor must not wait for it.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from twistlike._base.naming import showAs

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable

__all__ = ["clockOf", "newLoop", "policyLoop", "setLoopFactory"]

_factory: Callable[[], AbstractEventLoop] | None = None


def setLoopFactory(factory: Callable[[], AbstractEventLoop] | None) -> None:
    """Set what makes the loop of a reactor that is run; `None` is asyncio's own choice.

    Args:
        factory: A function such as `uvloop.new_event_loop`.
    """
    global _factory
    _factory = factory


def newLoop() -> AbstractEventLoop:
    """Return a new loop, made by the factory that was set, or by asyncio's policy."""
    import asyncio  # not at the top: see the module's docstring

    return (_factory or asyncio.new_event_loop)()


def policyLoop() -> AbstractEventLoop:
    """Return the current loop of asyncio's policy, made and set if there is none."""
    import asyncio  # not at the top: see the module's docstring
    import warnings

    try:
        with warnings.catch_warnings():
            # From 3.12 on, it warns where it makes one.
            warnings.simplefilter("ignore", DeprecationWarning)
            loop = asyncio.get_event_loop_policy().get_event_loop()
    except RuntimeError:  # 3.14, or another thread than the main one
        loop = None
    if loop is None or loop.is_closed():
        loop = newLoop()
        asyncio.set_event_loop(loop)
    return loop


def clockOf(loop: AbstractEventLoop) -> Callable[[], float]:
    """Return the clock that a loop goes by.

    That is `time.monotonic` for asyncio's own loops, where `loop.time` is no more than that,
    and for uvloop, whose `loop.time` stands still during a callback. A loop with a time of its
    own, such as one for tests, keeps it.
    """
    from asyncio import BaseEventLoop  # not at the top: see the module's docstring

    kind = type(loop)
    if kind.__module__.partition(".")[0] == "uvloop":
        return monotonic
    if getattr(kind, "time", None) is BaseEventLoop.time and "time" not in vars(loop):
        return monotonic
    return loop.time


showAs("twistlike.internet.asyncioreactor", globals(), ["setLoopFactory"])
