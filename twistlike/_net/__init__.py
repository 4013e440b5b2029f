"""Protocols, endpoints and name resolution: what programs build on transports."""

__all__: list[str] = []
