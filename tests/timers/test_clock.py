"""``Clock`` and ``deferLater``: time that passes when the test says so."""

from __future__ import annotations

from contextvars import ContextVar
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tasks.sides import Side, same
from twistlike.internet.defer import CancelledError, Deferred
from twistlike.internet.task import Clock, deferLater


@pytest.fixture
def clock() -> Clock:
    """A clock that shows 0."""
    return Clock()


def test_time_passes_only_by_advance(clock: Clock) -> None:
    """The clock starts at 0 and shows the sum of what it was advanced by."""
    assert clock.seconds() == clock.rightNow == 0.0
    clock.advance(1.5)
    clock.pump([1, 0.25])
    assert clock.seconds() == clock.rightNow == 2.75


def test_the_hand_can_be_set(clock: Clock) -> None:
    """``rightNow`` may be assigned to; what is due by then runs at the next ``advance``."""
    ran: list[int] = []
    clock.callLater(5, ran.append, 1)
    clock.rightNow = 7.0
    assert ran == []
    clock.advance(0)
    assert ran == [1]
    assert clock.callLater(1, int).getTime() == 8


def test_the_hand_can_go_back(clock: Clock) -> None:
    """A negative ``advance`` runs nothing, and makes calls wait longer."""
    ran: list[int] = []
    clock.callLater(2, ran.append, 1)
    clock.advance(-1)
    clock.advance(2)
    assert ran == []
    clock.advance(1)
    assert ran == [1]


@pytest.mark.parametrize("amount", [nan, "1", None])
def test_a_clock_cannot_be_spoiled(clock: Clock, amount: float) -> None:
    """What is no number of seconds is refused, and the clock shows what it showed."""
    with pytest.raises((TypeError, ValueError)):
        clock.advance(amount)
    assert clock.seconds() == 0


@pytest.mark.parametrize("delay", [-1, nan])
def test_delays_that_a_reactor_refuses_are_refused(clock: Clock, delay: float) -> None:
    """A test must not pass with a delay that would fail in the program."""
    with pytest.raises(ValueError, match="number of seconds"):
        clock.callLater(delay, int)


def test_a_subclass_can_have_another_time() -> None:
    """The queue asks ``seconds()``, which a subclass may define."""

    class Double(Clock):
        def seconds(self) -> float:
            return self.rightNow * 2

    clock = Double()
    ran: list[int] = []
    clock.callLater(4, ran.append, 1)
    clock.advance(1.9)
    assert ran == []
    clock.advance(0.1)
    assert ran == [1]
    assert clock.callLater(1, int).getTime() == 5


def test_calls_made_due_by_a_call_run_in_the_same_advance() -> None:
    """What a call asks for with no delay comes after all that was due, in the same ``advance``."""

    def program(side: Side) -> None:
        clock = side.task.Clock()

        def outer(name: str) -> None:
            side.note(name, clock.seconds())
            clock.callLater(0, side.note, name, "inner 0")
            clock.callLater(1, side.note, name, "inner 1")

        clock.callLater(1, outer, "a")
        clock.callLater(3, outer, "b")
        clock.callLater(3, side.note, "c")
        clock.callLater(2, outer, "d")
        clock.advance(3)
        side.note("between")
        clock.advance(1)

    assert same(program)[:4] == [("a", 3.0), ("d", 3.0), ("b", 3.0), ("c",)]


def test_zero_delays_run_in_order_as_on_the_reactor() -> None:
    """Twisted's reactor runs calls with no delay first come first served; so does the clock."""

    def program(side: Side) -> None:
        clock = side.task.Clock()

        def chain(name: str, left: int) -> None:
            side.note(name, left)
            if left:
                clock.callLater(0, chain, name, left - 1)

        for name in "abc":
            clock.callLater(0, chain, name, 3)
        clock.advance(0)

    notes: list[Any] = same(program)
    assert [name for name, _ in notes] == list("abc" * 4)


def test_advance_within_a_call() -> None:
    """A call that advances the clock runs what that makes due, inside itself."""

    def program(side: Side) -> None:
        clock = side.task.Clock()

        def outer() -> None:
            side.note("in")
            clock.advance(1)
            side.note("out")

        clock.callLater(0, outer)
        clock.callLater(0.5, side.note, "middle")
        clock.callLater(0, side.note, "other")
        clock.advance(0)

    same(program)


def test_an_error_leaves_the_rest_for_the_next_advance() -> None:
    """What a call raises comes out of ``advance``; the calls after it are not lost."""

    def program(side: Side) -> None:
        clock = side.task.Clock()

        def fail() -> None:
            raise LookupError

        clock.callLater(1, fail)
        clock.callLater(1, side.note, "rest")
        side.attempt(clock.advance, 2)
        side.note(len(clock.calls), clock.seconds())
        clock.advance(0)

    assert same(program) == [("LookupError",), (1, 2.0), ("rest",)]


def test_handles_do_what_twisteds_do() -> None:
    """Cancelling, moving, asking: the same answers and errors, whatever became of the call."""

    def program(side: Side) -> None:
        clock = side.task.Clock()
        call = clock.callLater(5, side.note, "run")
        for step in (call.reset, call.delay):
            step(3)
            side.note(call.getTime(), call.active(), call.called, call.cancelled)
        call.delay(-1)
        side.note(call.getTime(), [other is call for other in clock.getDelayedCalls()])
        clock.advance(5)
        for touch in (call.cancel, lambda: call.reset(1), lambda: call.delay(1)):
            side.attempt(touch)
        gone = clock.callLater(5, side.note, "never")
        gone.cancel()
        for touch in (gone.cancel, lambda: gone.reset(1), lambda: gone.delay(1)):
            side.attempt(touch)
        side.note(call.active(), gone.active(), gone.getTime(), clock.calls)

    same(program)


def test_a_call_runs_in_a_copy_of_its_context(clock: Clock) -> None:
    """It sees what was set where it was asked for; what it sets does not reach the next one."""
    var: ContextVar[int] = ContextVar("var", default=0)
    seen: list[int] = []

    def look() -> None:
        seen.append(var.get())
        var.set(99)

    var.set(1)
    clock.callLater(1, look)
    clock.callLater(1, look)
    var.set(2)
    clock.advance(1)
    assert seen == [1, 1]
    assert var.get() == 2


moments = st.integers(0, 8).map(lambda quarter: quarter / 4)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["later", "nested", "cancel", "advance"]), moments, st.integers(0, 50)
        ),
        max_size=25,
    )
)
def test_any_program_runs_as_on_twisteds_clock(
    steps: list[tuple[str, float, int]],
) -> None:
    """Calls with many equal times, nested calls and cancels run as on Twisted's clock."""

    def program(side: Side) -> None:
        clock = side.task.Clock()
        calls: list[Any] = []

        def nested(name: int, delay: float) -> None:
            side.note("nested", name, clock.seconds())
            calls.append(clock.callLater(delay, side.note, "inner", name))
            clock.callLater(0, side.note, "at once", name)

        for number, (step, time, choice) in enumerate(steps):
            if step == "later":
                calls.append(clock.callLater(time, side.note, number))
            elif step == "nested":
                calls.append(clock.callLater(time, nested, number, choice / 25))
            elif step == "cancel" and calls:
                side.attempt(calls[choice % len(calls)].cancel)
            elif step == "advance":
                clock.advance(time)
            side.note([call.getTime() for call in clock.calls])

    same(program)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["later", "reset", "delay", "earlier", "advance"]),
            moments,
            st.integers(0, 50),
        ),
        max_size=25,
    )
)
def test_moved_calls_run_as_on_twisteds_clock(steps: list[tuple[str, float, int]]) -> None:
    """Calls that were moved back and forth run as on Twisted's clock, if no times are equal."""

    def program(side: Side) -> None:
        clock = side.task.Clock()
        calls: list[Any] = []
        for number, (step, time, choice) in enumerate(steps):
            own = time + 2.0 ** -(number + 3)  # no two sums of these are equal
            call = calls[choice % len(calls)] if calls else None
            if step == "later":
                calls.append(clock.callLater(own, side.note, number))
            elif step == "advance":
                clock.advance(time)
            elif call is not None and step == "reset":
                side.attempt(call.reset, own)
            elif call is not None:
                by = own if step == "delay" else -time
                side.attempt(call.delay, by)
            side.note(sorted(call.getTime() for call in clock.calls))
        clock.advance(100)

    same(program)


def test_defer_later_calls_when_the_time_has_come(clock: Clock) -> None:
    """The Deferred fires with what the function returns, given its arguments."""
    results: list[object] = []

    def given(*args: int, **kw: int) -> object:
        return args, kw

    deferLater(clock, 2, given, 1, two=2).addCallback(results.append)
    clock.advance(1.9)
    assert results == []
    clock.advance(0.1)
    assert results == [((1,), {"two": 2})]


def test_defer_later_without_a_function_just_fires(clock: Clock) -> None:
    """It is Twisted's sleep: the result is ``None``."""
    results: list[object] = []
    deferLater(clock, 1).addCallback(results.append)
    deferLater(clock, 1, None).addCallback(results.append)
    clock.advance(1)
    assert results == [None, None]


def test_defer_later_waits_for_a_returned_deferred(clock: Clock) -> None:
    """A Deferred that the function returns is waited for, and cancelled in its turn."""
    inner: Deferred[str] = Deferred()
    results: list[str] = []
    deferLater(clock, 1, lambda: inner).addCallback(results.append)
    clock.advance(1)
    assert results == []
    inner.callback("done")
    assert results == ["done"]


def test_defer_later_fails_with_what_the_function_raises(clock: Clock) -> None:
    """An error is the Deferred's, and does not come out of the clock."""

    def fail() -> None:
        raise LookupError("mine")

    failed = deferLater(clock, 1, fail)
    clock.advance(1)
    caught: list[BaseException] = []
    failed.addErrback(lambda failure: caught.append(failure.value))
    assert [str(error) for error in caught] == ["mine"]


def test_a_cancelled_defer_later_never_calls(clock: Clock) -> None:
    """Cancelling the Deferred takes the call out of the clock."""
    ran: list[int] = []
    caught: list[type[BaseException] | None] = []
    deferred = deferLater(clock, 1, ran.append, 1)
    deferred.addErrback(lambda failure: caught.append(failure.type))
    deferred.cancel()
    assert clock.calls == []
    clock.advance(2)
    assert ran == []
    assert caught == [CancelledError]


def test_defer_later_refuses_a_delay_at_once(clock: Clock) -> None:
    """A wrong delay is the caller's error and is raised in the caller."""

    def later(delay: Any) -> object:
        return deferLater(clock, delay)

    with pytest.raises(TypeError):
        later("1")
    with pytest.raises(ValueError, match="negative"):
        later(-1)
    assert deferLater(clock, inf).called is False
