"""Child processes with pipes or a terminal. Thread: the reactor's."""

from __future__ import annotations

import errno
import os
import signal
from typing import TYPE_CHECKING, Any

from twistlike._base.error import ReactorNotRunning
from twistlike._base.failure import Failure
from twistlike._base.naming import showAs
from twistlike._transports.log_names import callNamed
from twistlike._transports.pipes import ProcessReader, ProcessWriter, TerminalEnd
from twistlike._transports.reaping import BaseProcess, reapChild
from twistlike._transports.spawn import Program, spawn

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["PTYProcess", "Process"]

STANDARD = {0: "w", 1: "r", 2: "r"}
"""Which of the child's descriptors are pipes unless others are asked for."""


class Process(BaseProcess):
    """A child process with pipes.

    Args:
        reactor: What watches the pipes.
        executable: The program: a path, or a name that is looked for on the search path.
        args: All arguments, the program's own name first.
        environment: The environment; None is this process's.
        path: The folder to run in; None is this process's.
        proto: The protocol that hears of it.
        uid: The user to run as; None is this process's.
        gid: The group to run as; None is this process's.
        childFDs: What the child's descriptors are: `"r"`, a pipe that we read; `"w"`, a pipe
            that we write; or the number of a descriptor of ours. All others are closed in it.

    Raises:
        OSError: The program does not exist or may not be run, or no process can be made.
    """

    def __init__(
        self,
        reactor: Any,
        executable: str | bytes,
        args: Sequence[str | bytes],
        environment: Mapping[Any, Any] | None,
        path: str | bytes | None,
        proto: Any,
        uid: int | None = None,
        gid: int | None = None,
        childFDs: Mapping[int, int | str] | None = None,
    ) -> None:
        super().__init__(reactor, proto)
        self.pipes: dict[int, ProcessReader | ProcessWriter] = {}
        ours: dict[int, int] = {}
        theirs: dict[int, int] = {}
        pipes: list[int] = []  # the child's ends, which it has copies of
        wanted = STANDARD if childFDs is None else childFDs
        try:
            for number, what in wanted.items():
                if what in ("r", "w"):
                    reading, writing = os.pipe()
                    ours[number] = reading if what == "r" else writing
                    theirs[number] = writing if what == "r" else reading
                    pipes.append(theirs[number])
                elif isinstance(what, int):
                    theirs[number] = what
                else:
                    raise ValueError(
                        f"what the child's descriptor {number} is, is 'r', 'w' or the number of a "
                        f"descriptor, not {what!r}"
                    )
            pid = spawn(Program(executable, args, environment, path, uid, gid), theirs)
        except BaseException:
            _closeAll(ours.values())
            raise
        finally:
            _closeAll(pipes)
        try:
            for number, fileno in ours.items():
                kind = ProcessWriter if wanted[number] == "w" else ProcessReader
                self.pipes[number] = kind(reactor, self, number, fileno)
        except BaseException:
            # The loop cannot watch descriptors: there is nothing that could be done with the child.
            _closeAll(each for number, each in ours.items() if number not in self.pipes)
            for pipe in list(self.pipes.values()):
                pipe.proc = None
                pipe.connectionLost(Failure(ReactorNotRunning()))
            os.kill(pid, signal.SIGKILL)
            reapChild(pid)
            raise
        self._started(pid)

    # ---- for the protocol ------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Write to the process's standard input, if that is open."""
        if 0 in self.pipes:
            self.writeToChild(0, data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Write several pieces to the standard input, in their order."""
        self.write(b"".join(data))

    def writeToChild(self, childFD: int, data: bytes) -> None:
        """Write to one of the process's descriptors.

        Raises:
            KeyError: It has none of that number, or it is closed.
            TypeError: What is written is not bytes, or the pipe is one that we read.
        """
        pipe = self.pipes[childFD]
        if not isinstance(pipe, ProcessWriter):
            raise TypeError(f"descriptor {childFD} of the process is read here, not written")
        pipe.write(data)

    def closeChildFD(self, childFD: int) -> None:
        """Close the pipe to one of the process's descriptors, once all is written."""
        if childFD in self.pipes:
            self.pipes[childFD].loseConnection()

    def closeStdin(self) -> None:
        """Close the standard input, once all is written."""
        self.closeChildFD(0)

    def closeStdout(self) -> None:
        """Close the standard output."""
        self.closeChildFD(1)

    def closeStderr(self) -> None:
        """Close the standard error output."""
        self.closeChildFD(2)

    def loseConnection(self) -> None:
        """Close all three."""
        self.closeStdin()
        self.closeStderr()
        self.closeStdout()

    def pauseProducing(self) -> None:
        """Read nothing for now."""
        for pipe in self._readers():
            pipe.stopReading()

    def resumeProducing(self) -> None:
        """Read again."""
        for pipe in self._readers():
            pipe.startReading()

    def stopProducing(self) -> None:
        """Close all three."""
        self.loseConnection()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Take a producer for the standard input; it is stopped if that is closed."""
        stdin = self.pipes.get(0)
        if isinstance(stdin, ProcessWriter):
            stdin.registerProducer(producer, streaming)
        else:
            producer.stopProducing()

    def unregisterProducer(self) -> None:
        """Let the producer go."""
        stdin = self.pipes.get(0)
        if isinstance(stdin, ProcessWriter):
            stdin.unregisterProducer()

    def _readers(self) -> list[ProcessReader]:
        return [pipe for pipe in self.pipes.values() if isinstance(pipe, ProcessReader)]

    # ---- for the pipes ---------------------------------------------------------------------------

    def childDataReceived(self, name: int, data: bytes) -> None:
        """Hand on what was read."""
        if self.proto is not None:
            callNamed(self.proto, self.proto.childDataReceived, name, data)

    def childConnectionLost(self, name: int, reason: Failure) -> None:
        """Hear that a pipe is closed."""
        self.pipes.pop(name, None)
        try:
            if self.proto is not None:
                self._tell(self.proto, "childConnectionLost", name)
        finally:
            self.maybeCallProcessEnded()

    def _isOpen(self) -> bool:
        return bool(self.pipes)


class PTYProcess(BaseProcess):
    """A child process with a terminal of its own. What it writes comes as of its descriptor 1.

    Args:
        reactor: What watches the terminal.
        executable: The program: a path, or a name that is looked for on the search path.
        args: All arguments, the program's own name first.
        environment: The environment; None is this process's.
        path: The folder to run in; None is this process's.
        proto: The protocol that hears of it.
        uid: The user to run as; None is this process's.
        gid: The group to run as; None is this process's.
        usePTY: True, or the terminal as `(master, slave, name of the slave)`; both descriptors
            belong to the process from now on.

    Raises:
        OSError: The program does not exist or may not be run, or there is no terminal.
    """

    def __init__(
        self,
        reactor: Any,
        executable: str | bytes,
        args: Sequence[str | bytes],
        environment: Mapping[Any, Any] | None,
        path: str | bytes | None,
        proto: Any,
        uid: int | None = None,
        gid: int | None = None,
        usePTY: Any = True,
    ) -> None:
        super().__init__(reactor, proto)
        self._terminal: TerminalEnd | None = None
        if isinstance(usePTY, tuple | list):
            master, slave, name = usePTY
        else:
            master, slave = os.openpty()
            name = os.ttyname(slave)
        try:
            if uid is not None:
                os.fchown(slave, uid, -1 if gid is None else gid)
            pid = spawn(Program(executable, args, environment, path, uid, gid), {}, name)
        except BaseException:
            os.close(master)
            raise
        finally:
            os.close(slave)
        try:
            self._terminal = TerminalEnd(reactor, self, 1, master)
        except BaseException:
            os.close(master)
            os.kill(pid, signal.SIGKILL)
            reapChild(pid)
            raise
        self._started(pid)

    def fileno(self) -> int:
        """Return the descriptor of our end of the terminal."""
        return -1 if self._terminal is None else self._terminal.fileno()

    def write(self, data: bytes) -> None:
        """Write to the terminal, as if it was typed."""
        if self._terminal is not None:
            self._terminal.write(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Write several pieces, in their order."""
        self.write(b"".join(data))

    def writeToChild(self, childFD: int, data: bytes) -> None:
        """Not possible with a terminal.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError("a process with a terminal has no other descriptors; use write")

    def closeChildFD(self, descriptor: int) -> None:
        """Not possible with a terminal.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError("a terminal is closed as a whole, by loseConnection")

    def closeStdin(self) -> None:
        """Do nothing: a terminal is closed as a whole, by `loseConnection`."""

    def closeStdout(self) -> None:
        """Do nothing: a terminal is closed as a whole, by `loseConnection`."""

    def closeStderr(self) -> None:
        """Do nothing: a terminal is closed as a whole, by `loseConnection`."""

    def loseConnection(self) -> None:
        """Close the terminal once all is written; the system then hangs the process up."""
        if self._terminal is not None:
            self._terminal.loseConnection()

    def pauseProducing(self) -> None:
        """Read nothing for now."""
        if self._terminal is not None:
            self._terminal.stopReading()

    def resumeProducing(self) -> None:
        """Read again."""
        if self._terminal is not None:
            self._terminal.startReading()

    def stopProducing(self) -> None:
        """Close the terminal."""
        self.loseConnection()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Take a producer for the terminal; it is stopped if that is closed."""
        if self._terminal is not None:
            self._terminal.registerProducer(producer, streaming)
        else:
            producer.stopProducing()

    def unregisterProducer(self) -> None:
        """Let the producer go."""
        if self._terminal is not None:
            self._terminal.unregisterProducer()

    def childDataReceived(self, name: int, data: bytes) -> None:
        """Hand on what was read."""
        if self.proto is not None:
            callNamed(self.proto, self.proto.childDataReceived, name, data)

    def childConnectionLost(self, name: int, reason: Failure) -> None:
        """Hear that the terminal is closed."""
        self._terminal = None
        self.maybeCallProcessEnded()

    def _isOpen(self) -> bool:
        return self._terminal is not None


def _closeAll(descriptors: Iterable[int]) -> None:
    for each in descriptors:
        try:
            os.close(each)
        except OSError as error:
            if error.errno != errno.EBADF:
                raise


showAs("twistlike.internet.process", globals(), __all__)
