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
    reactors: ReactorRegistry[Guest] = ReactorRegistry()
    loop: Any = FakeLoop()
    first, second = Guest(), Guest()
    assert reactors.of(loop) is None
    assert reactors.enter(loop, first)
    assert not reactors.enter(loop, second)
    assert reactors.of(loop) is first
    reactors.leave(second)
    assert reactors.of(loop) is first
    reactors.leave(first)
    assert reactors.of(loop) is None
    assert reactors.enter(loop, second)
    reactors.clear()
    assert reactors.of(loop) is None


def test_nobody_is_kept_who_need_not_be() -> None:
    """Those that nobody holds are gone, and make room, unless they are kept."""
    reactors: ReactorRegistry[Guest] = ReactorRegistry()
    loop: Any = FakeLoop()
    guest = Guest()
    alive = weakref.ref(guest)
    reactors.enter(loop, guest)
    reactors.keep(guest)
    del guest
    gc.collect()
    kept = alive()
    assert kept is not None
    assert reactors.of(loop) is kept
    reactors.leave(kept)
    reactors.enter(loop, kept)
    del kept
    gc.collect()
    assert alive() is None
    assert reactors.enter(loop, Guest())
