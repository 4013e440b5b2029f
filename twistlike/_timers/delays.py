"""Checks that a delay is a number of seconds. Thread: any."""

from __future__ import annotations

__all__ = ["TOO_LARGE", "checkDelay"]

TOO_LARGE = "{} is a number of seconds; this one is too large"


def checkDelay(delay: float, name: str = "a delay") -> None:
    """Refuse a delay that no clock can wait for.

    Args:
        delay: Seconds from now.
        name: What the error calls it.

    Raises:
        TypeError: If it is not a number, or one that cannot be added to a float, as `Decimal`.
        ValueError: If it is negative or NaN, or too large for a float.
    """
    try:
        good = delay >= 0
        _ = 0.0 + delay
    except TypeError:
        raise TypeError(f"{name} is a number of seconds, not {delay!r}") from None
    except OverflowError:
        raise ValueError(TOO_LARGE.format(name)) from None
    if not good:
        what = "not a number (NaN)" if delay != delay else "negative"
        raise ValueError(f"{name} is a number of seconds from 0 up; {delay!r} is {what}")
