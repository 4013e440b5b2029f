"""``Cooperator``, its tasks, and the cooperators of reactors."""

from __future__ import annotations

import asyncio
import gc
import weakref
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracle import run
from tests.tasks.sides import Side, same
from twistlike.internet.defer import Deferred, succeed
from twistlike.internet.task import (
    CooperativeTask,
    Cooperator,
    NotPaused,
    SchedulerStopped,
    TaskDone,
    TaskFailed,
    TaskStopped,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Scheduler:
    """Makes ticks when the test says so, and notes what it was asked for."""

    def __init__(self, note: Callable[..., object]) -> None:
        self.asked: list[Callable[[], None]] = []
        self.note = note

    def __call__(self, tick: Callable[[], None]) -> Asked:
        self.asked.append(tick)
        self.note("asked for a tick")
        return Asked(self, tick)

    def step(self) -> None:
        """Make the ticks that were asked for."""
        asked, self.asked = self.asked, []
        for tick in asked:
            tick()


class Asked:
    """The handle of a tick."""

    def __init__(self, scheduler: Scheduler, tick: Callable[[], None]) -> None:
        self.scheduler = scheduler
        self.tick = tick

    def cancel(self) -> None:
        """Take it back."""
        self.scheduler.asked.remove(self.tick)
        self.scheduler.note("took it back")


def make(side: Side, stepsInATick: int = 1, started: bool = True) -> tuple[Scheduler, Any]:
    """Return a cooperator of one side that makes so many steps in a tick, and its scheduler."""
    scheduler = Scheduler(side.note)

    def factory() -> Callable[[], bool]:
        left = stepsInATick
        side.note("tick")

        def isOver() -> bool:
            nonlocal left
            left -= 1
            return left <= 0

        return isOver

    return scheduler, side.task.Cooperator(factory, scheduler, started)


def counting(side: Side, name: str, steps: int) -> Iterator[None]:
    """An iterator that notes its steps."""
    for step in range(steps):
        side.note(name, step)
        yield


@pytest.fixture
def ours() -> tuple[Scheduler, Cooperator]:
    """A cooperator with a tick for each step."""
    scheduler = Scheduler(lambda *_: None)
    return scheduler, Cooperator(lambda: lambda: True, scheduler)


def outcomeOf(task: CooperativeTask[Any]) -> object:
    """Return what a task's Deferred has fired with: the type of its error, or its result."""
    found: list[object] = ["nothing"]
    task.whenDone().addCallbacks(found.append, lambda failure: found.append(failure.type))
    return found[-1]


@pytest.mark.parametrize("stepsInATick", [1, 2, 3, 10])
def test_tasks_take_turns_as_in_twisted(stepsInATick: int) -> None:
    """Steps, ticks and the order of both are Twisted's, however long a tick is."""

    def program(side: Side) -> None:
        scheduler, cooperator = make(side, stepsInATick)
        for name, steps in (("a", 3), ("b", 1), ("c", 4)):
            side.watch(cooperator.cooperate(counting(side, name, steps)).whenDone(), name)
        for _ in range(15):
            side.note("step")
            scheduler.step()

    assert ("c", "fired", "generator") in same(program)


def test_tasks_that_come_in_a_tick_take_turns_at_once() -> None:
    """A task that a step adds gets its turn in the same tick."""

    def program(side: Side) -> None:
        scheduler, cooperator = make(side, 10)

        def adding() -> Iterator[None]:
            side.note("adding 0")
            yield
            cooperator.cooperate(counting(side, "new", 3))
            side.note("adding 1")
            yield

        cooperator.cooperate(adding())
        cooperator.cooperate(counting(side, "old", 4))
        for _ in range(3):
            scheduler.step()

    same(program)


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 5),
    st.booleans(),
    st.lists(
        st.tuples(
            st.sampled_from(["step", "step", "add", "pause", "resume", "stop", "fail", "start"]),
            st.integers(0, 20),
        ),
        max_size=25,
    ),
)
def test_any_program_runs_as_on_twisteds_cooperator(
    stepsInATick: int, started: bool, steps: list[tuple[str, int]]
) -> None:
    """Any sequence of adding, pausing, resuming, stopping and ticks gives Twisted's transcript."""

    def failing(side: Side, name: str) -> Iterator[None]:
        yield
        side.note(name, "fails")
        raise LookupError(name)

    def program(side: Side) -> None:
        scheduler, cooperator = make(side, stepsInATick, started)
        tasks: list[Any] = []
        for number, (step, choice) in enumerate(steps):
            task = tasks[choice % len(tasks)] if tasks else None
            side.note("program", step)
            if step == "step":
                scheduler.step()
            elif step == "start":
                cooperator.start()
            elif step in ("add", "fail"):
                name = f"task {number}"
                iterator = counting(side, name, choice) if step == "add" else failing(side, name)
                tasks.append(cooperator.cooperate(iterator))
                side.watch(tasks[-1].whenDone(), name)
            elif task is not None:
                side.attempt(getattr(task, step))
        side.note(cooperator.running)
        for _ in range(30):
            scheduler.step()

    same(program)


def test_steps_may_pause_and_stop_their_own_task_and_others() -> None:
    """What a step does to its own task or to another takes effect as in Twisted."""

    def program(side: Side) -> None:
        scheduler, cooperator = make(side, 10)
        tasks: dict[str, Any] = {}

        def acting(name: str, at: int, what: str, whom: str) -> Iterator[None]:
            for step in range(6):
                side.note(name, step)
                if step == at:
                    side.attempt(getattr(tasks[whom], what))
                yield

        for name, at, what, whom in (
            ("a", 1, "pause", "b"),
            ("b", 9, "", ""),
            ("c", 2, "stop", "c"),
            ("d", 3, "pause", "d"),
            ("e", 4, "resume", "b"),
            ("f", 1, "stop", "a"),
        ):
            tasks[name] = cooperator.cooperate(acting(name, at, what, whom))
            side.watch(tasks[name].whenDone(), name)
        for _ in range(8):
            side.note("step")
            scheduler.step()

    same(program)


def test_a_task_waits_for_the_deferreds_that_it_gives() -> None:
    """The next step comes when the Deferred has fired; its result is left ``None``."""

    def program(side: Side) -> None:
        scheduler, cooperator = make(side)
        given = [side.defer.Deferred() for _ in range(3)]
        task = cooperator.cooperate(iter(given))
        side.watch(task.whenDone(), "task")
        scheduler.step()
        side.note(scheduler.asked == [])
        side.watch(given[0], "given 0")
        given[0].callback("result")
        scheduler.step()
        task.pause()
        given[1].callback(1)
        side.note(scheduler.asked == [])
        task.resume()
        scheduler.step()
        given[2].errback(KeyError("k"))
        side.attempt(task.stop)
        side.attempt(task.pause)

    same(program)


def test_deferreds_that_have_fired_do_not_hold_a_task_up() -> None:
    """A Deferred with a result is waited for without waiting."""

    def program(side: Side) -> None:
        scheduler, cooperator = make(side)
        task = cooperator.cooperate(iter([side.defer.succeed(1), side.defer.succeed(2)]))
        side.watch(task.whenDone(), "task")
        for _ in range(4):
            side.note("step")
            scheduler.step()

    same(program)


def test_a_stopped_task_leaves_its_deferred_alone() -> None:
    """Stopping a task that waits does not cancel what it waits for, which then does nothing."""

    def program(side: Side) -> None:
        scheduler, cooperator = make(side)
        given = side.defer.Deferred(lambda _: side.note("cancelled"))
        task = cooperator.cooperate(iter([given, 2, 3]))
        side.watch(task.whenDone(), "task")
        scheduler.step()
        task.stop()
        given.callback(1)
        side.note(scheduler.asked == [])

    same(program)


def test_a_failure_after_the_stop_stays_with_its_deferred(
    ours: tuple[Scheduler, Cooperator],
) -> None:
    """A stopped task does not swallow the error of what it waited for."""
    scheduler, cooperator = ours
    gate: Deferred[None] = Deferred()
    task = cooperator.cooperate(iter([gate]))
    scheduler.step()
    task.stop()
    gate.errback(LookupError())
    caught: list[object] = []
    gate.addErrback(lambda failure: caught.append(failure.type))
    assert caught == [LookupError]
    assert outcomeOf(task) is TaskStopped


@pytest.mark.parametrize("after", ["end", "error", "deferred"])
def test_a_task_that_stops_itself_is_stopped(
    ours: tuple[Scheduler, Cooperator], after: str
) -> None:
    """What a step does after it has stopped its own task does not change how the task ended."""
    scheduler, cooperator = ours
    gate: Deferred[None] = Deferred()

    def stopping() -> Iterator[object]:
        task.stop()
        if after == "error":
            raise LookupError
        if after == "deferred":
            yield gate

    task = cooperator.cooperate(stopping())
    done = task.whenDone()
    scheduler.step()
    gate.callback(None)
    assert scheduler.asked == []
    caught: list[object] = []
    done.addErrback(lambda failure: caught.append(failure.type))
    assert caught == [TaskStopped]
    with pytest.raises(TaskStopped):
        task.pause()


async def value(result: object) -> object:
    """A coroutine."""
    return result


def test_a_task_waits_for_coroutines(ours: tuple[Scheduler, Cooperator]) -> None:
    """A coroutine that the iterator gives is run, and its error is the task's."""
    scheduler, cooperator = ours
    gate: Deferred[None] = Deferred()
    ran: list[str] = []

    async def wait() -> None:
        await gate
        ran.append("waited")

    async def fail() -> None:
        raise LookupError("mine")

    task = cooperator.cooperate(iter([wait(), fail(), value("never")]))
    scheduler.step()
    assert scheduler.asked == []
    gate.callback(None)
    assert ran == ["waited"]
    scheduler.step()
    assert outcomeOf(task) is LookupError
    asyncio.run(next(task._iterator))  # the one that was never given


@pytest.mark.parametrize("wrong", [[1, 2], 5])
def test_what_is_no_iterator_fails_in_its_task(wrong: Any) -> None:
    """An object without ``__next__`` is the task's failure, as in Twisted."""

    def program(side: Side) -> None:
        scheduler, cooperator = make(side)
        side.watch(cooperator.cooperate(wrong).whenDone(), "task")
        scheduler.step()

    assert same(program)[-1][:3] == ("task", "failed", "TypeError")  # type: ignore[index]


def test_errors_say_how_the_task_ended(ours: tuple[Scheduler, Cooperator]) -> None:
    """Each end has its own exception, for ``stop`` and ``pause``; ``resume`` wants a pause."""
    scheduler, cooperator = ours
    nothing: list[int] = []
    noText: Any = 1
    done, stopped = cooperator.cooperate(iter(nothing)), cooperator.cooperate(iter([1]))
    failed = cooperator.cooperate(map(len, [noText]))
    stopped.stop()
    for _ in range(3):
        scheduler.step()
    late = cooperator.cooperate(iter([1]))
    cooperator.stop()
    for task, error in (
        (done, TaskDone),
        (stopped, TaskStopped),
        (failed, TaskFailed),
        (late, SchedulerStopped),
    ):
        for refuse in (task.stop, task.pause):
            with pytest.raises(error):
                refuse()
        with pytest.raises(NotPaused):
            task.resume()
    assert outcomeOf(failed) is TypeError


def test_resume_does_not_overrun_a_wait(ours: tuple[Scheduler, Cooperator]) -> None:
    """A task that waits for a Deferred cannot be resumed unless somebody has paused it."""
    scheduler, cooperator = ours
    gate: Deferred[None] = Deferred()
    task = cooperator.cooperate(iter([gate, "second"]))
    scheduler.step()
    with pytest.raises(NotPaused):
        task.resume()
    task.pause()
    task.resume()
    assert scheduler.asked == []
    gate.callback(None)
    assert len(scheduler.asked) == 1


def test_stop_ends_all_tasks(ours: tuple[Scheduler, Cooperator]) -> None:
    """No task is left waiting for ever when its cooperator stops."""
    scheduler, cooperator = ours
    tasks = [cooperator.cooperate(iter([1])) for _ in range(5)]
    tasks[2].pause()
    cooperator.stop()
    assert not cooperator.running
    assert scheduler.asked == []
    tasks[2].resume()
    assert [outcomeOf(task) for task in tasks] == [SchedulerStopped] * 5
    assert outcomeOf(cooperator.cooperate(iter([1]))) is SchedulerStopped


def test_a_stopped_cooperator_can_be_started_again() -> None:
    """After ``start`` new tasks run; those that were stopped do not come back."""

    def program(side: Side) -> None:
        scheduler, cooperator = make(side)
        side.watch(cooperator.cooperate(counting(side, "old", 2)).whenDone(), "old")
        cooperator.stop()
        cooperator.start()
        side.note(cooperator.running)
        side.watch(cooperator.cooperate(counting(side, "new", 1)).whenDone(), "new")
        for _ in range(3):
            scheduler.step()

    same(program)


def test_coiterate_returns_the_deferred_of_the_end() -> None:
    """A new Deferred, or the one that it was given; with the iterator or the error."""

    def failing() -> Iterator[None]:
        yield
        raise LookupError("mine")

    def program(side: Side) -> None:
        scheduler, cooperator = make(side, 5)
        side.watch(cooperator.coiterate(counting(side, "a", 1)), "a")
        mine = side.defer.Deferred()
        side.note(cooperator.coiterate(counting(side, "b", 1), mine) is mine)
        side.watch(mine, "b")
        side.watch(cooperator.coiterate(failing()), "c")
        for _ in range(3):
            scheduler.step()

    same(program)


def test_a_tick_that_raises_does_not_end_the_cooperator() -> None:
    """If the caller's predicate raises, the next tick is asked for all the same."""
    scheduler = Scheduler(lambda *_: None)
    raising = [True]

    def factory() -> Callable[[], bool]:
        if raising.pop():
            raise LookupError("mine")
        return lambda: True

    raising[:0] = [False] * 5
    cooperator = Cooperator(factory, scheduler)
    nothing: list[int] = []
    task = cooperator.cooperate(iter(nothing))
    with pytest.raises(LookupError):
        scheduler.step()
    scheduler.step()
    assert outcomeOf(task) is not SchedulerStopped
    with pytest.raises(TaskDone):
        task.stop()


def test_a_step_keeps_the_context_of_its_task(ours: tuple[Scheduler, Cooperator]) -> None:
    """All steps of a task share one copy of the context in which it was begun."""
    scheduler, cooperator = ours
    var: ContextVar[str] = ContextVar("var", default="none")
    seen: list[str] = []

    def steps(name: str) -> Iterator[None]:
        for _ in range(2):
            seen.append(var.get())
            var.set(name)
            yield

    var.set("start")
    for name in ("a", "b"):
        cooperator.cooperate(steps(name))
    var.set("later")
    for _ in range(4):
        scheduler.step()
    assert seen == ["start", "start", "a", "b"]
    assert var.get() == "later"


def failing(cooperator: Cooperator) -> Iterator[None]:
    """Fail at the first step."""
    if cooperator.running:
        raise LookupError("mine")
    yield


def test_a_failure_that_nobody_asks_for_is_reported(
    ours: tuple[Scheduler, Cooperator], caplog: pytest.LogCaptureFixture
) -> None:
    """The error of a task without ``whenDone`` is not lost; asked for afterwards, it is handled."""
    scheduler, cooperator = ours

    asked = cooperator.cooperate(failing(cooperator))
    scheduler.step()
    assert outcomeOf(asked) is LookupError
    del asked
    gc.collect()
    assert caplog.text == ""
    cooperator.cooperate(failing(cooperator))
    scheduler.step()
    gc.collect()
    assert "LookupError: mine" in caplog.text


def test_a_failure_that_stop_tells_of_is_not_reported(
    ours: tuple[Scheduler, Cooperator], caplog: pytest.LogCaptureFixture
) -> None:
    """``stop`` of a task that has failed raises ``TaskFailed``, caused by the error: it is told."""
    scheduler, cooperator = ours

    task = cooperator.cooperate(failing(cooperator))
    scheduler.step()
    with pytest.raises(TaskFailed) as raised:
        task.stop()
    assert isinstance(raised.value.__cause__, LookupError)
    del task
    gc.collect()
    assert caplog.text == ""


def test_a_finished_task_is_not_kept(ours: tuple[Scheduler, Cooperator]) -> None:
    """The cooperator forgets a task that has ended."""
    scheduler, cooperator = ours
    task = cooperator.cooperate(iter([1]))
    alive = weakref.ref(task)
    del task
    for _ in range(2):
        scheduler.step()
    gc.collect()
    assert alive() is None


ON_REACTORS = """
    import asyncio
    from twisted.internet import defer, reactor, task
    from twisted.internet.asyncioreactor import currentReactor

    def steps(name, count):
        for step in range(count):
            print(name, step, currentReactor() is reactor)
            yield task.deferLater(currentReactor(), 0)

    def show(failure):
        print(failure.type.__name__)

    for turn in range(2):
        lost = task.cooperate(iter(lambda: task.deferLater(reactor, 3600), None))
        lost.whenDone().addErrback(show)
        never = task.cooperate(iter(int, 1)).whenDone().addErrback(show)
        done = task.coiterate(steps(f"run {turn}", 2))
        done.addCallback(lambda _: reactor.stop())
        reactor.run()

    def both(turn):
        # One of the program's own: what the first run left does not keep the second from going on.
        for _ in range(2):
            done = mine.coiterate(iter(range(3)))
        done.addCallback(lambda _: reactor.stop())

    mine = task.Cooperator()
    for turn in range(2):
        reactor.callWhenRunning(both, turn)
        reactor.callWhenRunning(
            reactor.addSystemEventTrigger, "after", "shutdown", mine.cooperate, iter(int, 1)
        )
        reactor.run()
        print("run", turn, "of its own")

    async def main(name):
        # Each loop has its own reactor, and that its own cooperator.
        await asyncio.gather(task.coiterate(steps(name, 2)), task.coiterate(steps(name, 2)))

    asyncio.run(main("alone"))
"""


def test_each_reactor_has_its_own_cooperator() -> None:
    """``cooperate`` works in run after run and in a host's loop; a reactor's end ends its tasks."""
    transcript = run(ON_REACTORS, "twistlike")
    assert transcript.stderr == ""
    assert transcript.lines == [
        "run 0 0 True",
        "run 0 1 True",
        "SchedulerStopped",
        "CancelledError",  # of the timer that the other task waited for
        "run 1 0 True",
        "run 1 1 True",
        "SchedulerStopped",
        "CancelledError",
        "run 0 of its own",
        "run 1 of its own",
        *["alone 0 True"] * 2,
        *["alone 1 True"] * 2,
    ]


def test_the_default_slice_leaves_the_loop_free() -> None:
    """Without arguments, ``Cooperator`` runs on the current reactor, about 10 ms at a time."""

    async def main() -> float:
        loop = asyncio.get_running_loop()
        before, longest = loop.time(), 0.0
        task = Cooperator().cooperate(iter(int, 1))
        for _ in range(20):
            await asyncio.sleep(0)
            now = loop.time()
            longest = max(longest, now - before)
            before = now
        task.stop()
        with pytest.raises(TaskStopped):
            await task.whenDone()
        return longest

    longest = asyncio.run(main())
    assert 0.005 < longest < 1, "a slice is 10 ms long, more on a busy machine"


def test_a_value_that_has_fired_costs_no_tick_more(ours: tuple[Scheduler, Cooperator]) -> None:
    """A Deferred that has fired leads to the next step in the next tick, like a plain value."""
    scheduler, cooperator = ours
    task = cooperator.cooperate(iter([succeed(1), 2, succeed(3)]))
    for _ in range(4):
        scheduler.step()
    assert outcomeOf(task) is task._iterator
