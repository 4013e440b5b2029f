"""Ports of datagrams: what those of UDP and of UNIX sockets have in common.

Thread: the reactor's.

How it works
------------
Each time that the loop says that something waits, datagrams are taken until none waits, or enough
were for one turn. On a loop that cannot watch sockets a task waits for them (`sock_recvfrom`).
Writing does not wait: a datagram is with the system when `write` returns, or `write` raises.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

from twistlike._base.coroutines import refuseCoroutine
from twistlike._base.network_error import MessageLengthError
from twistlike._base.reflect import safe_repr
from twistlike._log.legacy import msg
from twistlike._transports.abstract import nameForLogs
from twistlike._transports.base_port import BasePort

if TYPE_CHECKING:
    import socket
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Iterable

__all__ = ["BaseDatagramPort"]

_REFUSED = (errno.ECONNREFUSED, errno.ECONNRESET)
"""Errors that tell that nobody took an earlier datagram. Windows says ECONNRESET."""

_NOT_NOW = (errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR)


class BaseDatagramPort(BasePort):
    """A socket that datagrams are received on and sent by.

    A subclass makes the socket.

    Args:
        proto: The protocol.
        maxPacketSize: How many bytes of a datagram are taken; the rest of it is lost.
        reactor: The reactor; default: the one of the running loop cannot be known here, so it has
            to be given.

    Attributes:
        protocol: The protocol.
        maxPacketSize: See above.
        maxThroughput: How many bytes are received in a turn, before others have theirs.
    """

    maxThroughput = 256 * 1024
    protocol: Any
    _isConnected = False  # the system knows the one peer

    def __init__(self, proto: Any, maxPacketSize: int, reactor: Any) -> None:
        super().__init__(reactor)
        if isinstance(proto, type):
            raise TypeError(
                f"a port of datagrams takes a protocol, not its class: make one, {proto.__name__}()"
            )
        if not callable(getattr(proto, "datagramReceived", None)):
            raise TypeError(f"a port of datagrams takes a DatagramProtocol, not {safe_repr(proto)}")
        self.protocol = proto
        self.maxPacketSize = maxPacketSize

    def __repr__(self) -> str:
        where = self._where() if self.connected else "(not listening)"
        return f"<{type(self).__qualname__} of {type(self.protocol).__qualname__} {where}>"

    def logPrefix(self) -> str:
        """Return a name for logs."""
        return f"{nameForLogs(self.protocol)} ({self._typeName()})"

    def _typeName(self) -> str:
        return "UDP"

    def getPeer(self) -> Any:
        """Refuse: datagrams come from anywhere."""
        raise NotImplementedError("a port of datagrams has no peer; each datagram has an address")

    # ---- beginning -------------------------------------------------------------------------------

    def _begin(self, skt: socket.socket) -> None:
        """Have a socket that is bound, tell the protocol, and receive from the next turn on."""
        self._take(skt)
        msg(f"{nameForLogs(self.protocol)} starting on {self._name()}")
        self.connected = True
        self.disconnected = self.disconnecting = False
        self._net.open[self] = None
        try:
            self.protocol.makeConnection(self)
        except BaseException:
            self._net.open.pop(self, None)
            self.connected = False
            skt.close()
            del self.socket
            raise
        if self.connected and not self.disconnecting:
            self.startReading()

    # ---- receiving -------------------------------------------------------------------------------

    def doRead(self) -> BaseException | None:
        """Receive what waits."""
        read = 0
        while self._reading and read < self.maxThroughput:
            try:
                data, address = self.socket.recvfrom(self.maxPacketSize)
            except OSError as error:
                if error.errno in _REFUSED:
                    self._refused()
                    if self._isConnected:
                        continue  # a datagram may wait behind the error
                elif error.errno not in _NOT_NOW:
                    self._net.onError(error, self.socket.recvfrom)
                return None
            # An empty datagram counts, too: else a flood of them would keep the loop.
            read += len(data) + 1
            self._context.copy().run(self._received, data, address)
        return None

    async def _readByLoop(self, loop: AbstractEventLoop) -> None:
        """Receive, on a loop that cannot watch sockets."""
        while self._reading:
            try:
                data, address = await loop.sock_recvfrom(self.socket, self.maxPacketSize)
            except OSError as error:
                if error.errno not in _REFUSED:
                    self._net.onError(error, loop.sock_recvfrom)
                    return
                self._refused()
            else:
                self._context.copy().run(self._received, data, address)

    def _received(self, data: bytes, address: Any) -> None:
        """Hand a datagram to the protocol. What that raises is reported; the others follow."""
        self._call(self.protocol.datagramReceived, data, address)

    def _refused(self) -> None:
        """Hear that nobody took an earlier datagram, from a call that has taken the error."""
        net = self._net
        if self._reading and net.loop is not None and net.canWatch and not net.tellsAlways:
            # uvloop watches no longer what has had an error. It does not matter who has seen that.
            self.stopReading()
            self.startReading()
        if self._isConnected:
            self._call(self.protocol.connectionRefused)

    def _call(self, function: Callable[..., object], *args: Any) -> None:
        try:
            result = function(*args)
            if result is not None:
                refuseCoroutine(result, function)
        except BaseException as error:
            fatal = self._net.onError(error, function)
            if fatal is not None:
                raise fatal from None

    # ---- sending ---------------------------------------------------------------------------------

    def write(self, datagram: bytes, addr: Any = None) -> int | None:  # type: ignore[override]
        """Send a datagram.

        Args:
            datagram: Its bytes.
            addr: Where it goes; None where the port is connected.

        Returns:
            The number of bytes; None if it was refused, or handed to the reactor's thread.

        Raises:
            MessageLengthError: It is too long.
            BlockingIOError: The system has no room for it at the moment.
            OSError: The system cannot send it.
            RuntimeError: The port is closed.
            WrongThreadError: In another thread than the loop's.
        """
        if self._elsewhere(self.write, datagram, addr):
            return None
        return self._send(datagram, addr)

    def _send(self, datagram: bytes, addr: Any) -> int | None:
        """Send; `addr` is None for the peer that the system knows."""
        if not self.connected:
            raise RuntimeError(f"{self!r} is closed: nothing can be sent by it")
        try:
            if addr is None:
                return self.socket.send(datagram)
            return self.socket.sendto(datagram, addr)
        except OSError as error:
            if error.errno == errno.EMSGSIZE:
                raise MessageLengthError("message too long") from None
            if error.errno in _REFUSED:
                # About an earlier datagram: on a port that is not connected, about anybody's.
                self._refused()
                return None
            raise

    def writeSequence(self, iovec: Iterable[bytes], addr: Any = None) -> None:
        """Send several pieces as one datagram.

        Args:
            iovec: The pieces.
            addr: As for `write`.
        """
        self.write(b"".join(iovec), addr)

    # ---- the end ---------------------------------------------------------------------------------

    def _doStop(self) -> None:
        self._isConnected = False
        self.protocol.doStop()
