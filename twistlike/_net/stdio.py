"""The standard input and output of this process, as a connection. Thread: the reactor's."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any

from twistlike._base.declarations import implementer
from twistlike._base.error import ConnectionDone
from twistlike._base.failure import Failure
from twistlike._base.naming import showAs
from twistlike._base.reflect import safe_repr
from twistlike._log.report import report
from twistlike._reactor.current import currentReactor
from twistlike._transports.abstract import nameForLogs
from twistlike._transports.interfaces import IAddress, IHalfCloseableProtocol
from twistlike._transports.log_names import callNamed
from twistlike._transports.pipes import ProcessReader, ProcessWriter

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["PipeAddress", "StandardIO"]


@implementer(IAddress)
class PipeAddress:
    """The address of a pipe, which has none."""


class StandardIO:
    """Makes a protocol's connection of the standard input and output, or of other descriptors.

    The descriptors are copied, and the copies closed in the end; while they are used the files
    behind them do not block, also for the rest of the program.

    Args:
        proto: The protocol. Its `makeConnection` is called now.
        stdin: The descriptor to read.
        stdout: The descriptor to write.
        reactor: The reactor; by default the one of the running loop.

    Raises:
        NotImplementedError: The loop cannot watch descriptors.

    Differs from Twisted: when both directions have ended, `connectionLost` is called also on a
    protocol that deals with half-closed connections; in the end the files block again.
    """

    disconnected = False
    disconnecting = False

    def __init__(self, proto: Any, stdin: int = 0, stdout: int = 1, reactor: Any = None) -> None:
        if reactor is None:
            reactor = currentReactor()
        self.reactor = reactor
        self.protocol = proto
        self._reader: ProcessReader | None = None
        self._writer: ProcessWriter | None = None
        self._restore = {each: os.get_blocking(each) for each in (stdin, stdout)}
        try:
            mode = os.fstat(stdout).st_mode
            watch = stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
            self._writer = ProcessWriter(reactor, self, "write", os.dup(stdout), watch)
            self._reader = ProcessReader(reactor, self, "read", os.dup(stdin))
        except BaseException:
            self.protocol = None
            if self._writer is not None:
                self._writer.connectionLost(Failure(ConnectionDone()))
            raise
        try:
            proto.makeConnection(self)
        except BaseException as error:
            self.connectionLost(Failure(error))
            raise

    # ---- for the protocol ------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Write some bytes."""
        if self._writer is not None:
            self._writer.write(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Write several pieces, in their order."""
        if self._writer is not None:
            self._writer.writeSequence(data)

    def loseWriteConnection(self) -> None:
        """Close the output once all is written; go on reading."""
        if self._writer is not None:
            self._writer.loseConnection()

    def loseConnection(self) -> None:
        """Close the input, and the output once all is written."""
        self.disconnecting = True
        if self._reader is not None:
            self._reader.loseConnection()
        if self._writer is not None:
            self._writer.loseConnection()

    def logPrefix(self) -> str:
        """Return a name for logs: the protocol's."""
        return "-" if self.protocol is None else nameForLogs(self.protocol)

    def getHost(self) -> PipeAddress:
        """Return an address that says nothing."""
        return PipeAddress()

    getPeer = getHost

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Take a producer; it is stopped if the output is closed."""
        if self._writer is None:
            producer.stopProducing()
        else:
            self._writer.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """Let the producer go."""
        if self._writer is not None:
            self._writer.unregisterProducer()

    def pauseProducing(self) -> None:
        """Read nothing for now."""
        if self._reader is not None:
            self._reader.pauseProducing()

    def resumeProducing(self) -> None:
        """Read again."""
        if self._reader is not None:
            self._reader.resumeProducing()

    stopReading = pauseProducing
    startReading = resumeProducing

    def stopProducing(self) -> None:
        """Close both."""
        self.loseConnection()

    # ---- for the descriptors ---------------------------------------------------------------------

    def childDataReceived(self, name: str, data: bytes) -> None:
        """Hand on what was read."""
        if self.protocol is not None:
            callNamed(self.protocol, self.protocol.dataReceived, data)

    def childConnectionLost(self, name: str, reason: Failure) -> None:
        """Hear that one of the two is closed."""
        if name == "read":
            self._reader = None
        else:
            self._writer = None
        protocol = self.protocol
        if protocol is None:
            return
        if self._reader is None and self._writer is None:
            if not self.disconnecting:
                self._tellHalf(protocol, name)
            self.connectionLost(reason)
        elif not self.disconnecting and not self._tellHalf(protocol, name):
            self.loseConnection()

    def _tellHalf(self, protocol: Any, name: str) -> bool:
        """Tell the protocol that one direction has ended; return whether it wants to know."""
        if not IHalfCloseableProtocol.providedBy(protocol):
            return False
        try:
            if name == "read":
                callNamed(protocol, protocol.readConnectionLost)
            else:
                callNamed(protocol, protocol.writeConnectionLost)
        except Exception as error:
            what = f"{safe_repr(protocol)} failed at the end of a direction"
            report(Failure(error), what, source=self)
            return False
        return True

    def connectionLost(self, reason: Failure) -> None:
        """Close both, and tell the protocol."""
        self.disconnected = True
        protocol, self.protocol = self.protocol, None
        for end in (self._reader, self._writer):
            if end is not None:
                end.connectionLost(reason)
        for number, blocking in self._restore.items():
            try:
                os.set_blocking(number, blocking)
            except OSError:
                pass  # the program has closed it meanwhile
        if protocol is not None:
            callNamed(protocol, protocol.connectionLost, reason)


showAs("twistlike.internet.stdio", globals(), __all__)
