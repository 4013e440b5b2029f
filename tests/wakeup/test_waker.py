"""What wakes a loop: on real loops, since what it is about is below us."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import select
import selectors
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.fakeloop import FakeLoop
from tests.oracle import runPython
from tests.waits import WAIT
from twistlike._wakeup.waker import EpollWaker, ThreadsafeWaker, wakerFor

epoll = pytest.mark.skipif(not hasattr(select, "epoll"), reason="there is no epoll")


def _uvloop() -> asyncio.AbstractEventLoop:
    loop: asyncio.AbstractEventLoop = pytest.importorskip("uvloop").new_event_loop()
    return loop


@pytest.fixture(params=[asyncio.new_event_loop, _uvloop], ids=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    """A loop, closed at the end."""
    make: Callable[[], asyncio.AbstractEventLoop] = request.param
    made = make()
    yield made
    made.close()


class WakeRecorder:
    """What was answered, and in which threads."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.answered: list[object] = []
        self.threads: list[int] = []
        self.latest: object = None

    def answer(self, token: object) -> None:
        self.answered.append(token)
        self.threads.append(threading.get_ident())
        self.loop.stop()

    def run(self) -> None:
        """Run the loop until a wakeup is answered, for `WAIT` at most."""
        limit = self.loop.call_later(WAIT, self.loop.stop)
        self.loop.run_forever()
        limit.cancel()

    def turn(self) -> None:
        """Run what is ready."""
        self.loop.call_soon(self.loop.stop)
        self.loop.run_forever()

    def epollWaker(self) -> EpollWaker:
        return EpollWaker(self.loop, self.answer, lambda: self.latest)


def isOpen(number: int) -> bool:
    """Return whether a descriptor is open."""
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


@pytest.mark.parametrize("kind", ["loop", pytest.param("epoll", marks=epoll)])
def test_a_thread_wakes_the_loop(loop: asyncio.AbstractEventLoop, kind: str) -> None:
    """A wakeup from another thread is answered in the loop's, while that sleeps."""
    recorder = WakeRecorder(loop)
    waker = ThreadsafeWaker(loop, recorder.answer) if kind == "loop" else recorder.epollWaker()
    recorder.latest = "rung"
    thread = threading.Timer(0.01, waker.wake, ["rung"])
    thread.start()
    recorder.run()
    thread.join()
    assert recorder.answered == ["rung"]
    assert recorder.threads == [threading.get_ident()]


@epoll
def test_wakeups_are_answered_together_with_the_latest_token(
    loop: asyncio.AbstractEventLoop,
) -> None:
    """Those that have not been answered yet are answered by one call, with the last token."""
    recorder = WakeRecorder(loop)
    waker = recorder.epollWaker()
    for token in ("first", "second"):
        recorder.latest = token
        waker.wake(token)
    recorder.run()
    recorder.turn()
    assert recorder.answered == ["second"]


@pytest.mark.parametrize("kind", ["loop", pytest.param("epoll", marks=epoll)])
def test_a_closed_loop_refuses(kind: str) -> None:
    """Nobody answers on a closed loop: a wakeup raises, as the loop's own calls do."""
    loop = asyncio.new_event_loop()
    recorder = WakeRecorder(loop)
    waker = ThreadsafeWaker(loop, recorder.answer) if kind == "loop" else recorder.epollWaker()
    loop.close()
    with pytest.raises(RuntimeError, match="closed"):
        waker.wake(None)


@epoll
def test_a_waker_is_removed_by_letting_go_of_it(loop: asyncio.AbstractEventLoop) -> None:
    """In the loop's thread at once: the loop watches it no longer, and its descriptor is closed."""
    recorder = WakeRecorder(loop)
    wakers = [recorder.epollWaker()]
    number = wakers[0]._descriptor.fileno()
    loop.call_soon(wakers.clear)
    recorder.turn()
    assert not isOpen(number)
    assert not loop.remove_reader(number)


@epoll
def test_a_waker_is_let_go_of_in_another_thread(loop: asyncio.AbstractEventLoop) -> None:
    """The loop removes it on its next turn. Until then it must not be closed: it is watched."""
    recorder = WakeRecorder(loop)
    wakers = [recorder.epollWaker()]
    number = wakers[0]._descriptor.fileno()
    thread = threading.Thread(target=wakers.clear)
    thread.start()
    thread.join()
    assert isOpen(number)
    recorder.turn()
    assert not isOpen(number)
    assert not loop.remove_reader(number)


@epoll
@pytest.mark.parametrize("order", ["loop first", "waker first"])
def test_a_waker_and_a_loop_that_is_closed(order: str) -> None:
    """Neither leaves the descriptor open, whichever goes first."""
    loop = asyncio.new_event_loop()
    wakers = [WakeRecorder(loop).epollWaker()]
    number = wakers[0]._descriptor.fileno()
    if order == "waker first":
        wakers.clear()
    loop.close()
    wakers.clear()
    gc.collect()
    assert not isOpen(number)


@epoll
def test_a_thread_that_wakes_keeps_the_descriptor(loop: asyncio.AbstractEventLoop) -> None:
    """A thread that is about to wake the loop has it in hand, whoever lets go of the waker."""
    wakers = [WakeRecorder(loop).epollWaker()]
    number = wakers[0]._descriptor.fileno()
    signal = wakers[0]._signal
    loop.call_soon(wakers.clear)
    WakeRecorder(loop).turn()
    assert isOpen(number)
    signal()
    del signal
    assert not isOpen(number)


@epoll
def test_a_descriptor_that_somebody_else_has_closed(loop: asyncio.AbstractEventLoop) -> None:
    """The loop is woken in its own way. What has the number now is not written to, or closed."""
    recorder = WakeRecorder(loop)
    wakers = [recorder.epollWaker()]
    number = wakers[0]._descriptor.fileno()
    ours, theirs = os.pipe()
    os.dup2(theirs, number)
    thread = threading.Timer(0.01, wakers[0].wake, ["woken"])
    thread.start()
    recorder.run()
    thread.join()
    assert recorder.answered == ["woken"]
    loop.call_soon(wakers.clear)
    recorder.turn()
    os.close(theirs)
    os.set_blocking(ours, False)
    with pytest.raises(BlockingIOError):
        os.read(ours, 1)  # nothing was written, and the number is still open
    os.close(number)
    assert os.read(ours, 1) == b""
    os.close(ours)


@epoll
def test_the_loop_does_not_keep_who_answers(loop: asyncio.AbstractEventLoop) -> None:
    """A reactor that nobody wants any more does not live as long as its host's loop."""
    recorder = WakeRecorder(loop)
    waker = recorder.epollWaker()
    alive = weakref.ref(recorder)
    del recorder, waker
    gc.collect()
    assert alive() is None


@epoll
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child_leaves_the_parents_selector_alone() -> None:
    """The child shares it, and the loop's pipe: it removes nothing and asks for nothing."""
    loop = asyncio.new_event_loop()
    recorder = WakeRecorder(loop)
    wakers = [recorder.epollWaker()]
    child = os.fork()
    if not child:
        loop.call_soon_threadsafe = lambda *_: os._exit(1)  # type: ignore[method-assign]
        wakers.clear()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    wakers[0].wake(None)
    recorder.run()
    loop.close()
    assert recorder.answered == [None]


class BadLoop(FakeLoop):
    """A loop on which no descriptor can be watched."""

    error: type[Exception] = NotImplementedError

    def add_reader(self, *args: object) -> None:
        raise self.error()


def test_loops_that_cannot_watch_are_woken_in_their_own_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So are all where no descriptor is left. Nothing is said, and none is kept open."""

    def wakerOf(loop: Any) -> object:
        return wakerFor(loop, int, int)

    assert isinstance(wakerOf(FakeLoop()), ThreadsafeWaker)
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    assert isinstance(wakerOf(BadLoop()), ThreadsafeWaker)
    odd = BadLoop()
    odd.error = ZeroDivisionError
    assert isinstance(wakerOf(odd), ThreadsafeWaker)
    after = len(os.listdir("/proc/self/fd")) if before else 0
    assert after == before

    def noneLeft(*args: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(os, "eventfd", noneLeft, raising=False)
    loop = asyncio.new_event_loop()
    assert isinstance(wakerOf(loop), ThreadsafeWaker)
    loop.close()


class SelectLoop(asyncio.SelectorEventLoop):
    """A loop that watches by select(), as some do."""

    def __init__(self) -> None:
        super().__init__(selectors.SelectSelector())


@epoll
def test_a_descriptor_that_select_cannot_watch() -> None:
    """With more than 1,024 descriptors open, a loop that is built on select() goes on."""
    program = """
import asyncio, os, resource, threading
from tests.wakeup.test_waker import SelectLoop
from twistlike.internet import reactor, threads

soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2048), hard))
loop = SelectLoop()
files = [os.dup(0) for _ in range(1100)]

async def main():
    return await threads.deferToThread(threading.get_ident) != threading.get_ident()

print(loop.run_until_complete(main()))
loop.run_until_complete(loop.shutdown_asyncgens())
loop.close()
"""
    transcript = runPython(["-W", "error", "-c", program])
    assert (transcript.stdout, transcript.stderr) == ("True\n", "")


@epoll
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_signal_at_any_step_of_making_one(loop: str) -> None:
    """What the loop is told to watch is taken off it before it is closed: libuv would abort()."""
    program = """
import contextlib, gc, os, sys
from tests.faults.hits import Hit, eachHit
from tests.transports.reactors import newLoop
from twistlike._wakeup.waker import wakerFor

def epolls():
    # Counters are left out: one is lost where the call that opens it is hit, as any descriptor is.
    found = 0
    for each in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the folder's own
            found += "eventpoll" in os.readlink("/proc/self/fd/" + each)
    return found

loop = newLoop(sys.argv[1])
before = epolls()
for hits in eachHit(least=5):
    made = None  # dropped outside: what is raised in a __del__ gets nowhere
    with contextlib.suppress(Hit), hits:
        made = wakerFor(loop, int, int)
    made = None
    gc.collect()
    for _ in range(3):
        loop.call_soon(loop.stop)
        loop.run_forever()
    if sys.argv[1] == "asyncio":
        assert len(loop._selector.get_map()) == 1, hits.place  # its own pipe
print("alive", epolls() - before)
loop.close()
"""
    transcript = runPython(["-W", "error", "-c", program, loop])
    assert (transcript.returncode, transcript.stdout, transcript.stderr) == (0, "alive 0\n", "")
