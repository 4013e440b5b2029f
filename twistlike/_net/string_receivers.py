"""Protocols that take a stream of bytes apart into strings that tell their length first.

Thread: the reactor's.

How it works
------------
As soon as a string's length is known, so is how many bytes are wanted; pieces are kept as they come
until there are so many, and joined then. A string is cut out where it stands. So the work is linear
in the number of bytes. What is received inside of `stringReceived` waits until it returns.
"""

from __future__ import annotations

from struct import pack, unpack_from
from typing import Any

from twistlike._base.coroutines import refuseCoroutine
from twistlike._base.naming import showAs
from twistlike._log import legacy
from twistlike._net.line_receivers import PauseableMixin
from twistlike._net.protocol import Protocol

__all__ = [
    "IncompleteNetstring",
    "Int8StringReceiver",
    "Int16StringReceiver",
    "Int32StringReceiver",
    "IntNStringReceiver",
    "NetstringParseError",
    "NetstringReceiver",
    "StatefulStringProtocol",
    "StringTooLongError",
]


_LENGTH_DIGITS = 20
"""How much of a netstring is searched for its length: one of 20 digits is beyond any memory."""


class StringTooLongError(AssertionError):
    """A string is longer than its prefix can tell."""


class NetstringParseError(ValueError):
    """What was received is no netstring."""


class IncompleteNetstring(Exception):
    """A netstring is not complete yet."""


class _StringReceiver(Protocol):
    """Keeps what was received, and takes strings off it while they are complete."""

    MAX_LENGTH = 99999
    paused = False

    _data: bytes = b""
    _offset = 0
    _pieces: list[bytes] | None = None
    _size = 0  # of what waits, in bytes
    _wanted = 1  # bytes; with fewer there is nothing to be done
    _busyReceiving = False

    @property
    def _unprocessed(self) -> bytes:
        """What waits; code written for Twisted looks at it."""
        return b"".join((self._data[self._offset :], *(self._pieces or ())))

    def dataReceived(self, data: bytes) -> None:
        """Take bytes apart, and hand on the strings that are complete.

        Args:
            data: The bytes.
        """
        size = self._size
        self._size = size + len(data)
        if size == 0:
            self._data, self._offset = data, 0
        elif self._pieces is None:
            self._pieces = [data]
        else:
            self._pieces.append(data)
        if self._busyReceiving:
            return
        self._busyReceiving = True
        try:
            self._handOnAll()
        finally:
            self._busyReceiving = False

    def _handOnAll(self) -> None:
        # A loop of its own: where one in a `try` jumps back, 3.12 and later find no `finally`.
        while not self.paused and self._size >= self._wanted:
            if self._pieces:
                self._data, self._offset, self._pieces = self._unprocessed, 0, None
            self._wanted = 1
            if not self._handOn():
                break

    def _handOn(self) -> bool:
        """Hand on one string or more.

        Returns:
            False: Nothing more is to be done with what is there. Else `_size` and `_wanted` tell.
        """
        raise NotImplementedError

    def stringReceived(self, string: bytes) -> Any:
        """Take a string. Subclasses override it.

        Args:
            string: Its bytes.
        """
        raise NotImplementedError


class IntNStringReceiver(_StringReceiver, PauseableMixin):
    """Takes strings with a prefix of N bytes that tells their length.

    Attributes:
        MAX_LENGTH: How many bytes a string may have that is received.
        structFormat: The prefix, for the module `struct`.
        prefixLength: The prefix's length, in bytes.
    """

    structFormat: str
    prefixLength: int

    def dataReceived(self, data: bytes) -> None:
        """Take bytes apart, and hand on the strings that are complete.

        Args:
            data: The bytes.
        """
        if not self._size and not self._busyReceiving and not self.paused:
            prefixLength = self.prefixLength
            if len(data) >= prefixLength:
                (length,) = unpack_from(self.structFormat, data)
                if length <= self.MAX_LENGTH and prefixLength + length == len(data):
                    # One string that came alone, as most do: without what the loop needs.
                    self._busyReceiving = True
                    try:
                        result = self.stringReceived(data[prefixLength:])
                    finally:
                        self._busyReceiving = False
                    if result is not None:
                        refuseCoroutine(result, self.stringReceived)
                    if not self._data:
                        return
                    data = b""
        super().dataReceived(data)

    def _handOn(self) -> bool:
        data, offset = self._data, self._offset
        prefixLength, available = self.prefixLength, len(data)
        while not self.paused:
            start = offset + prefixLength
            if start > available:
                self._wanted = prefixLength
                break
            (length,) = unpack_from(self.structFormat, data, offset)
            if length > self.MAX_LENGTH:
                self.lengthLimitExceeded(length)
                return False
            end = start + length
            if end > available:
                self._wanted = end - offset
                break
            # Before the call: if it raises, no string is handed on twice.
            self._size -= end - offset
            self._offset = offset = end
            result = self.stringReceived(data[start:end])
            if result is not None:
                refuseCoroutine(result, self.stringReceived)
            if self._data is not data:
                break  # all was taken, and more was received inside of the call
        if self._offset == len(self._data):
            self._data, self._offset = b"", 0
        return True

    def sendString(self, string: bytes) -> None:
        """Send a string, with its prefix.

        Args:
            string: Its bytes.

        Raises:
            StringTooLongError: Its length does not fit into the prefix.
        """
        if len(string) >= 1 << 8 * self.prefixLength:
            raise StringTooLongError(
                f"a string of {len(string)} bytes was to be sent, and a prefix of "
                f"{self.prefixLength} bytes tells {(1 << 8 * self.prefixLength) - 1} at most"
            )
        self.transport.write(pack(self.structFormat, len(string)) + string)

    def lengthLimitExceeded(self, length: int) -> None:
        """Deal with a string that is too long: close the connection. Subclasses may override it.

        Args:
            length: The length that its prefix tells, in bytes.
        """
        self.transport.loseConnection()


class Int32StringReceiver(IntNStringReceiver):
    """Takes strings with a prefix of 4 bytes, in network byte order."""

    structFormat = "!I"
    prefixLength = 4


class Int16StringReceiver(IntNStringReceiver):
    """Takes strings with a prefix of 2 bytes, in network byte order."""

    structFormat = "!H"
    prefixLength = 2


class Int8StringReceiver(IntNStringReceiver):
    """Takes strings with a prefix of 1 byte."""

    structFormat = "!B"
    prefixLength = 1


class NetstringReceiver(_StringReceiver):
    """Takes netstrings: `5:hello,`. What is none closes the connection.

    Attributes:
        MAX_LENGTH: How many bytes a string may have.
        brokenPeer: 1 once the peer has sent something else.
    """

    brokenPeer = 0

    def makeConnection(self, transport: Any) -> None:
        """Begin anew with a transport.

        Args:
            transport: The connection.
        """
        self._data, self._offset, self._pieces = b"", 0, None
        self._size, self._wanted, self.brokenPeer = 0, 1, 0
        super().makeConnection(transport)

    def sendString(self, string: bytes) -> None:
        """Send a string, as a netstring.

        Args:
            string: Its bytes.
        """
        self.transport.write(b"%d:%b," % (len(string), string))

    def _handOn(self) -> bool:
        if self.brokenPeer:
            self._data, self._offset, self._size = b"", 0, 0
            return False
        try:
            string = self._takeString()
        except NetstringParseError:
            self.brokenPeer = 1
            self.transport.loseConnection()
            return False
        if string is not None:
            result = self.stringReceived(string)
            if result is not None:
                refuseCoroutine(result, self.stringReceived)
        return True

    def _takeString(self) -> bytes | None:
        """Take a string off what waits; if it is not complete, note how many bytes are wanted.

        Raises:
            NetstringParseError: What waits does not begin with a netstring.
        """
        data, offset = self._data, self._offset
        colon = data.find(b":", offset, offset + _LENGTH_DIGITS)
        digits = data[offset : colon if colon >= 0 else offset + _LENGTH_DIGITS]
        if not digits.isdigit():
            raise NetstringParseError(f"a netstring begins with its length, not {digits!r}")
        if len(digits) > 1 and digits.startswith(b"0"):
            raise NetstringParseError(f"the length of a netstring begins with 0: {digits!r}")
        length = int(digits)
        if length > self.MAX_LENGTH:
            raise NetstringParseError(f"a netstring is longer than {self.MAX_LENGTH}: {digits!r}")
        if colon < 0:
            self._wanted = self._size + 1
            return None
        end = colon + 1 + length
        if end >= len(data):
            self._wanted = end + 1 - offset
            return None
        if data[end] != ord(","):
            raise NetstringParseError(f"a netstring ends with a comma, not {data[end : end + 1]!r}")
        self._size -= end + 1 - offset
        self._offset = end + 1
        if self._size == 0:
            self._data, self._offset = b"", 0
        return data[colon + 1 : end]


class StatefulStringProtocol:
    """A mixin for what receives strings: each goes to the method of the present state.

    In state "x" that is `proto_x`, which returns the next state; in state "done" the connection is
    closed.

    Attributes:
        state: The present state; the first one is "init".
    """

    state: Any = "init"
    transport: Any

    def stringReceived(self, string: bytes) -> None:
        """Hand a string to the method of the present state.

        Args:
            string: Its bytes. If there is no such method, that is logged.
        """
        handler = getattr(self, f"proto_{self.state}", None)
        if handler is None:
            legacy.msg(f"{self!r} has no method proto_{self.state}: a string is dropped")
            return
        self.state = handler(string)
        if self.state == "done":
            self.transport.loseConnection()


showAs("twistlike.protocols.basic", globals(), __all__)
