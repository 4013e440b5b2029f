"""The watchdog of the pools survives what users' code does. Each program has its own process."""

from __future__ import annotations

import pytest

from tests.oracle import runProgram

PROGRAM = """
import ctypes, logging, sys, threading, time
from tests.waits import waitFor
from twistlike._pool import watchdog
from twistlike.python.threadpool import ThreadPool, currentPool

how = sys.argv[1]
entered = threading.Event()  # the user's code was called
leave = threading.Event()

def act(*args):
    entered.set()
    if "blocks" in how:
        leave.wait()
        return True
    if "exits" in how:
        raise SystemExit(3)
    raise ZeroDivisionError("by the user")

class Filter(logging.Filter):
    def filter(self, record):
        return act() if record.levelno == logging.WARNING else True

class Handler(logging.Handler):
    def emit(self, record):
        if record.levelno == logging.WARNING:
            act()

logger = logging.getLogger("twistlike")
logger.addHandler(logging.StreamHandler())
if "filter" in how:
    logger.addFilter(Filter())
if "handler" in how:
    logger.addHandler(Handler())

# A pool that is full: it is warned of, or wedged.
gate, inside = threading.Event(), threading.Event()
full = ThreadPool(0, 1, "full", maxSpare=0, queueWarnAfter=0.02)
full.start()

def fill():
    with full.compensated(act if "onWedged" in how else None):
        inside.set()
        gate.wait(60)

full.callInThread(fill)
assert inside.wait(20)
full.callInThread(int)
if how == "kill":
    def dogs():
        return [t for t in threading.enumerate() if t.name == "PoolWatchdog" and t.is_alive()]
    waitFor(dogs)
    first, = dogs()
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(first.ident), ctypes.py_object(SystemExit))
    waitFor(lambda: first not in dogs())
else:
    assert entered.wait(20)

# Another one needs a spare worker, which only the watchdog starts.
for _ in range(3):
    other = ThreadPool(0, 1)
    other.start()
    ask = lambda: other.submit(int, "7").result(20)
    print(other.submit(ask).result(20))
    other.stop()

time.sleep(0.2)  # ten rounds, in which nothing is said twice
gate.set()
full.callInThread(leave.set)
leave.wait(20)
full.stop()
waitFor(lambda: not watchdog._watched and len(watchdog._token) == 1)
print("ended")
"""


@pytest.mark.parametrize(
    "how",
    [
        "filter raises",
        "filter exits",
        "filter blocks",
        "handler raises",
        "handler exits",
        "handler blocks",
        "onWedged raises",
        "onWedged exits",
        "onWedged blocks",
        "kill",
    ],
)
def test_the_watchdog_survives(how: str) -> None:
    """Whatever a log's filter, its handler or an onWedged does, pools are looked after."""
    transcript = runProgram(PROGRAM, ["-W", "error"], args=[how])
    assert transcript.stdout == "7\n7\n7\nended\n", transcript.stderr
    told = transcript.stderr.count("ZeroDivisionError: by the user\n")
    assert told == (1 if "raises" in how else 0), transcript.stderr
    assert "Exception in thread" not in transcript.stderr


def test_an_error_of_ours_is_reported_once(capsys: pytest.CaptureFixture[str]) -> None:
    """An error while one pool is looked at ends neither the watchdog nor the look at the others."""
    program = """
import logging, threading, time
from twistlike._pool.compensation import Compensation
from twistlike.python.threadpool import ThreadPool

real = Compensation.checkUp
looks = []

def checkUp(self, now):
    if self._workers is pools[0]._workers:
        looks.append(now)
        raise ZeroDivisionError("in a look")
    real(self, now)

Compensation.checkUp = checkUp
gate = threading.Event()
pools = [ThreadPool(0, 1) for _ in range(2)]
for pool in pools:
    pool.start()
    pool.callInThread(gate.wait, 60)
    pool.callInThread(int)
while len(looks) < 5:
    time.sleep(0.01)
other = ThreadPool(0, 1)
other.start()
print(other.submit(lambda: other.submit(int, "7").result(20)).result(20))
gate.set()
for pool in [*pools, other]:
    pool.stop()
"""
    transcript = runProgram(program, ["-W", "error"])
    assert transcript.stdout == "7\n"
    assert transcript.stderr.count("ZeroDivisionError: in a look") == 1
