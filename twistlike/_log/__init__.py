"""Where errors that nobody handles end: the publisher, observers, `Logger`, the older functions."""

__all__: list[str] = []
