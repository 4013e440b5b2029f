"""A few short rounds in CI; long ones are run by hand."""

from __future__ import annotations

import random

import pytest

from tests.stress.__main__ import runRound


@pytest.mark.timeout(200)
@pytest.mark.parametrize("variant", ["asyncio-run", "uvloop-attached-switch"])
def test_a_short_round(variant: str) -> None:
    """Whatever threads do at random, what was accepted is answered once, and nothing is left."""
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")  # pytest shows it if the round goes wrong
    assert runRound(seed, variant, 1.0) == ""
