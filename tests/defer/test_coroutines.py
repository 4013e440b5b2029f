"""asyncio and the libraries on it, inside Deferred coroutines."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.defer.loops import KINDS, run
from twistlike.internet.defer import (
    CancelledError,
    Deferred,
    DeferredLock,
    ensureDeferred,
    inlineCallbacks,
    succeed,
)

pytestmark = pytest.mark.parametrize("kind", KINDS)


def inside(kind: str, function: Callable[[], Any]) -> Any:
    """Run a coroutine function as a Deferred coroutine, on a loop of a kind."""

    async def main() -> Any:
        return await ensureDeferred(function())

    return run(kind, main)


def soon(value: Any = "result") -> Deferred[Any]:
    d: Deferred[Any] = Deferred()
    fire = d.errback if isinstance(value, BaseException) else d.callback
    asyncio.get_running_loop().call_soon(fire, value)
    return d


async def number(n: int) -> int:
    await asyncio.sleep(0)
    return n


def test_what_asyncio_coroutines_await(kind: str) -> None:
    """Sleeps, futures, tasks, locks, queues and events can be awaited."""

    async def coroutine() -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0)
        assert await asyncio.sleep(0.001, "slept") == "slept"
        future = loop.create_future()
        loop.call_soon(future.set_result, "future")
        assert await future == "future"
        assert await future == "future"
        assert await asyncio.create_task(number(3)) == 3
        assert await number(4) == 4
        assert await soon(5) == 5
        queue: asyncio.Queue[int] = asyncio.Queue(1)
        loop.call_soon(queue.put_nowait, 6)
        assert await queue.get() == 6
        lock = asyncio.Lock()
        async with lock:
            loop.call_later(0.001, lock.release)
            async with lock:
                pass
            await lock.acquire()
        event = asyncio.Event()
        loop.call_soon(event.set)
        await event.wait()
        assert list(await asyncio.gather(number(1), soon(2), succeed(3))) == [1, 2, 3]
        assert await asyncio.to_thread(lambda: "thread") == "thread"

    inside(kind, coroutine)


def test_what_generators_yield(kind: str) -> None:
    """A generator may yield futures, tasks, coroutines and whatever else can be awaited."""

    class Awaitable:
        def __await__(self) -> Any:
            return (yield from number(7).__await__())

    @inlineCallbacks
    def generator() -> Any:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        loop.call_soon(future.set_result, 1)
        done = loop.create_future()
        done.set_result(2)
        results = [
            (yield future),
            (yield done),
            (yield asyncio.create_task(number(3))),
            (yield number(4)),
            (yield asyncio.sleep(0, 5)),
            (yield soon(6)),
            (yield Awaitable()),
            (yield asyncio.gather(number(8), soon(9))),
        ]
        broken = loop.create_future()
        broken.set_exception(KeyError("broken"))
        try:
            yield broken
        except KeyError as error:
            results.append(error.args[0])
        cancelled = loop.create_future()
        loop.call_soon(cancelled.cancel)
        try:
            yield cancelled
        except CancelledError:
            results.append("cancelled")
        return results

    async def main() -> Any:
        return await generator()

    assert run(kind, main) == [1, 2, 3, 4, 5, 6, 7, [8, 9], "broken", "cancelled"]


def test_the_current_task(kind: str) -> None:
    """There is a current task inside, the same one throughout, and the outer one afterwards."""

    async def main() -> None:
        outer = asyncio.current_task()
        seen: list[Any] = []

        async def coroutine() -> None:
            seen.append(asyncio.current_task())
            await soon()
            seen.append(asyncio.current_task())
            await asyncio.sleep(0)
            seen.append(asyncio.current_task())

        d = ensureDeferred(coroutine())
        assert asyncio.current_task() is outer
        await d
        assert asyncio.current_task() is outer
        task = seen[0]
        assert task is not None
        assert task is not outer
        assert seen == [task] * 3
        assert task.done()
        assert task.get_name().startswith("Deferred-")
        assert task not in asyncio.all_tasks()

    run(kind, main)


def test_the_stand_in_looks_like_a_task(kind: str) -> None:
    """It has a task's interface: names, callbacks, results, what it waits for."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        seen: list[Any] = []

        async def coroutine() -> str:
            task: Any = asyncio.current_task()
            task.add_done_callback(seen.append)
            task.add_done_callback(print)
            assert task.remove_done_callback(print) == 1
            task.set_name("mine")
            assert task.get_name() == "mine"
            assert task.get_loop() is loop
            assert task.get_stack()
            assert not task.done()
            assert task.cancelling() == 0
            with pytest.raises(asyncio.InvalidStateError):
                task.result()
            assert "mine" in repr(task)
            assert {task: 1}[task]
            await asyncio.sleep(0)
            return "end"

        await ensureDeferred(coroutine())
        await asyncio.sleep(0)
        [task] = seen
        assert task.done()
        assert task.result() == "end"
        assert task.exception() is None
        assert not task.cancelled()
        assert not task.cancel()

    run(kind, main)


@pytest.mark.parametrize("what", ["deferred", "future", "sleep", "task"])
def test_timeout(kind: str, what: str) -> None:
    """``asyncio.timeout`` ends a wait for anything, and the coroutine goes on."""

    async def coroutine() -> str:
        waits: dict[str, Callable[[], Any]] = {
            "deferred": Deferred,
            "future": asyncio.get_running_loop().create_future,
            "sleep": lambda: asyncio.sleep(60),
            "task": lambda: asyncio.create_task(asyncio.sleep(60)),
        }
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await waits[what]()
        async with asyncio.timeout(10):
            await soon()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(waits[what](), 0.001)
        return "went on"

    assert inside(kind, coroutine) == "went on"


def test_task_group(kind: str) -> None:
    """A task group works inside, also when one of its tasks fails."""

    async def coroutine() -> None:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(number(3))
        assert task.result() == 3

        async def bad() -> None:
            raise KeyError("bad")

        waits: list[Callable[[], Any]] = [Deferred, lambda: asyncio.sleep(60)]
        for wait in waits:
            with pytest.raises(ExceptionGroup) as caught:
                async with asyncio.TaskGroup() as group:
                    group.create_task(asyncio.sleep(60))
                    group.create_task(bad())
                    await wait()
            assert caught.value.exceptions[0].args == ("bad",)
        await soon()

    inside(kind, coroutine)


@pytest.mark.parametrize("swallow", [True, False])
def test_cancelling_the_current_task(kind: str, swallow: bool) -> None:
    """``current_task().cancel()`` raises asyncio's CancelledError at the next wait."""

    async def main() -> None:
        events: list[str] = []

        async def coroutine() -> str:
            task: Any = asyncio.current_task()
            task.cancel("text")
            assert task.cancelling() == 1
            events.append("not yet")
            try:
                await Deferred[None]()
            except asyncio.CancelledError as error:
                events.append(str(error))
                if not swallow:
                    raise
                task.uncancel()
            await soon()
            return "swallowed"

        d = ensureDeferred(coroutine())
        if swallow:
            assert await d == "swallowed"
        else:
            with pytest.raises(CancelledError):
                await d
        assert events == ["not yet", "text"]

    run(kind, main)


@pytest.mark.parametrize("what", ["future", "sleep", "sleep(0)", "deferred", "yielded future"])
def test_cancelling_the_deferred(kind: str, what: str) -> None:
    """``cancel()`` on a coroutine's Deferred takes effect at once, whatever it waits for."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        events: list[type] = []
        waits: dict[str, Callable[[], Any]] = {
            "future": lambda: future,
            "sleep": lambda: asyncio.sleep(60),
            "sleep(0)": lambda: asyncio.sleep(0),
            "deferred": Deferred,
        }

        async def coroutine() -> None:
            try:
                await waits[what]()
            except BaseException as error:
                events.append(type(error))
                raise

        @inlineCallbacks
        def generator() -> Any:
            try:
                yield future
            except BaseException as error:
                events.append(type(error))
                raise

        d = generator() if what == "yielded future" else ensureDeferred(coroutine())
        d.cancel()
        twisted = what in ("deferred", "yielded future")
        assert events == [CancelledError if twisted else asyncio.CancelledError]
        outcomes: list[Any] = []
        d.addErrback(lambda f: outcomes.append(f.type))
        assert outcomes == [CancelledError]
        if "future" in what:
            assert future.cancelled()
        await asyncio.sleep(0)

    run(kind, main)


@pytest.mark.parametrize("before", range(4))
def test_cancelling_at_any_moment(kind: str, before: int) -> None:
    """Cancelling the Deferred some turns after its start: it ends once, and nothing is reported."""

    async def main() -> None:
        async def coroutine() -> str:
            for _ in range(2):
                await asyncio.sleep(0)
                await soon()
            return "end"

        for _ in range(20):
            outcomes: list[Any] = []
            d = ensureDeferred(coroutine())
            d.addBoth(outcomes.append)
            for _ in range(before):
                await asyncio.sleep(0)
            d.cancel()
            assert len(outcomes) == 1
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert len(outcomes) == 1

    run(kind, main)


def test_cancelling_waits_for_a_task_to_clean_up(kind: str) -> None:
    """A task that is awaited ends before the coroutine that awaits it goes on."""

    async def main() -> None:
        events: list[str] = []

        async def job() -> None:
            try:
                await asyncio.sleep(60)
            finally:
                await asyncio.sleep(0)
                events.append("task")

        async def coroutine() -> None:
            task = asyncio.create_task(job())
            try:
                await task
            finally:
                events.append("coroutine")

        d = ensureDeferred(coroutine())
        await asyncio.sleep(0)
        d.cancel()
        with pytest.raises(CancelledError):
            await d
        assert events == ["task", "coroutine"]

    run(kind, main)


def test_a_future_that_is_cancelled(kind: str) -> None:
    """It fails the coroutine's Deferred with the CancelledError of Deferreds."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        future = loop.create_future()

        async def coroutine() -> None:
            await future

        d = ensureDeferred(coroutine())
        loop.call_soon(future.cancel)
        with pytest.raises(CancelledError) as caught:
            await d
        assert isinstance(caught.value.__cause__, asyncio.CancelledError)

    run(kind, main)


def test_a_future_of_another_loop(kind: str) -> None:
    """Waiting for it raises an error that says so."""

    async def main() -> None:
        async def coroutine() -> str:
            other = asyncio.new_event_loop()
            try:
                with pytest.raises(RuntimeError, match="another loop"):
                    await other.create_future()
            finally:
                other.close()
            return "went on"

        assert await ensureDeferred(coroutine()) == "went on"

        running = asyncio.Event()
        mine = asyncio.get_running_loop().create_future()
        errors: list[Any] = []

        async def cross() -> None:
            await mine

        def elsewhere() -> None:
            ensureDeferred(cross()).addErrback(errors.append)

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        running.set()
        assert errors[0].check(RuntimeError)

    run(kind, main)


def test_one_context_throughout(kind: str) -> None:
    """A coroutine keeps one context: its tokens can be reset, and nobody else sees its values."""
    variable = contextvars.ContextVar("variable", default="nothing")

    async def main() -> None:
        variable.set("caller")

        async def coroutine() -> None:
            assert variable.get() == "caller"
            token = variable.set("mine")
            waits: list[Callable[[], Any]] = [
                soon,
                lambda: asyncio.sleep(0),
                lambda: succeed(None),
            ]
            for wait in waits:
                await wait()
                assert variable.get() == "mine"
            variable.reset(token)
            assert variable.get() == "caller"
            variable.set("leak?")

        @inlineCallbacks
        def generator() -> Any:
            token = variable.set("generator")
            yield soon()
            yield asyncio.sleep(0)
            assert variable.get() == "generator"
            variable.reset(token)

        d = ensureDeferred(coroutine())
        assert variable.get() == "caller"
        variable.set("changed")
        await d
        await generator()
        assert variable.get() == "changed"

    run(kind, main)


def test_locks(kind: str) -> None:
    """Locks of Deferreds can be used in tasks, and asyncio's in coroutines."""

    async def main() -> None:
        lock = DeferredLock()
        events: list[str] = []

        async def user(name: str) -> None:
            async with lock:
                events.append(name)
                await asyncio.sleep(0)
                events.append(name)

        await asyncio.gather(user("a"), user("b"), ensureDeferred(user("c")))
        assert events == ["c", "c", "a", "a", "b", "b"] or events[0] == events[1]
        assert not lock.locked

    run(kind, main)


# Real libraries


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(line)
    writer.close()


def test_streams(kind: str) -> None:
    """asyncio's streams work inside."""

    async def coroutine() -> None:
        server = await asyncio.start_server(_echo, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"line\n")
        assert await reader.readline() == b"line\n"
        writer.close()
        await writer.wait_closed()
        server.close()

    inside(kind, coroutine)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_aiohttp(kind: str) -> None:
    """An aiohttp client works inside, its timeouts included."""
    aiohttp = pytest.importorskip("aiohttp")
    from aiohttp import web

    async def coroutine() -> None:
        never = asyncio.Event()

        async def answer(request: Any) -> Any:
            if request.path == "/never":
                await never.wait()
            return web.Response(text="answer")

        runner = web.ServerRunner(web.Server(answer))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/") as response:
                assert await response.text() == "answer"
            timeout = aiohttp.ClientTimeout(total=0.02)
            with pytest.raises(asyncio.TimeoutError):
                await session.get(f"http://127.0.0.1:{port}/never", timeout=timeout)
        never.set()
        await runner.cleanup()

    inside(kind, coroutine)


def test_anyio(kind: str) -> None:
    """anyio's task groups, cancel scopes and timeouts work inside."""
    anyio = pytest.importorskip("anyio")

    async def coroutine() -> None:
        for wait in (Deferred, lambda: anyio.sleep(60), lambda: asyncio.sleep(60)):
            with anyio.move_on_after(0.005) as scope:
                await wait()
            assert scope.cancelled_caught
        with pytest.raises(TimeoutError):
            with anyio.fail_after(0.005):
                await Deferred[None]()
        events: list[str] = []

        async def child(name: str, *, task_status: Any = anyio.TASK_STATUS_IGNORED) -> None:
            task_status.started(name)
            try:
                await Deferred[None]()
            finally:
                events.append(name)

        async with anyio.create_task_group() as group:
            assert await group.start(child, "a") == "a"
            group.start_soon(child, "b")
            await soon()
            group.cancel_scope.cancel()
        assert sorted(events) == ["a", "b"]
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep, 0)
            group.cancel_scope.cancel()
            await Deferred[None]()
        async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
            assert listener

    inside(kind, coroutine)
