"""The command line: ``python -m tests.stress --minutes 10 [--seed N]``."""

from __future__ import annotations

import argparse
import random
import sys
import time

from tests.oracle import Hung, runPython

__all__ = ["main", "runRound"]

# A round takes some seconds; one that takes longer than this hangs.
LIMIT = 120.0

VARIANTS = (
    "asyncio-run",
    "uvloop-run",
    "asyncio-attached",
    "uvloop-attached",
    "asyncio-run-switch",
    "uvloop-attached-switch",
    "asyncio-attached-debug",
)


def runRound(seed: int, variant: str, seconds: float) -> str:
    """Run one round in a process of its own.

    Args:
        seed: Of its dice.
        variant: As the faults' (``tests.faults.harness.Variant``).
        seconds: How long its threads are at work.

    Returns:
        What went wrong, or nothing.
    """
    arguments = ["-W", "error", "-m", "tests.stress.worker", str(seed), variant, str(seconds)]
    debug = {"PYTHONASYNCIODEBUG": "1"} if "debug" in variant else {}
    try:
        found = runPython(arguments, timeout=LIMIT + seconds, env=debug)
    except Hung as hung:
        return str(hung)
    if found.returncode == 0 and not found.reports:
        return ""
    return f"return code {found.returncode}\n{found.stdout}{found.stderr}"


def main() -> int:
    """Run rounds until the time is over; return how many went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.stress", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0, help="for how long (default 1)")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each round (default 3)")
    parser.add_argument("--seed", type=int, help="run the round of this seed, again and again")
    parser.add_argument("--variant", choices=VARIANTS, help="on this alone")
    options = parser.parse_args()
    end = time.monotonic() + 60 * options.minutes
    wrong = rounds = 0
    while rounds == 0 or time.monotonic() < end:
        seed = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed
        variant = options.variant or VARIANTS[rounds % len(VARIANTS)]
        rounds += 1
        said = runRound(seed, variant, options.seconds)
        print(f"seed {seed} on {variant}: {said or 'good'}", flush=True)
        wrong += bool(said)
    print(f"{rounds} rounds, {wrong} wrong")
    return wrong


if __name__ == "__main__":
    sys.exit(min(main(), 100))
