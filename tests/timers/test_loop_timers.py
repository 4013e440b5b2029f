"""The timers on a loop: one alarm, batches, clocks that change."""

from __future__ import annotations

from traceback import walk_tb
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakeloop import FakeLoop, Rig
from twistlike._timers import loop_timers
from twistlike._timers.loop_timers import LoopTimers

if TYPE_CHECKING:
    pass


class TimersRig(Rig):
    """Timers on a loop that is stepped by hand, and what happened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        monkeypatch.setattr(loop_timers, "clockOf", lambda loop: loop.time)
        self.mayEnter = True
        self.timers = LoopTimers(self.failed, lambda: self.out.append("first"), self.enter)

    def enter(self, name: str) -> bool:
        assert name in ("delayedCall.reset", "delayedCall.cancel")
        return self.mayEnter

    def bind(self) -> None:
        self.timers.bind(self.loop)  # type: ignore[arg-type]

    @property
    def ran(self) -> list[Any]:
        return [item for item in self.out if item != "first"]


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> TimersRig:
    """Timers that are bound to a loop."""
    rig = TimersRig(monkeypatch)
    rig.bind()
    return rig


def test_calls_run_when_they_are_due(rig: TimersRig) -> None:
    """A call runs at its time, not before."""
    rig.timers.callLater(1.0, rig.out.append, "one")
    rig.timers.callLater(0.5, rig.out.append, "half")
    rig.loop.advance(0.4)
    assert rig.ran == []
    rig.loop.advance(0.2)
    assert rig.ran == ["half"]
    rig.loop.advance(0.5)
    assert rig.ran == ["half", "one"]


def test_calls_from_threads_come_first(rig: TimersRig) -> None:
    """Before each batch the owner's hook runs: calls from threads, in a reactor."""
    rig.timers.callLater(0, rig.out.append, "timer")
    rig.loop.turns()
    assert rig.out == ["first", "timer"]


def test_what_a_batch_asks_for_comes_on_a_later_turn(rig: TimersRig) -> None:
    """A call that asks for itself at once again and again does not keep the loop from others."""

    def again() -> None:
        rig.out.append("again")
        rig.timers.callLater(0, again)

    rig.timers.callLater(0, again)
    rig.loop.turn()
    assert rig.ran == ["again"]
    rig.loop.turn()
    assert rig.ran == ["again", "again"]


def test_an_earlier_call_moves_the_alarm(rig: TimersRig) -> None:
    """A call that is due before all others is not late."""
    rig.timers.callLater(10, rig.out.append, "late")
    rig.timers.callLater(1, rig.out.append, "early")
    rig.loop.advance(1)
    assert rig.ran == ["early"]


def test_a_call_moved_earlier_in_another_thread_wakes_the_loop(rig: TimersRig) -> None:
    """Where that is only warned of, the alarm is set by the loop's own thread, at once."""
    call = rig.timers.callLater(10.0, rig.out.append, "moved")
    rig.mayEnter = False
    call.reset(0.5)
    assert rig.loop.wakeups == 1
    rig.mayEnter = True
    rig.loop.advance(0.6)
    assert rig.ran == ["moved"]


def test_a_cancelled_call_does_not_run(rig: TimersRig) -> None:
    """A call that an earlier one of the same batch cancels does not run."""
    rig.timers.callLater(0, lambda: second.cancel())
    second = rig.timers.callLater(0, rig.out.append, "never")
    rig.loop.turns()
    assert rig.ran == []


def test_a_call_moved_by_its_batch_runs_at_its_new_time(rig: TimersRig) -> None:
    """A call that an earlier one of the same batch moves later runs then."""
    rig.timers.callLater(1, lambda: second.reset(1))
    second = rig.timers.callLater(1, rig.out.append, "moved")
    rig.loop.advance(1.5)
    assert rig.ran == []
    rig.loop.advance(0.6)
    assert rig.ran == ["moved"]


def test_an_error_is_reported_and_the_rest_runs(rig: TimersRig) -> None:
    """A call that raises is reported, those after it run, and the alarm is set again."""
    rig.timers.callLater(0, lambda: 1 / 0)
    rig.timers.callLater(0, rig.out.append, "rest")
    rig.timers.callLater(1, rig.out.append, "later")
    rig.loop.advance(2)
    assert [type(error) for error, _ in rig.errors] == [ZeroDivisionError]
    assert rig.ran == ["rest", "later"]


def test_what_must_leave_the_loop_leaves_it_after_the_batch(rig: TimersRig) -> None:
    """An error that the owner gives back is raised once the batch is done; timers go on."""
    rig.fatal = KeyboardInterrupt

    def interrupted() -> None:
        raise KeyboardInterrupt

    rig.timers.callLater(0, interrupted)
    rig.timers.callLater(0, rig.out.append, "rest")
    rig.timers.callLater(1, rig.out.append, "later")
    with pytest.raises(KeyboardInterrupt):
        rig.loop.turn()
    assert rig.ran == ["rest"]
    rig.loop.advance(1)
    assert rig.ran == ["rest", "later"]


def test_what_waits_without_a_loop_runs_once_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls that were asked for before there was a loop wait only what is left of their time."""
    rig = TimersRig(monkeypatch)
    clock = [100.0]
    monkeypatch.setattr(rig.timers, "seconds", lambda: clock[0])
    rig.timers.callLater(3, rig.out.append, "late")
    clock[0] += 2
    rig.bind()
    rig.loop.advance(0.9)
    assert rig.ran == []
    rig.loop.advance(0.2)
    assert rig.ran == ["late"]


def test_unbinding_keeps_what_waits(rig: TimersRig) -> None:
    """Without a loop nothing runs, and what is left of the time is kept for the next loop."""
    rig.timers.callLater(3, rig.out.append, "late")
    rig.loop.advance(2)
    rig.timers.unbind()
    rig.loop.advance(10)
    assert rig.ran == []
    rig.loop = FakeLoop()
    rig.bind()
    rig.loop.advance(1.1)
    assert rig.ran == ["late"]


def test_an_alarm_that_comes_too_early_is_set_once(rig: TimersRig) -> None:
    """A loop that wakes too early (uvloop counts milliseconds) is not asked in a busy circle."""
    rig.timers.callLater(0.0004, rig.out.append, "due")
    rig.loop.now = 0.0
    handle = rig.loop._later[0][2]
    handle.run()  # too early: nothing is due
    assert rig.ran == []
    handle.cancel()
    assert rig.loop.turn() == 0
    rig.loop.advance(0.002)
    assert rig.ran == ["due"]


def test_an_errors_traceback_begins_in_the_call(rig: TimersRig) -> None:
    """What is handed on of a failed call has one frame of ours, which the receiver drops."""

    def fail() -> None:
        raise ValueError

    rig.timers.callLater(0, fail)
    rig.loop.advance(1)
    ((error, _),) = rig.errors
    names = [frame.f_code.co_name for frame, _ in walk_tb(error.__traceback__)]
    assert names == ["run", "fail"]
