"""Refuses what belongs to a reactor's thread, for work that has a reactor as its clock."""

from __future__ import annotations

from twistlike._base.error import WrongThreadError
from twistlike._reactor.reactor import Reactor

__all__ = ["checkThread"]


def checkThread(clock: object, name: str) -> None:
    """Refuse a call from another thread than a clock's, before anything has changed.

    Args:
        clock: A reactor; the thread of any other clock is not known, and nothing is refused.
        name: What was called, for the error.

    Raises:
        WrongThreadError: This is not the reactor's thread.

    Thread: any.
    """
    if isinstance(clock, Reactor) and not clock._life.enter(name):
        # The policy of the reactor is to warn, and to hand the call over. What returns a Deferred,
        # or changes an object that the reactor's thread uses, cannot be handed over.
        raise WrongThreadError(
            f"{name} cannot be handed over to the reactor's thread; "
            "use reactor.callFromThread, or threads.blockingCallFromThread, around it"
        )
