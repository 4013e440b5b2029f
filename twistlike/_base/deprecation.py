"""Warns of what is deprecated in Twisted, and so here. Thread: any."""

from __future__ import annotations

__all__ = ["warnDeprecated"]


def warnDeprecated(name: str, since: str, instead: str = "") -> None:
    """Warn the caller's caller.

    Args:
        name: What it uses, in full but for the package: `"internet.defer.returnValue"`.
        since: Twisted's version that deprecated it, such as `"24.7.0"`.
        instead: What to use; `{package}` stands for the package's name.
    """
    import warnings  # for the deprecated only

    warnings.warn(_text(name, since, instead), category=DeprecationWarning, stacklevel=3)


def _text(name: str, since: str, instead: str) -> str:
    """Return what the warning says; the overlay has an installed Twisted say it."""
    hint = f"; use {instead.format(package='twistlike')}" if instead else ""
    return f"twistlike.{name} is deprecated{hint}"
