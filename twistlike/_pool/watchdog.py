"""
One thread for all pools, which lives only while jobs wait and no worker is free: it warns of jobs
that wait for too long, and lends spare workers. Anybody may call `watch`, also a signal handler.
"""

from __future__ import annotations

import threading
from time import monotonic
from typing import TYPE_CHECKING

from twistlike._pool.stats import ageOfOldest, whereabouts

if TYPE_CHECKING:
    from twistlike._pool.workers import Crew

__all__ = ["ended", "forget", "startThread", "watch"]

# Seconds between two rounds. Fifty looks a second, of some 10 us, and only while a pool is full.
TICK = 0.02

# Seconds between two warnings of one pool: a pool that is full for long should not fill the log as
# well.
WARN_INTERVAL = 60.0

_watched: list[Crew] = []
# What it sleeps on, between two rounds; released by who wants a round now.
_bell = threading.Lock()
_bell.acquire()
# Whoever takes the token starts the thread, which puts it back when it ends.
_token = [None]


def watch(crew: Crew) -> None:
    """Look after a crew whose jobs wait, until they do not."""
    crew.watched = True
    _watched.append(crew)
    _hire()


def ended(crew: Crew) -> None:
    """A crew has ended: its pool leaves no thread behind, so let the watchdog go now."""
    if crew.watched:
        try:
            _bell.release()
        except RuntimeError:
            pass  # it has been rung, and not been answered yet


def startThread(thread: threading.Thread) -> None:
    """
    Start a thread. What a signal's handler raises meanwhile comes out: interrupted at the wrong
    place, `Thread.start` raises a RuntimeError about its lock instead, and others would take that
    for a thread that could not be started.
    """
    try:
        thread.start()
    except RuntimeError as error:
        if error.__context__ is None or isinstance(error.__context__, Exception):
            raise
        raise error.__context__ from None


def _hire() -> None:
    try:
        _token.pop()
    except IndexError:
        return
    birth = [None]
    try:
        thread = threading.Thread(target=_rounds, args=(birth,), name="PoolWatchdog", daemon=True)
        startThread(thread)
    except BaseException as error:
        _giveUp(birth)
        if not isinstance(error, Exception):
            raise  # a signal's handler has raised


def _giveUp(birth: list[None]) -> None:
    """The thread could not be started, or its starter was interrupted."""
    try:
        birth.pop()
    except IndexError:
        return  # the thread runs
    # No thread to be had: nobody looks. Whoever finds the pool full next tries again.
    for crew in _watched:
        crew.watched = False
    _watched.clear()
    _token.append(None)


def _rounds(birth: list[None]) -> None:
    try:
        birth.pop()
    except IndexError:
        return  # given up by its starter, which an interrupt had hit
    while _watched:
        _bell.acquire(timeout=TICK)
        _visitAll(monotonic())
    _token.append(None)
    # Race: `watch` came between our last look and the token's return, and found no token to take.
    if _watched:
        _hire()


def _visitAll(now: float) -> None:
    for crew in _watched[:]:
        _visit(crew, now)


def _visit(crew: Crew, now: float) -> None:
    if _checkUp(crew, now):
        return
    _watched.remove(crew)
    # Race: a job comes after we looked, finds nobody free, and sees that the crew is watched. We
    # let go first, then reset `callBy`, so that the next submitter comes and has it watched, then
    # look once more.
    crew.watched = False
    crew.callBy = 0.0
    if _checkUp(crew, now):
        watch(crew)


def forget() -> None:
    """In the child of a fork: the thread is the parent's."""
    global _bell
    _bell = threading.Lock()
    _bell.acquire()
    _watched.clear()
    _token[:] = [None]


def _checkUp(crew: Crew, now: float) -> bool:
    """
    Warn if jobs have waited for too long with no worker free.

    Returns:
        Are jobs waiting, so that we should come again?
    """
    if not crew.queue or not crew.started or crew.ended:
        return False
    if crew.idle or crew.slots:
        # A worker is on its way, or none could be started a moment ago: try again.
        crew.attend(now)
        return True
    crew.loans.checkUp(now)
    age = ageOfOldest(crew, now)
    if age > crew.patienceOfJobs and now >= crew.nextWarning:
        crew.nextWarning = now + WARN_INTERVAL
        _warn(crew, age)
    return True


def _warn(crew: Crew, age: float) -> None:
    import logging  # seldom needed, slow to import

    pool = crew.pool()
    busy = [text for worker in list(crew.members) if (text := whereabouts(worker)) is not None]
    logging.getLogger("twistlike").warning(
        "%d jobs wait in pool %s, the oldest for %.1f s, and none of its %d workers is free "
        "(maximum %d). Raise the maximum (adjustPoolsize, suggestThreadPoolSize), or find out "
        "what blocks them:\n%s",
        len(crew.queue),
        None if pool is None else pool.name or hex(id(pool)),
        age,
        len(crew.members),
        crew.maximum,
        "\n".join(map(str, busy)),
    )
