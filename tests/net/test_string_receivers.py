"""Receivers of strings that tell their length, beside Twisted's: equal for any pieces."""

from __future__ import annotations

import importlib
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import twistlike.protocols.basic as ours
from tests.net.receivers import Step, cut, transcript
from twistlike.internet.testing import StringTransport
from twistlike.logger import capturedLogs

twisteds: Any = importlib.import_module("twisted.protocols.basic")

STRINGS = st.sampled_from([b"P", b"Q", b"M", b"", b"hello", b"a", b"x" * 200, b"x" * 290])
FORMATS = {8: "!B", 16: "!H", 32: "!I"}


def prefixed(format: str) -> st.SearchStrategy[bytes]:
    """Strings with their lengths as prefixes."""
    pack = struct.Struct(format).pack
    strings = STRINGS.filter(lambda string: len(string) < 1 << 8 * struct.calcsize(format))
    return st.lists(strings, max_size=14).map(
        lambda found: b"".join(pack(len(string)) + string for string in found)
    )


def netstring(string: bytes) -> bytes:
    """A string as a netstring."""
    return b"%d:%b," % (len(string), string)


NETSTRINGS = st.lists(
    STRINGS.map(netstring)
    | st.just(netstring(b"D"))
    | st.sampled_from([b"0", b"1", b":", b",", b"999", b"30", b"01:a,", b"2 :ab,"]),
    max_size=14,
).map(b"".join)


def receiver(base: Any) -> Any:
    """Make a receiver that does what its strings say."""

    class Receiver(base):  # type: ignore[misc]
        MAX_LENGTH = 300

        def stringReceived(self, string: bytes) -> None:
            self.log.append(("string", string))
            if string == b"P" and hasattr(self, "pauseProducing"):
                self.pauseProducing()
            elif string == b"Q":
                self.transport.loseConnection()
            elif string == b"M":
                self.MAX_LENGTH = 2
            elif string == b"D":
                self.dataReceived(b"1:z,")

    return Receiver


def untilRefused(log: list[Any]) -> list[Any]:
    """What happened until the receiver closed the connection by itself.

    After that Twisted's hands on again what it has handed on before, or refuses several times.
    """
    for number, entry in enumerate(log):
        if entry == "lose" and log[number - 1] != ("string", b"Q"):
            log = log[:number]
            break
    while log and log[-1] == "lose":
        log.pop()
    return log


def assertSame(name: str, steps: list[Step]) -> None:
    """Let both receivers of a name go through some steps."""
    expected = untilRefused(transcript(receiver(getattr(twisteds, name)), steps))
    assert untilRefused(transcript(receiver(getattr(ours, name)), steps)) == expected


@pytest.mark.parametrize("bits", FORMATS)
def test_IntNStringReceiver_does_what_Twisteds_does(bits: int) -> None:
    """Strings, pausing and the limit are in any pieces as in Twisted."""

    @settings(max_examples=150, deadline=None)
    @given(cut(prefixed(FORMATS[bits]), ("resumeProducing", "open")))
    def same(steps: list[Step]) -> None:
        assertSame(f"Int{bits}StringReceiver", steps)

    same()


@settings(max_examples=300, deadline=None)
@given(cut(NETSTRINGS, ("open",)))
def test_NetstringReceiver_does_what_Twisteds_does(steps: list[Step]) -> None:
    """Strings, the limit and what is no netstring are in any pieces as in Twisted."""
    assertSame("NetstringReceiver", steps)


class Collector:
    """Keeps its strings."""

    def __init__(self) -> None:
        self.strings: list[bytes] = []

    def stringReceived(self, string: bytes) -> None:
        """Keep a string."""
        self.strings.append(string)


class Strings(Collector, ours.Int32StringReceiver):
    """A receiver with prefixes that keeps its strings."""

    MAX_LENGTH = 1 << 30


class Netstrings(Collector, ours.NetstringReceiver):
    """A receiver of netstrings that keeps its strings."""

    MAX_LENGTH = 1 << 30


def connected(make: Any) -> Any:
    """Make a receiver with a transport."""
    protocol = make()
    protocol.makeConnection(StringTransport())
    return protocol


@pytest.mark.parametrize("make", [Strings, Netstrings])
def test_pieces_of_a_long_string_are_joined_once(make: Any) -> None:
    """Until a string is complete its pieces are kept as they are: the work is linear."""
    protocol, sender = connected(make), connected(make)
    sender.sendString(b"x" * 100_000)
    data = sender.transport.value()
    pieces = [data[start : start + 100] for start in range(0, len(data), 100)]
    for piece in pieces[:-1]:
        protocol.dataReceived(piece)
    assert len(protocol._pieces) == len(pieces) - 2
    protocol.dataReceived(pieces[-1])
    assert protocol.strings == [b"x" * 100_000]
    assert not any(isinstance(value, bytes) and value for value in vars(protocol).values())


def test_what_is_received_inside_of_stringReceived_waits() -> None:
    """It comes after what was there before; in Twisted a string is handed on again for ever."""

    class Eager(Strings):
        def stringReceived(self, string: bytes) -> None:
            super().stringReceived(string)
            if string == b"resume":
                self.pauseProducing()
                self.resumeProducing()
            elif string == b"more":
                self.dataReceived(b"\0\0\0\1m")

    for first in (b"resume", b"more"):
        protocol = connected(Eager)
        data = struct.pack("!I", len(first)) + first
        protocol.dataReceived(data)
        protocol.dataReceived(data + b"\0\0\0\1a")
        more = [b"m"] if first == b"more" else []
        assert protocol.strings == [first, *more, first, b"a", *more]


def test_no_string_is_handed_on_twice() -> None:
    """Neither one before another that raises, nor one before another that is too long."""

    class Raises(Strings):
        MAX_LENGTH = 2

        def stringReceived(self, string: bytes) -> None:
            super().stringReceived(string)
            if string == b"r":
                raise ValueError("as asked")

    protocol = connected(Raises)
    with pytest.raises(ValueError, match="as asked"):
        protocol.dataReceived(b"\0\0\0\1a\0\0\0\1r\0\0\0\1b")
    protocol.dataReceived(b"\0\0\0\3abc")
    assert protocol.transport.disconnecting
    protocol.dataReceived(b"")
    assert protocol.strings == [b"a", b"r", b"b"]


def test_sendString_refuses_what_its_prefix_cannot_tell() -> None:
    """The error names both lengths, and nothing is sent."""
    protocol = connected(ours.Int8StringReceiver)
    protocol.sendString(b"x" * 255)
    assert protocol.transport.value() == b"\xff" + b"x" * 255
    with pytest.raises(ours.StringTooLongError, match=r"256 bytes .* 255 at most"):
        protocol.sendString(b"x" * 256)


def test_a_netstrings_receiver_takes_nothing_more_from_a_broken_peer() -> None:
    """Once something was no netstring, all that follows is dropped; a new connection is fresh."""
    protocol = connected(Netstrings)
    protocol.dataReceived(b"1:a,x")
    assert (protocol.brokenPeer, protocol.transport.disconnecting) == (1, True)
    protocol.dataReceived(b"1:b,")
    assert protocol.strings == [b"a"]
    protocol.makeConnection(StringTransport())
    protocol.dataReceived(b"1:c,")
    assert (protocol.brokenPeer, protocol.strings) == (0, [b"a", b"c"])


@pytest.mark.parametrize("data", [b"9" * 21, b"1" * 5000, b"4294967296", b":", b"a", b"-1:a,"])
def test_a_length_without_end_is_refused(data: bytes) -> None:
    """A peer cannot make the receiver keep digits, nor a length beyond the limit."""
    protocol = connected(Netstrings)
    protocol.dataReceived(data)
    assert protocol.transport.disconnecting


class Stateful(ours.StatefulStringProtocol, ours.Int8StringReceiver):
    """Goes from state to state."""

    def proto_init(self, string: bytes) -> str:
        """Hear the first string."""
        return "more"

    def proto_more(self, string: bytes) -> str:
        """Hear the others."""
        return string.decode()


def test_states_have_methods() -> None:
    """Each string goes to the present state's method; "done" closes the connection."""
    protocol = connected(Stateful)
    protocol.dataReceived(b"\1a\4more")
    assert protocol.state == "more" and not protocol.transport.disconnecting
    protocol.dataReceived(b"\4done")
    assert protocol.state == "done" and protocol.transport.disconnecting


def test_a_state_without_a_method_is_logged() -> None:
    """The string is dropped, and the log names the method that is missing."""
    protocol = connected(Stateful)
    with capturedLogs() as events:
        protocol.dataReceived(b"\1a\3odd\1b")
    assert [e for e in events if "proto_odd" in e["log_text"]]
    assert protocol.state == "odd"


@pytest.mark.parametrize("base", [ours.Int8StringReceiver, ours.NetstringReceiver])
@pytest.mark.parametrize("count", [1, 2])
def test_a_coroutine_function_is_refused(base: Any, count: int) -> None:
    """Nobody would await it: the error names the method and what to do."""

    class Async(base):  # type: ignore[misc]
        async def stringReceived(self, string: bytes) -> None:
            raise AssertionError("never runs")

    protocol, sender = connected(Async), connected(base)
    sender.sendString(b"a")
    with pytest.raises(TypeError, match=r"stringReceived .*coroutine function.*ensureDeferred"):
        protocol.dataReceived(sender.transport.value() * count)


def test_what_has_to_be_overridden_says_so() -> None:
    """A receiver without `stringReceived` raises NotImplementedError."""
    for each in (ours.Int8StringReceiver(), ours.NetstringReceiver()):
        with pytest.raises(NotImplementedError):
            each.stringReceived(b"")
