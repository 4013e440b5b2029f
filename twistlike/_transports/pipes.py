"""One end of a pipe, a terminal or a plain file, read or written when the reactor says it is ready.

Thread: the reactor's.

How it works
------------
A reader or writer has an owner, which hears of it by ``childDataReceived(name, data)`` and
``childConnectionLost(name, reason)``: a child process, or the standard input and output of this
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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from twistlike._base.interfaces import IReactorFDSet, IReactorTime

    class _Reactor(IReactorFDSet, IReactorTime, Protocol): ...


__all__ = ["PipeOwner", "ProcessReader", "ProcessWriter", "TerminalEnd"]

READ_SIZE = 65536
"""How many bytes are read at once: the capacity of a pipe on Linux."""

BUFFER_SIZE = 65536
"""How many bytes may wait to be written before a producer is paused: Twisted's figure."""


class PipeOwner(Protocol):
    """What hears of a pipe."""

    def childDataReceived(self, name: Any, data: bytes) -> None:
        """Take some bytes."""

    def childConnectionLost(self, name: Any, reason: Failure) -> None:
        """Hear that the pipe is closed."""


class _PipeEnd:
    """A descriptor that the reactor watches, in one direction or both."""

    def __init__(self, reactor: _Reactor, owner: PipeOwner, name: Any, fileno: int) -> None:
        os.set_blocking(fileno, False)
        self.reactor = reactor
        self.proc: PipeOwner | None = owner
        self.name = name
        self.fd = fileno
        self.connected = True
        self.disconnected = False
        self.disconnecting = False
        self._context = copy_context()
        self._polls = _isAlwaysReady(fileno)
        self._polling: set[str] = set()

    def fileno(self) -> int:
        """Return the descriptor; -1 once it is closed."""
        return self.fd

    def logPrefix(self) -> str:
        """Return what the log calls it."""
        return type(self).__name__

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

    def _start(self, what: str, watch: Callable[[Any], None]) -> None:
        if self.fd == -1 or what in self._polling:
            return
        if not self._polls:
            self._context.run(watch, self)
            return
        self._polling.add(what)
        self._context.run(self.reactor.callLater, 0, self._poll, what)

    def _poll(self, what: str) -> None:
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
            self._context.run(self.reactor.callLater, 0, self._poll, what)

    def _read(self) -> BaseException | None:
        try:
            data = os.read(self.fd, READ_SIZE)
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

    def doRead(self) -> BaseException | None:
        """Read what is there."""
        raise NotImplementedError

    def doWrite(self) -> BaseException | None:
        """Write what there is room for."""
        raise NotImplementedError

    def loseConnection(self) -> None:
        """Close it."""
        raise NotImplementedError

    def connectionLost(self, reason: Failure) -> None:
        """Close the descriptor and tell the owner."""
        if self.fd == -1:
            return
        self.stopReading()
        self.stopWriting()
        self.connected, self.disconnected = False, True
        fd, self.fd = self.fd, -1
        os.close(fd)
        owner, self.proc = self.proc, None
        if owner is not None:
            owner.childConnectionLost(self.name, reason)


def _isAlwaysReady(fileno: int) -> bool:
    """Whether a descriptor is one that cannot be watched, such as a plain file or /dev/null."""
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

    def pauseProducing(self) -> None:
        """Read no more for now."""
        self.stopReading()

    def resumeProducing(self) -> None:
        """Read again."""
        self.startReading()

    def stopProducing(self) -> None:
        """Close it."""
        self.loseConnection()

    def loseConnection(self) -> None:
        """Close it, on the reactor's next turn; nothing is read any more."""
        if self.fd != -1 and not self.disconnecting:
            self.disconnecting = True
            self.stopReading()
            self._context.run(
                self.reactor.callLater, 0, self.connectionLost, Failure(ConnectionDone())
            )


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
        self.producer: Any = None
        self.streamingProducer = False
        self.producerPaused = False
        self._pieces: list[bytes] = []
        self._size = 0  # of the pieces, in bytes
        self._head = b""  # what is written now, from _offset on
        self._offset = 0
        if watchEnd:
            # Nothing can be read here, but an error is noticed: the other end has been closed.
            self.startReading()

    # ---- for who writes --------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Write some bytes when there is room.

        Raises:
            TypeError: It is not bytes.
        """
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(f"a pipe takes bytes, not {type(data).__name__}; encode text first")
        if self.fd == -1 or not data:
            return
        self._pieces.append(bytes(data))
        self._size += len(data)
        if self.producer is not None and self.streamingProducer and self._isFull():
            self._pauseProducer()
        self.startWriting()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Write several pieces, in their order."""
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        """Close it once everything is written; a producer that waits for its turn comes first."""
        if self.fd != -1 and not self.disconnecting:
            self.disconnecting = True
            self.startWriting()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Take a producer, which is paused while too much waits to be written.

        Args:
            producer: Its methods are those of Twisted's producers.
            streaming: Whether it writes by itself. Otherwise it is asked for each piece.

        Raises:
            RuntimeError: There is one already.
        """
        if self.producer is not None:
            raise RuntimeError(
                f"{producer!r} cannot be registered: {self.producer!r} was not unregistered"
            )
        if self.fd == -1:
            producer.stopProducing()
            return
        self.producer, self.streamingProducer = producer, streaming
        self.producerPaused = False
        if not streaming:
            producer.resumeProducing()

    def unregisterProducer(self) -> None:
        """Let the producer go: it writes no more."""
        self.producer = None
        if self.disconnecting:
            self.startWriting()

    # ---- for the reactor -------------------------------------------------------------------------

    def doRead(self) -> BaseException | None:
        """Return the reason if the pipe's reader is gone."""
        poll = getattr(select, "poll", None)
        if poll is not None:  # not on Windows, which has no pipes to watch
            look = poll()
            look.register(self.fd, 0)
            if not look.poll(0):
                return None
        return ConnectionLost("the other end of the pipe was closed")

    def doWrite(self) -> BaseException | None:
        """Write what there is room for; return the reason if it is closed."""
        if self._offset == len(self._head):
            self._head = b"".join(self._pieces)
            self._pieces.clear()
            self._size = self._offset = 0
        if self._head:
            try:
                self._offset += os.write(self.fd, memoryview(self._head)[self._offset :])
            except BlockingIOError:
                return None
            except OSError as error:
                return ConnectionLost(str(error))
        if self._offset == len(self._head):
            self._head, self._offset = b"", 0
            if not self._pieces:
                return self._drained()
        return None

    def _drained(self) -> BaseException | None:
        self.stopWriting()
        if self.producer is not None and (not self.streamingProducer or self.producerPaused):
            self.producerPaused = False
            self.producer.resumeProducing()
        elif self.disconnecting:
            return ConnectionDone()
        return None

    def _isFull(self) -> bool:
        return self._size + len(self._head) - self._offset > BUFFER_SIZE

    def _pauseProducer(self) -> None:
        if not self.producerPaused:
            self.producerPaused = True
            self.producer.pauseProducing()

    def connectionLost(self, reason: Failure) -> None:
        """Close the descriptor, drop what waits, stop the producer and tell the owner."""
        if self.fd == -1:
            return
        self._pieces.clear()
        self._head, self._size, self._offset = b"", 0, 0
        producer, self.producer = self.producer, None
        try:
            if producer is not None:
                producer.stopProducing()
        finally:
            super().connectionLost(reason)


class TerminalEnd(ProcessWriter):
    """The end of a terminal that its programs know nothing of: it is read and written."""

    def doRead(self) -> BaseException | None:
        """Read what is there; return the reason if that was the end."""
        return self._read()


showAs("twistlike.internet.process", globals(), ["ProcessReader", "ProcessWriter"])
