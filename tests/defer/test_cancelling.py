"""Cancels come to an end, and what was handed over to a cancelled waiter is not lost."""

# mypy: disable-error-code="misc,var-annotated,unreachable,arg-type,unused-ignore"
from __future__ import annotations

import asyncio
import builtins
import random
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.defer.loops import KINDS, run, wait
from twistlike.internet.defer import (
    CancelledError,
    Deferred,
    DeferredFilesystemLock,
    DeferredList,
    DeferredLock,
    DeferredQueue,
    DeferredSemaphore,
    TimeoutError,
    ensureDeferred,
    gatherResults,
    race,
)
from twistlike.internet.task import Clock

pytestmark = pytest.mark.parametrize("kind", KINDS)

LIMIT = 30.0  # seconds until something hangs


def asTask(coroutine: Coroutine[Any, Any, Any]) -> asyncio.Future[Any]:
    return asyncio.ensure_future(coroutine)


def asDeferred(coroutine: Coroutine[Any, Any, Any]) -> asyncio.Future[Any]:
    return asyncio.ensure_future(ensureDeferred(coroutine))


WAYS = pytest.mark.parametrize("start", [asTask, asDeferred])


# Handed over, then cancelled


@WAYS
def test_a_lock_that_a_cancelled_waiter_was_handed_goes_to_the_next(
    kind: str, start: Callable[..., Any]
) -> None:
    """The waiter is cancelled in the turn in which it is given the lock, a token or an item."""

    async def main() -> None:
        lock, semaphore = DeferredLock(), DeferredSemaphore(1)
        queue: DeferredQueue[str] = DeferredQueue()
        cases: list[tuple[Callable[[], Deferred[Any]], Callable[[], object]]] = [
            (lock.acquire, lock.release),
            (semaphore.acquire, semaphore.release),
            (queue.get, lambda: queue.put("item")),
        ]
        await lock.acquire()
        await semaphore.acquire()
        for take, give in cases:
            waiters = [start(wait(take())) for _ in range(3)]
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            if start is asTask:
                give()
                waiters[0].cancel()
            else:  # a Deferred coroutine goes on at once, so it is cancelled first
                waiters[0].cancel()
                give()
            await asyncio.wait_for(waiters[1], LIMIT)
            give()
            await asyncio.wait_for(waiters[2], LIMIT)
        assert lock.locked
        assert semaphore.tokens == 0
        lock.release()
        semaphore.release()
        assert not lock.locked
        assert semaphore.tokens == 1
        assert queue.pending in ([], ["item"])

    run(kind, main)


def test_an_item_that_was_not_taken_is_the_oldest_again(kind: str) -> None:
    """It comes before those that were put later."""

    async def main() -> None:
        queue: DeferredQueue[int] = DeferredQueue()
        waiter = asyncio.ensure_future(wait(queue.get()))
        await asyncio.sleep(0)
        queue.put(1)
        queue.put(2)
        waiter.cancel()
        await asyncio.wait([waiter])
        assert queue.pending == [1, 2]

    run(kind, main)


def test_what_callbacks_make_of_a_lock_is_not_given_back(kind: str) -> None:
    """Who added a callback has the lock, and releases it: `run` does."""

    async def main() -> None:
        lock = DeferredLock()
        await lock.acquire()
        ran: list[int] = []
        waiter = asyncio.ensure_future(wait(lock.run(ran.append, 1)))
        await asyncio.sleep(0)
        lock.release()
        waiter.cancel()
        await asyncio.wait([waiter])
        assert ran == [1]
        assert not lock.locked

    run(kind, main)


def test_a_file_lock_that_was_not_taken_is_free(kind: str, tmp_path: Path) -> None:
    """`deferUntilLocked` unlocks if its waiter was cancelled in the turn of the locking."""

    async def main() -> None:
        clock = Clock()
        first = DeferredFilesystemLock(str(tmp_path / "lock"), clock)
        second = DeferredFilesystemLock(str(tmp_path / "lock"), clock)
        assert first.lock()
        waiter = asyncio.ensure_future(wait(second.deferUntilLocked()))
        await asyncio.sleep(0)
        first.unlock()
        clock.advance(1)
        waiter.cancel()
        await asyncio.wait([waiter])
        assert not second.locked
        assert first.lock()
        first.unlock()

    run(kind, main)


@WAYS
def test_random_time_limits_never_wedge(kind: str, start: Callable[..., Any]) -> None:
    """20 tasks at a lock, a semaphore and a queue, with time limits and cancels at random."""

    async def main() -> None:
        chance = random.Random(7)
        lock, semaphore = DeferredLock(), DeferredSemaphore(2)
        queue: DeferredQueue[int] = DeferredQueue()
        got: list[int] = []
        inside = [0, 0]

        async def use(which: int) -> None:
            primitive: Any = (lock, semaphore)[which]
            for _ in range(4):
                try:
                    async with asyncio.timeout(chance.choice([0, 0.0005, 0.001, 0.004])):
                        async with primitive:
                            inside[which] += 1
                            try:
                                assert inside[which] <= which + 1
                                await asyncio.sleep(chance.choice([0, 0.0005]))
                            finally:
                                inside[which] -= 1
                except builtins.TimeoutError:
                    pass

        async def take() -> None:
            for _ in range(4):
                try:
                    async with asyncio.timeout(chance.choice([0, 0.0005, 0.001])):
                        got.append(await queue.get())
                except builtins.TimeoutError:
                    pass

        for _ in range(4):
            tasks = [start(use(number % 2)) for number in range(20)]
            tasks += [start(take()) for _ in range(10)]
            for number in range(20):
                queue.put(number)
                await asyncio.sleep(0.0005)
                chance.choice(tasks).cancel()
            outcomes = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), LIMIT)
            kinds = {type(error) for error in outcomes if error is not None}
            assert kinds <= {asyncio.CancelledError, CancelledError}
            assert not lock.locked
            assert semaphore.tokens == 2
            assert sorted(got + queue.pending) == list(range(20))
            got.clear()
            queue.pending.clear()

    run(kind, main)


# Circles


@pytest.mark.parametrize("length", [1, 2, 5])
@pytest.mark.parametrize("how", ["timeout", "wait_for", "cancel", "inside", "list"])
def test_coroutines_that_wait_in_a_circle_can_be_cancelled(
    kind: str, length: int, how: str
) -> None:
    """The cancel reaches all of them."""

    async def main() -> None:
        made: list[Deferred[Any]] = []
        ended: list[int] = []

        async def link(number: int) -> None:
            await asyncio.sleep(0)
            following = made[(number + 1) % length]
            try:
                if how == "inside" and not number:
                    with pytest.raises(builtins.TimeoutError):
                        async with asyncio.timeout(0.01):
                            await following
                elif how == "list":
                    await gatherResults([following])
                else:
                    await following
            finally:
                ended.append(number)

        made.extend(ensureDeferred(link(number)) for number in range(length))
        await asyncio.sleep(0.001)
        if how == "timeout":
            with pytest.raises(builtins.TimeoutError):
                async with asyncio.timeout(0.01):
                    await made[0]
        elif how == "inside":
            if length > 1:
                await asyncio.wait_for(made[0], LIMIT)
        elif how == "cancel":
            made[0].cancel()
        else:
            with pytest.raises(builtins.TimeoutError):
                await asyncio.wait_for(made[0], 0.01)
        await asyncio.sleep(0.02)
        assert sorted(ended) == list(range(length))
        for deferred in made:
            deferred.addErrback(lambda _: None)

    run(kind, main)


@pytest.mark.parametrize("tail", [0, 1, 3])
def test_deferreds_that_wait_in_a_circle_can_be_cancelled(kind: str, tail: int) -> None:
    """A circle of chained Deferreds ends by a cancel, also of one that only leads into it."""

    async def main() -> None:
        first, second = Deferred[Any](), Deferred[Any]()
        first.addCallback(lambda _: second)
        second.addCallback(lambda _: first)
        first.callback(1)
        second.callback(2)
        last = first
        for _ in range(tail):
            following: Deferred[Any] = Deferred()
            following.addCallback(lambda _, last=last: last)
            following.callback(None)
            last = following
        with pytest.raises(builtins.TimeoutError):
            await asyncio.wait_for(last, 0.01)
        for deferred in (first, second):
            deferred.addErrback(lambda _: None)

    run(kind, main)


# Cancellers that raise, and nothing to cancel


def bad(_: object) -> None:
    raise ValueError("a canceller")


MADE: dict[str, Callable[[], Deferred[Any]]] = {
    "alone": lambda: Deferred(bad),
    "list": lambda: DeferredList([Deferred(bad)], consumeErrors=True),
    "gathered": lambda: gatherResults([Deferred(bad), Deferred()], consumeErrors=True),
    "race": lambda: race([Deferred(bad), Deferred()]),
    "coroutine": lambda: ensureDeferred(wait(Deferred(bad))),
}


@pytest.mark.parametrize("made", MADE)
@WAYS
def test_a_canceller_that_raises(kind: str, made: str, start: Callable[..., Any]) -> None:
    """The error is reported, and whatever waits gets its cancel."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        reported: list[Any] = []
        before = loop.get_exception_handler()
        loop.set_exception_handler(lambda _, context: reported.append(context["exception"]))

        async def limited() -> str:
            try:
                async with asyncio.timeout(0.01):
                    await MADE[made]()
            except builtins.TimeoutError:
                return "cancelled"
            return "went on"

        assert await asyncio.wait_for(start(limited()), LIMIT) == "cancelled"
        await asyncio.sleep(0)
        assert [str(error) for error in reported] == ["a canceller"]
        loop.set_exception_handler(before)

    run(kind, main)


def test_a_time_limit_with_a_canceller_that_raises(kind: str) -> None:
    """`addTimeout` fires all the same."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        reported: list[Any] = []
        before = loop.get_exception_handler()
        loop.set_exception_handler(lambda _, context: reported.append(context["exception"]))
        clock = Clock()
        late: Deferred[Any] = Deferred(bad)
        late.addTimeout(1, clock)
        clock.advance(1)
        with pytest.raises(TimeoutError):
            await late
        assert [str(error) for error in reported] == ["a canceller"]
        loop.set_exception_handler(before)

    run(kind, main)


def test_one_cancel_of_many_that_raises(kind: str) -> None:
    """The others are cancelled, and the winner of a race has won."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        before = loop.get_exception_handler()
        loop.set_exception_handler(lambda _, context: None)
        told: list[Any] = []
        winner: Deferred[Any] = Deferred()
        first = race([Deferred(bad), winner, Deferred(told.append)])
        winner.callback("won")
        assert await first == (1, "won")
        assert len(told) == 1
        loop.set_exception_handler(before)

    run(kind, main)


EMPTY: dict[str, Callable[[], Deferred[Any]]] = {
    "list": lambda: DeferredList([], fireOnOneCallback=True),
    "race": lambda: race([]),
}


@pytest.mark.parametrize("made", EMPTY)
def test_nothing_to_wait_for(kind: str, made: str) -> None:
    """What nothing will ever fire ends by a cancel."""

    async def main() -> None:
        with pytest.raises(builtins.TimeoutError):
            await asyncio.wait_for(EMPTY[made](), 0.01)
        empty = EMPTY[made]()
        empty.cancel()
        with pytest.raises(CancelledError):
            await empty

    run(kind, main)


def test_a_paused_deferred(kind: str) -> None:
    """A task that waits for it can be cancelled."""

    async def main() -> None:
        paused: Deferred[Any] = Deferred()
        paused.pause()
        with pytest.raises(builtins.TimeoutError):
            await asyncio.wait_for(paused, 0.01)
        paused.addErrback(lambda _: None)
        paused.unpause()

    run(kind, main)


def test_a_cancelled_list_is_quiet(kind: str) -> None:
    """The cancels of its parts are not reported; another error of a part is."""

    async def main() -> None:
        with pytest.raises(builtins.TimeoutError):
            await asyncio.wait_for(gatherResults([Deferred(), Deferred()]), 0.01)
        with pytest.raises(builtins.TimeoutError):
            await asyncio.wait_for(DeferredList([Deferred(), Deferred()]), 0.01)
        kept: Deferred[Any] = Deferred()
        with pytest.raises(builtins.TimeoutError):
            await asyncio.wait_for(gatherResults([kept]), 0.01)
        with pytest.raises(CancelledError):
            await kept  # the part has its error for those that ask

    run(kind, main)
