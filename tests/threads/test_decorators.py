"""What `runInReactor` and `waitFor` refuse, and what they say of a reactor that has no loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import threading
import traceback
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any

import pytest

from twistlike.internet import defer, threads
from twistlike.internet.asyncioreactor import Reactor
from twistlike.internet.error import TimeoutError

DECORATORS: list[Callable[..., Any]] = [threads.runInReactor, threads.waitFor(5)]


def numbers() -> Generator[Any, Any, int]:
    """A generator function."""
    yield 1
    return 1


async def numbersLater() -> AsyncIterator[int]:
    """An asynchronous generator function."""
    yield 1


@pytest.mark.parametrize("decorate", DECORATORS)
@pytest.mark.parametrize(
    ("function", "hint"), [(numbers, "inlineCallbacks"), (numbersLater, "ThreadsafeQueue")]
)
def test_no_generator_functions(
    decorate: Callable[..., Any], function: Callable[..., Any], hint: str
) -> None:
    """A generator function is refused: its body would run where it is iterated."""
    with pytest.raises(TypeError, match=f"{function.__name__}.*{hint}"):
        decorate(function)


@pytest.mark.parametrize("decorate", DECORATORS)
def test_inlineCallbacks_are_decorated(decorate: Callable[..., Any]) -> None:
    """What `inlineCallbacks` has made of a generator function is as good as any function."""
    assert callable(decorate(defer.inlineCallbacks(numbers)))


@pytest.mark.parametrize("wrong", [5, "reactor", print])
def test_no_reactor(wrong: Any) -> None:
    """What is no reactor is refused where the function is decorated."""
    with pytest.raises(TypeError, match="runInReactor takes a reactor, not"):
        threads.runInReactor(reactor=wrong)(print)
    with pytest.raises(TypeError, match="waitFor takes a reactor, not"):
        threads.waitFor(5, reactor=wrong)(print)


def test_not_started() -> None:
    """The time limit of a call to a reactor that nobody has started says how that is done."""
    late = Reactor()
    with pytest.raises(TimeoutError, match=r"no loop.*startReactorThread\(\)"):
        threads.waitFor(0.01, reactor=late)(int)()
    with threads.startReactorThread(late):
        pass  # or what it was asked for would be reported at the program's end


@pytest.fixture
def reactor() -> Iterator[Reactor]:
    """A reactor that runs in a thread of its own."""
    reactor = Reactor()
    with threads.startReactorThread(reactor):
        yield reactor


def fails(message: str) -> None:
    """Fail."""
    raise LookupError(message)


async def failsLater(message: str) -> None:
    """Fail, as a coroutine."""
    raise LookupError(message)


@pytest.mark.parametrize("function", [fails, failsLater])
def test_unheard_errors(
    function: Callable[[str], Any], reactor: Reactor, caplog: pytest.LogCaptureFixture
) -> None:
    """An error of a future is reported if nobody has asked for it, with its traceback."""
    call: Any = threads.runInReactor(reactor=reactor)(function)
    call("dropped")
    future = call("done, and dropped")
    concurrent.futures.wait([future])
    del future
    threads.blockingCallFromThread(reactor, gc.collect)
    threads.blockingCallFromThread(reactor, int)  # a report is made on the loop's next turn
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 2
    for record in caplog.records:
        assert "nobody has asked its future" in record.getMessage()
        assert record.exc_info
        assert function.__name__ in "".join(traceback.format_exception(record.exc_info[1]))


def test_heard_errors(reactor: Reactor, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is reported of an error that somebody got, of a cancel, or of the reactor's end."""
    call: Any = threads.runInReactor(reactor=reactor)(fails)
    with pytest.raises(LookupError):
        call("raised").result(10)
    assert isinstance(call("asked").exception(10), LookupError)
    called = threading.Event()
    call("callback").add_done_callback(lambda future: called.set())
    assert called.wait(10)

    async def main() -> None:
        with pytest.raises(LookupError):
            await asyncio.wrap_future(call("awaited"))

    asyncio.run(main())
    never: Any = threads.runInReactor(reactor=reactor)(defer.Deferred)
    never().cancel()
    never()
    threads.stopReactorThread(reactor)
    gc.collect()
    assert not caplog.records
