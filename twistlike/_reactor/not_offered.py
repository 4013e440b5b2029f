"""What Twisted's reactors have and ours does not: asking for it says what serves instead.

How it works
------------
Each such name is a descriptor that raises `AttributeError`, so that `hasattr` is False. They
are in a base class that comes last in the reactor's: what the reactor really has wins. A
`__getattr__` would do the same for less text, but costs every user of the reactor: on CPython
3.11 each call of a method 28 ns more (22 ns without), later each property 36 ns.
"""

from __future__ import annotations

from typing import NoReturn

__all__ = ["NOT_OFFERED", "NotOffered"]

_CONNECT = "asyncio.open_connection, or loop.create_connection for a protocol"
_LISTEN = "asyncio.start_server, or loop.create_server for a protocol"
_TLS = "with ssl= for TLS"
_UDP = "asyncio's loop.create_datagram_endpoint"
_RESOLVER = "a subclass of your loop with a getaddrinfo of its own"
_WINDOWS = "asyncio's Proactor loop, which waits for events by itself"

NOT_OFFERED = {
    "addEvent": _WINDOWS,
    "adoptDatagramPort": f"{_UDP} with sock=",
    "adoptStreamConnection": "asyncio's loop.connect_accepted_socket",
    "adoptStreamPort": "asyncio.start_server with sock=",
    "connectSSL": f"{_CONNECT}, {_TLS}",
    "connectTCP": _CONNECT,
    "connectUNIX": "asyncio.open_unix_connection",
    "connectUNIXDatagram": f"{_UDP} with family=socket.AF_UNIX",
    "installNameResolver": _RESOLVER,
    "installResolver": _RESOLVER,
    "listenMulticast": f"{_UDP} and the socket's own options",
    "listenSSL": f"{_LISTEN}, {_TLS}",
    "listenTCP": _LISTEN,
    "listenUDP": _UDP,
    "listenUNIX": "asyncio.start_unix_server",
    "listenUNIXDatagram": f"{_UDP} with family=socket.AF_UNIX",
    "nameResolver": "reactor.resolve, or asyncio's loop.getaddrinfo",
    "removeEvent": _WINDOWS,
    "spawnProcess": "asyncio.create_subprocess_exec, awaited in a Deferred coroutine",
}
"""Attribute of Twisted's reactors: what serves instead where ours has none."""


class _Missing:
    """Stands for an attribute that is not there."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, owner: type) -> NoReturn:
        # Without the object: Python would look for a similar name, and suggest the wrong one.
        raise AttributeError(
            f"twistlike's reactor has no {self._name}. Instead: {NOT_OFFERED[self._name]}; or run "
            "the program on Twisted's own reactor",
            name=self._name,
        )

    # There is no __set__: a program or a test may put its own in that place.


class NotOffered:
    """The base of the reactor that knows what it does not have. It has to come last."""

    def __dir__(self) -> list[str]:
        """Leave out what is not there."""
        return [each for each in super().__dir__() if each not in NOT_OFFERED or _isSet(self, each)]


def _isSet(instance: object, name: str) -> bool:
    """Whether something has taken the place of a missing attribute."""
    if name in vars(instance):
        return True
    found = next(vars(base)[name] for base in type(instance).__mro__ if name in vars(base))
    return not isinstance(found, _Missing)


for _each in NOT_OFFERED:
    setattr(NotOffered, _each, _Missing(_each))
