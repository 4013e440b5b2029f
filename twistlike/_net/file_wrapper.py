"""`FileWrapper`: a file as a transport. Thread: the reactor's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twistlike._base.naming import showAs
from twistlike._log import legacy

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import BinaryIO

__all__ = ["FileWrapper"]


class FileWrapper:
    """A transport that writes to a file.

    Args:
        file: The file, open for writing bytes. What it raises is reported and otherwise ignored.

    Attributes:
        closed: 1 once the file was closed.
        producer: The registered producer, or None.
        streamingProducer: Whether that is a push producer.
    """

    closed = 0
    disconnecting = 0
    producer: Any = None
    streamingProducer: bool | int = 0

    def __init__(self, file: BinaryIO) -> None:
        self.file = file

    def write(self, data: bytes) -> None:
        """Write some bytes, and ask the producer for more."""
        try:
            self.file.write(data)
        except Exception:
            self.handleException()

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """Write several pieces, in their order."""
        self.write(b"".join(iovec))

    def _checkProducer(self) -> None:
        if self.producer is not None:
            self.producer.resumeProducing()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Take a producer; one that has to be asked is asked at once."""
        self.producer = producer
        self.streamingProducer = streaming
        if not streaming:
            producer.resumeProducing()

    def unregisterProducer(self) -> None:
        """Let the producer go."""
        self.producer = None

    def stopConsuming(self) -> None:
        """Let the producer go and close the file."""
        self.unregisterProducer()
        self.loseConnection()

    def loseConnection(self) -> None:
        """Close the file."""
        self.closed = 1
        try:
            self.file.close()
        except Exception:
            self.handleException()

    def getPeer(self) -> tuple[str, str]:
        """Return a pair of words: a file has no address."""
        return "file", "file"

    def getHost(self) -> str:
        """Return a word: a file has no address."""
        return "file"

    def handleException(self) -> None:
        """Deal with what the file has raised: report it. Subclasses override it."""
        legacy.err(None, "Writing to a file that is used as a transport has failed")

    def resumeProducing(self) -> None:
        """Do nothing: a file sends nothing back."""

    def pauseProducing(self) -> None:
        """Do nothing: a file sends nothing back."""

    def stopProducing(self) -> None:
        """Close the file."""
        self.loseConnection()


showAs("twistlike.internet.protocol", globals(), __all__)
