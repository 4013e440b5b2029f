"""Reports calls that wait for a loop which the reactor never gets.

A reactor without a loop keeps what it is asked for until it has one. In a program whose loop runs
in another thread than the one that asks, and in which nobody has attached the reactor, that is for
ever: the program would wait without a word. So does a script that makes a blocking call in its only
thread.

Thread: any.
"""

from __future__ import annotations

import atexit
import sys
import threading
import weakref
from _thread import allocate_lock, get_ident
from time import monotonic
from typing import TYPE_CHECKING, Any

from twistlike._base.error import ReactorNotRunning
from twistlike._base.failure import Failure
from twistlike._defer.task_future import whenTaskWaits
from twistlike._eventloop import current
from twistlike._reactor.parts import Part

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable
    from types import FrameType

__all__ = [
    "HELP",
    "REPORT_AFTER",
    "UnboundCalls",
    "callerOf",
    "placeOfCall",
    "stackOfCall",
    "stackOfLoop",
]

# After how long a wait for a loop is reported, in seconds: longer than a program takes to start its
# loop after it has started its threads, shorter than a person waits before they ask what is wrong.
REPORT_AFTER = 2.0

# The packages whose frames run a loop: what these call was asked for elsewhere.
LOOPS = frozenset(("asyncio", "nest_asyncio", "uvloop"))

_OURS = __name__.partition(".")[0]

# The packages whose frames call users' functions.
STARTERS = LOOPS | {_OURS, "threading"}

HELP = (
    "In a program that runs its own event loop, write reactor.attach() at the start of its main "
    "coroutine (or: async with reactor); in any other program, call threads.startReactorThread() "
    "or reactor.run()"
)

ENDS = "The program ends, so such waits are given up. "


def _packageOf(frame: FrameType) -> str:
    name = frame.f_globals.get("__name__", "")
    return name.partition(".")[0] if isinstance(name, str) else ""


def callerOf(frame: FrameType | None) -> tuple[str, FrameType | None]:
    """Return the function of ours that was called from outside, and the frame that called it.

    Args:
        frame: A frame of ours.
    """
    name = ""
    while frame is not None and _packageOf(frame) == _OURS:
        name = frame.f_code.co_name
        frame = frame.f_back
    return name, frame


def placeOfCall(frame: FrameType | None) -> str:
    """Return where a function of ours was called from outside: "at ..."; "" if that is not known.

    Args:
        frame: A frame of ours.
    """
    _, frame = callerOf(frame)
    caller = frame
    while frame is not None and _packageOf(frame) in LOOPS:
        frame = frame.f_back
    if frame is None:
        return ""
    place = f"at {frame.f_code.co_filename}:{frame.f_lineno}"
    if frame is caller:
        return place
    return f"by the loop, asked to by callFromThread, a timer or a signal, which runs {place}"


def stackOfCall() -> tuple[str, str]:
    """Return which function of ours was called in this thread, and the stack that called it."""
    name, stack = _here()
    return name, _format(stack)


def stackOfLoop(thread: int) -> str:
    """Return where a thread stands that runs a loop: what the loop has called, and on from there.

    Args:
        thread: Its number.

    Returns:
        Lines of text; "" if there is no such thread.
    """
    frame = sys._current_frames().get(thread)
    stack, names = _walk(frame), []
    while frame is not None:
        names.append(_packageOf(frame))
        frame = frame.f_back
    # From the innermost frame outwards, up to the loop's own.
    ends = next((n for n, name in enumerate(names) if name in LOOPS), len(stack))
    return _format(stack[:ends] or stack)


class _Asked:
    """What a thread has asked for: this one, now.

    Args:
        waits: Returns whether it still waits for it; None if it does not wait.
    """

    def __init__(self, waits: Callable[[], bool] | None) -> None:
        self.waits = waits
        self.name, self.stack = _here()
        self.thread = threading.current_thread().name
        self.since = monotonic()

    @property
    def what(self) -> tuple[object, ...]:
        """Which wait it is: a loop that asks with a limit, again and again, is told once."""
        return self.thread, self.name, *self.stack[:1]


class UnboundCalls(Part):
    """Watches what is asked of a reactor that has no loop.

    Args:
        count: Returns how many calls and jobs wait; with `True`, the timers and the triggers of the
            startup, too.
        release: Ends the waits of threads, when the program ends while they wait for a loop.
        report: Called with a failure and what it is about.

    Attributes:
        attach: Attaches the reactor to the loop of a task that begins to wait for a Deferred after
            something was asked for. Only the default reactor has it: others may be meant for
            another thread.
    """

    def __init__(
        self,
        count: Callable[[bool], int],
        release: Callable[[], object],
        report: Callable[[Failure, str], object],
    ) -> None:
        self._count = count
        self._release = release
        self._report = report
        self.attach: Callable[[], object] | None = None
        self._bound: threading.Lock | None = None  # released when there is a loop
        self._watchesExit = False
        self._told = False  # since there was a loop
        # Which waits were told since there was a loop, by thread, function and place.
        self._toldWaits: set[tuple[object, ...]] = set()
        self._next: _Asked | None = None  # the latest wait; watched if the first one ends
        self._exitWatch: Callable[[], object] | None = None  # the latest
        self._threadAsked = False  # for what belongs to the loop's thread

    def expect(self) -> None:
        """Hear that something was asked for that a task may wait for."""
        if self.attach is not None:
            whenTaskWaits.add(self.attach)

    def note(self) -> None:
        """Hear that something was asked for, in this thread, which may wait for it.

        Raises:
            ReactorNotRunning: If the program is at its exit: no loop comes any more, and nobody
                would say so.
        """
        self._refuseAtExit()
        self.expect()
        self.watchExit()
        # In the main thread a program prepares what runs once its loop does.
        if self._bound is None and not self._told and not _isMainThread():
            self._startWatch(_Asked(None))

    def noteUse(self) -> None:
        """Hear that something was asked for that belongs to the loop's thread, such as a timer.

        A thread that is not the main one may go on to run the reactor itself, so it is not refused.
        """
        self.expect()
        if not _isMainThread() and current.runningLoop() is None:
            self._threadAsked = True
            self.note()

    def noteWait(self, waits: Callable[[], bool]) -> None:
        """Hear that this thread, which may be the main one, is about to wait for an answer.

        Args:
            waits: Returns whether it still does.

        Raises:
            ReactorNotRunning: If the program ends, and nothing can watch this wait any more.
        """
        self._refuseAtExit()
        # Race: the watch has found just now that what it was begun for waits no longer. It drops
        # its lock and then looks for this; we do the opposite.
        self._next = asked = _Asked(waits)
        if self._bound is None:
            self._next = None
            self._startWatch(asked)

    def _refuseAtExit(self) -> None:
        if _isMainThread() and _programEnds():
            raise _tooLate()

    def watchExit(self) -> None:
        """See to it that the program's end says what has never run."""
        if not self._watchesExit:
            self._watchesExit = True
            _watchExit(self)

    def poolMade(self) -> None:
        """Look at the jobs that never ran before the pools do, which drop them at the exit.

        The pools' module may have been imported just now, and the latest handler comes first.
        """
        self._watchesExit = False
        self.watchExit()

    def _startWatch(self, asked: _Asked) -> None:
        """Report in a while, from another thread, that there has been no loop."""
        bound = allocate_lock()
        bound.acquire()
        # Race: another thread does the same just now: then there are two reports.
        self._bound = bound
        _releaseAtExit(self)
        try:
            threading.Thread(
                target=self._watch,
                args=(bound, asked),
                name="twistlike-unbound",
                daemon=True,
            ).start()
        except RuntimeError:
            self._bound = None  # no thread can be started: nobody would report it
            if asked.waits is not None and _programEnds():
                raise _tooLate() from None

    def bind(self, loop: AbstractEventLoop) -> None:
        """Watch no longer: there is a loop, which runs what waits."""
        if self.attach is not None:
            whenTaskWaits.discard(self.attach)
        self._threadAsked = self._told = False
        self._toldWaits.clear()
        self._next = None
        bound, self._bound = self._bound, None
        if bound is not None:
            bound.release()

    def afterFork(self) -> None:
        """Watch anew: the thread that watches is not in the child."""
        self._bound = self._next = None
        self._told = False
        self._toldWaits.clear()

    def _watch(self, bound: threading.Lock, asked: _Asked) -> None:
        """Wait for the loop, and report if none comes. Thread: one of its own."""
        told = 0.0
        while True:
            if bound.acquire(timeout=max(0, asked.since + REPORT_AFTER - monotonic())):
                return
            if asked.waits is None or asked.waits():
                told = monotonic()  # the report counts what was asked for until now
                self._tell(asked)
            # It was told, its limit is over, or a signal has ended it: now the latest one's turn.
            if (latest := self._takeNext(told)) is None:
                if self._bound is bound:
                    self._bound = None
                if (latest := self._takeNext(told)) is None:
                    return
                self._bound = bound
            asked = latest

    def _tell(self, asked: _Asked) -> None:
        """Report what has waited for so long, once."""
        self._told = True
        ends = _programEnds()
        if asked.what not in self._toldWaits or ends:
            self._toldWaits.add(asked.what)
            text = (
                f"{asked.name} was called in thread {asked.thread!r} "
                f"{monotonic() - asked.since:.1f} s ago, and the reactor has had no loop since, so "
                f"it waits (calls and jobs that do: {self._count(self._threadAsked)}). {HELP}. "
                f"{ENDS if ends else ''}It was called here:\n{_format(asked.stack)}"
            )
            self._report(
                Failure(ReactorNotRunning(text)), "a thread waits for a reactor without a loop"
            )
        if ends:
            self._release()

    def _takeNext(self, told: float) -> _Asked | None:
        asked, self._next = self._next, None
        return None if asked is None or asked.since < told else asked

    def releaseAtExit(self) -> None:
        """Let threads go that wait for a loop: the interpreter ends, and waits for them."""
        if self._told or self._bound is not None:
            self._release()

    def reportUnrun(self) -> None:
        """Say at the program's end that what was asked for has never run."""
        if number := self._count(self._threadAsked):
            what = "1 call or job was" if number == 1 else f"{number} calls and jobs were"
            text = f"{what} never run, for the reactor never had a loop. {HELP}"
            self._report(Failure(ReactorNotRunning(text)), "the program ends")


def _tooLate() -> ReactorNotRunning:
    name, _ = callerOf(sys._getframe())
    return ReactorNotRunning(
        f"{name} was called, but the program ends, and the reactor has no loop"
    )


def _programEnds() -> bool:
    """Return whether the main thread has ended, so that whoever waits keeps the process alive."""
    return not threading.main_thread().is_alive()


def _isMainThread() -> bool:
    return get_ident() == threading.main_thread().ident


def _here() -> tuple[str, list[tuple[str, int, str]]]:
    """Return which function of ours was called, and the stack that called it, innermost first."""
    name, frame = callerOf(sys._getframe())
    stack = _walk(frame)
    # What has started the thread, or called the user's function, is no news.
    number = 0
    while frame is not None and (number == 0 or _packageOf(frame) not in STARTERS):
        frame = frame.f_back
        number += 1
    return name, stack[:number]


def _walk(frame: FrameType | None) -> list[tuple[str, int, str]]:
    stack = []
    while frame is not None:
        stack.append((frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name))
        frame = frame.f_back
    return stack


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
        if (alive := reference()) is not None and alive._exitWatch is atExit:
            alive.reportUnrun()

    calls._exitWatch = atExit

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
