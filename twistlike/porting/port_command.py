"""`python -m twistlike port`: rewrites imports and uses of `twisted` to `twistlike`."""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from typing import TYPE_CHECKING

from twistlike.porting.checking import reasonOf
from twistlike.porting.files import Unreadable, findSources, readSource
from twistlike.porting.places import Places
from twistlike.porting.terminal import Output, progressBar
from twistlike.porting.writing import replaceText

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twistlike.porting.rewriting import Rewritten

__all__ = ["main"]

_EPILOG = """\
What twistlike has is taken from it; all else stays Twisted's, and is listed on standard error with
its place. A module that a file uses something of that only Twisted has is left as it is. Strings
are renamed where a function that imports or replaces their object is given them (namedAny,
mock.patch). Nothing is imported or run. A second run changes nothing.

Exit status: 0 if nothing of Twisted is left, 1 if something is, 2 if a file could not be read,
parsed or written; the others are done all the same.
"""


def main(arguments: Sequence[str]) -> int:
    """Carry the command out.

    Args:
        arguments: What follows `port`.

    Returns:
        The exit status.

    Raises:
        SystemExit: With 2 if the command line makes no sense or LibCST is missing, with 0 for
            `--help`.
    """
    options = _parser().parse_args(arguments)
    try:
        from twistlike.porting.rewriting import rewrite  # needs the extra
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "libcst":
            raise
        print(
            "twistlike: port needs the package libcst; install it by: "
            "pip install 'twistlike[port]'",
            file=sys.stderr,
        )
        return 2
    work = _Work(rewrite, options.write)
    track = progressBar("porting", options.progress)
    for path in track(list(findSources(options.paths, work.failed.append))):
        work.port(path)
    return work.finish()


class _Work:
    """What has become of the files so far.

    Args:
        rewrite: The function that rewrites a text.
        isWriting: Whether files are to be changed; else the changes are shown.
    """

    def __init__(self, rewrite: Callable[[bytes], Rewritten], isWriting: bool) -> None:
        self.failed: list[Unreadable] = []
        self._rewrite = rewrite
        self._isWriting = isWriting
        self._changed = 0
        self._left = 0
        self._out = Output(sys.stdout)
        self._notes = Output(sys.stderr)

    def port(self, path: str) -> None:
        """Rewrite a file, or show how."""
        try:
            source = readSource(path)
            done = self._rewrite(source)
            if done.source != source and self._isWriting:
                replaceText(path, source, done.source)
        except (OSError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
            self.failed.append(Unreadable(path, reasonOf(error)))
            return
        if done.source != source:
            self._changed += 1
            if not self._isWriting:
                self._out.writeBytes(_diffOf(path, source, done.source))
        left = _linesLeft(path, source, done)
        self._left += len(left)
        self._notes.write("".join(left))

    def finish(self) -> int:
        """Say how it went, and return the exit status."""
        for path, reason in self.failed:
            self._notes.write(f"{path}: left as it is: {reason}\n")
        files = "1 file" if self._changed == 1 else f"{self._changed} files"
        verb = "changed" if self._isWriting else "to be changed (--write does it)"
        uses = "1 use" if self._left == 1 else f"{self._left} uses"
        self._notes.write(f"{files} {verb}, {len(self.failed)} failed; {uses} of Twisted left\n")
        self._out.close()
        self._notes.close()
        return 2 if self.failed else int(self._left > 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m twistlike port",
        description="Rewrite source files from Twisted's names to twistlike's. Shows the changes "
        "as a diff; --write makes them.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="a file, or a folder")
    parser.add_argument("--write", action="store_true", help="change the files")
    parser.add_argument(
        "--no-progress", dest="progress", action="store_false", help="show no progress bar"
    )
    return parser


def _diffOf(path: str, old: bytes, new: bytes) -> bytes:
    """Make a unified diff that `patch -p0` and `git apply -p0` take, in the file's bytes."""
    name = os.fsencode(path)
    diff = difflib.diff_bytes(
        difflib.unified_diff, old.splitlines(True), new.splitlines(True), name, name
    )
    return b"".join(
        line if line.endswith((b"\n", b"\r")) else line + b"\n\\ No newline at end of file\n"
        for line in diff
    )


def _linesLeft(path: str, source: bytes, done: Rewritten) -> list[str]:
    """Tell what stays: a line for each name and line of the file as it was."""
    places = Places(source)
    lines: dict[tuple[int, str], str] = {}
    for use in done.left:
        name = use.ownership
        line = places.of(use.node).line
        lines[line, name.name] = f"{path}:{line}: left: {name.name} ({name.state.value})\n"
    return [text for _, text in sorted(lines.items())]
