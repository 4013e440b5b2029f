"""Child processes of Twisted's `spawnProcess`: how the reactor learns that one has ended.

Twisted takes SIGCHLD, which a guest on somebody's loop must not. Linux has a descriptor for each
process that becomes readable when it ends; elsewhere a thread waits for it.

Thread: the loop's, except where a docstring says otherwise.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

from twistlike._reactor.parts import Part

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from twistlike._reactor.reactor import Reactor

__all__ = ["ChildProcesses", "childrenOf", "watchChild"]


class ChildProcesses(Part):
    """The processes that one reactor has started and that have not ended.

    They stay out of `getReaders` and `removeAll`: nobody added them.
    """

    def __init__(self) -> None:
        self._loop: AbstractEventLoop | None = None
        self._watched: dict[int, Any] = {}  # the process's descriptor: its transport

    def __len__(self) -> int:
        return len(self._watched)

    def add(self, descriptor: int, transport: Any) -> None:
        """Call `transport.reapProcess` when the process has ended."""
        self._watched[descriptor] = transport
        if self._loop is not None:
            self._loop.add_reader(descriptor, self._ended, descriptor)

    def bind(self, loop: AbstractEventLoop) -> None:
        """Watch on `loop` from now on."""
        self._loop = loop
        for descriptor in self._watched:
            loop.add_reader(descriptor, self._ended, descriptor)

    def unbind(self) -> None:
        """Stop watching; the processes are remembered for the next loop."""
        loop, self._loop = self._loop, None
        if loop is not None and not loop.is_closed():
            for descriptor in self._watched:
                loop.remove_reader(descriptor)

    def afterFork(self) -> None:
        """Forget them: they are the parent's children."""
        self._watched.clear()

    def _ended(self, descriptor: int) -> None:
        transport = self._watched.pop(descriptor, None)
        if self._loop is not None:
            self._loop.remove_reader(descriptor)
        os.close(descriptor)
        if transport is not None:
            _reap(transport)


def _reap(transport: Any) -> None:
    """Have a transport reap its process, unless it has done so when the pipes were closed."""
    if transport.pid is not None:
        transport.reapProcess()


def childrenOf(reactor: Reactor) -> ChildProcesses:
    """Return the part of a reactor that watches its child processes, made at the first call."""
    parts: Any = reactor._life._parts
    for part in parts:
        if isinstance(part, ChildProcesses):
            return part
    children = ChildProcesses()
    parts.append(children)
    if reactor._life.loop is not None:
        children.bind(reactor._life.loop)
    return children


def watchChild(reactor: Reactor, transport: Any) -> None:
    """Have a process's transport reap it when it has ended.

    Args:
        reactor: The one that started it.
        transport: What `spawnProcess` returned.
    """
    pid = getattr(transport, "pid", None)
    if not pid:
        return  # it could not be started, or has ended already
    reactor._life.enter("spawnProcess")
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        reactor.callLater(0, _reap, transport)
    except (AttributeError, OSError):
        threading.Thread(
            target=_wait, args=(reactor, pid, transport), name=f"child-{pid}", daemon=True
        ).start()
    else:
        childrenOf(reactor).add(descriptor, transport)


def _wait(reactor: Reactor, pid: int, transport: Any) -> None:
    """Wait for a process, and leave its status to the transport. Thread: one of its own."""
    from twistlike._base.error import ReactorNotRunning  # seldom needed

    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    except ChildProcessError:
        pass  # somebody else has reaped it: so will the transport find out
    try:
        reactor.callFromThread(_reap, transport)
    except ReactorNotRunning:
        pass  # nobody waits for it any more
