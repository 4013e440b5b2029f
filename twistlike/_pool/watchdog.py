"""One thread for all pools: it warns of jobs that wait for too long, and adds spare workers.

It lives only while jobs wait and no worker is free. No user's code runs in it, the handlers of logs
included: what they raise would end it, and while they block no pool would be looked after.

Thread: any, unless a docstring says that it is the watchdog's; also in signal handlers.
"""

from __future__ import annotations

import sys
import threading
from time import monotonic
from typing import TYPE_CHECKING

from twistlike._base.failure import Failure
from twistlike._base.functions import describe
from twistlike._pool.stats import ageOfOldest, describeStuck

if TYPE_CHECKING:
    from collections.abc import Callable

    from twistlike._pool.workers import Workers

__all__ = ["abandonAfterFork", "callUser", "ended", "startThread", "watch"]

# Seconds between two rounds. Fifty looks a second, of some 10 us, and only while a pool is full.
TICK = 0.02

# Seconds between two warnings of one pool: a pool that is full for long should not fill the log as
# well.
WARN_INTERVAL = 60.0

# WebAssembly, in the browser and outside of it.
WITHOUT_THREADS = ("emscripten", "wasi")

_watched: list[Workers] = []
# What it sleeps on, between two rounds; it is released to have a round now.
_wakeLock = threading.Lock()
_wakeLock.acquire()
# Whoever takes the token starts the thread, which puts it back when it ends.
_token = [True]


def watch(workers: Workers) -> None:
    """Look after a pool whose jobs wait, until they do not."""
    workers.watched = True
    try:
        _watched.append(workers)
        _startWatchdog()
    except BaseException:  # a signal's: the next submitter that finds the pool full tries again
        workers.watched = False
        raise


def ended(workers: Workers) -> None:
    """Note that a pool has ended: it leaves no thread behind, so let the watchdog end now."""
    if workers.watched:
        try:
            _wakeLock.release()
        except RuntimeError:
            pass  # it has been released, and not been taken yet


def startThread(thread: threading.Thread) -> None:
    """Start a thread. What a signal's handler raises meanwhile comes out.

    Interrupted at the wrong place, `Thread.start` raises a RuntimeError about its lock instead, and
    callers would take that for a thread that could not be started.

    Raises:
        RuntimeError: No thread can be started: there are too many, or the platform has none.
    """
    try:
        thread.start()
    except RuntimeError as error:
        if sys.platform in WITHOUT_THREADS:
            raise RuntimeError(
                f"this platform, {sys.platform}, has no threads, so there is none for a function "
                "to run in; call the function in the loop, or await what does the same there"
            ) from error
        if error.__context__ is None or isinstance(error.__context__, Exception):
            raise
        raise error.__context__ from None


def _startWatchdog() -> None:
    startToken = [True]
    try:
        # `for`: a signal's exception comes before the token is taken, or finds it in our hands.
        for _ in iter(_token.pop, None):
            try:
                thread = threading.Thread(
                    target=_rounds, args=(startToken,), name="PoolWatchdog", daemon=True
                )
                startThread(thread)
            except BaseException as error:
                _giveUp(startToken)
                if not isinstance(error, Exception):
                    raise  # a signal's handler has raised
            return
    except IndexError:
        return


def _giveUp(startToken: list[bool]) -> None:
    """Note that the thread could not be started, or its starter was interrupted."""
    try:
        startToken.pop()
    except IndexError:
        return  # the thread runs
    # No thread, no look. The next submitter that finds the pool full tries again.
    for workers in _watched:
        workers.watched = False
    _watched.clear()
    _token.append(True)


def _rounds(startToken: list[bool]) -> None:
    for _ in startToken:
        del startToken[:]  # no call: a kill comes before this, or finds the `finally`
        break
    else:
        return  # its starter was interrupted, and has given it up
    try:
        _watch()
    finally:  # also if this thread is killed from outside
        _token.append(True)
        # Race: `watch` came between our last look and the token's return, and found no token.
        if _watched:
            _startWatchdog()


def _watch() -> None:
    # A loop of its own: where one in a `try` jumps back, 3.12 and later find no `finally`.
    while _watched:
        _wakeLock.acquire(timeout=TICK)
        _visitAll(monotonic())


def _visitAll(now: float) -> None:
    for workers in _watched[:]:
        try:
            _visit(workers, now)
        except Exception as error:
            # An error of ours, or no memory. The other pools are looked after, and this one again.
            if not workers.watchFailed:
                workers.watchFailed = True
                failure = Failure.fromException(error)
                callUser(workers, workers.report, failure, "Looking after a pool failed")


def callUser(workers: Workers, function: Callable[..., object], *args: object) -> bool:
    """Have a user's function called, in a thread of its own. What it raises is reported.

    Returns:
        False if there is no thread for it.

    Thread: the watchdog's.
    """
    try:
        thread = threading.Thread(
            target=_callAndReport, args=(workers, function, args), name="PoolWarning", daemon=True
        )
        startThread(thread)
    except RuntimeError:
        return False
    workers.warner = thread
    return True


def _callAndReport(
    workers: Workers, function: Callable[..., object], args: tuple[object, ...]
) -> None:
    try:
        function(*args)
    except BaseException as error:
        what = f"{describe(function)} failed"
        workers.report(Failure.fromException(error), what)


def _visit(workers: Workers, now: float) -> None:
    if _checkUp(workers, now):
        return
    _watched.remove(workers)
    # Race: a job comes after we looked, finds no worker free, and sees that the pool is watched. We
    # let go first, then reset `wakeDeadline`, so that the next submitter has it watched, then look
    # once more.
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
    _token[:] = [True]


def _checkUp(workers: Workers, now: float) -> bool:
    """Warn if jobs have waited for too long with no worker free.

    Returns:
        Whether jobs wait, so that we should come again.
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
        # A warner that has not ended is stuck in somebody's handler.
        stuck = workers.warner is not None and workers.warner.is_alive()
        if not stuck and _warn(workers, age):
            workers.nextWarning = now + WARN_INTERVAL
    return True


def _warn(workers: Workers, age: float) -> bool:
    import logging  # seldom needed, slow to import

    pool = workers.pool()
    busy = [text for worker in list(workers.members) if (text := describeStuck(worker)) is not None]
    return callUser(
        workers,
        logging.getLogger("twistlike").warning,
        "%s in pool %s, the oldest for %.1f s, and none of its %d workers is free "
        "(maximum %d). Raise the maximum (adjustPoolsize, suggestThreadPoolSize), or find out "
        "what blocks them:\n%s",
        "1 job waits" if len(workers.queue) == 1 else f"{len(workers.queue)} jobs wait",
        None if pool is None else pool.name or hex(id(pool)),
        age,
        len(workers.members),
        workers.maximum,
        "\n".join(map(str, busy)),
    )
