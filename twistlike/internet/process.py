"""Child processes, as `reactor.spawnProcess` makes them.

Rooms: `_transports.process`, `_transports.reaping`, `_transports.pipes`.

Differs from Twisted: a program that does not exist, a folder that cannot be entered and a user that
may not be taken raise in `spawnProcess`. Not offered on Windows.
"""

from __future__ import annotations

from twistlike._transports.pipes import ProcessReader, ProcessWriter
from twistlike._transports.process import Process, PTYProcess
from twistlike._transports.reaping import (
    BaseProcess,
    reapAllProcesses,
    reapProcessHandlers,
    registerReapProcessHandler,
    unregisterReapProcessHandler,
)

__path__: list[str] = []  # a name that is not here is asked of the package's finder

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
