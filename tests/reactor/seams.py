"""What tests of the reactor, and their programs in processes of their own, reach into it for."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable

from tests.waits import WAIT
from twistlike._reactor import unbound

__all__ = ["REPORT_AFTER", "awaitUnboundReport", "interruptAfterReport", "reportUnboundSoon"]

REPORT_AFTER = 0.2
"""After how long a wait for a loop is reported in a test, in seconds: a tenth of a user's."""

_reported = threading.Event()


def reportUnboundSoon(seconds: float = REPORT_AFTER) -> None:
    """Have a wait for a loop reported after a time that a test can wait for. Not undone."""
    tell: Callable[..., None] = unbound.UnboundCalls._tell

    def tellAndSay(*args: object) -> None:
        tell(*args)
        _reported.set()

    unbound.UnboundCalls._tell = tellAndSay  # type: ignore[assignment, method-assign]
    unbound.REPORT_AFTER = seconds


def awaitUnboundReport() -> None:
    """Block until a wait for a loop has been reported."""
    assert _reported.wait(WAIT), f"no wait for a loop was reported in {WAIT} s"


def interruptAfterReport(number: int = signal.SIGINT) -> None:
    """Have a signal sent to this process once a wait for a loop has been reported.

    Race: CPython loses sight of a signal that comes when a thread has given up the GIL and is about
    to sleep on a lock. It sees that with the next one.
    """

    def interrupt() -> None:
        awaitUnboundReport()
        while True:
            os.kill(os.getpid(), number)
            time.sleep(5)

    threading.Thread(target=interrupt, daemon=True).start()
