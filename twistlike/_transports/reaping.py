"""The end of child processes: how it is noticed, and what a protocol is told.

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

import os
import signal
from contextvars import copy_context
from threading import Thread
from typing import TYPE_CHECKING, Any, Protocol

from twistlike._base.coroutines import callHook
from twistlike._base.error import ReactorNotRunning
from twistlike._base.failure import Failure
from twistlike._base.naming import showAs
from twistlike._base.network_error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twistlike._base.reflect import safe_repr
from twistlike._log.report import report
from twistlike._transports.abstract import nameForLogs
from twistlike._transports.factories import connectionMadeOf
from twistlike._transports.log_names import callNamed

if TYPE_CHECKING:
    from twistlike._base.interfaces import IReactorFDSet, IReactorFromThreads, IReactorTime

    class _Reactor(IReactorFDSet, IReactorTime, IReactorFromThreads, Protocol): ...


__all__ = [
    "BaseProcess",
    "reapAllProcesses",
    "reapChild",
    "reapProcessHandlers",
    "registerReapProcessHandler",
    "unregisterReapProcessHandler",
]


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
            reapChild(self._pid)


def _pidfd(pid: int) -> int:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return -1  # not Linux, or not allowed: a thread waits instead


def reapChild(pid: int) -> None:
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
        self.proto: Any = proto
        self.pid: int | None = None
        self.status: int | None = -1
        self.lostProcess = False
        self._watcher: _ExitWatcher | None = None
        self._context = copy_context()
        self._reason: Failure | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} pid={self.pid} status={self.status}>"

    def _started(self, pid: int) -> None:
        """Note that the process runs, and give the protocol its transport."""
        self.pid = pid
        reapProcessHandlers[pid] = self
        self._watcher = _ExitWatcher(self.reactor, self, pid)
        self._call(self.proto, "makeConnection", self)

    def logPrefix(self) -> str:
        """Return a name for logs: the protocol's."""
        return "-" if self.proto is None else nameForLogs(self.proto)

    def _tell(self, proto: Any, name: str, *args: object) -> None:
        """Call a method of the protocol in a copy of the context in which the process was started.

        Whatever ends the reactor, or reaps all processes, has a context of its own.
        """
        self._context.copy().run(self._call, proto, name, *args)

    def _call(self, proto: Any, name: str, *args: object) -> None:
        """Call a method of the protocol. The process goes on whatever that raises."""
        try:
            callNamed(proto, callHook, getattr(proto, name), *args)
        except Exception as error:
            if name == "makeConnection":
                name = connectionMadeOf(proto).__name__
            report(Failure(error), f"{name} of the protocol {safe_repr(proto)} failed", source=self)

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
        try:
            if hasattr(self.proto, "processExited"):  # protocols of old do not have it
                self._tell(self.proto, "processExited", self._reason)
        finally:
            self.maybeCallProcessEnded()

    def maybeCallProcessEnded(self) -> None:
        """Tell the protocol that all is over, if it is."""
        if self.lostProcess and self.proto is not None and not self._isOpen():
            proto, self.proto = self.proto, None
            self._tell(proto, "processEnded", self._reason)

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
        Thread(target=reapChild, args=(pid,), name=f"waits for process {pid}", daemon=True).start()
        proto, self.proto = self.proto, None
        if proto is not None:
            reason = ProcessTerminated()
            reason.args = ("the reactor has ended, the process has not",)
            self._tell(proto, "processEnded", Failure(reason))

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


showAs(
    "twistlike.internet.process",
    globals(),
    [each for each in __all__ if each not in ("reapChild", "reapProcessHandlers")],
)
