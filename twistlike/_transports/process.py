"""Child processes: pipes or a terminal to them, signals, and their end.

Thread: the reactor's, except where a docstring says otherwise.

How it works
------------
The end of a process makes its pidfd readable, which the reactor watches as any other descriptor. No
signal handler is needed, and children of somebody else are left alone. Where there is no pidfd, a
thread waits.

`processExited` comes when the process has ended, `processEnded` when besides all pipes are closed:
a grandchild may keep them open. When the reactor ends before the child, the pipes are closed, and
a thread waits for the child, so that no zombie is left behind.
"""

from __future__ import annotations

import errno
import os
import signal
from threading import Thread
from typing import TYPE_CHECKING, Any, Protocol

from twistlike._base.error import (
    ProcessDone,
    ProcessExitedAlready,
    ProcessTerminated,
    ReactorNotRunning,
)
from twistlike._base.failure import Failure
from twistlike._base.naming import showAs
from twistlike._log.report import report
from twistlike._transports.pipes import ProcessReader, ProcessWriter, TerminalEnd
from twistlike._transports.spawn import Program, isSupported, spawn

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from twistlike._base.interfaces import IReactorFDSet, IReactorFromThreads, IReactorTime

    class _Reactor(IReactorFDSet, IReactorTime, IReactorFromThreads, Protocol): ...


__all__ = [
    "BaseProcess",
    "PTYProcess",
    "Process",
    "isSupported",
    "ProcessReader",
    "ProcessWriter",
    "reapAllProcesses",
    "reapProcessHandlers",
    "registerReapProcessHandler",
    "unregisterReapProcessHandler",
]

STANDARD = {0: "w", 1: "r", 2: "r"}
"""Which of the child's descriptors are pipes unless others are asked for."""


class _Reapable(Protocol):
    """What waits for the end of a process."""

    def reapProcess(self) -> None:
        """Look whether it has ended."""

    def processEnded(self, status: int) -> None:
        """Hear that it has ended."""


reapProcessHandlers: dict[int, Any] = {}
"""Who waits for the end of which process, by the processes' numbers."""


def reapAllProcesses() -> None:
    """Look which of the children have ended, and tell those who wait for them.

    Nobody has to call it: the end of each child is noticed by itself.
    """
    for process in list(reapProcessHandlers.values()):
        process.reapProcess()


def registerReapProcessHandler(pid: int, process: _Reapable) -> None:
    """Have an object told of the end of a child by `reapAllProcesses`, or now if it has ended.

    Raises:
        RuntimeError: Somebody waits for that child already.
    """
    if pid in reapProcessHandlers:
        raise RuntimeError(f"{reapProcessHandlers[pid]!r} waits for process {pid} already")
    try:
        found, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        found, status = 0, 0
    if found:
        process.processEnded(status)
    else:
        reapProcessHandlers[pid] = process


def unregisterReapProcessHandler(pid: int, process: _Reapable) -> None:
    """Have an object told no more.

    Raises:
        RuntimeError: It does not wait for that child.
    """
    if reapProcessHandlers.get(pid) is not process:
        raise RuntimeError(f"{process!r} does not wait for process {pid}")
    del reapProcessHandlers[pid]


if hasattr(os, "register_at_fork"):
    # The children of the parent process are not ours.
    os.register_at_fork(after_in_child=reapProcessHandlers.clear)


class _ExitWatcher:
    """Notices the end of a process, by its pidfd or a thread."""

    def __init__(self, reactor: _Reactor, process: BaseProcess, pid: int) -> None:
        self._reactor = reactor
        self._process = process
        self._pid = pid
        self._fd = _pidfd(pid)
        if self._fd != -1:
            try:
                reactor.addReader(self)
                return
            except BaseException:
                self.close()
                raise
        Thread(target=self._wait, name=f"waits for process {pid}", daemon=True).start()

    def fileno(self) -> int:
        """Return the pidfd."""
        return self._fd

    def logPrefix(self) -> str:
        """Return what the log calls it."""
        return f"process {self._pid}"

    def doRead(self) -> None:
        """Hear that the process has ended: on the next turn, what it has written was read."""
        self._reactor.removeReader(self)
        self._reactor.callLater(0, self._process.reapProcess)

    def close(self) -> None:
        """Watch no more."""
        fd, self._fd = self._fd, -1
        if fd != -1:
            self._reactor.removeReader(self)
            os.close(fd)

    def connectionLost(self, reason: Failure) -> None:
        """Hear that the reactor ends, while the process still runs."""
        self.close()
        self._process.abandon()

    def _wait(self) -> None:
        """Wait for the process, and send word to the reactor's thread. Thread: one of its own."""
        try:
            os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOWAIT)
        except ChildProcessError:
            pass  # somebody else has waited for it: the reactor's thread finds that out, too
        try:
            self._reactor.callFromThread(self._process.reapProcess)
        except ReactorNotRunning:
            self._process.forget(self._pid)
            _reap(self._pid)


def _pidfd(pid: int) -> int:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return -1  # not Linux, or not allowed: a thread waits instead


def _reap(pid: int) -> None:
    """Wait for a process that nobody has any interest in. Thread: any."""
    try:
        os.waitpid(pid, 0)
    except ChildProcessError:
        pass


class BaseProcess:
    """What a process with pipes and one with a terminal have in common.

    Attributes:
        pid: Its number; None once it has ended.
        status: What the operating system has said about its end; -1 before.
        proto: The protocol; None once all is over.
    """

    def __init__(self, reactor: _Reactor, proto: Any) -> None:
        self.reactor = reactor
        self.proto = proto
        self.pid: int | None = None
        self.status: int | None = -1
        self.lostProcess = False
        self._watcher: _ExitWatcher | None = None
        self._reason: Failure | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} pid={self.pid} status={self.status}>"

    def _started(self, pid: int) -> None:
        """Note that the process runs, and give the protocol its transport."""
        self.pid = pid
        reapProcessHandlers[pid] = self
        self._watcher = _ExitWatcher(self.reactor, self, pid)
        self._tell(self.proto.makeConnection, self)

    def _tell(self, method: Any, *args: object) -> None:
        """Call the protocol. The process goes on whatever that raises."""
        try:
            method(*args)
        except Exception as error:
            report(Failure(error), f"{method!r} of a process's protocol failed", source=self)

    def signalProcess(self, signalID: str | int) -> None:
        """Send the process a signal.

        Args:
            signalID: Its number, or its name, with or without "SIG".

        Raises:
            ProcessExitedAlready: It has ended.
            ValueError: There is no signal of that name.
        """
        number = _signalNumber(signalID)
        if self.pid is None:
            raise ProcessExitedAlready
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            raise ProcessExitedAlready from None

    def reapProcess(self) -> None:
        """Look whether the process has ended, and deal with that."""
        if self.pid is None:
            return
        try:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            # Somebody has waited for all children, or SIGCHLD is ignored. It has ended all the
            # same; how is not known any more.
            self._ended(None)
        else:
            if pid:
                self.processEnded(status)

    def processEnded(self, status: int) -> None:
        """Hear that the process has ended.

        Args:
            status: As `os.waitpid` returns it.
        """
        self._ended(status)

    def _ended(self, status: int | None) -> None:
        pid, self.pid = self.pid, None
        if pid is not None:
            self.forget(pid)
        if self._watcher is not None:
            self._watcher.close()
            self._watcher = None
        self.status = status
        self.lostProcess = True
        self._reason = Failure(_reasonOf(status))
        if self.proto is not None:
            exited = getattr(self.proto, "processExited", None)
            if exited is not None:  # protocols of old do not have it
                self._tell(exited, self._reason)
        self.maybeCallProcessEnded()

    def maybeCallProcessEnded(self) -> None:
        """Tell the protocol that all is over, if it is."""
        if self.lostProcess and self.proto is not None and not self._isOpen():
            proto, self.proto = self.proto, None
            self._tell(proto.processEnded, self._reason)

    def _isOpen(self) -> bool:
        """Whether something can still be read from the process or written to it."""
        raise NotImplementedError

    def forget(self, pid: int) -> None:
        """Be told no more by `reapAllProcesses`. Thread: any."""
        if reapProcessHandlers.get(pid) is self:
            del reapProcessHandlers[pid]

    def abandon(self) -> None:
        """Leave the process alone: the reactor ends. Once the process has ended, it is reaped.

        The protocol's `processEnded` is called, since it will never hear of the process again.
        """
        pid, self.pid, self._watcher = self.pid, None, None
        if pid is None:
            return
        self.forget(pid)
        Thread(target=_reap, args=(pid,), name=f"waits for process {pid}", daemon=True).start()
        proto, self.proto = self.proto, None
        if proto is not None:
            reason = ProcessTerminated()
            reason.args = ("the reactor has ended, the process has not",)
            self._tell(proto.processEnded, Failure(reason))

    def getHost(self) -> Any:
        """A process has no address.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError("a process has no address; its number is transport.pid")

    getPeer = getHost


def _signalNumber(signalID: str | int) -> int:
    if not isinstance(signalID, str):
        return signalID
    found = getattr(signal, signalID, None) or getattr(signal, f"SIG{signalID}", None)
    if not isinstance(found, signal.Signals):
        raise ValueError(f"there is no signal {signalID!r}; one is named as 'TERM', or by a number")
    return found


def _reasonOf(status: int | None) -> ProcessDone | ProcessTerminated:
    if status == 0:
        return ProcessDone(status)
    if status is None:
        return ProcessTerminated()
    if os.WIFEXITED(status):
        return ProcessTerminated(os.WEXITSTATUS(status), None, status)
    return ProcessTerminated(None, os.WTERMSIG(status), status)


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
        childFDs: What the child's descriptors are: ``"r"``, a pipe that we read; ``"w"``, a pipe
            that we write; or the number of a descriptor of ours. All others are closed in it.

    Raises:
        OSError: The program does not exist or may not be run, or no process can be made.
    """

    def __init__(
        self,
        reactor: _Reactor,
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
            _reap(pid)
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
            self.proto.childDataReceived(name, data)

    def childConnectionLost(self, name: int, reason: Failure) -> None:
        """Hear that a pipe is closed."""
        self.pipes.pop(name, None)
        if self.proto is not None:
            self._tell(self.proto.childConnectionLost, name)
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
        usePTY: True, or the terminal as ``(master, slave, name of the slave)``; both descriptors
            belong to the process from now on.

    Raises:
        OSError: The program does not exist or may not be run, or there is no terminal.
    """

    def __init__(
        self,
        reactor: _Reactor,
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
            _reap(pid)
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
            self.proto.childDataReceived(name, data)

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


showAs(
    "twistlike.internet.process",
    globals(),
    [
        "BaseProcess",
        "PTYProcess",
        "Process",
        "reapAllProcesses",
        "registerReapProcessHandler",
        "unregisterReapProcessHandler",
    ],
)
