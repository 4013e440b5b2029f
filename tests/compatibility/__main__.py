"""Runs Twisted's suites on plain Twisted and on the overlay, and writes what differs.

    python -m tests.compatibility [GROUP...] [--limit SECONDS] [--jobs N] [--write] [--floor]

A test counts if it passes on plain Twisted. `--write` puts the table into docs/compatibility.md;
`--floor` fails if a group keeps less than `FLOORS` says.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.compatibility.report import Outcome, losses, table, writeInto
from tests.compatibility.suites import GROUPS, PATTERNS

ROOT = Path(__file__).resolve().parent.parent.parent
RUNNER = Path(__file__).with_name("run_trial.py")

FLOORS = {"core": 0.97}
"""Group: the part of the tests that pass on Twisted that must pass on the overlay in CI."""

MOST = 60
"""How many losses of a group are listed on the terminal."""

OVERLAY = ["-m", "twistlike", "run"]


def outcomesOf(
    names: list[str], pattern: str, *, overlay: bool, limit: float
) -> dict[str, Outcome]:
    """Run suites in a process of its own.

    Args:
        names: Modules and packages.
        pattern: A regular expression; only tests that it fits run.
        overlay: Whether the overlay is installed in that process.
        limit: After how many seconds it is killed; what has not run by then is lost.

    Returns:
        Outcome by the test's name.
    """
    with tempfile.TemporaryDirectory(prefix="compatibility-") as folder:
        file = Path(folder) / "outcomes"
        command = [sys.executable, "-W", "ignore", *(OVERLAY if overlay else [])]
        command += [str(RUNNER), str(file), pattern, *names]
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        env = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "0"}
        with subprocess.Popen(
            command,
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        ) as process:
            try:
                _, errors = process.communicate(timeout=limit)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                _, errors = process.communicate()
                errors += f"\nkilled after {limit} s"
        found: dict[str, Outcome] = {}
        if file.exists():
            for line in file.read_text(encoding="utf-8").splitlines():
                outcome, name, why = line.split("\t", 2)
                found[name] = Outcome(outcome, why)
        if not found or any(each.outcome == "begun" for each in found.values()):
            print(f"{names}: {errors[-2000:]}", file=sys.stderr)
        return found


def compare(group: str, limit: float, jobs: int) -> dict[str, dict[str, Outcome]]:
    """Run a group on both; outcomes by test, of `"twisted"` and `"twistlike"`."""
    pattern = PATTERNS.get(group, "")
    runs = [(names, overlay) for names in GROUPS[group] for overlay in (False, True)]
    with ThreadPoolExecutor(jobs) as pool:
        results = list(
            pool.map(
                lambda run: outcomesOf(run[0], pattern, overlay=run[1], limit=limit),
                runs,
            )
        )
    found: dict[str, dict[str, Outcome]] = {"twisted": {}, "twistlike": {}}
    for (_, overlay), result in zip(runs, results, strict=True):
        found["twistlike" if overlay else "twisted"].update(result)
    return found


def main() -> int:
    """Carry out a command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("groups", nargs="*", choices=[*GROUPS, []], default=[])
    parser.add_argument("--limit", type=float, default=600, help="seconds for a process")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time")
    parser.add_argument("--write", action="store_true", help="update docs/compatibility.md")
    parser.add_argument("--floor", action="store_true", help="fail below the floors")
    parser.add_argument("--json", type=Path, help="also write the outcomes into this file")
    options = parser.parse_args()
    found = {}
    for group in options.groups or list(GROUPS):
        found[group] = compare(group, options.limit, options.jobs)
        print(table({group: found[group]}).splitlines()[-1], flush=True)
        for name, outcome in list(losses(found[group]).items())[:MOST]:
            print(f"    {name}: {outcome.outcome} {outcome.why[:150]}", flush=True)
        if options.json:
            options.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    if options.write:
        writeInto(ROOT / "docs" / "compatibility.md", found)
    low = 0
    for group in found if options.floor else ():
        passing = sum(each.outcome == "passed" for each in found[group]["twisted"].values())
        kept = passing - len(losses(found[group]))
        low |= kept < FLOORS.get(group, 0) * passing or not passing
    return int(low)


if __name__ == "__main__":
    sys.exit(main())
