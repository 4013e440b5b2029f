"""`ThreadsafeQueue`: gets that nobody waits for, queues of several loops."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from tests.oracle import runProgram
from tests.waits import until
from twistlike._threads.queue_waiters import SWEEP_FROM
from twistlike.internet import defer
from twistlike.internet.error import ReactorNotRunning
from twistlike.internet.threads import QueueClosed, ThreadsafeQueue, iterateInThread

if TYPE_CHECKING:
    from collections.abc import Callable

# What an item may be: also what a Deferred has as its result once that has been taken.
ITEMS = [7, None, "text", object(), [1]]


async def poll(queue: ThreadsafeQueue[Any]) -> None:
    """Wait for an item for no time at all: asyncio cancels the task before it begins."""
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.get(), 0)


@pytest.mark.parametrize("item", ITEMS)
def test_cancelled_before_it_waits(item: object) -> None:
    """A task that is cancelled before it begins to wait loses no item that it was to get."""

    async def main() -> None:
        queue: ThreadsafeQueue[object] = ThreadsafeQueue()
        queue.putNoWait(item)
        queue.putNoWait("next")
        await poll(queue)
        assert len(queue) == 2
        assert await queue.get() is item
        assert await queue.get() == "next"

    asyncio.run(main())


@pytest.mark.parametrize("item", ITEMS)
def test_cancelled_before_it_waits_empty(item: object) -> None:
    """A get that was dropped while it waited takes no item from the one behind it."""

    async def main() -> None:
        queue: ThreadsafeQueue[object] = ThreadsafeQueue()
        await poll(queue)
        behind = asyncio.ensure_future(queue.get())
        await asyncio.sleep(0)
        queue.putNoWait(item)
        assert await behind is item

    asyncio.run(main())


def test_next_is_dropped() -> None:
    """An item of an iterator goes to the next reader, if the one before was cancelled too early."""

    async def main() -> None:
        numbers = iterateInThread(range(5))
        assert await numbers.next() == 0
        await until(lambda: len(numbers._producer.queue) == 4)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(numbers.next(), 0)
        assert [number async for number in numbers] == [1, 2, 3, 4]

    asyncio.run(main())


@defer.inlineCallbacks
def yielding(d: defer.Deferred[Any]) -> Any:
    """Take an item in Twisted's manner."""
    item = yield d
    return item


TAKERS: list[Callable[[defer.Deferred[Any]], Any]] = [
    lambda d: d.addCallback(lambda item: item),
    lambda d: d.addBoth(lambda item: item),
    lambda d: d.addErrback(lambda failure: failure),
    lambda d: d.addCallbacks(lambda item: item),
    yielding,
    lambda d: defer.succeed(None).addCallback(lambda _: d),
    lambda d: defer.gatherResults([d]),
    lambda d: defer.DeferredList([d]),
    lambda d: d.chainDeferred(defer.Deferred()),
    lambda d: d.asFuture(asyncio.get_running_loop()),
    lambda d: d.result if d.called else d.addCallback(lambda item: item),
    lambda d: asyncio.ensure_future(d),
]


@pytest.mark.parametrize("item", ITEMS)
@pytest.mark.parametrize("take", TAKERS)
def test_taken_once(take: Callable[[defer.Deferred[Any]], Any], item: object) -> None:
    """What has been taken in any way is not given back: before it was there, at once, and later."""

    async def main() -> None:
        queue: ThreadsafeQueue[object] = ThreadsafeQueue()
        taken = [take(queue.get())]
        await asyncio.sleep(0)
        queue.putNoWait(item)
        queue.putNoWait(item)
        taken.append(take(queue.get()))
        late = queue.get()
        queue.putNoWait(item)
        await asyncio.sleep(0.001)
        await asyncio.sleep(0)
        taken.append(take(late))
        del late
        for _ in range(3):
            await asyncio.sleep(0)
        taken.clear()
        assert len(queue) == 0

    asyncio.run(main())


def test_looked_at() -> None:
    """To print a Deferred of an item does not take the item."""

    async def main() -> None:
        queue: ThreadsafeQueue[int] = ThreadsafeQueue()
        queue.putNoWait(7)
        d = queue.get()
        assert "current result: 7" in repr(d)
        del d
        assert await queue.get() == 7

    asyncio.run(main())


def test_dropped_put_has_happened() -> None:
    """A put whose Deferred nobody keeps puts its item, also if it has to wait."""

    async def main() -> None:
        queue: ThreadsafeQueue[int] = ThreadsafeQueue(1)
        for number in range(3):
            queue.put(number)
        assert await queue.get() == 0
        for _ in range(3):
            await asyncio.sleep(0)  # the second put fires, and is dropped
        assert len(queue) == 1
        assert [await queue.get() for _ in range(2)] == [1, 2]

    asyncio.run(main())


def test_polls_leave_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Gets that are dropped do not pile up, and nothing is said of them when the queue is closed.

    Those that are still wanted are served in their order.
    """

    async def main() -> None:
        queue: ThreadsafeQueue[int] = ThreadsafeQueue()
        wanted: list[defer.Deferred[Any]] = [queue.get()]
        for number in range(10 * SWEEP_FROM):
            await poll(queue)
            if number % SWEEP_FROM == 0:
                wanted += [queue.get(), defer.gatherResults([queue.get()])]
        assert len(queue._getters) < 3 * SWEEP_FROM
        task = asyncio.ensure_future(queue.get())
        await asyncio.sleep(0)
        for number in range(len(wanted) + 1):
            queue.putNoWait(number)
        got = [await d for d in wanted]
        assert got == [[n] if n and n % 2 == 0 else n for n in range(len(wanted))]
        assert await task == len(wanted)
        await poll(queue)
        last = queue.get()
        queue.close()
        with pytest.raises(QueueClosed):
            await last

    with caplog.at_level(logging.INFO):
        asyncio.run(main())
    assert not caplog.records


def test_thread_waits_for_the_last_loop() -> None:
    """A thread that waits for a queue of several loops is released when the last of them ends."""
    queue: ThreadsafeQueue[int] = ThreadsafeQueue()
    got: list[object] = []

    def consume() -> None:
        try:
            got.extend(iter(queue.blockingGet, 2))
            queue.blockingGet()
        except ReactorNotRunning as error:
            got.append(str(error))

    async def other() -> None:
        task = asyncio.ensure_future(queue.get())
        consumer.start()
        await until(lambda: len(queue._getters) == 2)
        task.cancel()

    consumer = threading.Thread(target=consume)

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(queue.get(), 0.001)
        await asyncio.to_thread(asyncio.run, other())  # uses the queue last, and ends
        await queue.put(1)
        await queue.put(2)
        await until(lambda: len(queue._getters) == 1)

    asyncio.run(main())
    consumer.join(10)
    assert got[0] == 1
    assert "waited for a queue" in str(got[1])


def test_asynchronous_iterables_are_refused() -> None:
    """What is asynchronous already is refused at once, and is not closed."""

    class Cursor:
        closed = False

        def __aiter__(self) -> Cursor:
            return self

        def close(self) -> None:
            self.closed = True

    async def main() -> None:
        cursor: Any = Cursor()
        with pytest.raises(TypeError, match="is asynchronous: use it in the loop"):
            iterateInThread(cursor)
        source = iterateInThread(lambda: cursor)
        with pytest.raises(TypeError, match="is asynchronous: use it in the loop"):
            await source.next()
        assert not cursor.closed

    asyncio.run(main())


def test_queue_leaves_no_cycle() -> None:
    """A queue goes with its last reference, whatever was got from it."""

    async def main() -> None:
        queue: ThreadsafeQueue[int] = ThreadsafeQueue()
        queue.putNoWait(1)
        queue.putNoWait(2)
        await queue.get()
        await poll(queue)
        waiting = asyncio.ensure_future(queue.get())
        await waiting
        gone = weakref.ref(queue)
        gc.disable()
        try:
            del queue, waiting
            await asyncio.sleep(0)
            assert gone() is None
        finally:
            gc.enable()

    asyncio.run(main())


SIGNALS = """
import asyncio, signal, sys
from twistlike.internet import threads

class Hit(Exception):
    pass

def hit(_, frame):
    # In the reader, and not in asyncio itself, which may lose a task by it. Nor twice
    # at once: the reader below would lose the item.
    if sys.exc_info()[0] is not None:
        return
    while frame is not None and frame.f_code is not main.__code__:
        frame = frame.f_back
    if frame is not None:
        hits.append(1)
        raise Hit

hits = []
queue = threads.ThreadsafeQueue()
for number in range(20_000):
    queue.putNoWait(number)
queue.close()

got = []

async def main():
    number = -1
    while True:
        try:
            async for number in queue:
                got.append(number)
            return
        except Hit:
            if number != -1 and got[-1:] != [number]:
                got.append(number)  # hit before it was appended

loop = asyncio.new_event_loop()
task = loop.create_task(main())
signal.signal(signal.SIGALRM, hit)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
loop.run_until_complete(task)
signal.setitimer(signal.ITIMER_REAL, 0)
print(len(hits) > 0, got == list(range(20_000)))
"""


def test_signals() -> None:
    """The exception of a signal's handler costs no item, and is not lost in a `__del__`.

    One that comes twice within microseconds may cost the reader here an item, which is no loss of
    the queue's: so one of three runs has to be without any. A queue that loses items loses some in
    each of them.
    """
    seen = []
    for _ in range(3):
        transcript = runProgram(SIGNALS, [])
        # The end may be reported: a signal may keep its StopAsyncIteration from the reader.
        assert transcript.returncode == 0, transcript.stderr
        seen.append(transcript.stdout)
        if seen[-1] == "True True\n":
            return
    raise AssertionError(seen)
