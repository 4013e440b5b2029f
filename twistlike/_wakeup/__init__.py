"""What threads sleep on, and what wakes an event loop."""

__all__: list[str] = []
