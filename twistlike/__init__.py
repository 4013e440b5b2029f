"""Twisted's reactor, threads and Deferreds as a facade over one asyncio event loop."""

__all__ = ["__version__"]

__version__ = "0.1.0"
