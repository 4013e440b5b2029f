"""The bell that wakes a loop: on real loops, since what it is about is below us."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.fakeloop import FakeLoop
from twistlike._wakeup.waker import EventfdWaker, ThreadsafeWaker, wakerFor

counters = pytest.mark.skipif(not hasattr(os, "eventfd"), reason="there are no event counters")


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


class Rig:
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
        """Run the loop until a ring is answered, for a second at most."""
        limit = self.loop.call_later(1, self.loop.stop)
        self.loop.run_forever()
        limit.cancel()

    def turn(self) -> None:
        """Run what is ready."""
        self.loop.call_soon(self.loop.stop)
        self.loop.run_forever()

    def counterBell(self) -> EventfdWaker:
        return EventfdWaker(self.loop, self.answer, lambda: self.latest)


def isOpen(number: int) -> bool:
    """Return whether a descriptor is open."""
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


@pytest.mark.parametrize("kind", ["loop", pytest.param("counter", marks=counters)])
def test_a_thread_wakes_the_loop(loop: asyncio.AbstractEventLoop, kind: str) -> None:
    """A ring from another thread is answered in the loop's, while that sleeps."""
    rig = Rig(loop)
    waker = ThreadsafeWaker(loop, rig.answer) if kind == "loop" else rig.counterBell()
    rig.latest = "rung"
    thread = threading.Timer(0.01, waker.wake, ["rung"])
    thread.start()
    rig.run()
    thread.join()
    assert rig.answered == ["rung"]
    assert rig.threads == [threading.get_ident()]


@counters
def test_rings_are_answered_together_with_the_latest_token(
    loop: asyncio.AbstractEventLoop,
) -> None:
    """Rings that have not been answered yet are answered by one call, which gets the last token."""
    rig = Rig(loop)
    waker = rig.counterBell()
    for token in ("first", "second"):
        rig.latest = token
        waker.wake(token)
    rig.run()
    rig.turn()
    assert rig.answered == ["second"]


@pytest.mark.parametrize("kind", ["loop", pytest.param("counter", marks=counters)])
def test_a_closed_loop_refuses(kind: str) -> None:
    """Nobody answers on a closed loop: a ring raises, as the loop's own calls do."""
    loop = asyncio.new_event_loop()
    rig = Rig(loop)
    waker = ThreadsafeWaker(loop, rig.answer) if kind == "loop" else rig.counterBell()
    loop.close()
    with pytest.raises(RuntimeError, match="closed"):
        waker.wake(None)


@counters
def test_a_bell_is_taken_down_by_letting_go_of_it(loop: asyncio.AbstractEventLoop) -> None:
    """In the loop's thread at once: the loop watches it no longer, and its descriptor is closed."""
    rig = Rig(loop)
    handoff = [rig.counterBell()]
    number = int(handoff[0]._counter)
    loop.call_soon(handoff.clear)
    rig.turn()
    assert not isOpen(number)
    assert not loop.remove_reader(number)


@counters
def test_a_bell_is_let_go_of_in_another_thread(loop: asyncio.AbstractEventLoop) -> None:
    """The loop takes it down on its next turn. Until then it must not be closed: it is watched."""
    rig = Rig(loop)
    handoff = [rig.counterBell()]
    number = int(handoff[0]._counter)
    thread = threading.Thread(target=handoff.clear)
    thread.start()
    thread.join()
    assert isOpen(number)
    rig.turn()
    assert not isOpen(number)
    assert not loop.remove_reader(number)


@counters
@pytest.mark.parametrize("order", ["loop first", "bell first"])
def test_a_bell_and_a_loop_that_is_closed(order: str) -> None:
    """Neither leaves the descriptor open, whichever goes first."""
    loop = asyncio.new_event_loop()
    handoff = [Rig(loop).counterBell()]
    number = int(handoff[0]._counter)
    if order == "bell first":
        handoff.clear()
    loop.close()
    handoff.clear()
    gc.collect()
    assert not isOpen(number)


@counters
def test_a_thread_that_rings_keeps_the_descriptor(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bell that is let go of while a thread is about to ring writes to no other file."""
    handoff = [Rig(loop).counterBell()]
    real = os.eventfd_write
    stillOpen: list[bool] = []

    def write(number: int, value: int) -> None:
        handoff.clear()
        stillOpen.append(isOpen(number))
        real(number, value)

    monkeypatch.setattr(os, "eventfd_write", write)
    handoff[0].wake(None)
    assert stillOpen == [True]


@counters
def test_the_loop_does_not_keep_who_answers(loop: asyncio.AbstractEventLoop) -> None:
    """A reactor that nobody wants any more does not live as long as its host's loop."""
    rig = Rig(loop)
    waker = rig.counterBell()
    alive = weakref.ref(rig)
    del rig, waker
    gc.collect()
    assert alive() is None


@counters
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child_leaves_the_parents_selector_alone() -> None:
    """The child shares it, and the loop's pipe: it takes nothing down and asks for nothing."""
    loop = asyncio.new_event_loop()
    rig = Rig(loop)
    handoff = [rig.counterBell()]
    child = os.fork()
    if not child:
        loop.call_soon_threadsafe = lambda *_: os._exit(1)  # type: ignore[method-assign]
        handoff.clear()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    handoff[0].wake(None)
    rig.run()
    loop.close()
    assert rig.answered == [None]


class BadLoop(FakeLoop):
    """A loop on which no descriptor can be watched."""

    def add_reader(self, *args: object) -> None:
        raise NotImplementedError


def test_loops_that_cannot_watch_are_woken_in_their_own_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So are all where no descriptor is left. Nothing is said, and none is kept open."""

    def bellOf(loop: Any) -> object:
        return wakerFor(loop, int, int)

    assert isinstance(bellOf(FakeLoop()), ThreadsafeWaker)
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    assert isinstance(bellOf(BadLoop()), ThreadsafeWaker)
    after = len(os.listdir("/proc/self/fd")) if before else 0
    assert after == before

    def noneLeft(*args: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(os, "eventfd", noneLeft, raising=False)
    loop = asyncio.new_event_loop()
    assert isinstance(bellOf(loop), ThreadsafeWaker)
    loop.close()
