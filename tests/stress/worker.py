"""One round: ``python -m tests.stress.worker SEED VARIANT SECONDS``. See the package."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import random
import signal
import sys
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.faults.harness import Host, Variant, inThread
from twistlike.internet.asyncioreactor import Reactor
from twistlike.internet.defer import CancelledError, Deferred
from twistlike.internet.error import ReactorNotRunning, TimeoutError
from twistlike.internet.threads import (
    blockingCallFromThread,
    blockingCallWithTimeout,
    deferToThreadPool,
)
from twistlike.python.log import addObserver
from twistlike.python.threadpool import PoolWedgedError, ThreadPool

# Threads of ours that call in, and calls that each may have under way: enough to fill the pool.
THREADS = 4
UNDER_WAY = 200

# What a call may fail with without anybody being wrong.
REFUSED = (ReactorNotRunning, RuntimeError)


class Provoked(Exception):
    """What jobs of ours fail with."""


class Ledger:
    """What was asked for, and what came of it. Thread: any; each entry is one atomic operation."""

    def __init__(self) -> None:
        self.asked: dict[int, str] = {}
        self.answers: list[int] = []
        self.order: dict[int, list[int]] = {}
        self._numbers = iter(range(10**9))

    def open(self, kind: str) -> int:
        """Note that something is about to be asked for. Returns its number."""
        number = next(self._numbers)
        self.asked[number] = kind
        return number

    def refuse(self, number: int) -> None:
        """Note that it was refused: it must not be answered."""
        self.asked[number] = "refused " + self.asked[number]

    def close(self, number: int) -> None:
        """Note that it was answered."""
        self.answers.append(number)

    def missing(self) -> list[str]:
        """Return what is not answered."""
        unanswered = [self.asked[number] for number in set(self.asked) - set(self.answers)]
        return [kind for kind in unanswered if not kind.startswith("refused")]

    def check(self) -> None:
        """Fail if a rule was broken."""
        counts = Counter(self.answers)
        twice = [self.asked[number] for number, count in counts.items() if count > 1]
        assert not twice, f"answered twice: {Counter(twice)}"
        refused = [kind for number in counts if (kind := self.asked[number]).startswith("refused")]
        assert not refused, f"refused and answered: {Counter(refused)}"
        assert not self.missing(), f"never answered: {Counter(self.missing())}"
        for thread, numbers in self.order.items():
            assert numbers == sorted(numbers), f"out of order in thread {thread}"


class Round:
    """One reactor's life, and those who use it."""

    def __init__(self, seed: int, host: Host, seconds: float) -> None:
        self.dice = random.Random(seed)
        self.host = host
        self.seconds = seconds
        self.ledger = Ledger()
        self.over = threading.Event()
        self.reactor = Reactor()
        self.own = ThreadPool(0, 3, "own")
        self.unexpected: list[str] = []

    # ---- what threads do -------------------------------------------------------------------------

    def caller(self, seed: float) -> None:
        """Be one of the threads that call in, until all is over."""
        dice = random.Random(seed)
        order = self.ledger.order.setdefault(threading.get_ident(), [])
        actions = [self.post, self.post, self.post, self.inThread, self.block, self.blockBriefly]
        while not self.over.is_set():
            if len(self.reactor._inbox) > UNDER_WAY:
                time.sleep(0.001)
            number = self.ledger.open("call")
            action = dice.choice(actions)
            self.ledger.asked[number] = action.__name__
            try:
                if action == self.post:
                    self.reactor.callFromThread(self.posted, order, number)
                else:
                    action(number, dice)
            except REFUSED:
                self.ledger.refuse(number)
                time.sleep(0.002)

    def post(self, number: int, dice: random.Random) -> None:
        """Stands for callFromThread; see ``caller``."""

    def posted(self, order: list[int], number: int) -> None:
        """Be called in the reactor's thread."""
        order.append(number)
        self.ledger.close(number)

    def inThread(self, number: int, dice: random.Random) -> None:
        """Have a job done whose answer comes by a callback in the worker."""
        pool = dice.choice([self.reactor.getThreadPool(), self.own])
        fails = dice.random() < 0.2
        pool.callInThreadWithCallback(lambda *_: self.ledger.close(number), self.work, fails, 0)

    def block(self, number: int, dice: random.Random) -> None:
        """Wait for a call that answers at once."""
        try:
            assert blockingCallFromThread(self.reactor, lambda: number) == number
        except ReactorNotRunning:
            pass  # an answer too
        self.ledger.close(number)

    def blockBriefly(self, number: int, dice: random.Random) -> None:
        """Wait, within a limit, for something that takes its time or never comes."""
        delay = dice.choice([0.0, 0.001, 60.0])

        def call() -> Deferred[None]:
            deferred: Deferred[None] = Deferred()
            timer = self.reactor.callLater(
                delay, lambda: deferred.called or deferred.callback(None)
            )
            deferred.addErrback(lambda failure: timer.cancel() if timer.active() else None)
            return deferred

        try:
            blockingCallWithTimeout(0.01, self.reactor, call)
        except (TimeoutError, ReactorNotRunning):
            pass
        self.ledger.close(number)

    def work(self, fails: bool, nested: int) -> str:
        """Be a job: short, failing, or one that waits for another job of the same pool."""
        if fails:
            raise Provoked
        if nested:
            try:
                pool = self.reactor.getThreadPool()
                return blockingCallFromThread(
                    self.reactor,
                    lambda: deferToThreadPool(self.reactor, pool, self.work, False, nested - 1),
                )
            except (ReactorNotRunning, PoolWedgedError, RuntimeError):
                return "refused"
        return "done"

    # ---- what the reactor's thread does ----------------------------------------------------------

    async def main(self, reactor: Reactor) -> None:
        """Use the reactor from within, and disturb it."""
        self.own.start()
        threads = [
            threading.Thread(target=self.caller, args=(self.dice.random(),)) for _ in range(THREADS)
        ]
        for thread in threads:
            thread.start()
        disturbances: list[Callable[[], Any]] = [
            self.resize,
            self.defer,
            self.defer,
            self.defer,
            self.cancelSome,
            self.killWorker,
            self.restartOwn,
            self.forkOne,
        ]
        weights = [4, 8, 8, 8, 6, 1, 1, 0.3]
        self.pending: list[Deferred[Any]] = []
        end = time.monotonic() + self.seconds
        while time.monotonic() < end:
            for _ in range(self.dice.randrange(20)):
                result = self.dice.choices(disturbances, weights)[0]()
                if result is not None:
                    await result
            await asyncio.sleep(self.dice.choice([0, 0, 0.001]))

    def resize(self) -> None:
        """Give the pools other limits."""
        self.reactor.suggestThreadPoolSize(self.dice.randrange(1, 8))
        self.own.adjustPoolsize(0, self.dice.randrange(1, 5))

    def defer(self) -> None:
        """Have a job done whose answer is a Deferred."""
        if len(self.pending) > UNDER_WAY:
            return
        number = self.ledger.open("defer")
        pool = self.dice.choice([self.reactor.getThreadPool(), self.own])
        fails, nested = self.dice.random() < 0.2, self.dice.choice([0, 0, 0, 1, 3])
        try:
            call = deferToThreadPool(self.reactor, pool, self.work, fails, nested)
        except REFUSED:
            self.ledger.refuse(number)
            return
        self.pending.append(call)

        def answered(result: Any) -> None:
            self.ledger.close(number)
            self.pending.remove(call)
            value = getattr(result, "value", None)
            if value is not None and not isinstance(
                value, (Provoked, CancelledError, RuntimeError, SystemExit)
            ):
                self.unexpected.append(repr(value))

        call.addBoth(answered)

    def cancelSome(self) -> None:
        """Cancel a few of those that are under way."""
        for call in self.dice.sample(self.pending, min(3, len(self.pending))):
            call.cancel()

    def killWorker(self) -> None:
        """Have SystemExit raised in a worker that has nothing to do."""
        for thread in self.own.waiters[:1]:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit)
            )

    def restartOwn(self) -> Any:
        """Stop the second pool, and start it again."""

        def restart() -> None:
            self.own.stop()
            self.own.start()

        return inThread(restart)

    def forkOne(self) -> Any:
        """Fork; the child uses the pool, and ends."""

        def fork() -> None:
            pid = os.fork()
            if pid == 0:
                signal.alarm(20)
                code = 1
                try:
                    pool = ThreadPool(0, 1, "child")
                    pool.start()
                    code = 0 if pool.submit(int, "7").result(10) == 7 else 2
                    pool.stop()
                finally:
                    os._exit(code)
            status = os.waitpid(pid, 0)[1]
            if status:
                self.unexpected.append(f"a child ended with status {status}")

        return inThread(fork)

    # ---- the round -------------------------------------------------------------------------------

    def run(self) -> None:
        """Run the reactor twice, with threads that call in all the time, and check the ledger."""
        addObserver(self.observe)
        lives = self.dice.choice([1, 2, 3])
        self.seconds /= lives
        before = threading.active_count()
        for _ in range(lives):
            self.host.run(self.main, self.reactor)
        self.over.set()
        for thread in threading.enumerate():
            if thread is not threading.main_thread() and not thread.daemon:
                thread.join(20)
        self.own.stop()
        gc.collect()
        for thread in threading.enumerate():
            if thread is not threading.main_thread():
                thread.join(20)
        assert threading.active_count() == before, threading.enumerate()
        # What was posted before a start that never came is kept, for a next one: run it.
        self.host.run(nothing, self.reactor)
        self.ledger.check()
        assert not self.unexpected, self.unexpected[:5]
        print(f"{len(self.ledger.asked)} asked for, {Counter(self.ledger.asked.values())}")

    def observe(self, event: dict[str, Any]) -> None:
        """Hear of a report: one of an error of ours is no surprise."""
        failure = event.get("failure")
        if failure is not None and failure.check(Provoked, SystemExit, PoolWedgedError):
            return
        if event.get("isError"):
            self.unexpected.append(f"reported: {event.get('message')} {failure}")


async def nothing(reactor: Reactor) -> None:
    """Let the reactor stop at once."""


def main(seed: int, variant: str, seconds: float) -> None:
    """Run one round."""
    import logging

    # CPython 3.12 and later warn of forks in a process with threads; that is the point here.
    warnings.simplefilter("ignore", DeprecationWarning)
    logging.disable(logging.CRITICAL)  # the observer looks at reports
    Round(seed, Host(Variant.named(variant)), seconds).run()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]))
