"""What the parts of a reactor have in common, and how steps are run of which each must run.

A reactor is made of parts: the inbox, the timers, the descriptors, the pools and so on. The life
cycle knows a list of them and these methods. To add a part, make it in `Reactor._setUp` and put it
into the list there.

Thread: the loop's, except where a docstring says otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Iterable

__all__ = ["Part", "runEach"]


class Part(Protocol):
    """One part of a reactor. A subclass overrides what it needs; by default nothing is done.

    (An explicit `return` tells mypy that these bodies are meant to be empty.)

    The calls come in this order, and an exception that one of them raises is reported and keeps no
    other part from its own call::

        bind -> unbind -> bind -> ...            the loop was run for a while (`iterate`, `crash`)
        bind -> end (more than once) -> unbind   the reactor has ended; it may be bound again

    Attributes:
        external: Whether the part brings in events from outside (descriptors, connections). Such a
            part ends before the "during shutdown" triggers run, so that these find no connection
            open, and once more at the very end, for what was opened meanwhile. After a crash it is
            unbound before the others.
    """

    external: bool = False

    def bind(self, loop: AbstractEventLoop) -> None:
        """Serve on `loop` from its next turn on, with what has been kept until now."""
        return

    def unbind(self) -> None:
        """Have no loop any more. What has not been ended is kept for the next one.

        The loop may be closed already.
        """
        return

    def end(self) -> None:
        """Drop all that is held, at once, and tell its owners: the reactor ends.

        The loop is still bound, but it may be closed already. May be called again.
        """
        return

    def afterFork(self) -> None:
        """Become fit for use in the child of a fork.

        Make new locks: threads that are not in the child may hold the old ones. A part that is
        bound is thrown away after this: it lets go of what belongs to the parent (it does not shut
        down a connection, does not write into a pipe) and leaves the loop alone.
        """
        return


def runEach(
    steps: Iterable[Callable[[], object]],
    onError: Callable[[BaseException, Callable[[], object]], object],
) -> None:
    """Run each step, whatever the ones before it raised.

    Args:
        steps: The functions, in order.
        onError: Called with an exception that a step raised, and the step.
    """
    for step in steps:
        try:
            step()
        except BaseException as error:
            if not isinstance(error, Exception):
                _runAgain(step)
            onError(error, step)


def _runAgain(step: Callable[[], object]) -> None:
    """Run a step once more, as a signal's exception may have come before its first line."""
    try:
        step()
    except BaseException:
        return  # what it raised at first is reported
