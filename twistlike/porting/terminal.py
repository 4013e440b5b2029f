"""The terminal: a progress bar, and output that survives odd names and closed pipes."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Output", "progressBar"]

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


class Output:
    """A stream that may not know every character, and whose reader may go.

    File names that are not in the file system's encoding are shown with backslashes. Where the
    reader has gone, as in `check . | head`, the rest is dropped, and the work goes on.

    Args:
        stream: Standard output or standard error.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")

    def write(self, text: str) -> None:
        """Write text."""
        self._try(lambda: self._stream.write(text))

    def writeBytes(self, data: bytes) -> None:
        """Write bytes as they are, after the text so far."""
        self._try(self._stream.flush)
        self._try(lambda: self._stream.buffer.write(data))

    def close(self) -> None:
        """Flush: what is left would else raise its error when the interpreter ends."""
        self._try(self._stream.flush)

    def _try(self, write: Callable[[], object]) -> None:
        try:
            write()
        except BrokenPipeError:
            devnull = os.open(os.devnull, os.O_WRONLY)
            os.dup2(devnull, self._stream.fileno())
            os.close(devnull)
