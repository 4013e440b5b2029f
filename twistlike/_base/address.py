"""The addresses of transports and ports: immutable values. Thread: any."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from twistlike._base.naming import showAs

if TYPE_CHECKING:
    from typing import Literal

__all__ = ["HostnameAddress", "IPv4Address", "IPv6Address", "UNIXAddress"]


class _Address:
    """Equality, hash and repr over the attributes that `_fields` names."""

    _fields: tuple[str, ...] = ()

    def _key(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self._fields)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, _Address) and type(other) is type(self):
            return self._key() == other._key()
        return NotImplemented

    def __hash__(self) -> int:
        return hash((type(self), self._key()))

    def __repr__(self) -> str:
        items = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._fields)
        return f"{type(self).__name__}({items})"


def _checkType(type: str) -> None:
    if type not in ("TCP", "UDP"):
        raise ValueError(f"the type of an address is 'TCP' or 'UDP', not {type!r}")


class IPv4Address(_Address):
    """One end of a TCP connection or UDP port.

    Args:
        type: "TCP" or "UDP".
        host: The address in dotted decimals.
        port: The port's number.

    Raises:
        ValueError: If the type is another one.
    """

    _fields = ("type", "host", "port")

    def __init__(self, type: Literal["TCP", "UDP"], host: str, port: int) -> None:
        _checkType(type)
        self.type = type
        self.host = host
        self.port = port


class IPv6Address(_Address):
    """One end of a TCP connection or UDP port over IPv6.

    Args:
        type: "TCP" or "UDP".
        host: The address in hexadecimal groups.
        port: The port's number.
        flowInfo: The flow label.
        scopeID: The scope, or its interface's name.

    Raises:
        ValueError: If the type is another one.
    """

    _fields = ("type", "host", "port", "flowInfo", "scopeID")

    def __init__(
        self,
        type: Literal["TCP", "UDP"],
        host: str,
        port: int,
        flowInfo: int = 0,
        scopeID: str | int = 0,
    ) -> None:
        _checkType(type)
        self.type = type
        self.host = host
        self.port = port
        self.flowInfo = flowInfo
        self.scopeID = scopeID


class HostnameAddress(_Address):
    """A host that was not resolved.

    Args:
        hostname: Its name.
        port: The port's number.
    """

    _fields = ("hostname", "port")

    def __init__(self, hostname: bytes, port: int) -> None:
        self.hostname = hostname
        self.port = port


class UNIXAddress(_Address):
    """A UNIX socket. Two are equal if their names lead to the same file.

    Args:
        name: The path of its file; `None` if it has none.
    """

    _fields = ("name",)

    def __init__(self, name: str | bytes | None) -> None:
        self.name = None if name is None else os.fsencode(name)

    def _key(self) -> tuple[Any, ...]:
        if self.name:
            try:
                found = os.stat(self.name)
            except (OSError, ValueError):
                pass  # no file, or an abstract socket, whose name begins with a zero byte
            else:
                return found.st_ino, found.st_dev
        return (self.name,)

    def __repr__(self) -> str:
        name = None if self.name is None else os.fsdecode(self.name)
        return f"UNIXAddress({name!r})"


showAs("twistlike.internet.address", globals(), __all__)
