"""Work over time: repeated, delayed, shared out in small steps, or run as the whole program.

Rooms: `_tasks`; `_timers.clock` for `Clock`.
"""

from __future__ import annotations

from twistlike._tasks.cooperator import (
    CooperativeTask,
    Cooperator,
    NotPaused,
    SchedulerError,
    SchedulerStopped,
    TaskDone,
    TaskFailed,
    TaskFinished,
    TaskStopped,
    coiterate,
    cooperate,
)
from twistlike._tasks.looping import LoopingCall
from twistlike._tasks.react import react
from twistlike._timers.clock import Clock, deferLater

__path__: list[str] = []  # a name that is not here is asked of the package's finder

__all__ = [
    "Clock",
    "CooperativeTask",
    "Cooperator",
    "LoopingCall",
    "NotPaused",
    "SchedulerError",
    "SchedulerStopped",
    "TaskDone",
    "TaskFailed",
    "TaskFinished",
    "TaskStopped",
    "coiterate",
    "cooperate",
    "deferLater",
    "react",
]
