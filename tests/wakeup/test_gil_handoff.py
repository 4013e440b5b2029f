"""What idle workers sleep on: their locks, or the pool's quick bell after an awaited job."""

from __future__ import annotations

import errno
import gc
import os
import random
import sys
import threading
import time
from contextvars import Context
from typing import Any

import pytest

from tests.oracle import runPython
from twistlike._pool import watchdog
from twistlike._pool.workers import Workers
from twistlike._wakeup.eventfd import Eventfd
from twistlike._wakeup.gil_handoff import HandoffLock, HandoffSlot
from twistlike.python.threadpool import ThreadPool

WAIT = 5.0

pytestmark = pytest.mark.skipif(not hasattr(os, "eventfd"), reason="no event counters here")


class Asked:
    """A job that somebody waits for, or not."""

    context: Context | None = None
    cancelRequested = False
    function = None
    workers: Workers
    queued: float

    def __init__(self, awaited: bool = True, until: threading.Event | None = None) -> None:
        self.awaited = awaited
        self.until = until
        self.begun = threading.Event()
        self.ran = threading.Event()

    def run(self, worker: Any, here: Any) -> None:
        self.begun.set()
        if self.until is not None:
            assert self.until.wait(WAIT)
        self.worker = worker
        self.ran.set()

    def isAwaited(self) -> bool:
        return self.awaited

    def interrupted(self, error: BaseException) -> bool:
        return False

    def fail(self, error: BaseException) -> bool:
        return False

    def cancelQueued(self) -> bool:
        return False


def descriptors() -> int:
    """Return how many of event counters this process has."""
    gc.collect()
    found = 0
    for number in os.listdir("/proc/self/fd"):
        try:
            found += os.readlink(f"/proc/self/fd/{number}") == "anon_inode:[eventfd]"
        except OSError:
            pass  # that of the list itself
    return found


def ask(pool: ThreadPool, **kw: Any) -> Asked:
    """Have a job run, and wait until it has."""
    job = Asked(**kw)
    pool.put(job)
    assert job.ran.wait(WAIT)
    return job


def restOf(pool: ThreadPool, count: int = 1) -> list[Any]:
    """Return the workers that sleep, once there are so many."""
    idle = pool._workers.idle
    deadline = time.monotonic() + WAIT
    while len(idle) < count:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    return idle


@pytest.fixture(autouse=True)
def noWatchdog(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody repairs what a bell has lost."""
    monkeypatch.setattr(watchdog, "watch", lambda workers: None)


def test_a_ring_is_heard_once() -> None:
    """Before the sleep or in it; without one the sleep ends with its time."""
    wakeLock = HandoffLock()
    wakeLock.release()
    assert wakeLock.acquire(True, WAIT)
    assert not wakeLock.acquire(True, 0.01)
    for timeout in (-1, WAIT):
        threading.Timer(0.05, wakeLock.release).start()
        assert wakeLock.acquire(True, timeout)
    assert not wakeLock.acquire(True, 0)
    wakeLock.release()
    assert wakeLock.acquire(True, 1e300)


def test_there_is_one_bell() -> None:
    """Who has it gives it back, or drops it: then there is another, and the first is closed."""
    handoff = HandoffSlot()
    before = descriptors()
    taken = [handoff.taken]
    wakeLock = handoff.take()
    assert wakeLock is not None
    assert handoff.take() is None
    taken.append(handoff.taken)
    handoff.giveBack(wakeLock)
    taken.append(handoff.taken)
    assert handoff.take() is wakeLock
    del wakeLock
    assert descriptors() == before
    taken.append(handoff.taken)
    other = handoff.take()
    assert other is not None
    taken.append(handoff.taken)
    handoff.giveBack(other)
    del other
    assert descriptors() == before + 1
    handoff.clear()
    assert descriptors() == before
    handoff.take()
    assert descriptors() == before
    assert taken == [False, True, False, False, True]


def test_a_ring_is_one_step() -> None:
    """No handler of a signal comes between the call and the ring: there is no code of Python's."""
    wakeLock = HandoffLock()
    calls: list[str] = []
    sys.setprofile(lambda frame, event, arg: calls.append(event))
    try:
        wakeLock.release()
    finally:
        sys.setprofile(None)
    assert "call" not in calls
    assert wakeLock.acquire(True, WAIT)


def test_a_ring_holds_the_counter() -> None:
    """Who is about to ring has it in their hands, whatever becomes of the bell."""
    wakeLock = HandoffLock()
    ring = wakeLock.release
    before = descriptors()
    del wakeLock
    assert descriptors() == before
    ring()
    del ring
    assert descriptors() == before - 1


@pytest.mark.parametrize("awaited", [True, False])
def test_the_last_job_decides(awaited: bool) -> None:
    """After an awaited one the worker sleeps on the quick bell, after another on its lock."""
    pool = ThreadPool(1, 1)
    pool.start()
    for last in (not awaited, awaited):
        ask(pool, awaited=last)
        (worker,) = restOf(pool)
        assert isinstance(worker.wakeLock, HandoffLock) is last
    pool.callInThread(int)
    ask(pool, awaited=awaited)
    pool.stop()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_who_sleeps_on_it_is_woken_first(order: tuple[int, int]) -> None:
    """A second worker whose job was awaited, too, sleeps on its lock and is woken last."""
    pool = ThreadPool(2, 2)
    pool.start()
    go = [threading.Event(), threading.Event()]
    jobs = [Asked(until=event) for event in go]
    for job in jobs:
        pool.put(job)
        assert job.begun.wait(WAIT)
    for count, number in enumerate(order):
        go[number].set()
        restOf(pool, count + 1)
    first, second = jobs[order[0]].worker, jobs[order[1]].worker
    assert pool._workers.idle == [second, first]
    assert isinstance(first.wakeLock, HandoffLock)
    assert not isinstance(second.wakeLock, HandoffLock)
    assert ask(pool).worker is first
    pool.stop()


@pytest.mark.parametrize("how", ["none left", "no such thing"])
def test_without_counters(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers sleep on their locks, and the one used last is woken first."""
    if how == "none left":

        def eventfd(*args: int) -> int:
            raise OSError(errno.EMFILE, "no descriptor is left")

        monkeypatch.setattr(os, "eventfd", eventfd)
    else:
        monkeypatch.delattr(os, "eventfd")
    pool = ThreadPool(2, 2)
    pool.start()
    for _ in range(5):
        ask(pool)
        restOf(pool, 2)
    assert pool._workers.handoff.take() is None
    assert not pool._workers.handoff.taken
    assert ask(pool).worker is restOf(pool, 2)[-1]
    pool.stop()


def test_a_worker_that_retires_gives_it_back() -> None:
    """The next one sleeps on it."""
    pool = ThreadPool(0, 1, idleTimeout=0.02)
    pool.start()
    first = ask(pool).worker
    first.thread.join(WAIT)
    assert not first.thread.is_alive()
    (wakeLock,) = pool._workers.handoff._free
    pool.adjustPoolsize(1, 1)
    ask(pool)
    (worker,) = restOf(pool)
    assert worker is not first
    assert worker.wakeLock is wakeLock
    pool.stop()


def test_no_ring_is_lost_when_time_runs_out() -> None:
    """Jobs that come about when the worker's patience ends are all run."""
    pool = ThreadPool(0, 1, idleTimeout=0.001)
    pool.start()
    rng = random.Random(7)
    for _ in range(400):
        ask(pool)
        time.sleep(rng.random() * 0.002)
    pool.stop()


def test_a_sleeper_is_killed() -> None:
    """It takes the bell along, for that may be rung still; there is another one."""
    program = """
import ctypes, time, threading, weakref
from tests.wakeup.test_gil_handoff import ThreadPool, ask, restOf
from twistlike._wakeup.gil_handoff import HandoffLock
pool = ThreadPool(1, 1); pool.start()
pool.onError = lambda failure, message: None
for _ in range(30):
    ask(pool)
    (worker,) = restOf(pool)
    assert isinstance(worker.wakeLock, HandoffLock)
    bell = weakref.ref(worker.wakeLock)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(worker.thread.ident), ctypes.py_object(SystemExit))
    pool.callInThread(int)
    worker.thread.join(5)
    assert not worker.thread.is_alive()
    assert bell() is None
    assert pool.submit(int).result(5) == 0
pool.stop()
print("ok")
"""
    transcript = runPython(["-W", "error", "-c", program])
    assert (transcript.stdout, transcript.stderr) == ("ok\n", "")


def test_its_descriptor_is_closed() -> None:
    """With the pool's workers."""
    before = descriptors()
    for _ in range(3):
        pool = ThreadPool(0, 1)
        pool.start()
        ask(pool)
        restOf(pool)
        assert descriptors() == before + 1
        pool.stop()
        assert descriptors() == before


def test_a_counter_that_was_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raises, and closes nothing."""

    def eventfd(*args: int) -> int:
        raise OSError(errno.EMFILE, "no descriptor is left")

    closed: list[int] = []
    monkeypatch.setattr(os, "eventfd", eventfd)
    monkeypatch.setattr(os, "close", closed.append)
    with pytest.raises(OSError, match="no descriptor"):
        Eventfd()
    assert closed == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_has_its_own() -> None:
    """The counter is one with the parent: what the parent rings, the child would hear."""
    program = """
import os, sys
from twistlike._wakeup.gil_handoff import HandoffSlot
bells = HandoffSlot()
bell = bells.take()
bells.giveBack(bell)
if not (child := os.fork()):
    own = bells.take()
    bell.release()
    os._exit(0 if own not in (None, bell) and not own.acquire(True, 0.01) else 1)
assert os.waitpid(child, 0)[1] == 0
assert bells.take() is bell
print("ok")
"""
    transcript = runPython(["-W", "error", "-c", program])
    assert (transcript.stdout, transcript.stderr) == ("ok\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("count", [1, 3])
def test_what_a_child_rings_is_not_heard_in_its_parent(count: int) -> None:
    """Whoever has a bell of before the fork: they ring in the child alone."""
    program = f"""
import os
from twistlike._wakeup.gil_handoff import HandoffLock
bells = [HandoffLock() for _ in range({count})]
if not (child := os.fork()):
    for bell in bells:
        bell.release()
    os._exit(0 if len(os.listdir("/proc/self/fd")) == {count} + 4 else 1)
assert os.waitpid(child, 0)[1] == 0
print([bell.acquire(True, 0) for bell in bells])
bells[0].release()
print([bell.acquire(True, 0) for bell in bells])
"""
    transcript = runPython(["-W", "error", "-c", program])
    heard = [[False] * count, [True] + [False] * (count - 1)]
    assert (transcript.stdout, transcript.stderr) == (f"{heard[0]}\n{heard[1]}\n", "")


def test_a_counter_is_closed_at_the_limit() -> None:
    """Where no descriptor is left to ask the kernel with; also one that took the last."""
    program = """
import os, resource
from twistlike._wakeup.eventfd import Eventfd
early = Eventfd()
resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
files = []
try:
    while True:
        files.append(os.dup(0))
except OSError:
    os.close(files.pop())
last = Eventfd()
for counter in (int(early), int(last)):
    os.fstat(counter)
numbers = [int(early), int(last)]
del early
files.append(os.dup(0))
del last, counter
files.append(os.dup(0))
print(files[-2:] == numbers)
"""
    transcript = runPython(["-W", "error", "-c", program])
    assert (transcript.stdout, transcript.stderr) == ("True\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_number_that_somebody_else_has_by_now() -> None:
    """Of a counter that a daemon has closed: it is left alone at a fork, and in the end."""
    program = """
import os
from twistlike._wakeup.eventfd import Eventfd
counters = [Eventfd() for _ in range(3)]
os.closerange(3, 64)
files = [os.open("/dev/zero", os.O_RDONLY) for _ in range(4)]
if not (child := os.fork()):
    names = {os.readlink(f"/proc/self/fd/{number}") for number in files}
    os._exit(0 if names == {"/dev/zero"} else 1)
print(os.waitpid(child, 0)[1])
counters.clear()
print({os.readlink(f"/proc/self/fd/{number}") for number in files})
"""
    transcript = runPython(["-W", "error", "-c", program])
    assert (transcript.stdout, transcript.stderr) == ("0\n{'/dev/zero'}\n", "")
