"""Fits the reactor to an installed Twisted: its interfaces, transports, addresses, log context.

How it works
------------
TCP connections are ours, and what is built on them: TLS is Twisted's. UNIX sockets, datagrams and
processes are Twisted's; these need of a reactor what Twisted's own base classes have, so those
functions are put onto our class. That costs imports, so a descriptor stands for each of them until
it is asked for.

Thread: any, at import; what is put onto the reactor belongs to the loop's thread.
"""

from __future__ import annotations

import socket
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
from twistlike.overlay.with_twisted.late import Late
from twistlike.overlay.with_twisted.native import fitTransports, takingBindings
from twistlike.overlay.with_twisted.public_names import showAsTwisteds
from twistlike.overlay.with_twisted.writers import flushAfterReading, writeWithoutAsking

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable

__all__ = ["fit", "registerBoth", "useTwistedsAddresses"]

_POSIX = "twisted.internet.posixbase:PosixReactorBase"

_OURS = ("connectTCP", "listenTCP")
"""Methods of the reactor that make connections of ours. Those with TLS are made on these."""

_EITHERS = ("adoptStreamConnection", "adoptStreamPort")
"""Methods that make connections of ours on TCP, and Twisted's on UNIX sockets."""

_BORROWED = (
    "adoptDatagramPort",
    "connectSSL",
    "connectUNIX",
    "connectUNIXDatagram",
    "listenMulticast",
    "listenSSL",
    "listenUDP",
    "listenUNIX",
    "listenUNIXDatagram",
    "_supportedAddressFamilies",
)
"""Attributes of Twisted's reactors that make its own transports."""

_UNIX = getattr(socket, "AF_UNIX", None)

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
    for name in _OURS:
        setattr(kind, name, Late(partial(_prepared, getattr(kind, name))))
    for name in _EITHERS:
        setattr(kind, name, Late(partial(_adopting, getattr(kind, name))))
    for name in _BORROWED:
        setattr(kind, name, Late(partial(_ofPosix, name)))
    kind.spawnProcess = _spawnProcess
    kind.runUntilCurrent = _runUntilCurrent
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
    classImplements(Clock, interfaces.IReactorTime)
    classImplements(DelayedCall, interfaces.IDelayedCall)
    classImplements(ThreadedResolver, interfaces.IHostnameResolver, interfaces.IResolverSimple)


def _prepared(ours: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method of ours, once our transports are fitted."""
    fitTransports()
    return takingBindings(ours)


def _adopting(ours: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that adopts a socket by ours, or by Twisted's if it is a UNIX socket."""
    fitTransports()
    theirs = _ofPosix(ours.__name__)

    @wraps(ours)
    def adopt(self: Any, fileDescriptor: int, addressFamily: int, factory: Any) -> Any:
        method = theirs if addressFamily == _UNIX else ours
        return method(self, fileDescriptor, addressFamily, factory)

    return adopt


def _ofPosix(name: str) -> Any:
    """Return an attribute of the class that has Twisted's transports, or of one of its bases."""
    module, _, cls = _POSIX.partition(":")
    kind: type = getattr(import_module(module), cls)
    return next(vars(base)[name] for base in kind.__mro__ if name in vars(base))


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
        # Suites replace `removeAll` on the instance, to say who is lost. An attempt to connect that
        # no loop has taken up yet is watched by nobody, and goes on once there is a loop.
        noLoop = self._transports.loop is None
        if noLoop or "removeAll" in vars(self):
            for each in self.removeAll():
                self._descriptors._tell(each, "connectionLost", ConnectionLost())
        if not noLoop:
            plain(self)

    return disconnectAll


def _runUntilCurrent(self: Any) -> None:
    """Make one turn: run the timers that are due and the calls of threads, and wait for nothing."""
    self.iterate(0)


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
