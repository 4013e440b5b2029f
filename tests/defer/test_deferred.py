"""What Deferreds promise of their own: depth, size, references, reports, no loop needed."""

from __future__ import annotations

import asyncio
import gc
import logging
import subprocess
import sys
import threading
import tracemalloc
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from twistlike.internet.defer import (
    CancelledError,
    Deferred,
    DeferredList,
    ensureDeferred,
    fail,
    gatherResults,
    inlineCallbacks,
    setDebugging,
    succeed,
)
from twistlike.python.failure import Failure

# Depth


def _chain(count: int) -> list[Deferred[Any]]:
    """Return Deferreds of which each waits for the one before."""
    chain: list[Deferred[Any]] = [Deferred()]
    for _ in range(count - 1):
        d: Any = Deferred()
        d.addCallback(lambda _, inner=chain[-1]: inner)
        d.callback(None)
        chain.append(d)
    return chain


def test_a_long_chain_fires() -> None:
    """100,000 Deferreds that wait for each other fire at once, without recursion."""
    chain = _chain(100_000)
    chain[0].callback("x")
    assert chain[-1].result == "x"
    assert chain[1].result is None


def test_a_long_chain_is_cancelled() -> None:
    """Cancelling the last of 100,000 cancels the first."""
    chain = _chain(100_000)
    errors: list[Any] = []
    chain[-1].addErrback(errors.append)
    chain[-1].cancel()
    assert errors[0].check(CancelledError)
    assert chain[0].called


def test_a_long_chain_is_freed() -> None:
    """Letting go of 100,000 that wait for each other does not recurse either."""
    chain = _chain(100_000)
    last = weakref.ref(chain[-1])
    chain.clear()
    gc.collect()
    assert last() is None


async def _plusOne(d: Deferred[int]) -> int:
    return 1 + await d


@inlineCallbacks
def _plusOneGenerator(d: Deferred[int]) -> Any:
    return 1 + (yield d)


@pytest.mark.parametrize("start", [lambda d: ensureDeferred(_plusOne(d)), _plusOneGenerator])
def test_many_coroutines_wait_for_each_other(start: Callable[[Any], Deferred[int]]) -> None:
    """5,000 coroutines of which each awaits the one before go on at once, and so are cancelled."""
    gates: list[Deferred[int]] = [Deferred(), Deferred()]
    ends = []
    for gate in gates:
        d = gate
        for _ in range(5_000):
            d = start(d)
        ends.append(d)
    gates[0].callback(0)
    assert ends[0].result == 5_000
    errors: list[Any] = []
    ends[1].addErrback(errors.append)
    ends[1].cancel()
    assert errors[0].check(CancelledError)


def test_many_fired_deferreds_are_awaited() -> None:
    """100,000 awaits of Deferreds that have fired do not recurse."""

    async def coroutine() -> int:
        return sum([await succeed(1) for _ in range(100_000)])

    @inlineCallbacks
    def generator() -> Any:
        total = 0
        for _ in range(100_000):
            total += yield succeed(1)
        return total

    assert ensureDeferred(coroutine()).result == 100_000
    assert generator().result == 100_000


def test_coroutines_without_a_loop_go_on_in_any_thread() -> None:
    """Each of those that wait for each other goes on in the thread that fires the innermost."""
    innermost: Deferred[int] = Deferred()
    ends: list[tuple[int, int]] = []

    async def inner() -> int:
        return await innermost

    async def outer() -> int:
        return await ensureDeferred(inner()) + 1

    ensureDeferred(outer()).addCallback(lambda value: ends.append((value, threading.get_ident())))
    thread = threading.Thread(target=innermost.callback, args=(1,))
    thread.start()
    thread.join()
    assert ends == [(2, thread.ident)]


@pytest.mark.parametrize("behind", [False, True])
def test_a_coroutine_goes_on_when_its_loop_has_ended(behind: bool) -> None:
    """In any thread: what it waits for then is bound to none."""
    first: Deferred[int] = Deferred()
    second: Deferred[int] = Deferred()

    async def inner() -> int:
        return await second

    async def outer() -> int:
        await first
        return await (ensureDeferred(inner()) if behind else second)

    async def main() -> Deferred[int]:
        return ensureDeferred(outer())

    waits = asyncio.run(main())
    first.callback(1)
    thread = threading.Thread(target=second.callback, args=(2,))
    thread.start()
    thread.join()
    assert waits.result == 2


def test_many_callbacks() -> None:
    """100,000 callbacks on one Deferred take no more than their number."""
    d: Deferred[int] = Deferred()
    for _ in range(100_000):
        d.addCallback(lambda x: x + 1)
    d.callback(0)
    assert d.result == 100_000


# Size and references


def test_a_pending_deferred_is_small() -> None:
    """One with a callback takes at most half of Twisted's 488 bytes."""
    count = 2_000
    kept: list[Any] = [None] * count
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for i in range(count):
            kept[i] = Deferred().addErrback(str)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Before CPython 3.13 an object's dictionary and weak references take a word or two more.
    assert (after - before) / count <= (244 if sys.version_info >= (3, 13) else 272)
    assert not hasattr(kept[0], "result")


def test_callbacks_are_let_go() -> None:
    """Once they have run, callbacks, their arguments and the canceller are not kept."""

    class Thing:
        pass

    def callback(result: object, thing: object) -> None:
        pass

    thing = Thing()
    held: Any = lambda _, thing=thing: None  # noqa: E731
    d: Deferred[Any] = Deferred(held)
    del held
    d.addCallback(callback, thing)
    reference = weakref.ref(thing)
    del thing
    d.callback(None)
    assert reference() is None


def _bad(_: object = None) -> None:
    raise KeyError("bad")


async def _badCoroutine() -> None:
    raise KeyError("bad")


async def _badLater(d: Deferred[None]) -> None:
    await d
    raise KeyError("bad")


@inlineCallbacks
def _waitsForBad() -> Any:
    yield fail(KeyError("bad"))


def _badAfterWaiting() -> None:
    gates: list[Deferred[None]] = [Deferred()]
    ensureDeferred(_badLater(gates[0]))
    gates.pop().callback(None)


FAILING: list[Callable[[], object]] = [
    lambda: fail(KeyError("bad")),
    lambda: succeed(1).addCallback(_bad),
    lambda: Deferred[None]().addCallback(_bad).callback(None),
    lambda: succeed(1).addCallback(lambda _: succeed(2).addCallback(_bad)),
    lambda: ensureDeferred(_badCoroutine()),
    _waitsForBad,
    _badAfterWaiting,
]


@pytest.mark.parametrize("failing", FAILING)
def test_unhandled_errors_are_reported_at_once(
    failing: Callable[[], object], caplog: pytest.LogCaptureFixture
) -> None:
    """An error that nobody handles is reported once, when its Deferred is let go, without gc."""
    gc.disable()
    try:
        failing()
        [record] = caplog.records
    finally:
        gc.enable()
    assert "Unhandled error in Deferred" in record.getMessage()
    assert record.exc_info is not None
    assert "bad" in logging.Formatter().format(record)
    caplog.clear()


def test_unhandled_errors_in_a_cycle(caplog: pytest.LogCaptureFixture) -> None:
    """They are reported when the garbage collector finds them."""
    d: Any = fail(KeyError("bad"))
    d.itself = d
    del d
    gc.collect()
    assert len(caplog.records) == 1
    caplog.clear()


def test_debug_mode_says_where(caplog: pytest.LogCaptureFixture) -> None:
    """In debug mode a report says where the Deferred was made and fired."""
    setDebugging(True)
    try:

        def made() -> Deferred[None]:
            return Deferred()

        def fired(d: Deferred[None]) -> None:
            d.errback(KeyError("bad"))

        fired(made())
        gc.collect()
    finally:
        setDebugging(False)
    [record] = caplog.records
    text = record.getMessage()
    assert "C: Deferred was created:" in text
    assert "in made" in text
    assert "I: First Invoker was:" in text
    assert "in fired" in text
    caplog.clear()


@pytest.mark.parametrize("adder", ["addCallback", "addErrback", "addBoth"])
def test_failures_come_with_the_callbacks_traceback(adder: str) -> None:
    """A Failure's traceback begins with the callback that raised: no frame of ours."""
    d: Any = fail(KeyError()) if adder == "addErrback" else succeed(1)
    failures: list[Failure] = []
    getattr(d, adder)(_bad).addErrback(failures.append)
    tb = failures[0].tb
    assert tb is not None
    assert tb.tb_frame.f_code is _bad.__code__
    assert tb.tb_next is None


def test_the_first_of_many_fails() -> None:
    """Lists of Deferreds with callbacks before and after see what is there at their place."""
    d: Deferred[int] = Deferred()
    d.addCallback(lambda x: x + 1)
    together = DeferredList([d, succeed(5)])
    d.addCallback(lambda x: x * 10)
    d.callback(1)
    assert together.result == [(True, 2), (True, 5)]
    assert d.result == 20
    assert gatherResults([]).result == []


# No loop


_WITHOUT_LOOP = """
import sys
from twistlike.internet.defer import Deferred, ensureDeferred, inlineCallbacks, gatherResults

async def coroutine(d):
    return await d

@inlineCallbacks
def generator(d):
    return (yield ensureDeferred(coroutine(d)))

d = Deferred()
ends = [generator(d), ensureDeferred(coroutine(d))]
both = gatherResults(ends)
d.callback("x")
assert both.result == ["x", "x"], both
assert "asyncio" not in sys.modules
assert "logging" not in sys.modules
"""


def test_no_loop_is_needed() -> None:
    """Deferreds and coroutines over them work in a process that never imports asyncio."""
    subprocess.run([sys.executable, "-c", _WITHOUT_LOOP], check=True, timeout=100)
