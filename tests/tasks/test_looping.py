"""``LoopingCall``: when it calls, what it waits for, and how it ends."""

from __future__ import annotations

import asyncio
import gc
import weakref
from contextvars import ContextVar
from math import inf, nan
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracle import assertSame
from tests.tasks.sides import Side, same
from twistlike.internet.asyncioreactor import currentReactor
from twistlike.internet.defer import Deferred
from twistlike.internet.error import WrongThreadError
from twistlike.internet.task import Clock, LoopingCall

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def clock() -> Clock:
    """A clock that shows 0."""
    return Clock()


def on(clock: Clock, f: Callable[[], object]) -> LoopingCall:
    """Return a loop on a clock."""
    loop = LoopingCall(f)
    loop.clock = clock
    return loop


def ends(deferred: Deferred[Any]) -> list[object]:
    """Return a list that gets what a Deferred fires with: its result, or the type of its error."""
    found: list[object] = []
    deferred.addCallbacks(found.append, lambda failure: found.append(failure.type))
    return found


def test_it_calls_at_once_and_then_at_each_interval() -> None:
    """The first call comes in ``start``, or with ``now=False`` after one interval."""

    def program(side: Side) -> None:
        for now in (True, False):
            clock = side.task.Clock()
            loop = side.task.LoopingCall(lambda clock=clock: side.note(clock.seconds()))
            loop.clock = clock
            side.watch(loop.start(2, now), "loop")
            side.note(loop.running, loop.interval, loop.starttime, loop.call.getTime())
            clock.pump([1] * 6)
            loop.stop()
            side.note(loop.running, loop.call, clock.calls)
            clock.advance(10)

    same(program)


def test_lateness_does_not_add_up() -> None:
    """Calls come at whole multiples of the interval from the start, however late one was."""

    def program(side: Side) -> None:
        clock = side.task.Clock()
        loop = side.task.LoopingCall(lambda: side.note(clock.seconds()))
        loop.clock = clock
        loop.start(1)
        for step in (1.25, 0.5, 0.5, 3.9, 0.1, 1, 0.99, 0.02):
            clock.advance(step)
            side.note("next", loop.call.getTime())

    same(program)


def test_a_slow_function_leaves_calls_out() -> None:
    """Time that the function takes counts: what came due meanwhile is left out."""

    def program(side: Side) -> None:
        for takes in (0.5, 1, 1.5, 2):
            clock = side.task.Clock()

            def slow(clock: Any = clock, takes: float = takes) -> None:
                side.note(clock.seconds())
                clock.rightNow += takes

            loop = side.task.LoopingCall(slow)
            loop.clock = clock
            loop.start(1)
            clock.pump([0.5] * 8)

    same(program)


def test_an_interval_of_zero_calls_on_each_turn() -> None:
    """With 0 the next call is due at once, until the loop is stopped."""

    def program(side: Side) -> None:
        for make in (side.task.LoopingCall, side.task.LoopingCall.withCount):
            oneLoop(side, make)

    def oneLoop(side: Side, make: Any) -> None:
        clock = side.task.Clock()
        calls: list[float] = []

        def call(*count: int) -> None:
            calls.append(clock.seconds())
            side.note(count)
            if len(calls) == 5:
                loop.stop()

        loop = make(call)
        loop.clock = clock
        side.watch(loop.start(0), "loop")
        side.note(loop.call.getTime())
        clock.advance(3)
        side.note(calls)

    same(program)


def test_a_returned_deferred_is_waited_for() -> None:
    """The next call comes at the first due time after the Deferred has fired."""

    def program(side: Side) -> None:
        clock = side.task.Clock()
        given: list[Any] = []

        def call() -> object:
            side.note("call", clock.seconds())
            given.append(side.defer.Deferred())
            return given[-1]

        loop = side.task.LoopingCall(call)
        loop.clock = clock
        side.watch(loop.start(1), "loop")
        clock.advance(2.5)
        side.note(loop.call)
        given[0].callback("result")
        side.watch(given[0], "given")
        side.note(loop.call.getTime())
        clock.advance(0.5)
        loop.reset()
        loop.stop()
        side.note("stopped", loop.running)
        given[1].callback(None)
        side.note(clock.calls)

    assert ("loop", "fired", "LoopingCall") in same(program)


def test_errors_end_the_loop() -> None:
    """What the function raises, or its Deferred fails with, ends the loop and is its result."""

    def program(side: Side) -> None:
        clock = side.task.Clock()

        def fail() -> None:
            raise LookupError("mine")

        for function in (fail, lambda: side.defer.fail(KeyError("given"))):
            for now in (True, False):
                loop = side.task.LoopingCall(function)
                loop.clock = clock
                side.watch(loop.start(1, now), "loop")
                clock.advance(1)
                side.note(loop.running, loop.call, clock.calls)
                side.attempt(loop.stop)
                side.attempt(loop.reset)

    same(program)


def test_what_stops_a_program_ends_the_loop_too() -> None:
    """``SystemExit`` and ``KeyboardInterrupt`` are the loop's failure, as in Twisted."""

    def program(side: Side) -> None:
        clock = side.task.Clock()
        for error in (SystemExit, KeyboardInterrupt, GeneratorExit):

            def fail(error: type[BaseException] = error) -> None:
                raise error

            loop = side.task.LoopingCall(fail)
            loop.clock = clock
            side.watch(loop.start(1), "loop")

    same(program)


def test_a_loop_may_stop_itself() -> None:
    """``stop`` within the call lets the Deferred fire when the call has ended."""

    def program(side: Side) -> None:
        clock = side.task.Clock()

        loop: Any = None

        def stopIt() -> None:
            loop.stop()

        def stopAndFail() -> None:
            loop.stop()
            raise LookupError("mine")

        for function in (stopIt, stopAndFail):
            loop = side.task.LoopingCall(function)
            loop.clock = clock
            side.watch(loop.start(1), "loop")
            side.note(loop.running, loop.call, clock.calls)

    same(program)


def test_reset_counts_from_now() -> None:
    """``reset`` puts the next call off to one interval from now, and moves all later ones."""

    def program(side: Side) -> None:
        clock = side.task.Clock()
        loop = side.task.LoopingCall(lambda: side.note(clock.seconds()))
        loop.clock = clock
        side.attempt(loop.reset)
        loop.start(2)
        clock.advance(0.75)
        loop.reset()
        side.note(loop.starttime, [call.getTime() for call in clock.calls])
        clock.pump([1] * 5)
        loop.stop()
        side.attempt(loop.reset)

    same(program)


def test_reset_within_the_call_does_nothing() -> None:
    """While the function runs there is no call that could be put off."""

    def program(side: Side) -> None:
        clock = side.task.Clock()
        loop: Any = side.task.LoopingCall(lambda: loop.reset())
        loop.clock = clock
        loop.start(1)
        clock.advance(1.5)
        side.note(loop.starttime, loop.call.getTime())

    same(program)


def test_the_interval_may_change_while_it_runs() -> None:
    """A new interval takes effect when the next call is scheduled."""

    def program(side: Side) -> None:
        clock = side.task.Clock()
        loop = side.task.LoopingCall(lambda: side.note(clock.seconds()))
        loop.clock = clock
        loop.start(1)
        clock.advance(1)
        loop.interval = 3
        clock.pump([1] * 10)

    same(program)


def test_it_can_be_started_again() -> None:
    """A loop that was stopped or has failed starts anew, also from its own Deferred's callback."""

    def program(side: Side) -> None:
        clock = side.task.Clock()
        loop = side.task.LoopingCall(lambda: side.note(clock.seconds()))
        loop.clock = clock

        def again(_: object) -> None:
            side.watch(loop.start(3), "second")

        loop.start(1).addCallback(again)
        side.attempt(loop.start, 1)
        clock.advance(1)
        loop.stop()
        clock.advance(3)
        loop.stop()
        side.attempt(loop.stop)

    same(program)


def test_restarted_within_its_own_call_it_goes_on_once(clock: Clock) -> None:
    """Stopped and started in its own call, there is one next call, and each Deferred fires."""
    found: list[list[object]] = []
    calls: list[float] = []

    def call() -> None:
        calls.append(clock.seconds())
        if len(calls) < 3:
            loop.stop()
            found.append(ends(loop.start(2)))

    loop = on(clock, call)
    found.append(ends(loop.start(1)))
    assert calls == [0, 0, 0]
    assert len(clock.calls) == 1
    clock.advance(2)
    assert calls == [0, 0, 0, 2]
    loop.stop()
    assert found == [[loop], [loop], [loop]]
    assert clock.calls == []


def test_restarted_while_it_waits_it_goes_on_once(clock: Clock) -> None:
    """A Deferred of a run that was stopped ends that run, and does not touch the new one."""
    given: list[Deferred[None]] = []

    def call() -> Deferred[None]:
        given.append(Deferred())
        return given[-1]

    loop = on(clock, call)
    first = ends(loop.start(1))
    loop.stop()
    second = ends(loop.start(1))
    current = loop.deferred
    given[0].callback(None)
    assert [first, second] == [[loop], []]
    assert loop.deferred is current is not None
    assert clock.calls == []
    loop.stop()
    third = ends(loop.start(1))
    given[1].errback(LookupError())
    assert [second, third] == [[LookupError], []]
    assert loop.running
    given[2].callback(None)
    assert len(clock.calls) == 1


@pytest.mark.parametrize("interval", [-1, nan, -0.001])
def test_impossible_intervals_are_refused(clock: Clock, interval: float) -> None:
    """An interval that no clock can keep is a ValueError, and the loop does not run."""
    loop = on(clock, lambda: None)
    with pytest.raises(ValueError, match="an interval is a number of seconds"):
        loop.start(interval)
    assert (loop.running, loop.deferred, clock.calls) == (False, None, [])


@pytest.mark.parametrize("interval", ["1", None])
def test_intervals_that_are_no_numbers_are_refused(clock: Clock, interval: Any) -> None:
    """An interval that is no number is a TypeError, and the loop does not run."""
    loop = on(clock, lambda: None)
    with pytest.raises(TypeError, match="an interval is a number of seconds"):
        loop.start(interval)
    assert not loop.running


def test_an_infinite_interval_calls_once(clock: Clock) -> None:
    """With an infinite interval the second call never comes."""
    calls: list[int] = []
    loop = on(clock, lambda: calls.append(1))
    loop.start(inf)
    clock.advance(1e9)
    assert calls == [1]
    loop.stop()


class Refusing(Clock):
    """A clock that refuses calls from some time on, as a reactor does in the wrong thread."""

    refuses = True

    def callLater(self, *args: Any, **kw: Any) -> Any:
        """Refuse, or not."""
        if self.refuses:
            raise WrongThreadError
        return super().callLater(*args, **kw)


def test_a_clock_that_refuses_the_first_call_leaves_it_stopped() -> None:
    """When the first call cannot be scheduled, ``start`` raises, and may be called again."""
    clock = Refusing()
    loop = on(clock, lambda: None)
    with pytest.raises(WrongThreadError):
        loop.start(1, now=False)
    assert [loop.running, loop.deferred] == [False, None]
    clock.refuses = False
    loop.start(1, now=False)
    assert loop.running


def test_a_clock_that_refuses_a_later_call_fails_the_loop() -> None:
    """When the next call cannot be scheduled, the loop does not just fall silent."""
    clock = Refusing()
    clock.refuses = False
    loop = on(clock, lambda: None)
    found = ends(loop.start(1))
    clock.refuses = True
    clock.advance(1)
    assert found == [WrongThreadError]
    assert not loop.running


def test_misuse_says_what_is_wrong(clock: Clock) -> None:
    """Each operation that the loop's state forbids is an AssertionError that names the loop."""
    loop = on(clock, lambda: None)
    for refuse in (loop.stop, loop.reset, loop):
        with pytest.raises(AssertionError, match=r"LoopingCall<None>.* not running"):
            refuse()
    loop.start(1)
    with pytest.raises(AssertionError, match=r"LoopingCall<1>.*stop\(\) it before"):
        loop.start(1)


def test_called_by_hand_it_makes_the_next_call_now(clock: Clock) -> None:
    """Calling the loop makes its next call at once, in place of the one that was due."""
    calls: list[float] = []
    loop = on(clock, lambda: calls.append(clock.seconds()))
    loop.start(2)
    clock.advance(0.5)
    loop()
    assert calls == [0, 0.5]
    assert [call.getTime() for call in clock.calls] == [2]


def test_deferred_is_the_one_that_start_returned(clock: Clock) -> None:
    """It is there from ``start`` until it fires, also while a stopped loop still waits."""
    given: Deferred[None] = Deferred()
    loop = on(clock, lambda: given)
    seen = [loop.deferred]
    deferred = loop.start(1)
    seen.append(loop.deferred)
    loop.stop()
    seen.append(loop.deferred)
    given.callback(None)
    seen.append(loop.deferred)
    assert seen == [None, deferred, deferred, None]


def test_repr_shows_the_interval_the_function_and_its_arguments() -> None:
    """The text is Twisted's."""

    class Callable_:
        def method(self) -> None: ...

    def program(side: Side) -> None:
        clock = side.task.Clock()
        for loop in (
            side.task.LoopingCall(len, [], key="k"),
            side.task.LoopingCall(Callable_().method),
            side.task.LoopingCall(lambda: None),
        ):
            side.note(repr(loop))
            loop.clock = clock
            loop.start(1, now=False)
            side.note(repr(loop))

    same(program)


def test_with_count_tells_how_many_were_due() -> None:
    """The count is of the calls that came due since the last one; a count of 0 is left out."""

    def program(side: Side) -> None:
        for now in (True, False):
            clock = side.task.Clock()

            def call(count: int, clock: Any = clock) -> None:
                side.note(count, clock.seconds())

            loop = side.task.LoopingCall.withCount(call)
            loop.clock = clock
            loop.start(1, now)
            clock.pump([1, 3.5, 0.5, 0.25, 10])
            loop.reset()
            clock.pump([0.5, 0.5, 3, 1])
            loop.interval = 2
            clock.pump([1, 1, 2, 5])
            loop.stop()
            clock.advance(4.25)
            loop.start(1, now)
            clock.pump([0.75, 1.5, 4])

    same(program)


def test_with_count_waits_and_fails_as_the_other() -> None:
    """A Deferred is waited for, and what came due meanwhile is counted; errors end the loop."""

    def program(side: Side) -> None:
        clock = side.task.Clock()
        given: list[Any] = []

        def call(count: int) -> object:
            side.note(count)
            given.append(side.defer.Deferred())
            return given[-1]

        loop = side.task.LoopingCall.withCount(call)
        loop.clock = clock
        side.watch(loop.start(1), "loop")
        clock.advance(3.5)
        given[0].callback(None)
        clock.advance(0.5)
        given[1].errback(LookupError())
        side.note(loop.running)

    same(program)


amounts = st.one_of(
    st.integers(0, 40).map(lambda tenth: tenth / 10), st.floats(0, 5, allow_nan=False)
)
intervals = st.one_of(
    st.sampled_from([0.1, 0.3, 1, 2, 1.5, 1e-3]), st.floats(0.01, 5, allow_nan=False)
)


@settings(max_examples=300, deadline=None)
@given(
    st.booleans(),
    st.sampled_from([0.0, 0.1, 1e6, 1.7e9]),
    st.lists(
        st.tuples(
            st.sampled_from(
                ["advance", "advance", "advance", "start", "later", "stop", "reset", "change"]
            ),
            amounts,
            intervals,
        ),
        max_size=30,
    ),
)
def test_any_program_runs_as_on_twisteds_loop(
    counted: bool, begin: float, steps: list[tuple[str, float, float]]
) -> None:
    """Times and counts are Twisted's to the last bit, for any sequence of operations."""

    def program(side: Side) -> None:
        clock = side.task.Clock()
        clock.rightNow = begin
        make = side.task.LoopingCall.withCount if counted else side.task.LoopingCall
        loop = make(lambda *count: side.note("call", clock.seconds(), *count))
        loop.clock = clock
        for step, amount, interval in [("start", 0.0, 1.0), *steps]:
            if step == "advance":
                clock.advance(amount)
            elif step == "start":
                deferred = side.attempt(loop.start, interval)
                if deferred is not None:
                    side.watch(deferred, "loop")
            elif step == "later":
                side.attempt(loop.start, interval, now=False)
            elif step == "change":
                loop.interval = interval
            else:
                side.attempt(getattr(loop, step))
            side.note(loop.running, [call.getTime() for call in clock.calls])

    same(program)


def test_each_call_runs_in_a_copy_of_the_context_of_start(clock: Clock) -> None:
    """The function sees what was set where ``start`` was called; what it sets, no one sees."""
    var: ContextVar[str] = ContextVar("var", default="none")
    seen: list[str] = []

    def call() -> None:
        seen.append(var.get())
        var.set("by the call")

    loop = on(clock, call)
    var.set("start")
    loop.start(1)
    assert var.get() == "start"
    var.set("elsewhere")
    clock.pump([1, 1])
    loop.reset()
    clock.advance(1)
    assert seen == ["start"] * 4


def test_coroutines_are_run_and_waited_for(clock: Clock) -> None:
    """A coroutine function may be looped: it is waited for, in a context of its own."""
    var: ContextVar[str] = ContextVar("var", default="none")
    seen: list[str] = []
    gates: list[Deferred[None]] = []

    async def call() -> None:
        seen.append(var.get())
        var.set("by the call")
        gates.append(Deferred())
        await gates[-1]
        seen.append(f"after {var.get()}")
        if len(gates) == 2:
            raise LookupError

    loop = on(clock, call)
    var.set("start")
    found = ends(loop.start(1))
    clock.advance(5)
    assert seen == ["start"]
    var.set("of who fires")
    gates[0].callback(None)
    clock.advance(1)
    assert seen == ["start", "after by the call", "start"]
    gates[1].callback(None)
    assert found == [LookupError]
    assert not loop.running


def test_it_waits_for_asyncio_futures_on_the_loops_reactor() -> None:
    """Without a clock it runs on the running loop's reactor; a future is waited for like others."""

    async def main() -> list[str]:
        reactor = currentReactor()
        future: asyncio.Future[None] = reactor_loop().create_future()
        notes: list[str] = []

        def call() -> asyncio.Future[None] | None:
            notes.append("call")
            if len(notes) == 1:
                return future
            loop.stop()
            return None

        loop = LoopingCall(call)
        assert loop.clock is reactor
        deferred = loop.start(0)
        await asyncio.sleep(0.01)
        notes.append("waited")
        future.set_result(None)
        assert await deferred is loop
        return notes

    def reactor_loop() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    assert asyncio.run(main()) == ["call", "waited", "call"]


def test_the_reactor_is_looked_up_at_each_start() -> None:
    """One loop object, made outside of any event loop, runs in several, also in other threads."""
    calls: list[object] = []

    def call() -> None:
        calls.append(currentReactor())
        assert loop.clock is currentReactor()
        if len(calls) % 3 == 0:
            loop.stop()

    loop = LoopingCall(call)

    async def main() -> None:
        await loop.start(0.001)

    async def host() -> None:
        here = currentReactor()
        await main()
        await asyncio.to_thread(asyncio.run, main())
        assert calls[0] is here
        assert calls[3] is not here

    asyncio.run(host())
    asyncio.run(main())
    assert len(calls) == 9


def test_on_the_reactor_it_does_what_it_does_in_twisted() -> None:
    """A whole program on the real reactor: loops of several kinds, stopped in several ways."""
    assertSame(
        """
        from twisted.internet import defer, reactor, task

        def loop(name, function, count):
            left = [count]
            def call(*args):
                print(name, len(args))
                left[0] -= 1
                if not left[0]:
                    loops[name].stop()
                return function()
            loops[name] = task.LoopingCall(call)
            return loops[name].start(0.02).addBoth(
                lambda result: print(name, "ended", type(result).__name__)
            )

        def fail():
            raise LookupError

        loops = {}
        all_ = [
            loop("plain", lambda: None, 3),
            loop("failing", fail, 2),
            loop("waiting", lambda: task.deferLater(reactor, 0.2), 2),
        ]
        defer.DeferredList(all_).addCallback(lambda _: reactor.callLater(0.01, reactor.stop))
        reactor.run()
        print([each.running for each in loops.values()])
        """
    )


def test_a_stopped_loop_is_not_kept(clock: Clock) -> None:
    """After ``stop`` neither the clock nor the function's errors keep the loop alive."""
    loop = on(clock, lambda: None)
    loop.start(1)
    clock.advance(1)
    loop.stop()
    alive = weakref.ref(loop)
    del loop
    gc.collect()
    assert alive() is None


def test_what_cannot_be_called_is_refused_where_it_is_given() -> None:
    """``LoopingCall(f())`` is the usual slip: the error comes there, not when the loop starts."""
    with pytest.raises(TypeError, match="takes a function to call, not 7"):
        LoopingCall(7)  # type: ignore[arg-type]


def test_none_in_the_place_of_a_function_fails_when_it_is_called(clock: Clock) -> None:
    """A loop of None may be made and started, since crochet's tests do; its first call fails."""
    loop = on(clock, None)  # type: ignore[arg-type]
    failed = ends(loop.start(1, now=False))
    assert failed == []
    clock.advance(1)
    assert failed == [TypeError]
    assert not loop.running
