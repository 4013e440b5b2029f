"""The reactor: its life cycle, and the parts that serve calls, timers, threads and descriptors."""

__all__: list[str] = []
