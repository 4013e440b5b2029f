"""Receivers of lines, beside Twisted's: equal for any bytes in any pieces, and linear in time."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import twistlike.protocols.basic as ours
from tests.net.receivers import Step, Transport, cut, transcript
from twistlike.internet.protocol import Protocol
from twistlike.internet.testing import StringTransport

twisteds: Any = importlib.import_module("twisted.protocols.basic")

COMMANDS = [b"P", b"R", b"Q", b"D", b"C", b"X", b"M", b"N", b"d", b"e", b"f", b"T", b"W", b"E"]
TEXTS = [b"", b"hello", b"V", b"0123456789ab", b"0123456789abc", b"x" * 20, b"x" * 40]
ENDS = [b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b"abc", b""]

LINES = st.lists(
    st.tuples(st.sampled_from([*COMMANDS, *TEXTS]), st.sampled_from(ENDS)), max_size=14
).map(lambda pairs: b"".join(text + end for text, end in pairs))


def lineReceiver(base: Any) -> Any:
    """Make a receiver that does what its lines say."""

    class Receiver(base):  # type: ignore[misc]
        MAX_LENGTH = 12
        depth = 0

        def lineReceived(self, line: bytes) -> object:
            self.log.append(("line", line))
            if self.depth > 3:
                return None
            self.depth += 1
            try:
                return self.obey(line)
            finally:
                self.depth -= 1

        def obey(self, line: bytes) -> object:
            if line == b"P":
                self.pauseProducing()
            elif line == b"R":
                self.setRawMode()
            elif line == b"Q":
                self.transport.loseConnection()
            elif line == b"D":
                self.dataReceived(b"x\r\ny")
            elif line == b"C":
                self.log.append(self.clearLineBuffer())
            elif line == b"X":
                self.pauseProducing()
                self.resumeProducing()
            elif line in (b"M", b"N"):
                self.MAX_LENGTH = 4 if line == b"M" else 30
            elif line in (b"d", b"e", b"f"):
                self.delimiter = {b"d": b"\n", b"e": b"\r\n", b"f": b"abc"}[line]
            elif line == b"T":
                return "enough"
            elif line == b"W":
                self.setRawMode()
                self.setLineMode(b"zz\r\nz")
            return None

        def rawDataReceived(self, data: bytes) -> object:
            self.log.append(("raw", data))
            if b"E" in data:
                self.log.append(self.setLineMode(data[data.index(b"E") + 1 :]))
            return "enough" if data == b"V" else None

        def lineLengthExceeded(self, line: bytes) -> object:
            self.log.append(("exceeded", line))
            return super().lineLengthExceeded(line)

    return Receiver


def lineOnlyReceiver(base: Any) -> Any:
    """Make a receiver that does what its lines say."""

    class Receiver(base):  # type: ignore[misc]
        MAX_LENGTH = 12
        depth = 0

        def lineReceived(self, line: bytes) -> None:
            self.log.append(("line", line))
            if line == b"Q":
                self.transport.loseConnection()
            elif line == b"D" and self.depth < 3:
                self.depth += 1
                self.dataReceived(b"x\r\ny")
                self.depth -= 1
            elif line in (b"M", b"N"):
                self.MAX_LENGTH = 4 if line == b"M" else 30
            elif line in (b"d", b"e", b"f"):
                self.delimiter = {b"d": b"\n", b"e": b"\r\n", b"f": b"abc"}[line]

        def lineLengthExceeded(self, line: bytes) -> object:
            self.log.append(("exceeded", line))
            return super().lineLengthExceeded(line)

    return Receiver


@settings(max_examples=300, deadline=None)
@given(cut(LINES, ("resumeProducing", "open", "setLineMode", "clearLineBuffer")))
@example([b"PP\r\nP\nhello\n0123456789ab\r\nP\r\n", b"D\r\n", b"P\r\n"])
def test_LineReceiver_does_what_Twisteds_does(steps: list[Step]) -> None:
    """Pausing, modes, re-entrancy, limits, other delimiters: in any pieces as in Twisted."""
    expected = transcript(lineReceiver(twisteds.LineReceiver), steps)
    assert transcript(lineReceiver(ours.LineReceiver), steps) == expected


@settings(max_examples=300, deadline=None)
@given(cut(LINES, ("open",)))
@example([b"f\r\n0123456789ab\r\n0123456789abc", b"\r\n"])
def test_LineOnlyReceiver_does_what_Twisteds_does(steps: list[Step]) -> None:
    """Re-entrancy, limits, other delimiters: in any pieces as in Twisted."""
    expected = transcript(lineOnlyReceiver(twisteds.LineOnlyReceiver), steps)
    assert transcript(lineOnlyReceiver(ours.LineOnlyReceiver), steps) == expected


class Collector:
    """Keeps its lines, and has no limit that matters."""

    MAX_LENGTH = 1 << 30

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def lineReceived(self, line: bytes) -> None:
        """Keep a line."""
        self.lines.append(line)


class Lines(Collector, ours.LineReceiver):
    """A `LineReceiver` that keeps its lines."""


class LinesOnly(Collector, ours.LineOnlyReceiver):
    """A `LineOnlyReceiver` that keeps its lines."""


RECEIVERS = [Lines, LinesOnly]


@pytest.mark.parametrize("make", RECEIVERS)
@pytest.mark.parametrize("size", [1, 2, 3, 700, 5000])
@pytest.mark.parametrize("delimiter", [b"\n", b"\r\n", b"-end-"])
def test_long_lines_are_put_together(make: Any, size: int, delimiter: bytes) -> None:
    """Lines beyond a few kB come out whole, wherever the pieces and the delimiters are cut."""
    lines = [b"a" * 5000, b"", b"\r" * 3000, b"-en" * 700, b"d-" * 2000, b"z"]
    receiver = make()
    receiver.delimiter = delimiter
    receiver.makeConnection(StringTransport())
    data = b"".join(line + delimiter for line in lines)
    for start in range(0, len(data), size):
        receiver.dataReceived(data[start : start + size])
    assert receiver.lines == lines


class CountedBytes(bytes):
    """Bytes that count how many of them are copied by being joined to others."""

    copied = 0

    def __radd__(self, other: bytes) -> bytes:
        CountedBytes.copied += len(self) + len(other)
        return bytes(other) + bytes(self)


@pytest.mark.parametrize("make", RECEIVERS)
def test_a_long_line_is_not_copied_for_each_piece(make: Any) -> None:
    """What is joined to pieces of a long line is short: the work is linear in its length."""
    receiver = make()
    receiver.makeConnection(StringTransport())
    CountedBytes.copied = 0
    for _ in range(1000):
        receiver.dataReceived(CountedBytes(b"x" * 500))
    receiver.dataReceived(b"\r\n")
    assert [len(line) for line in receiver.lines] == [500_000]
    assert CountedBytes.copied < 5_000


def test_an_empty_delimiter_is_an_error() -> None:
    """The error says so, instead of lines without an end."""
    receiver = Lines()
    receiver.delimiter = b""
    receiver.makeConnection(StringTransport())
    with pytest.raises(ValueError, match=r"the delimiter .* is empty"):
        receiver.dataReceived(b"a\r\n")


def test_what_follows_an_error_is_kept() -> None:
    """A `lineReceived` that raises has had its line; the others are still there."""

    class Raises(ours.LineReceiver):
        def lineReceived(self, line: bytes) -> None:
            raise ValueError(line)

    for data in (b"a\r\n", b"a\r\nb\r\nc"):
        receiver = Raises()
        receiver.makeConnection(StringTransport())
        with pytest.raises(ValueError, match="a"):
            receiver.dataReceived(data)
        assert receiver.clearLineBuffer() == data[3:]


def test_nothing_of_a_piece_is_kept_once_all_is_handed_on() -> None:
    """A receiver that waits for the next line keeps no bytes of the last ones."""
    receiver = Lines()
    receiver.makeConnection(StringTransport())
    receiver.dataReceived(b"a\r\nb\r\n" * 1000)
    receiver.dataReceived(b"c\r\n")
    assert not any(isinstance(value, bytes) and value for value in vars(receiver).values())


def test_pausing_asks_the_transport() -> None:
    """Pause, resume and stop reach the transport; what was kept comes with the resumption."""
    receiver = Lines()
    log: list[object] = []
    receiver.makeConnection(Transport(log))
    receiver.pauseProducing()
    receiver.dataReceived(b"a\r\n")
    assert receiver.paused and not receiver.lines
    receiver.resumeProducing()
    assert receiver.lines == [b"a"]
    receiver.stopProducing()
    assert log == ["pause", "resume"]
    assert receiver.transport.producerState == "stopped"


def test_sendLine_adds_the_delimiter() -> None:
    """A line is sent with the receiver's own delimiter."""
    for make in RECEIVERS:
        receiver: Any = make()
        receiver.delimiter = b"|"
        receiver.makeConnection(StringTransport())
        receiver.sendLine(b"hello")
        assert receiver.transport.value() == b"hello|"


@pytest.mark.parametrize(
    ("base", "data"),
    [
        (ours.LineReceiver, b"a\r\n"),
        (ours.LineReceiver, b"a\r\nb\r\n"),
        (ours.LineOnlyReceiver, b"a\r\n"),
    ],
)
def test_a_coroutine_function_is_refused(base: Any, data: bytes) -> None:
    """Nobody would await it: the error names the method and what to do."""

    class Async(base):  # type: ignore[misc]
        async def lineReceived(self, line: bytes) -> None:
            raise AssertionError("never runs")

    receiver = Async()
    receiver.makeConnection(StringTransport())
    with pytest.raises(TypeError, match=r"lineReceived .*coroutine function.*ensureDeferred"):
        receiver.dataReceived(data)


def test_what_has_to_be_overridden_says_so() -> None:
    """A receiver without `lineReceived` or `rawDataReceived` raises NotImplementedError."""
    for receiver in (ours.LineReceiver(), ours.LineOnlyReceiver()):
        assert isinstance(receiver, Protocol)
        with pytest.raises(NotImplementedError):
            receiver.lineReceived(b"")
    with pytest.raises(NotImplementedError):
        ours.LineReceiver().rawDataReceived(b"")
