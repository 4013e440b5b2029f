"""The inbox: calls from threads, in order, none lost, whatever happens to the loop."""

from __future__ import annotations

import contextvars
import signal
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from tests.fakeloop import FakeLoop, Rig
from twistlike._reactor import inbox as inboxModule
from twistlike._reactor.inbox import Inbox
from twistlike.internet.error import ReactorNotRunning

if TYPE_CHECKING:
    pass


class InboxRig(Rig):
    """An inbox on a loop that is stepped by hand, and what happened."""

    def __init__(self) -> None:
        super().__init__()
        self.inbox = Inbox(self.failed)

    def open(self) -> InboxRig:
        self.inbox.bind(self.loop)  # type: ignore[arg-type]
        self.loop.turn()
        return self

    def post(self, *args: object) -> None:
        self.inbox.post(self.out.append, args, {})


def test_calls_run_in_the_order_in_which_they_were_posted() -> None:
    """Calls run in the order in which they were posted, on the loop's next turn."""
    rig = InboxRig().open()
    for number in range(100):
        rig.post(number)
    assert rig.out == []
    rig.loop.turn()
    assert rig.out == list(range(100))


def test_one_wakeup_for_a_batch() -> None:
    """However many calls are posted before the loop's turn, it is woken once."""
    rig = InboxRig().open()
    for number in range(100):
        rig.post(number)
    assert rig.loop.wakeups == 1
    rig.loop.turns()
    rig.post("next")
    assert rig.loop.wakeups == 2


def test_calls_posted_before_the_start_are_kept() -> None:
    """What is posted while there is no loop runs, in order, on its first turn."""
    rig = InboxRig()
    rig.post(1)
    rig.loop.call_soon(rig.out.append, "asked for before")
    rig.inbox.bind(rig.loop)  # type: ignore[arg-type]
    rig.post(2)
    rig.loop.turn()
    assert rig.out == ["asked for before", 1, 2]
    rig.post(3)
    rig.loop.turn()
    assert rig.out == ["asked for before", 1, 2, 3]


def test_a_call_posted_by_a_call_runs_on_a_later_turn() -> None:
    """One batch a turn: a call that posts itself for ever leaves the loop's turns to others."""
    rig = InboxRig().open()

    def again() -> None:
        rig.out.append("again")
        rig.inbox.post(again, (), {})

    rig.inbox.post(again, (), {})
    rig.loop.turn()
    assert rig.out == ["again"]
    rig.loop.turn()
    assert rig.out == ["again", "again"]


def test_a_batch_is_bounded_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that takes too long leaves the rest to the next turn, still in order."""
    rig = InboxRig().open()
    clock = [0.0]
    monkeypatch.setattr(inboxModule, "monotonic", lambda: clock[0])

    def slow(number: int) -> None:
        clock[0] += inboxModule.BATCH / inboxModule.CALLS_A_LOOK
        rig.out.append(number)

    for number in range(100):
        rig.inbox.post(slow, (number,), {})
    rig.loop.turn()
    assert 0 < len(rig.out) <= 2 * inboxModule.CALLS_A_LOOK
    rig.loop.turns()
    assert rig.out == list(range(100))


def test_an_error_is_reported_and_the_rest_runs() -> None:
    """A call that raises is reported with its function; the calls after it run."""
    rig = InboxRig().open()

    def bad() -> None:
        raise SystemExit(3)

    rig.post(1)
    rig.inbox.post(bad, (), {})
    rig.post(2)
    rig.loop.turn()
    assert rig.out == [1, 2]
    assert [(type(error), function) for error, function in rig.errors] == [(SystemExit, bad)]


def test_an_error_of_a_contexts_run_is_reported_and_the_rest_runs() -> None:
    """Also where a caller has posted a context's ``run`` itself, with nothing for it to run."""
    rig = InboxRig().open()
    empty = contextvars.Context().run
    empty(rig.inbox.post, contextvars.Context().run, (), {})
    empty(rig.post, 1)
    rig.loop.turn()
    assert rig.out == [1]
    assert [type(error) for error, _ in rig.errors] == [TypeError]


def test_what_must_leave_the_loop_leaves_it_after_the_batch() -> None:
    """An error that the owner returns is raised out of the loop's turn, when the batch is done."""
    rig = InboxRig().open()
    rig.fatal = KeyboardInterrupt

    def interrupted() -> None:
        raise KeyboardInterrupt

    rig.inbox.post(interrupted, (), {})
    rig.post(1)
    with pytest.raises(KeyboardInterrupt):
        rig.loop.turn()
    assert rig.out == [1]


def test_an_interrupt_between_two_calls_loses_none() -> None:
    """A signal's exception that comes out of the reporting leaves the rest to another turn."""
    rig = InboxRig()

    def interrupted(error: BaseException, function: object) -> None:
        raise KeyboardInterrupt

    rig.inbox = Inbox(interrupted)
    rig.open()
    rig.inbox.post(lambda: 1 / 0, (), {})
    rig.post(1)
    with pytest.raises(KeyboardInterrupt):
        rig.loop.turn()
    rig.loop.turns()
    assert rig.out == [1]


def test_a_lost_wakeup_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the loop swallows a wakeup, a call 0.3 s later brings both through."""
    rig = InboxRig().open()
    clock = [10.0]
    monkeypatch.setattr(inboxModule, "monotonic", lambda: clock[0])
    rig.loop.dropWakeups = True
    rig.post(1)
    rig.loop.dropWakeups = False
    clock[0] += 0.3
    rig.post(2)
    rig.loop.turns()
    assert rig.out == [1, 2]


def test_contexts_are_propagated_and_isolated() -> None:
    """A call runs in its poster's context; what it sets there no other call sees."""
    rig = InboxRig().open()
    variable = contextvars.ContextVar("variable", default="none")
    seen: list[str] = []

    def look() -> None:
        seen.append(variable.get())
        variable.set("leaked")

    rig.inbox.post(look, (), {})
    rig.inbox.post(look, (), {})
    token = variable.set("poster's")
    rig.inbox.post(look, (), {})
    rig.inbox.post(look, (), {})
    variable.reset(token)
    rig.loop.turn()
    assert seen == ["none", "none", "poster's", "poster's"]
    assert variable.get() == "none"


def test_closing_runs_what_is_there_and_refuses_the_rest() -> None:
    """Closing runs the calls that were accepted; later ones raise and never run."""
    rig = InboxRig().open()
    rig.post(1)
    rig.inbox.end()
    assert rig.out == [1]
    with pytest.raises(ReactorNotRunning, match="has ended"):
        rig.post(2)
    rig.loop.turns()
    assert rig.out == [1]


def test_a_call_posted_by_the_last_calls_is_refused() -> None:
    """A call that is posted from within the last drain raises there, and is not run later."""
    rig = InboxRig().open()

    def late() -> None:
        with pytest.raises(ReactorNotRunning):
            rig.post("late")
        rig.out.append("refused")

    rig.inbox.post(late, (), {})
    rig.inbox.end()
    assert rig.out == ["refused"]


def test_arguments_are_not_compared_when_a_call_is_taken_back() -> None:
    """Taking a call back asks for identity: arguments whose == raises do no harm."""

    class Incomparable:
        def __eq__(self, other: object) -> bool:
            raise AssertionError("compared")

        __hash__ = None  # type: ignore[assignment]

    rig = InboxRig().open()
    rig.inbox.end()
    for _ in range(2):
        with pytest.raises(ReactorNotRunning):
            rig.post(Incomparable())


def test_a_closed_loop_refuses() -> None:
    """Once the loop was closed by somebody else, a call raises instead of vanishing."""
    rig = InboxRig().open()
    rig.loop.close()
    with pytest.raises(ReactorNotRunning):
        rig.post(1)


def test_an_inbox_can_be_opened_again() -> None:
    """After its end an inbox can serve another loop."""
    rig = InboxRig().open()
    rig.inbox.end()
    rig.loop = FakeLoop()
    rig.open()
    rig.post("again")
    rig.loop.turns()
    assert rig.out == ["again"]


def test_every_call_either_runs_or_raises_while_the_inbox_closes() -> None:
    """Threads that post while the inbox is closed: each call runs or raises, never neither."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(30):
            rig = InboxRig().open()
            refused: list[int] = []
            start = threading.Barrier(5)

            def hammer(
                base: int,
                rig: InboxRig = rig,
                refused: list[int] = refused,
                start: threading.Barrier = start,
            ) -> None:
                start.wait()
                for number in range(base, base + 200):
                    try:
                        rig.post(number)
                    except ReactorNotRunning:
                        refused.append(number)

            threads = [threading.Thread(target=hammer, args=(n * 1000,)) for n in range(4)]
            for thread in threads:
                thread.start()
            start.wait()
            rig.loop.turn()
            rig.inbox.end()
            for thread in threads:
                thread.join()
            assert sorted(rig.out + refused) == [n * 1000 + i for n in range(4) for i in range(200)]
    finally:
        sys.setswitchinterval(interval)


def test_a_signal_handler_may_post_into_an_interrupted_post() -> None:
    """A signal handler may post while the very same thread is inside post: there is no lock."""
    rig = InboxRig().open()
    before = signal.signal(signal.SIGALRM, lambda *_: rig.post("signal"))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        for number in range(20_000):
            rig.post(number)
        signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    rig.loop.turns()
    assert [item for item in rig.out if item != "signal"] == list(range(20_000))
    assert "signal" in rig.out
