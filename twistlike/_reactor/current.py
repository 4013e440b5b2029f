"""Which reactor: the default one, that of the running loop, that of a worker. Thread: any."""

from __future__ import annotations

import os
import sys
import weakref
from typing import TYPE_CHECKING

from twistlike._base.error import ReactorAlreadyInstalledError
from twistlike._base.naming import showAs
from twistlike._eventloop import current
from twistlike._eventloop.loops import policyLoop
from twistlike._log.report import setLoopFinder
from twistlike._reactor.pools import currentPool, forgetThreads
from twistlike._reactor.reactor import Reactor
from twistlike._reactor.registry import registry
from twistlike._transports.transports import setReactorFinder

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

__all__ = ["currentReactor", "defaultReactor", "install"]

_default: Reactor | None = None


def defaultReactor() -> Reactor:
    """Return the reactor that `from twistlike.internet import reactor` gives. Thread: any."""
    global _default
    if _default is None:
        _default = Reactor()
        _default._unbound.attach = _default._life.attachForPost
    return _default


def currentReactor() -> Reactor:
    """Return the reactor that a function takes which is given none.

    Returns:
        In a running loop the loop's, attached now if there is none; in a worker of a reactor's
        pool that reactor; else the default one.

    Thread: any.
    """
    loop = current.runningLoop()
    if loop is None:
        return _ofWorker() or defaultReactor()
    if _default is not None and _default._home is loop:
        return _default  # the hot case
    reactor = registry.of(loop)
    if reactor is not None and reactor._life.loop is loop:
        return reactor
    reactor = defaultReactor()
    if reactor._life.loop is None:
        reactor._life.attachIfLoopRuns()
    if reactor._life.loop in (loop, None):
        return reactor
    reactor = Reactor()
    registry.keep(reactor)
    reactor._life.attach(loop)
    return reactor


def _ofWorker() -> Reactor | None:
    """Return the reactor whose pool's worker this thread is."""
    pool = currentPool()
    owner = None if pool is None else pool.owner
    reactor = owner() if isinstance(owner, weakref.ref) else None
    return reactor if isinstance(reactor, Reactor) else None


def _loopOfWorker() -> AbstractEventLoop | None:
    reactor = _ofWorker()
    return None if reactor is None else reactor._life.loop


setLoopFinder(_loopOfWorker)
setReactorFinder(currentReactor)


def install(eventloop: AbstractEventLoop | None = None) -> None:
    """Have the default reactor run on a given loop, and be what everybody imports.

    Args:
        eventloop: The loop that `reactor.run()` runs, and leaves open when it ends. Without it, the
            current one of asyncio's policy, which `asyncio.get_event_loop()` returns as well: so
            tasks that are put onto that before `reactor.run()` run.

    Raises:
        ReactorAlreadyInstalledError: If a loop was installed before that is not closed, or the
            reactor runs.

    Differs from Twisted: to have imported the reactor before does not count as installing it.
    """
    reactor = defaultReactor()
    installedLoop = reactor._runLoop.installedLoop
    if installedLoop is not None and not installedLoop.is_closed():
        raise ReactorAlreadyInstalledError("a loop was installed before; close that first")
    if reactor._life.loop is not None:
        raise ReactorAlreadyInstalledError(f"the reactor is {reactor._life.state.value} already")
    reactor._runLoop.installedLoop = eventloop or policyLoop()
    # Where programs look for an installed reactor; under the overlay, by Twisted's name as well.
    for package in ("twistlike", "twisted"):
        if sys.modules.get(f"{package}.internet.asyncioreactor") is _face():
            sys.modules[f"{package}.internet.reactor"] = reactor  # type: ignore[assignment]


def _face() -> object:
    """Return the public module of this one, if it has been imported."""
    return sys.modules.get(install.__module__)


def _afterForkInChild() -> None:
    forgetThreads()
    registry.clear()
    for reactor in registry.alive():
        reactor._afterFork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_afterForkInChild)

showAs("twistlike.internet.asyncioreactor", globals(), __all__)
