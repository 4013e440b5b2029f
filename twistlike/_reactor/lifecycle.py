"""The life of a reactor: how it gets a loop, starts, ends, and can start again.

Thread: the loop's, except where a docstring says otherwise.

How it works
------------
::

    NOT_STARTED --begin--> RUNNING or ATTACHED --stop--> STOPPING --> ENDED --begin--> ...
    RUNNING or STOPPING --crash--> NOT_STARTED

A reactor is *bound* while it has a loop. It runs on a loop of its own, or it is attached: a guest
on a loop that somebody else runs and will end. The guest hears of the end in two ways. In the
orderly one (`asyncio.run`) the host closes the asynchronous generators that were started on its
loop, and waits for them: ours ends the reactor. If the loop is merely closed, the keeper hears of
that, and nothing can be waited for.

The end, in this order: the triggers `before` the shutdown, and what they wait for; the tasks of a
loop that ends with the reactor, which may still use it to clear up; the triggers `during` the
shutdown; the threads that wait for the loop are released; the pools end, within a limit, while
the inbox still brings their results; the triggers `after`; the inbox is closed, which runs what
is left in it; and what threads still owe fails. So whatever was accepted has been done, or its
owner has an error.
"""

from __future__ import annotations

import weakref
from contextvars import Context
from enum import Enum
from threading import RLock, get_ident
from typing import TYPE_CHECKING

from twistlike._base import threadable
from twistlike._base.error import ReactorAlreadyRunning, ReactorNotRunning
from twistlike._base.failure import Failure
from twistlike._defer.coroutines import ensureDeferred
from twistlike._defer.deferred import Deferred
from twistlike._eventloop.loops import (
    LoopCloseDetector,
    endTasks,
    generatorsEnd,
    runningLoop,
    unwatchAsyncgenShutdown,
    watchAsyncgenShutdown,
)
from twistlike._reactor.wrong_thread import ThreadGuard

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import AsyncGenerator, Callable, Sequence

    from twistlike._reactor.blocked import BlockedThreads
    from twistlike._reactor.descriptors import Descriptors
    from twistlike._reactor.inbox import Inbox
    from twistlike._reactor.outstanding import OutstandingDeferreds
    from twistlike._reactor.pools import Pools
    from twistlike._reactor.system_events import SystemEvents
    from twistlike._timers.loop_timers import LoopTimers

__all__ = ["LifeCycle", "State"]


class State(Enum):
    """Where a reactor is in its life; the value is the word that errors and `repr` show."""

    NOT_STARTED = "not started"
    ATTACHED = "attached"
    RUNNING = "running"
    STOPPING = "stopping"
    ENDED = "ended"


ALIVE = (State.RUNNING, State.ATTACHED, State.STOPPING)


class LifeCycle:
    """The states of one reactor, and what each change does to the reactor's parts.

    Args:
        inbox: The calls from threads.
        timers: The calls that are due later.
        descriptors: Who is told when something can be read or written.
        events: The triggers of the startup and the shutdown.
        pools: The threads.
        waiters: The threads that wait for the loop.
        owed: The Deferreds that threads have still to fire.
        disconnectAll: Called when the reactor ends, to tell those of `descriptors`.
        onBound: Called with the loop when the reactor has got one, and with `None` when it has
            none any more.
        report: Called with a failure and what it is about, if something went wrong.

    Attributes:
        loopEnds: Whether the loop is the reactor's own, and is closed when the reactor has ended.
    """

    shutdownTimeout = 5.0

    def __init__(
        self,
        inbox: Inbox,
        timers: LoopTimers,
        descriptors: Descriptors,
        events: SystemEvents,
        pools: Pools,
        blocked: BlockedThreads,
        outstanding: OutstandingDeferreds,
        disconnectAll: Callable[[], object],
        onBound: Callable[[AbstractEventLoop | None], object],
        report: Callable[[Failure, str], object],
    ) -> None:
        self.inbox = inbox
        self.timers = timers
        self.descriptors = descriptors
        self.events = events
        self.pools = pools
        self.blocked = blocked
        self.outstanding = outstanding
        self._disconnectAll = disconnectAll
        self._onBound = onBound
        self._report = report
        self.guard = ThreadGuard()
        # Held by who gives it a loop: threads with loops of their own meet here. Re-entrant, for a
        # signal handler or a __del__ in the middle of it.
        self.beginning = RLock()
        self.state = State.NOT_STARTED
        self.loop: AbstractEventLoop | None = None
        self.running = False
        self.attached = False
        self.startupFired = False
        self._thread = 0
        self._ownContext = Context()
        self._endedOn: weakref.ref[AbstractEventLoop] | None = None
        self._detector: LoopCloseDetector | None = None
        self._watch: AsyncGenerator[None, None] | None = None
        self._shutdown: Deferred[None] | None = None
        self._endWaiters: list[Deferred[None]] = []
        self._hostEnds = False
        self._forced = False
        self.loopEnds = False

    # ---- whose thread ----------------------------------------------------------------------------

    def enter(self, name: str) -> bool:
        """Begin a call that belongs to the loop's thread; attach first if there is no loop yet.

        Args:
            name: What was called, for the error.

        Returns:
            True if the call may go on. False if this is another thread than the loop's, and it is
            to be handed over: it has been warned of.

        Raises:
            WrongThreadError: If this is another thread than the loop's, unless the policy is to
                warn.

        Thread: any.
        """
        if self.loop is None:
            self.attachIfLoopRuns()
        # Race: another thread's loop may have got the reactor meanwhile, so this looks again.
        if self.loop is not None and runningLoop() is not self.loop:
            return self._isOurThread(name)
        return True

    def attachIfLoopRuns(self) -> None:
        """Attach to the loop that runs in this thread, if there is one. Thread: any."""
        loop = runningLoop()
        # The loop on which it has been stopped is no place to begin again by itself: a late call of
        # some component would bring threads back that its owner has just ended.
        if loop is not None and (self._endedOn is None or self._endedOn() is not loop):
            with self.beginning:
                if self.loop is None:
                    self.attach(loop)

    def forgetEnd(self) -> None:
        """Let it attach by itself again, also to the loop on which it has ended."""
        self._endedOn = None

    def acceptWork(self, name: str) -> None:
        """Begin a call that hands work to threads; attach first if there is no loop yet.

        Raises:
            ReactorNotRunning: If the reactor has ended.

        Thread: any.
        """
        if self.loop is None:
            self.attachIfLoopRuns()
            if self.state is State.ENDED:
                raise ReactorNotRunning(
                    f"{name} was called, but the reactor has ended; "
                    "it can be run, or attached to a loop, again"
                )

    def _isOurThread(self, name: str) -> bool:
        if get_ident() == self._thread and runningLoop() is None:
            return True  # between two runs of the loop
        self.guard.reject(name, self.loop)
        return False

    # ---- beginning -------------------------------------------------------------------------------

    def bind(self, loop: AbstractEventLoop) -> None:
        """Serve calls from threads and timers on `loop`, from its next turn on."""
        self.loop = loop
        self._thread = get_ident()
        threadable.registerAsIOThread()
        self.inbox.open(loop)
        self.timers.bind(loop)
        self.descriptors.bind(loop)
        self._onBound(loop)

    def unbind(self) -> None:
        """Have no loop any more; calls and timers are kept."""
        self.inbox.open(None)
        self.timers.unbind()
        self.descriptors.unbind()
        self._onBound(None)
        self.loop = None  # last: see finish()

    def begin(self, state: State, loop: AbstractEventLoop) -> None:
        """Start on `loop`: the startup event fires on its next turn, then what was kept runs."""
        loop.call_soon(self._fireStartup, context=self._ownContext)
        self.state = state
        self.attached = state is State.ATTACHED
        self.running = self.attached  # run() is not "running" before its startup event
        self.startupFired = self._forced = False
        if self.loop is None:
            self.bind(loop)
        self.blocked.open()
        self.pools.start()

    def attach(self, loop: AbstractEventLoop) -> None:
        """Become a guest on `loop`, which runs in this thread.

        Raises:
            ReactorAlreadyRunning: If the reactor has a loop already.
        """
        with self.beginning:
            if self.loop is not None:
                raise ReactorAlreadyRunning(f"the reactor is {self.state.value} already")
            self._hostEnds = self.loopEnds = False
            self.begin(State.ATTACHED, loop)
        life = weakref.ref(self)

        # Weak: a reactor that nobody wants any more must not live as long as the host's loop.
        def closed() -> None:
            if (alive := life()) is not None:
                alive.loopClosed()

        async def hostEnds() -> None:
            if (alive := life()) is not None:
                await alive.endWithHost()

        self._detector = LoopCloseDetector(loop, closed)
        self._watch = watchAsyncgenShutdown(hostEnds)

    def _fireStartup(self) -> None:
        self.events.before("startup").addCallback(self._finishStartup)

    def _finishStartup(self, ignored: object) -> None:
        # stop() may have been called since: what was asked for runs all the same, before the end.
        if self.state in (State.RUNNING, State.ATTACHED) or (
            self.state is State.STOPPING and self._shutdown is None
        ):
            self.running = True
            self.events.during("startup")
            self.startupFired = True
            self.events.after("startup")

    # ---- ending ----------------------------------------------------------------------------------

    def stop(self) -> None:
        """Begin to end, on the loop's next turn.

        Raises:
            ReactorNotRunning: If it does not run, or ends already.
            WrongThreadError: If this is another thread than the loop's.
        """
        loop = self.loop
        if loop is not None and runningLoop() is not loop and not self._isOurThread("stop"):
            self.inbox.post(self.stop, (), {})
            return
        if loop is None or self.state not in (State.RUNNING, State.ATTACHED):
            raise ReactorNotRunning(f"stop() was called, but the reactor is {self.state.value}")
        self.state = State.STOPPING
        # It wakes the loop: a signal's handler, which may call this, interrupts it in its sleep.
        loop.call_soon_threadsafe(self._startShutdown, context=self._ownContext)

    def crash(self) -> None:
        """Stop the loop and have it as if nothing had begun; what waits, waits for the next run.

        Raises:
            ReactorNotRunning: If it does not run on a loop of its own.
            WrongThreadError: If this is another thread than the loop's.
        """
        loop = self.loop
        if loop is not None and runningLoop() is not loop and not self._isOurThread("crash"):
            self.inbox.post(self.crash, (), {})
            return
        if loop is None or self.attached or self.state not in ALIVE:
            raise ReactorNotRunning(f"crash() was called, but the reactor is {self.state.value}")
        self.running = self.startupFired = False
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
            self.stop()
        # A Deferred for each who waits: cancelling one of them must not cancel the end.
        ended: Deferred[None] = Deferred()
        self._endWaiters.append(ended)
        await ended

    def _startShutdown(self) -> None:
        self._shutdown = ensureDeferred(self._shutDown())
        self._shutdown.addErrback(self._shutdownFailed)

    async def _shutDown(self) -> None:
        before = self.events.before("shutdown")
        if self._hostEnds:
            self.timers.callLater(self.shutdownTimeout, before.cancel)
        await before
        if self.loopEnds:
            await endTasks(self._endTimeout())
        self.running = False
        self._disconnectAll()
        self.events.during("shutdown")
        self.blocked.release()
        stuck = await self.pools.stop(
            self._endTimeout(),
            self.timers.callLater,
            lambda function: self.inbox.post(function, (), {}),
        )
        if stuck:
            self._report(Failure(_leftBehind(stuck)), "the reactor ends without waiting any longer")
        self.events.after("shutdown")
        self.finish()

    def _endTimeout(self) -> float:
        """Return how long the end may wait for something, in seconds."""
        return 0.0 if self._forced else self.shutdownTimeout

    def _shutdownFailed(self, failure: Failure) -> None:
        self._report(failure, "the reactor's end went wrong")
        if self.state is State.STOPPING:
            self.abortShutdown()

    def finish(self) -> None:
        """Have ended: run what is left in the inbox, refuse the rest, forget the loop."""
        loop = self.loop
        assert loop is not None
        self.state = State.ENDED
        self.running = self.startupFired = False
        self._shutdown = None
        try:
            try:
                self.inbox.close()
            finally:
                # Only now: what threads have handed in until here has been delivered.
                self.outstanding.fail()
        finally:
            self.timers.clear()
            self.timers.unbind()
            self._disconnectAll()
            self.descriptors.unbind()
            self.events.clear()
            self.pools.reopen()
            self._endedOn = weakref.ref(loop)
            self._releaseLoopHooks()
            self._onBound(None)
            if not self.attached and loop.is_running():
                loop.stop()
            blocked, self._endWaiters = self._endWaiters, []
            # Race: from here on another thread's loop may have the reactor. All is undone by now.
            self.loop = None
            for waiter in blocked:
                waiter.callback(None)

    def _releaseLoopHooks(self) -> None:
        """Take back what was put into the host's hands."""
        if self._detector is not None:
            self._detector.release()
            self._detector = None
        watch, self._watch = self._watch, None
        if watch is not None and not self._hostEnds:
            unwatchAsyncgenShutdown(watch)

    def loopClosed(self) -> None:
        """Hear that the host has closed the loop, with no chance for us to end in order."""
        if self.state in ALIVE:
            self._watch = None
            self.abortShutdown()

    def abortShutdown(self) -> None:
        """End at once: no event is fired, and nothing is waited for."""
        self.running = False
        self.blocked.release()
        self.pools.abandon()
        self.finish()

    def renewLocks(self) -> None:
        """In the child of a fork: threads that are not here may hold them."""
        self.beginning = RLock()
        self.pools.afterFork()

    def abandonAfterFork(self) -> None:
        """Leave everything to the parent process: this is its forked child."""
        if self._detector is not None:
            self._detector.disarm()
        watch, self._watch = self._watch, None
        if watch is not None and not self._hostEnds:
            # Else it would ask the parent's loop to close it, through a pipe that the two share.
            self.attached = False  # nothing is to be ended here
            unwatchAsyncgenShutdown(watch)


def _leftBehind(stuck: Sequence[object]) -> ReactorNotRunning:
    """Return the error that names the threads which still work, and where they stand."""
    threads = "1 thread was" if len(stuck) == 1 else f"{len(stuck)} threads were"
    return ReactorNotRunning("\n".join([f"{threads} left behind:", *map(str, stuck)]))
