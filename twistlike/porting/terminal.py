"""The terminal: a progress bar, and output that survives odd names and closed pipes."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["forgivingly", "progressBar"]

_WORTH_A_BAR = 20  # files; fewer are done before a bar can be read


def progressBar(what: str, isWanted: bool) -> Callable[[list[str]], Iterable[str]]:
    """Return a function that shows how far an iteration over files has come.

    Only on a terminal (standard error), and only if the package rich is there: it is in the extra
    `twistlike[port]`, and nothing else needs it.

    Args:
        what: The word before the bar.
        isWanted: Whether to show one at all.
    """

    def track(files: list[str]) -> Iterable[str]:
        if not isWanted or len(files) < _WORTH_A_BAR or not sys.stderr.isatty():
            return files
        try:
            from rich.console import Console
            from rich.progress import track as richTrack
        except ImportError:
            return files
        console = Console(stderr=True)
        return richTrack(files, description=what, console=console, transient=True)

    return track


@contextlib.contextmanager
def forgivingly(stream: TextIO) -> Iterator[TextIO]:
    """Write to a stream which may not know every character, and may be closed by its reader.

    File names that are not in the file system's encoding are shown with backslashes. Where the
    reader has gone, as in `check . | head`, the rest is dropped.
    """
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    try:
        yield stream
        stream.flush()
    except BrokenPipeError:
        # The interpreter flushes the stream again at its end, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
