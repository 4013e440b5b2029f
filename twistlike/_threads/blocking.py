"""Calls into a reactor's thread that wait for the answer: what `blockingCallFromThread` does.

Thread: any but the reactor's, except where a docstring says otherwise.
"""

from __future__ import annotations

import sys
from functools import partial
from threading import current_thread
from time import monotonic
from typing import TYPE_CHECKING, Any

from twistlike._base.error import ReactorNotRunning, TimeoutError, WrongThreadError
from twistlike._base.failure import Failure
from twistlike._base.functions import describe, describeWithPlace
from twistlike._base.interrupts import repairedBy
from twistlike._base.reflect import safe_repr
from twistlike._defer.coroutines import fromAwaitable
from twistlike._log.levels import LogLevel
from twistlike._log.publisher import toLogging
from twistlike._reactor.reactor import Reactor
from twistlike._reactor.unbound import HELP, REPORT_AFTER, callerOf, stackOfCall, stackOfLoop
from twistlike._reactor.waits import BlockedThreads, CompensatedCall, ended
from twistlike._timers.delays import checkDelay

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from twistlike._base.interfaces import IReactorFromThreads
    from twistlike._defer.deferred import Deferred

__all__ = ["blockingCall", "missing", "tellHeldUp"]

# In the place of a function that was not given: then the reactor is missing.
missing: Any = object()

# Seconds between two warnings that the loop of one reactor does not answer.
WARN_INTERVAL = 60.0


def blockingCall(
    reactor: IReactorFromThreads,
    timeout: float | None,
    f: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> Any:
    """Do what `blockingCallFromThread` does.

    Args:
        reactor: In whose thread it is called.
        timeout: How long to wait, in seconds; None is for ever.
        f: The function; `missing` if none was given.
        args: Its arguments.
        kwargs: Those that have names.

    Raises:
        TimeoutError: If it took longer. A call that has not begun by then never does.

    And what `blockingCallFromThread` raises.
    """
    if isinstance(reactor, Reactor):
        blocked, life = reactor._blocked, reactor._life
    else:
        blocked, life = _FOREIGN, None
    if life is None or not callable(f):
        _check(reactor, f, timeout)
    if timeout is not None:
        checkDelay(timeout, "a timeout")
    if life is not None:
        if life.loop is None:
            # callFromThread would attach it, and this thread's loop would then wait for itself.
            life.attachIfLoopRuns()
        if life.loop is not None and life.isHere():
            raise WrongThreadError(
                f"{_nameOfCall()} was called in the reactor's own thread, which would wait for "
                f"itself; call {describeWithPlace(f)} there (if it is decorated, its __wrapped__) "
                "and await what it returns, or use deferToThread to leave the thread"
            )
    wait = _Wait(f, args, kwargs, blocked, reactor)
    if life is not None and life.loop is None:
        life.acceptWait(_nameOfCall(), partial(blocked.waiting.__contains__, wait))
    # Race: the reactor ends while we come. It releases the waiters that it knows of, then closes
    # the inbox. We are known before we post: so either we are released, or the post is refused.
    try:
        blocked.waiting.add(wait)
        reactor.callFromThread(wait.serve)
        if not wait.waitCompensated(timeout):
            # It is not served any more from here on, so a call that has not begun never does.
            blocked.leave(wait)
            if life is None or life.loop is not None:
                try:
                    reactor.callFromThread(wait.giveUp)
                except ReactorNotRunning:
                    pass  # released by its end just now
            what = describeWithPlace(f)
            text = f"{what} has given no result within {timeout} s"
            if life is not None and life.loop is None:
                text += f": the reactor has no loop. {HELP}"
            raise TimeoutError(string=text)
        return wait.outcome()
    finally:
        blocked.waiting.discard(wait)  # before any call at whose beginning this could be hit
        wait.leave(not blocked.released)
        del wait  # it leads to the error in whose traceback this frame is


def _nameOfCall() -> str:
    """Return which function of ours the user has called."""
    return callerOf(sys._getframe())[0]


def _check(reactor: object, f: object, timeout: object) -> None:
    if not callable(getattr(reactor, "callFromThread", None)):
        if timeout is None:
            usage = "blockingCallFromThread(reactor, f, ...)"
            place = "first"
        else:
            usage = "blockingCallWithTimeout(seconds, reactor, f, ...)"
            place = "there"
        what = describe(reactor) if callable(reactor) else type(reactor).__qualname__
        raise TypeError(
            "a blocking call takes the reactor first, then the function:"
            f" {usage}; what it got {place} is {what}"
        )
    if not callable(f):
        what = "none" if f is missing else f"an object of type {type(f).__qualname__}"
        raise TypeError(
            "a blocking call takes a function after the reactor, with the function's arguments"
            f" after it; what it got is {what}"
        )


def tellHeldUp(reactor: object) -> None:
    """Report a loop that has not begun a call for long: its thread may wait for this one.

    Args:
        reactor: Whose loop it is.

    Thread: the one that waits for the call.
    """
    where = ""
    if isinstance(reactor, Reactor):
        life = reactor._life
        if life.loop is None:
            return  # that is told elsewhere
        where = f" here:\n{stackOfLoop(life.thread)}"
        what = f"the thread of {life.loop!r} has not begun the call since: it stands"
        blocked = reactor._blocked
    else:
        what = (
            f"{safe_repr(reactor)}, which is not a reactor of twistlike's, has not begun the call "
            "since. Does it run?"
        )
        blocked = _FOREIGN
    # Whoever else waits has the same reason.
    now = monotonic()
    if now < blocked.nextWarning:
        return
    blocked.nextWarning = now + WARN_INTERVAL
    name, stack = stackOfCall()
    # To the log, and not to the loop's exception handler: the loop does not run.
    toLogging(
        "twistlike",
        LogLevel.warn.value,
        f"a thread waits for a reactor: {name} was called in thread {current_thread().name!r} "
        f"{REPORT_AFTER} s ago, and {what}{where}\nThe call was made here:\n{stack}",
    )


def _failWait(error: BaseException, wait: _Wait) -> None:
    """Fail: a signal's exception came before the call, or before its outcome was brought."""
    wait.fail(Failure.fromException(error))


class _Wait(CompensatedCall):
    """One blocking call: what is called in the reactor's thread, and the wait for it."""

    tellAfter = REPORT_AFTER

    __slots__ = ("_args", "_awaited", "_begun", "_blocked", "_f", "_kwargs", "_reactor")

    def __init__(
        self,
        f: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        blocked: BlockedThreads,
        reactor: IReactorFromThreads,
    ) -> None:
        super().__init__(blocked.handoff)
        self._f = f
        self._args = args
        self._kwargs = kwargs
        self._blocked = blocked
        self._reactor = reactor
        self._begun = False
        self._awaited: Deferred[Any] | None = None

    @repairedBy(_failWait)
    def serve(self) -> None:
        """Make the call, unless nobody waits for it any more. Thread: the reactor's."""
        self._begun = True
        if not self._open:
            return
        try:
            result = self._f(*self._args, **self._kwargs)
            awaited = fromAwaitable(result)
        except BaseException as error:
            self.fail(Failure.fromException(error))
            return
        if awaited is None:
            if isinstance(result, Failure):
                self.fail(result)
            else:
                self.succeed(result)
            return
        self._awaited = awaited
        awaited.addCallbacks(self.succeed, self.fail)
        if self._blocked.released:
            self.fail(Failure(ended()))  # too late to wait for more than the call itself

    def tell(self) -> None:
        """Report a loop that does not begin the call."""
        if not self._begun:
            tellHeldUp(self._reactor)

    def giveUp(self) -> None:
        """Cancel what the call returned, as no thread waits for it. Thread: the reactor's."""
        awaited, self._awaited = self._awaited, None
        try:
            if awaited is not None:
                awaited.cancel()
        finally:
            del self, awaited  # an error's traceback may hold this frame


# For threads that wait for reactors that are not ours: these do not tell us of their end.
_FOREIGN = BlockedThreads()
