"""Protocols that take a stream of bytes apart into lines. Thread: the reactor's.

How it works
------------
What was received and not handed on yet stands in `_data`, from `_offset` on, and in `_pieces`, in
that order. A line is cut out where it stands, so many lines in one piece cost no copy of what
follows. A short unfinished line is joined to the next piece; of a long one the pieces are kept
until one brings a delimiter (or too many bytes), and joined then. So the work is linear in the
number of bytes, whatever the size of the pieces and of the lines.
"""

from __future__ import annotations

from typing import Any

from twistlike._base.coroutines import refuseCoroutine
from twistlike._base.naming import showAs
from twistlike._net.protocol import Protocol

__all__ = ["LineOnlyReceiver", "LineReceiver", "PauseableMixin"]


_SHORT = 1024
"""Bytes up to which an unfinished line is joined to the next piece: copying them, and searching
them again, takes less time than keeping account of pieces (0.1 us)."""


class PauseableMixin:
    """Makes a protocol a push producer that hands on nothing while it is paused.

    Attributes:
        paused: Whether it is.
    """

    paused = False
    transport: Any

    def pauseProducing(self) -> None:
        """Hand on nothing more for now, and read nothing more."""
        self.paused = True
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """Read again, and hand on what has waited."""
        self.paused = False
        self.transport.resumeProducing()
        self.dataReceived(b"")

    def stopProducing(self) -> None:
        """Hand on nothing more, and close the connection."""
        self.paused = True
        self.transport.stopProducing()

    def dataReceived(self, data: bytes) -> None:
        """See the protocol."""
        raise NotImplementedError


class LineReceiver(Protocol, PauseableMixin):
    """Takes lines, or in raw mode bytes as they come.

    Modes may be changed, and receiving paused and resumed, inside of the methods that are called:
    what was received already is handed on accordingly. Where `lineReceived` or `rawDataReceived`
    returns something true, or `lineReceived` has called `transport.loseConnection`, nothing more is
    handed on for now.

    Attributes:
        delimiter: What ends a line; bytes.
        MAX_LENGTH: How many bytes a line may have, without the delimiter.
        line_mode: 1, or 0 in raw mode.
    """

    line_mode = 1
    delimiter = b"\r\n"
    MAX_LENGTH = 16384

    _isBusy = False  # inside of one of the methods that are called
    _isWaiting = False  # something was received and not handed on
    _data: bytes = b""
    _offset = 0
    _pieces: list[bytes] | None = None
    # While what waits is known to hold no end of a line: the delimiter that was looked for.
    _searchedFor: bytes | None = None
    _size = 0  # of what waits, in bytes; kept up only while there are pieces of a long line

    @property
    def _buffer(self) -> bytes:
        """What waits; code written for Twisted looks at it, and sets it."""
        return b"".join((self._data[self._offset :], *(self._pieces or ())))

    @_buffer.setter
    def _buffer(self, data: bytes) -> None:
        self._data, self._offset, self._pieces, self._searchedFor = data, 0, None, None
        self._isWaiting = bool(data)

    def clearLineBuffer(self) -> bytes:
        """Drop what was received and not handed on yet.

        Returns:
            What was dropped.
        """
        waiting, self._buffer = self._buffer, b""
        return waiting

    def dataReceived(self, data: bytes) -> Any:
        """Take bytes apart, and hand on what is complete.

        Args:
            data: The bytes.

        Returns:
            What `lineReceived`, `rawDataReceived` or `lineLengthExceeded` has returned, if that
            ended it: else None.
        """
        if self._isBusy:
            self._keep(data)
            return None
        if self._isWaiting:
            if self._searchedFor is None:  # paused, or somebody wanted no more
                self._keep(data)
            elif len(self._data) < _SHORT and not self._pieces:
                self._data += data
            else:
                isUnfinished = self._isUnfinished(data)
                self._keep(data)
                if isUnfinished:
                    return None
        elif self.line_mode and not self.paused:
            # One line that came alone, as most do: without what the loop below needs.
            delimiter = self.delimiter
            end = data.find(delimiter)
            if 0 <= end <= self.MAX_LENGTH and end + len(delimiter) == len(data) > end:
                self._isBusy = True
                try:
                    why = self.lineReceived(data[:end])
                finally:
                    self._isBusy = False
                if why:
                    refuseCoroutine(why, self.lineReceived)
                if self._pieces is None or why or self._isDisconnecting():
                    return why
            else:
                self._data = data
        else:
            self._data = data
        self._isBusy = True
        try:
            return self._handOn()
        finally:
            self._isBusy = False
            self._isWaiting = True
            if self._offset >= len(self._data):
                self._data, self._offset = b"", 0
                self._isWaiting = self._pieces is not None

    def _isDisconnecting(self) -> bool:
        return self.transport is not None and bool(self.transport.disconnecting)

    def _keep(self, data: bytes) -> None:
        if self._pieces is None:
            self._pieces = []
            self._size = len(self._data) - self._offset
        self._pieces.append(data)
        self._size += len(data)
        self._isWaiting = True

    def _isUnfinished(self, data: bytes) -> bool:
        """Return whether a piece leaves the line that waits without its end."""
        delimiter = self.delimiter
        if self._searchedFor != delimiter or not self.line_mode:
            return False
        size = len(data) + (self._size if self._pieces else len(self._data))
        if size >= self.MAX_LENGTH + len(delimiter) or delimiter in data:
            return False
        overlap = len(delimiter) - 1
        if overlap:
            last = self._pieces[-1] if self._pieces else self._data
            if len(last) < overlap:
                last = self._buffer  # pieces of a few bytes: rare
            if delimiter in last[-overlap:] + data[:overlap]:
                return False
        return True

    def _handOn(self) -> Any:
        """Hand on lines and raw bytes until nothing more is complete, or somebody wants no more."""
        self._searchedFor = None
        while not self.paused:
            if self._pieces:
                self._buffer = self._buffer
            data, start = self._data, self._offset
            if start >= len(data):
                break
            if not self.line_mode:
                why = self.rawDataReceived(self.clearLineBuffer())
                if why:
                    refuseCoroutine(why, self.rawDataReceived)
                    return why
                continue
            delimiter = self.delimiter
            end = data.find(delimiter, start)
            if end < 0:
                if len(data) - start >= self.MAX_LENGTH + len(delimiter):
                    return self.lineLengthExceeded(self.clearLineBuffer())
                self._data, self._offset = data[start:], 0
                self._searchedFor = delimiter
                return None
            if end - start > self.MAX_LENGTH:
                return self.lineLengthExceeded(self.clearLineBuffer())
            if not delimiter:
                raise ValueError(f"the delimiter of {self!r} is empty: no line would ever end")
            self._offset = end + len(delimiter)
            why = self.lineReceived(data[start:end])
            if why or (self.transport is not None and self.transport.disconnecting):
                refuseCoroutine(why, self.lineReceived)
                return why
        return None

    def setLineMode(self, extra: bytes = b"") -> Any:
        """Take lines from now on.

        Args:
            extra: Bytes that were handed on in raw mode and belong to the lines.

        Returns:
            What `dataReceived` returns for these.
        """
        self.line_mode = 1
        return self.dataReceived(extra) if extra else None

    def setRawMode(self) -> None:
        """Take bytes as they come from now on."""
        self.line_mode = 0

    def rawDataReceived(self, data: bytes) -> Any:
        """Take bytes in raw mode. Subclasses override it.

        Args:
            data: The bytes.
        """
        raise NotImplementedError

    def lineReceived(self, line: bytes) -> Any:
        """Take a line. Subclasses override it.

        Args:
            line: Its bytes, without the delimiter.
        """
        raise NotImplementedError

    def sendLine(self, line: bytes) -> None:
        """Send a line.

        Args:
            line: Its bytes, without the delimiter, which is added.
        """
        self.transport.write(line + self.delimiter)

    def lineLengthExceeded(self, line: bytes) -> Any:
        """Deal with a line that is too long: close the connection. Subclasses may override it.

        Args:
            line: All that was received and not handed on: the line or its beginning, and what
                follows.
        """
        return self.transport.loseConnection()


class LineOnlyReceiver(Protocol):
    """Takes lines, and nothing else; somewhat faster than `LineReceiver`.

    Attributes:
        delimiter: What ends a line; bytes.
        MAX_LENGTH: How many bytes a line may have, without the delimiter.
    """

    delimiter = b"\r\n"
    MAX_LENGTH = 16384

    _buffer = b""  # the unfinished line, or the first piece of a long one
    _pieces: list[bytes] | None = None  # the other pieces
    _size = 0  # of all pieces, in bytes
    _searchedFor = b""  # the delimiter that they do not hold

    def dataReceived(self, data: bytes) -> Any:
        """Take bytes apart, and hand on the lines that are complete.

        Args:
            data: The bytes.

        Returns:
            What `lineLengthExceeded` has returned if it was called, else None.
        """
        if self._buffer:
            if len(self._buffer) < _SHORT:
                data = self._buffer + data
            elif self._isUnfinished(data):
                return None
            elif self._pieces is not None:
                data = b"".join((self._buffer, *self._pieces, data))
                self._pieces = None
            else:
                data = self._buffer + data
        delimiter = self.delimiter
        lines = data.split(delimiter)
        self._buffer = lines.pop()
        self._searchedFor = delimiter
        result = None
        for line in lines:
            if self.transport.disconnecting:
                return None
            if len(line) > self.MAX_LENGTH:
                return self.lineLengthExceeded(line)
            result = self.lineReceived(line)
        if result is not None:  # the last one tells: looking at each took a tenth of the time
            refuseCoroutine(result, self.lineReceived)
        if len(self._buffer) > self.MAX_LENGTH:
            return self.lineLengthExceeded(self._buffer)
        return None

    def _isUnfinished(self, data: bytes) -> bool:
        """Return whether a piece leaves the line without its end; if so, keep the piece."""
        delimiter = self.delimiter
        if self._pieces is None:
            self._size = len(self._buffer)
        size = self._size + len(data)
        if size > self.MAX_LENGTH or delimiter in data or delimiter != self._searchedFor:
            return False
        if len(delimiter) > 1:
            overlap = len(delimiter) - 1
            last = self._pieces[-1] if self._pieces else self._buffer
            if len(last) < overlap:
                last = b"".join(
                    (self._buffer, *(self._pieces or ()))
                )  # pieces of a few bytes: rare
            if delimiter in last[-overlap:] + data[:overlap]:
                return False
        if self._pieces is None:
            self._pieces = []
        self._pieces.append(data)
        self._size = size
        return True

    def lineReceived(self, line: bytes) -> Any:
        """Take a line. Subclasses override it.

        Args:
            line: Its bytes, without the delimiter.
        """
        raise NotImplementedError

    def sendLine(self, line: bytes) -> None:
        """Send a line.

        Args:
            line: Its bytes, without the delimiter, which is added.
        """
        self.transport.writeSequence((line, self.delimiter))

    def lineLengthExceeded(self, line: bytes) -> Any:
        """Deal with a line that is too long: close the connection. Subclasses may override it.

        Args:
            line: The line, or its beginning.
        """
        return self.transport.loseConnection()


showAs("twistlike.protocols.basic", globals(), ["LineOnlyReceiver", "LineReceiver"])
