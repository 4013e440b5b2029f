"""The reactor: Twisted's reactor API over one asyncio event loop.

Everything runs in the loop's thread, except where a docstring says that any thread may call it.

How it works
------------
A reactor has a loop while it runs (it made the loop, or was given it) or is attached (it is a guest
on somebody's running loop). Without a loop, what it is asked for is kept until it has one. The
parts (see `parts`) do the work and know nothing of each other: the inbox takes calls from threads,
the timers those that are due later, the descriptors watch files, the events hold what happens at
the start and at the end, the pools own the threads, the blocked threads wait for an answer from the
loop, the outstanding Deferreds for an answer from a thread.
"""

from __future__ import annotations

import weakref
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from twistlike._base.copying import refuseCopy
from twistlike._base.coroutines import NOT_RUN
from twistlike._base.failure import Failure
from twistlike._base.functions import describeWithPlace, withoutArguments
from twistlike._base.naming import showAs
from twistlike._base.reflect import safe_repr
from twistlike._defer.coroutines import startCoroutine
from twistlike._eventloop import current
from twistlike._log.report import report
from twistlike._reactor.descriptors import Descriptors
from twistlike._reactor.inbox import Inbox
from twistlike._reactor.lifecycle import LifeCycle
from twistlike._reactor.network import Network
from twistlike._reactor.pools import Pools
from twistlike._reactor.registry import RegistryEntry, registry
from twistlike._reactor.run_loop import RunLoop
from twistlike._reactor.system_events import SystemEvents, warnOfMisspelt
from twistlike._reactor.unbound import UnboundCalls
from twistlike._reactor.waits import BlockedThreads, OutstandingDeferreds
from twistlike._reactor.wrong_thread import Policy, ThreadsafeDelayedCall
from twistlike._timers.delays import checkDelay
from twistlike._timers.loop_timers import LoopTimers
from twistlike._transports.transports import Transports

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Sequence
    from types import TracebackType
    from typing import ParamSpec, Self

    from twistlike._base.interfaces import IReadDescriptor, IWriteDescriptor
    from twistlike._pool.pool import ThreadPool
    from twistlike._reactor.parts import Part
    from twistlike._reactor.system_events import Handle
    from twistlike._timers.queue import DelayedCall

    P = ParamSpec("P")

__all__ = ["AsyncioSelectorReactor", "Reactor"]

T = TypeVar("T")

_isCallable = callable  # the reactor's methods have a parameter of that name, as in Twisted


class AsyncioSelectorReactor(Network):
    """Timers, threads and system events on one asyncio loop.

    `run()` makes a loop and runs it until `stop()`. In a running loop nothing has to be done:
    the reactor attaches to it when it is first used there, and ends with it. Both can be done
    again and again, each time with fresh timers, triggers and threads.

    Differs from Twisted: several reactors may live in one process; a reactor can be run again; what
    belongs to the loop's thread raises `WrongThreadError` elsewhere; a reactor that has ended
    refuses calls from threads instead of swallowing them.
    """

    __reduce__ = refuseCopy

    def __init__(self, eventloop: AbstractEventLoop | None = None) -> None:
        """Make a reactor.

        Args:
            eventloop: The loop that `run()` runs, and leaves open; it makes one unless given.
        """
        self._setUp()
        self._runLoop.installedLoop = eventloop
        registry.note(self)

    def _setUp(self) -> None:
        self._home: AbstractEventLoop | None = None  # the loop whose first reactor this is
        self._inbox = Inbox(self._callFailed)
        self._put = self._inbox.put  # bound once: a flood consists of these calls
        self._timers = LoopTimers(
            self._callFailed, self._inbox.drainEarly, lambda name: self._life.enter(name)
        )
        self._inbox.afterBatch = self._timers.runIfDue
        self._descriptors = Descriptors(self._callFailed)
        self._transports = Transports(
            lambda name: self._life.enter(name),
            lambda function, args, kw: self._inbox.post(function, args, kw),
            self._callFailed,
        )
        self._events = SystemEvents(self._triggerFailed)
        self._pools = Pools(self, _workerReporter(weakref.ref(self)), self._inbox.put)
        self._blocked = BlockedThreads()
        self._outstanding = OutstandingDeferreds(self._callFailed)
        self._unbound = UnboundCalls(self._countUnrun, self._blocked.end, self._report)
        self._pools.onMade = self._unbound.poolMade
        parts: list[Part] = [  # in the order in which they end
            self._blocked,
            self._pools,
            self._inbox,
            self._outstanding,  # after the inbox: what threads have handed in has been delivered
            self._timers,
            self._transports,
            self._descriptors,
            self._events,
            RegistryEntry(self),
            self._unbound,
        ]
        self._scopes = 0  # how many `async with` blocks are inside
        self._life = LifeCycle(
            parts,
            self._events,
            self._blocked,
            self._pools,
            self._unbound,
            lambda: self.disconnectAll(),  # looked up late: a subclass or a test may replace it
            self._report,
        )
        self._runLoop = RunLoop(self._life, self._inbox, self._timers, self._noteSignal)
        self._forgetResolvers()

    def __repr__(self) -> str:
        loop = self._life.loop
        where = "" if loop is None else f" on {loop!r}"
        return f"<Reactor {self._life.state.value}{where}>"

    def __del__(self) -> None:
        # Workers hold their pool, not the reactor: without it nobody needs them any more.
        try:
            self._pools.abandon()
        except AttributeError:
            pass  # a subclass did not get that far, or the interpreter ends and took it apart

    # ---- life ------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether the reactor runs: from its startup event until its shutdown event.

        In a running loop this attaches the reactor to it, as any use does.
        """
        if self._life.loop is None:
            self._life.attachIfLoopRuns()
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
        """Answer to loop-only calls in other threads: `"error"`, the default, or `"warn"`.

        `"error"` raises `WrongThreadError`. `"warn"` is for code that is being ported: it
        warns (`RuntimeWarning`) once for each place that such a call comes from, and hands the
        call over to the loop's thread, as `callFromThread` does. So handed over are
        `callLater` (which returns a handle that works in any thread), `callWhenRunning`, the
        system event triggers, `stop`, `crash` and `reset` of a timer; their later errors are
        reported. What would have to return a Deferred raises all the same.
        """
        return self._life.guard.policy.value

    @wrongThread.setter
    def wrongThread(self, policy: str) -> None:
        self._life.guard.policy = Policy(policy)

    def run(self, installSignalHandlers: bool = True) -> None:
        """Run until `stop()`; then fire the shutdown events and wait for what they return.

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
        """Do the first half of `run()`: make a loop, take the signals, plan the startup event.

        `mainLoop()` is the other half; with `iterate()` one can do without it.

        Raises:
            ReactorAlreadyRunning: As `run()`.
        """
        self._runLoop.start(installSignalHandlers)

    def mainLoop(self) -> None:
        """Do the second half of `run()`: run the loop until the reactor has ended."""
        self._runLoop.run()

    def stop(self) -> None:
        """End the reactor: fire the shutdown events, wait for the threads, then let `run` return.

        It returns at once; all that happens on the loop's next turns. An attached reactor ends the
        same way, and its host's loop goes on.

        Raises:
            ReactorNotRunning: If it does not run, or stops already.
            WrongThreadError: In another thread than the loop's; use
                `reactor.callFromThread(reactor.stop)` there.
        """
        self._doOrPost("stop", self._life.stop, attach=False)

    def crash(self) -> None:
        """Let `run` return at once, with no event and without ending the threads.

        Timers, triggers and jobs stay, for the next `run`.

        Raises:
            ReactorNotRunning: If it does not run, or is attached to a loop that is not its own.
            WrongThreadError: In another thread than the loop's.
        """
        self._doOrPost("crash", self._life.crash, attach=False)

    def iterate(self, delay: float = 0) -> None:
        """Run one turn of the loop, outside of `run`.

        Args:
            delay: How long it may wait for something to do, in seconds.

        Raises:
            ReactorAlreadyRunning: From within a running loop: asyncio's loops do not nest.
        """
        self._runLoop.runOnce(delay)

    def callWhenRunning(
        self, callable: Callable[P, object], *args: P.args, **kwargs: P.kwargs
    ) -> Handle | None:
        """Call a function when the reactor runs: at once if it does, else after its startup.

        Returns:
            What `removeSystemEventTrigger` takes, or `None` if it was called at once.

        Raises:
            WrongThreadError: In another thread than the loop's.
        """
        handle = self._events.handleOf("after", "startup", callable, args, kwargs)
        return self._doOrPost("callWhenRunning", self._callWhenRunning, handle, ifPosted=handle)

    def _callWhenRunning(self, handle: Handle) -> Handle | None:
        event, (phase, function, args, kwargs) = handle
        if self._life.startupFired:
            result = function(*args, **kwargs)
            if type(result) in NOT_RUN:
                startCoroutine(result, function)
            return None
        return self._events.add(phase, event, function, args, kwargs)

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
            phase: `"before"` (a Deferred or awaitable that it returns is waited for),
                `"during"` or `"after"`.
            eventType: `"startup"`, `"shutdown"`, or a name of one's own.
            callable: The function, with its arguments after it.

        Returns:
            What `removeSystemEventTrigger` takes.

        Raises:
            KeyError: If there is no such phase.
            TypeError: If it is not callable.
            WrongThreadError: In another thread than the loop's.
        """
        handle = self._events.handleOf(phase, eventType, callable, args, kwargs)
        warnOfMisspelt(eventType)
        self._doOrPost(
            "addSystemEventTrigger", self._events.add, phase, eventType, callable, args, kwargs
        )
        return handle

    def removeSystemEventTrigger(self, triggerID: Handle) -> None:
        """Take back a trigger.

        Args:
            triggerID: What `addSystemEventTrigger` returned.

        Raises:
            ValueError: If there is no such trigger (any more).
            TypeError: If `addSystemEventTrigger` never returned such a thing.
            WrongThreadError: In another thread than the loop's.
        """
        self._doOrPost("removeSystemEventTrigger", self._events.remove, triggerID)

    def fireSystemEvent(self, eventType: str) -> None:
        """Fire a system event: its triggers run, in their phases, and are used up.

        Raises:
            WrongThreadError: In another thread than the loop's.
        """
        self._doOrPost("fireSystemEvent", self._fireSystemEvent, eventType)

    def _fireSystemEvent(self, eventType: str) -> None:
        self._events.fire(eventType)
        if eventType == "shutdown" and self._life.loop is None:
            self._pools.stopUsers()  # before a run there is no other end that would do it

    def attach(self) -> None:
        """Attach to the running loop; nothing happens if the reactor is attached to it already.

        Any use of the reactor in the loop's thread does that, too. This is the line for a `main()`
        or a lifespan whose first use of the reactor may come from another thread. It imports what
        the first job needs, so that this does not hold up the loop later.

        Raises:
            RuntimeError: If no loop runs in this thread.
            ReactorAlreadyRunning: If the reactor is on another loop.
        """
        loop = current.runningLoop()
        if loop is None:
            raise RuntimeError(
                "attach() was called where no event loop runs; call it in a coroutine, or use "
                "reactor.run()"
            )
        if self._life.loop is not loop:
            self._life.attach(loop)
        self._pools.warmUp()

    async def __aenter__(self) -> Self:
        """Attach to the running loop. Blocks may nest, and overlap: the last that is left ends it.

        Raises:
            ReactorAlreadyRunning: If the reactor is on another loop.
        """
        if self._life.loop is None:
            self._scopes = 0  # blocks of a life that has ended are left without effect on this one
        self.attach()
        self._scopes += 1
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End, and wait until it has ended, unless another block is still inside."""
        self._scopes -= 1
        if self._scopes <= 0:
            await self._life.endAttached()

    # ---- time ------------------------------------------------------------------------------------

    if TYPE_CHECKING:

        def seconds(self) -> float: ...

    else:

        @property
        def seconds(self):
            """Return the time, in seconds since the epoch. Thread: any.

            It never jumps: it is the clock of the loop, and an offset that is taken when the
            reactor gets a loop. A function that is assigned to this name takes its place, for
            `callLater` too.
            """
            return self._timers.shownSeconds

        @seconds.setter
        def seconds(self, seconds):
            self._timers.replaceClock(seconds)

        @seconds.deleter
        def seconds(self):
            self._timers.replaceClock(None)

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
                `reactor.callFromThread(reactor.callLater, ...)` there.
        """
        loop = current.runningLoop()
        if (loop is None or loop is not self._life.loop) and not self._life.enter("callLater"):
            return ThreadsafeDelayedCall(self._timers, self._inbox, delay, callable, args, kw)
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

            Thread: any; also in signal handlers and `__del__`.
            """
            if not call or not _isCallable(call[0]):
                raise TypeError(
                    f"callFromThread needs something to call, not {safe_repr(call[:1])}"
                )
            if self._life.loop is None:
                self._life.acceptPost("callFromThread")
            if kwargs:
                call = (partial(*call, **kwargs),)
            context = copy_context()
            self._put((context.run, *call) if context else call)

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
            raise TypeError(f"callInThread needs something to call, not {safe_repr(callable)}")
        if self._life.loop is None:
            self._life.acceptPost("callInThread")
        pool = self._pools.users or self._pools.forUsers()
        pool.enqueueCall(callable, args, kwargs)

    def getThreadPool(self) -> ThreadPool:
        """Return the pool that all users of this reactor share. Thread: any."""
        if self._life.loop is None:
            self._life.attachIfLoopRuns()
        return self._pools.forUsers()

    def suggestThreadPoolSize(self, size: int) -> None:
        """Set how many threads the pool may have at most. Takes effect at once. Thread: any.

        The pool is made if there is none, as in Twisted.

        Raises:
            TypeError: If the size is not a whole number.
            PoolSizeError: If it is negative. It is a `ValueError`.
        """
        self._pools.suggestSize(size)
        self._pools.forUsers()

    # ---- file descriptors ------------------------------------------------------------------------

    def addReader(self, reader: IReadDescriptor) -> None:
        """Call an object's `doRead` whenever its file descriptor has something to read.

        If `doRead` returns or raises an error, the object is watched no longer, and its
        `connectionLost` is called with a Failure. When the reactor ends, it is called as well.

        Args:
            reader: The object. Adding it once more does nothing.

        Raises:
            NotImplementedError: The loop cannot watch file descriptors (Windows' Proactor loop).
            OSError: The operating system cannot watch this one: it is closed.
            WrongThreadError: In another thread than the loop's.
        """
        self._doOrPost("addReader", self._watch, reader, True, True)

    def addWriter(self, writer: IWriteDescriptor) -> None:
        """Call an object's `doWrite` whenever its file descriptor has room to write.

        Otherwise as `addReader`.
        """
        self._doOrPost("addWriter", self._watch, writer, True, False)

    def removeReader(self, reader: IReadDescriptor) -> None:
        """Call an object's `doRead` no longer; nothing happens if it is not watched.

        Raises:
            WrongThreadError: In another thread than the loop's.
        """
        self._doOrPost("removeReader", self._watch, reader, False, True)

    def removeWriter(self, writer: IWriteDescriptor) -> None:
        """Call an object's `doWrite` no longer; nothing happens if it is not watched.

        Raises:
            WrongThreadError: In another thread than the loop's.
        """
        self._doOrPost("removeWriter", self._watch, writer, False, False)

    def removeAll(self) -> list[IReadDescriptor | IWriteDescriptor]:
        """Watch nobody any longer.

        Returns:
            All objects that were watched, each once.
        """
        return [*self._transports.removeAll(), *self._descriptors.removeAll()]

    def disconnectAll(self) -> None:
        """Watch nobody any longer, and call `connectionLost` of all that were watched."""
        self._life.endExternal()

    def getReaders(self) -> list[IReadDescriptor]:
        """Return the objects that are watched for something to read."""
        return [*self._transports.readers(), *self._descriptors.readers]

    def getWriters(self) -> list[IWriteDescriptor]:
        """Return the objects that are watched for room to write."""
        return [*self._transports.writers(), *self._descriptors.writers]

    def _watch(self, selectable: Any, adding: bool, reading: bool) -> None:
        """Watch an object, or watch it no longer. One of our transports then reads, or rests."""
        if not self._transports.change(selectable, adding, reading):
            descriptors = self._descriptors
            (descriptors.add if adding else descriptors.remove)(selectable, reading)

    # ---- what Twisted's consumers use of its private names ---------------------------------------

    @property
    def threadpool(self) -> ThreadPool | None:
        """The pool, `None` if nobody has needed it yet, or the reactor has ended."""
        return self._pools.users

    _exitSignal: int | None = None  # twisted.application reads it, to end by that signal itself

    def _noteSignal(self, number: int) -> None:
        """Hear of the signal that ends `run()`. Thread: the main one, in the handler."""
        self._exitSignal = number

    @property
    def _asyncioEventloop(self) -> AbstractEventLoop | None:
        """The loop, or the one that was installed, or None: scrapy looks which kind it is."""
        return self._life.loop or self._runLoop.installedLoop

    def _stopThreadPool(self) -> None:
        """End the users' threads and wait for them; the next job gets a new pool. For trial."""
        self._pools.stopUsers()

    def _uninstallHandler(self) -> None:
        """Give the signals back. For the suites that run on any reactor."""
        self._runLoop.giveSignalsBack()

    # ---- what goes wrong -------------------------------------------------------------------------

    def _doOrPost(
        self,
        name: str,
        function: Callable[..., T | None],
        *args: Any,
        attach: bool = True,
        ifPosted: T | None = None,
    ) -> T | None:
        """Do what belongs to the loop's thread: here if this is that thread, else post it there.

        Args:
            name: The method that was called, for the error.
            function: What does it, with its arguments after it.
            attach: Attach to the loop that runs here, if the reactor has none.
            ifPosted: What to return if it was posted.

        Raises:
            WrongThreadError: In another thread, unless the policy is to warn and to post it.
        """
        life = self._life
        if life.enter(name) if attach else life.isOurThread(name):
            return function(*args)
        self._inbox.post(function, args, {})
        return ifPosted

    def _report(self, failure: Failure, message: str, source: object = None) -> None:
        report(failure, message, source=source or self, loop=self._life.loop)

    def _callFailed(
        self, error: BaseException, function: Callable[..., object]
    ) -> BaseException | None:
        """Report an error of a call; return it if it must leave the loop all the same.

        On a host's loop it must: `asyncio.Runner` ends by the KeyboardInterrupt of a second
        Ctrl-C. A loop of our own runs on, as Twisted's does.
        """
        # Not isinstance, which may ask the error for its `__class__`.
        if self._life.attached and issubclass(type(error), (KeyboardInterrupt, SystemExit)):
            return error
        what = f"a call to {describeWithPlace(function)} failed"
        self._report(Failure.fromException(error), what, withoutArguments(function))
        return None

    def _triggerFailed(self, failure: Failure, function: Callable[..., object]) -> None:
        what = f"the system event trigger {describeWithPlace(function)} failed"
        self._report(failure, what, withoutArguments(function))

    def _countUnrun(self, all: bool) -> int:
        """Return how many calls and jobs wait for a loop.

        Args:
            all: Count the timers and what is to run after the startup, too.
        """
        jobs = 0 if self._pools.users is None else self._pools.users.stats().queued
        others = self._timers.count() + self._events.count("startup") if all else 0
        return len(self._inbox) + jobs + others

    def _afterFork(self) -> None:
        """Begin anew in a child process: the loop and the threads are the parent's."""
        self._life.afterFork()
        if self._life.loop is None:
            return  # a daemon forks before it runs: what waits for that is kept
        size, policy, limit = self._pools.size, self.wrongThread, self.shutdownTimeout
        isDefault = self._unbound.attach is not None
        self._runLoop.giveSignalsBack()
        self._setUp()
        self._pools.suggestSize(size)
        if isDefault:
            self._unbound.attach = self._life.attachForPost
        self._pools.start()  # jobs that need no loop run at once, as they would have in the parent
        self.wrongThread, self.shutdownTimeout = policy, limit


Reactor = AsyncioSelectorReactor
"""A shorter name. The class has the other one because suites look at it."""


def _workerReporter(reference: weakref.ref[Reactor]) -> Callable[[Failure, str], None]:
    """Return what a pool tells errors to. It holds the reactor weakly, since threads hold it."""

    def tell(failure: Failure, message: str) -> None:
        reactor = reference()
        loop = None if reactor is None else reactor._life.loop
        report(failure, message, source=reactor, loop=loop)

    return tell


showAs("twistlike.internet.asyncioreactor", globals(), ["AsyncioSelectorReactor"])
