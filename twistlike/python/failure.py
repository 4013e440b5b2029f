"""An exception caught now and looked at later: `Failure`, what a Deferred hands to its errbacks.

Thread: any.
"""

from twistlike._base.failure import (
    DefaultException,
    Failure,
    NoCurrentExceptionError,
    startDebugMode,
)

# The private ones too: Twisted's tests of whatever claims to be its Failure use them.
from twistlike._base.frames import _Code as _Code
from twistlike._base.frames import _Frame as _Frame
from twistlike._base.frames import _TracebackFrame as _TracebackFrame
from twistlike._base.frames import fakeTraceback, format_frames

_Traceback = fakeTraceback

__path__: list[str] = []  # a name that is not here is asked of the package's finder

__all__ = [
    "DO_POST_MORTEM",
    "EXCEPTION_CAUGHT_HERE",
    "DefaultException",
    "Failure",
    "NoCurrentExceptionError",
    "format_frames",
    "startDebugMode",
]

EXCEPTION_CAUGHT_HERE = "--- <exception caught here> ---"
"""A line that older Twisteds had in their texts; some programs look for it."""

DO_POST_MORTEM = True
"""Whether the debugger opens at an error once `startDebugMode` was called."""
