"""The two usual reasons for the end of a connection. Room: `_transports.reasons`."""

from __future__ import annotations

from twistlike._transports.reasons import CONNECTION_DONE, CONNECTION_LOST

__path__: list[str] = []  # a name that is not here is asked of the package's finder

__all__ = ["CONNECTION_DONE", "CONNECTION_LOST"]
