"""All that is asked of asyncio: the running loop and task, new loops, their tear-down and end."""

__all__: list[str] = []
