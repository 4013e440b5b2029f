"""`python -m twistlike port`: rewrites imports and uses of `twisted` to `twistlike`."""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from typing import TYPE_CHECKING, BinaryIO, TextIO

from twistlike.porting.checking import reasonOf
from twistlike.porting.files import Unreadable, findSources, readSource
from twistlike.porting.places import Places
from twistlike.porting.terminal import forgivingly, progressBar
from twistlike.porting.writing import replaceText

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    failed: list[Unreadable] = []
    changed = left = 0
    track = progressBar("porting", options.progress)
    with forgivingly(sys.stdout), forgivingly(sys.stderr) as notes:
        for path in track(list(findSources(options.paths, failed.append))):
            try:
                source = readSource(path)
                done = rewrite(source)
                if done.source != source and options.write:
                    replaceText(path, source, done.source)
            except (OSError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
                failed.append(Unreadable(path, reasonOf(error)))
                continue
            if done.source != source:
                changed += 1
                if not options.write:
                    _writeDiff(path, source, done.source, sys.stdout.buffer)
            left += _writeLeft(path, source, done, notes)
        for path, reason in failed:
            notes.write(f"{path}: left as it is: {reason}\n")
        files = f"{changed} file" if changed == 1 else f"{changed} files"
        verb = "changed" if options.write else "to be changed (--write does it)"
        notes.write(f"{files} {verb}, {len(failed)} failed; {left} uses of Twisted left\n")
    return 2 if failed else int(left > 0)


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


def _writeDiff(path: str, old: bytes, new: bytes, out: BinaryIO) -> None:
    """Write a unified diff that `patch -p0` and `git apply -p0` take, in the file's bytes."""
    name = os.fsencode(path)
    diff = difflib.diff_bytes(
        difflib.unified_diff, old.splitlines(True), new.splitlines(True), name, name
    )
    for line in diff:
        out.write(
            line if line.endswith((b"\n", b"\r")) else line + b"\n\\ No newline at end of file\n"
        )
    out.flush()


def _writeLeft(path: str, source: bytes, done: Rewritten, out: TextIO) -> int:
    """List what stays, a line for each name and line of the file as it was; return how many."""
    places = Places(source)
    lines: dict[tuple[int, str], str] = {}
    for use in done.left:
        name = use.ownership
        line = places.of(use.node).line
        lines[line, name.name] = f"{path}:{line}: left: {name.name} ({name.state.value})\n"
    for _, text in sorted(lines.items()):
        out.write(text)
    return len(lines)
