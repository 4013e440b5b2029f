"""What is asked of asyncio: the running loop, its clock, its end."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from twistlike._eventloop import current, host_end, loops

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FACTORIES: list[Any] = [pytest.param(asyncio.new_event_loop, id="asyncio")]
try:
    import uvloop
except ImportError:
    pass
else:
    FACTORIES.append(pytest.param(uvloop.new_event_loop, id="uvloop"))


@pytest.fixture(params=FACTORIES)
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    """A loop that does not run, of each kind."""
    factory: Callable[[], asyncio.AbstractEventLoop] = request.param
    loop = factory()
    yield loop
    if not loop.is_closed():
        loop.close()


def test_no_loop_runs_outside_of_one(loop: asyncio.AbstractEventLoop) -> None:
    """runningLoop is None outside of a loop, the loop inside, None in another thread."""
    seen: list[object] = []

    async def main() -> None:
        seen.append(current.runningLoop())
        thread = threading.Thread(target=lambda: seen.append(current.runningLoop()))
        thread.start()
        thread.join()

    assert current.runningLoop() is None
    loop.run_until_complete(main())
    assert seen == [loop, None]


def test_where_asyncio_was_never_imported_no_loop_runs() -> None:
    """Asking for the running loop does not import asyncio."""
    program = (
        "import sys; from twistlike._eventloop.current import runningLoop;"
        "assert runningLoop() is None; assert 'asyncio' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=100)


def test_the_clock_is_the_monotonic_one_also_where_the_loop_caches_it(
    loop: asyncio.AbstractEventLoop,
) -> None:
    """asyncio's loops and uvloop go by time.monotonic; uvloop's own time stands still in a call."""
    assert loops.clockOf(loop) is time.monotonic


def test_a_loop_with_its_own_time_keeps_it() -> None:
    """A loop whose time is virtual is gone by its own clock."""

    class Virtual(asyncio.SelectorEventLoop):
        def time(self) -> float:
            return 42.0

    virtual = Virtual()
    assert loops.clockOf(virtual)() == 42.0
    virtual.close()
    patched = asyncio.SelectorEventLoop()
    patched.time = lambda: 43.0  # type: ignore[method-assign]
    assert loops.clockOf(patched)() == 43.0
    patched.close()


def test_the_detector_hears_of_a_closed_loop_at_once(loop: asyncio.AbstractEventLoop) -> None:
    """When the loop is closed the detector is told, once, within close() and in its thread."""
    heard: list[tuple[int, bool]] = []

    async def keep() -> None:
        note = (threading.get_ident(), True)
        detectors.append(host_end.LoopCloseDetector(loop, lambda: heard.append(note)))

    detectors: list[host_end.LoopCloseDetector] = []
    loop.run_until_complete(keep())
    assert heard == []
    loop.close()
    assert heard == [(threading.get_ident(), True)]


def test_a_clock_that_leaps_gets_no_far_timer() -> None:
    """A loop with a clock of its own may leap to its next timer: none of ours is years away."""
    heard: list[str] = []

    class LeapingLoop(asyncio.SelectorEventLoop):
        leap = 0.0

        def time(self) -> float:
            return super().time() + self.leap

    loop = LeapingLoop()
    detector = host_end.LoopCloseDetector(loop, lambda: heard.append("closed"))
    assert not loop._scheduled  # type: ignore[attr-defined]
    detector.release()
    loop.close()
    assert heard == []


def test_the_detector_outlives_the_longest_time() -> None:
    """Should its time come all the same, for a clock is patched later, the detector holds on."""
    heard: list[str] = []
    loop = asyncio.new_event_loop()
    detector = host_end.LoopCloseDetector(loop, lambda: heard.append("closed"))
    handle: Any = detector._handle()
    handle._run()
    handle.cancel()
    del handle
    loop.run_until_complete(asyncio.sleep(0))
    assert heard == []
    loop.close()
    assert heard == ["closed"]


def test_a_detector_that_was_released_hears_nothing(loop: asyncio.AbstractEventLoop) -> None:
    """After release() the end of the loop is nobody's business."""
    heard: list[str] = []
    detector = host_end.LoopCloseDetector(loop, lambda: heard.append("closed"))
    detector.release()
    loop.close()
    assert heard == []


def test_a_detector_that_was_disarmed_hears_nothing(loop: asyncio.AbstractEventLoop) -> None:
    """After disarm() neither, and the loop was not touched."""
    heard: list[str] = []
    detector = host_end.LoopCloseDetector(loop, lambda: heard.append("closed"))
    detector.disarm()
    loop.close()
    assert heard == []


def test_the_end_watch_is_awaited_before_the_loop_closes(loop: asyncio.AbstractEventLoop) -> None:
    """shutdown_asyncgens() calls the watch, and waits for what it awaits."""
    out: list[str] = []

    async def end() -> None:
        out.append("begin")
        await asyncio.sleep(0.001)
        out.append("end")

    async def start() -> object:
        return host_end.HostWatch(asyncio.get_running_loop(), end, lambda: None)

    watch = loop.run_until_complete(start())
    assert out == []
    loop.run_until_complete(loop.shutdown_asyncgens())
    assert out == ["begin", "end"]
    assert watch is not None


def test_close_loop_ends_what_is_left(loop: asyncio.AbstractEventLoop) -> None:
    """closeLoop cancels tasks, closes generators and reports what fails meanwhile."""
    out: list[str] = []
    loop.set_exception_handler(lambda loop, context: out.append(str(context["exception"])))

    async def forEver() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            out.append("cancelled")
            raise

    async def fails() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("failed")

    async def main() -> list[object]:
        tasks: list[object] = [asyncio.ensure_future(forEver()), asyncio.ensure_future(fails())]
        await asyncio.sleep(0)
        return tasks

    tasks = loop.run_until_complete(main())
    loops.closeLoop(loop)
    assert sorted(out) == ["cancelled", "failed"]
    assert loop.is_closed()
    assert len(tasks) == 2


def test_the_factory_makes_new_loops() -> None:
    """setLoopFactory decides what newLoop makes; None goes back to asyncio's choice."""
    made = asyncio.new_event_loop()
    loops.setLoopFactory(lambda: made)
    try:
        assert loops.newLoop() is made
    finally:
        loops.setLoopFactory(None)
    other = loops.newLoop()
    assert other is not made
    other.close()
    made.close()
