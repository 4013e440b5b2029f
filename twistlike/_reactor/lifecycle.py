"""The life of a reactor: how it gets a loop, starts, ends, and can start again.

Thread: the loop's, except where a docstring says otherwise.

How it works
------------
::

    NOT_STARTED --begin--> RUNNING or ATTACHED --stop--> STOPPING --> ENDED --begin--> ...
    RUNNING or STOPPING --crash--> NOT_STARTED

A reactor is *bound* while it has a loop. It runs on a loop of its own, or it is attached: a guest
on a loop that somebody else runs and will end, and of whose end it hears by a `HostWatch`.

The end is a table of steps, `_shutdownSteps` and then `_finishSteps`. Each step runs, whatever the
ones before it raised; what they raise is reported. So whatever was accepted has been done, or its
owner has an error. If the loop is closed under the reactor, or the end is broken off, only
`_finishSteps` run, and nothing is waited for.
"""

from __future__ import annotations

import sys
import weakref
from contextvars import Context
from enum import Enum
from functools import partial
from threading import RLock, get_ident, main_thread
from typing import TYPE_CHECKING

from twistlike._base import threadable
from twistlike._base.error import ReactorAlreadyRunning, ReactorNotRunning
from twistlike._base.failure import Failure
from twistlike._base.functions import describe
from twistlike._defer.coroutines import ensureDeferred
from twistlike._defer.deferred import Deferred
from twistlike._eventloop import current
from twistlike._eventloop.host_end import HostWatch, generatorsEnd
from twistlike._eventloop.loops import endTasks
from twistlike._log.report import tell
from twistlike._reactor.unbound import callerOf, placeOfCall
from twistlike._reactor.wrong_thread import ThreadGuard

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from twistlike._reactor.parts import Part
    from twistlike._reactor.pools import Pools
    from twistlike._reactor.system_events import SystemEvents
    from twistlike._reactor.unbound import UnboundCalls
    from twistlike._reactor.waits import BlockedThreads

    Step = Callable[[], Awaitable[object] | None]

__all__ = ["Fired", "LifeCycle", "State"]


class State(Enum):
    """Where a reactor is in its life; the value is the word that errors and `repr` show."""

    NOT_STARTED = "not started"
    ATTACHED = "attached"
    RUNNING = "running"
    STOPPING = "stopping"
    ENDED = "ended"


class Fired(Enum):
    """Which system event has come how far since the reactor began; see `LifeCycle.running`."""

    NOTHING = "nothing"
    STARTUP_BEFORE = "before startup"
    STARTUP_DURING = "during startup"
    SHUTDOWN_BEFORE = "before shutdown"


STARTED = (State.RUNNING, State.ATTACHED)
ALIVE = (State.RUNNING, State.ATTACHED, State.STOPPING)


class LifeCycle:
    """The states of one reactor, and what each change does to the reactor's parts.

    Args:
        parts: All parts of the reactor, in the order in which they end. They are bound in this
            order, and unbound in the opposite one.
        events: The triggers of the startup and the shutdown, one of the parts.
        blocked: The threads that wait for the loop, one of the parts.
        pools: The threads, one of the parts.
        unbound: What watches calls that wait for a loop, one of the parts.
        disconnect: Ends the parts that bring in events from outside.
        report: Called with a failure and what it is about, if something went wrong.

    Attributes:
        guard: What tells callers in other threads that they are wrong there.
        beginning: Held by whatever gives the reactor a loop: threads with loops of their own meet
            here. Re-entrant, for a signal handler or a `__del__` in the middle of it.
        loopEnds: Whether the loop is the reactor's own, and is closed when the reactor has ended.
        thread: The number of the thread that runs the loop, or will go on to; 0 if there is none.
        onNeeded: Called, in any thread, when the reactor is used and has no loop. If it is None,
            what is asked for is kept.
        shutdownTimeout: How long the end may wait for something, in seconds.
    """

    shutdownTimeout = 5.0

    def __init__(
        self,
        parts: Sequence[Part],
        events: SystemEvents,
        blocked: BlockedThreads,
        pools: Pools,
        unbound: UnboundCalls,
        disconnect: Callable[[], object],
        report: Callable[[Failure, str], object],
    ) -> None:
        self._parts = parts
        self._events = events
        self._blocked = blocked
        self._pools = pools
        self._unbound = unbound
        self._disconnect = disconnect
        self._report = report
        self.guard = ThreadGuard()
        self.beginning = RLock()
        self.state = State.NOT_STARTED
        self.loop: AbstractEventLoop | None = None
        self.attached = False
        self.loopEnds = False
        self._fired = Fired.NOTHING
        self.thread = 0
        self._endedOn: weakref.ref[AbstractEventLoop] | None = None
        self._hostWatch: HostWatch | None = None
        self._hostEnds = False
        self._shutdown: Deferred[None] | None = None
        self._endWaiters: list[Deferred[None]] = []
        self._forced = False
        self._ending: object = None  # the end that is under way
        self._stoppedAt = ""  # what has ended it, and where, if its host's loop goes on
        self._beforeStartup: Callable[[], object] | None = None
        self.onNeeded: Callable[[], object] | None = None

    @property
    def running(self) -> bool:
        """Whether the reactor runs: an own loop from the startup event on, a host's at once.

        It runs until the triggers "before shutdown" and what they wait for are through.
        """
        if self.state not in ALIVE or self._fired is Fired.SHUTDOWN_BEFORE:
            return False
        return self.attached or self._fired is not Fired.NOTHING

    @property
    def startupFired(self) -> bool:
        """Whether the triggers "during startup" have run, and the reactor has not ended since."""
        return self.state in ALIVE and self._fired in (Fired.STARTUP_DURING, Fired.SHUTDOWN_BEFORE)

    # ---- whose thread ----------------------------------------------------------------------------

    def enter(self, name: str) -> bool:
        """Begin a call that belongs to the loop's thread; attach first if there is no loop yet.

        Args:
            name: What was called, for the error.

        Returns:
            True if the call may go on. False if this is another thread than the loop's: it has been
            warned of, and the caller hands the call over to the loop's thread.

        Raises:
            WrongThreadError: If this is another thread than the loop's, unless the policy is to
                warn.

        Thread: any.
        """
        if self.loop is None:
            self.attachIfLoopRuns()
            if self.loop is None:
                self._unbound.noteUse()
        return self.isOurThread(name)

    def isOurThread(self, name: str) -> bool:
        """Do what `enter` does, without attaching. Thread: any."""
        # Race: another thread's loop may get the reactor at any moment, so this looks once.
        loop = self.loop
        if loop is None or self.isHere():
            return True
        self.guard.reject(name, loop)
        return False

    def isHere(self) -> bool:
        """Return whether this thread runs the reactor's loop, or will go on to. Thread: any."""
        running = current.runningLoop()
        if running is not None:
            return running is self.loop
        # Between two runs of the loop.
        loop = self.loop
        return get_ident() == self.thread and loop is not None and not loop.is_running()

    def attachIfLoopRuns(self) -> None:
        """Attach to the loop that this thread runs, or waits in, if there is one. Thread: any."""
        loop = current.runningLoop()
        if loop is None:
            self._attachByAnyio()
            if self.loop is None and self.onNeeded is not None:
                self.onNeeded()
        # The loop on which it has been stopped is no place to begin again by itself: a late call of
        # some component would bring threads back that its owner has just ended.
        elif self._endedOn is None or self._endedOn() is not loop:
            with self.beginning:
                if self.loop is None:
                    self.attach(loop)

    def attachForPost(self) -> None:
        """Do the same for a use that only hands something over, such as `callFromThread`.

        A thread with a loop of its own may do that before the main thread's loop runs: the reactor
        stays free for that one.

        Thread: any.
        """
        here = get_ident()
        if current.runningLoop() is None or here in (self.thread, main_thread().ident):
            self.attachIfLoopRuns()

    def _attachByAnyio(self) -> None:
        """Attach to the loop that waits for this thread, if AnyIO has started it."""
        if (anyio := sys.modules.get("anyio")) is None:
            return
        try:
            anyio.from_thread.run_sync(self.attachIfLoopRuns)
        except (RuntimeError, AttributeError):
            pass  # none of its threads; or its import is only half done

    def forgetEnd(self) -> None:
        """Let it attach by itself again, also to the loop on which it has ended."""
        self._endedOn = None
        self._stoppedAt = ""

    def acceptWork(self, name: str) -> None:
        """Begin a call that hands work to threads; attach first if there is no loop yet.

        Raises:
            ReactorNotRunning: If the reactor has ended.

        Thread: any.
        """
        if self.loop is None:
            self.attachIfLoopRuns()
            if self.loop is None:
                self.noteUnbound(name)

    def acceptPost(self, name: str) -> None:
        """Do what `acceptWork` does, for a use that only hands something over. Thread: any."""
        self.attachForPost()
        if self.loop is None:
            self.noteUnbound(name)

    def noteUnbound(self, name: str) -> None:
        """Begin a call that waits for the next loop.

        Raises:
            ReactorNotRunning: If the reactor has ended.

        Thread: any.
        """
        if self.state is State.ENDED:
            raise ReactorNotRunning(self.ended(f"{name} was called"))
        self._unbound.note()

    def acceptWait(self, name: str, waits: Callable[[], bool]) -> None:
        """Begin a wait of this thread for an answer, which comes once there is a loop.

        Args:
            name: What was called, for the error.
            waits: Returns whether it still waits.

        Raises:
            ReactorNotRunning: If the reactor has ended.

        Thread: any.
        """
        if self.state is State.ENDED:
            raise ReactorNotRunning(self.ended(f"{name} was called"))
        self._unbound.noteWait(waits)

    def ended(self, what: str) -> str:
        """Return the text that says what cannot be done, since the reactor has ended, and why."""
        if self._stoppedAt:
            return (
                f"{what}, but the reactor has ended: {self._stoppedAt}, on a loop that goes on; "
                "reactor.attach() in that loop begins again"
            )
        return (
            f"{what}, but the reactor has ended; reactor.run(), threads.startReactorThread(), or "
            "reactor.attach() in a running loop, begins again"
        )

    # ---- beginning -------------------------------------------------------------------------------

    def bind(self, loop: AbstractEventLoop) -> None:
        """Serve calls from threads and timers on `loop`, from its next turn on."""
        self.loop = loop
        self.thread = get_ident()
        for part in self._parts:
            part.bind(loop)

    def unbind(self) -> None:
        """Have no loop any more; calls and timers are kept."""
        self._runEach([part.unbind for part in reversed(self._parts)])
        self.loop = None  # last: another thread's loop may have the reactor from here on

    def unbindExternal(self) -> None:
        """Hear of nothing outside any more, while what was asked for still runs."""
        self._runEach([part.unbind for part in self._parts if part.external])

    def endExternal(self) -> None:
        """End what brings in events from outside."""
        self._runEach([part.end for part in self._parts if part.external])

    def begin(
        self,
        state: State,
        loop: AbstractEventLoop,
        beforeStartup: Callable[[], object] | None = None,
    ) -> None:
        """Start on `loop`: the startup event fires on its next turn, then what was kept runs.

        Args:
            state: `RUNNING` or `ATTACHED`.
            loop: The loop.
            beforeStartup: Called between the triggers "before startup" and those "during" it.
        """
        loop.call_soon(self._fireStartup, context=Context())
        self._beforeStartup = beforeStartup
        self._stoppedAt = ""
        self.state = state
        self.attached = state is State.ATTACHED
        self._fired = Fired.NOTHING
        self._forced = False
        threadable.registerAsIOThread()
        if self.loop is None:
            self.bind(loop)
        self._pools.start()

    def attach(self, loop: AbstractEventLoop) -> None:
        """Become a guest on `loop`, which runs in this thread.

        Raises:
            ReactorAlreadyRunning: If the reactor has a loop already.
        """
        with self.beginning:
            if self.loop is not None:
                raise ReactorAlreadyRunning(
                    f"the reactor is {self.state.value} already, on {self.loop!r}; make another "
                    "Reactor() (of twistlike.internet.asyncioreactor) for this loop"
                )
            self._hostEnds = self.loopEnds = False
            self.begin(State.ATTACHED, loop)
        life = weakref.ref(self)

        # Weak: a reactor that nobody wants any more must not live as long as the host's loop.
        def closed() -> None:
            if (alive := life()) is not None and alive.state in ALIVE:
                alive.finish()

        async def hostEnds() -> None:
            if (alive := life()) is not None:
                await alive.endWithHost()

        self._hostWatch = HostWatch(loop, hostEnds, closed)

    def _fireStartup(self) -> None:
        self._events.before("startup").addCallback(self._finishStartup)

    def _finishStartup(self, ignored: object) -> None:
        # stop() may have been called since: what was asked for runs all the same, before the end.
        if self.state in STARTED or (self.state is State.STOPPING and self._shutdown is None):
            self._fired = Fired.STARTUP_BEFORE
            beforeStartup, self._beforeStartup = self._beforeStartup, None
            if beforeStartup is not None:
                beforeStartup()
            self._events.during("startup")
            self._fired = Fired.STARTUP_DURING
            self._events.after("startup")

    # ---- ending ----------------------------------------------------------------------------------

    def stop(self, wake: bool = True) -> None:
        """Begin to end, on the loop's next turn.

        Args:
            wake: Wake the loop: a signal's handler, which may call this, interrupts it in its
                sleep. What the loop itself calls has no need of that.

        Raises:
            ReactorNotRunning: If it does not run, or ends already.
        """
        loop = self.loop
        if loop is None or self.state not in STARTED:
            raise ReactorNotRunning(f"stop() was called, but the reactor is {self.state.value}")
        self.state = State.STOPPING
        if self.attached and not self._hostEnds:
            self._noteStop()
        callSoon = loop.call_soon_threadsafe if wake else loop.call_soon
        callSoon(self._startShutdown, context=Context())

    def _noteStop(self) -> None:
        """Note where a reactor is stopped whose host goes on, for the errors of later uses."""
        frame = sys._getframe()
        if place := placeOfCall(frame):
            ofBlock = callerOf(frame)[0] == "__aexit__"
            what = "its `async with` block ended" if ofBlock else "reactor.stop() was called"
            self._stoppedAt = f"{what} {place}"
            tell(
                f"{self._stoppedAt}: the reactor ends, with its threads and timers; the loop goes "
                "on, and reactor.attach() begins again"
            )

    def crash(self) -> None:
        """Stop the loop and have it as if nothing had begun; what waits, waits for the next run.

        Raises:
            ReactorNotRunning: If it does not run on a loop of its own.
        """
        loop = self.loop
        if loop is None or self.attached or self.state not in ALIVE:
            raise ReactorNotRunning(f"crash() was called, but the reactor is {self.state.value}")
        self.state = State.NOT_STARTED
        loop.stop()

    def force(self) -> None:
        """Wait no longer: what the end waits for is cancelled or left behind."""
        self._forced = True
        if self._shutdown is not None:
            self._shutdown.cancel()

    async def endWithHost(self) -> None:
        """End, since the host's loop is about to be closed.

        Nothing is waited for longer than `shutdownTimeout`, triggers neither.
        """
        if self.attached and self.state is not State.ENDED:
            self._hostEnds = True
            await generatorsEnd(self.shutdownTimeout)
            await self.endAttached()

    async def endAttached(self) -> None:
        """End, unless that is done, and wait until it has ended."""
        if not self.attached or self.state is State.ENDED:
            return
        if self.state is State.ATTACHED:
            self.stop(wake=False)
        # A Deferred for each caller: cancelling one of them must not cancel the end.
        ended: Deferred[None] = Deferred()
        self._endWaiters.append(ended)
        await ended

    def _startShutdown(self) -> None:
        self._ending = token = object()
        self._shutdown = ensureDeferred(self._shutDown(token))
        self._shutdown.addErrback(self._shutdownFailed)

    def _shutdownSteps(self) -> tuple[Step, ...]:
        """Return the steps of an orderly end. What a step returns is waited for."""
        return (
            self._waitForBefore,
            # They may still use the reactor to clear up.
            self._endTasks,
            self._shutDownBegins,
            self._disconnectOutside,
            lambda: self._events.during("shutdown"),
            self._blocked.end,
            # The inbox is open: it brings the results of jobs that end now.
            self._stopPools,
            lambda: self._events.after("shutdown"),
            self.finish,
        )

    def _finishSteps(self) -> tuple[Step, ...]:
        """Return the steps that every end has, with nothing to wait for."""
        return (
            *[part.end for part in self._parts],
            self._noteEnd,
            *[part.unbind for part in reversed(self._parts)],
            self._leaveLoop,
            self._tellEnded,
        )

    async def _shutDown(self, token: object) -> None:
        for step in self._shutdownSteps():
            # Race: the end was broken off while this waited, perhaps for a thread. The reactor may
            # run again by now.
            if self._ending is not token:
                return
            try:
                waitedFor = step()
                if waitedFor is not None:
                    await waitedFor
            except GeneratorExit:
                raise  # the coroutine itself is ended
            except BaseException as error:
                self._stepFailed(error, step)

    def finish(self) -> None:
        """Have ended, at once: no event is fired, and nothing is waited for."""
        if self.loop is not None:
            self.state = State.ENDED
            self._shutdown = self._ending = None
            self._runEach(self._finishSteps())

    def _waitForBefore(self) -> Awaitable[object]:
        before = self._events.before("shutdown")
        if self._hostEnds and self.loop is not None:
            limit = self.loop.call_later(self.shutdownTimeout, before.cancel)
            before.addBoth(lambda _: limit.cancel())
        return before

    def _endTasks(self) -> Awaitable[object] | None:
        return endTasks(self._endTimeout()) if self.loopEnds else None

    def _shutDownBegins(self) -> None:
        self._fired = Fired.SHUTDOWN_BEFORE

    def _disconnectOutside(self) -> None:
        self._disconnect()

    async def _stopPools(self) -> None:
        stuck = await self._pools.stop(self._endTimeout())
        if stuck:
            self._report(Failure(_leftBehind(stuck)), "the reactor ends without waiting any longer")

    def _endTimeout(self) -> float:
        """Return how long the end may wait for something, in seconds."""
        return 0.0 if self._forced else self.shutdownTimeout

    def _noteEnd(self) -> None:
        assert self.loop is not None
        self._endedOn = weakref.ref(self.loop)

    def _leaveLoop(self) -> None:
        """Take back what was given to the host's loop; stop a loop of our own."""
        watch, self._hostWatch = self._hostWatch, None
        if watch is not None:
            watch.release()
        if not self.attached and self.loop is not None and self.loop.is_running():
            self.loop.stop()

    def _tellEnded(self) -> None:
        waiters, self._endWaiters = self._endWaiters, []
        # Race: from here on another thread's loop may have the reactor. All is undone by now.
        self.loop = None
        self._runEach([partial(waiter.callback, None) for waiter in waiters])

    def _runEach(self, steps: Iterable[Callable[[], object]]) -> None:
        """Run each step, whatever the ones before it raised."""
        for step in steps:
            try:
                step()
            except BaseException as error:
                self._stepFailed(error, step)

    def _stepFailed(self, error: BaseException, step: Callable[[], object]) -> None:
        what = f"a step of the reactor's end failed: {describe(step)}"
        self._report(Failure.fromException(error), what)
        loop = self.loop
        if (
            self.attached
            and loop is not None
            and issubclass(type(error), (KeyboardInterrupt, SystemExit))
        ):
            # It is meant for the host, whose loop has to end by it: asyncio.Runner's second Ctrl-C.
            try:
                loop.call_soon_threadsafe(_raise, error)
            except RuntimeError:
                pass  # the loop is closed: the host has ended

    def _shutdownFailed(self, failure: Failure) -> None:
        # An exception came between two steps: a signal's.
        self._report(failure, "the reactor's end was broken off")
        if self.state is State.STOPPING:
            self.finish()

    # ---- fork ------------------------------------------------------------------------------------

    def afterFork(self) -> None:
        """In the child of a fork: let the parts do what they must there, and let go of the loop."""
        self.beginning = RLock()
        self.thread = 0
        self._runEach([part.afterFork for part in self._parts])
        watch, self._hostWatch = self._hostWatch, None
        if watch is not None:
            watch.abandon()


def _raise(error: BaseException) -> None:
    raise error


def _leftBehind(stuck: Sequence[object]) -> ReactorNotRunning:
    """Return the error that names the threads which still work, and where they stand."""
    threads = "1 thread was" if len(stuck) == 1 else f"{len(stuck)} threads were"
    return ReactorNotRunning("\n".join([f"{threads} left behind:", *map(str, stuck)]))
