"""An event loop of timers and callbacks only, for interpreters that have no sockets."""

from __future__ import annotations

import asyncio
import time
from typing import Any

__all__ = ["BareLoop"]


class _Selector:
    """Waits for time to pass, and for nothing else."""

    def select(self, timeout: float | None) -> list[Any]:
        """Sleep until the next timer is due, in seconds.

        Raises:
            RuntimeError: There is none: the loop would wait for ever.
        """
        if timeout is None:
            raise RuntimeError("the loop has nothing to do and nothing to wait for")
        if timeout > 0:
            time.sleep(timeout)
        return []

    def close(self) -> None:
        """Have nothing to close."""


class BareLoop(asyncio.BaseEventLoop):
    """asyncio's own loop on a selector that watches nothing."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = _Selector()

    def _process_events(self, events: list[Any]) -> None:
        """Handle nothing: there are no events."""

    def _write_to_self(self) -> None:
        """Wake nobody: there are no other threads."""
