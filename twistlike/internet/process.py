"""Child processes, as `reactor.spawnProcess` makes them. Room: `_transports.process`.

Differs from Twisted: a program that does not exist, a folder that cannot be entered and a user that
may not be taken raise in `spawnProcess`. Not offered on Windows.
"""

from __future__ import annotations

from twistlike._transports.process import (
    BaseProcess,
    Process,
    ProcessReader,
    ProcessWriter,
    PTYProcess,
    reapAllProcesses,
    reapProcessHandlers,
    registerReapProcessHandler,
    unregisterReapProcessHandler,
)

__all__ = [
    "BaseProcess",
    "PTYProcess",
    "Process",
    "ProcessReader",
    "ProcessWriter",
    "reapAllProcesses",
    "reapProcessHandlers",
    "registerReapProcessHandler",
    "unregisterReapProcessHandler",
]
