"""`FileSender`: sends a file to a consumer. Thread: the reactor's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twistlike._base.naming import showAs
from twistlike._defer.deferred import Deferred

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from twistlike._transports.interfaces import IConsumer

    class _Readable(Protocol):
        def read(self, size: int, /) -> bytes:
            """Return so many bytes at most; none at the end."""
            ...


__all__ = ["FileSender"]


class FileSender:
    """A pull producer that sends a file.

    Attributes:
        CHUNK_SIZE: How many bytes are read at a time, at most.
        lastSent: The last byte that was sent; the empty text before.
        deferred: What `beginFileTransfer` has returned; None once that has fired.
    """

    CHUNK_SIZE = 2**14
    lastSent: bytes | str = ""
    deferred: Deferred[bytes | str] | None = None
    file: _Readable | None = None
    consumer: IConsumer
    transform: Callable[[bytes], bytes] | None = None

    def beginFileTransfer(
        self,
        file: _Readable,
        consumer: IConsumer,
        transform: Callable[[bytes], bytes] | None = None,
    ) -> Deferred[bytes | str]:
        """Send a file from where it stands to its end.

        Args:
            file: The file, open for reading bytes. Reading blocks the reactor. It is not closed.
            consumer: What it is sent to, such as a transport.
            transform: Is called with each piece, and returns what is sent instead.

        Returns:
            A Deferred with the last byte that was sent, once all was handed to the consumer. It
            fails if the consumer stops: the connection was lost.
        """
        self.file = file
        self.consumer = consumer
        self.transform = transform
        deferred: Deferred[bytes | str] = Deferred()
        self.deferred = deferred
        consumer.registerProducer(self, False)
        return deferred

    def resumeProducing(self) -> None:
        """Send the next piece."""
        chunk = self.file.read(self.CHUNK_SIZE) if self.file is not None else b""
        if not chunk:
            self.file = None
            self.consumer.unregisterProducer()
            deferred, self.deferred = self.deferred, None
            if deferred is not None:
                deferred.callback(self.lastSent)
            return
        if self.transform is not None:
            chunk = self.transform(chunk)
        self.consumer.write(chunk)
        self.lastSent = chunk[-1:]

    def pauseProducing(self) -> None:
        """Do nothing: a piece is sent only where one is asked for."""

    def stopProducing(self) -> None:
        """Fail: the consumer takes no more."""
        deferred, self.deferred = self.deferred, None
        if deferred is not None:
            deferred.errback(Exception("Consumer asked us to stop producing"))


showAs("twistlike.protocols.basic", globals(), __all__)
