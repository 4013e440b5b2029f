"""System events: what happens when the reactor starts and when it ends.

Thread: the reactor's.
"""

from __future__ import annotations

import warnings
from contextvars import copy_context
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from twistlike._base.coroutines import checkGenerator
from twistlike._base.failure import Failure
from twistlike._base.functions import describe
from twistlike._base.reflect import safe_repr
from twistlike._defer.coroutines import fromAwaitable, startCoroutine
from twistlike._defer.deferred import Deferred, succeed
from twistlike._reactor.parts import Part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextvars import Context

    from twistlike._defer.combinators import DeferredList

    Call = tuple[Callable[..., object], tuple[object, ...], Mapping[str, object]]
    Trigger = tuple[Call, Context]
    Handle = tuple[str, tuple[str, Callable[..., object], tuple[object, ...], Mapping[str, object]]]

__all__ = ["SystemEvents", "checkPhase", "warnOfMisspelt"]

PHASES = ("before", "during", "after")

# The events that a reactor fires by itself.
REACTORS = ("startup", "shutdown")


def checkPhase(phase: str) -> None:
    """Raise KeyError if there is no such phase."""
    if phase not in PHASES:
        raise KeyError(f"invalid phase {phase!r}: it is one of {', '.join(PHASES)}")


class SystemEvents(Part):
    """The triggers of each event, by phase.

    An event fires in three phases: `before`, whose Deferreds and awaitables are waited for, then
    `during`, then `after`. A trigger is used up when it runs. Those that are added to a phase
    or removed from it while it runs count. A trigger runs in a copy of the context in which it was
    added. One that raises is reported and the others run.

    Args:
        onError: Called with the failure of a trigger, or of what it returned, and the trigger.
    """

    def __init__(self, onError: Callable[[Failure, Callable[..., object]], object]) -> None:
        self._onError = onError
        self._triggers: dict[str, dict[str, list[Trigger]]] = {}
        # What has run of the first phase of an event, as long as that phase lasts.
        self._hadBefore: dict[str, list[Call]] = {}
        self._waitForAll: type[DeferredList] | None = None

    def add(
        self,
        phase: str,
        event: str,
        function: Callable[..., object],
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
    ) -> Handle:
        """Add a trigger; the result is for `remove`.

        Raises:
            KeyError: If the phase is not `before`, `during` or `after`.
            TypeError: If `function` is not callable.
        """
        handle = self.handleOf(phase, event, function, args, kwargs)
        if phase == "before" and self._waitForAll is None:
            # Now, and not when the event fires: at the end of a program that has run out of
            # descriptors no module can be read.
            from twistlike._defer.combinators import DeferredList

            self._waitForAll = DeferredList
        phases = self._triggers.setdefault(event, {phase: [] for phase in PHASES})
        phases[phase].append(((function, args, kwargs), copy_context()))
        return handle

    def handleOf(
        self,
        phase: str,
        event: str,
        function: Callable[..., object],
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
    ) -> Handle:
        """Check a trigger, and return what `add` returns for it. Thread: any.

        Raises:
            KeyError: If the phase is not `before`, `during` or `after`.
            TypeError: If `function` is not callable.
        """
        checkPhase(phase)
        if not callable(function):
            raise TypeError(
                f"a system event trigger must be callable, {safe_repr(function)} is not"
            )
        return event, (phase, function, args, kwargs)

    def remove(self, handle: object) -> None:
        """Remove a trigger. One that has run in the phase `before`, which lasts, is gone already.

        Args:
            handle: What `add` returned for it.

        Raises:
            ValueError: If there is no such trigger (any more).
            KeyError: If the phase is not `before`, `during` or `after`.
            TypeError: If `add` never returned such a thing.
        """
        match handle:
            case (str(event), (str(phase), function, args, kwargs)):
                checkPhase(phase)
                triggers = self._triggers.get(event, {}).get(phase, [])
                for number, (call, _) in enumerate(triggers):
                    if call == (function, args, kwargs):
                        del triggers[number]
                        return
                if phase == "before" and (function, args, kwargs) in self._hadBefore.get(event, ()):
                    return  # a component that clears up while the event fires, as Twisted lets it
                raise ValueError(
                    f"there is no trigger {describe(function)} {phase} {event}: it was removed, "
                    "or its event has fired"
                )
            case _:
                raise TypeError(f"not what addSystemEventTrigger returns: {handle!r}")

    def before(self, event: str) -> Deferred[Any]:
        """Run the triggers of the first phase.

        Returns:
            A Deferred that fires when all that they returned has come, good or bad.
        """
        waiting: list[Deferred[object]] = []
        had = self._hadBefore[event] = []
        for trigger in self._each(event, "before"):
            call, context = trigger
            had.append(call)
            result = self._run(trigger)
            deferred = context.run(fromAwaitable, result)  # a coroutine takes its first step here
            if deferred is not None:
                deferred.addErrback(self._awaitedFailed, call[0])
                waiting.append(deferred)
        if not waiting:
            return succeed(None)
        assert self._waitForAll is not None, "add() has imported it"
        return self._waitForAll(waiting)

    def fire(self, event: str) -> None:
        """Fire an event, all three phases."""
        self.before(event).addCallback(self._fireRest, event)

    def count(self, event: str) -> int:
        """Return how many triggers wait for an event. Thread: any."""
        return sum(map(len, self._triggers.get(event, {}).values()))

    def end(self) -> None:
        """Forget all triggers."""
        self._triggers.clear()
        self._hadBefore.clear()

    def during(self, event: str) -> None:
        """Run the triggers of the second phase."""
        self._hadBefore.pop(event, None)
        self._runAll(event, "during")

    def after(self, event: str) -> None:
        """Run the triggers of the third phase."""
        self._runAll(event, "after")

    def _fireRest(self, ignored: object, event: str) -> None:
        self.during(event)
        self.after(event)

    def _runAll(self, event: str, phase: str) -> None:
        for trigger in self._each(event, phase):
            result = self._run(trigger)
            if type(result) is CoroutineType:
                (function, _, _), context = trigger
                context.run(startCoroutine, result, function)

    def _each(self, event: str, phase: str) -> Iterator[Trigger]:
        """Take the triggers of a phase out, one by one: what runs may add and remove others."""
        triggers = self._triggers.get(event, {}).get(phase)
        while triggers:
            yield triggers.pop(0)

    def _awaitedFailed(self, failure: Failure, function: Callable[..., object]) -> None:
        self._onError(failure, function)

    def _run(self, trigger: Trigger) -> object:
        (function, args, kwargs), context = trigger
        try:
            result = context.run(function, *args, **kwargs)
            checkGenerator(result, function)
            return result
        except BaseException as error:
            self._onError(Failure.fromException(error), function)
            return None


def warnOfMisspelt(event: object) -> None:
    """Warn of an event whose name is nearly that of one of the reactor's: nobody may fire it."""
    if event in REACTORS:
        return
    from difflib import get_close_matches  # for events of a program's own alone

    for meant in get_close_matches(str(event), REACTORS, 1, 0.75):
        warnings.warn(
            f"the reactor has no event {event!r}, so this trigger runs only if the program calls"
            f" fireSystemEvent({event!r}): is {meant!r} meant?",
            stacklevel=3,
        )
