"""System events: phases in order, triggers used up, errors reported."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

import pytest

from tests.oracle import assertSame
from twistlike._reactor.system_events import SystemEvents
from twistlike.internet.asyncioreactor import AsyncioSelectorReactor
from twistlike.internet.defer import Deferred
from twistlike.python.failure import Failure


class EventsRecorder:
    """Events, and what happened."""

    def __init__(self) -> None:
        self.out: list[Any] = []
        self.errors: list[tuple[str, object]] = []
        self.tracebacks: list[str] = []
        self.events = SystemEvents(self.failed)

    def failed(self, failure: Failure, trigger: object) -> None:
        self.errors.append((str(failure.value), trigger))
        self.tracebacks.append(failure.getTraceback())

    def add(self, phase: str, name: str, event: str = "end") -> Any:
        return self.events.add(phase, event, self.out.append, (name,), {})


def test_phases_run_in_order() -> None:
    """Before, during, after: whatever the order in which the triggers were added."""
    recorder = EventsRecorder()
    for phase in ("after", "before", "during"):
        recorder.add(phase, phase)
    recorder.events.fire("end")
    assert recorder.out == ["before", "during", "after"]


@pytest.mark.parametrize("event", ["shutdwon", "Shutdown", "start-up", "shut down"])
def test_a_misspelt_event_is_warned_of(event: str) -> None:
    """Nobody fires it; the warning names what is meant, and the user's line."""
    reactor = AsyncioSelectorReactor()
    with pytest.warns(UserWarning, match=r"is '(shutdown|startup)' meant\?") as warned:
        reactor.addSystemEventTrigger("before", event, int)
    assert [each.filename for each in warned] == [__file__]


@pytest.mark.parametrize("event", ["startup", "shutdown", "persist", "reload", "show"])
def test_a_programs_own_event_is_not(event: str) -> None:
    """One whose name is like neither of the reactor's."""
    reactor = AsyncioSelectorReactor()
    reactor.removeSystemEventTrigger(reactor.addSystemEventTrigger("during", event, int))


def test_triggers_are_used_up() -> None:
    """An event that fires a second time finds no trigger of the first."""
    recorder = EventsRecorder()
    recorder.add("during", "once")
    recorder.events.fire("end")
    recorder.events.fire("end")
    assert recorder.out == ["once"]


def test_only_before_is_waited_for() -> None:
    """The Deferreds of the first phase hold the others up; all of them, good or bad."""
    recorder = EventsRecorder()
    gates: list[Deferred[Any]] = [Deferred(), Deferred()]
    for gate in gates:
        recorder.events.add("before", "end", lambda gate=gate: gate, (), {})
    recorder.add("during", "during")
    recorder.events.fire("end")
    gates[0].errback(ValueError("bad"))
    assert recorder.out == []
    gates[1].callback(None)
    assert recorder.out == ["during"]
    assert [text for text, _ in recorder.errors] == ["bad"]


def test_awaitables_are_waited_for_too() -> None:
    """A coroutine that a trigger before the event returns is run and waited for."""
    recorder = EventsRecorder()

    async def main() -> None:
        async def trigger() -> None:
            await asyncio.sleep(0)
            recorder.out.append("slept")

        recorder.events.add("before", "end", trigger, (), {})
        await recorder.events.before("end")

    asyncio.run(main())
    assert recorder.out == ["slept"]


def test_an_error_is_reported_with_its_trigger() -> None:
    """A trigger that raises is reported, and the others run."""
    recorder = EventsRecorder()

    def bad() -> None:
        raise SystemExit("bad")

    recorder.events.add("during", "end", bad, (), {})
    recorder.add("during", "next")
    recorder.events.fire("end")
    assert recorder.errors == [("bad", bad)]
    assert recorder.out == ["next"]


def test_an_awaited_error_is_reported_with_its_traceback() -> None:
    """A coroutine of a trigger that raises is reported with the place where it did."""
    recorder = EventsRecorder()

    async def bad() -> None:
        raise ValueError("bad")

    recorder.events.add("before", "end", bad, (), {})
    recorder.events.fire("end")
    assert recorder.errors == [("bad", bad)]
    assert 'raise ValueError("bad")' in recorder.tracebacks[0]


def test_each_trigger_runs_in_the_context_in_which_it_was_added() -> None:
    """What is set when a trigger is added it finds; what it sets the next one does not see."""
    recorder = EventsRecorder()
    user: contextvars.ContextVar[str] = contextvars.ContextVar("user", default="nobody")

    def trigger() -> None:
        recorder.out.append(user.get())
        user.set("leaked")

    async def coroutine() -> None:
        trigger()

    def addAll() -> None:
        for function in (trigger, coroutine):
            recorder.events.add("before", "end", function, (), {})
        recorder.events.add("after", "end", trigger, (), {})

    user.set("ann")
    addAll()
    user.set("bob")
    addAll()
    contextvars.Context().run(recorder.events.fire, "end")
    assert recorder.out == ["ann", "ann", "bob", "bob", "ann", "bob"]


@pytest.mark.parametrize("phase", ["before", "during", "after"])
def test_a_trigger_may_add_another_to_its_own_phase(phase: str) -> None:
    """A trigger that is added while its phase runs still runs."""
    recorder = EventsRecorder()
    recorder.events.add(phase, "end", lambda: recorder.add(phase, "added"), (), {})
    recorder.events.fire("end")
    assert recorder.out == ["added"]


@pytest.mark.parametrize("phase", ["before", "during", "after"])
def test_a_trigger_may_remove_a_later_one_of_its_own_phase(phase: str) -> None:
    """A trigger that is removed while its phase runs does not run, if it has not yet."""
    recorder = EventsRecorder()
    recorder.events.add(phase, "end", lambda: recorder.events.remove(handle), (), {})
    handle = recorder.add(phase, "gone")
    recorder.add(phase, "stays")
    recorder.events.fire("end")
    assert recorder.out == ["stays"]
    assert recorder.errors == []


def test_a_component_may_clear_up_in_its_own_trigger() -> None:
    """A trigger "before" may remove itself, until the phase is over; after that it is not there."""
    recorder = EventsRecorder()
    gate: Deferred[None] = Deferred()

    def shutDown() -> Deferred[None]:
        recorder.events.remove(handle)
        return gate

    handle = recorder.events.add("before", "end", shutDown, (), {})
    recorder.events.fire("end")
    recorder.events.remove(handle)
    assert recorder.errors == []
    gate.callback(None)
    with pytest.raises(ValueError, match="its event has fired"):
        recorder.events.remove(handle)


def test_triggers_that_change_their_event_do_as_in_twisted() -> None:
    """What triggers add to an event that fires, and remove from it, is as on Twisted."""
    assertSame(
        """
        from twisted.internet import reactor
        out = []
        def change(phase):
            out.append(phase)
            for each in ("before", "during", "after"):
                reactor.addSystemEventTrigger(each, "x", out.append, f"{each} added in {phase}")
            reactor.removeSystemEventTrigger(handles[phase])
        handles = {}
        for phase in ("after", "during", "before"):
            reactor.addSystemEventTrigger(phase, "x", change, phase)
            handles[phase] = reactor.addSystemEventTrigger(phase, "x", out.append, "never")
            reactor.addSystemEventTrigger(phase, "x", out.append, f"{phase} last")
        for number in range(3):
            reactor.fireSystemEvent("x")
            print(out)
        """
    )


def test_a_trigger_can_be_taken_back() -> None:
    """A removed trigger does not run; removing it twice, or something else, is an error."""
    recorder = EventsRecorder()
    handle = recorder.add("during", "gone")
    recorder.add("during", "stays")
    recorder.events.remove(handle)
    with pytest.raises(ValueError, match="was removed, or its event has fired"):
        recorder.events.remove(handle)
    with pytest.raises(TypeError, match="not what addSystemEventTrigger returns"):
        recorder.events.remove(5)
    recorder.events.fire("end")
    assert recorder.out == ["stays"]


def test_bad_triggers_are_refused() -> None:
    """A phase that does not exist and a trigger that cannot be called are refused at once."""
    recorder = EventsRecorder()
    with pytest.raises(KeyError, match="before, during, after"):
        recorder.add("later", "x")
    with pytest.raises(TypeError, match="callable"):
        recorder.events.add("during", "end", None, (), {})  # type: ignore[arg-type]


def test_clear_forgets_everything() -> None:
    """After clear() no trigger of any event is left."""
    recorder = EventsRecorder()
    recorder.add("during", "gone")
    recorder.events.end()
    recorder.events.fire("end")
    assert recorder.out == []
