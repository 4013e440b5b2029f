"""`python -m twistlike check`: what a program uses of Twisted, and what is here of it."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from twistlike.overlay.lookup import State
from twistlike.porting.checking import check
from twistlike.porting.reports import writeJson, writeText
from twistlike.porting.terminal import Output, progressBar

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

_EPILOG = """\
The states: covered (twistlike has it), differs (it has it, and behaves differently as told), from
an installed Twisted (only with the overlay and twistlike[twisted]), not there.

Exit status: 0 if everything is there, 1 if something is not there (--no-twisted: or only in an
installed Twisted), 2 if something could not be read. What a program is prepared to miss (in
"try: ... except ImportError:", under TYPE_CHECKING, with hasattr) does not count.
"""

_WORDS = {
    "covered": State.COVERED,
    "differs": State.DIFFERS,
    "twisted": State.TWISTED,
    "missing": State.MISSING,
}


def main(arguments: Sequence[str]) -> int:
    """Carry the command out.

    Args:
        arguments: What follows `check`.

    Returns:
        The exit status.

    Raises:
        SystemExit: With 2 if the command line makes no sense, with 0 for `--help`.
    """
    options = _parser().parse_args(arguments)
    report = check(options.paths, progressBar("checking", options.progress))
    out = Output(sys.stdout)
    if options.json:
        writeJson(report, out)
    else:
        writeText(report, out, options.show)
    out.close()
    if report.unreadable:
        return 2
    isTwistedLost = not options.twisted and any(
        each.name.state is State.TWISTED and not each.isOptional for each in report.findings
    )
    return int(isTwistedLost or any(each.isLost for each in report.findings))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m twistlike check",
        description="List each name of Twisted that source files use, with its place and state.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="a file, or a folder")
    parser.add_argument("--json", action="store_true", help="write JSON instead of lines")
    parser.add_argument(
        "--show",
        type=_states,
        default=tuple(State),
        metavar="STATES",
        help=f"list only uses in these states: some of {', '.join(_WORDS)}, with commas",
    )
    parser.add_argument(
        "--no-twisted",
        dest="twisted",
        action="store_false",
        help="no Twisted will be installed: what comes from it is not there",
    )
    parser.add_argument(
        "--no-progress", dest="progress", action="store_false", help="show no progress bar"
    )
    return parser


def _states(text: str) -> tuple[State, ...]:
    unknown = [each for each in text.split(",") if each not in _WORDS]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(_WORDS)}")
    return tuple(_WORDS[each] for each in text.split(","))
