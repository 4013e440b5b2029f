"""Says so when calls wait for a loop that the reactor never gets.

A reactor without a loop keeps what it is asked for until it has one. In a program whose loop runs
in another thread than the one that asks, and in which nobody has attached the reactor, that is for
ever: the program would wait without a word.

Thread: any.
"""

from __future__ import annotations

import atexit
import sys
import threading
import weakref
from _thread import allocate_lock
from time import monotonic
from typing import TYPE_CHECKING, Any

from twistlike._base.error import ReactorNotRunning
from twistlike._base.failure import Failure
from twistlike._defer.task_future import whenTaskWaits
from twistlike._reactor.parts import Part

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable
    from types import FrameType

__all__ = ["REPORT_AFTER", "UnboundCalls", "callerOf"]

# After how long a wait for a loop is reported, in seconds: longer than a program takes to start its
# loop after it has started its threads, shorter than a person waits before they ask what is wrong.
REPORT_AFTER = 2.0

_OURS = __name__.partition(".")[0]

HELP = (
    "In a program that runs its own event loop, write reactor.attach() at the start of its main "
    "coroutine (or: async with reactor); in any other program, reactor.run() has to be called"
)


def callerOf(frame: FrameType | None) -> tuple[str, FrameType | None]:
    """Return the function of ours that was called from outside, and the frame that called it.

    Args:
        frame: A frame of ours.
    """
    name = ""
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == _OURS:
        name = frame.f_code.co_name
        frame = frame.f_back
    return name, frame


class UnboundCalls(Part):
    """Watches what is asked of a reactor that has no loop.

    Args:
        count: Returns how many calls and jobs wait.
        release: Ends the waits of threads, when the program ends while they wait for a loop.
        report: Called with a failure and what it is about.

    Attributes:
        attach: Attaches the reactor to the loop of a task that begins to wait for a Deferred after
            something was asked for. Only the default reactor has it: others may be meant for
            another thread.
    """

    def __init__(
        self,
        count: Callable[[], int],
        release: Callable[[], object],
        report: Callable[[Failure, str], object],
    ) -> None:
        self._count = count
        self._release = release
        self._report = report
        self.attach: Callable[[], object] | None = None
        self._bound: threading.Lock | None = None  # released when there is a loop
        self._watchesExit = False

    def expect(self) -> None:
        """Hear that something was asked for that a task may wait for."""
        if self.attach is not None:
            whenTaskWaits.add(self.attach)

    def note(self) -> None:
        """Hear that something was asked for, in this thread, which may wait for it."""
        self.expect()
        if not self._watchesExit:
            self._watchesExit = True
            _watchExit(self)
        # In the main thread a program prepares what runs once its loop does.
        if self._bound is None and threading.current_thread() is not threading.main_thread():
            bound = allocate_lock()
            bound.acquire()
            # Race: another thread does the same just now: then there are two reports.
            self._bound = bound
            _releaseAtExit(self)
            name, stack = _here()
            who = threading.current_thread().name
            try:
                threading.Thread(
                    target=self._watch,
                    args=(bound, name, who, monotonic(), stack),
                    name="twistlike-unbound",
                    daemon=True,
                ).start()
            except RuntimeError:
                self._bound = None  # no thread can be started: nobody would report it

    def bind(self, loop: AbstractEventLoop) -> None:
        """Watch no longer: there is a loop, which runs what waits."""
        if self.attach is not None:
            whenTaskWaits.discard(self.attach)
        bound, self._bound = self._bound, None
        if bound is not None:
            bound.release()

    def afterFork(self) -> None:
        """Watch anew: the thread that watches is not in the child."""
        self._bound = None

    def _watch(
        self,
        bound: threading.Lock,
        name: str,
        who: str,
        since: float,
        stack: list[tuple[str, int, str]],
    ) -> None:
        """Wait for the loop, and report if none comes. Thread: one of its own."""
        if bound.acquire(timeout=REPORT_AFTER):
            return
        text = (
            f"{name} was called in thread {who!r} {monotonic() - since:.1f} s ago, and the reactor "
            f"has had no loop since, so it waits (calls and jobs that do: {self._count()}). "
            f"{HELP}. It was called here:\n{_format(stack)}"
        )
        self._report(
            Failure(ReactorNotRunning(text)), "a thread waits for a reactor without a loop"
        )

    def releaseAtExit(self) -> None:
        """Let threads go that wait for a loop: the interpreter ends, and waits for them."""
        if self._bound is not None:
            self._release()

    def reportUnrun(self) -> None:
        """Say at the program's end that what was asked for has never run."""
        if number := self._count():
            what = "1 call or job was" if number == 1 else f"{number} calls and jobs were"
            text = f"{what} never run, for the reactor never had a loop. {HELP}"
            self._report(Failure(ReactorNotRunning(text)), "the program ends")


def _here() -> tuple[str, list[tuple[str, int, str]]]:
    """Return which function of ours was called, and the stack that called it, innermost first."""
    name, frame = callerOf(sys._getframe())
    stack = []
    while frame is not None:
        stack.append((frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name))
        frame = frame.f_back
    return name, stack


def _format(stack: list[tuple[str, int, str]]) -> str:
    import linecache  # only a report needs it

    lines = []
    for filename, number, name in reversed(stack):
        lines.append(f'  File "{filename}", line {number}, in {name}')
        if source := linecache.getline(filename, number).strip():
            lines.append(f"    {source}")
    return "\n".join(lines)


def _watchExit(calls: UnboundCalls) -> None:
    reference = weakref.ref(calls)

    def atExit() -> None:
        if (alive := reference()) is not None:
            alive.reportUnrun()

    atexit.register(atExit)


def _releaseAtExit(calls: UnboundCalls) -> None:
    reference = weakref.ref(calls)

    def atExit() -> None:
        if (alive := reference()) is not None:
            alive.releaseAtExit()

    # The latest comes first there: so before the join of an executor's threads, one of which this
    # is. `atexit` itself comes after all of that.
    register: Any = getattr(threading, "_register_atexit", None)
    try:
        if register is not None:
            register(atExit)
    except RuntimeError:
        pass  # the interpreter ends already
