"""Iterators that take turns, a little at a time, so that long work leaves the reactor free.

Thread: that of the reactor, or of whatever scheduler a `Cooperator` was given.

How it works
------------
A `Cooperator` asks its scheduler for a tick whenever it has tasks that can go on. In a tick the
tasks take turns, one step each, until the slice of time is used up. A task that is paused, waits or
has finished is not in the list. Whose turn it is stays as it was from one tick to the next.
"""

from __future__ import annotations

import weakref
from contextvars import copy_context
from enum import Enum
from time import monotonic
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from twistlike._base.failure import Failure
from twistlike._base.naming import showAs
from twistlike._defer.coroutines import fromAwaitable
from twistlike._defer.deferred import Deferred
from twistlike._reactor.current import currentReactor
from twistlike._tasks.thread_check import checkThread
from twistlike._tasks.unheard import failLoudly

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from twistlike._reactor.reactor import Reactor

__all__ = [
    "CooperativeTask",
    "Cooperator",
    "NotPaused",
    "SchedulerError",
    "SchedulerStopped",
    "TaskDone",
    "TaskFailed",
    "TaskFinished",
    "TaskStopped",
    "coiterate",
    "cooperate",
]

_Iter = TypeVar("_Iter", bound="Iterator[Any]")

# How long one tick keeps the reactor busy, in seconds: Twisted's figure. A step that takes longer
# still ends the tick only when it is done.
SLICE = 0.01


class SchedulerError(Exception):
    """What is wrong with an operation on a task or a cooperator."""


class SchedulerStopped(SchedulerError):
    """The cooperator was stopped, so its tasks ended."""


class TaskFinished(SchedulerError):
    """The task has ended, so it can neither be paused nor stopped. A subclass says how it ended."""


class TaskDone(TaskFinished):
    """The task's iterator came to its end."""


class TaskStopped(TaskFinished):
    """The task was stopped."""


class TaskFailed(TaskFinished):
    """The task's iterator raised, or gave a Deferred that failed."""


class NotPaused(SchedulerError):
    """A task was to be resumed that nobody has paused."""


class CooperativeTask(Generic[_Iter]):
    """An iterator whose steps a `Cooperator` makes; `cooperate` returns it.

    If the iterator gives a Deferred or anything else that can be awaited, its next step comes when
    that has its result. All its steps run in one copy of the context in which `cooperate` was
    called.

    Args:
        iterator: Whose `next` makes a step.
        cooperator: Who makes the steps.

    Differs from Twisted: `resume` without a `pause` raises `NotPaused` also while the task
    waits for a Deferred; a failure that nobody asks for with `whenDone` is reported.
    """

    def __init__(self, iterator: _Iter, cooperator: Cooperator) -> None:
        self._iterator = iterator
        self._cooperator = cooperator
        cooperator._check("cooperate")
        self._context = copy_context()
        self._waiters: list[Deferred[_Iter]] = []
        self._pauses = 0
        self._waiting = False  # for something that the iterator gave
        self._end: type[SchedulerError] | None = None
        self._failure: Failure | None = None
        self._unclaimed: Deferred[_Iter] | None = None
        cooperator._addTask(self)

    def whenDone(self) -> Deferred[_Iter]:
        """Return a Deferred that fires when the task has ended; each call returns a new one.

        Returns:
            A Deferred of the iterator. It fails with `TaskStopped` if the task is stopped, with
            `SchedulerStopped` if its cooperator is, and with the error of the iterator or of the
            Deferred that it gave.
        """
        self._cooperator._check("CooperativeTask.whenDone")
        deferred: Deferred[_Iter] = Deferred()
        if self._end is None:
            self._waiters.append(deferred)
        else:
            self._claim()
            self._fire(deferred)
        return deferred

    def pause(self) -> None:
        """Let the iterator rest until `resume` was called as often as `pause`.

        Raises:
            TaskFinished: If the task has ended; `SchedulerStopped` if its cooperator has.
        """
        self._cooperator._check("CooperativeTask.pause")
        self._mustGoOn()
        self._pauses += 1
        self._cooperator._removeTask(self)

    def resume(self) -> None:
        """Take back one `pause`.

        Raises:
            NotPaused: If it is not paused.
        """
        self._cooperator._check("CooperativeTask.resume")
        if not self._pauses:
            raise NotPaused
        self._pauses -= 1
        self._comeBack()

    def stop(self) -> None:
        """End the task: no further step is made.

        Raises:
            TaskFinished: If the task has ended; `SchedulerStopped` if its cooperator has.
        """
        self._cooperator._check("CooperativeTask.stop")
        self._mustGoOn()
        self._finish(TaskStopped, Failure(TaskStopped()))

    def _mustGoOn(self) -> None:
        if self._end is TaskFailed and self._failure is not None:
            self._claim()  # the caller hears of it here
            raise TaskFailed from self._failure.value
        if self._end is not None:
            raise self._end

    def _comeBack(self) -> None:
        """Take turns again, if nothing keeps the task from it."""
        if not self._pauses and not self._waiting and self._end is None:
            self._cooperator._addTask(self)

    def _step(self) -> None:
        """Make one step."""
        try:
            given = self._context.run(next, self._iterator)
            awaited = None if given is None else self._context.run(fromAwaitable, given)
        except StopIteration:
            self._finish(TaskDone, None)
        except BaseException as error:
            self._finish(TaskFailed, Failure.fromException(error))
        else:
            if awaited is not None:
                self._waiting = True
                self._cooperator._removeTask(self)
                awaited.addCallbacks(self._waited, self._waitFailed)

    def _waited(self, _: object) -> None:
        self._waiting = False
        self._comeBack()

    def _waitFailed(self, failure: Failure) -> Failure | None:
        self._waiting = False
        if self._end is not None:
            return failure  # stopped meanwhile: it is nobody's but the Deferred's
        self._finish(TaskFailed, failure)
        return None

    def _finish(self, end: type[SchedulerError], failure: Failure | None) -> None:
        """End, unless the task has ended already (a step may stop its own task)."""
        if self._end is not None:
            return
        self._end = end
        self._failure = failure
        self._cooperator._removeTask(self)
        waiters, self._waiters = self._waiters, []
        if end is TaskFailed and failure is not None and not waiters:
            self._unclaimed = Deferred()  # until somebody asks for the error
            failLoudly(self._unclaimed, failure, "a cooperative task has ended by an error", self)
        for deferred in waiters:
            self._fire(deferred)

    def _claim(self) -> None:
        """Let the failure not be reported: somebody has asked for it."""
        unclaimed, self._unclaimed = self._unclaimed, None
        if unclaimed is not None:
            unclaimed.addErrback(lambda _: None)

    def _fire(self, deferred: Deferred[_Iter]) -> None:
        if self._failure is None:
            deferred.callback(self._iterator)
        else:
            deferred.errback(self._failure)


class _TickCall(Protocol):
    """What a scheduler returns: the handle of a tick that is to come."""

    def cancel(self) -> object:
        """Let the tick not come."""


class _Slice:
    """Says when a slice of time that has begun now is used up."""

    def __init__(self) -> None:
        self._end = monotonic() + SLICE

    def __call__(self) -> bool:
        return monotonic() > self._end


def _onCurrentReactor(tick: Callable[[], None]) -> _TickCall:
    """Have `tick` called on the current reactor's next turn."""
    return currentReactor().callLater(0, tick)


def _noReactor() -> None:
    """Say that a cooperator belongs to no reactor."""


class _State(Enum):
    NOT_STARTED = "not started"
    RUNNING = "running"
    STOPPED = "stopped"


class Cooperator:
    """Makes the steps of many iterators, in turn, a slice of time on each tick.

    Args:
        terminationPredicateFactory: Called at the start of each tick. What it returns is called
            after each step, and ends the tick when it returns true. By default that is after 10 ms.
        scheduler: Called with a function that makes one tick; has it called, and returns something
            with a method `cancel`. By default: on the next turn of the current reactor.
        started: Whether it runs from the beginning, or waits for `start`.

    Thread: the scheduler's. The cooperator of a reactor (`cooperate`, `coiterate`) refuses other
    threads, and so do its tasks.

    Differs from Twisted: `stop` ends all tasks (there every other one is left waiting).
    """

    def __init__(
        self,
        terminationPredicateFactory: Callable[[], Callable[[], bool]] = _Slice,
        scheduler: Callable[[Callable[[], None]], _TickCall] = _onCurrentReactor,
        started: bool = True,
    ) -> None:
        self._terminationPredicateFactory = terminationPredicateFactory
        self._scheduler = scheduler
        self._state = _State.RUNNING if started else _State.NOT_STARTED
        self._tasks: list[CooperativeTask[Any]] = []
        self._next = 0  # the place in the list of the task whose turn it is
        self._tickCall: _TickCall | None = None
        # The reactor whose thread alone may use this cooperator and its tasks, if there is one.
        self._reactor: Callable[[], object] = _noReactor

    def __repr__(self) -> str:
        return f"<Cooperator {self._state.value}, {len(self._tasks)} tasks, at {id(self):#x}>"

    @property
    def running(self) -> bool:
        """Whether it makes steps, when there are any to make."""
        return self._state is _State.RUNNING

    def cooperate(self, iterator: _Iter) -> CooperativeTask[_Iter]:
        """Begin to make the steps of an iterator.

        Returns:
            The task, to pause, stop or wait for. If the cooperator has been stopped, it has ended
            with `SchedulerStopped`.
        """
        return CooperativeTask(iterator, self)

    def coiterate(
        self, iterator: _Iter, doneDeferred: Deferred[_Iter] | None = None
    ) -> Deferred[_Iter]:
        """Make the steps of an iterator, and return only a Deferred of its end.

        Args:
            iterator: As for `cooperate`.
            doneDeferred: The Deferred to fire and return; else a new one.
        """
        done = self.cooperate(iterator).whenDone()
        if doneDeferred is None:
            return done
        done.chainDeferred(doneDeferred)
        return doneDeferred

    def start(self) -> None:
        """Begin to make steps, or begin again after `stop`.

        Raises:
            WrongThreadError: In another thread than the reactor's.
        """
        self._check("Cooperator.start")
        self._state = _State.RUNNING
        self._askForTick()

    def stop(self) -> None:
        """End: all tasks end with `SchedulerStopped`, paused ones when they are resumed.

        Raises:
            WrongThreadError: In another thread than the reactor's.
        """
        self._check("Cooperator.stop")
        self._state = _State.STOPPED
        for task in self._tasks[:]:
            task._finish(SchedulerStopped, Failure(SchedulerStopped()))

    def _check(self, name: str) -> None:
        """Refuse another thread than the reactor's, if this is the cooperator of a reactor."""
        checkThread(self._reactor(), name)

    def _addTask(self, task: CooperativeTask[Any]) -> None:
        """Let a task take turns."""
        if self._state is _State.STOPPED:
            task._finish(SchedulerStopped, Failure(SchedulerStopped()))
            return
        self._tasks.append(task)
        try:
            self._askForTick()
        except BaseException:
            self._tasks.remove(task)  # the scheduler has refused: nobody would make its steps
            raise

    def _removeTask(self, task: CooperativeTask[Any]) -> None:
        """Let a task take no more turns, if it does."""
        if task in self._tasks:
            self._tasks.remove(task)
        if not self._tasks and self._tickCall is not None:
            call, self._tickCall = self._tickCall, None
            call.cancel()

    def _askForTick(self) -> None:
        """Have the next tick come, if it has something to do and has not been asked for."""
        if self._state is not _State.RUNNING or not self._tasks:
            return
        if getattr(self._tickCall, "lost", False):
            self._tickCall = None  # the reactor that was to make it has ended
        if self._tickCall is None:
            self._tickCall = self._scheduler(self._tick)

    def _tick(self) -> None:
        """Make steps until the slice is used up."""
        self._tickCall = None
        try:
            self._useSlice()
        finally:
            self._askForTick()

    def _useSlice(self) -> None:
        # A loop of its own: where one in a `try` jumps back, 3.12 and later find no `finally`.
        isOver = self._terminationPredicateFactory()
        tasks = self._tasks
        while tasks:
            if self._next >= len(tasks):
                self._next = 0
            task = tasks[self._next]
            self._next += 1
            task._step()
            if isOver():
                break
        else:
            self._next = 0  # none is left: the next one to come is the first


# One for each reactor that has been asked for one. The reactor's own trigger holds the cooperator
# as long as the reactor lives; it is made anew after the reactor's end.
_ofReactors: weakref.WeakKeyDictionary[Reactor, Cooperator] = weakref.WeakKeyDictionary()


def _ofCurrentReactor() -> Cooperator:
    """Return the current reactor's cooperator."""
    reactor = currentReactor()
    found = _ofReactors.get(reactor)
    if found is None:
        checkThread(reactor, "cooperate")  # else the trigger below is refused, which nobody set
        reference = weakref.ref(reactor)

        def schedule(tick: Callable[[], None]) -> _TickCall:
            owner = reference()
            assert owner is not None, "a cooperator has outlived its reactor"
            return owner.callLater(0, tick)

        found = Cooperator(scheduler=schedule)
        found._reactor = reference
        reactor.addSystemEventTrigger("after", "shutdown", _end, reference)
        _ofReactors[reactor] = found
    return found


def _end(reference: weakref.ref[Reactor]) -> None:
    """End the cooperator of a reactor that has ended."""
    reactor = reference()
    found = None if reactor is None else _ofReactors.pop(reactor, None)
    if found is not None:
        found.stop()


def cooperate(iterator: _Iter) -> CooperativeTask[_Iter]:
    """Begin to make the steps of an iterator on the current reactor.

    Args:
        iterator: Whose `next` makes a step. If it gives something that can be awaited, the next
            step comes when that has its result.

    Returns:
        The task, to pause, stop or wait for. It ends with `SchedulerStopped` when the reactor
        does.

    Thread: the reactor's.
    """
    return _ofCurrentReactor().cooperate(iterator)


def coiterate(iterator: _Iter) -> Deferred[_Iter]:
    """Make the steps of an iterator on the current reactor; return a Deferred of its end.

    Args:
        iterator: As for `cooperate`.

    Thread: the reactor's.
    """
    return _ofCurrentReactor().coiterate(iterator)


showAs("twistlike.internet.task", globals(), __all__)
