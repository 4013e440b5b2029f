"""What type checkers make of `threads`: each statement is checked, none is run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import assert_type

from twistlike.internet import threads
from twistlike.internet.asyncioreactor import Reactor
from twistlike.internet.defer import Deferred, succeed


def deferred(number: int) -> Deferred[str]:
    return succeed(str(number))


def plain(number: int, *, name: str = "") -> bytes:
    return b""


async def coroutine(number: int) -> str:
    return str(number)


class Service:
    @threads.waitFor(5)
    async def wait(self, number: int) -> str:
        return ""

    @threads.runInReactor
    def run(self, number: int) -> Deferred[bytes]:
        return succeed(b"")


def decorators(reactor: Reactor) -> None:
    assert_type(threads.waitFor(1)(deferred)(5), str)
    assert_type(threads.waitFor(1.5, reactor=reactor)(plain)(5, name="x"), bytes)
    assert_type(threads.waitFor(timeout=1)(coroutine)(5), str)
    assert_type(threads.runInReactor(deferred)(5), Future[str])
    assert_type(threads.runInReactor(plain)(5, name="x"), Future[bytes])
    assert_type(threads.runInReactor(coroutine)(5), Future[str])
    assert_type(threads.runInReactor(reactor=reactor)(coroutine)(5), Future[str])
    assert_type(Service().wait(5), str)
    assert_type(Service().run(5), Future[bytes])
    threads.waitFor(1)(plain)("5")  # type: ignore[arg-type]
    threads.runInReactor(coroutine)()  # type: ignore[call-arg]
    threads.waitFor(coroutine)  # type: ignore[arg-type]


def life(reactor: Reactor) -> None:
    with threads.startReactorThread() as thread:
        assert_type(thread, threads.ReactorThread)
    assert_type(threads.startReactorThread(reactor).reactor, Reactor)
    threads.stopReactorThread(reactor)


def rows(count: int, name: str = "") -> Iterator[str]:
    yield name


async def iterate(source: Callable[[], list[float]]) -> None:
    assert_type(threads.iterateInThread([1]), threads.ThreadIterator[int])
    assert_type(threads.iterateInThread(rows(1), ahead=5), threads.ThreadIterator[str])
    assert_type(threads.iterateInThread(rows, 1), threads.ThreadIterator[str])
    assert_type(threads.iterateInThread(rows, 1, name="x"), threads.ThreadIterator[str])
    assert_type(threads.iterateInThread(rows, 1, ahead=3), threads.ThreadIterator[str])
    assert_type(threads.iterateInThread(source, sameThread=False), threads.ThreadIterator[float])
    async for row in threads.iterateInThread(rows, 1):
        assert_type(row, str)
    async with threads.iterateInThread(rows, 1) as all:
        assert_type(await all.next(), str)
        assert_type(all.next(), Deferred[str])
        await all.aclose()
    threads.iterateInThread(5)  # type: ignore[call-overload]


async def queues(queue: threads.ThreadsafeQueue[int]) -> None:
    assert_type(await queue.get(), int)
    assert_type(queue.get(), Deferred[int])
    assert_type(await queue.put(1), None)
    async for item in queue:
        assert_type(item, int)
    for item in queue:
        assert_type(item, int)
    assert_type(queue.blockingGet(timeout=1), int)
    queue.putNoWait("5")  # type: ignore[arg-type]
