"""Outcomes of jobs that come one after another: their order, contexts and errors."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar
from typing import Any

import pytest

from twistlike.internet import reactor
from twistlike.internet.defer import Deferred
from twistlike.internet.threads import deferToThread

WAIT = 10.0

LOOPS = ["asyncio", "uvloop"]

variable: ContextVar[object] = ContextVar("variable", default=None)


def run(kind: str, main: Callable[[], Coroutine[Any, Any, None]]) -> list[dict[str, Any]]:
    """Run a coroutine function on a loop of a kind, and return what was reported meanwhile."""
    reported: list[dict[str, Any]] = []

    async def watched() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, what: reported.append(what))
        reactor.suggestThreadPoolSize(1)
        await main()

    factory = None
    if kind == "uvloop":
        factory = pytest.importorskip("uvloop").new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(watched())
    return reported


def waitForAll() -> None:
    """Block the loop until the only worker has done all that was asked for before."""
    done = threading.Event()
    reactor.callInThread(done.set)
    assert done.wait(WAIT)


async def ended(*deferreds: Deferred[Any]) -> None:
    """Wait until all have fired."""
    while not all(deferred.called for deferred in deferreds):
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("kind", LOOPS)
def test_order(kind: str) -> None:
    """What a job has called in the loop's thread comes before its own outcome only."""
    seen: list[tuple[str, int]] = []

    def work(number: int) -> int:
        if number % 3 == 0:
            reactor.callFromThread(seen.append, ("call", number))
        return number

    async def main() -> None:
        jobs = [deferToThread(work, number) for number in range(100)]
        for job in jobs:
            job.addCallback(lambda number: seen.append(("outcome", number)))
        waitForAll()
        await ended(*jobs)

    assert run(kind, main) == []
    expected = []
    for number in range(100):
        expected += [("call", number)] * (number % 3 == 0) + [("outcome", number)]
    assert seen == expected


@pytest.mark.parametrize("kind", LOOPS)
def test_contexts(kind: str) -> None:
    """What a callback sets in the context no other outcome's callback sees."""
    seen: list[object] = []

    def note(number: int) -> None:
        seen.append(variable.get())
        variable.set(number)

    async def main() -> None:
        jobs = [deferToThread(int, number) for number in range(40)]
        for job in jobs[::3]:
            job.addCallback(note)
        waitForAll()
        await ended(*jobs)

    assert run(kind, main) == []
    assert seen == [None] * 14


@pytest.mark.parametrize("kind", LOOPS)
def test_contexts_of_their_own(kind: str) -> None:
    """A job's outcome comes in the job's context, if it had one, and only that."""
    seen: list[object] = []

    def inContext(number: int) -> Deferred[int]:
        variable.set(number)
        return deferToThread(int, number)

    async def main() -> None:
        jobs = [
            Context().run(inContext, number) if number % 3 == 0 else deferToThread(int, number)
            for number in range(40)
        ]
        for job in jobs:
            job.addCallback(lambda number: seen.append((number, variable.get())))
        waitForAll()
        await ended(*jobs)

    assert run(kind, main) == []
    assert seen == [(number, None if number % 3 else number) for number in range(40)]


@pytest.mark.parametrize("kind", LOOPS)
def test_an_outcome_that_nobody_wants(kind: str) -> None:
    """One that somebody has fired is reported, one that was cancelled is not; the rest fire."""

    async def main() -> None:
        jobs = [deferToThread(int, number) for number in range(40)]
        waitForAll()
        jobs[10].callback(-1)
        jobs[20].addErrback(lambda _: None)
        jobs[20].cancel()
        await ended(*jobs)
        assert [job.result for job in jobs if job.result not in (-1, None)] == [
            number for number in range(40) if number not in (10, 20)
        ]

    [report] = run(kind, main)
    assert "AlreadyCalledError" in repr(report["exception"])


@pytest.mark.parametrize("kind", LOOPS)
def test_callbacks_that_ask_for_more(kind: str) -> None:
    """A callback may ask for other jobs, and call in; those come after what is there."""
    seen: list[str] = []

    async def main() -> None:
        inner: list[Deferred[Any]] = []

        def again(name: str) -> None:
            seen.append(name)
            if len(name) < 3:
                job = deferToThread(str, name + name[0]).addCallback(again)
                inner.append(job)
                reactor.callFromThread(seen.append, f"call {name}")

        jobs = [deferToThread(str, name).addCallback(again) for name in "abc"]
        waitForAll()
        await ended(*jobs)
        while len(seen) < 15:
            await asyncio.sleep(0.001)

    assert run(kind, main) == []
    assert seen[:3] == ["a", "b", "c"]
    assert [name for name in seen if len(name) == 3] == ["aaa", "bbb", "ccc"]


@pytest.mark.parametrize("kind", LOOPS)
def test_no_garbage(kind: str) -> None:
    """Many outcomes at once, with errors among them, leave nothing to the collector."""

    def work(number: int) -> int:
        if number % 2:
            raise KeyError(number)
        return number

    async def series() -> None:
        jobs = [deferToThread(work, number) for number in range(40)]
        for job in jobs:
            job.addErrback(lambda failure: failure.trap(KeyError))
        waitForAll()
        await ended(*jobs)

    async def main() -> None:
        await series()
        gc.collect()
        gc.disable()
        try:
            await series()
            assert gc.collect() == 0
        finally:
            gc.enable()

    assert run(kind, main) == []
