"""Runs a loop for the reactor: made for one run, or given by the user; and the signals that end it.

Thread: the one that runs the reactor; the signals come in the main thread, which may be that one.
"""

from __future__ import annotations

import threading
from time import monotonic
from typing import TYPE_CHECKING

from twistlike._base.error import ReactorAlreadyRunning, ReactorNotRunning
from twistlike._eventloop import current
from twistlike._eventloop.loops import END_LIMIT, closeLoop, endTasks, hasTasks, newLoop
from twistlike._log.report import tell
from twistlike._reactor.lifecycle import LifeCycle, State

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable
    from types import FrameType

    from twistlike._reactor.inbox import Inbox
    from twistlike._timers.loop_timers import LoopTimers

__all__ = ["RunLoop", "StopSignals", "alreadyRuns"]

# Signals that come within this time of the first, in seconds, are the same request: a terminal
# and a supervisor may both send one, and a key repeats. A person's second Ctrl-C is later.
SAME_REQUEST = 0.25


def alreadyRuns(life: LifeCycle, name: str) -> str:
    """Return the text that says why a reactor cannot be run: it has a loop.

    Args:
        life: The reactor's.
        name: What was called.
    """
    text = f"{name}() was called, but the reactor is {life.state.value}, on {life.loop!r}"
    if life.loop is not None and not life.loop.is_running():
        return f"{text}, which does not run now: close that to have the reactor free"
    return f"{text}; for another loop make another Reactor()"


class RunLoop:
    """The loop that a reactor runs, as against one that it is a guest on.

    Args:
        life: The reactor's.
        inbox: The reactor's.
        timers: The reactor's.
        onSignal: Called with the number of the signal that ends it, in the signal's handler.

    Attributes:
        installedLoop: The user's loop to be run, which is left open at the end; `None` to make one.
    """

    def __init__(
        self,
        life: LifeCycle,
        inbox: Inbox,
        timers: LoopTimers,
        onSignal: Callable[[int], object],
    ) -> None:
        self.installedLoop: AbstractEventLoop | None = None
        self._loop: AbstractEventLoop | None = None
        self._life = life
        self._inbox = inbox
        self._timers = timers
        self._onSignal = onSignal
        self._signals: StopSignals | None = None

    def start(self, takeSignals: bool) -> None:
        """Make the loop, plan the startup event, in which the signals are taken.

        Raises:
            ReactorAlreadyRunning: If a loop runs in this thread, or the reactor or its loop runs.
            RuntimeError: If the loop that it was given is closed.
        """
        if current.runningLoop() is not None:
            raise ReactorAlreadyRunning(
                "run() was called while an event loop runs in this thread; the reactor works "
                "inside that loop as it is: leave run() out"
            )
        life = self._life
        with life.beginning:
            # With a loop that is not this one's it is attached still, if only for a moment.
            if life.state not in (State.NOT_STARTED, State.ENDED) or life.loop not in (
                self._loop,
                None,
            ):
                raise ReactorAlreadyRunning(alreadyRuns(life, "run"))
            begun = self._timers.seconds()
            loop = self._make()
            # What is due later does not age while asyncio is imported and the loop is made.
            if life.loop is None:
                self._timers.postpone(self._timers.seconds() - begun)
            life.loopEnds = False  # not before run(): the loop that iterate() turns stays
            life.begin(State.RUNNING, loop, self._takeSignals if takeSignals else None)

    def _takeSignals(self) -> None:
        self._signals = StopSignals(self._stopBySignal, self._forceBySignal)
        self._signals.take()

    def run(self) -> None:
        """Run the loop until the reactor has ended, and leave it."""
        loop = self._loop
        assert loop is not None, "mainLoop() needs startRunning() before it"
        life = self._life
        life.loopEnds = loop is not self.installedLoop
        try:
            self._runToEnd(loop)
        except BaseException:
            self._endInOrder(loop)
            raise
        finally:
            self._leave(loop)
            tell("the reactor's main loop has ended")

    def _runToEnd(self, loop: AbstractEventLoop) -> None:
        # A loop of its own: where one in a `try` jumps back, 3.12 and later find no `finally`.
        life = self._life
        loop.run_forever()
        # It may have been stopped below the reactor, or an exit have come out of a callback of
        # somebody else: end in order all the same.
        while life.state in (State.RUNNING, State.STOPPING):
            if life.state is State.RUNNING:
                life.stop()
            loop.run_forever()

    def runOnce(self, delay: float) -> None:
        """Run one turn of the loop, of the reactor's present one if it has any.

        Raises:
            ReactorAlreadyRunning: If a loop runs in this thread, or the reactor's in another one.
        """
        if current.runningLoop() is not None:
            raise ReactorAlreadyRunning("iterate() was called while a loop runs in this thread")
        loop = self._life.loop
        if loop is not None and loop.is_running():
            raise ReactorAlreadyRunning(f"iterate() was called while another thread runs {loop!r}")
        if loop is None:
            loop = self._make()
            self._life.bind(loop)
        end = loop.call_later(delay, loop.stop) if delay > 0 else loop.call_soon(loop.stop)
        try:
            loop.run_forever()
        finally:
            end.cancel()  # something else may have stopped it: the next run is not to be cut short
            if self._life.state in (State.NOT_STARTED, State.ENDED):
                self.giveSignalsBack()  # it has ended, or crashed, in this turn

    def giveSignalsBack(self) -> None:
        """Give the signals back, if they were taken."""
        signals, self._signals = self._signals, None
        if signals is not None:
            signals.giveBack()

    def _make(self) -> AbstractEventLoop:
        if self._loop is None:
            loop = self.installedLoop or newLoop()
            if loop.is_closed():
                raise RuntimeError(
                    f"the loop that was installed is closed: {loop!r}; install another one "
                    "with asyncioreactor.install(loop)"
                )
            if loop.is_running():
                raise ReactorAlreadyRunning(
                    f"the loop that was installed is run by another thread: {loop!r}"
                )
            self._loop = loop
        return self._loop

    def _leave(self, loop: AbstractEventLoop) -> None:
        self.giveSignalsBack()
        isGiven = loop is self.installedLoop
        if self._life.state in (State.RUNNING, State.STOPPING):
            self._life.finish()  # a second exit has come out of the loop, during the end
        try:
            if self._life.loop is loop and not isGiven and hasTasks(loop):
                # Crashed. As in the orderly end, tasks may use the reactor to clear up; but what
                # comes from outside waits for the next run.
                self._life.unbindExternal()
                loop.run_until_complete(endTasks(END_LIMIT))
        finally:
            if self._life.loop is loop:
                self._life.unbind()  # what waits is for the next run
            self._loop = None
            if not isGiven:
                closeLoop(loop)

    def _endInOrder(self, loop: AbstractEventLoop) -> None:
        """End after an exit has come out of the loop, within the limits of a host's end."""
        if self._life.state is State.RUNNING:
            self._life.stop()
        if self._life.state is State.STOPPING:
            loop.run_forever()

    def _stopBySignal(self, number: int) -> None:
        """Stop, from a signal's handler: at any point of the main thread's code."""
        self._onSignal(number)
        try:
            self._inbox.post(self._stopOnce, (number,), {})
        except ReactorNotRunning:
            pass  # it ends already, and what is left of that is short, or forced by the next one

    def _stopOnce(self, number: int) -> None:
        import signal

        if self._life.state is State.RUNNING:
            tell(f"the reactor ends, for {signal.Signals(number).name} was received")
            self._life.stop()

    def _forceBySignal(self) -> None:
        """Wait no longer. Where nothing is waited for, break what blocks the loop.

        That is so before the first signal has been seen, and in the very last calls of the end.
        """
        if self._life.state is State.RUNNING:
            raise KeyboardInterrupt
        try:
            self._inbox.post(self._life.force, (), {})
        except ReactorNotRunning:
            raise KeyboardInterrupt from None


class StopSignals:
    """Takes SIGINT, SIGTERM and, where there is one, SIGBREAK, and gives them back.

    SIGINT is left alone if somebody else's handler has it (a debugger's). Outside of the main
    thread nothing is taken.

    Args:
        onStop: Called in the signal handler, with the signal's number, when the first one comes.
        onForce: Called in the signal handler when another one comes later that a person sends
            (Ctrl-C): do not wait any longer. A supervisor's SIGTERM may come any number of times.
    """

    def __init__(self, onStop: Callable[[int], object], onForce: Callable[[], object]) -> None:
        self._onStop = onStop
        self._onForce = onForce
        self._before: dict[int, object] = {}
        self._firstAt: float | None = None

    def take(self) -> None:
        """Take the signals."""
        if threading.current_thread() is not threading.main_thread():
            return
        import signal

        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._take(signal.SIGINT)
        self._take(signal.SIGTERM)
        if (number := getattr(signal, "SIGBREAK", None)) is not None:
            self._take(number)

    def giveBack(self) -> None:
        """Restore the handlers of before."""
        import signal

        for number, handler in self._before.items():
            # A handler that somebody has set meanwhile stays.
            if signal.getsignal(number) == self._handle:
                signal.signal(number, handler)  # type: ignore[arg-type]
        self._before.clear()
        self._firstAt = None

    def _take(self, number: int) -> None:
        import signal

        self._before[number] = signal.signal(number, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        from signal import SIGTERM  # which a handler of signals finds loaded

        now = monotonic()
        if self._firstAt is None:
            self._firstAt = now
            self._onStop(number)
        elif now - self._firstAt > SAME_REQUEST and number != SIGTERM:
            self._onForce()
