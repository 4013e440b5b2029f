"""The same programs on Twisted's pool and on ours print the same."""

from __future__ import annotations

from tests.oracle import assertSame

START = """
import threading
from tests.waits import Gate, waitFor
from twisted.python.threadpool import ThreadPool
from twisted.python.failure import Failure

def show(what, pool):
    print(what, pool.min, pool.max, pool.name, pool.workers, len(pool.waiters), len(pool.working),
          bool(pool.started), bool(pool.joined))
"""


def test_attributes_through_a_life() -> None:
    """min, max, workers, waiters, working, started and joined from the beginning to the end."""
    assertSame(
        START
        + """
pool = ThreadPool(0, 3, "life")
show("new", pool)
pool.callInThread(print, "queued before the start")
show("queued", pool)
pool.start()
waitFor(lambda: len(pool.waiters) == 1)
show("started", pool)
gate = Gate()
pool.callInThread(gate)
gate.awaitEntered()
show("busy", pool)
pool.startAWorker()
waitFor(lambda: len(pool.waiters) == 1)
show("one more", pool)
pool.stopAWorker()
waitFor(lambda: pool.workers == 1)
show("one less", pool)
pool.adjustPoolsize(2, 4)
waitFor(lambda: pool.workers == 2)
show("adjusted", pool)
pool.adjustPoolsize(None, None)
pool.adjustPoolsize(0, 0)
waitFor(lambda: pool.workers == 1)
show("nothing allowed", pool)
gate.open()
waitFor(lambda: pool.workers == 0)
pool.stop()
show("stopped", pool)
"""
    )


def test_what_is_refused() -> None:
    """Sizes that contradict each other raise AssertionError in both."""
    assertSame(
        START
        + """
for sizes in [(-1, 3), (5, 2), (3, 0)]:
    try:
        ThreadPool(*sizes)
    except AssertionError as error:
        print(sizes, str(error).split(":")[0])
pool = ThreadPool(2, 4)
for sizes in [(-1, 3), (5, 2), (None, 1), (7, None)]:
    try:
        pool.adjustPoolsize(*sizes)
    except AssertionError as error:
        print(sizes, str(error).split(":")[0])
    show(sizes, pool)
"""
    )


def test_results_errors_and_names() -> None:
    """onResult's arguments, in which thread, and in which order one worker runs things."""
    assertSame(
        START
        + """
pool = ThreadPool(0, 1, "named")
done = threading.Event()
def onResult(good, result):
    print(good, result.type.__name__ if isinstance(result, Failure) else result,
          threading.current_thread().name, pool.currentThread().name)
def fail(error):
    raise error
pool.callInThreadWithCallback(onResult, pow, 2, 3)
pool.callInThreadWithCallback(onResult, lambda *a, **k: (a, k), 1, two=2)
for error in [ValueError(), SystemExit(), KeyboardInterrupt(), GeneratorExit(), StopIteration()]:
    pool.callInThreadWithCallback(onResult, fail, error)
pool.callInThreadWithCallback(None, print, "no onResult")
pool.start()
pool.callInThread(done.set)
done.wait(10)
pool.stop()
print(ThreadPool.min, ThreadPool.max, ThreadPool.name, ThreadPool.threadFactory.__name__)
print(ThreadPool().name)
"""
    )
