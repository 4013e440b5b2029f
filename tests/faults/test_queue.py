"""Faults of `ThreadsafeQueue`: between threads that block and loops that do not."""

from __future__ import annotations

import asyncio
import ctypes
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from typing import Any

from tests.faults.harness import Host, fault, inThread
from tests.waits import until
from twistlike.internet.asyncioreactor import Reactor
from twistlike.internet.defer import CancelledError, Deferred, QueueUnderflow
from twistlike.internet.error import ReactorNotRunning, TimeoutError, WrongThreadError
from twistlike.internet.threads import QueueClosed, ThreadsafeQueue, deferToThread

# How long a get may wait for a put that is under way, in seconds.
LIMIT = 20


def errorOf(function: Any, *args: Any) -> BaseException | None:
    """Return what a call raises."""
    try:
        function(*args)
    except BaseException as error:
        return error
    return None


def waiting(queue: ThreadsafeQueue[Any]) -> int:
    """Return how many wait for a queue."""
    return len(queue._getters) + len(queue._putters)


def left(queue: ThreadsafeQueue[Any]) -> list[Any]:
    """Take all that is in a queue."""
    found = []
    while len(queue):
        found.append(queue.getNoWait())
    return found


@fault()
def test_queue_reactor_ends(host: Host) -> None:
    """When the reactor ends, all who wait get an error: in the loop, in a worker, in a thread."""
    empty: ThreadsafeQueue[int] = ThreadsafeQueue()
    full: ThreadsafeQueue[int] = ThreadsafeQueue(1)
    full.putNoWait(0)
    errors: list[BaseException | None] = []
    failures: list[Any] = []

    def block() -> None:
        errors.append(errorOf(empty.blockingGet))

    def blockToo() -> None:
        errors.append(errorOf(full.blockingPut, 1))

    async def main(reactor: Reactor) -> None:
        empty.get().addErrback(failures.append)
        full.put(2).addErrback(failures.append)
        for each in (block, blockToo):
            reactor.callInThread(each)
            threads.append(threading.Thread(target=each))
            threads[-1].start()
        await until(lambda: waiting(empty) == waiting(full) == 3)

    threads: list[threading.Thread] = []
    host.run(main)
    for thread in threads:
        thread.join(10)
    assert [type(error) for error in errors] == [ReactorNotRunning] * 4
    assert [failure.type for failure in failures] == [ReactorNotRunning] * 2
    assert not waiting(empty) and not waiting(full)
    assert left(full) == [0]
    assert isinstance(errorOf(empty.blockingGet), ReactorNotRunning), "it would wait for ever"
    full.putNoWait(3)
    assert full.blockingGet() == 3, "what needs no wait works"


@fault(modes=("attached",))
def test_queue_loop_closed(host: Host) -> None:
    """A host's loop that is closed without a word releases the threads that wait."""
    queue: ThreadsafeQueue[int] = ThreadsafeQueue()
    errors: list[BaseException | None] = []
    failures: list[Any] = []
    loop = host.newLoop()

    async def begin() -> None:
        queue.get().addErrback(failures.append)

    loop.run_until_complete(begin())
    thread = threading.Thread(target=lambda: errors.append(errorOf(queue.blockingGet)))
    thread.start()
    while waiting(queue) < 2:
        loop.run_until_complete(asyncio.sleep(0.001))
    loop.close()
    thread.join(10)
    assert [type(error) for error in errors] == [ReactorNotRunning]
    assert [failure.type for failure in failures] == [ReactorNotRunning]
    queue.putNoWait(7)
    assert left(queue) == [7]


@fault()
def test_queue_cancel_at_handover(host: Host) -> None:
    """A getter that is cancelled around its hand-over, 1,000 times: the item is not lost."""
    queue: ThreadsafeQueue[int] = ThreadsafeQueue()

    async def main(reactor: Reactor) -> None:
        got: list[int] = []
        rounds = host.many(1_000)

        async def take() -> None:
            got.append(await queue.get())

        for number in range(rounds):
            task = asyncio.ensure_future(take())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            queue.putNoWait(number)
            for _ in range(number % 4):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert not waiting(queue)
        assert sorted(got + left(queue)) == list(range(rounds))
        assert got, "each was cancelled too early to see anything"

    host.run(main)


@fault()
def test_queue_cancelled_item_goes_to_the_next(host: Host) -> None:
    """The item of a getter that is cancelled in its turn goes to the next who waits, in order."""
    queue: ThreadsafeQueue[str] = ThreadsafeQueue()

    async def main(reactor: Reactor) -> None:
        async def take() -> str:
            return await queue.get()

        first = asyncio.ensure_future(take())
        second = asyncio.ensure_future(take())
        await until(lambda: waiting(queue) == 2)
        queue.putNoWait("a")
        queue.putNoWait("b")
        # In the same batch, right behind the call that fires: the task has not gone on yet.
        reactor.callFromThread(first.cancel)
        third = asyncio.ensure_future(take())
        _, *rest = await asyncio.gather(first, second, third, return_exceptions=True)
        assert first.cancelled()
        assert rest == ["b", "a"]

    async def simple(reactor: Reactor) -> None:
        taken = queue.get()
        queue.putNoWait("c")
        taken.addErrback(lambda failure: failure.trap(CancelledError) and None)
        taken.cancel()
        assert await queue.get() == "c"

    host.run(main)
    host.run(simple)


@fault()
def test_queue_random_timeouts(host: Host) -> None:
    """20 readers with random timeouts and a thread that puts: each item is got once, none lost."""
    queue: ThreadsafeQueue[int] = ThreadsafeQueue(5)
    chance = random.Random(5)

    async def main(reactor: Reactor) -> None:
        rounds = host.many(2_000)
        got: list[int] = []

        async def read() -> None:
            while True:
                try:
                    async with asyncio.timeout(chance.random() * 0.002):
                        got.append(await queue.get())
                except builtinTimeout:
                    continue
                except QueueClosed:
                    return

        def feed() -> None:
            for number in range(rounds):
                queue.blockingPut(number)
            queue.close()

        readers = [asyncio.ensure_future(read()) for _ in range(20)]
        await inThread(feed)
        await asyncio.gather(*readers)
        assert sorted(got + left(queue)) == list(range(rounds))

    host.run(main)


builtinTimeout = asyncio.TimeoutError


@fault()
def test_queue_many_on_both_sides(host: Host) -> None:
    """Threads and tasks put into one bounded queue and get from it: all arrive, in order."""
    queue: ThreadsafeQueue[tuple[str, int]] = ThreadsafeQueue(7)

    async def main(reactor: Reactor) -> None:
        count = host.many(2_000)
        got: list[list[tuple[str, int]]] = [[] for _ in range(6)]
        most: list[int] = []

        def put(name: str) -> None:
            for number in range(count):
                queue.blockingPut((name, number))
                most.append(len(queue))

        async def putToo(name: str) -> None:
            for number in range(count):
                await queue.put((name, number))

        def get(mine: list[tuple[str, int]]) -> None:
            mine.extend(queue)

        async def getToo(mine: list[tuple[str, int]]) -> None:
            async for item in queue:
                mine.append(item)

        readers = [inThread(get, mine) for mine in got[:3]]
        tasks = [asyncio.ensure_future(getToo(mine)) for mine in got[3:]]
        writers = [inThread(put, f"thread{number}") for number in range(3)]
        await asyncio.gather(*writers, *[putToo(f"task{number}") for number in range(3)])
        queue.close()
        await asyncio.gather(*readers, *tasks)
        everything = Counter(item for mine in got for item in mine)
        assert len(everything) == sum(everything.values()) == 6 * count
        assert max(most) <= 7 + 3, "a reader that gives an item back exceeds the bound by one"
        for mine in got:
            for name in ("thread0", "task2"):
                numbers = [number for each, number in mine if each == name]
                assert numbers == sorted(numbers)

    host.run(main)


@fault()
def test_queue_thousand_at_once(host: Host) -> None:
    """1,000 tasks and 100 threads wait at once; 1,100 items wake all of them."""
    queue: ThreadsafeQueue[int] = ThreadsafeQueue()

    async def main(reactor: Reactor) -> None:
        got: list[int] = []

        def block() -> None:
            got.append(queue.blockingGet())

        async def take() -> None:
            got.append(await queue.get())

        tasks = [asyncio.ensure_future(take()) for _ in range(1_000)]
        threads = [threading.Thread(target=block) for _ in range(100)]
        for thread in threads:
            thread.start()
        await until(lambda: waiting(queue) == 1_100)
        for number in range(1_100):
            queue.putNoWait(number)
        await asyncio.gather(*tasks)
        await until(lambda: len(got) == 1_100)
        for thread in threads:
            thread.join()
        assert sorted(got) == list(range(1_100))

    host.run(main)


@fault()
def test_queue_close_wakes_all(host: Host) -> None:
    """close() fails the puts that wait and keeps what is there; then the gets find it closed."""
    full: ThreadsafeQueue[int] = ThreadsafeQueue(1)
    empty: ThreadsafeQueue[int] = ThreadsafeQueue()

    async def main(reactor: Reactor) -> None:
        await full.put(1)
        putting = full.put(2)
        inPut = inThread(errorOf, full.blockingPut, 3)
        getting = empty.get()
        inGet = inThread(errorOf, empty.blockingGet)
        await until(lambda: waiting(full) == waiting(empty) == 2)
        for queue in (full, empty):
            queue.close()
            queue.close()
        for waits in (putting, getting, full.put(4)):
            try:
                await waits
            except QueueClosed:
                continue
            raise AssertionError("it was not told of the close")
        assert isinstance(await inPut, QueueClosed)
        assert isinstance(await inGet, QueueClosed)
        assert await full.get() == 1
        assert isinstance(errorOf(full.getNoWait), QueueClosed)
        assert [item async for item in full] == []

    host.run(main)


@fault()
def test_queue_wrong_thread(host: Host) -> None:
    """The wrong call in a thread says which one is right; nothing has changed."""
    queue: ThreadsafeQueue[int] = ThreadsafeQueue(1)

    async def main(reactor: Reactor) -> None:
        queue.putNoWait(1)
        for function, args in ((queue.blockingGet, ()), (queue.blockingPut, (2,))):
            error = errorOf(function, *args)
            assert isinstance(error, WrongThreadError)
            assert "await" in str(error)
        for asked in (queue.get, lambda: queue.put(2)):
            error = await deferToThread(errorOf, asked)
            assert isinstance(error, WrongThreadError)
            assert "blocking" in str(error)
        assert left(queue) == [1] and not waiting(queue)

    host.run(main)


@fault()
def test_queue_flood_leaves_turns(host: Host) -> None:
    """While a thread floods a reader that never has to wait, timers get their turns."""
    queue: ThreadsafeQueue[int] = ThreadsafeQueue()

    async def main(reactor: Reactor) -> None:
        ticks = 0
        seen = 0

        def tick() -> None:
            nonlocal ticks
            ticks += 1
            reactor.callLater(0, tick)

        for number in range(50_000):
            queue.putNoWait(number)
        reactor.callLater(0, tick)
        for _ in range(50_000):
            seen += await queue.get()
        assert seen == sum(range(50_000))
        assert ticks >= 2

    host.run(main)


@fault()
def test_queue_worker_killed(host: Host) -> None:
    """A thread that is killed while it waits takes nothing with it."""
    queue: ThreadsafeQueue[int] = ThreadsafeQueue()
    kill = ctypes.pythonapi.PyThreadState_SetAsyncExc

    async def main(reactor: Reactor) -> None:
        died: list[BaseException | None] = []
        for number in range(20):
            thread = threading.Thread(target=lambda: died.append(errorOf(queue.blockingGet)))
            thread.start()
            await until(lambda: waiting(queue))
            kill(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit))
            queue.putNoWait(number)
            await until(lambda thread=thread: not thread.is_alive())  # type: ignore[misc]
            assert left(queue) == [number]
        assert [type(error) for error in died] == [SystemExit] * 20

    host.run(main)


@fault()
def test_queue_left_although_signals_interrupt(host: Host) -> None:
    """A waiter leaves although signals raise, an Exception too; the last of those comes out."""
    hits: list[BaseException] = [ValueError("last"), KeyboardInterrupt("first")]

    class Interrupted(ThreadsafeQueue[int]):
        def _forget(self, waiter: object) -> None:
            if hits:
                raise hits.pop()
            super()._forget(waiter)

    queue = Interrupted()

    async def main(reactor: Reactor) -> None:
        error = await deferToThread(errorOf, queue.blockingGet, 0.001)
        assert repr(error) == "ValueError('last')"
        assert (hits, waiting(queue)) == ([], 0)
        queue.putNoWait(1)
        assert left(queue) == [1], "it went to the one that has left"

    host.run(main)


@fault(alone=True)
def test_queue_before_the_reactor_runs(host: Host) -> None:
    """What waits before the reactor runs is served once it does."""
    from twistlike.internet import reactor

    queue: ThreadsafeQueue[int] = ThreadsafeQueue()
    got: list[int] = []
    queue.get().addCallback(got.append)
    thread = threading.Thread(target=lambda: got.append(queue.blockingGet()))
    thread.start()

    async def main(_: Reactor) -> None:
        await queue.put(1)
        await until(lambda: len(got) == 1)
        await until(lambda: waiting(queue) == 1)
        await queue.put(2)
        await until(lambda: len(got) == 2)

    host.run(main, reactor)
    thread.join(10)
    assert got == [1, 2]


@fault()
def test_queue_in_a_signal_handler_and_del(host: Host) -> None:
    """A signal handler and __del__ may put while the same thread is inside the queue."""
    queue: ThreadsafeQueue[str] = ThreadsafeQueue()

    class Drop:
        def __del__(self) -> None:
            queue.putNoWait("del")

    async def main(reactor: Reactor) -> None:
        put = 0

        def interrupted(*ignored: object) -> None:
            nonlocal put
            put += 1
            queue.putNoWait("signal")

        before = signal.signal(signal.SIGALRM, interrupted)
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        count = 0
        try:
            for number in range(host.many(20_000)):
                queue.putNoWait("plain")
                if number % 100 == 0:
                    Drop()
                    count += 1
                count += 1
                queue.getNoWait()
                count -= 1
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        assert len(queue) == count + put

    host.run(main)


@fault(alone=True, modes=("run",))
def test_queue_fork(host: Host) -> None:
    """20 forks under load: the child's queue has no held lock, and none of the parent's waiters."""
    queue: ThreadsafeQueue[int] = ThreadsafeQueue(3)
    stop = threading.Event()

    def pump() -> None:
        while not stop.is_set():
            try:
                queue.blockingPut(1, 0.01)
                queue.blockingGet(0.01)
            except TimeoutError:
                continue

    async def main(reactor: Reactor) -> None:
        threads = [threading.Thread(target=pump) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(20):
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    left(queue)
                    queue.putNoWait(5)
                    code = 0 if left(queue) == [5] and not waiting(queue) else 2
                finally:
                    os._exit(code)
            assert os.waitpid(child, 0)[1] == 0
        stop.set()
        for thread in threads:
            thread.join()

    import warnings

    warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside threads
    host.run(main)


@fault()
def test_queue_workers_that_wait_do_not_wedge_the_pool(host: Host) -> None:
    """Every worker waits for items that jobs behind them put: spare workers run those."""
    queue: ThreadsafeQueue[int] = ThreadsafeQueue()

    async def main(reactor: Reactor) -> None:
        getting = [deferToThread(queue.blockingGet) for _ in range(12)]
        putting = [deferToThread(queue.blockingPut, number) for number in range(12)]
        got = [await each for each in getting]
        for each in putting:
            await each
        assert sorted(got) == list(range(12))

    host.run(main)


@fault()
def test_queue_careless_use(host: Host) -> None:
    """Deferreds are refused, a timeout says what kept it, a put that nobody awaits is made."""
    queue: ThreadsafeQueue[Any] = ThreadsafeQueue()

    async def main(reactor: Reactor) -> None:
        error = errorOf(queue.putNoWait, Deferred())
        assert isinstance(error, TypeError)
        assert isinstance(errorOf(queue.getNoWait), QueueUnderflow)
        error = await deferToThread(errorOf, queue.blockingGet, 0.001)
        assert isinstance(error, TimeoutError) and "0.001" in str(error)
        for wrong in (-1, float("nan")):
            assert isinstance(await deferToThread(errorOf, queue.blockingGet, wrong), ValueError)
        assert not waiting(queue)
        putting = queue.put("kept")  # nobody awaits it
        del putting
        assert await queue.get() == "kept"

    host.run(main)


@fault(alone=True, modes=("run",))
def test_queue_interrupted(host: Host) -> None:
    """KeyboardInterrupts all over a blocking get: no item is got twice, and none goes astray.

    But for one in the very last steps, when it has left the queue and its reader has it not yet:
    no code in Python can exclude that.
    """
    queue: ThreadsafeQueue[int] = ThreadsafeQueue(3)
    count = host.many(10_000)
    got: list[int] = []
    hits = 0

    def feed() -> None:
        for number in range(count):
            queue.blockingPut(number)
        queue.close()

    def interrupt(number: int, frame: Any) -> None:
        if "_threads" in frame.f_code.co_filename:
            raise KeyboardInterrupt

    thread = threading.Thread(target=feed)
    before = signal.signal(signal.SIGALRM, interrupt)
    thread.start()
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    while True:
        try:
            while True:
                got.append(queue.blockingGet())
        except KeyboardInterrupt:
            hits += 1
        except QueueClosed:
            break
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)
    thread.join()
    assert got == sorted(set(got))
    assert len(got) >= count - 1 - hits // 10, (hits, count - len(got))


class Hit(BaseException):
    """In the place of a KeyboardInterrupt."""


def hitAt(step: int, function: Any) -> tuple[bool, Any]:
    """Call a function; raise `Hit` at one of the points where a signal's exception can come.

    These are where a function begins and where a C function has returned.

    Returns:
        Whether there are as many such points in the queue's code, and what the function returned;
        `Hit` if it was hit, and that came through.
    """
    count = 0

    def profile(frame: Any, event: str, _: object) -> None:
        nonlocal count
        if event in ("call", "c_return") and "_threads" in frame.f_code.co_filename:
            count += 1
            if count == step:
                raise Hit

    sys.setprofile(profile)
    try:
        result = function()
    except Hit:
        result = Hit
    finally:
        sys.setprofile(None)
    return count >= step, result


@fault(alone=True, modes=("run",))
def test_queue_hit_at_each_step(host: Host) -> None:
    """One exception of a signal, at each step of a get: nothing is lost, nobody is left waiting."""

    def putterWaits(queue: ThreadsafeQueue[int]) -> None:
        queue.blockingPut(0, LIMIT)
        queue.blockingPut(1, LIMIT)

    def putterComes(queue: ThreadsafeQueue[int]) -> None:
        while not waiting(queue):
            time.sleep(0)
        putterWaits(queue)

    for feed in (putterWaits, putterComes):
        step, more = 0, True
        while more:
            step += 1
            queue: ThreadsafeQueue[int] = ThreadsafeQueue(1)
            thread = threading.Thread(target=feed, args=(queue,))
            thread.start()
            while feed is putterWaits and not waiting(queue):
                time.sleep(0)
            more, result = hitAt(step, queue.blockingGet)
            got = [] if result is Hit else [result]
            while len(got) < 2:
                got.append(queue.blockingGet(LIMIT))
            thread.join(LIMIT / 2)
            assert not thread.is_alive(), (feed, step, "the put has not been told")
            assert got == [0, 1], (feed, step, got)
        assert step > 5, step
