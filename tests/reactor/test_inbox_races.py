"""The races that the inbox's comments name, each forced: something happens in mid-call."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextvars import Context, ContextVar
from typing import Any

import pytest

from tests.fakeloop import FakeLoop
from twistlike._reactor.inbox import CALLS_A_LOOK, Inbox
from twistlike.internet.error import ReactorNotRunning


def raiseAgain(error: BaseException, function: Callable[..., object]) -> BaseException | None:
    """No call of these tests fails."""
    raise error


class Interrupted(deque[Any]):
    """A queue to which something happens before or after the next call is appended, or when the
    calls are counted.
    """

    def __init__(self) -> None:
        super().__init__()
        self.before: list[Callable[[], object]] = []
        self.after: list[Callable[[], object]] = []
        self.measured: list[Callable[[], object]] = []

    def append(self, call: Any) -> None:
        """Append, with what is to happen."""
        while self.before:
            self.before.pop()()
        super().append(call)
        while self.after:
            self.after.pop()()

    def __len__(self) -> int:
        length = super().__len__()
        if self.measured:
            self.measured.pop(0)()
        return length


@pytest.fixture
def loop() -> FakeLoop:
    """A loop that is stepped by hand."""
    return FakeLoop()


@pytest.fixture
def inbox(loop: FakeLoop) -> Inbox:
    """An open inbox, with a queue that can be interrupted."""
    inbox = Inbox(raiseAgain)
    inbox._queue = Interrupted()
    inbox.bind(loop)  # type: ignore[arg-type]
    loop.turn()
    return inbox


def queueOf(inbox: Inbox) -> Interrupted:
    """Return the inbox's queue."""
    assert isinstance(inbox._queue, Interrupted)
    return inbox._queue


def test_closed_before_the_call_is_appended(inbox: Inbox) -> None:
    """The poster had the queue in its hands; the closer was through before it appended."""
    ran: list[int] = []
    queueOf(inbox).before.append(inbox.end)
    with pytest.raises(ReactorNotRunning):
        inbox.post(ran.append, (1,), {})
    assert ran == []


def test_closed_after_the_call_was_appended(inbox: Inbox) -> None:
    """The closer's last drain has run the call: its poster must not be told that it has not."""
    ran: list[int] = []
    queueOf(inbox).after.append(inbox.end)
    inbox.post(ran.append, (1,), {})
    assert ran == [1]


def test_closed_and_opened_anew_before_the_call_is_appended(inbox: Inbox, loop: FakeLoop) -> None:
    """The poster slept through an end and a new beginning: its call is part of that."""
    ran: list[int] = []

    def endAndBegin() -> None:
        inbox.end()
        inbox.bind(loop)  # type: ignore[arg-type]
        loop.turn()

    queueOf(inbox).before.append(endAndBegin)
    inbox.post(ran.append, (1,), {})
    loop.turn()
    assert ran == [1]


def test_closed_queue_takes_no_more_calls(inbox: Inbox) -> None:
    """What is appended after the end is refused at once: else threads keep the closer at work."""
    queue = queueOf(inbox)
    inbox.end()
    queue.before.append(lambda: pytest.fail("it was appended, to be taken back"))
    with pytest.raises(ReactorNotRunning):
        inbox.post(int, (), {})


def test_calls_do_not_see_each_others_context(inbox: Inbox, loop: FakeLoop) -> None:
    """Calls from threads with an empty context share one only as long as it is empty."""
    variable: ContextVar[str] = ContextVar("variable", default="none")
    seen: list[str] = []
    post = Context().run
    post(inbox.post, variable.set, ("leaked",), {})
    post(inbox.post, lambda: seen.append(variable.get()), (), {})
    loop.turn()
    assert seen == ["none"]


def test_waker_installed_before_the_call_is_appended(inbox: Inbox, loop: FakeLoop) -> None:
    """The loop has looked for calls, and a poster came just then: it uses the new waker."""
    ran: list[int] = []
    inbox.bind(loop)  # type: ignore[arg-type]
    queueOf(inbox).before.append(loop.turn)
    inbox.post(ran.append, (1,), {})
    assert ran == []
    loop.turn()
    assert ran == [1]


def test_waker_installed_after_the_call_was_appended(inbox: Inbox, loop: FakeLoop) -> None:
    """Its poster found no waker, or finds one: whoever installs it has run the call."""
    ran: list[int] = []
    inbox.bind(loop)  # type: ignore[arg-type]
    queueOf(inbox).after.append(loop.turn)
    inbox.post(ran.append, (1,), {})
    assert ran == [1]


def test_drained_before_the_call_is_appended(inbox: Inbox, loop: FakeLoop) -> None:
    """The pending wakeup was used up while the poster came: it asks for another one."""
    ran: list[int] = []
    inbox.post(ran.append, (1,), {})
    queueOf(inbox).before.append(loop.turn)
    inbox.post(ran.append, (2,), {})
    assert ran == [1]
    loop.turn()
    assert ran == [1, 2]


def test_drained_before_the_call_is_appended_to_many(inbox: Inbox, loop: FakeLoop) -> None:
    """The same where so many calls wait that most posters need not look any closer."""
    ran: list[int] = []
    count = 3 * CALLS_A_LOOK
    for number in range(count):
        inbox.post(ran.append, (number,), {})
    queueOf(inbox).before.append(loop.turn)
    inbox.post(ran.append, (count,), {})
    assert ran == list(range(count))
    loop.turn()
    assert ran == list(range(count + 1))


def test_batch_forgets_only_the_wakeup_that_it_came_by(inbox: Inbox, loop: FakeLoop) -> None:
    """Two wakeups are on their way: while the second is, no third is asked for."""
    inbox.post(int, (), {})
    first = inbox._wakeup
    first.askedAt = -1e9  # it seems to be lost
    inbox.post(int, (), {})
    second = inbox._wakeup
    assert loop.wakeups == 2
    inbox.drain(first)
    inbox.post(int, (), {})
    assert loop.wakeups == 2
    inbox.drainEarly()
    inbox.post(int, (), {})
    assert loop.wakeups == 2
    inbox.drain(second)
    assert len(inbox) == 0
    inbox.post(int, (), {})
    assert loop.wakeups == 3


def test_drained_after_the_call_was_appended(inbox: Inbox, loop: FakeLoop) -> None:
    """The call is in the batch; a wakeup that comes for nothing does no harm."""
    ran: list[int] = []
    inbox.post(ran.append, (1,), {})
    queueOf(inbox).after.append(loop.turn)
    inbox.post(ran.append, (2,), {})
    assert ran == [1, 2]
    loop.turn()
    assert ran == [1, 2]


def test_drained_while_the_poster_counts(inbox: Inbox, loop: FakeLoop) -> None:
    """A poster that keeps others quiet does so for the wakeup that it saw, not for the next."""
    ran: list[int] = []
    for number in range(CALLS_A_LOOK):
        inbox.post(ran.append, (number,), {})
    # put counts once, _look a second time: between that count and what follows from it.
    queueOf(inbox).after.append(lambda: queueOf(inbox).measured.extend([int, loop.turn]))
    inbox.post(ran.append, (CALLS_A_LOOK,), {})
    for number in range(CALLS_A_LOOK + 1, CALLS_A_LOOK + 5):
        inbox.post(ran.append, (number,), {})
    loop.turn()
    loop.turn()
    assert ran == list(range(CALLS_A_LOOK + 5))


def test_exit_between_two_calls_of_the_last_batch(inbox: Inbox) -> None:
    """A Ctrl-C in the middle of the closing: it gets through, and the rest has been run."""

    class Struck(deque[Any]):
        strikes = 2

        def popleft(self) -> Any:
            if self.strikes and len(self) < 4:
                self.strikes -= 1
                raise KeyboardInterrupt
            return super().popleft()

    ran: list[int] = []
    inbox._calls = Struck()
    for number in range(5):
        inbox.post(ran.append, (number,), {})
    with pytest.raises(KeyboardInterrupt):
        inbox.end()
    assert ran == list(range(5))


def test_loop_closed_while_the_inbox_is_opened_anew(inbox: Inbox) -> None:
    """A poster that still asks the old loop, which is closed, must not close the new inbox."""

    class Closing(FakeLoop):
        def call_soon_threadsafe(self, *args: Any, **kwargs: Any) -> Any:
            inbox.end()
            inbox.bind(other)  # type: ignore[arg-type]
            raise RuntimeError("Event loop is closed")

        def is_closed(self) -> bool:
            return True

    other, closing = FakeLoop(), Closing()
    ran: list[int] = []
    inbox.end()
    inbox.bind(closing)  # type: ignore[arg-type]
    closing.turn()
    inbox.post(ran.append, (1,), {})
    assert ran == [1]  # by the closer
    inbox.post(ran.append, (2,), {})


def test_another_thread_changes_the_queue_while_a_call_is_taken_back(inbox: Inbox) -> None:
    """Taking back is tried again when the queue changes under it: the call is not left behind."""

    class Changed(deque[Any]):
        changes = 3

        def remove(self, value: Any) -> None:
            if self.changes:
                self.changes -= 1
                raise IndexError("deque mutated during remove().")
            super().remove(value)

    calls = Changed()
    call = (threading.get_ident,)
    calls.append(call)
    with pytest.raises(ReactorNotRunning):
        inbox._takeBack(calls, call)
    assert not calls


def test_arguments_are_not_compared_when_a_call_is_taken_back(inbox: Inbox) -> None:
    """Calls are told apart by identity: users' ``==`` may be slow, wrong or raise."""

    class Touchy:
        def __eq__(self, other: object) -> bool:
            raise AssertionError("compared")

        __hash__ = None  # type: ignore[assignment]

    calls: deque[Any] = deque()
    function: Callable[..., object] = print
    first, second = (function, Touchy()), (function, Touchy())
    calls.extend([first, second])
    with pytest.raises(ReactorNotRunning):
        inbox._takeBack(calls, second)
    assert len(calls) == 1
    assert calls[0] is first
