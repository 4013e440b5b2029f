"""A socket of our own, watched by the loop: what ports, attempts and connections share.

Thread: the reactor's. Public calls of another thread's are refused, or handed over where the
reactor's policy says so.
"""

from __future__ import annotations

import struct
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from twistlike._base.failure import Failure
from twistlike._eventloop import current
from twistlike._log.logcontext import now
from twistlike._transports.abstract import FileDescriptor
from twistlike._transports.transports import theReactor

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Mapping
    from contextvars import Context
    from socket import socket as Socket

    from twistlike._transports.transports import Transports

__all__ = ["SocketDescriptor", "closeSocket", "prepareClose"]

# For SO_LINGER: on, for 0 s. Closing the socket then resets the connection.
_LINGER_NOT = struct.pack("ii", 1, 0)


def prepareClose(skt: Socket, orderly: bool) -> None:
    """Decide what the peer sees when a connection's socket is closed.

    Args:
        skt: The socket.
        orderly: Whether the peer sees the end rather than a reset. It then does so even if another
            process has inherited the socket.
    """
    import socket  # not at the top: 3 ms

    try:
        if orderly:
            skt.shutdown(socket.SHUT_RDWR)
        else:
            skt.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
    except OSError:
        pass  # it is not connected (any more)


def closeSocket(skt: Socket, orderly: bool) -> None:
    """Close a connection's socket.

    Args:
        skt: The socket.
        orderly: As for `prepareClose`.
    """
    prepareClose(skt, orderly)
    try:
        skt.close()
    except OSError:
        pass  # a reset that nobody has looked at; the descriptor is closed all the same


class _Ending:
    """What ends, for logs: its name is the protocol's, which it loses at its end.

    Args:
        descriptor: What ends.
    """

    __slots__ = ("_descriptor", "_name")

    def __init__(self, descriptor: SocketDescriptor) -> None:
        self._descriptor = descriptor
        self._name = descriptor._nameAtEnd()

    def logKeys(self, keys: Mapping[str, Any]) -> Mapping[str, Any]:
        """As a descriptor's."""
        return self._descriptor._logKeysAs(self._name, keys)


class SocketDescriptor(FileDescriptor):
    """A socket that the loop watches, and its place among what the reactor has open.

    What the loop calls runs in a copy of the context in which the object was made.

    Args:
        reactor: The reactor; `None` for the current one.
        context: The context, if it is another one than the present: one that nobody enters.

    Raises:
        TypeError: If it is no reactor of this package's.
    """

    socket: Socket
    _number = -1  # the descriptor's; the socket does not know it any more once it is closed
    _reading: bool
    _writing: bool  # doWrite will be called: at the end of this turn, in the next, or later
    _watchesRoom = False  # by the loop's add_writer

    def __init__(self, reactor: Any, context: Context | None = None) -> None:
        super().__init__(theReactor(reactor))
        self._context: Context = copy_context() if context is None else context
        self._reading = self._writing = False

    @property
    def _net(self) -> Transports:
        net: Transports = self.reactor._transports
        return net

    def _take(self, skt: Socket) -> None:
        """Have a socket from now on."""
        skt.setblocking(False)
        self.socket = skt
        self._number = skt.fileno()

    def fileno(self) -> int:
        """Return the descriptor; -1 if the socket is closed."""
        skt: Socket | None = getattr(self, "socket", None)
        return -1 if skt is None else skt.fileno()

    def getHandle(self) -> Socket:
        """Return the socket."""
        return self.socket

    # ---- threads ---------------------------------------------------------------------------------

    def _elsewhere(self, function: Callable[..., object], *args: Any) -> bool:
        """Look whether this thread may call a method; hand the call over if policy says so.

        Returns:
            True if it was handed over, so that there is nothing to be done here.

        Raises:
            WrongThreadError: It may not, which is the default policy for other threads.
        """
        net = self._net
        if current.runningLoop() is net.loop or net.enter(f"transport.{function.__name__}"):
            return False
        net.post(function, args, {})
        return True

    if not TYPE_CHECKING:  # else each name would seem to be there

        def __getattr__(self, name: str) -> Any:
            """Say why there is no socket or protocol. What is there does not come here."""
            if name in ("socket", "protocol"):
                text = f"this {type(self).__name__} has ended, or not begun: it has no {name}"
            else:
                text = f"{type(self).__name__!r} object has no attribute {name!r}"
            raise AttributeError(text, name=name, obj=self)

    def _mayNot(self, function: Callable[[], None]) -> bool:
        """Do for a call that concerns the loop's selector what `_elsewhere` does.

        It is made before there is a loop, and while that rests, as well: by any thread then.
        """
        loop = self._net.loop
        if loop is None or current.runningLoop() is loop or not loop.is_running():
            return False
        return self._elsewhere(function)

    # ---- watching --------------------------------------------------------------------------------

    def startReading(self) -> None:
        """Read what comes.

        Raises:
            WrongThreadError: In another thread than the loop's; so do the three that follow.
        """
        if not self._reading and not self._mayNot(self.startReading):
            self._reading = True
            loop = self._net.loop
            if loop is not None:
                self._watchReading(loop)

    def stopReading(self) -> None:
        """Read no more for now."""
        if self._reading and not self._mayNot(self.stopReading):
            self._reading = False
            loop = self._net.loop
            if loop is not None:
                self._unwatchReading(loop)

    def startWriting(self) -> None:
        """Call `doWrite` on the loop's next turn, and go on when there is room."""
        if not self._writing and not self._mayNot(self.startWriting):
            self._writing = True
            loop = self._net.loop
            if loop is not None:
                loop.call_soon(self._writeReady, context=self._context.copy())

    def stopWriting(self) -> None:
        """Write no more."""
        if self._writing and not self._mayNot(self.stopWriting):
            self._writing = False
            if self._watchesRoom:
                self._watchesRoom = False
                loop = self._net.loop
                if loop is not None and not loop.is_closed():
                    loop.remove_writer(self._watchable(loop))

    def watch(self, loop: AbstractEventLoop) -> None:
        """Begin to be watched by a loop: what was asked for before goes on."""
        if self._reading:
            self._watchReading(loop)
        if self._writing:
            loop.call_soon(self._writeReady, context=self._context.copy())

    def unwatch(self, loop: AbstractEventLoop) -> None:
        """End to be watched by a loop; what was asked for is kept."""
        if self._reading:
            self._unwatchReading(loop)
        if self._watchesRoom:
            self._watchesRoom = False
            if not loop.is_closed():
                loop.remove_writer(self._watchable(loop))

    def _watchable(self, loop: AbstractEventLoop) -> Any:
        """Return what the loop is given: the descriptor, or the socket where that is safer.

        uvloop keeps a socket open while it watches it, if it is given that. It aborts the process
        if it watches a descriptor that somebody closes and that is then another socket's.
        """
        if type(loop).__module__.startswith("uvloop"):
            return getattr(self, "socket", self._number)
        return self._number

    def _watchReading(self, loop: AbstractEventLoop) -> None:
        # Each handle of the loop's copies the context that it is made in. The one that is entered
        # here is a copy as well: a context cannot be entered twice, and __del__ may come between.
        self._context.copy().run(loop.add_reader, self._watchable(loop), self._readReady)

    def _unwatchReading(self, loop: AbstractEventLoop) -> None:
        if not loop.is_closed():
            loop.remove_reader(self._watchable(loop))

    def _watchRoom(self, loop: AbstractEventLoop) -> None:
        self._watchesRoom = True
        self._context.copy().run(loop.add_writer, self._watchable(loop), self._writeReady)

    def _readReady(self) -> object:
        """Hear from the loop that there is something to read."""
        self._run(self.doRead)
        return None

    def _writeReady(self) -> None:
        """Hear from the loop that there is room to write, or that it is time to look."""
        if not self._writing:
            return  # stopped since this was asked for
        self._run(self.doWrite)
        self._waitForRoom()

    def _waitForRoom(self) -> None:
        """Have the loop tell when there is room, if there is more to write."""
        if self._writing and not self._watchesRoom:
            loop = self._net.loop
            if loop is not None:
                self._watchRoom(loop)

    def logKeys(self, keys: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what an event gets that a callback logs: the name, unless there is another one.

        Args:
            keys: What the present context has for events.
        """
        return self._logKeysAs(self.logPrefix, keys)

    def _nameAtEnd(self) -> Callable[[], str]:
        """Return what returns the name for logs, also when this has lost its protocol."""
        try:
            name = self.logPrefix()
        except Exception as error:  # of the protocol's method
            name = f"(logPrefix raised {type(error).__name__})"
        return lambda: name

    def _logKeysAs(self, prefix: Callable[[], str], keys: Mapping[str, Any]) -> Mapping[str, Any]:
        if current.runningLoop() is not self._net.loop:
            return keys  # it is another thread that logs
        if keys is not self._context.copy().run(now.present):
            return keys  # the callback has called `callWithLogger`, say
        try:
            return {**keys, "system": prefix()}
        except Exception as error:  # of the protocol's method
            return {**keys, "system": f"(logPrefix raised {type(error).__name__})"}

    def _run(self, function: Callable[..., BaseException | None], *args: Any) -> None:
        """Call what may find that the connection has ended, by returning or raising why."""
        caller = now.caller
        now.caller = self
        try:
            self._runHere(function, *args)
        finally:
            now.caller = caller

    def _runHere(self, function: Callable[..., BaseException | None], *args: Any) -> None:
        try:
            why = function(*args)
        except BaseException as error:
            self._raised(error, function)
        else:
            if why is not None:
                self._lost(Failure(why))

    def _raised(self, error: BaseException, function: Callable[..., object]) -> None:
        """Report an error of the user's code, which ends this connection and no other."""
        fatal = self._net.onError(error, function)
        self._lost(Failure.fromException(error))
        if fatal is not None:
            raise fatal from None

    def _endNow(self, reason: Failure) -> None:
        """End for a reason from outside: the reactor's end. What callbacks raise is reported.

        Args:
            reason: Why, which the protocol is told.
        """
        # Whatever ends the reactor has a context of its own, which is not the protocol's.
        self._context.copy().run(self._lost, reason)

    def _lost(self, reason: Failure) -> None:
        caller = now.caller
        now.caller = _Ending(self)
        try:
            self._net.guarded(self.connectionLost, reason)
        finally:
            now.caller = caller

    def _later(self, function: Callable[..., object], *args: Any) -> None:
        self._context.copy().run(self.reactor.callLater, 0, self._net.guarded, function, *args)
