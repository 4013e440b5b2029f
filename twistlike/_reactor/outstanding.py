"""The Deferreds that threads have still to fire, so that none stays silent when the reactor ends.

How it works
------------
A job in a thread sends its outcome to the inbox. When the reactor has closed its inbox no more
outcomes can come: the Deferreds that are outstanding then fail, in the reactor's thread. An outcome
that comes later finds the inbox closed and is dropped. As both happen in the reactor's thread, one
after the other, no Deferred is fired twice, and no lock is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twistlike._base.error import ReactorNotRunning
from twistlike._base.failure import Failure
from twistlike._base.functions import describeWithPlace
from twistlike._reactor.parts import Part

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class Outstanding(Protocol):
        """A call whose Deferred is still to be fired."""

        @property
        def what(self) -> object:
            """What a thread still runs for it."""

        def abandon(self, failure: Failure) -> None:
            """Fire the Deferred with an error instead."""


__all__ = ["OutstandingDeferreds"]


class OutstandingDeferreds(Part):
    """The calls of one reactor whose Deferreds are still to be fired.

    Args:
        onError: Called with an exception that came out of `abandon`, and that method.

    Attributes:
        calls: The jobs' own. A worker looks at their number: whether its job is awaited alone.
        waits: All others, such as those of queues.
    """

    def __init__(self, onError: Callable[[BaseException, Callable[..., object]], object]) -> None:
        self.calls: set[Outstanding] = set()
        self.waits: set[Outstanding] = set()
        self._onError = onError

    def end(self) -> None:
        """Fire all of them with `ReactorNotRunning`. Thread: the reactor's."""
        self._abandon(self.calls)
        self._abandon(self.waits)

    def _abandon(self, calls: set[Outstanding]) -> None:
        while calls:
            try:
                call = calls.pop()
            except KeyError:
                return  # Race: a thread whose job was refused has just taken the last one back
            try:
                call.abandon(Failure(_tooLate(call.what)))
            except BaseException as error:
                self._onError(error, call.abandon)


def _tooLate(what: object) -> ReactorNotRunning:
    """Return the error for a Deferred whose outcome will be dropped."""
    return ReactorNotRunning(
        f"the reactor has ended while a thread still ran {describeWithPlace(what)}, whose outcome"
        " is dropped"
    )
