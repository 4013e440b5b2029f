"""Work over time: repeated, delayed, shared out in small steps, or run as the whole program.

What is here is made in this folder's modules; each name is handed on from there.
"""

from __future__ import annotations

from twistlike.internet.task._clock import Clock, deferLater
from twistlike.internet.task._cooperator import (
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
from twistlike.internet.task._looping import LoopingCall
from twistlike.internet.task._react import react

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


def _handOn() -> None:
    """Let tracebacks and pickles show this package, not the modules that it is made of."""
    for name in __all__:
        globals()[name].__module__ = __name__


_handOn()
