"""Turns a system error at the import of the module of a port into the error of the port.

Thread: any.
"""

from __future__ import annotations

from twistlike._base.error import CannotListenError

__all__ = ["LoadingForPort"]


class LoadingForPort:
    """Around the import of a kind of port: an error of the system is the port's error.

    Args:
        interface: The port's local address.
        port: Its number or path.

    Raises:
        CannotListenError: The module could not be read.
    """

    def __init__(self, interface: str | None, port: object) -> None:
        self._address = interface, port

    def __enter__(self) -> None:
        """Begin the import."""

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Replace an error of the system."""
        if isinstance(error, OSError):
            raise CannotListenError(*self._address, error) from None
