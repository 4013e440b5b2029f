"""Fits the reactor to an installed Twisted: its interfaces, transports, addresses, log context.

How it works
------------
A transport is whose `TRANSPORTS` says. Twisted's transports need of a reactor what Twisted's own
base classes have: those functions are put onto our class. That costs imports, so a descriptor
stands for each of them until it is asked for.

Thread: any, at import; what is put onto the reactor belongs to the loop's thread.
"""

from __future__ import annotations

import sys
from functools import partial, wraps
from importlib import import_module
from typing import TYPE_CHECKING, Any

from twistlike._base import address, threadable
from twistlike._base.error import ConnectionLost, ReactorNotRestartable
from twistlike._eventloop.current import runningLoop
from twistlike._eventloop.loops import newLoop
from twistlike._reactor.current import defaultReactor
from twistlike._reactor.descriptors import Descriptors
from twistlike._reactor.lifecycle import State
from twistlike._reactor.reactor import AsyncioSelectorReactor
from twistlike._reactor.resolver import ThreadedResolver
from twistlike._timers.clock import Clock
from twistlike._timers.queue import DelayedCall
from twistlike.internet import asyncioreactor
from twistlike.overlay.with_twisted.public_names import showAsTwisteds
from twistlike.overlay.with_twisted.writers import flushAfterReading, writeWithoutAsking

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable

__all__ = ["TRANSPORTS", "fit", "registerBoth", "useTwistedsAddresses"]

_POSIX = "twisted.internet.posixbase:PosixReactorBase"

TRANSPORTS = {
    "tcp": "twisted",
    "tls": "twisted",
    "udp": "twisted",
    "unix": "twisted",
    "process": "twisted",
}
"""Kind of transport: whose it is where a Twisted is installed, `"twisted"` or `"twistlike"`."""

_METHODS = {
    "adoptDatagramPort": ("udp", _POSIX),
    "adoptStreamConnection": ("tcp", _POSIX),
    "adoptStreamPort": ("tcp", _POSIX),
    "connectSSL": ("tls", _POSIX),
    "connectTCP": ("tcp", _POSIX),
    "connectUNIX": ("unix", _POSIX),
    "connectUNIXDatagram": ("unix", _POSIX),
    "listenMulticast": ("udp", _POSIX),
    "listenSSL": ("tls", _POSIX),
    "listenTCP": ("tcp", _POSIX),
    "listenUDP": ("udp", _POSIX),
    "listenUNIX": ("unix", _POSIX),
    "listenUNIXDatagram": ("unix", _POSIX),
    "_supportedAddressFamilies": ("tcp", _POSIX),
}
"""Attribute of the reactor: the kind of transport that it makes, and the class that has it."""


_INTERFACES = (
    "IReactorCore",
    "IReactorTime",
    "IReactorThreads",
    "IReactorFDSet",
    "IReactorTCP",
    "IReactorUDP",
    "IReactorMulticast",
    "IReactorSSL",
    "IReactorUNIX",
    "IReactorUNIXDatagram",
    "IReactorProcess",
    "IReactorSocket",
    "IReactorPluggableNameResolver",
    "IReactorPluggableResolver",
    "_ISupportsExitSignalCapturing",
)

_STREAM = (
    "ITCPTransport",
    "ITLSTransport",
    "ISystemHandle",
    "IReadWriteDescriptor",
    "IHalfCloseableDescriptor",
    "IPushProducer",
    "IConsumer",
    "ILoggingContext",
)

_NATIVE = {
    "tcp": {
        "stream:Connection": _STREAM,
        "clients:BaseConnector": ("IConnector",),
        "ports:StreamPort": ("IListeningPort", "IReadDescriptor", "ILoggingContext"),
    },
    "unix": {
        "unix:Server": ("IUNIXTransport",),
        "unix:Client": ("IUNIXTransport",),
        "unix_datagrams:DatagramPort": ("IUNIXDatagramTransport", "IListeningPort"),
        "unix_datagrams:ConnectedDatagramPort": ("IUNIXDatagramConnectedTransport",),
    },
    "udp": {
        "udp:Port": ("IUDPTransport", "IListeningPort", "ISystemHandle"),
        "multicast:MulticastPort": ("IMulticastTransport",),
    },
}
"""Kind of transport: our classes of it, and what they provide of Twisted's interfaces."""

_isFitted = False


def fit(short: str) -> None:
    """Fit our class; a second call does nothing.

    Args:
        short: The module that has been loaded.
    """
    global _isFitted
    if _isFitted:
        return
    _isFitted = True
    _declare()
    kind: Any = AsyncioSelectorReactor
    for name, (transport, owner) in _METHODS.items():
        if TRANSPORTS[transport] == "twisted":
            setattr(kind, name, _Borrowed(owner))
    if TRANSPORTS["process"] == "twisted":
        kind.spawnProcess = _spawnProcess
    kind.usingThreads = True
    kind.installed = True
    kind.wakeUp = _wakeUp
    kind.disconnectAll = _disconnector(kind.disconnectAll)
    kind.__init__ = _initialiser(kind.__init__)
    kind.startRunning = _starter(kind.startRunning)
    showAsTwisteds(asyncioreactor)
    setattr(asyncioreactor, "install", _installer(asyncioreactor.install))
    _surroundByLogContext()
    writeWithoutAsking()
    # Ours go as soon as Twisted's are loaded. It may be in the middle of that: it has asked for the
    # interfaces.
    import_module("twisted.internet.address")


def registerBoth(short: str = "") -> None:
    """Have Twisted's module know, too, in which thread a reactor has been started."""
    from twisted.python import threadable as theirs  # loaded: this runs after its import

    ours = threadable.registerAsIOThread

    def registerAsIOThread() -> None:
        ours()
        theirs.registerAsIOThread()

    if theirs.registerAsIOThread is not ours:
        if threadable.ioThread is not None:
            theirs.ioThread = threadable.ioThread
        threadable.registerAsIOThread = registerAsIOThread


def _declare() -> None:
    """Say to zope.interface what our classes provide."""
    from twisted.internet import interfaces  # only where a Twisted is installed
    from zope.interface import classImplements

    provided = [getattr(interfaces, name, None) for name in _INTERFACES]
    classImplements(AsyncioSelectorReactor, *[each for each in provided if each is not None])
    for transport, classes in _NATIVE.items():
        for where, names in classes.items() if TRANSPORTS[transport] == "twistlike" else ():
            room, _, name = where.partition(":")
            kind = getattr(import_module(f"twistlike._transports.{room}"), name)
            classImplements(kind, *[getattr(interfaces, each) for each in names])
    classImplements(Clock, interfaces.IReactorTime)
    classImplements(DelayedCall, interfaces.IDelayedCall)
    classImplements(ThreadedResolver, interfaces.IHostnameResolver, interfaces.IResolverSimple)


class _Borrowed:
    """Stands for a function of a class of Twisted's until somebody asks for it.

    Args:
        owner: Where the class is, as `"module:class"`.
    """

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._name = ""
        self._home: type | None = None

    def __get__(self, instance: object, owner: type) -> Any:
        """Put the function into this one's place, and return it as Python would have."""
        name = next(
            (key for base in owner.__mro__ for key, each in vars(base).items() if each is self), ""
        )
        home: Any = next(base for base in owner.__mro__ if name in vars(base))
        module, _, cls = self._owner.partition(":")
        value: Any = vars(_load(module, cls, name))[name]
        setattr(home, name, value)
        return getattr(owner if instance is None else instance, name)


def _load(module: str, cls: str, name: str) -> type:
    """Return the class that has a function: the one named, or one of its bases."""
    kind: type = getattr(import_module(module), cls)
    return next(base for base in kind.__mro__ if name in vars(base))


def useTwistedsAddresses(short: str) -> None:
    """Have what our modules tell of addresses be of Twisted's classes.

    The modules that are loaded already know ours by name; those that come later take what they
    find.
    """
    from twisted.internet import address as theirs  # only where a Twisted is installed

    for name in address.__all__:
        ours, new = getattr(address, name), getattr(theirs, name)
        for module in [each for key, each in sys.modules.items() if key.startswith("twistlike._")]:
            if vars(module).get(name) is ours:
                setattr(module, name, new)


def _spawnProcess(self: Any, *args: Any, **kwargs: Any) -> Any:
    """Start a process by Twisted's `spawnProcess`, and reap it when it has ended."""
    from twisted.internet.posixbase import PosixReactorBase  # 50 ms; at the first use

    from twistlike.overlay.with_twisted.children import watchChild

    transport = PosixReactorBase.spawnProcess(self, *args, **kwargs)
    watchChild(self, transport)
    return transport


_spawnProcess.__name__ = _spawnProcess.__qualname__ = "spawnProcess"


def _disconnector(plain: Callable[[Any], None]) -> Callable[[Any], None]:
    @wraps(plain)
    def disconnectAll(self: Any) -> None:
        if "removeAll" in vars(self):  # suites replace it on the instance, to say who is lost
            for each in self.removeAll():
                self._descriptors._tell(each, "connectionLost", ConnectionLost())
        plain(self)

    return disconnectAll


def _wakeUp(self: Any) -> None:
    """Have the loop make a turn. Thread: any."""
    self.callFromThread(_nothing)


def _initialiser(plain: Callable[..., None]) -> Callable[..., None]:
    def __init__(self: Any, eventloop: AbstractEventLoop | None = None) -> None:
        """Make a reactor; without a loop it makes one now, which is asyncio's current one.

        Programs for Twisted make futures and tasks for that loop before the reactor runs.
        """
        ours = sys._getframe(1).f_globals.get("__name__", "").startswith("twistlike.")
        if eventloop is None and not ours and runningLoop() is None:
            import asyncio  # only programs that make a reactor by themselves come here

            eventloop = newLoop()
            asyncio.set_event_loop(eventloop)
        plain(self, eventloop)

    return __init__


def _installer(plain: Callable[..., None]) -> Callable[..., None]:
    @wraps(plain)
    def install(eventloop: AbstractEventLoop | None = None) -> None:
        plain(eventloop)
        # To import a module that is there already does not make it an attribute of its package.
        setattr(import_module("twisted.internet"), "reactor", defaultReactor())

    return install


def _starter(plain: Callable[..., None]) -> Callable[..., None]:
    @wraps(plain)
    def startRunning(self: Any, installSignalHandlers: bool = True) -> None:
        if self._life.state is State.STOPPING and not self._life.running:
            raise ReactorNotRestartable(
                "run() was called by a trigger of the shutdown; call it when run() has returned"
            )
        plain(self, installSignalHandlers)

    return startRunning


def _nothing() -> None:
    """Be called."""


def _surroundByLogContext() -> None:
    """Have `doRead` and `doWrite` log as the object that is called: its `logPrefix`."""
    from twisted.python.log import callWithLogger  # loaded with the interfaces in any case

    plain = Descriptors._call

    def _call(self: Descriptors, selectable: Any, reading: bool) -> BaseException | None:
        call = partial(callWithLogger, selectable, plain, self, selectable, reading)
        fatal: BaseException | None = (
            flushAfterReading(self, selectable, call) if reading else call()
        )
        return fatal

    Descriptors._call = _call  # type: ignore[method-assign]
