"""Careless calls get an error that says what to do; odd exceptions end what they should."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.reactor.test_edges import Run, program, said
from twistlike._pool import watchdog
from twistlike.internet import defer, reactor, task, threads
from twistlike.internet.asyncioreactor import Reactor
from twistlike.internet.error import WrongThreadError
from twistlike.python.threadpool import ThreadPool

__all__ = ["program"]  # a fixture

LISTED = "takes a list of (function, args, kwargs)"

WRONG: list[tuple[str, Callable[[Any], object]]] = [
    ("after the reactor: write", lambda none: threads.deferToThreadPool(reactor, none, print)),
    ("takes the reactor first", lambda none: threads.deferToThreadPool(none, none, print)),
    # The reactor is left out: what stands in its place is named, not what has moved up behind it.
    ("got first is", lambda none: threads.deferToThreadPool(ThreadPool(), len, "abc")),  # type: ignore[call-overload]
    (LISTED, lambda none: threads.callMultipleInThread(none)),
    (LISTED, lambda none: threads.callMultipleInThread([print, none])),  # type: ignore[list-item]
    ("takes a function to call", lambda none: threads.callMultipleInThread([(none, (), {})])),
    ("number 1 is None: write", lambda none: defer.gatherResults([defer.succeed(1), none])),
    ("number 0 is None: write", lambda none: defer.DeferredList([none])),
    ("takes a reactor, or a clock", lambda none: defer.Deferred().addTimeout(5, none)),
    ("takes a reactor, or a clock", lambda none: task.deferLater(none, 1, print)),
    ("needs a callable", lambda none: task.deferLater(reactor, 1, "f")),  # type: ignore[call-overload]
    ("are a number", lambda none: defer.DeferredSemaphore(none)),
]


@pytest.mark.parametrize(("text", "call"), WRONG)
def test_a_wrong_argument_is_refused(text: str, call: Callable[[Any], object]) -> None:
    """An error says what was found and what to write, where the mistake is made."""
    with pytest.raises((TypeError, AttributeError)) as caught:
        call(None)
    assert text in str(caught.value)


def test_defer_later_runs_a_coroutine(program: Run) -> None:
    """A coroutine function is run, as `callLater` runs it, and its result is the Deferred's."""
    out = said(
        program(
            """
            async def double(number):
                await asyncio.sleep(0)
                return 2 * number
            async def main():
                print(await task.deferLater(reactor, 0.001, double, 21))
            host(main())
            """
        )
    )
    assert out == "42\n"


def test_an_exception_that_answers_for_no_attribute(program: Run) -> None:
    """What it is raised in ends with it; nothing waits for ever."""
    out = said(
        program(
            """
            class Odd(Exception):
                def __getattribute__(self, name):
                    raise KeyError(name)
            def fail():
                raise Odd
            async def coroutine():
                raise Odd
            def generator():
                yield None
                raise Odd
            async def main():
                async with reactor:
                    for make in (
                        lambda: task.deferLater(reactor, 0.001, fail),
                        lambda: task.deferLater(reactor, 0.001, coroutine),
                        lambda: asyncio.wrap_future(threads.runInReactor(fail)()),
                        lambda: asyncio.wrap_future(threads.runInReactor(coroutine)()),
                        lambda: threads.deferToThread(fail),
                        lambda: threads.deferToThread(
                            threads.blockingCallFromThread, reactor, fail),
                        lambda: threads.deferToThread(threads.waitFor(5)(fail)),
                        lambda: task.LoopingCall(fail).start(1),
                        lambda: task.cooperate(generator()).whenDone(),
                    ):
                        async def wait():
                            try:
                                await make()
                            except BaseException as error:
                                return type(error).__name__
                        done, _ = await asyncio.wait([asyncio.ensure_future(wait())], timeout=5)
                        print(*(each.result() for each in done))
            host(main())
            """
        )
    )
    assert out == "Odd\n" * 9


def test_an_odd_exception_of_a_timer_is_reported(program: Run) -> None:
    """A timer that raises such an exception keeps none of the others from running."""
    done = program(
        """
        class Odd(Exception):
            def __getattribute__(self, name):
                raise KeyError(name)
        def fail():
            raise Odd
        async def main():
            reactor.callLater(0, fail)
            reactor.callFromThread(fail)
            await task.deferLater(reactor, 0.01, print, "others")
        host(main())
        """
    )
    assert done.stdout == "others\n"
    assert done.stderr.count("fail (<string>:") == 2


def test_a_method_of_an_object_is_named_as_one() -> None:
    """The advice for another thread names the object's method, not the class's."""
    caught: list[BaseException] = []

    async def main() -> None:
        async with reactor:
            thread = threading.Thread(target=start)
            thread.start()
            thread.join()

    def start() -> None:
        try:
            task.LoopingCall(int).start(1)
        except BaseException as error:
            caught.append(error)

    import asyncio

    asyncio.run(main())
    assert "use reactor.callFromThread(loopingCall.start, ...)" in str(caught[0])


def test_a_decorated_function_in_the_loops_thread_is_named() -> None:
    """`waitFor` there would wait for itself: the error names the function, and what to await."""

    @threads.waitFor(5)
    async def answer() -> int:
        return 42

    async def main() -> int:
        async with reactor:
            with pytest.raises(
                WrongThreadError, match=r"call .*answer \(.*__wrapped__\) and await"
            ):
                answer()
            unwrapped: Callable[[], Awaitable[int]] = answer.__wrapped__  # type: ignore[attr-defined]
            return await unwrapped()

    assert asyncio.run(main()) == 42


def test_deferreds_of_threads_are_deferreds_to_their_users() -> None:
    """No inner class shows in a `repr`, nor in Python's error about a forgotten `await`."""

    async def main() -> None:
        async with Reactor() as reactor:
            executor = ThreadPoolExecutor(1)
            queue: threads.ThreadsafeQueue[int] = threads.ThreadsafeQueue()
            waiting = queue.get()
            jobs = [
                threads.deferToThread(int),
                threads.deferToThreadPool(reactor, executor, int),
                threads.iterateInThread(range(1)).next(),
            ]
            for deferred in (waiting, *jobs):
                assert repr(deferred).startswith("<Deferred at ")
                with pytest.raises(TypeError, match="'Deferred' and 'int'"):
                    deferred + 1  # type: ignore[operator]
                with pytest.raises(AttributeError, match=r"^'Deferred' object has no attr"):
                    deferred.set_result(1)  # type: ignore[attr-defined]
            await queue.put(1)
            await waiting
            assert await asyncio.gather(*jobs) == [0, 0, 0]
            executor.shutdown()

    asyncio.run(main())


def test_a_platform_without_threads_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """In WebAssembly no thread can be started: the error says why, and what to do."""

    class NoThread(threading.Thread):
        def start(self) -> None:
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr(sys, "platform", "emscripten")
    with pytest.raises(RuntimeError, match=r"has no threads.*call the function in the loop"):
        watchdog.startThread(NoThread())
    monkeypatch.undo()
    with pytest.raises(RuntimeError, match="can't start new thread"):
        watchdog.startThread(NoThread())
