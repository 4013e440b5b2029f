"""What idle workers sleep on: their locks, or the pool's `HandoffLock` after an awaited job."""

from __future__ import annotations

import errno
import gc
import os
import random
import select
import sys
import threading
import time
from contextvars import Context
from pathlib import Path
from typing import Any

import pytest

from tests.oracle import runPython
from tests.waits import WAIT, waitFor
from tests.wakeup.seams import neverLong
from twistlike._pool import watchdog
from twistlike._pool.jobs import QueuedJob
from twistlike._pool.worker import Worker
from twistlike._wakeup import gil_handoff
from twistlike._wakeup.gil_handoff import HandoffLock, HandoffSlot
from twistlike._wakeup.wakeup_fd import WakeupFd
from twistlike.python.failure import Failure
from twistlike.python.threadpool import ThreadPool

pytestmark = pytest.mark.skipif(not hasattr(select, "epoll"), reason="no epoll here")


class Asked(QueuedJob):
    """A job that somebody waits for, or not."""

    def __init__(self, awaited: bool = True, until: threading.Event | None = None) -> None:
        self.awaited = awaited
        self.until = until
        self.begun = threading.Event()
        self.ran = threading.Event()
        self.context = None
        self.function = self.perform
        self.args = ()
        self.claim = True

    def perform(self) -> None:
        self.begun.set()
        if self.until is not None:
            assert self.until.wait(WAIT)

    def run(self, worker: Worker, here: Context) -> None:
        self.worker: Any = worker
        super().run(worker, here)

    def deliverResult(self, context: Context | None, result: Any) -> None:
        self.function = None
        self.ran.set()

    def deliverFailure(
        self, context: Context | None, failure: Failure, hasRun: bool = True
    ) -> None:
        self.deliverResult(context, failure)

    def isAwaited(self) -> bool:
        return self.awaited

    def cancelQueued(self) -> bool:
        return False


def descriptors() -> int:
    """Return how many event counters this process has: one for each `WakeupFd`."""
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
    waitFor(lambda: len(idle) >= count)
    return idle


@pytest.fixture(autouse=True)
def noWatchdog(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody makes a lost wakeup good."""
    monkeypatch.setattr(watchdog, "watch", lambda workers: None)


def test_a_release_wakes_once() -> None:
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


def test_there_is_one_lock() -> None:
    """It is given back, or dropped: then there is another, and the first is closed."""
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


def test_a_release_is_one_step() -> None:
    """No signal's handler comes between the call and the release: there is no code of Python's."""
    wakeLock = HandoffLock()
    calls: list[str] = []
    sys.setprofile(lambda frame, event, arg: calls.append(event))
    try:
        wakeLock.release()
    finally:
        sys.setprofile(None)
    assert "call" not in calls
    assert wakeLock.acquire(True, WAIT)


def test_a_release_holds_the_descriptor() -> None:
    """A thread that is about to release it has it in hand, whatever becomes of the lock."""
    wakeLock = HandoffLock()
    release = wakeLock.release
    before = descriptors()
    del wakeLock
    assert descriptors() == before
    release()
    del release
    assert descriptors() == before - 1


@pytest.mark.parametrize("awaited", [True, False])
def test_the_last_job_decides(awaited: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an awaited one the worker sleeps on the `HandoffLock`, after another on its lock."""
    neverLong(monkeypatch.setattr)
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
def test_its_sleeper_is_woken_first(
    order: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second worker whose job was awaited, too, sleeps on its lock and is woken last."""
    neverLong(monkeypatch.setattr)
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


def test_a_worker_that_retires_gives_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one sleeps on it."""
    neverLong(monkeypatch.setattr)
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


def test_no_wakeup_is_lost_when_time_runs_out() -> None:
    """Jobs that come about when the worker's idle time ends are all run."""
    pool = ThreadPool(0, 1, idleTimeout=0.001)
    pool.start()
    rng = random.Random(7)
    for _ in range(400):
        ask(pool)
        time.sleep(rng.random() * 0.002)
    pool.stop()


def test_a_sleeper_is_killed() -> None:
    """It takes the lock along, for that may be released still; there is another one."""
    program = """
import ctypes, time, threading, weakref
from tests.wakeup.seams import neverLong
from tests.wakeup.test_gil_handoff import ThreadPool, ask, restOf
from twistlike._wakeup.gil_handoff import HandoffLock
neverLong()
pool = ThreadPool(1, 1); pool.start()
pool.onError = lambda failure, message: None
for _ in range(30):
    ask(pool)
    (worker,) = restOf(pool)
    assert isinstance(worker.wakeLock, HandoffLock)
    lock = weakref.ref(worker.wakeLock)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(worker.thread.ident), ctypes.py_object(SystemExit))
    pool.callInThread(int)
    worker.thread.join(20)
    assert not worker.thread.is_alive()
    assert lock() is None
    assert pool.submit(int).result(20) == 0
pool.stop()
print("ok")
"""
    transcript = runPython(["-W", "error", "-c", program])
    assert (transcript.stdout, transcript.stderr) == ("ok\n", "")


def test_its_descriptor_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the pool's workers."""
    neverLong(monkeypatch.setattr)
    before = descriptors()
    for _ in range(3):
        pool = ThreadPool(0, 1)
        pool.start()
        ask(pool)
        restOf(pool)
        assert descriptors() == before + 1
        pool.stop()
        assert descriptors() == before


def test_a_descriptor_that_was_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raises, and closes nothing."""

    def eventfd(*args: int) -> int:
        raise OSError(errno.EMFILE, "no descriptor is left")

    closed: list[int] = []
    monkeypatch.setattr(os, "eventfd", eventfd)
    monkeypatch.setattr(os, "close", closed.append)
    with pytest.raises(OSError, match="no descriptor"):
        WakeupFd()
    assert closed == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_has_its_own() -> None:
    """The parent's is one with the child's: what the parent releases would wake the child."""
    program = """
import os, sys
from twistlike._wakeup.gil_handoff import HandoffSlot
locks = HandoffSlot()
lock = locks.take()
locks.giveBack(lock)
if not (child := os.fork()):
    own = locks.take()
    lock.release()
    os._exit(0 if own not in (None, lock) and not own.acquire(True, 0.01) else 1)
assert os.waitpid(child, 0)[1] == 0
assert locks.take() is lock
print("ok")
"""
    transcript = runPython(["-W", "error", "-c", program])
    assert (transcript.stdout, transcript.stderr) == ("ok\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("count", [1, 3])
def test_a_child_wakes_nobody_in_its_parent(count: int) -> None:
    """Locks of before the fork work in the child alone."""
    program = f"""
import os
from twistlike._wakeup.gil_handoff import HandoffLock
locks = [HandoffLock() for _ in range({count})]
if not (child := os.fork()):
    for lock in locks:
        lock.release()
    os._exit(0 if len(os.listdir("/proc/self/fd")) == 2 * {count} + 4 else 1)
assert os.waitpid(child, 0)[1] == 0
print([lock.acquire(True, 0) for lock in locks])
locks[0].release()
print([lock.acquire(True, 0) for lock in locks])
"""
    transcript = runPython(["-W", "error", "-c", program])
    heard = [[False] * count, [True] + [False] * (count - 1)]
    assert (transcript.stdout, transcript.stderr) == (f"{heard[0]}\n{heard[1]}\n", "")


def test_a_descriptor_is_closed_at_the_limit() -> None:
    """Where no descriptor is left; also one that took the last."""
    program = """
import os, resource
from twistlike._wakeup.wakeup_fd import WakeupFd
early = WakeupFd()
resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
files = []
try:
    while True:
        files.append(os.dup(0))
except OSError:
    os.close(files.pop())
    os.close(files.pop())
last = WakeupFd()
numbers = [early.fileno(), int(last), last.fileno()]
for number in numbers:
    os.fstat(number)
del early
files.append(os.dup(0))
del last, number
files += [os.dup(0), os.dup(0)]
print(sorted(files[-3:]) == sorted(numbers))
"""
    transcript = runPython(["-W", "error", "-c", program])
    assert (transcript.stdout, transcript.stderr) == ("True\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_number_that_somebody_else_has_by_now() -> None:
    """Of a descriptor that a daemon has closed: it is left alone at a fork, and in the end."""
    program = """
import os
from twistlike._wakeup.wakeup_fd import WakeupFd
descriptors = [WakeupFd() for _ in range(3)]
os.closerange(3, 1024)
files = [os.open("/dev/zero", os.O_RDONLY) for _ in range(600)]
assert set(files) >= set(descriptors) | {descriptor.fileno() for descriptor in descriptors}
if not (child := os.fork()):
    names = {os.readlink(f"/proc/self/fd/{number}") for number in files}
    os._exit(0 if names == {"/dev/zero"} else 1)
print(os.waitpid(child, 0)[1])
descriptors.clear()
print({os.readlink(f"/proc/self/fd/{number}") for number in files})
"""
    transcript = runPython(["-W", "error", "-c", program])
    assert (transcript.stdout, transcript.stderr) == ("0\n{'/dev/zero'}\n", "")


CLOSED_UNDER_A_POOL = """
import os, sys, threading, time
from twistlike._wakeup import gil_handoff
from twistlike.python.failure import Failure
from twistlike.python.threadpool import ThreadPool
from tests.wakeup.seams import neverLong
from tests.wakeup.test_gil_handoff import ask, restOf

neverLong()
pool = ThreadPool(1, 1)
pool.start()
ask(pool)
lock, = [worker.wakeLock for worker in restOf(pool)]
assert isinstance(lock, gil_handoff.HandoffLock)
os.closerange(3, 1024)
files = []
while len(files) < 600:
    if sys.argv[1] == "files":
        files.append(os.open(f"{sys.argv[2]}/{len(files)}", os.O_CREAT | os.O_RDWR))
    else:
        files += os.pipe()
for _ in range(3):
    ask(pool)
pool.stop()
del lock, pool
print([number for number in files[:600] if os.fstat(number).st_size])
"""


@pytest.mark.parametrize("what", ["files", "pipes"])
def test_descriptors_that_are_closed_under_a_pool(what: str, tmp_path: Path) -> None:
    """A worker sleeps on one: the next job runs all the same, and no byte goes into a file."""
    transcript = runPython(["-W", "error", "-c", CLOSED_UNDER_A_POOL, what, str(tmp_path)])
    assert (transcript.stdout, transcript.stderr) == ("[]\n", "")


CLOSED_UNDER_A_REACTOR = """
import asyncio, os, sys, threading
from twistlike.internet import reactor, threads

async def main():
    loop = asyncio.get_running_loop()
    loop.slow_callback_duration = 60
    done = asyncio.Event()

    def ask():  # it sleeps on a descriptor, and the loop watches another
        outcome.append(threads.blockingCallFromThread(reactor, threads.deferToThread, wait))
        loop.call_soon_threadsafe(done.set)

    def wait():
        asked.set()
        assert go.wait(9)
        return 1

    outcome, asked, go = [], threading.Event(), threading.Event()
    for _ in range(3):  # warm
        await threads.deferToThread(threads.blockingCallFromThread, reactor, int)
    thread = threading.Thread(target=ask)
    thread.start()
    while not asked.is_set():
        await asyncio.sleep(0.01)
    keep = {number for number in range(3, 1024) if isOthers(number)}
    for number in range(3, 1024):
        if number not in keep:
            try:
                os.close(number)
            except OSError:
                pass
    files = [os.open(f"{sys.argv[1]}/{n}", os.O_CREAT | os.O_RDWR) for n in range(600)]
    go.set()
    await done.wait()
    thread.join()
    outcome.append(await threads.deferToThread(int, "2"))
    outcome.append(await threads.deferToThread(threads.blockingCallFromThread, reactor, int, "3"))
    print(outcome, [number for number in files if os.fstat(number).st_size])
    for number in files:
        os.lseek(number, 0, os.SEEK_END)

def isOthers(number):
    from twistlike._wakeup import wakeup_fd
    ours = set(wakeup_fd._open) | {epoll.fileno() for epoll in wakeup_fd._open.values()}
    return number not in ours

if sys.argv[2] == "uvloop":
    import uvloop
    runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
else:
    runner = asyncio.Runner()
with runner:
    runner.run(main())
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("debug", ["", "1"])
def test_descriptors_that_are_closed_under_a_reactor(loop: str, debug: str, tmp_path: Path) -> None:
    """A thread waits for the loop, which waits for a worker: all get what they wait for."""
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    program = ["-W", "error", "-c", CLOSED_UNDER_A_REACTOR, str(tmp_path), loop]
    transcript = runPython(program, env={"PYTHONASYNCIODEBUG": debug})
    assert (transcript.stdout, transcript.reports) == ("[1, 2, 3] []\n", "")


def test_only_after_calm(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a wait that turned out long, the lock is used when enough short ones have passed."""
    slot = HandoffSlot()

    def waits() -> int:
        count = 1
        while (lock := slot.take()) is None:
            count += 1
        slot.giveBack(lock)
        return count

    assert waits() == 1
    needed = []
    for _ in range(12):
        slot.noteLong()
        needed.append(waits() - 1)
    assert needed == [4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 4096]
    for _ in range(100):  # a run of them counts once, and none of the short ones before it
        slot.noteLong()
    assert waits() == 4097
    monkeypatch.setattr(gil_handoff, "_FORGET", 0.0)
    slot.noteLong()
    assert waits() == 5


def test_jobs_that_compute_hold_up_who_asks_for_them_once() -> None:
    """The first of them finds the lock in use; for the others the asker keeps the GIL."""
    pool = ThreadPool(1, 1)
    pool.start()

    def sleepsOnIt() -> bool:
        ask(pool)  # on a busy machine a short job may count as long, which a calm one makes good
        return isinstance(restOf(pool)[0].wakeLock, HandoffLock)

    waitFor(sleepsOnIt)
    slept = []
    for _ in range(4):
        slept.append(type(restOf(pool)[0].wakeLock))
        until = threading.Event()
        long = Asked(until=until)
        threading.Timer(10 * gil_handoff.LONG, until.set).start()
        pool.put(long)
        assert long.ran.wait(WAIT)
    assert slept[0] is HandoffLock
    assert HandoffLock not in slept[1:]
    pool.stop()
