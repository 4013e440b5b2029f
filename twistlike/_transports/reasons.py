"""The two usual reasons for the end of a connection, as constants. Thread: any.

Our own transports make a new exception for each connection, so that none gathers tracebacks.
"""

from __future__ import annotations

from twistlike._base.error import ConnectionDone, ConnectionLost

__all__ = ["CONNECTION_DONE", "CONNECTION_LOST"]

CONNECTION_DONE = ConnectionDone("Connection done")
CONNECTION_LOST = ConnectionLost("Connection lost")
