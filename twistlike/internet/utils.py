"""Runs programs for their output or exit code, and functions without their warnings.

Room: `_net.utils`. Differs from Twisted: cancelling what these functions return kills the program.
"""

from __future__ import annotations

from twistlike._net.utils import (
    getProcessOutput,
    getProcessOutputAndValue,
    getProcessValue,
    runWithWarningsSuppressed,
    suppressWarnings,
)

__path__: list[str] = []  # a name that is not here is asked of the package's finder

__all__ = [
    "getProcessOutput",
    "getProcessOutputAndValue",
    "getProcessValue",
    "runWithWarningsSuppressed",
    "suppressWarnings",
]
