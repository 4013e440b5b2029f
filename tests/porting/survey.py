"""Checks published packages that use Twisted, and writes the table of docs/compatibility.md.

`python -m tests.porting.survey` downloads their wheels into a temporary folder;
`python -m tests.porting.survey FOLDER` takes the wheels in a folder, and downloads what is missing.
Nothing of the packages is run, and nothing of them is kept.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import twistlike
from tests.oracle import ROOT, runPython
from twistlike.overlay.catalog import catalog
from twistlike.overlay.lookup import State, splitName

__all__ = ["Use", "render"]

PACKAGES = """
    autobahn buildbot buildbot-worker crochet cyclone daphne eliot epsilon foolscap klein ldaptor
    magic-wormhole magic-wormhole-mailbox-server magic-wormhole-transit-relay matrix-synapse pika
    prometheus-client pyee pytest-twisted scrapy scrapyd structlog tahoe-lafs treq tubes txaio
    txmongo txredisapi txtorcon txzmq wokkel
"""

DOCUMENT = ROOT / "docs" / "compatibility.md"
BEGIN, END = "<!-- names:begin -->\n", "<!-- names:end -->\n"

MOST = 25  # rows of a table of names: below these each name is one or two packages'


class Use(NamedTuple):
    """A use of a name, as `check --json` tells it."""

    package: str
    path: str
    name: str
    state: State
    isOptional: bool


def main(folder: Path) -> None:
    """Check all packages, and write the document."""
    folder.mkdir(exist_ok=True)
    files: dict[str, int] = {}
    uses: list[Use] = []
    for package in PACKAGES.split():
        wheel = _wheelOf(package, folder) or _download(package, folder)
        version = wheel.name.split("-")[1]
        print(package, version, file=sys.stderr)
        found = list(_check(wheel, f"{package} {version}"))
        files[f"{package} {version}"] = len({each.path for each in found})
        uses += found
    text = DOCUMENT.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    new = f"{head}{BEGIN}\n{render(files, uses)}\n{END}{tail}"
    DOCUMENT.write_text(new, encoding="utf-8")


def _wheelOf(package: str, folder: Path) -> Path | None:
    wanted = re.sub(r"[-_.]+", "_", package).lower()
    fitting = [each for each in folder.glob("*.whl") if each.name.lower().startswith(f"{wanted}-")]
    return max(fitting, default=None)


def _download(package: str, folder: Path) -> Path:
    options = ["--no-deps", "--only-binary", ":all:", "-q", "-d", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "download", *options, package], check=True)
    wheel = _wheelOf(package, folder)
    assert wheel, f"pip has put no wheel of {package} into {folder}"
    return wheel


def _check(wheel: Path, package: str) -> Iterator[Use]:
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
        transcript = runPython(["-m", "twistlike", "check", "--json", folder], timeout=300)
    answer = json.loads(transcript.stdout)
    for each in answer["unreadable"]:
        print(f"{package}: {Path(each['path']).name}: {each['reason']}", file=sys.stderr)
    for each in answer["uses"]:
        path, state = each["path"], State(each["state"])
        yield Use(package, path, each["name"], state, each["optional"])


def render(files: dict[str, int], uses: list[Use]) -> str:
    """Make the text of the tables.

    Args:
        files: Packages with their versions, and how many files of each use Twisted.
        uses: What `check` found in them.
    """
    parts = [
        (
            f"`python -m twistlike check` of twistlike {twistlike.__version__} on {len(files)} "
            f"published packages, {sum(files.values())} files that use Twisted; what an installed "
            f"Twisted has is what {catalog().version} has. A *complete* file finds each name that "
            "it counts on."
        ),
        "\n".join(_packages(files, uses)),
        (
            "Not there, neither here nor in an installed Twisted under the overlay, most packages "
            "first:"
        ),
        "\n".join(_names(uses, State.MISSING)),
        "Only from an installed Twisted:",
        "\n".join(_modules(uses)),
    ]
    return "\n\n".join(parts) + "\n"


def _packages(files: dict[str, int], uses: list[Use]) -> Iterator[str]:
    yield (
        "| package | files | complete, alone | complete, with Twisted | names here "
        "| names from Twisted | names not there |\n|---|---|---|---|---|---|---|"
    )
    for package, count in files.items():
        own = [each for each in uses if each.package == package]
        names = {state: {each.name for each in own if each.state is state} for state in State}
        ours = len(names[State.COVERED] | names[State.DIFFERS])
        alone = _incomplete(own, (State.TWISTED, State.MISSING))
        withTwisted = _incomplete(own, (State.MISSING,))
        yield (
            f"| {package} | {count} | {count - alone} | {count - withTwisted} | {ours} "
            f"| {len(names[State.TWISTED])} | {len(names[State.MISSING])} |"
        )


def _incomplete(uses: Iterable[Use], states: tuple[State, ...]) -> int:
    """How many files count on a name in one of these states."""
    return len({each.path for each in uses if each.state in states and not each.isOptional})


def _names(uses: list[Use], state: State) -> Iterator[str]:
    yield "| name | packages | uses |\n|---|---|---|"
    found = [each for each in uses if each.state is state and not each.isOptional]
    yield from _rows([(each.name, each.package) for each in found])


def _modules(uses: list[Use]) -> Iterator[str]:
    yield "| module | packages | uses |\n|---|---|---|"
    found = [each for each in uses if each.state is State.TWISTED and not each.isOptional]
    modules = [f"twisted.{splitName(each.name)[0]}".rstrip(".") for each in found]
    yield from _rows(list(zip(modules, [each.package for each in found], strict=True)))


def _rows(pairs: list[tuple[str, str]]) -> Iterator[str]:
    """Rows of names, each with the number of packages and of uses, the most used first."""
    packages = Counter(name for name, _ in set(pairs))
    uses = Counter(name for name, _ in pairs)
    ranked = sorted(packages, key=lambda name: (-packages[name], -uses[name], name))
    for name in ranked[:MOST]:
        yield f"| `{name}` | {packages[name]} | {uses[name]} |"
    if len(ranked) > MOST:
        rest = ranked[MOST:]
        yield f"| {len(rest)} more | | {sum(uses[name] for name in rest)} |"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
