"""Work in threads: `deferToThread`, blocking calls, and the Deferreds of jobs."""

__all__: list[str] = []
