"""Calls a protocol so that what it logs carries its name.

For child processes, and the standard input and output. Ports and connections are asked many
thousand times a second: they do the same by themselves, with less work for each call.

Thread: the reactor's.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, TypeVar

from twistlike._base import context
from twistlike._log.legacy import ILogContext
from twistlike._log.logcontext import now
from twistlike._transports.abstract import nameForLogs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["callNamed"]

R = TypeVar("R")


class _Named:
    """What calls a protocol.

    Args:
        protocol: The protocol.
        keys: What the context has for events at the beginning of the call.
    """

    __slots__ = ("_keys", "_protocol", "_thread")

    def __init__(self, protocol: object, keys: object) -> None:
        self._protocol = protocol
        self._keys = keys
        self._thread = threading.get_ident()

    def logKeys(self, keys: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what an event gets: the name, unless the call has chosen another one."""
        if keys is not self._keys or threading.get_ident() != self._thread:
            return keys
        try:
            return {**keys, "system": nameForLogs(self._protocol)}
        except Exception as error:  # of the protocol's method
            return {**keys, "system": f"(logPrefix raised {type(error).__name__})"}


def callNamed(protocol: object, function: Callable[..., R], *args: Any) -> R:
    """Call a function on behalf of a protocol.

    Args:
        protocol: What it logs is logged under this one's name.
        function: The function.
        args: Its arguments.

    Returns:
        What it returns.
    """
    caller, now.caller = now.caller, None  # so that the context tells what it has by itself
    now.caller = _Named(protocol, context.get(ILogContext))
    try:
        return function(*args)
    finally:
        now.caller = caller
