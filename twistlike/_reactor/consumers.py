"""What Twisted's consumers ask of a reactor besides what asyncio programs and threads need.

These are file descriptors that the reactor watches, and the few private names by which trial and
Twisted's own suites clean up behind a test.

Thread: the loop's, except where a docstring says otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from twistlike._base.interfaces import IReadDescriptor, IWriteDescriptor
    from twistlike._pool.pool import ThreadPool
    from twistlike._reactor.descriptors import Descriptors
    from twistlike._reactor.inbox import Inbox
    from twistlike._reactor.lifecycle import LifeCycle
    from twistlike._reactor.pools import Pools
    from twistlike._reactor.run_loop import OwnLoop
    from twistlike._transports.transports import Transports

__all__ = ["ForConsumers"]


class ForConsumers:
    """The part of the reactor's interface that is told above; the reactor has the parts."""

    _descriptors: Descriptors
    _inbox: Inbox
    _life: LifeCycle
    _ownLoop: OwnLoop
    _pools: Pools
    _transports: Transports

    def addReader(self, reader: IReadDescriptor) -> None:
        """Call an object's ``doRead`` whenever its file descriptor has something to read.

        If ``doRead`` returns or raises an error, the object is watched no longer, and its
        ``connectionLost`` is called with a Failure. When the reactor ends, it is called as well.

        Args:
            reader: The object. Adding it once more does nothing.

        Raises:
            NotImplementedError: The loop cannot watch file descriptors (Windows' Proactor loop).
            OSError: The operating system cannot watch this one: it is closed, or a plain file.
            WrongThreadError: In another thread than the loop's.
        """
        self._change("addReader", True, reader, True)

    def addWriter(self, writer: IWriteDescriptor) -> None:
        """Call an object's ``doWrite`` whenever its file descriptor has room to write.

        Otherwise as `addReader`.
        """
        self._change("addWriter", True, writer, False)

    def removeReader(self, reader: IReadDescriptor) -> None:
        """Call an object's ``doRead`` no longer; nothing happens if it is not watched.

        Raises:
            WrongThreadError: In another thread than the loop's.
        """
        self._change("removeReader", False, reader, True)

    def removeWriter(self, writer: IWriteDescriptor) -> None:
        """Call an object's ``doWrite`` no longer; nothing happens if it is not watched.

        Raises:
            WrongThreadError: In another thread than the loop's.
        """
        self._change("removeWriter", False, writer, False)

    def removeAll(self) -> list[IReadDescriptor | IWriteDescriptor]:
        """Watch nobody any longer.

        Returns:
            All who were watched, each once.
        """
        return [*self._transports.removeAll(), *self._descriptors.removeAll()]

    def disconnectAll(self) -> None:
        """End all connections and ports, and call ``connectionLost`` of all others watched."""
        try:
            self._transports.end()
        finally:
            self._descriptors.tellLost(self._descriptors.removeAll())

    def getReaders(self) -> list[IReadDescriptor]:
        """Return who is watched for something to read."""
        return [*self._transports.readers(), *self._descriptors.readers]

    def getWriters(self) -> list[IWriteDescriptor]:
        """Return who is watched for room to write."""
        return [*self._transports.writers(), *self._descriptors.writers]

    def _change(self, name: str, adding: bool, selectable: Any, reading: bool) -> None:
        if not self._life.enter(name):
            self._inbox.post(self._change, (name, adding, selectable, reading), {})
        elif not self._transports.change(selectable, adding, reading):
            descriptors = self._descriptors
            (descriptors.add if adding else descriptors.remove)(selectable, reading)

    @property
    def threadpool(self) -> ThreadPool | None:
        """The pool, ``None`` if nobody has needed it yet, or the reactor has ended."""
        return self._pools.users

    # Private in Twisted, too.

    _exitSignal: int | None = None  # twisted.application reads it, to end by that signal itself

    def _noteSignal(self, number: int) -> None:
        """Hear of the signal that ends ``run()``. Thread: the main one, in the handler."""
        self._exitSignal = number

    @property
    def _asyncioEventloop(self) -> AbstractEventLoop | None:
        """The loop, or the one that was installed, or None: scrapy looks which kind it is."""
        return self._life.loop or self._ownLoop.given

    def _stopThreadPool(self) -> None:
        """End the users' threads and wait for them; the next job gets a new pool. For trial."""
        self._pools.stopUsers()

    def _uninstallHandler(self) -> None:
        """Give the signals back. For the suites that run on any reactor."""
        self._ownLoop.giveSignalsBack()
