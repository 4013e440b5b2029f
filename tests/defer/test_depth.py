"""One firing fires the next, to any depth: each kind runs 20,000 deep, which Twisted cannot."""

# mypy: disable-error-code="misc,var-annotated,unreachable,arg-type,unused-ignore"
from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from typing import Any

import pytest

from tests.defer.twins import Lib, assertSame
from tests.oracle import runPython
from twistlike._defer.callbacks import nesting
from twistlike.internet.defer import (
    Deferred,
    DeferredList,
    DeferredLock,
    DeferredQueue,
    DeferredSemaphore,
    ensureDeferred,
    gatherResults,
    inlineCallbacks,
    maybeDeferred,
    race,
    succeed,
)
from twistlike.internet.task import Clock

# Pyodide dies when it frees a nest of plain lists that is as deep: the stack of WebAssembly ends.
DEPTH = 1_000 if sys.platform == "emscripten" else 20_000


def lockOfCoroutines() -> None:
    lock, ran = DeferredLock(), []

    async def work(number: int) -> None:
        async with lock:
            ran.append(number)

    lock.acquire()
    waiting = [ensureDeferred(work(number)) for number in range(DEPTH)]
    lock.release()
    assert ran == list(range(len(waiting)))
    assert not lock.locked


def lockThatRuns() -> None:
    lock: DeferredLock = DeferredLock()
    ran: list[int] = []
    lock.acquire()
    for number in range(DEPTH):
        lock.run(ran.append, number)
    lock.release()
    assert ran == list(range(DEPTH))
    assert not lock.locked


def semaphoreOfGenerators() -> None:
    semaphore, ran = DeferredSemaphore(1), []

    @inlineCallbacks
    def work(number: int) -> Generator[Any, Any, None]:
        yield semaphore.acquire()
        ran.append(number)
        semaphore.release()

    semaphore.acquire()
    for number in range(DEPTH):
        work(number)
    semaphore.release()
    assert ran == list(range(DEPTH))
    assert semaphore.tokens == 1


def queueOfWorkers() -> None:
    queue: DeferredQueue[int] = DeferredQueue()

    async def work() -> None:
        queue.put(await queue.get() + 1)

    for _ in range(DEPTH):
        ensureDeferred(work())
    queue.put(0)
    assert queue.pending == [DEPTH]


def chained(link: Callable[[Deferred[Any]], Deferred[Any]]) -> None:
    first: Deferred[Any] = Deferred()
    last = first
    for _ in range(DEPTH):
        last = link(last)
    ended: list[bool] = []
    last.addBoth(lambda _: ended.append(True))
    first.callback(0)
    assert ended == [True]


def cancelled(link: Callable[[Deferred[Any]], Deferred[Any]]) -> None:
    told: list[Deferred[Any]] = []
    first: Deferred[Any] = Deferred(told.append)
    last = first
    for _ in range(DEPTH):
        last = link(last)
    last.addErrback(lambda _: None)
    last.cancel()
    assert told == [first]
    assert last.called
    assert not last.paused


def byChaining(last: Deferred[Any]) -> Deferred[Any]:
    following: Deferred[Any] = Deferred()
    last.chainDeferred(following)
    return following


def byTimeLimits(last: Deferred[Any]) -> Deferred[Any]:
    following: Deferred[Any] = Deferred()
    last.chainDeferred(following.addTimeout(1, Clock()))
    return following


def byHand(last: Deferred[Any]) -> Deferred[Any]:
    following: Deferred[Any] = Deferred()
    last.addCallback(following.callback)
    return following


def byMaybeDeferred(last: Deferred[Any]) -> Deferred[Any]:
    return maybeDeferred(lambda: gatherResults([last], consumeErrors=True))


def byCoroutine(last: Deferred[Any]) -> Deferred[Any]:
    async def wait() -> None:
        await gatherResults([last], consumeErrors=True)

    return ensureDeferred(wait())


def byList(last: Deferred[Any]) -> Deferred[Any]:
    return DeferredList([last], fireOnOneErrback=True, consumeErrors=True)


def byRace(last: Deferred[Any]) -> Deferred[Any]:
    return race([last])


def stepAfterStep() -> None:
    steps = 0

    def step(_: object) -> Deferred[Any] | None:
        nonlocal steps
        steps += 1
        return succeed(None).addCallback(step) if steps < DEPTH else None

    ended: list[Any] = []
    first: Deferred[Any] = succeed(None)
    first.addCallback(step).addCallback(ended.append)
    assert ended == [None]


def unpausing() -> None:
    deferreds: list[Deferred[int]] = [Deferred() for _ in range(DEPTH)]
    for deferred in deferreds:
        deferred.pause()
        deferred.callback(1)

    def unpauseNext(number: int) -> Callable[[int], int]:
        def unpause(result: int) -> int:
            if number < DEPTH:
                deferreds[number].unpause()
            return result

        return unpause

    for number, deferred in enumerate(deferreds, 1):
        deferred.addCallback(unpauseNext(number))
    deferreds[0].unpause()
    assert not any(deferred.paused for deferred in deferreds)


LINKS = [byChaining, byTimeLimits, byHand, byMaybeDeferred, byCoroutine, byList, byRace]
WHOLE = [lockOfCoroutines, lockThatRuns, semaphoreOfGenerators, queueOfWorkers, stepAfterStep]


@pytest.mark.parametrize("kind", [*WHOLE, unpausing], ids=lambda kind: kind.__name__)
def test_what_one_firing_sets_off(kind: Callable[[], None]) -> None:
    """Locks, semaphores, queues and plain callbacks serve all that wait, whatever their number."""
    kind()
    assert nesting == [0]


@pytest.mark.parametrize("link", LINKS, ids=lambda link: link.__name__)
def test_chains(link: Callable[[Deferred[Any]], Deferred[Any]]) -> None:
    """The last one of a chain fires, however long it is and however it is linked."""
    chained(link)
    assert nesting == [0]


@pytest.mark.parametrize("link", [byMaybeDeferred, byCoroutine, byList, byRace])
def test_cancelling_chains(link: Callable[[Deferred[Any]], Deferred[Any]]) -> None:
    """A cancel of the last one reaches the first one."""
    cancelled(link)
    assert nesting == [0]


def test_the_order_is_twisteds() -> None:
    """As long as Twisted has room, what one firing sets off runs inside of it, as there."""

    def program(lib: Lib) -> None:
        lock = lib.defer.DeferredLock()

        def work(number: int) -> None:
            lib.note("in", number)

        async def use(number: int) -> None:
            async with lock:
                work(number)
            lib.note("out", number)

        lock.acquire()
        for number in range(40):
            lib.defer.ensureDeferred(use(number))
        lock.release()

    assertSame(program)


def test_a_run_that_is_left_by_an_exception_leaves_nothing_behind() -> None:
    """The count of nested runs is a hint: where it is wrong, things go their way all the same."""
    before = nesting[0]
    nesting[0] = 10_000
    try:
        chained(byHand)
        lockOfCoroutines()
    finally:
        nesting[0] = before


def test_with_a_low_limit() -> None:
    """It holds where the interpreter's stack is small, and where frames of others take most."""
    program = """
        import sys, threading
        sys.setrecursionlimit(300)
        from tests.defer import test_depth

        def deep(levels):
            if levels:
                return deep(levels - 1)
            test_depth.lockOfCoroutines()
            test_depth.chained(test_depth.byHand)

        test_depth.DEPTH = 2000
        deep(100)
        thread = threading.Thread(target=deep, args=(100,))
        thread.start()
        thread.join()
        print("fine")
    """
    import textwrap

    found = runPython(["-c", textwrap.dedent(program)])
    assert (found.stdout, found.stderr) == ("fine\n", "")
