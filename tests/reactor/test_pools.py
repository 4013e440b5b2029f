"""The pools of a reactor: made once, started once, whichever thread asks for them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from twistlike._reactor.pools import Pools

if TYPE_CHECKING:
    from collections.abc import Callable

    from twistlike.python.threadpool import ThreadPool


class Owner:
    """Somebody who can be held weakly."""


@pytest.mark.parametrize(
    ("change", "good"),
    [
        pytest.param(Pools.start, lambda pool: pool.started, id="start"),
        pytest.param(
            lambda pools: pools.suggestSize(3), lambda pool: pool.max == 3, id="suggestSize"
        ),
    ],
)
def test_a_pool_that_is_just_being_made_is_not_missed(
    change: Callable[[Pools], None],
    good: Callable[[ThreadPool], bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A start, or another size, reaches a pool that another thread makes at that moment."""
    owner = Owner()
    pools = Pools(owner, lambda failure, message: None, lambda call: None)
    make = pools._make
    made, goOn = threading.Event(), threading.Event()

    def slowly(name: str, least: int, most: int) -> ThreadPool:
        pool = make(name, least, most)
        made.set()
        goOn.wait(20)
        return pool

    monkeypatch.setattr(pools, "_make", slowly)
    maker = threading.Thread(target=pools.forUsers)
    maker.start()
    assert made.wait(20)
    changer = threading.Thread(target=change, args=(pools,))
    changer.start()
    changer.join(0.05)  # time to miss the pool, for whoever does not wait until it is made
    goOn.set()
    maker.join(20)
    changer.join(20)
    assert pools.users is not None
    assert good(pools.users)
    pools.abandon()
