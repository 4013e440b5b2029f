"""The counterpart of `twisted.protocols`: protocols of general use."""

__all__: list[str] = []
