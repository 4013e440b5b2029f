"""The counterpart of ``twisted.internet``: the reactor, Deferreds and threads."""

__all__: list[str] = []
