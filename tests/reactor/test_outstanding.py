"""What threads owe when the reactor ends."""

from __future__ import annotations

from typing import Any

from twistlike._reactor.waits import OutstandingDeferreds
from twistlike.internet.error import ReactorNotRunning
from twistlike.python.failure import Failure


class Call:
    """A call that notes what it is told."""

    def __init__(self, out: list[Any], error: Exception | None = None) -> None:
        self.what = None
        self.out = out
        self.error = error

    def abandon(self, failure: Failure) -> None:
        self.out.append(type(failure.value))
        if self.error is not None:
            raise self.error


def test_all_that_are_outstanding_fail_whatever_they_raise() -> None:
    """Each is told that the reactor has ended; what one of them raises is handed over."""
    out: list[Any] = []
    errors: list[BaseException] = []
    outstanding = OutstandingDeferreds(lambda error, function: errors.append(error))
    bad = ValueError("bad")
    outstanding.calls.update([Call(out, bad), Call(out)])
    outstanding.end()
    assert out == [ReactorNotRunning] * 2
    assert errors == [bad]
    assert not outstanding.calls


def test_the_last_one_may_leave_meanwhile() -> None:
    """A thread may take its call back between the look at the set and the taking of one."""

    class Emptied(set[Any]):
        """Is empty as soon as it has been looked at."""

        def __bool__(self) -> bool:
            return True

        def __len__(self) -> int:
            return 1

    outstanding = OutstandingDeferreds(lambda error, function: None)
    outstanding.calls = Emptied()
    outstanding.end()
