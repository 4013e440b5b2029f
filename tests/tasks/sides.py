"""Runs one function on Twisted's modules and on ours, in this process, and compares what it notes.

That is quicker than a process for each program (see ``tests/oracle.py``), so that many programs
can be tried. It fits where no reactor is needed: a ``Clock`` or a scheduler of the test's own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import twisted.internet.defer
import twisted.internet.error
import twisted.internet.task

import twistlike.internet.defer
import twistlike.internet.error
import twistlike.internet.task

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Side", "same"]


@dataclass
class Side:
    """One implementation, and what a program notes while it runs on it."""

    task: Any
    defer: Any
    error: Any
    notes: list[object] = field(default_factory=list)

    def note(self, *what: object) -> None:
        """Note something."""
        self.notes.append(what)

    def attempt(self, function: Callable[..., object], *args: object, **kw: object) -> Any:
        """Call a function; note the name of the exception if it raises one."""
        try:
            return function(*args, **kw)
        except Exception as error:
            self.note(type(error).__name__)
            return None

    def watch(self, deferred: Any, name: str) -> None:
        """Note whether a Deferred's result is a value or an error, and which, when it fires."""
        deferred.addCallbacks(
            lambda result: self.note(name, "fired", type(result).__name__),
            lambda failure: self.note(name, "failed", failure.type.__name__, str(failure.value)),
        )


def same(program: Callable[[Side], object]) -> list[object]:
    """Run a program on both sides and fail unless it notes the same.

    Args:
        program: Called with a ``Side``.

    Returns:
        What it noted on our side.
    """
    theirs = Side(twisted.internet.task, twisted.internet.defer, twisted.internet.error)
    ours = Side(twistlike.internet.task, twistlike.internet.defer, twistlike.internet.error)
    program(theirs)
    program(ours)
    assert ours.notes == theirs.notes
    return ours.notes
