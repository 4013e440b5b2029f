"""Names without documentation that Twisted's own modules, or published suites, take from ours.

Thread: any, at import.
"""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from twistlike._reactor.current import defaultReactor
from twistlike._tasks import cooperator, react
from twistlike.internet import defer, task
from twistlike.python import threadpool

if TYPE_CHECKING:
    from collections.abc import Callable

    from twistlike._base.interfaces import IReactorCore

__all__ = ["addToDefer", "addToTask", "addToThreadPool"]

_task: Any = task
_defer: Any = defer
_react: Any = react

_EPSILON = 2.0**-20
"""How far a float may be off a multiple of an interval, in seconds: tests step clocks by it."""


def addToTask(short: str) -> None:
    """Add what others take from `twisted.internet.task`."""
    _task._EPSILON = _EPSILON
    _task.__getattr__ = _ofTask
    kind: Any = cooperator.CooperativeTask
    kind._pauseCount = property(lambda self: self._pauses + self._waiting)
    kind = cooperator.Cooperator
    kind._delayedCall = property(lambda self: self._tickCall)
    _react.defaultReactor = _installedReactor


def addToDefer(short: str) -> None:
    """Add what others take from `twisted.internet.defer`."""
    _defer._DEFERRED_SUBCLASSES = [defer.Deferred, defer.DeferredList]


def addToThreadPool(short: str) -> None:
    """Add what others take from a pool of `twisted.python.threadpool`."""
    kind: Any = threadpool.ThreadPool
    kind._queue = property(lambda self: SimpleNamespace(qsize=lambda: self.stats().queued))
    kind.__reduce__ = _reducePool
    kind._team = _Team()
    # Subclasses assign to it. Their threads are their own, then.
    kind.threads = _Replaceable(kind.threads.fget)


def _ofTask(name: str) -> object:
    """Serve as `__getattr__` of the module `task`."""
    if name == "_theCooperator":
        return cooperator._ofCurrentReactor()
    raise AttributeError(f"module 'twisted.internet.task' has no attribute {name!r}")


def _installedReactor() -> IReactorCore:
    """Return the reactor that a program has put where Twisted looks for one, else the default."""
    found: Any = sys.modules.get("twisted.internet.reactor")
    return defaultReactor() if found is None else found


def _reducePool(self: Any) -> object:
    return type(self), (self.min, self.max, self.name)


class _Replaceable:
    """An attribute that is computed until somebody assigns to it.

    Args:
        compute: Called with the instance.
    """

    def __init__(self, compute: Callable[[Any], object]) -> None:
        self._compute = compute

    def __get__(self, instance: object, owner: type) -> Any:
        """Return the value, or this itself for the class."""
        return self if instance is None else self._compute(instance)


class _Team:
    """The attribute `_team` of a pool: one that is assigned does the pool's work from then on."""

    def __get__(self, instance: object, owner: type) -> Any:
        """Say that a pool has none of its own.

        Raises:
            AttributeError: Always, but for the class.
        """
        if instance is None:
            return self
        try:
            return instance.__dict__["_team"]
        except KeyError:
            raise AttributeError("a pool of twistlike has no attribute '_team'") from None

    def __set__(self, instance: Any, team: Any) -> None:
        """Have a team do the pool's jobs."""

        def callInThreadWithCallback(
            onResult: Callable[[bool, object], object] | None,
            func: Callable[..., object],
            *args: object,
            **kw: object,
        ) -> None:
            def work() -> None:
                try:
                    success, result = True, func(*args, **kw)
                except BaseException:
                    from twisted.python.failure import Failure  # ours, by the name of the suite's

                    success, result = False, Failure()
                if onResult is not None:
                    onResult(success, result)

            team.do(work)

        instance.__dict__["_team"] = team
        instance.enqueueCall = instance.submit = None  # so `deferToThreadPool` uses the next one
        instance.callInThreadWithCallback = callInThreadWithCallback
        instance.callInThread = lambda func, *args, **kw: callInThreadWithCallback(
            None, func, *args, **kw
        )
