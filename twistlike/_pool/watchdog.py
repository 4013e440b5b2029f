"""One thread for all pools, which lives only while jobs wait and no worker is free: it warns of jobs
that wait for too long, and lends spare workers. Anybody may call `watch`, also a signal handler.
"""

from __future__ import annotations

import threading
from time import monotonic
from typing import TYPE_CHECKING

from twistlike._pool.stats import ageOfOldest, describeStuck

if TYPE_CHECKING:
    from twistlike._pool.workers import Workers

__all__ = ["abandonAfterFork", "ended", "startThread", "watch"]

# Seconds between two rounds. Fifty looks a second, of some 10 us, and only while a pool is full.
TICK = 0.02

# Seconds between two warnings of one pool: a pool that is full for long should not fill the log as
# well.
WARN_INTERVAL = 60.0

_watched: list[Workers] = []
# What it sleeps on, between two rounds; released by who wants a round now.
_wakeLock = threading.Lock()
_wakeLock.acquire()
# Whoever takes the token starts the thread, which puts it back when it ends.
_token = [None]


def watch(workers: Workers) -> None:
    """Look after a crew whose jobs wait, until they do not."""
    workers.watched = True
    _watched.append(workers)
    _startWatchdog()


def ended(workers: Workers) -> None:
    """A crew has ended: its pool leaves no thread behind, so let the watchdog go now."""
    if workers.watched:
        try:
            _wakeLock.release()
        except RuntimeError:
            pass  # it has been rung, and not been answered yet


def startThread(thread: threading.Thread) -> None:
    """Start a thread. What a signal's handler raises meanwhile comes out: interrupted at the wrong
    place, `Thread.start` raises a RuntimeError about its lock instead, and others would take that
    for a thread that could not be started.
    """
    try:
        thread.start()
    except RuntimeError as error:
        if error.__context__ is None or isinstance(error.__context__, Exception):
            raise
        raise error.__context__ from None


def _startWatchdog() -> None:
    try:
        _token.pop()
    except IndexError:
        return
    startToken = [None]
    try:
        thread = threading.Thread(
            target=_rounds, args=(startToken,), name="PoolWatchdog", daemon=True
        )
        startThread(thread)
    except BaseException as error:
        _giveUp(startToken)
        if not isinstance(error, Exception):
            raise  # a signal's handler has raised


def _giveUp(startToken: list[None]) -> None:
    """The thread could not be started, or its starter was interrupted."""
    try:
        startToken.pop()
    except IndexError:
        return  # the thread runs
    # No thread to be had: nobody looks. Whoever finds the pool full next tries again.
    for workers in _watched:
        workers.watched = False
    _watched.clear()
    _token.append(None)


def _rounds(startToken: list[None]) -> None:
    try:
        startToken.pop()
    except IndexError:
        return  # given up by its starter, which an interrupt had hit
    while _watched:
        _wakeLock.acquire(timeout=TICK)
        _visitAll(monotonic())
    _token.append(None)
    # Race: `watch` came between our last look and the token's return, and found no token to take.
    if _watched:
        _startWatchdog()


def _visitAll(now: float) -> None:
    for workers in _watched[:]:
        _visit(workers, now)


def _visit(workers: Workers, now: float) -> None:
    if _checkUp(workers, now):
        return
    _watched.remove(workers)
    # Race: a job comes after we looked, finds nobody free, and sees that the crew is watched. We
    # let go first, then reset `wakeDeadline`, so that the next submitter comes and has it watched, then
    # look once more.
    workers.watched = False
    workers.wakeDeadline = 0.0
    if _checkUp(workers, now):
        watch(workers)


def abandonAfterFork() -> None:
    """In the child of a fork: the thread is the parent's."""
    global _wakeLock
    _wakeLock = threading.Lock()
    _wakeLock.acquire()
    _watched.clear()
    _token[:] = [None]


def _checkUp(workers: Workers, now: float) -> bool:
    """Warn if jobs have waited for too long with no worker free.

    Returns:
        Are jobs waiting, so that we should come again?
    """
    if not workers.queue or not workers.started or workers.ended:
        return False
    if workers.idle or workers.freePermits:
        # A worker is on its way, or none could be started a moment ago: try again.
        workers.ensureWorker(now)
        return True
    workers.compensation.checkUp(now)
    age = ageOfOldest(workers, now)
    if age > workers.queueWarnAfter and now >= workers.nextWarning:
        workers.nextWarning = now + WARN_INTERVAL
        _warn(workers, age)
    return True


def _warn(workers: Workers, age: float) -> None:
    import logging  # seldom needed, slow to import

    pool = workers.pool()
    busy = [text for worker in list(workers.members) if (text := describeStuck(worker)) is not None]
    logging.getLogger("twistlike").warning(
        "%d jobs wait in pool %s, the oldest for %.1f s, and none of its %d workers is free "
        "(maximum %d). Raise the maximum (adjustPoolsize, suggestThreadPoolSize), or find out "
        "what blocks them:\n%s",
        len(workers.queue),
        None if pool is None else pool.name or hex(id(pool)),
        age,
        len(workers.members),
        workers.maximum,
        "\n".join(map(str, busy)),
    )
