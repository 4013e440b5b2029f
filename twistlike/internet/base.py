"""The name under which ported code finds the handle that `callLater` returns."""

from __future__ import annotations

from twistlike._timers.queue import DelayedCall

__path__: list[str] = []  # a name that is not here is asked of the package's finder

__all__ = ["DelayedCall"]
