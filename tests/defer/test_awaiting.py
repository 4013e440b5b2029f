"""Deferreds in asyncio's tasks: everything that takes an awaitable takes a Deferred."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.defer.loops import KINDS, run, wait
from twistlike.internet.defer import (
    CancelledError,
    Deferred,
    DeferredList,
    ensureDeferred,
    fail,
    inlineCallbacks,
    succeed,
)
from twistlike.internet.error import WrongThreadError

pytestmark = pytest.mark.parametrize("kind", KINDS)


def soon(value: Any = "result") -> Deferred[Any]:
    """Return a Deferred that fires in the loop's next turn."""
    d: Deferred[Any] = Deferred()
    fire = d.errback if isinstance(value, BaseException) else d.callback
    asyncio.get_running_loop().call_soon(fire, value)
    return d


def refusedElsewhere(d: Deferred[str]) -> bool:
    """Fire a Deferred in another thread; return whether it may not be."""
    refused: list[WrongThreadError] = []

    def fire() -> None:
        try:
            d.callback("x")
        except WrongThreadError as error:
            refused.append(error)

    thread = threading.Thread(target=fire)
    thread.start()
    thread.join()
    return bool(refused)


@pytest.mark.parametrize("make", [soon, succeed])
def test_await(kind: str, make: Callable[[Any], Deferred[Any]]) -> None:
    """A task gets the result, now or later, and leaves it in the Deferred."""

    async def main() -> None:
        d = make("x")
        assert await d == "x"
        assert await d == "x"
        assert d.result == "x"

    run(kind, main)


@pytest.mark.parametrize("make", [soon, fail])
def test_await_of_a_failure(kind: str, make: Callable[[Any], Deferred[Any]]) -> None:
    """A task gets the exception itself, each time; then it counts as handled."""

    async def main() -> None:
        error = KeyError("x")
        d = make(error)
        for _ in range(2):
            with pytest.raises(KeyError) as caught:
                await d
            assert caught.value is error

    run(kind, main)


@pytest.mark.parametrize("waiters", [1, 2])
def test_an_awaited_error_is_taken(kind: str, waiters: int) -> None:
    """All that await get the error; callbacks, then and later, get None; nothing is reported."""

    async def main() -> None:
        reports: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))
        seen: list[object] = []

        async def get(d: Deferred[str]) -> object:
            with pytest.raises(KeyError):
                await d
            return "raised"

        d: Deferred[str] = Deferred()
        tasks = [asyncio.create_task(get(d)) for _ in range(waiters)]
        await asyncio.sleep(0)
        future = d.asFuture(asyncio.get_running_loop())
        d.errback(KeyError("x"))
        assert await asyncio.gather(*tasks) == ["raised"] * waiters
        with pytest.raises(KeyError):
            await future

        for when in ("before", "after"):
            d = Deferred()
            tasks = [asyncio.create_task(get(d)) for _ in range(waiters)]
            await asyncio.sleep(0)
            if when == "before":
                d.addErrback(seen.append).addCallback(seen.append)
            d.errback(KeyError("x"))
            await asyncio.gather(*tasks)
            if when == "after":
                await get(d)  # it is still there for those that await
                d.addErrback(seen.append).addCallback(seen.append)
            del d, tasks
        gc.collect()
        await asyncio.sleep(0)
        assert (seen, reports) == ([None, None], [])

    run(kind, main)


def test_an_error_after_one_that_was_taken_is_not(kind: str) -> None:
    """What callbacks behind the await raise, or wait for, reaches the errbacks behind them."""

    async def main() -> None:
        seen: list[object] = []
        inner: Deferred[str] = Deferred()
        d: Deferred[Any] = soon(KeyError("x"))
        with pytest.raises(KeyError):
            await d
        d.addCallback(lambda _: inner)
        inner.errback(ValueError("y"))
        d.addErrback(lambda failure: seen.append(type(failure.value)))
        assert seen == [ValueError]

    run(kind, main)


def test_is_no_future(kind: str) -> None:
    """asyncio takes a Deferred for an awaitable, also while a task waits for it."""

    async def main() -> None:
        d: Deferred[int] = Deferred()
        anything: Any = d
        task = asyncio.ensure_future(d)
        for _ in range(2):
            assert not asyncio.isfuture(anything)
            assert not asyncio.iscoroutine(d)
            await asyncio.sleep(0)
        d.callback(3)
        assert await task == 3

    run(kind, main)


def test_gather(kind: str) -> None:
    """``gather`` takes Deferreds, the same one twice too."""

    async def main() -> None:
        d = soon("twice")
        results = await asyncio.gather(d, soon(1), succeed(2), d, asyncio.sleep(0, 3))
        assert list(results) == ["twice", 1, 2, "twice", 3]
        errors = await asyncio.gather(soon(KeyError(1)), fail(KeyError(2)), return_exceptions=True)
        assert [error.args for error in errors] == [(1,), (2,)]

    run(kind, main)


def test_wait_for(kind: str) -> None:
    """``wait_for`` gives the result, or cancels the Deferred."""

    async def main() -> None:
        assert await asyncio.wait_for(soon(), 5) == "result"
        cancelled: list[Any] = []
        d: Deferred[None] = Deferred(cancelled.append)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(d, 0.001)
        assert cancelled == [d]

    run(kind, main)


def test_timeout(kind: str) -> None:
    """``asyncio.timeout`` cancels the Deferred that is awaited in it."""

    async def main() -> None:
        cancelled: list[Any] = []
        d: Deferred[None] = Deferred(cancelled.append)
        with pytest.raises(asyncio.TimeoutError):
            async with asyncio.timeout(0.001):
                await d
        assert cancelled == [d]

    run(kind, main)


def test_shield(kind: str) -> None:
    """``shield`` keeps a cancel from the Deferred."""

    async def main() -> None:
        d: Deferred[str] = Deferred()
        task = asyncio.create_task(wait(asyncio.shield(d)))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not d.called
        d.callback("still")
        await asyncio.sleep(0)

    run(kind, main)


def test_task_group(kind: str) -> None:
    """A task group's tasks await Deferreds; one that fails cancels the others'."""

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(wait(soon(n))) for n in range(3)]
        assert [task.result() for task in tasks] == [0, 1, 2]
        d: Deferred[None] = Deferred()
        with pytest.raises(ExceptionGroup) as caught:
            async with asyncio.TaskGroup() as group:
                group.create_task(wait(d))
                group.create_task(wait(soon(KeyError("x"))))
        assert caught.value.exceptions[0].args == ("x",)
        assert d.called

    run(kind, main)


def test_as_completed_and_wait(kind: str) -> None:
    """``as_completed`` takes Deferreds; ``wait`` takes tasks of them."""

    async def main() -> None:
        results = [await next_ for next_ in asyncio.as_completed([soon(1), soon(2), succeed(3)])]
        assert sorted(results) == [1, 2, 3]
        done, pending = await asyncio.wait([asyncio.ensure_future(soon(n)) for n in range(3)])
        assert sorted(task.result() for task in done) == [0, 1, 2]
        assert not pending

    run(kind, main)


def test_several_tasks_wait_for_one(kind: str) -> None:
    """All tasks that await one Deferred get its outcome, and so do coroutines among them."""

    async def main() -> None:
        values: list[Any] = ["x", KeyError("x")]
        for value in values:
            d: Deferred[Any] = Deferred()
            first = [asyncio.create_task(wait(d)) for _ in range(3)]
            await asyncio.sleep(0)
            coroutines = [ensureDeferred(wait(d)) for _ in range(2)]
            second = [asyncio.create_task(wait(d)) for _ in range(2)]
            await asyncio.sleep(0)
            (d.errback if isinstance(value, KeyError) else d.callback)(value)
            results = await asyncio.gather(*first, *coroutines, *second, return_exceptions=True)
            assert results == [value] * 7

    run(kind, main)


def test_the_result_is_that_of_its_place_in_the_chain(kind: str) -> None:
    """Callbacks that were added after the ``await`` do not change what it gives."""

    async def main() -> None:
        d: Deferred[Any] = Deferred()
        d.addCallback(lambda x: x + 1)
        task = asyncio.create_task(wait(d))
        await asyncio.sleep(0)
        d.addCallback(lambda x: x * 10)
        d.callback(1)
        assert d.result == 20
        assert await task == 2

    run(kind, main)


def test_a_task_goes_on_in_the_next_turn(kind: str) -> None:
    """Firing a Deferred does not run the task that awaits it."""

    async def main() -> None:
        d: Deferred[None] = Deferred()
        events: list[str] = []

        async def waiter() -> None:
            await d
            events.append("task")

        task = asyncio.create_task(waiter())
        await asyncio.sleep(0)
        d.addCallback(lambda _: events.append("callback"))
        d.callback(None)
        events.append("fired")
        await task
        assert events == ["callback", "fired", "task"]

    run(kind, main)


# Cancelling


@pytest.mark.parametrize("canceller", ["none", "nothing", "fires", "fails"])
@pytest.mark.parametrize("moment", ["before", "at", "after", "never started"])
def test_cancelling_a_task(kind: str, canceller: str, moment: str) -> None:
    """A cancelled task sees asyncio's CancelledError, whatever the Deferred comes to."""

    def cancel(d: Deferred[Any]) -> None:
        calls.append(d)
        if canceller == "fires":
            d.callback("fired")
        elif canceller == "fails":
            d.errback(KeyError("failed"))

    calls: list[Deferred[Any]] = []

    async def main() -> None:
        d: Deferred[Any] = Deferred(None if canceller == "none" else cancel)
        task = asyncio.create_task(wait(d))
        if moment != "never started":
            await asyncio.sleep(0)
        if moment == "at":
            d.callback("now")
        elif moment == "after":
            d.callback("now")
            await task
        assert task.cancel() is (moment != "after")
        if moment == "after":
            assert task.result() == "now"
        else:
            with pytest.raises(asyncio.CancelledError):
                await task
            assert task.cancelled()
        expected = moment == "before" or (moment == "never started" and kind == "eager")
        assert len(calls) == (expected and canceller != "none")

    run(kind, main)


def test_a_cancel_is_not_swallowed_at_any_moment(kind: str) -> None:
    """Cancelling around the firing: the task is cancelled, or it has ended before."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for before in range(4):
            for _ in range(25):
                d: Deferred[int] = Deferred()
                task = asyncio.create_task(wait(d))
                loop.call_soon(d.callback, 1)
                for _ in range(before):
                    await asyncio.sleep(0)
                if task.cancel():
                    with pytest.raises(asyncio.CancelledError):
                        await task
                else:
                    assert task.result() == 1
                await asyncio.sleep(0)

    run(kind, main)


def test_a_deferred_that_is_cancelled_by_itself(kind: str) -> None:
    """In the task that awaits it that is an ordinary exception: nobody has cancelled the task."""

    async def main() -> None:
        d: Deferred[None] = Deferred()
        asyncio.get_running_loop().call_soon(d.cancel)
        with pytest.raises(CancelledError):
            await d
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    run(kind, main)


def test_a_canceller_that_raises(kind: str) -> None:
    """Its error is reported, and the task is cancelled once the Deferred has fired."""

    def bad(_: object) -> None:
        raise KeyError("canceller")

    async def main() -> None:
        reported: list[dict[str, Any]] = []
        loop = asyncio.get_running_loop()
        before = loop.get_exception_handler()
        loop.set_exception_handler(lambda _, context: reported.append(context))
        d: Deferred[None] = Deferred(bad)
        task = asyncio.create_task(wait(d))
        await asyncio.sleep(0)
        task.cancel()
        assert [str(context["exception"]) for context in reported] == ["'canceller'"]
        d.callback(None)
        with pytest.raises(asyncio.CancelledError):
            await task
        loop.set_exception_handler(before)

    run(kind, main)


def test_cancelling_a_task_that_waits_for_a_coroutine(kind: str) -> None:
    """The coroutine is cancelled, too, and may clean up; then the task goes on."""

    async def main() -> None:
        events: list[str] = []

        async def inner() -> None:
            try:
                await Deferred[None]()
            finally:
                await asyncio.sleep(0.001)
                events.append("cleaned up")

        task = asyncio.create_task(wait(ensureDeferred(inner())))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert events == ["cleaned up"]

    run(kind, main)


def test_the_end_of_the_loop_cancels_waiters(kind: str) -> None:
    """What still awaits a Deferred when the main task ends is cancelled; nothing is reported."""
    d: Deferred[None] = Deferred()
    seen: list[type] = []

    async def waiter() -> None:
        try:
            await d
        except BaseException as error:
            seen.append(type(error))
            raise

    async def main() -> asyncio.Task[None]:
        task = asyncio.create_task(waiter())
        await asyncio.sleep(0)
        return task

    task = run(kind, main)
    assert task.cancelled()
    assert seen == [asyncio.CancelledError]
    assert d.called


# Errors that nobody handles


def test_unhandled_errors_go_to_the_loop(kind: str) -> None:
    """An error that nobody handles is reported to the loop, once, on its next turn."""

    async def main() -> None:
        reported: list[dict[str, Any]] = []
        loop = asyncio.get_running_loop()
        before = loop.get_exception_handler()
        loop.set_exception_handler(lambda _, context: reported.append(context))

        def bad(_: object) -> None:
            raise KeyError("unhandled")

        succeed(1).addCallback(bad)
        await asyncio.sleep(0)
        [context] = reported
        assert "Unhandled error in Deferred" in context["message"]
        assert context["exception"].args == ("unhandled",)
        assert context["exception"].__traceback__.tb_frame.f_code is bad.__code__
        loop.set_exception_handler(before)

    run(kind, main)


def test_an_error_that_a_task_gets_is_handled(kind: str) -> None:
    """It is not reported, although it is still in the Deferred."""

    async def main() -> None:
        d = soon(KeyError("x"))
        with pytest.raises(KeyError):
            await d
        del d

    run(kind, main)


def test_a_cancel_of_asyncio_is_no_error_that_somebody_forgot(kind: str) -> None:
    """What waits for a task that is cancelled fails, and is not reported; a task is not either.

    A Deferred that is itself cancelled is reported, as in Twisted.
    """

    async def main() -> None:
        reported: list[BaseException] = []
        loop = asyncio.get_running_loop()
        before = loop.get_exception_handler()
        loop.set_exception_handler(lambda _, context: reported.append(context["exception"]))
        task = asyncio.create_task(asyncio.sleep(100))

        async def awaits() -> None:
            await task

        @inlineCallbacks
        def yields() -> Any:
            yield task

        async def gathers() -> None:
            await asyncio.gather(task, asyncio.sleep(100))

        made = [ensureDeferred(awaits()), yields(), ensureDeferred(gathers())]
        made.append(Deferred.fromFuture(task))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        await asyncio.sleep(0.001)
        assert [type(d.result.value) for d in made] == [CancelledError] * 4
        del made
        gc.collect()
        await asyncio.sleep(0)
        assert reported == []
        Deferred().cancel()
        gc.collect()
        await asyncio.sleep(0)
        assert [type(error) for error in reported] == [CancelledError]
        loop.set_exception_handler(before)

    run(kind, main)


# Threads


def test_firing_in_another_thread(kind: str) -> None:
    """A Deferred that a task awaits does not fire in another thread; no callback runs there."""

    async def main() -> None:
        threads: list[int] = []
        errors: list[BaseException] = []
        d: Deferred[Any] = Deferred()
        d.addCallback(lambda x: (threads.append(threading.get_ident()), x)[1])
        task = asyncio.create_task(wait(d))
        await asyncio.sleep(0)

        deeds: list[Callable[[], object]] = [
            lambda: d.callback(1),
            lambda: d.errback(KeyError()),
            d.cancel,
        ]

        def fire() -> None:
            for deed in deeds:
                try:
                    deed()
                except WrongThreadError as error:
                    errors.append(error)

        thread = threading.Thread(target=fire)
        thread.start()
        thread.join()
        assert len(errors) == 3
        assert "callFromThread" in str(errors[0])
        assert not d.called
        d.callback("here")
        assert await task == "here"
        assert threads == [threading.get_ident()]

    run(kind, main)


def test_what_it_waits_for_is_bound_too(kind: str) -> None:
    """Nor does what such a Deferred waits for, whether it came before or after the ``await``."""

    async def main() -> None:
        for late in (False, True):
            inner: Deferred[str] = Deferred()
            outer: Any = Deferred()
            outer.addCallback(lambda _, inner=inner: inner)
            if not late:
                outer.callback(None)
            task = asyncio.create_task(wait(outer))
            await asyncio.sleep(0)
            if late:
                outer.callback(None)
            assert refusedElsewhere(inner)
            inner.callback("here")
            assert await task == "here"

    run(kind, main)


@pytest.mark.parametrize("before", ["coroutine", "list", "chain"])
def test_a_task_binds_what_somebody_else_awaited(kind: str, before: str) -> None:
    """Those who wait without a loop leave the thread open; a task that joins them does not."""

    async def main() -> None:
        d: Deferred[str] = Deferred()
        fired: Deferred[str] = Deferred()

        def elsewhere() -> None:
            if before == "coroutine":
                ensureDeferred(wait(fired))
                ensureDeferred(wait(d))
            elif before == "list":
                DeferredList([fired])
                DeferredList([d])
            else:
                fired.chainDeferred(Deferred())
                d.chainDeferred(Deferred())

        first = threading.Thread(target=elsewhere)
        first.start()
        first.join()
        task = asyncio.create_task(wait(d))
        await asyncio.sleep(0)
        assert refusedElsewhere(d)
        assert not refusedElsewhere(fired)
        assert fired.called
        d.callback("here")
        await task

    run(kind, main)


def test_a_chain_is_bound_by_the_one_who_waits_on_a_loop(kind: str) -> None:
    """Whoever waited before without a loop."""

    async def main() -> None:
        inner: Deferred[str] = Deferred()
        outer: Any = Deferred()
        outer.addCallback(lambda _: inner)
        first = threading.Thread(target=lambda: ensureDeferred(wait(outer)))
        first.start()
        first.join()
        task = asyncio.create_task(wait(outer))
        await asyncio.sleep(0)
        outer.callback(None)
        assert refusedElsewhere(inner)
        inner.callback("here")
        assert await task == "here"

    run(kind, main)


def test_a_coroutine_without_a_loop_that_ends_elsewhere(kind: str) -> None:
    """A coroutine may run in any thread; the task that awaits it goes on in its own."""

    async def main() -> None:
        gates: list[Deferred[str]] = []
        made = threading.Event()
        threads: list[int] = []

        def worker() -> None:
            gate: Deferred[str] = Deferred()
            gates.append(gate)
            results.append(ensureDeferred(wait(gate)))
            made.set()
            go.wait()
            gate.callback("x")

        results: list[Deferred[str]] = []
        go = threading.Event()
        thread = threading.Thread(target=worker)
        thread.start()
        await asyncio.to_thread(made.wait)
        d: Any = results[0]
        d.addCallback(lambda x: (threads.append(threading.get_ident()), x)[1])
        task = asyncio.create_task(wait(d))
        await asyncio.sleep(0)
        go.set()
        assert await asyncio.wait_for(task, 10) == "x"
        assert threads == [threading.get_ident()]
        thread.join()

    run(kind, main)


# Futures


def test_as_future(kind: str) -> None:
    """A Deferred's future has its result; a cancel of either ends the other."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert await soon("x").asFuture(loop) == "x"
        with pytest.raises(KeyError):
            await soon(KeyError("x")).asFuture(loop)
        d: Deferred[None] = Deferred()
        future = d.asFuture(loop)
        d.cancel()
        with pytest.raises(CancelledError):
            await future
        assert not future.cancelled()
        d = Deferred()
        future = d.asFuture(loop)
        future.cancel()
        await asyncio.sleep(0)
        assert d.called
        late: list[Any] = []
        e: Deferred[Any] = Deferred(late.append)
        future = e.asFuture(loop)
        future.cancel()
        await asyncio.sleep(0)
        assert late == [e]

    run(kind, main)


def test_from_future(kind: str) -> None:
    """A future's Deferred has its result; a cancel goes both ways."""

    async def main() -> None:
        loop = asyncio.get_running_loop()

        def later(what: Callable[[asyncio.Future[str]], object]) -> Deferred[str]:
            future: asyncio.Future[str] = loop.create_future()
            loop.call_soon(what, future)
            return Deferred.fromFuture(future)

        assert await later(lambda f: f.set_result("x")) == "x"
        with pytest.raises(KeyError):
            await later(lambda f: f.set_exception(KeyError()))
        with pytest.raises(CancelledError):
            await later(lambda f: f.cancel())
        future: asyncio.Future[str] = loop.create_future()
        d = Deferred.fromFuture(future)
        d.cancel()
        assert future.cancelled()
        with pytest.raises(CancelledError):
            await d

    run(kind, main)


def test_cancelling_the_deferred_of_a_task(kind: str) -> None:
    """The task may clean up, and even end well; the Deferred waits for that."""

    async def main() -> None:
        async def job(swallow: bool) -> str:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                await asyncio.sleep(0)
                if not swallow:
                    raise
            return "swallowed"

        for swallow in (True, False):
            task = asyncio.create_task(job(swallow))
            await asyncio.sleep(0)
            d = Deferred.fromFuture(task)
            d.cancel()
            assert not task.done()
            if swallow:
                assert await d == "swallowed"
            else:
                with pytest.raises(CancelledError):
                    await d

    run(kind, main)


# Odds and ends


def test_async_generators(kind: str) -> None:
    """Deferreds can be awaited in asynchronous generators."""

    async def numbers() -> AsyncIterator[int]:
        for n in range(3):
            yield await soon(n)

    async def main() -> None:
        assert [n async for n in numbers()] == [0, 1, 2]

    run(kind, main)


def test_awaiting_leaves_no_garbage(kind: str) -> None:
    """Awaiting, well or ill, leaves nothing to the garbage collector."""

    @inlineCallbacks
    def generator(d: Deferred[Any]) -> Any:
        return (yield d)

    async def once(error: bool) -> None:
        makers: list[Callable[[Any], Any]] = [
            soon,
            lambda v: generator(soon(v)),
            lambda v: ensureDeferred(wait(soon(v))),
        ]
        for d in makers:
            try:
                await d(KeyError("x") if error else "x")
            except KeyError:
                pass

    async def main() -> None:
        for error in (False, True):
            await once(error)
            gc.collect()
            gc.disable()
            try:
                for _ in range(10):
                    await once(error)
                assert gc.collect() == 0
            finally:
                gc.enable()

    run(kind, main)
