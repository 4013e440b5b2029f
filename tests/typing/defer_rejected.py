"""What type checkers must reject: each line marked ``# wrong`` is an error, and no other is."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from twistlike.internet.defer import (
    Deferred,
    DeferredQueue,
    ensureDeferred,
    gatherResults,
    inlineCallbacks,
    maybeDeferred,
    succeed,
)
from twistlike.python.failure import Failure


def text(x: int) -> str:
    return str(x)


def more(x: int, y: str) -> str:
    return y * x


def rescue(failure: Failure) -> None:
    return None


@inlineCallbacks
def generator(x: int) -> Generator[Any, Any, str]:
    yield succeed(x)
    return "x"


def wrong(d: Deferred[int], s: Deferred[str], queue: DeferredQueue[int]) -> None:
    d.callback("text")  # wrong
    d.addCallback(more)  # wrong
    d.addCallback(more, 3)  # wrong
    s.addCallback(text)  # wrong
    d.addErrback(text)  # wrong
    d.addCallback(rescue)  # wrong
    d.addCallback(3)  # wrong
    d.chainDeferred(s)  # wrong
    d.errback("text")  # wrong
    generator("text")  # wrong
    ensureDeferred(3)  # wrong
    maybeDeferred(text, "x")  # wrong
    queue.put("text")  # wrong
    taken: Deferred[int] = succeed("text")  # wrong
    gathered: Deferred[list[str]] = gatherResults([succeed(1)])  # wrong
    later: Deferred[int] = generator(3)  # wrong
    print(taken, gathered, later)


async def awaiting(d: Deferred[int]) -> None:
    s: str = await d  # wrong
    print(s)
