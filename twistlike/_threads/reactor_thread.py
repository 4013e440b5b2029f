"""A reactor that runs in a thread of its own, for programs that have no loop.

Thread: any, except where a docstring says otherwise.

How it works
------------
The thread is a daemon, and runs the reactor as `reactor.run()` does, without signals: those are
the main thread's. `start` waits until the reactor's startup event has been fired, or the thread
has ended before that. At the interpreter's end, when the threads that are no daemons have ended,
the reactor is stopped and waited for, within a limit.

A forked child has no such thread. Its first call into the reactor's thread starts one: the reactor
asks for that by `LifeCycle.onNeeded`, which is set in the child only.
"""

from __future__ import annotations

import atexit
import os
import sys
import weakref
from threading import Event, RLock, Thread, current_thread
from typing import TYPE_CHECKING

from twistlike._base.error import ReactorNotRunning, TimeoutError
from twistlike._base.failure import Failure
from twistlike._base.interrupts import repairedBy
from twistlike._base.naming import showAs
from twistlike._log.report import report
from twistlike._reactor.current import currentReactor, defaultReactor
from twistlike._reactor.pools import currentPool
from twistlike._reactor.reactor import Reactor

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self


__all__ = ["ReactorThread", "startReactorThread", "stopReactorThread"]

# How long the end may take once it is forced to wait for nothing more, in seconds: some turns of
# the loop, on a machine that is busy.
FORCED_END = 1.0


class _Run:
    """One run of a reactor in a thread.

    Args:
        owner: Whose run it is.

    Attributes:
        thread: Where.
        begun: Set when the reactor takes calls, or never will.
        ready: Set when the reactor serves, or has ended before it did.
        ended: Set when the thread has nothing left to do.
        error: What kept the reactor from running.
    """

    def __init__(self, owner: ReactorThread) -> None:
        self._owner = owner
        self.process = os.getpid()
        self.begun = Event()
        self.ready = Event()
        self.ended = Event()
        self.error: BaseException | None = None
        self.thread = Thread(target=self._main, name="reactor", daemon=True)

    @property
    def isAlive(self) -> bool:
        """Whether the thread runs, in this process."""
        return not self.ended.is_set() and self.process == os.getpid()

    def _main(self) -> None:
        reactor = self._owner.reactor
        served = False

        def serves() -> None:
            nonlocal served
            served = True
            self.ready.set()

        try:
            reactor.startRunning(installSignalHandlers=False)
            reactor.callWhenRunning(serves)
            self.begun.set()
            reactor.mainLoop()
            if not served:
                raise ReactorNotRunning("the reactor was stopped before it served")
        except BaseException as error:
            if served:
                report(Failure(), "the reactor's thread failed", source=reactor)
            else:
                self.error = error
        finally:
            self.ended.set()
            self.begun.set()
            self.ready.set()
            del self._owner


class ReactorThread:
    """The thread of a reactor, as `startReactorThread` returns it.

    As a context manager it runs for the block; the outermost block ends it, whoever has started it.

    Args:
        reactor: What runs in it.

    Attributes:
        reactor: The same.
    """

    def __init__(self, reactor: Reactor) -> None:
        self.reactor = reactor
        self._lock = RLock()  # re-entrant, for a signal handler in the middle of it
        self._run: _Run | None = None
        self._blocks = 0

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.reactor!r}>"

    @property
    def running(self) -> bool:
        """Whether the thread runs."""
        return self._run is not None and self._run.isAlive

    @property
    def thread(self) -> Thread | None:
        """The thread, while it runs."""
        run = self._run
        return run.thread if run is not None and run.isAlive else None

    def start(self) -> Self:
        """Run the reactor in its thread, and return when it serves. Twice does no harm.

        Raises:
            ReactorAlreadyRunning: If it runs already, elsewhere, or is attached to a loop.
            ReactorNotRunning: If it was stopped before it served.
            RuntimeError: If no thread can be started.

        And whatever else has kept the reactor from running, such as the error of a loop factory.

        Thread: any.
        """
        with self._lock:
            run = self._run
            if run is None or not run.isAlive:
                self.reactor._life.onNeeded = None
                run = _Run(self)
                _endWithInterpreter()
                run.thread.start()
                self._run = run
        if run.thread is current_thread():
            return self
        # Not under the lock: it may take as long as a user's startup triggers do.
        run.ready.wait()
        if run.error is not None:
            raise run.error
        return self

    def stop(self) -> None:
        """End the reactor, and return when its thread has ended. Twice does no harm.

        That takes `reactor.shutdownTimeout` at most: then what the end still waits for is
        cancelled or left behind. In the reactor's own thread, and in a worker of its pool, which
        its end waits for, this returns at once.

        Raises:
            TimeoutError: If something holds the reactor's thread up, so that it cannot end
                (`twistlike.internet.error`). The thread is left behind.

        Thread: any.
        """
        with self._lock:
            self.reactor._life.onNeeded = None
            run = self._run
        if run is None or not run.isAlive:
            return
        life = self.reactor._life
        # Race: the thread has only just been started. Until it has begun a reactor that has run
        # before refuses calls, which is what it does when it has ended, too.
        run.begun.wait()
        _callUnlessEnded(self.reactor, self._stopOnce)
        isWorker = currentPool() is not None and currentReactor() is self.reactor
        if isWorker or run.thread is current_thread():
            return
        if not run.ended.wait(life.shutdownTimeout):
            _callUnlessEnded(self.reactor, life.force)
            if not run.ended.wait(FORCED_END):
                raise TimeoutError(string=_describeStuck(run.thread, life.shutdownTimeout))
        run.thread.join(FORCED_END)  # it has only to return

    @repairedBy(lambda _, thread: thread._stopOnce())
    def _stopOnce(self) -> None:
        try:
            self.reactor.stop()
        except ReactorNotRunning:
            pass  # it stops already

    def __enter__(self) -> Self:
        """Start, unless that is done."""
        self.start()
        with self._lock:
            self._blocks += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop, at the end of the outermost block."""
        with self._lock:
            self._blocks -= 1
            if self._blocks:
                return
        self.stop()

    def _afterFork(self) -> None:
        self._lock = RLock()
        run, self._run, self._blocks = self._run, None, 0
        if run is not None and not run.ended.is_set():
            self.reactor._life.onNeeded = self.start


# By the id of the reactor, which the value keeps alive. What runs is kept alive by its run.
_threads: weakref.WeakValueDictionary[int, ReactorThread] = weakref.WeakValueDictionary()
_making = RLock()


def startReactorThread(reactor: Reactor | None = None) -> ReactorThread:
    """Run the reactor in a thread of its own, and return when it serves. Twice does no harm.

    For programs that have no loop. From the next line on `callFromThread`,
    `blockingCallFromThread` and the like work in all threads. The interpreter's end stops it, and
    so does `stopReactorThread`. In a child of a fork the reactor's first use starts it anew.

    Args:
        reactor: What is to run; the default reactor unless given.

    Returns:
        The thread, which is a context manager, too: `with startReactorThread(): ...` stops it.

    Raises:
        ReactorAlreadyRunning: If the reactor runs already, elsewhere, or is attached to a loop.
        ReactorNotRunning: If it was stopped before it served.
        RuntimeError: If no thread can be started.
        TypeError: If what is given is no reactor.

    And whatever else has kept the reactor from running.

    Thread: any.
    """
    return _threadOf(reactor).start()


def stopReactorThread(reactor: Reactor | None = None) -> None:
    """End what `startReactorThread` began, and return when it has ended. Twice does no harm.

    Args:
        reactor: Which one; the default reactor unless given.

    Raises:
        TimeoutError: If something holds the reactor's thread up for longer than
            `reactor.shutdownTimeout` (`twistlike.internet.error`).

    Thread: any. In the reactor's own, and in a worker of its pool, it returns at once.
    """
    _threadOf(reactor).stop()


def _threadOf(reactor: Reactor | None) -> ReactorThread:
    if reactor is None:
        reactor = defaultReactor()
    elif not isinstance(reactor, Reactor):
        raise TypeError(f"not a reactor that can run in a thread: {reactor!r}")
    key = id(reactor)
    with _making:
        found = _threads.get(key)
        if found is None:
            found = _threads[key] = ReactorThread(reactor)
    return found


def _callUnlessEnded(reactor: Reactor, function: object) -> None:
    try:
        reactor.callFromThread(function)  # type: ignore[arg-type]
    except ReactorNotRunning:
        pass


def _describeStuck(thread: Thread, limit: float) -> str:
    import traceback  # an error is rare, and the module is not free

    text = f"the reactor has not ended within {limit} s; its thread is left behind, at:\n"
    frame = sys._current_frames().get(thread.ident or 0)
    return text + ("" if frame is None else "".join(traceback.format_stack(frame)))


def _endWithInterpreter() -> None:
    # The pool first: functions for the exit are called in the reversed order, and the reactor's end
    # needs its pool.
    from twistlike._pool.pool import ThreadPool  # see pools in the reactor's room: slow to import

    del ThreadPool
    atexit.unregister(_atExit)
    atexit.register(_atExit)


def _atExit() -> None:
    for thread in list(_threads.values()):
        try:
            thread.stop()
        except BaseException:
            report(Failure(), "the interpreter ends", source=thread.reactor)


def _afterForkInChild() -> None:
    global _making
    _making = RLock()
    for thread in list(_threads.values()):
        thread._afterFork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_afterForkInChild)

showAs("twistlike.internet.threads", globals(), __all__)
