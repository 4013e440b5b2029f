"""Faults of `iterateInThread`: generators that run in workers, ahead of a reader in the loop."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import ctypes
import gc
import threading
import weakref
from collections.abc import Iterator
from typing import Any

from tests.faults.harness import Host, fault
from tests.waits import until, waitFor
from twistlike.internet.asyncioreactor import Reactor
from twistlike.internet.error import ReactorNotRunning, WrongThreadError
from twistlike.internet.threads import (
    ThreadIterator,
    checkCancelled,
    deferToThread,
    iterateInThread,
)


class Source:
    """A generator that says in which threads it ran, how far it is, and where it was closed."""

    def __init__(self, count: int = 10**9) -> None:
        self.count = count
        self.made = 0
        self.threads: set[int] = set()
        self.closedIn: list[int] = []

    def __call__(self) -> Iterator[int]:
        try:
            for number in range(self.count):
                self.threads.add(threading.get_ident())
                self.made += 1
                yield number
        finally:
            self.closedIn.append(threading.get_ident())

    def assertClosed(self) -> None:
        """It was closed once, in the thread that ran it."""
        assert len(self.closedIn) == 1
        assert self.threads == set(self.closedIn)


@fault()
def test_iterate_in_order_and_not_too_far_ahead(host: Host) -> None:
    """Items come in order; the worker is never more than `ahead` before the reader."""

    async def main(reactor: Reactor) -> None:
        for sameThread in (True, False):
            for ahead in (1, 2, 5, 100):
                source = Source(300)
                read = 0
                iterator = iterateInThread(source, ahead=ahead, sameThread=sameThread)
                async for number in iterator:
                    assert number == read
                    read += 1
                    assert source.made <= read + ahead
                assert read == 300
                await iterator.aclose()
                assert len(source.closedIn) == 1
                if sameThread:
                    source.assertClosed()

    host.run(main)


@fault()
def test_iterate_left_early(host: Host) -> None:
    """A reader that leaves the loop, is cancelled, or drops the iterator closes the generator."""

    async def main(reactor: Reactor) -> None:
        async def leave(source: Source) -> None:
            async for number in iterateInThread(source):
                if number == 3:
                    break

        async def fail(source: Source) -> None:
            try:
                async for number in iterateInThread(source):
                    raise LookupError(number)
            except LookupError:
                pass

        async def drop(source: Source) -> None:
            iterator = iterateInThread(source)
            await iterator.next()
            iterator.next()  # nobody waits for it
            del iterator

        async def cancelled(source: Source) -> None:
            async def read() -> None:
                async for _ in iterateInThread(source):
                    await asyncio.sleep(0)

            task = asyncio.ensure_future(read())
            await until(lambda: source.made > 20)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        async def scope(source: Source) -> None:
            async with iterateInThread(source) as numbers:
                await numbers.next()
            source.assertClosed()
            await numbers.aclose()

        for way in (leave, fail, drop, cancelled, scope):
            source = Source()
            await way(source)
            gc.collect()
            await until(lambda source=source: source.closedIn)  # type: ignore[misc]
            source.assertClosed()

        unused = Source()
        iterateInThread(unused)
        await iterateInThread(unused).aclose()
        assert not unused.made and not unused.closedIn

    host.run(main)


@fault()
def test_iterate_worker_given_back(host: Host) -> None:
    """Without `sameThread` a worker serves any number of readers that are behind."""

    async def main(reactor: Reactor) -> None:
        reactor.suggestThreadPoolSize(1)
        reactor.getThreadPool().maxSpare = 0
        sources = [Source() for _ in range(100)]
        iterators = [iterateInThread(each, ahead=2, sameThread=False) for each in sources]
        for number in range(10):
            for iterator in iterators:
                assert await iterator.next() == number
        assert await deferToThread(int, 5) == 5
        for iterator in iterators:
            await iterator.aclose()
        assert all(len(source.closedIn) == 1 for source in sources)

    host.run(main)


@fault()
def test_iterate_held_worker_is_made_up_for(host: Host) -> None:
    """With `sameThread` a worker that waits for its reader keeps no job from running."""

    async def main(reactor: Reactor) -> None:
        reactor.suggestThreadPoolSize(1)
        sources = [Source() for _ in range(5)]
        iterators = [iterateInThread(each, ahead=2) for each in sources]
        for iterator in iterators:
            assert await iterator.next() == 0
        assert await deferToThread(int, 5) == 5
        for iterator in iterators:
            await iterator.aclose()
        for source in sources:
            source.assertClosed()

    host.run(main)


@fault()
def test_iterate_thousand_at_once(host: Host) -> None:
    """1,000 readers at once, each with a generator of its own: each gets all."""

    async def main(reactor: Reactor) -> None:
        async def read(sameThread: bool) -> int:
            total = 0
            async for number in iterateInThread(range(20), ahead=3, sameThread=sameThread):
                total += number
            return total

        for sameThread in (True, False):
            readers = [read(sameThread) for _ in range(host.many(1_000))]
            assert set(await asyncio.gather(*readers)) == {190}

    host.run(main)


@fault()
def test_iterate_cancel_at_handover(host: Host) -> None:
    """A `next` that is cancelled around its hand-over, 1,000 times, loses no item."""

    async def main(reactor: Reactor) -> None:
        source = Source(host.many(1_000))
        iterator = iterateInThread(source, ahead=1)
        got: list[int] = []

        async def read() -> None:
            got.append(await iterator.next())

        with contextlib.suppress(StopAsyncIteration):
            while True:
                task = asyncio.ensure_future(read())
                for _ in range(len(got) % 7):
                    await asyncio.sleep(0)
                task.cancel()
                [outcome] = await asyncio.gather(task, return_exceptions=True)
                if isinstance(outcome, StopAsyncIteration):
                    break
                if task.cancelled():
                    got.append(await iterator.next())
        assert got == list(range(source.count))

    host.run(main)


@fault()
def test_iterate_errors_reach_the_reader(host: Host) -> None:
    """An error comes after the items before it, once; SystemExit and its kin, too."""

    async def main(reactor: Reactor) -> None:
        for kind in (LookupError, SystemExit, KeyboardInterrupt, asyncio.CancelledError):
            for sameThread in (True, False):

                def bad(kind: Any = kind) -> Iterator[int]:
                    yield from range(5)
                    raise kind("bad")

                iterator = iterateInThread(bad, sameThread=sameThread)
                for number in range(5):
                    assert await iterator.next() == number
                seen: list[Any] = []
                iterator.next().addErrback(seen.append)
                await until(lambda seen=seen: seen)  # type: ignore[misc]
                assert seen[0].type is kind
                iterator.next().addErrback(seen.append)
                await until(lambda seen=seen: len(seen) == 2)  # type: ignore[misc]
                assert seen[1].type is StopAsyncIteration
        assert await deferToThread(int, 5) == 5

    host.run(main)


@fault("closing a generator in a thread failed.*LookupError: bad end")
def test_iterate_error_of_the_end(host: Host) -> None:
    """What a generator raises as it is closed: `aclose` fails with it, else it is reported."""

    async def main(reactor: Reactor) -> None:
        ended = []

        def bad() -> Iterator[int]:
            try:
                while True:
                    yield 1
            finally:
                ended.append(1)
                raise LookupError("bad end")

        iterator = iterateInThread(bad)
        await iterator.next()
        try:
            await iterator.aclose()
        except LookupError:
            pass
        else:
            raise AssertionError("aclose did not tell")
        await iterator.aclose()
        iterator = iterateInThread(bad)
        await iterator.next()
        del iterator
        await until(lambda: len(ended) == 2)
        await deferToThread(int)

    host.run(main)


@fault()
def test_iterate_reactor_ends(host: Host) -> None:
    """At the reactor's end each generator is closed in a worker, and its reader gets an error."""
    sources = [Source() for _ in range(6)]
    seen: list[Any] = []
    iterators: list[ThreadIterator[Any]] = []
    block = threading.Event()

    def slow() -> Iterator[int]:
        while True:
            block.wait(0.05)
            checkCancelled()
            if sources[0].made:
                block.wait(0.2)
            yield 1

    async def main(reactor: Reactor) -> None:
        for number, source in enumerate(sources):
            iterator = iterateInThread(source, ahead=2, sameThread=number % 2 == 0)
            iterators.append(iterator)
            await iterator.next()
        iterators.append(iterateInThread(slow))
        waits = iterators[-1].next()
        await waits
        iterators[-1].next().addErrback(seen.append)

    host.run(main)
    for number, source in enumerate(sources):
        assert len(source.closedIn) == 1
        if number % 2 == 0:
            source.assertClosed()
    assert not seen or [each.type for each in seen] == [ReactorNotRunning]


@fault(modes=("attached",))
def test_iterate_loop_closed(host: Host) -> None:
    """A host's loop that is closed without a word: the worker goes on to close the generator."""
    source = Source()
    loop = host.newLoop()
    iterators: list[ThreadIterator[int]] = []

    async def begin() -> None:
        iterators.append(iterateInThread(source))
        await iterators[0].next()

    loop.run_until_complete(begin())
    loop.close()
    waitFor(lambda: source.closedIn)
    source.assertClosed()


@fault()
def test_iterate_worker_killed(host: Host) -> None:
    """A worker that is killed in the generator: the reader hears of it, the pool lives on."""
    kill = ctypes.pythonapi.PyThreadState_SetAsyncExc

    async def main(reactor: Reactor) -> None:
        ready = threading.Event()
        stop = threading.Event()

        def spin() -> Iterator[int]:
            ready.set()
            while not stop.is_set():
                stop.wait(0.001)
            yield 1

        iterator = iterateInThread(spin)
        seen: list[Any] = []
        iterator.next().addErrback(seen.append)
        await until(ready.is_set)
        [thread] = reactor.getThreadPool().working
        kill(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit))
        await until(lambda: seen)
        assert seen[0].type is SystemExit
        assert await deferToThread(int, 5) == 5

    host.run(main)


@fault()
def test_iterate_context(host: Host) -> None:
    """The generator runs in one copy of the context of whoever asked for it, throughout."""
    variable = contextvars.ContextVar("variable", default=0)

    async def main(reactor: Reactor) -> None:
        variable.set(5)

        def count() -> Iterator[int]:
            for _ in range(50):
                yield variable.get()
                variable.set(variable.get() + 1)

        for sameThread in (True, False):
            iterator = iterateInThread(count, ahead=3, sameThread=sameThread)
            assert [number async for number in iterator] == list(range(5, 55))
        assert variable.get() == 5

    host.run(main)


@fault()
def test_iterate_keeps_nothing(host: Host) -> None:
    """When it is over nothing holds the items or the iterator; no cycle has to be collected."""

    class Item:
        pass

    async def main(reactor: Reactor) -> None:
        references: list[weakref.ref[Any]] = []

        def items() -> Iterator[Item]:
            for _ in range(40):
                item = Item()
                references.append(weakref.ref(item))
                yield item

        gc.collect()
        gc.disable()
        try:
            iterator = iterateInThread(items)
            references.append(weakref.ref(iterator))
            assert [type(item) async for item in iterator] == [Item] * 40
            del iterator
            await until(lambda: not [each for each in references if each() is not None])
            assert not reactor._outstanding.calls and not reactor._outstanding.waits
        finally:
            gc.enable()

    host.run(main)


@fault(alone=True)
def test_iterate_before_the_reactor_runs(host: Host) -> None:
    """What is asked for before the reactor runs comes once it does."""
    from twistlike.internet import reactor

    got: list[int] = []
    iterator = iterateInThread(range(100), ahead=2)
    for _ in range(100):
        iterator.next().addCallback(got.append)

    async def main(_: Reactor) -> None:
        await until(lambda: len(got) == 100)

    host.run(main, reactor)
    assert got == list(range(100))


@fault()
def test_iterate_careless_use(host: Host) -> None:
    """What cannot be iterated in a thread is refused with a reason; so is the wrong thread."""

    async def coroutine() -> None: ...

    async def asynchronous() -> Any:
        yield 1

    async def main(reactor: Reactor) -> None:
        def errorOf(*args: Any, **kwargs: Any) -> Any:
            try:
                return iterateInThread(*args, **kwargs)
            except Exception as error:
                return error

        assert isinstance(errorOf(5), TypeError)
        assert isinstance(errorOf([], ahead=0), ValueError)
        assert isinstance(errorOf([], ahead=1.5), TypeError)
        assert isinstance(errorOf([1], 2), TypeError)
        for source in (coroutine, asynchronous, int):
            try:
                await iterateInThread(source).next()  # type: ignore[call-overload]
            except TypeError:
                continue
            raise AssertionError(f"{source} was taken")
        assert isinstance(await deferToThread(errorOf, []), WrongThreadError)
        iterator = iterateInThread([1, 2])
        try:
            await deferToThread(iterator.next)
        except WrongThreadError:
            pass
        else:
            raise AssertionError("it was not told off")
        assert [number async for number in iterator] == [1, 2]
        assert [item async for item in iterateInThread("ab")] == ["a", "b"]
        assert [item async for item in iterateInThread(enumerate, "a", start=3)] == [(3, "a")]

    host.run(main)
