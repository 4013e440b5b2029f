"""Who is at home on which loop."""

from __future__ import annotations

import gc
import weakref
from typing import Any

from tests.fakeloop import FakeLoop
from twistlike._reactor.registry import ReactorRegistry


class Guest:
    """Somebody who lives on a loop."""


def test_the_first_is_at_home() -> None:
    """Until it leaves; then the next one may be."""
    homes: ReactorRegistry[Guest] = ReactorRegistry()
    loop: Any = FakeLoop()
    first, second = Guest(), Guest()
    assert homes.of(loop) is None
    assert homes.enter(loop, first)
    assert not homes.enter(loop, second)
    assert homes.of(loop) is first
    homes.leave(second)
    assert homes.of(loop) is first
    homes.leave(first)
    assert homes.of(loop) is None
    assert homes.enter(loop, second)
    homes.clear()
    assert homes.of(loop) is None


def test_nobody_is_kept_who_need_not_be() -> None:
    """Those that nobody holds are gone, and make room, unless they are kept."""
    homes: ReactorRegistry[Guest] = ReactorRegistry()
    loop: Any = FakeLoop()
    guest = Guest()
    alive = weakref.ref(guest)
    homes.enter(loop, guest)
    homes.keep(guest)
    del guest
    gc.collect()
    kept = alive()
    assert kept is not None
    assert homes.of(loop) is kept
    homes.leave(kept)
    homes.enter(loop, kept)
    del kept
    gc.collect()
    assert alive() is None
    assert homes.enter(loop, Guest())
