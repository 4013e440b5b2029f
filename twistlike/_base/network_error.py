"""The exceptions of addresses, attempts to connect, certificates and processes. Thread: any."""

from __future__ import annotations

import builtins
import errno as _errno
import sys
from typing import Any

from twistlike._base.error import ConnectError, ConnectionDone, ConnectionLost, sentence
from twistlike._base.naming import showAs

__all__ = [
    "AlreadyListened",
    "BadFileError",
    "CertificateError",
    "ConnectBindError",
    "ConnectInProgressError",
    "ConnectingCancelledError",
    "ConnectionRefusedError",
    "DNSLookupError",
    "FileDescriptorOverrun",
    "InvalidAddressError",
    "MessageLengthError",
    "MulticastJoinError",
    "NoProtocol",
    "NoRouteError",
    "NotConnectingError",
    "NotListeningError",
    "PeerVerifyError",
    "ProcessDone",
    "ProcessExitedAlready",
    "ProcessTerminated",
    "SSLError",
    "ServiceNameUnknownError",
    "TCPTimedOutError",
    "UnknownHostError",
    "UnsupportedAddressFamily",
    "UnsupportedSocketType",
    "VerifyError",
    "errnoMapping",
    "getConnectError",
]


# ---- ports and addresses -------------------------------------------------------------------------


class AlreadyListened(Exception):
    """An endpoint was listened on that can be listened on once."""


class NotListeningError(RuntimeError):
    """A port was to be closed that was not open."""

    MESSAGE = "The Port was not listening when it was asked to stop listening"
    __str__ = sentence


class UnsupportedAddressFamily(Exception):
    """The reactor does not know this kind of addresses."""


class UnsupportedSocketType(Exception):
    """The reactor does not know this kind of sockets."""


class InvalidAddressError(ValueError):
    """An address is none, or none that fits.

    Args:
        address: The address.
        message: What is wrong with it.
    """

    def __init__(self, address: Any, message: str) -> None:
        super().__init__(address, message)
        self.address = address
        self.message = message


class MulticastJoinError(Exception):
    """A multicast group could not be joined or left."""


# ---- attempts to connect -------------------------------------------------------------------------


class DNSLookupError(OSError):
    """A host name could not be resolved."""

    MESSAGE = "DNS lookup failed"
    __str__ = sentence


class ConnectInProgressError(Exception):
    """A connection is being made."""


class ConnectBindError(ConnectError):
    """The local address of a connection could not be bound."""

    MESSAGE = "Couldn't bind"


class UnknownHostError(ConnectError):
    """The other side's name could not be resolved."""

    MESSAGE = "Hostname couldn't be looked up"


class NoRouteError(ConnectError):
    """The network knows no way to the other side."""

    MESSAGE = "No route to host"


class ConnectionRefusedError(ConnectError):
    """The other side wants no connection."""

    MESSAGE = "Connection was refused by other side"


class TCPTimedOutError(ConnectError, builtins.TimeoutError):
    """The other side did not answer in the operating system's time.

    Differs from Twisted: it is a builtin `TimeoutError`, too.
    """

    MESSAGE = "TCP connection timed out"


class BadFileError(ConnectError):
    """The path of a UNIX socket is no socket that can be used."""

    MESSAGE = "File used for UNIX socket is no good"


class ServiceNameUnknownError(ConnectError):
    """A port was given as a service's name that nobody knows."""

    MESSAGE = "Service name given as port is unknown"


class SSLError(ConnectError):
    """TLS went wrong."""

    MESSAGE = "An SSL error occurred"


class ConnectingCancelledError(Exception):
    """An attempt to connect was cancelled.

    Args:
        address: Where to.
    """

    def __init__(self, address: Any) -> None:
        super().__init__(address)
        self.address = address


class NotConnectingError(RuntimeError):
    """An attempt to connect was to be ended, and there was none."""

    MESSAGE = "The Connector was not connecting when it was asked to stop connecting"
    __str__ = sentence


class NoProtocol(Exception):
    """A factory has made no protocol for a connection."""


errnoMapping: dict[int, type[ConnectError]] = {
    _errno.ENETUNREACH: NoRouteError,
    _errno.ECONNREFUSED: ConnectionRefusedError,
    _errno.ETIMEDOUT: TCPTimedOutError,
}
"""Which error `getConnectError` makes of which number of the operating system."""

if sys.platform == "win32":
    errnoMapping[_errno.WSAENETUNREACH] = NoRouteError
    errnoMapping[_errno.WSAECONNREFUSED] = ConnectionRefusedError
    errnoMapping[_errno.WSAETIMEDOUT] = TCPTimedOutError


def getConnectError(e: Any) -> ConnectError:
    """Return the error of this module that stands for one of the operating system's.

    Args:
        e: An exception, or a pair of the error's number and text.
    """
    number: Any = None
    text: Any = e
    args = e.args if isinstance(e, BaseException) else e
    try:
        number, text = args
    except (TypeError, ValueError):
        return ConnectError(None, text)
    # socket.gaierror, without the import of the socket module that most programs need not pay for
    if type(e).__name__ == "gaierror":
        return UnknownHostError(number, text)
    return errnoMapping.get(number, ConnectError)(number, text)


# ---- certificates --------------------------------------------------------------------------------


class VerifyError(Exception):
    """A signature is wrong."""

    MESSAGE = "Could not verify something that was supposed to be signed."


class PeerVerifyError(VerifyError):
    """The other side took our certificate for wrong."""

    MESSAGE = "The peer rejected our verify error."


class CertificateError(Exception):
    """There is no certificate where one has to be."""

    MESSAGE = "We did not find a certificate where we expected to find one."


# ---- what is sent; processes ---------------------------------------------------------------------


class FileDescriptorOverrun(ConnectionLost):
    """A file descriptor was sent with no byte to go with it."""

    MESSAGE = "A mis-use of IUNIXTransport.sendFileDescriptor caused the connection to be closed."


class MessageLengthError(Exception):
    """A datagram is too long to be sent."""

    MESSAGE = "Message is too long to send"
    __str__ = sentence


class ProcessDone(ConnectionDone):
    """A process has ended well, with exit code 0.

    Args:
        status: The operating system's word for it.
    """

    MESSAGE = "A process has ended without apparent errors"

    def __init__(self, status: Any) -> None:
        super().__init__("process finished with exit code 0")
        self.exitCode = 0
        self.signal = None
        self.status = status


class ProcessTerminated(ConnectionLost):
    """A process has ended with another exit code than 0, or by a signal.

    Args:
        exitCode: The code, if it has exited.
        signal: The signal's number, if that ended it.
        status: The operating system's word for it.
    """

    MESSAGE = "A process has ended with a probable error condition"

    def __init__(
        self, exitCode: int | None = None, signal: int | None = None, status: Any = None
    ) -> None:
        text = "process ended"
        if exitCode is not None:
            text += f" with exit code {exitCode}"
        if signal is not None:
            text += f" by signal {signal}"
        super().__init__(text)
        self.exitCode = exitCode
        self.signal = signal
        self.status = status


class ProcessExitedAlready(Exception):
    """A process was to be told something, and has ended."""


showAs("twistlike.internet.error", globals(), __all__)
