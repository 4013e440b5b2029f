"""The name under which ported code finds the handle that `callLater` returns."""

from __future__ import annotations

from twistlike._timers.queue import DelayedCall

__all__ = ["DelayedCall"]
