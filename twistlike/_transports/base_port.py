"""What ports of connections and ports of datagrams have in common. Thread: the reactor's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twistlike._base.error import ConnectionDone
from twistlike._base.failure import Failure
from twistlike._defer.deferred import Deferred, succeed
from twistlike._log.legacy import msg
from twistlike._transports.closing import ClosesWithBlock, endPort
from twistlike._transports.socket_descriptor import SocketDescriptor

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Task

__all__ = ["BasePort"]


class BasePort(ClosesWithBlock, SocketDescriptor):
    """A socket that something arrives at.

    A subclass makes the socket, and says what arrives and to whom it goes.

    Args:
        reactor: The reactor.

    Attributes:
        deferred: What `stopListening` has returned, while the port is about to close.
    """

    deferred: Deferred[None] | None = None
    _loopTask: Task[None] | None = None  # on a loop that cannot watch sockets

    def __init__(self, reactor: Any) -> None:
        super().__init__(reactor)
        self._stopped: list[Deferred[None]] = []

    def _typeName(self) -> str:
        """Return what kind of port it is, for logs."""
        raise NotImplementedError

    def _name(self) -> object:
        """Return what the log calls it."""
        raise NotImplementedError

    def _where(self) -> str:
        """Return where it listens, for `repr`."""
        raise NotImplementedError

    def _doStop(self) -> None:
        """Tell the factory or the protocol that the port is closed."""
        raise NotImplementedError

    # ---- receiving -------------------------------------------------------------------------------

    def _watchReading(self, loop: AbstractEventLoop) -> None:
        if self._net.canWatch:
            super()._watchReading(loop)
        else:
            self._loopTask = loop.create_task(self._readByLoop(loop), context=self._context.copy())

    def _unwatchReading(self, loop: AbstractEventLoop) -> None:
        task, self._loopTask = self._loopTask, None
        if task is None:
            super()._unwatchReading(loop)
        elif not loop.is_closed():
            task.cancel()

    async def _readByLoop(self, loop: AbstractEventLoop) -> None:
        """Take what arrives, on a loop that cannot watch sockets."""
        raise NotImplementedError

    # ---- the end ---------------------------------------------------------------------------------

    def stopListening(self) -> Deferred[None]:
        """Take nothing any more, and close. Connections that were accepted go on.

        Returns:
            A Deferred that fires when the port is closed, on a later turn. If it was closed
            already, it has fired.

        Raises:
            WrongThreadError: In another thread than the loop's.
        """
        return self.loseConnection()

    def loseConnection(  # type: ignore[override]  # in Twisted, too, a port answers
        self, connDone: Failure | None = None
    ) -> Deferred[None]:
        """Do what `stopListening` does."""
        if self._elsewhere(self.stopListening) or not self.connected:
            return succeed(None)
        stopped: Deferred[None] = Deferred()
        self._stopped.append(stopped)
        if not self.disconnecting:
            self.disconnecting = True
            self.deferred = stopped
            self.stopReading()
            self._later(self.connectionLost, connDone or Failure(ConnectionDone()))
        return stopped

    def connectionLost(self, reason: Failure | None = None) -> None:
        """Close the port, and tell the factory or the protocol.

        Args:
            reason: Why; it is not told.
        """
        if not hasattr(self, "socket"):
            return
        msg(f"({self._typeName()} Port {self._name()} Closed)")
        self._net.open.pop(self, None)
        self.connected, self.disconnected, self.disconnecting = False, True, False
        self.stopReading()
        self.stopWriting()
        self._closePort()
        del self.socket
        stopped, self._stopped, self.deferred = self._stopped, [], None
        endPort(self._doStop, stopped)

    def _closePort(self) -> None:
        # Not shut down: another process may listen on it as well.
        self.socket.close()
