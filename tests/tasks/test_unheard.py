"""Work that goes on by itself: its errors are told once and at once; other threads are refused."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
import uvloop

from twistlike.internet.asyncioreactor import currentReactor
from twistlike.internet.defer import Deferred
from twistlike.internet.error import WrongThreadError
from twistlike.internet.task import Cooperator, LoopingCall, cooperate

FACTORIES = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
Reports = list[dict[str, Any]]


@pytest.fixture(params=[*FACTORIES, "debug"])
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, None]], Reports]:
    """Run a coroutine on a loop of its own; return what its exception handler was told."""
    factory = FACTORIES.get(request.param, asyncio.new_event_loop)

    def runIt(main: Coroutine[Any, Any, None]) -> Reports:
        reports: Reports = []

        async def watched() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda _, each: reports.append(each))
            await main

        with asyncio.Runner(loop_factory=factory, debug=request.param == "debug") as runner:
            runner.run(watched())
        return reports

    return runIt


def inThread(function: Callable[[], object]) -> BaseException | None:
    """Call a function in another thread; return what it raises."""
    raised: list[BaseException] = []

    def call() -> None:
        try:
            function()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join(10)
    return raised[0] if raised else None


def failAtThird() -> Callable[[], None]:
    """Return a function that raises when it is called for the third time."""
    calls: list[None] = []

    def work() -> None:
        calls.append(None)
        if len(calls) == 3:
            raise ZeroDivisionError("third")

    return work


async def turns(count: int = 20) -> None:
    """Let the loop go on for some turns."""
    for _ in range(count):
        await asyncio.sleep(0)


def test_a_loop_that_dies_is_told_of_while_it_is_kept(run: Callable[..., Reports]) -> None:
    """Its error is reported, with the function's name, though somebody keeps the Deferred."""
    kept: list[object] = []

    async def main() -> None:
        call = LoopingCall(failAtThird())
        kept.extend([call, call.start(0)])
        await turns()
        assert not call.running

    (report,) = run(main())
    assert isinstance(report["exception"], ZeroDivisionError)
    assert "failAtThird.<locals>.work" in report["message"]
    kept.clear()  # and not once more when it is collected


def test_a_loop_that_dies_in_its_first_call_is_told_of(run: Callable[..., Reports]) -> None:
    """`start()` returns a Deferred that has failed: if nobody looks, it is reported."""
    kept: list[object] = []

    async def main() -> None:
        def work() -> None:
            raise ZeroDivisionError

        kept.append(LoopingCall(work).start(1))
        await turns()

    assert len(run(main())) == 1


def test_the_arguments_of_a_loop_are_not_told(run: Callable[..., Reports]) -> None:
    """What it calls its function with may be a secret: the report has only the name."""

    async def main() -> None:
        def work(password: str) -> None:
            raise ZeroDivisionError

        LoopingCall(work, password="hunter2").start(1)
        await turns()

    (report,) = run(main())
    assert "hunter2" not in report["message"]


def test_an_error_that_somebody_handles_is_not_told(run: Callable[..., Reports]) -> None:
    """An errback that comes in the turn of the failure is in time; a task that awaits, too."""
    seen: list[object] = []

    async def main() -> None:
        def work() -> None:
            raise ZeroDivisionError

        LoopingCall(work).start(1).addErrback(seen.append)
        LoopingCall(failAtThird()).start(0).addErrback(seen.append)
        with pytest.raises(ZeroDivisionError):
            await LoopingCall(failAtThird()).start(0)
        await turns()

    assert run(main()) == []
    assert len(seen) == 2


def test_a_loop_whose_listener_was_cancelled_is_told_of(run: Callable[..., Reports]) -> None:
    """A task that awaited `start()` is cancelled; the loop goes on, dies, and somebody hears."""

    async def main() -> None:
        gate = asyncio.Event()

        async def work() -> None:
            await gate.wait()
            raise ZeroDivisionError

        call = LoopingCall(work)

        async def listen() -> None:
            await call.start(0)

        task = asyncio.ensure_future(listen())
        await turns()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        gate.set()
        await turns()
        assert not call.running

    (report,) = run(main())
    assert isinstance(report["exception"], ZeroDivisionError)


def test_a_loop_whose_listener_was_cancelled_can_be_stopped(run: Callable[..., Reports]) -> None:
    """Stopping it then is quiet: the Deferred has fired already."""

    async def main() -> None:
        call = LoopingCall(int)
        call.start(60).addErrback(lambda _: None).cancel()
        call.stop()
        await turns()

    assert run(main()) == []


def test_a_cooperative_task_that_dies_is_told_of(run: Callable[..., Reports]) -> None:
    """Nobody has asked for its end with `whenDone`, and somebody keeps the task."""
    kept: list[object] = []

    async def main() -> None:
        def work() -> Iterator[None]:
            yield
            raise ZeroDivisionError

        kept.append(cooperate(work()))
        await asyncio.sleep(0.01)

    (report,) = run(main())
    assert isinstance(report["exception"], ZeroDivisionError)


@pytest.mark.parametrize("name", ["start", "stop", "reset"])
def test_a_loop_refuses_other_threads(name: str, run: Callable[..., Reports]) -> None:
    """Another thread gets an error that names what to do, and nothing has changed."""

    async def main() -> None:
        called: list[int] = []
        currentReactor().getDelayedCalls()
        call = LoopingCall(lambda: called.append(threading.get_ident()))
        call.clock = currentReactor()
        if name == "start":
            error = inThread(lambda: call.start(60))
            assert not call.running
        else:
            call.start(60)
            before = call.call
            error = inThread(getattr(call, name))
            assert call.running and call.call is before
            call.stop()
        assert isinstance(error, WrongThreadError)
        assert f"LoopingCall.{name}" in str(error) and "callFromThread" in str(error)
        assert set(called) <= {threading.get_ident()}

    assert run(main()) == []


@pytest.mark.parametrize("name", ["pause", "resume", "stop", "whenDone"])
def test_a_cooperative_task_refuses_other_threads(name: str, run: Callable[..., Reports]) -> None:
    """The tasks of a reactor's cooperator are its thread's."""

    async def main() -> None:
        def work() -> Iterator[None]:
            while True:
                yield

        task = cooperate(work())
        if name == "resume":
            task.pause()
        error = inThread(getattr(task, name))
        assert isinstance(error, WrongThreadError)
        if name == "resume":
            task.resume()
        task.stop()

    assert run(main()) == []


def test_a_cooperator_without_a_scheduler_leaves_no_task_behind(
    run: Callable[..., Reports],
) -> None:
    """If its scheduler refuses, the task is not kept as if somebody would make its steps."""

    async def main() -> None:
        def refuse(tick: object) -> Any:
            raise LookupError

        cooperator = Cooperator(scheduler=refuse)
        with pytest.raises(LookupError):
            cooperator.cooperate(iter([None]))
        assert "0 tasks" in repr(cooperator)

    assert run(main()) == []


def test_running_can_be_assigned() -> None:
    """Twisted's TimerService assigns it: no further call is made."""
    call = LoopingCall(int)
    call.running = False
    assert not call.running


def test_a_deferred_of_a_late_error_still_takes_an_errback(run: Callable[..., Reports]) -> None:
    """The report takes nothing away: an errback that comes later still gets the error."""
    seen: list[object] = []

    async def main() -> None:
        deferred: Deferred[LoopingCall] = LoopingCall(failAtThird()).start(0)
        await turns()
        deferred.addErrback(lambda failure: seen.append(failure.type))

    assert len(run(main())) == 1
    assert seen == [ZeroDivisionError]


def test_the_report_of_a_loops_end_shows_no_arguments(
    run: Callable[[Coroutine[Any, Any, None]], Reports],
) -> None:
    """A function's arguments may be secrets: neither the message nor the source has them."""

    def fail(password: str) -> None:
        raise ValueError("wrong")

    async def main() -> None:
        loop = LoopingCall(fail, password="hunter2")
        kept = loop.start(0.001)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        del kept

    (report,) = run(main())
    assert "fail" in report["message"]
    assert "hunter2" not in report["message"] + repr(report["source"])


def test_the_first_task_of_a_reactor_is_refused_elsewhere_by_its_own_name(
    run: Callable[[Coroutine[Any, Any, None]], Reports],
) -> None:
    """The error names ``cooperate``, not what that would have called first."""

    async def main() -> None:
        currentReactor().callLater(0, int)
        error = await asyncio.to_thread(inThread, lambda: cooperate(iter([1])))
        assert isinstance(error, WrongThreadError)
        assert str(error).startswith("cooperate was called from thread")

    assert run(main()) == []
