"""Deferreds: callbacks, coroutines, the bridge to asyncio's tasks and futures."""

__all__: list[str] = []
