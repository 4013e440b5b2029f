"""The two usual reasons for the end of a connection. Room: `_transports.reasons`."""

from __future__ import annotations

from twistlike._transports.reasons import CONNECTION_DONE, CONNECTION_LOST

__all__ = ["CONNECTION_DONE", "CONNECTION_LOST"]
