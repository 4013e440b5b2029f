"""The queue of delayed calls: its order, its handles, and what it costs."""

from __future__ import annotations

import gc
import weakref
from contextvars import ContextVar
from decimal import Decimal
from math import inf, nan
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twistlike._timers.delays import checkDelay
from twistlike._timers.queue import DelayedCall, TimerQueue
from twistlike.internet.error import AlreadyCalled, AlreadyCancelled

if TYPE_CHECKING:
    from collections.abc import Callable


class Alarmed(TimerQueue):
    """A queue that counts how often the alarm had to be set."""

    def __init__(self, hand: Hand) -> None:
        super().__init__(lambda: hand.now)
        self.alarmTime = inf
        self._hand = hand

    def setAlarm(self, time: float) -> None:
        self.alarmTime = time
        self._hand.earlier += 1


class Hand:
    """A clock whose hand is moved by the test, and a queue on it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.earlier = 0
        self.ran: list[object] = []
        self.queue = Alarmed(self)

    def later(self, delay: float, name: object = None) -> DelayedCall:
        """Ask for a call that notes its name."""
        return self.queue.callLater(delay, self.ran.append, name)

    def runDue(self) -> list[object]:
        """Run what is due, one by one, and return the names."""
        self.ran.clear()
        while (call := self.queue.popDue(self.now)) is not None:
            call.run()
        return list(self.ran)

    def runTo(self, now: float) -> list[object]:
        """Move the hand and run what is due."""
        self.now = now
        return self.runDue()


@pytest.fixture
def hand() -> Hand:
    """A queue on a clock that stands at 0."""
    return Hand()


class Reading(float):
    """A time that counts how often it is compared."""

    compared = 0

    def __add__(self, other: float) -> Reading:
        return Reading(float(self) + other)

    def _count(self) -> float:
        Reading.compared += 1
        return float(self)

    def __lt__(self, other: float) -> bool:
        return self._count() < float(other)

    def __le__(self, other: float) -> bool:
        return self._count() <= float(other)

    def __gt__(self, other: float) -> bool:
        return self._count() > float(other)

    def __ge__(self, other: float) -> bool:
        return self._count() >= float(other)

    def __eq__(self, other: object) -> bool:
        return self._count() == other

    def __ne__(self, other: object) -> bool:
        return self._count() != other

    __hash__ = float.__hash__


def test_calls_run_in_the_order_of_their_time(hand: Hand) -> None:
    """What is due earlier runs earlier, whatever the order of asking."""
    for delay in (3, 1, 2):
        hand.later(delay, delay)
    assert hand.runTo(2) == [1, 2]
    assert hand.runTo(3) == [3]


def test_equal_times_run_in_the_order_of_asking(hand: Hand) -> None:
    """Many calls for one time, also on a clock that stands still, run first come first served."""
    for number in range(100):
        hand.later(0, number)
    assert hand.runTo(0) == list(range(100))


def test_moved_calls_keep_their_place_among_equals(hand: Hand) -> None:
    """Among equal times it is the call to ``callLater`` that counts, not the latest move."""
    first, second, third = (hand.later(delay, delay) for delay in (5, 3, 9))
    second.delay(2)
    third.reset(5)
    first.reset(5)
    assert hand.runTo(5) == [5, 3, 9]


def test_limit_leaves_what_a_batch_asks_for_to_the_next(hand: Hand) -> None:
    """A call that asks for another one at once does not keep its own batch from ending."""

    def again() -> None:
        hand.ran.append("again")
        hand.queue.callLater(0, again)

    def batch() -> list[object]:
        hand.ran.clear()
        for call in hand.queue.due(hand.now):
            call.run()
        return list(hand.ran)

    again()
    assert batch() == ["again"]
    assert batch() == ["again"]


def test_arguments_arrive(hand: Hand) -> None:
    """The function gets its positional and keyword arguments."""
    got: list[object] = []

    def function(*args: object, **kw: object) -> None:
        got.append((args, kw))

    hand.queue.callLater(0, function, 1, 2, three=3)
    hand.queue.callLater(0, function, delay=1, func=2)
    hand.runDue()
    assert got == [((1, 2), {"three": 3}), ((), {"delay": 1, "func": 2})]


def test_each_call_runs_in_a_copy_of_its_context(hand: Hand) -> None:
    """A call sees the context in which it was asked for, and what it sets stays there."""
    var: ContextVar[str] = ContextVar("var", default="none")
    seen: list[str] = []

    def look(mark: str) -> None:
        seen.append(var.get())
        var.set(mark)

    var.set("here")
    hand.queue.callLater(0, look, "first")
    hand.queue.callLater(0, look, "second")
    var.set("there")
    hand.runDue()
    assert seen == ["here", "here"]
    assert var.get() == "there"


def test_an_error_goes_to_the_owner_and_the_rest_stays(hand: Hand) -> None:
    """What a call raises comes out of ``run``; the calls after it are still there."""

    def fail() -> None:
        raise LookupError("mine")

    hand.queue.callLater(0, fail)
    hand.later(0, "next")
    with pytest.raises(LookupError, match="mine"):
        hand.runDue()
    assert hand.runDue() == ["next"]


@pytest.mark.parametrize("delay", [nan, -1, -0.001, -inf, 10**400])
def test_impossible_delays_are_refused(hand: Hand, delay: float) -> None:
    """NaN and negative delays are a ValueError that shows them, and leave no trace."""
    call = hand.later(7)
    with pytest.raises(ValueError, match="number of seconds"):
        hand.later(delay)
    with pytest.raises(ValueError, match="number of seconds"):
        call.reset(delay)
    with pytest.raises(ValueError, match="number of seconds"):
        checkDelay(delay)
    assert hand.queue.calls() == [call]
    assert call.getTime() == 7


@pytest.mark.parametrize("delay", ["1", b"1", None, 1j, [], object(), Decimal(1)])
def test_delays_that_are_no_numbers_are_refused(hand: Hand, delay: float) -> None:
    """What is not a number is a TypeError that shows it, and leaves no trace."""
    call = hand.later(7)
    for refuse in (hand.later, call.reset, call.delay, checkDelay):
        with pytest.raises(TypeError, match="a delay is a number of seconds, not "):
            refuse(delay)
    assert hand.queue.calls() == [call]
    assert call.getTime() == 7


def test_a_negative_reset_of_an_overdue_call_is_refused(hand: Hand) -> None:
    """A negative delay is refused also where the time that it gives is later than the call's."""
    call = hand.later(1)
    hand.now = 10
    with pytest.raises(ValueError, match="negative"):
        call.reset(-2)
    assert call.getTime() == 1


def test_delay_by_nan_is_refused(hand: Hand) -> None:
    """``delay`` takes negative numbers, but no NaN."""
    call = hand.later(7)
    with pytest.raises(ValueError, match="not a number"):
        call.delay(nan)
    call.delay(-3)
    assert call.getTime() == 4


def test_functions_that_cannot_be_called_are_refused(hand: Hand) -> None:
    """The caller's mistake is raised in the caller, not when the call is due."""
    with pytest.raises(TypeError, match="needs a callable"):
        hand.queue.callLater(1, "text")  # type: ignore[arg-type]
    assert hand.queue.calls() == []


def test_infinite_delay_never_comes(hand: Hand) -> None:
    """A call that is due at infinity waits there, and can be moved to a time that comes."""
    call = hand.later(inf, "late")
    assert hand.runTo(1e300) == []
    assert hand.queue.nextTime() == inf
    hand.now = 0
    call.reset(1)
    assert hand.queue.nextTime() == 1
    assert hand.runTo(1) == ["late"]


def test_cancelled_calls_never_run_and_forget_what_they_hold(hand: Hand) -> None:
    """Cancelling drops the function and its arguments at once, not when the time comes."""

    class Big:
        pass

    big = Big()
    alive = weakref.ref(big)
    call = hand.later(1, big)
    del big
    call.cancel()
    assert alive() is None
    assert not call.active()
    assert (call.cancelled, call.called) == (True, False)
    assert call.getTime() == 1
    assert hand.runTo(2) == []


def test_calls_that_ran_forget_what_they_hold(hand: Hand) -> None:
    """The handle of a call that ran keeps nothing of it alive."""

    class Big:
        def method(self) -> None:
            pass

    big = Big()
    alive = weakref.ref(big)
    call = hand.queue.callLater(0, big.method)
    del big
    hand.runDue()
    assert alive() is None
    assert (call.cancelled, call.called) == (False, True)


@pytest.mark.parametrize(
    "touch",
    [
        DelayedCall.cancel,
        lambda call: call.reset(1),
        lambda call: call.reset(inf),
        lambda call: call.reset("wrong too"),
        lambda call: call.delay(1),
        lambda call: call.delay(inf),
        lambda call: call.delay("wrong too"),
    ],
)
def test_finished_calls_cannot_be_touched(
    hand: Hand, touch: Callable[[DelayedCall], object]
) -> None:
    """Each way to change a call says whether it ran or was cancelled."""
    ran, cancelled = hand.later(0), hand.later(0)
    cancelled.cancel()
    hand.runDue()
    with pytest.raises(AlreadyCalled):
        touch(ran)
    with pytest.raises(AlreadyCancelled):
        touch(cancelled)
    assert hand.queue.calls() == []


def test_a_running_call_has_been_called(hand: Hand) -> None:
    """A call that runs just now is no longer active, and cannot cancel itself."""
    errors: list[BaseException] = []

    def cancelSelf() -> None:
        assert not call.active()
        try:
            call.cancel()
        except AlreadyCalled as error:
            errors.append(error)

    call = hand.queue.callLater(0, cancelSelf)
    hand.runDue()
    assert len(errors) == 1


def test_reset_counts_from_now_and_delay_from_then(hand: Hand) -> None:
    """``reset`` sets the time anew, ``delay`` adds to it, in both directions."""
    call = hand.later(10, "x")
    hand.now = 4
    call.reset(10)
    assert call.getTime() == 14
    call.delay(2)
    assert call.getTime() == 16
    call.delay(-5)
    assert call.getTime() == 11
    call.reset(1)
    assert call.getTime() == 5
    assert hand.runTo(4.9) == []
    assert hand.runTo(5) == ["x"]


def test_the_owner_is_told_of_an_earlier_time_only(hand: Hand) -> None:
    """The alarm has to be set anew for a call at the front, and for nothing else."""
    call = hand.later(5)
    assert hand.earlier == 1
    other = hand.later(9)
    call.reset(7)
    other.reset(8)
    assert hand.earlier == 1
    other.reset(3)
    assert hand.earlier == 2
    hand.later(1)
    assert hand.earlier == 3


def test_next_time_is_that_of_the_first_living_call(hand: Hand) -> None:
    """Cancelled, moved and finished calls do not count."""
    queue = hand.queue
    assert queue.nextTime() is None
    first, second = hand.later(1), hand.later(2)
    assert queue.nextTime() == 1
    first.delay(4)
    assert queue.nextTime() == 2
    second.cancel()
    assert queue.nextTime() == 5
    assert hand.runTo(5) == [None]
    assert queue.nextTime() is None


def test_calls_lists_each_living_call_once_in_order(hand: Hand) -> None:
    """A call that was moved back and forth has several entries, but is one call."""
    first, second, third = (hand.later(delay) for delay in (1, 2, 3))
    second.reset(0.5)
    second.reset(2)
    second.reset(0.25)
    third.cancel()
    assert hand.queue.calls() == [second, first]


def test_clear_takes_all_out(hand: Hand) -> None:
    """After ``clear`` nothing runs, and moving or cancelling what was there is harmless."""
    early, late = hand.later(1), hand.later(2)
    hand.later(3).cancel()
    assert [call.lost for call in (early, late)] == [False, False]
    assert hand.queue.clear() == [early, late]
    assert [call.lost for call in (early, late)] == [True, True]
    early.reset(0)
    late.delay(-1)
    assert hand.queue.calls() == []
    assert hand.runTo(10) == []
    early.cancel()
    hand.later(0, "new")
    assert hand.runDue() == ["new"]


def test_another_clock_keeps_the_time_that_is_left(hand: Hand) -> None:
    """Calls that wait when the clock is changed wait as long as they would have."""
    first, second = hand.later(1, 1), hand.later(5, 2)
    first.reset(3)
    second.reset(2)
    hand.queue.changeClock(lambda: hand.now + 1000)
    assert first.getTime() == 1003
    assert hand.queue.nextTime() == 1002
    first.reset(4)
    assert first.getTime() == 1004
    assert [call.getTime() for call in hand.queue.calls()] == [1002, 1004]
    hand.queue.changeClock(lambda: hand.now)
    assert hand.queue.nextTime() == 2
    assert hand.runTo(4) == [2, 1]


def test_repr_says_when_and_what(hand: Hand) -> None:
    """The text shows the seconds that are left, the state, the function and its arguments."""

    def function(*args: object, **kw: object) -> None:
        pass

    call = hand.queue.callLater(5, function, "a", key=3)
    name = function.__qualname__
    assert (
        repr(call) == f"<DelayedCall {id(call):#x} [5.0s] called=0 cancelled=0 {name}('a', key=3)>"
    )
    call.cancel()
    assert repr(call) == f"<DelayedCall {id(call):#x} [5.0s] called=0 cancelled=1>"


def test_a_handle_of_another_owner_tells_its_owner() -> None:
    """A handle that is made by hand has the clock and the two functions that it was given."""
    told: list[tuple[str, DelayedCall]] = []

    def cancelled(call: DelayedCall) -> None:
        told.append(("cancelled", call))

    def earlier(call: DelayedCall) -> None:
        told.append(("earlier", call))

    call = DelayedCall(10.0, int, (), {}, cancelled, earlier, lambda: 1.0)
    assert (call.seconds(), call.canceller, call.resetter) == (1.0, cancelled, earlier)
    call.reset(20)
    assert told == []
    call.reset(2)
    assert (call.getTime(), told) == (3.0, [("earlier", call)])
    call.cancel()
    assert told == [("earlier", call), ("cancelled", call)]


def test_calls_that_are_due_at_once_stand_in_a_line(hand: Hand) -> None:
    """They come in order by themselves; a moved or a cancelled one leaves its place."""
    late = hand.later(5, "late")
    first, second, third, fourth = (hand.later(0, number) for number in range(4))
    assert len(hand.queue._line) == 4
    second.cancel()
    third.delay(1)
    assert hand.queue.calls() == [first, fourth, third, late]
    assert hand.runDue() == [0, 3]
    assert hand.queue.nextTime() == 1
    hand.later(0, "now")
    hand.now = -1.0  # a clock of somebody's that goes back: then the heap serves
    hand.later(0, "before")
    hand.later(2, "after")
    assert hand.runTo(1) == ["before", "now", 2, "after"]


def test_handles_compare_by_time(hand: Hand) -> None:
    """Ported code sorts handles; the earlier one is the smaller."""
    early, late = hand.later(1), hand.later(2)
    assert early < late and early <= late and not late < early and not late <= early
    assert sorted([late, early]) == [early, late]


def test_moving_later_costs_comparisons_and_no_heap_work() -> None:
    """Ten moves of each of 200 calls: a comparison or two a move, and no entry more."""
    queue = TimerQueue(lambda: Reading(0.0))
    calls = [queue.callLater(10 + number, int) for number in range(200)]
    Reading.compared = 0
    for step in range(10):
        for call in calls:
            call.reset(300 + step)
    assert Reading.compared <= 2 * 10 * 200
    queue.nextTime()
    assert len(queue._heap) == 200


def test_moving_earlier_and_earlier_keeps_the_heap_small(hand: Hand) -> None:
    """The entries that moves leave behind are swept out, however long the calls live."""
    calls = [hand.later(1e6) for _ in range(10)]
    for _ in range(5_000):
        for call in calls:
            call.delay(-1)
    assert len(hand.queue._heap) <= 200
    assert hand.queue.nextTime() == 1e6 - 5_000


def test_many_cancels_leave_no_memory_behind(hand: Hand) -> None:
    """100,000 timeouts that were cancelled in time leave neither entries nor handles."""
    kept = [hand.later(100, number) for number in range(10)]
    for _ in range(100_000):
        hand.later(60).cancel()
    assert len(hand.queue._heap) <= 200
    gc.collect()
    handles = sum(isinstance(found, DelayedCall) for found in gc.get_objects())
    assert handles <= 400
    assert hand.queue.calls() == kept
    assert hand.runTo(100) == list(range(10))


def test_an_idle_queue_keeps_nothing(hand: Hand) -> None:
    """When all calls ran, no entry is left, not even of those that were moved or cancelled."""
    for number in range(50):
        call = hand.later(10 + number)
        call.reset(1 + number)
        if number % 3 == 0:
            call.cancel()
    hand.runTo(100)
    assert hand.queue.nextTime() is None
    assert hand.queue._heap == []
    assert hand.queue._dead == 0


class Model:
    """The same rules in the simplest way: a list that is sorted whenever something is to run."""

    def __init__(self) -> None:
        self.calls: list[tuple[float, int]] = []

    def add(self, time: float, number: int) -> None:
        """Note a call, or another time for one."""
        self.drop(number)
        self.calls.append((time, number))

    def drop(self, number: int) -> None:
        """Forget a call."""
        self.calls = [entry for entry in self.calls if entry[1] != number]

    def due(self, now: float) -> list[int]:
        """Take out what is due."""
        due = sorted(entry for entry in self.calls if entry[0] <= now)
        self.calls = [entry for entry in self.calls if entry[0] > now]
        return [number for _, number in due]


# Few and round times, so that equal ones are frequent and sums are exact.
times = st.integers(min_value=0, max_value=12).map(lambda quarter: quarter / 4)
which = st.integers(min_value=0, max_value=1_000)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("later"), times, which),
        st.tuples(st.just("cancel"), times, which),
        st.tuples(st.just("reset"), times, which),
        st.tuples(st.just("delay"), times, which),
        st.tuples(st.just("earlier"), times, which),
        st.tuples(st.just("advance"), times, which),
        st.tuples(st.just("shift"), times, which),
    ),
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(steps, st.sampled_from([0, 64]))
def test_the_queue_does_what_a_sorted_list_does(
    program: list[tuple[str, float, int]], sweepAt: int
) -> None:
    """Any sequence of asking, cancelling, moving and waiting runs as on a plain sorted list."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("twistlike._timers.queue.SWEEP_AT", sweepAt)
        checkAgainstModel(program)


def checkAgainstModel(program: list[tuple[str, float, int]]) -> None:
    """Run a program on the queue and on the model, and compare after each step."""
    hand, model = Hand(), Model()
    calls: list[DelayedCall] = []
    for step, time, choice in program:
        call = calls[choice % len(calls)] if calls else None
        number = choice % len(calls) if calls else 0
        if step == "later":
            model.add(hand.now + time, len(calls))
            calls.append(hand.later(time, len(calls)))
        elif step == "advance":
            assert hand.runTo(hand.now + time) == model.due(hand.now)
        elif step == "shift":
            hand.queue.changeClock(lambda: hand.now + 8)
            hand.queue.changeClock(lambda: hand.now)
        elif call is not None and call.active():
            if step == "cancel":
                call.cancel()
                model.drop(number)
                continue
            if step == "reset":
                call.reset(time)
            else:
                call.delay(time if step == "delay" else -time)
            model.add(call.getTime(), number)
        expected = sorted(model.calls)
        assert [(call.getTime(), call.number - 1) for call in hand.queue.calls()] == expected
        assert hand.queue.nextTime() == (expected[0][0] if expected else None)
    assert hand.runTo(inf) == model.due(inf)
    assert hand.queue._heap == [] and hand.queue._dead == 0


def test_handles_take_foreign_attributes(hand: Hand) -> None:
    """Programs note their own things on a handle."""
    call: Any = hand.later(1)
    call.purpose = "mine"
    assert vars(call) == {"purpose": "mine"}


def test_debug_mode_notes_who_asked(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    """With debug, a handle knows the stack that asked for the call, down to our caller, and shows
    it."""
    assert not hasattr(hand.later(1), "creator")
    monkeypatch.setattr(DelayedCall, "debug", True)
    call = hand.later(1)
    assert "in later\n" in call.creator[-1]
    assert "test_debug_mode_notes_who_asked" in call.creator[-2]
    assert f"\n\ntraceback at creation: \n\n{''.join(call.creator)}>" in repr(call)
