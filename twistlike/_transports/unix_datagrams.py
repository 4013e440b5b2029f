"""UNIX sockets of datagrams. Thread: the reactor's."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

from twistlike._base.address import UNIXAddress
from twistlike._base.error import CannotListenError
from twistlike._base.failure import Failure
from twistlike._base.naming import showAs
from twistlike._transports.datagrams import BaseDatagramPort

__all__ = ["ConnectedDatagramPort", "DatagramPort"]


def _makeSocket() -> socket.socket:
    skt = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    skt.setblocking(False)
    return skt


def _isAbstract(path: str | bytes) -> bool:
    return path[:1] in ("\0", b"\0")


class DatagramPort(BaseDatagramPort):
    """A UNIX socket that datagrams are received on, and sent by to any other.

    Args:
        addr: The path of its file; None for none, so that nobody can answer. The file is left
            behind, as Twisted does.
        proto: The protocol.
        maxPacketSize: How many bytes of a datagram are taken; the rest of it is lost.
        mode: The file's permissions; None: what the system makes them.
        reactor: The reactor.
    """

    def __init__(
        self,
        addr: str | bytes | None,
        proto: Any,
        maxPacketSize: int = 8192,
        mode: int | None = 0o666,
        reactor: Any = None,
    ) -> None:
        super().__init__(proto, maxPacketSize, reactor)
        self.port = addr
        self.mode = mode

    def _where(self) -> str:
        return f"on {self.port!r}"

    def _name(self) -> object:
        return self.port

    def _typeName(self) -> str:
        return "UNIX datagrams"

    def getHost(self) -> UNIXAddress:
        """Return the address that datagrams are received at."""
        return UNIXAddress(self.socket.getsockname())

    def _bind(self) -> socket.socket:
        """Make the socket, bind it, and set its file's permissions.

        Raises:
            CannotListenError: The path cannot be had.
        """
        path = self.port
        skt = _makeSocket()
        try:
            if path:
                skt.bind(path)
                if self.mode is not None and not _isAbstract(path):
                    os.chmod(path, self.mode)
        except OSError as error:
            skt.close()
            raise CannotListenError("", path, error) from None
        return skt

    def startListening(self) -> None:
        """Bind the socket, tell the protocol, and receive.

        Raises:
            CannotListenError: The path cannot be had.
        """
        self._begin(self._bind())


class ConnectedDatagramPort(DatagramPort):
    """A UNIX socket that exchanges datagrams with one other.

    Args:
        addr: The path of the other socket.
        proto: The protocol.
        maxPacketSize: How many bytes of a datagram are taken; the rest of it is lost.
        mode: The permissions of this socket's file.
        bindAddress: The path of this socket's file; None for none, so that the other one cannot
            answer.
        reactor: The reactor.
    """

    def __init__(
        self,
        addr: str | bytes,
        proto: Any,
        maxPacketSize: int = 8192,
        mode: int = 0o666,
        bindAddress: str | bytes | None = None,
        reactor: Any = None,
    ) -> None:
        super().__init__(bindAddress, proto, maxPacketSize, mode, reactor)
        self.remoteaddr = addr

    def _where(self) -> str:
        return f"from {self.port!r} to {self.remoteaddr!r}"

    def getPeer(self) -> UNIXAddress:
        """Return the other socket's address."""
        return UNIXAddress(self.remoteaddr)

    def startListening(self) -> None:
        """Bind the socket and connect it, tell the protocol, and receive.

        If that is not possible, the protocol's `connectionFailed` is called with the reason.
        """
        try:
            skt = self._bind()
            try:
                skt.connect(self.remoteaddr)
            except BaseException:
                skt.close()
                raise
        except Exception as error:
            self.protocol.connectionFailed(Failure(error))
            return
        self._isConnected = True
        self._begin(skt)

    def write(self, datagram: bytes, addr: Any = None) -> int | None:  # type: ignore[override]
        """Send a datagram to the other socket.

        Args:
            datagram: Its bytes.
            addr: Nothing else than None: there is one peer.

        Returns:
            The number of bytes; None if the other one is gone, which the protocol's
            `connectionRefused` hears, or if it was handed to the reactor's thread.

        Raises:
            MessageLengthError: It is too long.
            BlockingIOError: The system has no room for it at the moment.
            RuntimeError: The port is closed.
            WrongThreadError: In another thread than the loop's.
        """
        if addr is not None:
            raise TypeError(f"{self!r} has one peer: a datagram needs no address")
        try:
            return super().write(datagram)
        except OSError as error:
            if error.errno not in (errno.ENOTCONN, errno.EPIPE, errno.EDESTADDRREQ):
                raise
            self._refused()
            return None

    def _received(self, data: bytes, address: Any) -> None:
        self._call(self.protocol.datagramReceived, data)


showAs("twistlike.internet.unix", globals(), __all__)
