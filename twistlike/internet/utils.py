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

__all__ = [
    "getProcessOutput",
    "getProcessOutputAndValue",
    "getProcessValue",
    "runWithWarningsSuppressed",
    "suppressWarnings",
]
