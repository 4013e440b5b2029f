"""What is an IP address, as the system's `inet_pton` has it. Thread: any."""

from __future__ import annotations

from twistlike._base.naming import showAs

__all__ = ["isIPAddress", "isIPv6Address"]


def isIPAddress(addr: str | bytes, family: int | None = None) -> bool:
    """Return whether text is an IPv4 address in dotted decimals.

    Args:
        addr: The text, or ASCII bytes.
        family: `socket.AF_INET6` for an IPv6 address instead.

    Raises:
        ValueError: If it is another family.
    """
    import socket  # not at the top: 3 ms

    if isinstance(addr, bytes):
        try:
            addr = addr.decode("ascii")
        except UnicodeDecodeError:
            return False
    if family not in (None, socket.AF_INET, socket.AF_INET6):
        raise ValueError(f"the family of an address is AF_INET or AF_INET6, not {family!r}")
    family = family or socket.AF_INET
    if family == socket.AF_INET6:
        addr = addr.partition("%")[0]  # what follows is the interface
    elif addr.count(".") != 3:
        return False
    try:
        socket.inet_pton(family, addr)
    except (OSError, ValueError):
        return False
    return True


def isIPv6Address(addr: str | bytes) -> bool:
    """Return whether text is an IPv6 address, with or without a scope."""
    import socket  # not at the top: 3 ms

    return isIPAddress(addr, socket.AF_INET6)


showAs("twistlike.internet.abstract", globals(), __all__)
