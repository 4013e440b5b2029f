"""Runs a coroutine on a reactor of one's own, on each kind of loop and in each mode."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from twistlike.internet.asyncioreactor import Reactor, currentReactor
from twistlike.internet.defer import Deferred, ensureDeferred

__all__ = ["KINDS", "Descriptors", "newLoop", "onReactor"]

KINDS = ["asyncio", "uvloop", "debug", "host", "uvloop host"]
"""Run mode on three loops, and attached to a host's loop on two."""


def newLoop(kind: str) -> asyncio.AbstractEventLoop:
    """Make a loop of a kind."""
    if "uvloop" in kind:
        uvloop = pytest.importorskip("uvloop")
        loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    else:
        loop = asyncio.new_event_loop()
    loop.set_debug(kind == "debug")
    return loop


def onReactor(kind: str, main: Callable[[Any], Awaitable[Any]], timeout: float = 60) -> Any:
    """Run a coroutine function with a reactor, and return what it returns.

    Args:
        kind: One of `KINDS`.
        main: Called with the reactor.
        timeout: Seconds until it is cancelled.
    """
    loop = newLoop(kind)
    try:
        if "host" in kind:

            async def asGuest() -> Any:
                async with asyncio.timeout(timeout):
                    reactor = currentReactor()
                    reactor._life.forgetEnd()
                    return await main(reactor)

            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                return runner.run(asGuest())
        reactor = Reactor(loop)
        found: list[Any] = []

        def begin() -> None:
            result: Deferred[Any] = ensureDeferred(main(reactor))  # type: ignore[arg-type]
            result.addTimeout(timeout, reactor)
            result.addBoth(found.append)
            result.addBoth(lambda _: reactor.stop())

        reactor.callWhenRunning(begin)
        reactor.run(installSignalHandlers=False)
        if hasattr(found[0], "raiseException"):
            found[0].raiseException()
        return found[0]
    finally:
        loop.close()


class Descriptors:
    """Tells whether descriptors were left open since it was made."""

    def __init__(self) -> None:
        self._before = set(os.listdir("/proc/self/fd"))

    def left(self) -> set[str]:
        """Return what is open now and was not before, each with what it leads to."""
        left = set()
        for name in set(os.listdir("/proc/self/fd")) - self._before:
            try:
                left.add(os.readlink(f"/proc/self/fd/{name}"))
            except FileNotFoundError:
                pass  # the descriptor by which the list was read
        return left
