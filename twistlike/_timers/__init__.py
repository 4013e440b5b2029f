"""Delayed calls: the queue, the timers of an event loop, a clock for tests."""

__all__: list[str] = []
