"""Runs one small program on Twisted's Deferreds and on ours, in this process, and compares.

A program is a function ``program(lib)``; it notes what it sees with ``lib.note(...)``. Values are
noted in a form that is equal for both: without addresses, and exceptions as name and arguments.
"""

from __future__ import annotations

import difflib
import gc
import logging
import re
import warnings
from collections.abc import Callable
from typing import Any

import twisted.internet.defer
import twisted.logger
import twisted.python.failure
import twisted.python.log

import twistlike.internet.defer
import twistlike.python.failure
import twistlike.python.log

# Until its logging has begun, Twisted keeps what was logged, and so the failures in it.
_nowhere: Any = [lambda event: None]
twisted.logger.globalLogBeginner.beginLoggingTo(
    _nowhere, discardBuffer=True, redirectStandardIO=False
)


class Lib:
    """One of the two libraries, and what the program has noted.

    Attributes:
        defer: its module ``defer``.
        Failure: its Failure.
        notes: what the program has noted, and at the end the errors that nobody handled.
    """

    def __init__(self, defer: Any, failure: Any, log: Any) -> None:
        self.defer = defer
        self.D = defer.Deferred
        self.Failure = failure.Failure
        self.log = log
        self.notes: list[Any] = []

    def note(self, *values: Any) -> None:
        self.notes.append(tuple(self.plain(value) for value in values))

    def plain(self, value: Any) -> Any:
        """Return what a value looks like on either library."""
        if isinstance(value, self.Failure):
            return ("Failure", *self.plain(value.value))
        if isinstance(value, BaseException):
            return (type(value).__name__, *(self.plain(arg) for arg in value.args))
        if isinstance(value, type):
            return value.__name__
        if isinstance(value, (list, tuple)):
            return [self.plain(item) for item in value]
        if isinstance(value, self.D):
            # Ours says more in an AlreadyCalledError.
            text = re.sub(r"(AlreadyCalledError: ).* shows where", r"\1", repr(value))
            return re.sub(r" at 0x\w+|twist\w+\.", "", text)
        return value

    def noting(self, name: str) -> Callable[[Any], Any]:
        """Return a callback that notes what it is called with, and passes it on."""

        def callback(value: Any) -> Any:
            self.note(name, value)
            return value

        return callback

    def attempt(self, function: Callable[..., Any], *args: Any) -> None:
        """Call a function, and note what it raises."""
        try:
            function(*args)
        except Exception as error:
            self.note("raised", error)

    def run(self, program: Callable[[Lib], object]) -> list[Any]:
        """Run a program, and return its notes."""
        unhandled: list[Any] = []

        def observe(event: Any) -> None:
            failure = event.get("failure") or event.get("log_failure")
            if failure is not None:
                unhandled.append(repr(self.plain(failure)))

        gc.freeze()  # gc.collect() looks at what the program made only, which is 10 times faster
        # A record would keep the failure, and so what its traceback's frames hold.
        logging.getLogger("twistlike").disabled = True
        self.log.addObserver(observe)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                program(self)
                gc.collect()
        finally:
            self.log.removeObserver(observe)
            logging.getLogger("twistlike").disabled = False
        return [*self.notes, ("unhandled", sorted(set(unhandled)))]


def both(program: Callable[[Lib], object]) -> tuple[list[Any], list[Any]]:
    """Return a program's notes on Twisted and on ours."""
    onTwisted = Lib(twisted.internet.defer, twisted.python.failure, twisted.python.log)
    onOurs = Lib(twistlike.internet.defer, twistlike.python.failure, twistlike.python.log)
    return onTwisted.run(program), onOurs.run(program)


def assertSame(program: Callable[[Lib], object]) -> None:
    """Fail unless a program notes the same on both."""
    onTwisted, onOurs = both(program)
    if onOurs != onTwisted:
        lines = difflib.unified_diff(
            [str(note) for note in onTwisted],
            [str(note) for note in onOurs],
            *("Twisted", "twistlike"),
            lineterm="",
        )
        raise AssertionError("\n".join(lines))
