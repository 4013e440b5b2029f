"""The signals that end a reactor: taken when it runs, given back when it has ended.

Thread: the main one, the only one that Python lets take signals.
"""

from __future__ import annotations

import signal
import threading
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

__all__ = ["StopSignals"]

# Signals that come within this time of the first, in seconds, are the same request: a terminal
# and a supervisor may both send one, and a key repeats. A person's second Ctrl-C is later.
SAME_REQUEST = 0.25


class StopSignals:
    """Takes SIGINT, SIGTERM and, where there is one, SIGBREAK, and gives them back.

    SIGINT is left alone if somebody else's handler has it (a debugger's). Outside of the main
    thread nothing is taken.

    Args:
        onStop: Called in the signal handler, with the signal's number, when the first one comes.
        onForce: Called in the signal handler when another comes later: do not wait any longer.
    """

    def __init__(self, onStop: Callable[[int], object], onForce: Callable[[], object]) -> None:
        self._onStop = onStop
        self._onForce = onForce
        self._before: dict[int, object] = {}
        self._firstAt: float | None = None

    def take(self) -> None:
        """Take the signals."""
        if threading.current_thread() is not threading.main_thread():
            return
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._take(signal.SIGINT)
        self._take(signal.SIGTERM)
        if (number := getattr(signal, "SIGBREAK", None)) is not None:
            self._take(number)

    def giveBack(self) -> None:
        """Give the signals back to those who had them."""
        for number, handler in self._before.items():
            # Somebody who put a handler of their own there meanwhile keeps it.
            if signal.getsignal(number) == self._handle:
                signal.signal(number, handler)  # type: ignore[arg-type]
        self._before.clear()
        self._firstAt = None

    def _take(self, number: int) -> None:
        self._before[number] = signal.signal(number, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        now = monotonic()
        if self._firstAt is None:
            self._firstAt = now
            self._onStop(number)
        elif now - self._firstAt > SAME_REQUEST:
            self._onForce()
