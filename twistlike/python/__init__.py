"""The counterpart of `twisted.python`: what the reactor and its threads are built from."""

__all__: list[str] = []
