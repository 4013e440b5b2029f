"""Runs suites by trial and writes each test's outcome: `run_trial.py OUTCOMES PATTERN NAME...`.

A process of its own, on Twisted or on the overlay; this file imports Twisted, and nothing of ours.
"""

from __future__ import annotations

import re
import sys
import tempfile
from typing import Any

from twisted.trial import reporter, runner

OUTCOMES, PATTERN, *NAMES = sys.argv[1:]


class Lines(reporter.Reporter):  # type: ignore[misc]
    """Writes a line for each test: its outcome, its name, and the error's last line."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.file = open(OUTCOMES, "a", encoding="utf-8")  # noqa: SIM115
        self.bad: dict[str, tuple[str, str]] = {}

    def startTest(self, test: Any) -> None:
        super().startTest(test)
        self.bad.pop(test.id(), None)
        print("begun", test.id(), "", sep="\t", file=self.file, flush=True)

    def stopTest(self, test: Any) -> None:
        super().stopTest(test)
        outcome, why = self.bad.pop(test.id(), ("passed", ""))
        print(outcome, test.id(), why, sep="\t", file=self.file, flush=True)

    def note(self, test: Any, outcome: str, error: Any) -> None:
        self.bad.setdefault(test.id(), (outcome, " ".join(str(error).split())[-300:]))

    def addError(self, test: Any, error: Any) -> None:
        super().addError(test, error)
        self.note(test, "failed", getattr(error, "value", error))

    def addFailure(self, test: Any, fail: Any) -> None:
        super().addFailure(test, fail)
        self.note(test, "failed", getattr(fail, "value", fail))

    def addSkip(self, test: Any, reason: Any) -> None:
        super().addSkip(test, reason)
        self.note(test, "skipped", "")

    def addExpectedFailure(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, test: Any, *args: Any
    ) -> None:
        super().addExpectedFailure(test, *args)
        self.note(test, "skipped", "todo")


def chosen(test: Any) -> Any:
    """Return what of a suite has names that the pattern fits."""
    if not hasattr(test, "_tests"):
        return test if re.search(PATTERN, test.id()) else None
    test._tests = [each for each in map(chosen, test._tests) if each is not None]
    return test


loader = runner.TestLoader()
suite = chosen(loader.loadByNames(NAMES))
with tempfile.TemporaryDirectory(prefix="compatibility-") as folder:
    kind: Any = Lines
    made = runner.TrialRunner(kind, workingDirectory=f"{folder}/work")
    made.run(suite)
