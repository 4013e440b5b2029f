"""Values, exceptions and uses that nobody expects; and Deferreds that are fired elsewhere."""

# mypy: disable-error-code="misc,var-annotated,unreachable,arg-type,unused-ignore,no-untyped-call"
from __future__ import annotations

import asyncio
import dataclasses
import gc
import logging
import threading
import xmlrpc.client
from collections.abc import Callable
from functools import partial
from typing import Any
from unittest.mock import AsyncMock, MagicMock, Mock

import pytest

from tests.defer.loops import KINDS, run, wait
from tests.oracle import runPython
from twistlike.internet import reactor, threads
from twistlike.internet.defer import (
    AlreadyCalledError,
    Deferred,
    DeferredList,
    DeferredLock,
    DeferredQueue,
    DeferredSemaphore,
    FailureGroup,
    FirstError,
    NotACoroutineError,
    ensureDeferred,
    fail,
    gatherResults,
    inlineCallbacks,
    maybeDeferred,
    race,
    succeed,
)
from twistlike.internet.error import WrongThreadError
from twistlike.python.failure import Failure


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


# Exceptions


@dataclasses.dataclass(frozen=True)
class Frozen(Exception):
    number: int = 1


class Slots(Exception):
    __slots__ = ("number",)


class RefusesSetting(Exception):
    def __setattr__(self, name: str, value: object) -> None:
        raise RuntimeError(f"set {name}")

    def __delattr__(self, name: str) -> None:
        raise RuntimeError(f"delete {name}")


class RefusesTexts(Exception):
    def __str__(self) -> str:
        raise RuntimeError("str")

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("eq")

    def __hash__(self) -> int:
        raise RuntimeError("hash")

    def __bool__(self) -> bool:
        raise RuntimeError("bool")


class RefusesTracebacks(Exception):
    def with_traceback(self, tb: object) -> Any:
        raise RuntimeError("with_traceback")


class Meta(type):
    def __getattr__(cls, name: str) -> Any:
        raise RuntimeError(f"the class has no {name}")


class ClassRefuses(Exception, metaclass=Meta):
    pass


EXCEPTIONS = [
    Frozen,
    Slots,
    RefusesSetting,
    RefusesTexts,
    RefusesTracebacks,
    ClassRefuses,
]


@pytest.mark.parametrize("error", EXCEPTIONS)
def test_exceptions_that_refuse(kind: str, error: type[Exception]) -> None:
    """Whatever an exception's class refuses, it goes its way through callbacks, tasks, threads."""

    def boom(_: object = None) -> None:
        raise error

    async def main() -> None:
        loop = asyncio.get_running_loop()

        def failing() -> Deferred[Any]:
            deferred: Deferred[Any] = Deferred()
            deferred.addCallback(boom)
            loop.call_soon(deferred.callback, 1)
            return deferred

        async def catches() -> None:
            for deferred in (failing(), maybeDeferred(boom), threads.deferToThread(boom)):
                try:
                    await deferred
                except error:
                    continue
                raise AssertionError
            boom()

        @inlineCallbacks
        def yields() -> Any:
            yield failing()

        ends = [
            failing,
            lambda: ensureDeferred(catches()),
            yields,
            lambda: Deferred.fromFuture(asyncio.ensure_future(catches())),
            lambda: threads.deferToThread(lambda: threads.blockingCallFromThread(reactor, boom)),
            lambda: threads.deferToThread(lambda: threads.blockingCallFromThread(reactor, failing)),
        ]
        for end in ends:
            async with asyncio.timeout(10):
                try:
                    await end()
                except error:
                    continue
            raise AssertionError(end)
        gather = partial(gatherResults, consumeErrors=True)
        for several, expected in ((gather, FirstError), (race, FailureGroup)):
            many: Any = several
            async with asyncio.timeout(10):
                try:
                    await many([failing()])
                except expected as whole:
                    assert repr(whole)
        caught: list[Failure] = []
        fail(error()).addErrback(caught.append)
        [failure] = caught
        assert [str(failure), repr(failure), failure.getTraceback(), failure.check(error)]
        failure.cleanFailure()

    run(kind, main)


# Values


class Lazy:
    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"lazy {name}")


class AnswersAll(type):
    def __getattr__(cls, name: str) -> Any:
        return lambda *args: 1


class OfAnsweringClass(metaclass=AnswersAll):
    pass


class OfRefusingClass(metaclass=Meta):
    pass


VALUES: list[Callable[[], Any]] = [
    MagicMock,
    Mock,
    AsyncMock,
    lambda: MagicMock(spec=asyncio.Future),
    Lazy,
    OfAnsweringClass,
    OfRefusingClass,
    lambda: OfAnsweringClass,
    lambda: xmlrpc.client.ServerProxy("http://127.0.0.1:1/"),
]


@pytest.mark.parametrize("number", range(len(VALUES)))
def test_objects_that_answer_everything(kind: str, number: int) -> None:
    """They are values: nothing but their class is asked what they are."""

    async def main() -> None:
        value = VALUES[number]()

        @inlineCallbacks
        def yields() -> Any:
            given = yield value
            return given

        async def returns() -> Any:
            return value

        late: Deferred[Any] = Deferred()
        late.addCallback(lambda _: value)
        asyncio.get_running_loop().call_soon(late.callback, value)
        async with asyncio.timeout(10):
            for deferred in (maybeDeferred(lambda: value), yields(), late, succeed(value)):
                assert await deferred is value
            assert await ensureDeferred(returns()) is value
            assert (await gatherResults([succeed(value), yields()]))[1] is value
            assert (await race([succeed(value)]))[1] is value
            assert await DeferredLock().run(lambda: value) is value
            blocking = threads.blockingCallFromThread
            assert await threads.deferToThread(blocking, reactor, lambda: value) is value
        for make in (ensureDeferred, Deferred.fromCoroutine):
            with pytest.raises(NotACoroutineError):
                make(value)

    run(kind, main)


@pytest.mark.parametrize("late", [False, True])
def test_a_value_that_is_a_deferred(kind: str, late: bool) -> None:
    """A Deferred that fired with a Deferred gives that, in a task as in a Deferred coroutine."""

    async def main() -> None:
        for start in (wait, lambda deferred: ensureDeferred(wait(deferred))):
            inner, outer = Deferred[Any](), Deferred[Any]()
            if not late:
                outer.callback(inner)
            task = asyncio.ensure_future(start(outer))
            await asyncio.sleep(0)
            if late:
                outer.callback(inner)
            assert await asyncio.wait_for(task, 10) is inner

    run(kind, main)


# Uses


def test_taken_for_iterable(kind: str) -> None:
    """A forgotten `await`, or a Deferred for a list of them, is told, and does no harm."""

    async def main() -> None:
        for several in (gatherResults, DeferredList, race):
            many: Any = several
            with pytest.raises(TypeError, match=r"write \w+\(\[d1, d2\]\)"):
                many(Deferred())
            coroutine = wait(Deferred())
            with pytest.raises(TypeError, match="ensureDeferred"):
                many([coroutine])
            coroutine.close()
        forgotten: Deferred[int] = Deferred()
        for _ in range(2):
            with pytest.raises(RuntimeError, match="await d"):
                list(forgotten)  # type: ignore[call-overload]
        with pytest.raises((TypeError, RuntimeError)):
            dict(forgotten)  # type: ignore[call-overload]
        next(iter(forgotten))  # type: ignore[call-overload]
        forgotten.callback(3)
        assert await forgotten == 3

    run(kind, main)


def test_without_a_loop_too() -> None:
    """Where no loop runs, a Deferred that is iterated over says so."""
    with pytest.raises(RuntimeError, match="await d"):
        list(Deferred())  # type: ignore[call-overload]


def test_messages() -> None:
    """They name the Deferred, what was found, and what to do."""
    deferred: Deferred[int] = Deferred()
    deferred.callback(1)
    with pytest.raises(AlreadyCalledError, match=r"result: 1> has been fired .*setDebugging"):
        deferred.callback(2)
    bad: Any = None
    caught: list[Failure] = []
    succeed(1).addCallback(bad).addErrback(caught.append)
    assert "a callback of <Deferred" in caught[0].getErrorMessage()
    assert "None, which cannot be called" in caught[0].getErrorMessage()

    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError("repr")

    assert "Broken" in repr(succeed(Broken()))


def test_a_future_of_a_failed_stop_iteration(kind: str) -> None:
    """asyncio's futures refuse it: the future fails with a RuntimeError, on each Python."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises(RuntimeError) as caught:
            await asyncio.wait_for(fail(StopIteration(1)).asFuture(loop), 10)
        assert isinstance(caught.value.__cause__, StopIteration)

    run(kind, main)


# Fired elsewhere


def chainedTo(source: Deferred[Any]) -> Deferred[Any]:
    target: Deferred[Any] = Deferred()
    source.chainDeferred(target)
    return target


def inCallback(inner: Deferred[Any]) -> Deferred[Any]:
    return succeed(0).addCallback(lambda _: inner)


SHAPES: dict[str, Callable[[Deferred[Any]], Deferred[Any]]] = {
    "gathered": lambda d: gatherResults([d]),
    "nested": lambda d: gatherResults([DeferredList([d]), succeed(1)]),
    "in two lists": lambda d: [gatherResults([d]), gatherResults([d])][1],
    "with callbacks": lambda d: gatherResults([d.addCallback(lambda value: value)]),
    "race": lambda d: race([d, Deferred()]),
    "chain": chainedTo,
    "chain in a list": lambda d: gatherResults([chainedTo(d)]),
    "list in a chain": lambda d: chainedTo(gatherResults([d])),
    "callback": inCallback,
    "callback in a list": lambda d: gatherResults([inCallback(d)]),
}


def elsewhere(function: Callable[[], object]) -> BaseException | None:
    """Call a function in a thread, and return what it raised."""
    raised: list[BaseException] = []

    def call() -> None:
        try:
            function()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    return raised[0] if raised else None


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("inCoroutine", [False, True])
def test_fired_elsewhere_through_others(kind: str, shape: str, inCoroutine: bool) -> None:
    """The thread that fires it is told; nothing has changed, and the loop can fire it."""

    async def main() -> None:
        deferred: Deferred[Any] = Deferred()
        shaped = SHAPES[shape](deferred)
        waiting = wait(shaped)
        task = asyncio.ensure_future(ensureDeferred(waiting) if inCoroutine else waiting)
        await asyncio.sleep(0)
        for fire in (lambda: deferred.callback(1), lambda: deferred.errback(ValueError())):
            assert isinstance(elsewhere(fire), WrongThreadError)
        deferred.callback(1)
        await asyncio.wait_for(task, 10)

    run(kind, main)


def test_chained_after_the_wait(kind: str) -> None:
    """What comes to fire a Deferred once it is awaited belongs to the loop's thread as well."""

    async def main() -> None:
        for late in ("chain", "callback", "callback behind a chain"):
            inner, outer = Deferred[Any](), Deferred[Any]()
            awaited: Deferred[Any] = outer
            if late == "callback behind a chain":
                awaited = chainedTo(outer)
            if late != "chain":
                outer.addCallback(lambda _, inner=inner: inner)
                if late == "callback behind a chain":
                    outer, awaited = Deferred(), Deferred()
                    outer.addCallback(lambda _, inner=inner: inner)
                    outer.chainDeferred(awaited)
            task = asyncio.ensure_future(wait(awaited))
            await asyncio.sleep(0)
            if late == "chain":
                inner.chainDeferred(outer)
            else:
                outer.callback(0)
            assert isinstance(elsewhere(lambda: inner.callback(1)), WrongThreadError), late  # noqa: B023
            inner.callback(1)
            await asyncio.wait_for(task, 10)

    run(kind, main)


def test_locks_and_queues_elsewhere(kind: str) -> None:
    """A lock, a token or an item given in another thread is refused before it is gone."""

    async def main() -> None:
        lock, semaphore = DeferredLock(), DeferredSemaphore(1)
        queue: DeferredQueue[int] = DeferredQueue()
        await lock.acquire()
        await semaphore.acquire()
        cases: list[tuple[Deferred[Any], Callable[[], object], list[Any]]] = [
            (lock.acquire(), lock.release, lock.waiting),
            (semaphore.acquire(), semaphore.release, semaphore.waiting),
            (queue.get(), lambda: queue.put(1), queue.waiting),
        ]
        for deferred, give, waiting in cases:
            task = asyncio.ensure_future(wait(deferred))
            await asyncio.sleep(0)
            assert isinstance(elsewhere(give), WrongThreadError)
            assert waiting == [deferred]
            give()
            await asyncio.wait_for(task, 10)
        assert queue.pending == []

    run(kind, main)


def test_cancelled_elsewhere(kind: str) -> None:
    """A coroutine, a list or a race is not cancelled by another thread than its loop's."""

    async def main() -> None:
        ended: list[str] = []

        async def work(deferred: Any) -> None:
            try:
                await deferred
            finally:
                ended.append(threading.current_thread().name)

        for made in (
            ensureDeferred(work(Deferred())),
            ensureDeferred(work(asyncio.sleep(100))),
            gatherResults([Deferred()]),
            race([Deferred()]),
        ):
            task = asyncio.ensure_future(wait(made))
            await asyncio.sleep(0)
            assert isinstance(elsewhere(made.cancel), WrongThreadError)
            assert not made.called
            task.cancel()
            await asyncio.wait([task], timeout=10)
            assert task.cancelled()
        assert ended == [threading.current_thread().name] * 2

    run(kind, main)


# Reports and garbage


def test_errors_leave_no_garbage(kind: str) -> None:
    """An error that a coroutine, a generator or a thread has caught is in no cycle."""

    class WorkError(Exception):
        pass

    def boom(_: object = None) -> None:
        raise WorkError

    async def main() -> None:
        loop = asyncio.get_running_loop()

        async def catches(make: Callable[[], Any]) -> None:
            try:
                await make()
            except WorkError:
                pass

        @inlineCallbacks
        def yields() -> Any:
            try:
                yield threads.deferToThread(boom)
            except WorkError:
                pass

        def blocks(function: Callable[[], Any]) -> None:
            try:
                threads.blockingCallFromThread(reactor, function)
            except WorkError:
                pass

        def late() -> Deferred[Any]:
            deferred: Deferred[Any] = Deferred()
            loop.call_soon(deferred.errback, WorkError())
            return deferred

        async def all() -> None:
            for make in (late, lambda: threads.deferToThread(boom), lambda: maybeDeferred(boom)):
                await ensureDeferred(catches(make))
            await yields()
            for function in (boom, late, lambda: threads.deferToThread(boom)):
                await threads.deferToThread(blocks, function)

        await all()
        gc.collect()
        gc.disable()
        try:
            for _ in range(5):
                await all()
            left = 1
            for _ in range(400):  # a worker returns from its last frame a moment later
                left = sum(type(it) is WorkError for it in gc.get_objects())
                if not left:
                    break
                await asyncio.sleep(0.005)
            assert not left
        finally:
            gc.enable()

    run(kind, main)


def test_a_report_from_del_waits_for_the_lock_of_a_handler() -> None:
    """The collector finds a failed Deferred inside of a log handler: no dead-lock, all is told."""
    program = """
import asyncio, gc, logging, threading
from twistlike.internet.defer import Deferred

seen, lock = [], threading.Lock()

class Handler(logging.Handler):
    def emit(self, record):
        with lock:
            seen.append(record.getMessage().partition(chr(10))[0])
            if len(seen) == 1:
                deferred = Deferred()
                deferred.itself = deferred
                deferred.errback(ValueError("in a cycle"))
                del deferred
                gc.collect()

logging.getLogger().addHandler(Handler())
logging.error("without a loop")
for thread in threading.enumerate():
    if thread is not threading.main_thread():
        thread.join()
print(seen)

async def main():
    seen.clear()
    logging.error("in a loop")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    print(seen)

asyncio.run(main())
"""
    found = runPython(["-c", program])
    message = "Unhandled error in Deferred:"
    assert found.stdout == f"{['without a loop', message]}\n{['in a loop', message]}\n"


def test_a_log_handler_that_fails_a_deferred_ends() -> None:
    """The reporter does not enter itself again and again."""
    program = """
import asyncio, logging
from twistlike.internet.defer import Deferred, fail

count = 0

class Handler(logging.Handler):
    def emit(self, record):
        global count
        count += 1
        Deferred().errback(ValueError("of the handler"))

logging.getLogger().addHandler(Handler())
fail(ValueError("first"))

async def main():
    fail(ValueError("second"))
    await asyncio.sleep(0.01)

asyncio.run(main())
print(count < 20)
"""
    found = runPython(["-c", program])
    assert found.stdout == "True\n"
    assert "of the handler" in found.stderr


def test_errors_at_the_interpreters_end() -> None:
    """Errors in global Deferreds are written when the interpreter ends, texts among them."""
    program = """
from twistlike.internet.defer import fail

text = fail("a text as an error")
error = fail(ValueError("an exception"))
"""
    found = runPython(["-c", program])
    assert "a text as an error" in found.stderr
    assert "ValueError: an exception" in found.stderr
    assert "TypeError" not in found.stderr


def test_an_error_at_the_end_of_a_loop_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    """The next turn of a loop that stops does not come: the report comes when the loop closes."""

    async def main() -> None:
        fail(ValueError("at the end"))

    loop = asyncio.new_event_loop()
    with caplog.at_level(logging.ERROR):
        loop.run_until_complete(main())
        loop.close()
    gc.collect()
    assert any("Unhandled error in Deferred" in record.getMessage() for record in caplog.records)
