"""Checks the factories and protocols that users pass. Thread: any."""

from __future__ import annotations

from types import FunctionType

from twistlike._base.functions import describe
from twistlike._base.reflect import safe_repr

__all__ = ["CONNECTS", "LISTENS", "checkFactory", "checkProtocol"]

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
