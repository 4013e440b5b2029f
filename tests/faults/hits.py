"""Raises an exception at the n-th point where a signal's handler, or a kill, could raise it.

Such points are where CPython looks for signals and for `PyThreadState_SetAsyncExc`: where a
function begins or a generator goes on, where a call of a function of C has returned, and at a jump
backwards. There is none at the deletion of an item, at the setting of an attribute, or at a return.

From CPython 3.12 on all of them are seen. On 3.11, jumps backwards and calls of classes are not.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

__all__ = ["Hit", "HitError", "Hits", "eachHit", "hitAt", "isOurs"]

# How many steps an operation may have before a test gives up.
MOST_STEPS = 2_000


class Hit(KeyboardInterrupt):
    """In the place of a KeyboardInterrupt, which ends a loop."""


class HitError(Exception):
    """In the place of an exception that does not end a loop, such as a kill's or a time limit's."""


def isOurs(filename: str) -> bool:
    """Return whether a file is one of the package's."""
    return "/twistlike/" in filename.replace("\\", "/")


class Hits:
    """Counts the points that a thread comes past, and raises at one of them, once.

    A context manager, in which points count that the chosen threads come past.

    Args:
        step: At which point to raise, from 1; 0 for nowhere.
        where: Given the name of a file, whether points in it count.
        thread: Given a thread's name, whether its points count; None for the thread that enters
            this.
        kind: What to raise.
        before: Called right before that, as what a signal's handler does first, or what another
            thread does at that moment.

    Attributes:
        count: How many points there have been.
        place: Where it was raised.
    """

    def __init__(
        self,
        step: int,
        where: Callable[[str], bool] = isOurs,
        thread: Callable[[str], bool] | None = None,
        kind: type[BaseException] = Hit,
        before: Callable[[], object] | None = None,
    ) -> None:
        self.step = step
        self.count = 0
        self.place = ""
        self._where = where
        self._thread = thread
        self._kind = kind
        self.before = before
        self._codes: dict[CodeType, bool] = {}
        self._here = threading.local()

    @property
    def reached(self) -> bool:
        """Whether there were as many points."""
        return bool(self.place)

    def _isHere(self) -> bool:
        try:
            return bool(self._here.counts)
        except AttributeError:
            chosen = self._thread
            self._here.counts = chosen is not None and chosen(threading.current_thread().name)
            return bool(self._here.counts)

    def _counts(self, code: CodeType) -> bool:
        try:
            return self._codes[code]
        except KeyError:
            self._codes[code] = isIn = self._where(code.co_filename)
            return isIn

    def _point(self, code: CodeType, line: int, what: str) -> None:
        if not self._isHere():
            return
        self.count += 1
        if self.count == self.step:
            self.place = f"{code.co_filename}:{line} {code.co_qualname} {what}"
            if self.before is not None:
                self.before()
            raise self._kind(self.place)

    def __enter__(self) -> Hits:
        self._here.counts = self._thread is None or self._thread(threading.current_thread().name)
        _begin(self)
        return self

    def __exit__(self, *details: object) -> None:
        _end()


def hitAt(
    step: int, function: Callable[[], Any], where: Callable[[str], bool] = isOurs
) -> tuple[bool, Any]:
    """Call a function; raise `Hit` at one of the points where a signal's exception can come.

    Args:
        step: At which point, from 1.
        function: The function.
        where: Given the name of a file, whether points in it count.

    Returns:
        Whether there are as many such points, and what the function returned; `Hit` if that came
        through.
    """
    hits = Hits(step, where)
    try:
        with hits:
            result = function()
    except Hit:
        result = Hit
    return hits.reached, result


def eachHit(
    where: Callable[[str], bool] = isOurs,
    thread: Callable[[str], bool] | None = None,
    kind: type[BaseException] = Hit,
    least: int = 1,
    first: int = 1,
    every: int = 1,
) -> Iterator[Hits]:
    """Yield `Hits` for the first point, the second and so on, until there is none any more.

    Args:
        where: As for `Hits`.
        thread: As for `Hits`.
        kind: As for `Hits`.
        least: How many points there must be at the least.
        first: At which point to begin.
        every: At how many points further to go on: an operation with many is not hit at each.
    """
    for step in range(first, MOST_STEPS, every):
        hits = Hits(step, where, thread, kind)
        yield hits
        if not hits.reached:
            assert step > least, f"there were {step - 1} points only"
            return
    raise AssertionError(f"there is no end after {MOST_STEPS} points")


if sys.version_info >= (3, 12):
    import dis

    _monitoring = sys.monitoring
    _events = _monitoring.events
    _current: Hits | None = None
    _seen: Callable[[str], bool] | None = None  # by which callbacks have been disabled
    _jumps: dict[CodeType, frozenset[int]] = {}
    _DISABLE: Any = _monitoring.DISABLE

    def _onCall(code: CodeType, *_: object) -> Any:
        hits = _current
        return None if hits is None or hits._counts(code) else _DISABLE

    def _onReturn(code: CodeType, offset: int, *_: object) -> None:
        hits = _current
        if hits is not None and hits._counts(code):
            hits._point(code, _lineOf(code, offset), "call")

    def _onStart(code: CodeType, offset: int) -> Any:
        hits = _current
        if hits is None:
            return None
        if not hits._counts(code):
            return _DISABLE
        # The lowest two bits of RESUME's argument: 2 is after "yield from", 3 after "await".
        if code.co_code[offset + 1] & 3 < 2:
            hits._point(code, _lineOf(code, offset), "begin")
        return None

    # Not the event JUMP: what is raised there finds no handler (CPython 3.12, 3.13).
    def _onInstruction(code: CodeType, offset: int) -> Any:
        hits = _current
        if hits is None:
            return None
        if not hits._counts(code):
            return _DISABLE
        if (jumps := _jumps.get(code)) is None:
            jumps = _jumps[code] = frozenset(
                each.offset for each in dis.get_instructions(code) if each.opname == "JUMP_BACKWARD"
            )
        if offset not in jumps:
            return _DISABLE
        hits._point(code, _lineOf(code, offset), "jump")
        return None

    def _lineOf(code: CodeType, offset: int) -> int:
        for begin, end, line in code.co_lines():
            if begin <= offset < end:
                return line or 0
        return 0

    def _begin(hits: Hits) -> None:
        global _current, _seen
        tool = _monitoring.PROFILER_ID
        if _monitoring.get_tool(tool) is None:
            _monitoring.use_tool_id(tool, "hits")
            for event, callback in (
                (_events.CALL, _onCall),
                (_events.C_RETURN, _onReturn),
                (_events.PY_START, _onStart),
                (_events.PY_RESUME, _onStart),
                (_events.INSTRUCTION, _onInstruction),
            ):
                _monitoring.register_callback(tool, event, callback)
            events = _events.CALL | _events.PY_START | _events.PY_RESUME | _events.INSTRUCTION
            _monitoring.set_events(tool, events)
        if hits._where is not _seen:
            _monitoring.restart_events()
            _seen = hits._where
        _current = hits

    def _end() -> None:
        global _current
        _current = None

else:
    _current: Hits | None = None

    def _profile(frame: Any, event: str, _: object) -> None:
        hits = _current
        if hits is not None and event in ("call", "c_return") and hits._counts(frame.f_code):
            hits._point(frame.f_code, frame.f_lineno, event)

    threading.setprofile(_profile)  # for all threads that start from now on

    def _begin(hits: Hits) -> None:
        global _current
        _current = hits
        if hits._here.counts:
            sys.setprofile(_profile)

    def _end() -> None:
        global _current
        _current = None
        if threading.current_thread() is threading.main_thread():
            sys.setprofile(None)
