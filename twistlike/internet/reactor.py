"""The default reactor, under the name by which everybody imports it.

`from twistlike.internet import reactor` gives an object, not this module: the module puts the
default `asyncioreactor.Reactor` in its own place. That makes no loop and no thread.
"""

from __future__ import annotations

import sys

from twistlike._reactor.current import defaultReactor

__all__: list[str] = []

sys.modules[__name__] = defaultReactor()  # type: ignore[assignment]
