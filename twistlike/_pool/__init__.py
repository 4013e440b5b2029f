"""The thread pool: workers, jobs, futures, compensation, watchdog. Knows no loop, no Deferred."""

__all__: list[str] = []
