"""What type checkers must accept: each statement is checked, none is run."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Any, assert_type

from twistlike.internet import threads
from twistlike.internet.defer import (
    Deferred,
    DeferredList,
    DeferredLock,
    DeferredQueue,
    DeferredSemaphore,
    ensureDeferred,
    execute,
    fail,
    gatherResults,
    inlineCallbacks,
    maybeDeferred,
    race,
    succeed,
)
from twistlike.python.failure import Failure


def text(x: int) -> str:
    return str(x)


def later(x: int, unit: str, factor: int = 3) -> Deferred[str]:
    return succeed(unit * factor * x)


def either(x: int) -> str | Deferred[str]:
    return str(x)


def nothing(x: int) -> None:
    return None


def rescue(failure: Failure) -> bytes:
    return failure.getErrorMessage().encode()


def rescueLater(failure: Failure, x: float) -> Deferred[float]:
    return succeed(x)


def textOrFailure(x: int, unit: str = "") -> str | Failure:
    return unit * x or Failure(ValueError(x))


def laterOrFailure(x: int) -> Deferred[str] | Failure:
    return later(x, "s")


def anyOfThem(x: int) -> Deferred[str] | str | Failure:
    return text(x)


def same(result: int | Failure) -> int | Failure:
    return result


def sameOrLater(result: int | Failure) -> Deferred[int] | int | Failure:
    return result


def again(failure: Failure) -> Failure:
    return failure


def rescueOrNot(failure: Failure) -> bytes | Failure:
    return failure if failure.check(KeyError) else rescue(failure)


def failures(d: Deferred[int]) -> None:
    """A Failure that is returned is no result: those who come after never get it as one."""
    assert_type(d.addCallback(textOrFailure), Deferred[str])
    assert_type(d.addCallback(textOrFailure, unit="s"), Deferred[str])
    assert_type(d.addCallback(laterOrFailure), Deferred[str])
    assert_type(d.addCallback(anyOfThem), Deferred[str])
    assert_type(d.addErrback(again), Deferred[int])
    assert_type(d.addErrback(rescueOrNot), Deferred[int | bytes])
    assert_type(d.addBoth(same), Deferred[int])
    assert_type(d.addBoth(sameOrLater), Deferred[int])
    assert_type(d.addCallbacks(textOrFailure), Deferred[str])
    assert_type(d.addCallbacks(text, again), Deferred[str])
    assert_type(d.addCallbacks(anyOfThem, rescueOrNot), Deferred[str | bytes])


def callbacks(d: Deferred[int]) -> None:
    """``addCallback`` and its kin carry the callback's type."""
    assert_type(d.addCallback(text), Deferred[str])
    assert_type(d.addCallback(later, "s"), Deferred[str])
    assert_type(d.addCallback(later, unit="s", factor=2), Deferred[str])
    assert_type(d.addCallback(either), Deferred[str])
    assert_type(d.addCallback(nothing), Deferred[None])
    assert_type(d.addCallback(lambda x: x + 1), Deferred[int])
    assert_type(d.addCallback(lambda _: succeed("x")), Deferred[str])
    assert_type(d.addCallback(text).addCallback(len), Deferred[int])
    assert_type(d.addErrback(rescue), Deferred[int | bytes])
    assert_type(d.addErrback(rescueLater, 3.0), Deferred[int | float])
    assert_type(d.addErrback(lambda _: None), Deferred[int | None])
    assert_type(d.addBoth(lambda _: "x"), Deferred[str])
    assert_type(d.addCallbacks(text), Deferred[str])
    assert_type(d.addCallbacks(text, rescue), Deferred[str | bytes])
    assert_type(d.addCallbacks(later, rescue, ("s",)), Deferred[str | bytes])
    d.addCallback(print)
    d.addBoth(print)
    found: list[int] = []
    d.addCallback(found.append)


def firing(d: Deferred[int]) -> None:
    """A Deferred fires with its type, or an error."""
    d.callback(3)
    d.callback(Failure(KeyError()))
    d.errback(KeyError())
    d.errback(Failure(KeyError()))
    d.errback()
    other: Deferred[int] = Deferred()
    assert_type(d.chainDeferred(other), Deferred[None])


def made() -> None:
    """What makes Deferreds knows their types."""
    assert_type(succeed(3), Deferred[int])
    assert_type(fail(KeyError()), Deferred[Any])
    assert_type(maybeDeferred(text, 3), Deferred[str])
    assert_type(maybeDeferred(later, 3, "s"), Deferred[str])
    assert_type(maybeDeferred(coroutine, succeed(3)), Deferred[str])
    assert_type(execute(text, 3), Deferred[str])
    assert_type(gatherResults([succeed(1), succeed(2)]), Deferred[list[int]])
    assert_type(race([succeed(1), succeed(2)]), Deferred[tuple[int, int]])
    results: Deferred[list[tuple[bool, Any]]] = DeferredList([succeed(1), succeed("x")])
    results.addCallback(len)


async def coroutine(d: Deferred[int]) -> str:
    """``await`` gives the result's type, in coroutines of both worlds."""
    assert_type(await d, int)
    assert_type(await asyncio.wait_for(d, 3), int)
    return "x"


@inlineCallbacks
def generator(d: Deferred[int], x: str) -> Generator[Deferred[int], int, str]:
    """``inlineCallbacks`` gives the generator's return type."""
    assert_type((yield d), int)
    return x


@inlineCallbacks
def loose() -> Generator[Any, Any, float]:
    """A generator of anything."""
    yield asyncio.sleep(3)
    return 3.0


async def running() -> None:
    """Coroutines and generators become Deferreds of their results."""
    assert_type(ensureDeferred(coroutine(succeed(3))), Deferred[str])
    assert_type(Deferred.fromCoroutine(coroutine(succeed(3))), Deferred[str])
    assert_type(generator(succeed(3), x="x"), Deferred[str])
    assert_type(await loose(), float)
    loop = asyncio.get_running_loop()
    assert_type(succeed(3).asFuture(loop), asyncio.Future[int])
    future: asyncio.Future[str] = loop.create_future()
    assert_type(Deferred.fromFuture(future), Deferred[str])


async def locks(
    lock: DeferredLock, semaphore: DeferredSemaphore, queue: DeferredQueue[int]
) -> None:
    """Locks and queues know what they give."""
    assert_type(await lock.acquire(), DeferredLock)
    async with semaphore as held:
        assert_type(held, DeferredSemaphore)
    assert_type(await lock.run(text, 3), str)
    assert_type(await lock.run(later, 3, "s"), str)
    assert_type(await queue.get(), int)
    queue.put(3)


def inThreads() -> None:
    """The arguments of each call may be a list, as in the document on threads, or a tuple."""
    threads.callMultipleInThread([(text, [3], {}), (later, [3, "s"], {})])
    threads.callMultipleInThread([(text, (3,), {})])
