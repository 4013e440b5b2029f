"""Checks the factories and protocols that users pass. Thread: any."""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, Any

from twistlike._base.functions import describe
from twistlike._base.reflect import safe_repr

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CONNECTS", "LISTENS", "checkFactory", "checkProtocol", "connectionMadeOf"]

# What is asked of a factory, before anything has been done for it.
LISTENS = ("doStart", "buildProtocol")
CONNECTS = (*LISTENS, "startedConnecting", "clientConnectionFailed")


def checkFactory(factory: object, methods: tuple[str, ...], user: str) -> None:
    """Refuse what is no factory: mostly its class, or a protocol.

    Args:
        factory: What a user has given.
        methods: What it has to have.
        user: What takes it, for the error.

    Raises:
        TypeError: If it lacks a method, or is a class whose methods need an instance.
    """
    for name in methods:
        method = getattr(factory, name, None)
        if callable(method) and not (
            isinstance(factory, type) and isinstance(method, FunctionType)
        ):
            continue
        found, instead = safe_repr(factory), ""
        if isinstance(factory, type):
            found = f"the class {describe(factory)}"
            instead = f": write {factory.__name__}()"
        kind = factory if isinstance(factory, type) else type(factory)
        if hasattr(kind, "makeConnection"):
            instead = f": write Factory.forProtocol({kind.__name__})"
        elif hasattr(kind, "buildProtocol") and name not in LISTENS:
            instead = f", and this one has no {name}: write a ClientFactory"
        raise TypeError(f"{user} takes a factory, not {found}{instead}")


def checkProtocol(protocol: object, factory: object) -> None:
    """Refuse what a factory has made if it is no protocol.

    Raises:
        TypeError: If it has no `makeConnection`.
    """
    if not callable(getattr(protocol, "makeConnection", None)):
        raise TypeError(
            f"buildProtocol of {safe_repr(factory)} has returned {safe_repr(protocol)}, which is no"
            " protocol"
        )


def connectionMadeOf(protocol: Any) -> Callable[..., object]:
    """Return what a report names when `makeConnection` of a protocol has raised: the user's method.

    That is `connectionMade` of the innermost protocol, if nobody has replaced `makeConnection`.

    Args:
        protocol: The protocol, which may wrap others.
    """
    made: Callable[..., object] = protocol.makeConnection
    try:
        protocol = _innermost(protocol)
        made = protocol.makeConnection
        isOurs = made.__module__.partition(".")[0] == __name__.partition(".")[0]
        return protocol.connectionMade if isOurs else made
    except Exception:  # it has no such attributes, or is anybody's object
        return made


def _innermost(protocol: Any) -> Any:
    # A loop of its own: where one in a `try` jumps back, 3.12 and later find no `except`.
    while (wrapped := vars(protocol).get("wrappedProtocol")) is not None:
        protocol = wrapped
    return protocol
