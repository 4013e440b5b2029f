"""Fits our own TCP transports to an installed Twisted: its log, interfaces, bindings and TLS.

How it works
------------
A program that opens no connection does not import them, so nothing of this happens before the
reactor is first asked for one, or Twisted's module of them is imported. That module then offers our
classes, since programs ask `isinstance(reader, tcp.Client)`. Its own ones stay below those of
Twisted's transports that are not ours: these modules find them there while they are loaded.

Thread: any, at import; connections belong to the loop's thread.
"""

from __future__ import annotations

import sys
from functools import wraps
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from twistlike._log.logcontext import now

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from twistlike._base.failure import Failure

__all__ = ["fitTransports", "replaceClasses", "takingBindings", "withTheirClasses"]

INTERFACES = {
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

REPLACED = ("Client", "Connector", "Port", "Server")
"""What Twisted's module `internet.tcp` offers of ours. Its own classes do not look these up."""

_theirs: dict[str, Any] = {}
"""What was there before, by name."""

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

    for where, names in INTERFACES.items():
        module, _, name = where.partition(":")
        kind = getattr(import_module(f"twistlike._transports.{module}"), name)
        classImplements(kind, *[getattr(interfaces, each) for each in names])
    ports: Any = import_module("twistlike._transports.ports")
    ports.msg = log.msg
    stream: Any = import_module("twistlike._transports.stream")
    stream.Connection.startTLS = _startTLS
    _showInLogContext(log.ILogContext)
    if "twisted.internet.tcp" in sys.modules:
        replaceClasses("internet.tcp")


def replaceClasses(short: str) -> None:
    """Have Twisted's module of TCP offer our classes in the place of its own.

    Args:
        short: The module's short name.
    """
    fitTransports()
    theirs: Any = sys.modules[f"twisted.{short}"]
    ours = import_module("twistlike.internet.tcp")
    for name in REPLACED:
        if hasattr(theirs, name):
            _theirs.setdefault(name, getattr(theirs, name))
            setattr(theirs, name, getattr(ours, name))


def withTheirClasses(short: str, load: Callable[[], None]) -> None:
    """Load a module of Twisted's whose classes inherit from Twisted's own of TCP.

    Args:
        short: The module's short name.
        load: Loads it.
    """
    tcp: Any = import_module("twisted.internet.tcp")
    ours = {name: getattr(tcp, name) for name in _theirs}
    vars(tcp).update(_theirs)
    # The module looks into this one when it is used, not only while it is loaded.
    before = ModuleType(tcp.__name__, tcp.__doc__)
    vars(before).update(vars(tcp))
    try:
        load()
    finally:
        vars(tcp).update(ours)
    module: Any = sys.modules[f"twisted.{short}"]
    if getattr(module, "tcp", None) is tcp:
        module.tcp = before


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
    factory = TLSMemoryBIOFactory(ctx, self._hasConnected is bool(normal), None)
    attach(StartedTLS(factory, self.protocol, False), self)
    alsoProvides(self, ISSLTransport)


_startTLS.__name__ = _startTLS.__qualname__ = "startTLS"
