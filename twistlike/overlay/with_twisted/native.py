"""Fits our own TCP transports to an installed Twisted: its log, interfaces, bindings and TLS.

How it works
------------
A program that opens no connection does not import them, so nothing of this happens before the
reactor is first asked for one, or Twisted's module of them is imported.

Programs ask `isinstance(reader, tcp.Client)`, and inherit from the classes of `internet.tcp`, whose
private parts they know. So these stay Twisted's own, which work on our reactor; what the module
offers inherits from them, and takes ours for instances as well.

Thread: any, at import; connections belong to the loop's thread.
"""

from __future__ import annotations

import sys
from abc import ABCMeta
from functools import wraps
from importlib import import_module
from typing import TYPE_CHECKING, Any

from twistlike._log.logcontext import now

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from twistlike._base.failure import Failure

__all__ = ["countOurs", "fitTransports", "takingBindings"]

_INTERFACES = {
    "stream:Connection": (
        "ITCPTransport",
        "ITLSTransport",
        "ISystemHandle",
        "IReadWriteDescriptor",
        "IHalfCloseableDescriptor",
        "IPushProducer",
        "IConsumer",
        "ILoggingContext",
    ),
    "clients:BaseConnector": ("IConnector",),
    "ports:StreamPort": ("IListeningPort", "IReadDescriptor", "ILoggingContext"),
}
"""Our classes, and what they provide of Twisted's interfaces."""

_COUNTED = ("BaseClient", "Client", "Connection", "Connector", "Port", "Server")
"""The classes of Twisted's `internet.tcp` that take ours of the same name for theirs."""

_isFitted = False


def fitTransports() -> None:
    """Fit our classes; a second call does nothing."""
    global _isFitted
    if _isFitted:
        return
    _isFitted = True
    from twisted.internet import interfaces  # only where a Twisted is installed
    from twisted.python import log
    from zope.interface import classImplements

    for where, names in _INTERFACES.items():
        home, _, name = where.partition(":")
        kind = getattr(import_module(f"twistlike._transports.{home}"), name)
        classImplements(kind, *[getattr(interfaces, each) for each in names])
    for each in "ports", "base_port":
        module: Any = import_module(f"twistlike._transports.{each}")
        module.msg = log.msg
    stream: Any = import_module("twistlike._transports.stream")
    stream.Connection.startTLS = _startTLS
    _showInLogContext(log.ILogContext)
    if "twisted.internet.tcp" in sys.modules:
        countOurs("internet.tcp")


class _AlsoOurs(ABCMeta):
    """The class of classes that take instances of ours for their own.

    It is one of `abc`'s, so that programs may mix these classes with abstract ones.

    Attributes:
        counted: Class: the classes whose instances it takes for its own.
    """

    counted: dict[type, tuple[type, type]] = {}

    def __instancecheck__(cls, instance: Any) -> bool:
        """Return whether something is an instance of the class, or of one that it takes."""
        taken = _AlsoOurs.counted.get(cls, ())
        return type.__instancecheck__(cls, instance) or isinstance(instance, taken)

    def __subclasscheck__(cls, subclass: type) -> bool:
        """Return whether a class inherits from this class, or from one that it takes."""
        taken = _AlsoOurs.counted.get(cls)  # none for a class that inherits from one of these
        if taken is None:
            return type.__subclasscheck__(cls, subclass)
        return issubclass(subclass, taken)


def countOurs(short: str) -> None:
    """Have Twisted's module of TCP offer classes that take ours for theirs.

    Args:
        short: The short name of the module that has been loaded.
    """
    theirs: Any = sys.modules[f"twisted.{short}"]
    ours = import_module("twistlike.internet.tcp")
    for name in _COUNTED:
        kind = getattr(theirs, name, None)
        if type(kind) is type:
            shown = {"__module__": kind.__module__, "__doc__": kind.__doc__}
            offered = _AlsoOurs(name, (kind,), shown)
            _AlsoOurs.counted[offered] = kind, getattr(ours, name)
            setattr(theirs, name, offered)


def takingBindings(plain: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that takes what Twisted's `makeBinding` returns, as `plain` takes ours.

    Args:
        plain: `listenTCP` or `connectTCP`.
    """

    @wraps(plain)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        taken = [_binding(each) for each in args]
        return plain(self, *taken, **{name: _binding(each) for name, each in kwargs.items()})

    return method


def _binding(thing: Any) -> Any:
    """Return our binding for Twisted's; anything else as it is."""
    kind = type(thing)
    if (kind.__module__, kind.__name__) != ("twisted.internet.interfaces", "_Binding"):
        return thing
    from twistlike._transports.binding import makeBinding  # not before there are connections

    return makeBinding(thing._address, thing._port, thing._reuseAddress, thing._reusePort)


def _showInLogContext(key: Any) -> None:
    """Have Twisted's log find the name of the connection that calls its protocol.

    Args:
        key: That of Twisted's log for what its events get, in `python.context`.
    """
    context: Any = import_module("twistlike.python.context")
    plain = context.get
    now.present = lambda: plain(key)

    def get(asked: Any, default: Any = None) -> Any:
        found: Mapping[str, Any] = plain(asked, default)
        caller = now.caller
        return found if caller is None or asked is not key else caller.logKeys(found)

    context.get = get


def _startTLS(self: Any, ctx: Any, normal: bool = True) -> None:
    """Speak TLS from now on, by Twisted's TLS: contexts and certificates are pyOpenSSL's.

    Args:
        self: The connection.
        ctx: What makes a context of pyOpenSSL's, such as `ssl.CertificateOptions`.
        normal: Whether the side that has connected is TLS's client.
    """
    if self._elsewhere(self.startTLS, ctx, normal):
        return
    if self.TLS:
        raise RuntimeError(f"{self!r} speaks TLS already")
    from twisted.internet.interfaces import ISSLTransport  # loaded in any case
    from twisted.protocols.tls import TLSMemoryBIOFactory
    from zope.interface import alsoProvides

    from twistlike._transports.start_tls import attach, detach

    class StartedTLS(TLSMemoryBIOFactory.protocol):  # type: ignore[misc]
        def connectionLost(self, reason: Failure) -> None:
            detach(connection)
            super().connectionLost(reason)

    connection = self
    none: Any = None  # the protocol is there already
    factory = TLSMemoryBIOFactory(ctx, self._hasConnected is bool(normal), none)
    attach(StartedTLS(factory, self.protocol, False), self)
    alsoProvides(self, ISSLTransport)


_startTLS.__name__ = _startTLS.__qualname__ = "startTLS"
