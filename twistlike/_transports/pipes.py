"""One end of a pipe, a terminal or a plain file, read or written when the reactor says it is ready.

Thread: the reactor's.

How it works
------------
A reader or writer has an owner, which hears of it by `childDataReceived(name, data)` and
`childConnectionLost(name, reason)`: a child process, or the standard input and output of this
one. The reactor watches the descriptor. A plain file cannot be watched, since it is always ready:
it is polled, once a turn.
"""

from __future__ import annotations

import errno
import os
import select
import stat
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Protocol

from twistlike._base.error import ConnectionDone, ConnectionLost
from twistlike._base.failure import Failure
from twistlike._base.naming import showAs
from twistlike._transports.abstract import FileDescriptor, nameForLogs
from twistlike._transports.log_names import callNamed

if TYPE_CHECKING:
    from collections.abc import Callable

    from twistlike._base.interfaces import IReactorFDSet, IReactorTime

    class _Reactor(IReactorFDSet, IReactorTime, Protocol): ...


__all__ = ["PipeOwner", "ProcessReader", "ProcessWriter", "TerminalEnd"]


class PipeOwner(Protocol):
    """What hears of a pipe."""

    def childDataReceived(self, name: Any, data: bytes) -> None:
        """Take some bytes."""

    def childConnectionLost(self, name: Any, reason: Failure) -> None:
        """Hear that the pipe is closed."""


class _PipeEnd(FileDescriptor):
    """A descriptor that the reactor watches, in one direction or both."""

    def __init__(self, reactor: _Reactor, owner: PipeOwner, name: Any, fileno: int) -> None:
        super().__init__(reactor)
        self._polls = _isAlwaysReady(fileno)
        os.set_blocking(fileno, False)
        self.proc: PipeOwner | None = owner
        self.name = name
        self.fd = fileno
        self.connected = 1
        self._context = copy_context()
        self._polling: set[str] = set()

    def fileno(self) -> int:
        """Return the descriptor; -1 once it is closed."""
        return self.fd

    def logPrefix(self) -> str:
        """Return a name for logs: the owner's."""
        return "-" if self.proc is None else nameForLogs(self.proc)

    def startReading(self) -> None:
        """Read from now on."""
        self._start("read", self.reactor.addReader)

    def startWriting(self) -> None:
        """Write from now on."""
        self._start("write", self.reactor.addWriter)

    def stopReading(self) -> None:
        """Read no more for now."""
        self._polling.discard("read")
        self.reactor.removeReader(self)

    def stopWriting(self) -> None:
        """Write no more for now."""
        self._polling.discard("write")
        self.reactor.removeWriter(self)

    def _elsewhere(self, function: Callable[..., object], *args: Any) -> bool:
        """Look whether this thread may call a method; hand the call over if policy says so.

        Returns:
            True if it was handed over, so that there is nothing to be done here.

        Raises:
            WrongThreadError: It may not, which is the default policy for other threads.
        """
        net = getattr(self.reactor, "_transports", None)
        if net is None or net.enter(f"transport.{function.__name__}"):
            return False
        net.post(function, args, {})
        return True

    def _start(self, what: str, watch: Callable[[Any], None]) -> None:
        if self.fd == -1 or what in self._polling:
            return
        if not self._polls:
            self._context.run(watch, self)
            return
        self._polling.add(what)
        self._later(self._poll, what)

    def _later(self, function: Callable[..., object], *args: Any) -> None:
        self._context.run(self.reactor.callLater, 0, function, *args)

    def _poll(self, what: str) -> None:
        """Read or write a file that is always ready, and come back for more."""
        if what not in self._polling:
            return
        error: BaseException | None
        try:
            error = self.doRead() if what == "read" else self.doWrite()
        except BaseException as raised:
            self.connectionLost(Failure(raised))
            raise
        if error is not None:
            self.connectionLost(Failure(error))
        elif what in self._polling:
            self._later(self._poll, what)

    def _read(self) -> BaseException | None:
        try:
            data = os.read(self.fd, self.bufferSize)
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno == errno.EIO:  # a terminal that no process has open any more
                return ConnectionDone()
            return ConnectionLost(str(error))
        if not data:
            return ConnectionDone()
        if self.proc is not None:
            self.proc.childDataReceived(self.name, data)
        return None

    def connectionLost(self, reason: Failure) -> None:
        """Close the descriptor, stop the producer and tell the owner."""
        if self.fd == -1:
            return
        try:
            super().connectionLost(reason)
        finally:
            self._pending = b""
            self.dataBuffer, self.offset = b"", 0
            fd, self.fd = self.fd, -1
            os.close(fd)
            owner, self.proc = self.proc, None
            if owner is not None:
                owner.childConnectionLost(self.name, reason)


def _isAlwaysReady(fileno: int) -> bool:
    """Return whether a descriptor cannot be watched, such as that of a plain file or /dev/null."""
    mode = os.fstat(fileno).st_mode
    if not stat.S_ISCHR(mode):
        return stat.S_ISREG(mode)
    epoll = getattr(select, "epoll", None)
    if epoll is None:
        return False
    with epoll(1) as probe:
        try:
            probe.register(fileno, 0)
        except PermissionError:
            return True
    return False


class ProcessReader(_PipeEnd):
    """Reads a pipe and hands what it reads to the owner.

    Args:
        reactor: What watches the descriptor.
        owner: What the bytes are for.
        name: What the owner knows the pipe by: the child's number of it.
        fileno: The descriptor. It is closed in the end.
    """

    def __init__(self, reactor: _Reactor, owner: PipeOwner, name: Any, fileno: int) -> None:
        super().__init__(reactor, owner, name, fileno)
        self.startReading()

    def doRead(self) -> BaseException | None:
        """Read what is there; return the reason if that was the end."""
        return self._read()

    def loseConnection(self, _connDone: Failure | None = None) -> None:
        """Close it, on the reactor's next turn; nothing is read any more."""
        if self._elsewhere(self.loseConnection):
            return
        if self.connected and not self.disconnecting:
            self.disconnecting = 1
            self.stopReading()
            self._later(self.connectionLost, _connDone or Failure(ConnectionDone()))


class ProcessWriter(_PipeEnd):
    """Writes to a pipe, with a buffer and a producer.

    Args:
        reactor: What watches the descriptor.
        owner: What hears that the pipe is closed.
        name: What the owner knows the pipe by: the child's number of it.
        fileno: The descriptor. It is closed in the end.
        watchEnd: Whether the end of the pipe's reader is noticed while nothing is written.
    """

    def __init__(
        self,
        reactor: _Reactor,
        owner: PipeOwner,
        name: Any,
        fileno: int,
        watchEnd: bool = True,
    ) -> None:
        super().__init__(reactor, owner, name, fileno)
        if watchEnd:
            # Nothing can be read here, but an error is noticed: the other end has been closed.
            self.startReading()

    def doRead(self) -> BaseException | None:
        """Return the reason if the pipe's reader is gone."""
        poll = getattr(select, "poll", None)
        if poll is not None:
            look = poll()
            look.register(self.fd, 0)
            if not look.poll(0):
                return None
        return ConnectionLost("the other end of the pipe was closed")

    def write(self, data: bytes) -> None:
        """Write some bytes, when there is room.

        Raises:
            TypeError: If it is text, say.
            WrongThreadError: In another thread than the loop's.
        """
        if not self._elsewhere(self.write, data):
            super().write(data)

    def loseConnection(self, _connDone: Failure | None = None) -> None:
        """Close it once everything is written; a producer that waits for its turn comes first.

        Raises:
            WrongThreadError: In another thread than the loop's.
        """
        if not self._elsewhere(self.loseConnection):
            super().loseConnection(_connDone)

    def doWrite(self) -> BaseException | None:
        """Write what there is room for, and let the producer go on."""
        return callNamed(self.proc, super().doWrite)

    def writeSomeData(self, data: bytes | memoryview) -> int | BaseException:
        """Write what there is room for; return how much, or why the pipe has ended."""
        try:
            return os.write(self.fd, data)
        except BlockingIOError:
            return 0
        except OSError as error:
            return ConnectionLost(str(error))

    def pauseProducing(self) -> None:
        """Do nothing: a pipe that is written produces nothing, and its end is watched for."""

    def resumeProducing(self) -> None:
        """Do nothing: a pipe that is written produces nothing."""


class TerminalEnd(ProcessWriter):
    """The end of a terminal that its programs know nothing of: it is read and written."""

    def doRead(self) -> BaseException | None:
        """Read what is there; return the reason if that was the end."""
        return self._read()


showAs("twistlike.internet.process", globals(), ["ProcessReader", "ProcessWriter"])
