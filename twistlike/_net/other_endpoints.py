"""Endpoints of what is there already: sockets, standard input and output; and of programs.

Thread: the reactor's, except that an endpoint may be made in any.
"""

from __future__ import annotations

import os
from enum import Enum
from typing import TYPE_CHECKING, Any

from twistlike._base.declarations import implementer
from twistlike._base.error import ConnectionDone
from twistlike._base.failure import Failure
from twistlike._base.naming import showAs
from twistlike._base.network_error import AlreadyListened, NoProtocol, ProcessDone
from twistlike._defer.deferred import fail
from twistlike._log import legacy
from twistlike._net.endpoints import execute
from twistlike._net.protocol import ProcessProtocol
from twistlike._net.stdio import PipeAddress, StandardIO
from twistlike._transports.interfaces import IAddress

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from twistlike._defer.deferred import Deferred
    from twistlike._transports.interfaces import IListeningPort, IProtocolFactory

__all__ = [
    "AdoptedStreamServerEndpoint",
    "ProcessEndpoint",
    "StandardErrorBehavior",
    "StandardIOEndpoint",
]


class AdoptedStreamServerEndpoint:
    """A listening socket that somebody else has made. It can be listened on once.

    Args:
        reactor: The reactor.
        fileno: The socket's descriptor. It is closed when it has been taken over.
        addressFamily: `socket.AF_INET`, `AF_INET6` or `AF_UNIX`.
    """

    _close = staticmethod(os.close)

    def __init__(self, reactor: Any, fileno: int, addressFamily: int) -> None:
        self.reactor = reactor
        self.fileno = fileno
        self.addressFamily = addressFamily
        self._used = False

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Accept connections; return a Deferred with the port."""
        if self._used:
            return fail(AlreadyListened())
        self._used = True

        def adopt() -> IListeningPort:
            os.set_blocking(self.fileno, False)
            adopted: IListeningPort = self.reactor.adoptStreamPort(
                self.fileno, self.addressFamily, protocolFactory
            )
            self._close(self.fileno)
            return adopted

        return execute(adopt)


class StandardIOEndpoint:
    """The standard input and output of this process, as a server's only connection.

    Args:
        reactor: The reactor.
    """

    _stdio: Any = StandardIO

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def listen(self, stdioProtocolFactory: IProtocolFactory) -> Deferred[StandardIO]:
        """Make the connection; return a Deferred with its transport."""

        def begin() -> Any:
            protocol = stdioProtocolFactory.buildProtocol(PipeAddress())
            if protocol is None:
                raise NoProtocol(f"{stdioProtocolFactory!r} has made no protocol")
            return self._stdio(protocol, reactor=self._reactor)

        return execute(begin)


# ---- processes -----------------------------------------------------------------------------------


@implementer(IAddress)
class _ProcessAddress:
    """The address of a child process."""


class StandardErrorBehavior(Enum):
    """What a `ProcessEndpoint` does with what the process writes to its standard error output."""

    LOG = "log"
    DROP = "drop"


class _ProcessEndpointTransport:
    """The transport of a protocol that talks to a process's standard input and output."""

    def __init__(self, process: Any) -> None:
        self._process = process

    def __getattr__(self, name: str) -> Any:
        return getattr(self._process, name)

    def write(self, data: bytes) -> None:
        """Write to the process."""
        self._process.writeToChild(0, data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Write several pieces to the process."""
        self._process.writeToChild(0, b"".join(data))


class _WrapIProtocol(ProcessProtocol):
    """Makes a stream's protocol of a process's."""

    def __init__(self, proto: Any, executable: Any, errFlag: StandardErrorBehavior) -> None:
        self.protocol = proto
        self.errFlag = errFlag
        self.executable = executable

    def makeConnection(self, transport: Any) -> None:
        self.transport = _ProcessEndpointTransport(transport)
        self.protocol.makeConnection(self.transport)

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        if childFD == 1:
            self.protocol.dataReceived(data)
        elif childFD == 2 and self.errFlag is StandardErrorBehavior.LOG:
            legacy.msg(
                format="Process %(executable)r wrote stderr unhandled by %(protocol)s: %(data)s",
                executable=self.executable,
                protocol=self.protocol,
                data=data,
            )

    def processEnded(self, reason: Failure) -> None:
        if reason.check(ProcessDone):
            reason = Failure(ConnectionDone())
        self.protocol.connectionLost(reason)


class ProcessEndpoint:
    """A program that is started, and talked to by its standard input and output.

    Args:
        reactor: The reactor.
        executable: As for `reactor.spawnProcess`, as are the others.
        args: All arguments, the program's own name first.
        env: The environment, by default an empty one.
        path: The folder to run in.
        uid: The user to run as.
        gid: The group to run as.
        usePTY: Whether it gets a terminal.
        childFDs: What the child's descriptors are.
        errFlag: What becomes of what it writes to its standard error output.
    """

    def __init__(
        self,
        reactor: Any,
        executable: str | bytes,
        args: Sequence[str | bytes] = (),
        env: Mapping[Any, Any] | None = {},
        path: str | bytes | None = None,
        uid: int | None = None,
        gid: int | None = None,
        usePTY: Any = 0,
        childFDs: Mapping[int, int | str] | None = None,
        errFlag: StandardErrorBehavior = StandardErrorBehavior.LOG,
    ) -> None:
        self._reactor = reactor
        self._executable = executable
        self._args = args
        self._env = env
        self._path = path
        self._uid = uid
        self._gid = gid
        self._usePTY = usePTY
        self._childFDs = childFDs
        self._errFlag = errFlag
        self._spawnProcess = reactor.spawnProcess

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        """Start the program; return a Deferred with the protocol."""

        def begin() -> Any:
            protocol = protocolFactory.buildProtocol(_ProcessAddress())
            if protocol is None:
                raise NoProtocol(f"{protocolFactory!r} has made no protocol")
            self._spawnProcess(
                _WrapIProtocol(protocol, self._executable, self._errFlag),
                self._executable,
                self._args,
                self._env,
                self._path,
                self._uid,
                self._gid,
                self._usePTY,
                self._childFDs,
            )
            return protocol

        return execute(begin)


showAs("twistlike.internet.endpoints", globals(), __all__)
