"""The reactor: Twisted's reactor API over one asyncio event loop.

Everything runs in the loop's thread, except where a docstring says that any thread may call it.

How it works
------------
A reactor has a loop while it runs (it made the loop, or was given it) or is attached (it is a guest
on somebody's running loop). Without a loop, what it is asked for is kept until it has one. The
parts do the work and know nothing of each other: the inbox takes calls from threads, the timers
those that are due later, the events what happens at the start and at the end, the pools own the
threads, the waiters are the threads that wait for an answer from the loop.
"""

from __future__ import annotations

import weakref
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING

from twistlike._base.failure import Failure
from twistlike._base.naming import showAs
from twistlike._eventloop import current
from twistlike._eventloop.loops import runningLoop
from twistlike._log.report import report
from twistlike._reactor.blocked import Waiters
from twistlike._reactor.consumers import ForConsumers
from twistlike._reactor.descriptors import Descriptors
from twistlike._reactor.inbox import Inbox
from twistlike._reactor.lifecycle import LifeCycle
from twistlike._reactor.network import Network
from twistlike._reactor.network_udp import DatagramNetwork
from twistlike._reactor.outstanding import Owed
from twistlike._reactor.pools import Pools
from twistlike._reactor.registry import registry
from twistlike._reactor.resolver import ThreadedResolver
from twistlike._reactor.run_loop import OwnLoop
from twistlike._reactor.system_events import SystemEvents
from twistlike._reactor.wrong_thread import HandedOverCall, Policy
from twistlike._timers.loop_timers import LoopTimers
from twistlike._timers.queue import checkDelay
from twistlike._transports.transports import Transports

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Sequence
    from types import TracebackType
    from typing import ParamSpec, Self

    from twistlike._pool.pool import ThreadPool
    from twistlike._reactor.system_events import Handle
    from twistlike._timers.queue import DelayedCall

    P = ParamSpec("P")

__all__ = ["AsyncioSelectorReactor", "Reactor"]

_isCallable = callable  # the reactor's methods have a parameter of that name, as in Twisted


class Reactor(Network, DatagramNetwork, ForConsumers):
    """Timers, threads and system events on one asyncio loop.

    ``run()`` makes a loop and runs it until ``stop()``. In a running loop nothing has to be done:
    the reactor attaches to it when it is first used there, and ends with it. Both can be done
    again and again, each time with fresh timers, triggers and threads.

    Differs from Twisted: several reactors may live in one process; a reactor can be run again; what
    belongs to the loop's thread raises ``WrongThreadError`` elsewhere; a reactor that has ended
    refuses calls from threads instead of swallowing them.
    """

    def __init__(self, eventloop: AbstractEventLoop | None = None) -> None:
        """Make a reactor.

        Args:
            eventloop: The loop that ``run()`` runs, and leaves open; it makes one unless given.
        """
        self._setUp()
        self._ownLoop.given = eventloop
        registry.note(self)

    def _setUp(self) -> None:
        self._home: AbstractEventLoop | None = None  # the loop whose first reactor this is
        self._inbox = Inbox(self._callFailed)
        self._timers = LoopTimers(
            self._callFailed, self._inbox.drainEarly, lambda name: self._life.enter(name)
        )
        self._descriptors = Descriptors(self._callFailed)
        self._transports = Transports(
            lambda name: self._life.enter(name),
            lambda function, args, kw: self._inbox.post(function, args, kw),
            self._callFailed,
        )
        self._events = SystemEvents(self._triggerFailed)
        self._pools = Pools(self, _workerReporter(weakref.ref(self)))
        self._waiters = Waiters()
        self._owed = Owed(self._callFailed)
        self._life = LifeCycle(
            self._inbox,
            self._timers,
            self._descriptors,
            self._events,
            self._pools,
            self._waiters,
            self._owed,
            lambda: self.disconnectAll(),
            self._noteLoop,
            self._report,
        )
        self._ownLoop = OwnLoop(self._life, self._inbox, self._noteSignal)
        threaded = ThreadedResolver(self, self._pools.forNames, self._owed.calls)
        self.resolver, self.nameResolver = threaded, threaded

    def __repr__(self) -> str:
        loop = self._life.loop
        where = "" if loop is None else f" on {loop!r}"
        return f"<{type(self).__name__} {self._life.state.value}{where}>"

    def __del__(self) -> None:
        # Workers hold their pool, not the reactor: without it nobody needs them any more.
        try:
            self._pools.abandon()
        except AttributeError:
            pass  # a subclass did not get that far, or the interpreter ends and took it apart

    # ---- life ------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether the reactor runs: from its startup event until its shutdown event."""
        return self._life.running

    @property
    def shutdownTimeout(self) -> float:
        """How long the end waits for threads that still work, in seconds; 5 by default.

        Then they are reported, with their stacks, and left behind. The default is half of the 10 s
        after which supervisors kill.
        """
        return self._life.shutdownTimeout

    @shutdownTimeout.setter
    def shutdownTimeout(self, seconds: float) -> None:
        checkDelay(seconds, "shutdownTimeout")
        self._life.shutdownTimeout = seconds

    @property
    def wrongThread(self) -> str:
        """Answer to loop-only calls in other threads: ``"error"``, the default, or ``"warn"``.

        ``"error"`` raises ``WrongThreadError``. ``"warn"`` is for code that is being ported: it
        warns (``RuntimeWarning``) once for each place that such a call comes from, and hands the
        call over to the loop's thread, as ``callFromThread`` does. So handed over are
        ``callLater`` (which returns a handle that works in any thread), ``callWhenRunning``, the
        system event triggers, ``stop``, ``crash`` and ``reset`` of a timer; their later errors are
        reported. What would have to return a Deferred raises all the same.
        """
        return self._life.guard.policy.value

    @wrongThread.setter
    def wrongThread(self, policy: str) -> None:
        self._life.guard.policy = Policy(policy)

    def run(self, installSignalHandlers: bool = True) -> None:
        """Run until ``stop()``; then fire the shutdown events and wait for what they return.

        Args:
            installSignalHandlers: Take SIGINT and SIGTERM for as long as it runs, if this is the
                main thread: the first one stops the reactor, a later one ends all waiting.

        Raises:
            ReactorAlreadyRunning: A loop runs in this thread (use the reactor in it; there is
                nothing to run), or the reactor or the loop that was installed runs elsewhere.
            RuntimeError: If the loop that was installed is closed.
        """
        self.startRunning(installSignalHandlers)
        self.mainLoop()

    def startRunning(self, installSignalHandlers: bool = True) -> None:
        """Do the first half of ``run()``: make a loop, take the signals, plan the startup event.

        ``mainLoop()`` is the other half; with ``iterate()`` one can do without it.

        Raises:
            ReactorAlreadyRunning: As ``run()``.
        """
        self._ownLoop.start(installSignalHandlers)

    def mainLoop(self) -> None:
        """Do the second half of ``run()``: run the loop until the reactor has ended."""
        self._ownLoop.run()

    def stop(self) -> None:
        """End the reactor: fire the shutdown events, wait for the threads, then let ``run`` return.

        It returns at once; all that happens on the loop's next turns. An attached reactor ends the
        same way, and its host's loop goes on.

        Raises:
            ReactorNotRunning: If it does not run, or stops already.
            WrongThreadError: In another thread than the loop's; use
                ``reactor.callFromThread(reactor.stop)`` there.
        """
        self._life.stop()

    def crash(self) -> None:
        """Let ``run`` return at once, with no event and without ending the threads.

        Timers, triggers and jobs stay, for the next ``run``.

        Raises:
            ReactorNotRunning: If it does not run, or is attached to a loop that is not its own.
            WrongThreadError: In another thread than the loop's.
        """
        self._life.crash()

    def iterate(self, delay: float = 0) -> None:
        """Run one turn of the loop, outside of ``run``.

        Args:
            delay: How long it may wait for something to do, in seconds.

        Raises:
            ReactorAlreadyRunning: From within a running loop: asyncio's loops do not nest.
        """
        self._ownLoop.turn(delay)

    def callWhenRunning(
        self, callable: Callable[P, object], *args: P.args, **kwargs: P.kwargs
    ) -> Handle | None:
        """Call a function when the reactor runs: at once if it does, else after its startup.

        Returns:
            What ``removeSystemEventTrigger`` takes, or ``None`` if it was called at once.

        Raises:
            WrongThreadError: In another thread than the loop's.
        """
        if not self._life.enter("callWhenRunning"):
            self._inbox.post(self.callWhenRunning, (callable, *args), kwargs)
            return self._events.handleOf("after", "startup", callable, args, kwargs)
        if self._life.startupFired:
            callable(*args, **kwargs)
            return None
        return self._events.add("after", "startup", callable, args, kwargs)

    def addSystemEventTrigger(
        self,
        phase: str,
        eventType: str,
        callable: Callable[P, object],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Handle:
        """Have a function called when a system event fires.

        Args:
            phase: ``"before"`` (a Deferred or awaitable that it returns is waited for),
                ``"during"`` or ``"after"``.
            eventType: ``"startup"``, ``"shutdown"``, or a name of one's own.
            callable: The function, with its arguments after it.

        Returns:
            What ``removeSystemEventTrigger`` takes.

        Raises:
            KeyError: If there is no such phase.
            TypeError: If it is not callable.
            WrongThreadError: In another thread than the loop's.
        """
        if not self._life.enter("addSystemEventTrigger"):
            handle = self._events.handleOf(phase, eventType, callable, args, kwargs)
            self._inbox.post(self._events.add, (phase, eventType, callable, args, kwargs), {})
            return handle
        return self._events.add(phase, eventType, callable, args, kwargs)

    def removeSystemEventTrigger(self, triggerID: Handle) -> None:
        """Take back a trigger.

        Args:
            triggerID: What ``addSystemEventTrigger`` returned.

        Raises:
            ValueError: If there is no such trigger (any more).
            TypeError: If ``addSystemEventTrigger`` never returned such a thing.
            WrongThreadError: In another thread than the loop's.
        """
        if self._life.enter("removeSystemEventTrigger"):
            self._events.remove(triggerID)
        else:
            self._inbox.post(self._events.remove, (triggerID,), {})

    def fireSystemEvent(self, eventType: str) -> None:
        """Fire a system event: its triggers run, in their phases, and are used up.

        Raises:
            WrongThreadError: In another thread than the loop's.
        """
        if self._life.enter("fireSystemEvent"):
            self._events.fire(eventType)
        else:
            self._inbox.post(self._events.fire, (eventType,), {})

    async def __aenter__(self) -> Self:
        """Attach to the running loop.

        Raises:
            ReactorAlreadyRunning: If the reactor has a loop already.
        """
        loop = runningLoop()
        assert loop is not None, "async code runs in a loop"
        self._life.attach(loop)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End, and wait until it has ended."""
        await self._life.endAttached()

    # ---- time ------------------------------------------------------------------------------------

    def seconds(self) -> float:
        """Return the time, in seconds of the clock that ``callLater`` goes by. Thread: any."""
        return self._timers.seconds()

    def callLater(
        self, delay: float, callable: Callable[P, object], *args: P.args, **kw: P.kwargs
    ) -> DelayedCall:
        """Have a function called later, in a copy of the present context.

        Args:
            delay: Seconds from now.
            callable: The function, with its arguments after it.

        Returns:
            The handle to cancel it or to move it.

        Raises:
            TypeError: If it is not callable, or the delay is not a number.
            ValueError: If the delay is negative or NaN.
            WrongThreadError: In another thread than the loop's; use
                ``reactor.callFromThread(reactor.callLater, ...)`` there.
        """
        if current.runningLoop() is not self._life.loop and not self._life.enter("callLater"):
            return HandedOverCall(self._timers, self._inbox, delay, callable, args, kw)
        return self._timers.add(delay, callable, args, kw)

    def getDelayedCalls(self) -> Sequence[DelayedCall]:
        """Return the calls that are still to come, in the order in which they are due."""
        return self._timers.calls()

    # ---- threads ---------------------------------------------------------------------------------

    if TYPE_CHECKING:

        def callFromThread(
            self, callable: Callable[P, object], *args: P.args, **kwargs: P.kwargs
        ) -> None: ...

    else:
        # The one tuple that Python makes of the arguments is what the inbox keeps: see there.
        def callFromThread(self, *call, **kwargs):
            """Have a function called in the loop's thread, on its next turn, in order.

            Before the reactor runs, the call is kept. An error that it raises is reported.

            Args:
                call: The function, with its arguments after it.

            Raises:
                TypeError: If it is not callable.
                ReactorNotRunning: If the reactor has ended: the function will not be called.

            Thread: any; also in signal handlers and ``__del__``.
            """
            if self._life.loop is None:
                self._life.attachIfLoopRuns()
            if not call or not _isCallable(call[0]):
                raise TypeError(f"callFromThread needs something to call, not {call[:1]!r}")
            if kwargs:
                call = (partial(*call, **kwargs),)
            context = copy_context()
            self._inbox.put((context.run, *call) if context else call)

    def callInThread(
        self, callable: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Have a function called by the next free thread of the pool, in a copy of the context.

        Before the reactor runs, the call is kept. An error that the function raises is reported.

        Raises:
            TypeError: If it is not callable.
            ReactorNotRunning: If the reactor has ended: the function will not be called.

        Thread: any.
        """
        if not _isCallable(callable):
            raise TypeError(f"callInThread needs something to call, not {callable!r}")
        if self._life.loop is None:
            self._life.acceptWork("callInThread")
        pool = self._pools.users or self._pools.forUsers()
        pool.enqueueCall(callable, args, kwargs)

    def getThreadPool(self) -> ThreadPool:
        """Return the pool that all users of this reactor share. Thread: any."""
        if self._life.loop is None:
            self._life.attachIfLoopRuns()
        return self._pools.forUsers()

    def suggestThreadPoolSize(self, size: int) -> None:
        """Set how many threads the pool may have at most. Takes effect at once. Thread: any.

        Raises:
            TypeError: If the size is not a whole number.
            ValueError: If it is negative.
        """
        self._pools.suggestSize(size)

    # ---- what goes wrong, and what it is told ----------------------------------------------------

    def _report(self, failure: Failure, message: str, source: object = None) -> None:
        report(failure, message, source=source or self, loop=self._life.loop)

    def _callFailed(
        self, error: BaseException, function: Callable[..., object]
    ) -> BaseException | None:
        """Report an error of a call; return it if it must leave the loop all the same.

        On a host's loop it must: ``asyncio.Runner`` ends by the KeyboardInterrupt of a second
        Ctrl-C. A loop of our own runs on, as Twisted's does.
        """
        if self._life.attached and isinstance(error, (KeyboardInterrupt, SystemExit)):
            return error
        self._report(Failure.fromException(error), f"a call to {function!r} failed", function)
        return None

    def _triggerFailed(self, failure: Failure, function: Callable[..., object]) -> None:
        self._report(failure, f"the system event trigger {function!r} failed", function)

    def _noteLoop(self, loop: AbstractEventLoop | None) -> None:
        """Hear that the reactor has got a loop, or has none any more."""
        if loop is not None:
            self._home = loop if registry.enter(loop, self) else None
            self._transports.bind(loop)
        else:
            self._transports.unbind()
            self._home = None
            registry.leave(self)

    def _afterFork(self) -> None:
        """Begin anew in a child process: the loop and the threads are the parent's."""
        if self._life.loop is None:
            self._life.renewLocks()  # a daemon forks before it runs: what waits for that is kept
            return
        size, policy, limit = self._pools.size, self.wrongThread, self.shutdownTimeout
        self._life.forget()
        self._transports.afterFork()
        self._ownLoop.giveSignalsBack()
        self._setUp()
        self._pools.suggestSize(size)
        self.wrongThread, self.shutdownTimeout = policy, limit


AsyncioSelectorReactor = Reactor
"""The name by which Twisted knows the reactor on asyncio."""


def _workerReporter(reference: weakref.ref[Reactor]) -> Callable[[Failure, str], None]:
    """Return what a pool tells errors to. It holds the reactor weakly, since threads hold it."""

    def tell(failure: Failure, message: str) -> None:
        reactor = reference()
        loop = None if reactor is None else reactor._life.loop
        report(failure, message, source=reactor, loop=loop)

    return tell


showAs("twistlike.internet.asyncioreactor", globals(), ["Reactor"])
