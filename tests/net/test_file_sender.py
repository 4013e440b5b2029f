"""`FileSender`, beside Twisted's."""

from __future__ import annotations

from io import BytesIO

import pytest

from tests.oracle import assertSame
from twistlike.internet.testing import StringTransport, failureResultOf, successResultOf
from twistlike.protocols.basic import FileSender

PROGRAM = """
from io import BytesIO
from twisted.internet.testing import StringTransport
from twisted.protocols.basic import FileSender

def outcome(deferred):
    deferred.addBoth(lambda result: print(repr(getattr(result, "value", result))))

for content in (b"", b"abc", b"abcdefgh", b"abcdefghi"):
    for transform in (None, bytes.upper):
        transport, sender = StringTransport(), FileSender()
        sender.CHUNK_SIZE = 4
        outcome(sender.beginFileTransfer(BytesIO(content), transport, transform))
        print(transport.streaming)
        while transport.producer is not None:
            transport.producer.resumeProducing()
            print(transport.value(), sender.lastSent)

transport, sender = StringTransport(), FileSender()
outcome(sender.beginFileTransfer(BytesIO(b"abc"), transport))
sender.pauseProducing()
sender.stopProducing()
sender.stopProducing()
"""


def test_a_file_is_sent_as_by_Twisteds() -> None:
    """Pieces, transformation, the last byte and the end are as in Twisted."""
    assertSame(PROGRAM)


def test_a_lost_connection_fails_the_transfer() -> None:
    """The Deferred fails once, and the sender keeps it no longer."""
    sender = FileSender()
    deferred = sender.beginFileTransfer(BytesIO(b"abc"), StringTransport())
    sender.stopProducing()
    assert "stop producing" in str(failureResultOf(deferred).value)
    assert sender.deferred is None


def test_a_sender_can_be_used_again() -> None:
    """A second file is sent as the first was."""
    sender = FileSender()
    for content in (b"one", b"two"):
        transport = StringTransport()
        deferred = sender.beginFileTransfer(BytesIO(content), transport)
        while transport.producer is not None:
            transport.producer.resumeProducing()
        assert successResultOf(deferred) == content[-1:]
        assert transport.value() == content


def test_what_the_file_raises_comes_through() -> None:
    """The transport hears of it, and closes; that fails the transfer."""

    class Bad:
        def read(self, size: int) -> bytes:
            raise OSError("no more of this")

    sender = FileSender()
    deferred = sender.beginFileTransfer(Bad(), StringTransport())
    with pytest.raises(OSError, match="no more of this"):
        sender.resumeProducing()
    sender.stopProducing()
    failureResultOf(deferred)
