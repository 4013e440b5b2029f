"""`internet.stdio`: the standard input and output as a connection, as on Twisted."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.oracle import ROOT
from tests.transports.reactors import KINDS, Descriptors, onReactor
from twistlike._transports.spawn import isSupported
from twistlike.internet.defer import Deferred
from twistlike.internet.protocol import Protocol
from twistlike.internet.stdio import PipeAddress, StandardIO
from twistlike.python.failure import Failure

pytestmark = pytest.mark.skipif(not isSupported(), reason="not on Windows")

PROGRAM = """
import sys
from twisted.internet import error, interfaces, protocol, reactor, stdio

def say(*what):
    print(*what, file=sys.stderr)

class Plain(protocol.Protocol):
    def connectionMade(self):
        say("made", type(self.transport.getHost()).__name__)
        self.transport.write(b"hello\\n")
    def dataReceived(self, data):
        say("data", data)
        self.transport.writeSequence([b"got ", data])
    def connectionLost(self, reason):
        say("lost", reason.type.__name__)
        reactor.callLater(0, lambda: reactor.running and reactor.stop())

class Half(Plain):
    def readConnectionLost(self):
        say("read lost")
        self.transport.write(b"bye\\n")
        self.transport.loseConnection()
    def writeConnectionLost(self):
        say("write lost")

if sys.argv[1] == "half":
    from zope.interface import implementer
    Half = implementer(interfaces.IHalfCloseableProtocol)(Half)
    stdio.StandardIO(Half())
else:
    stdio.StandardIO(Plain())
reactor.run()
"""


def runBoth(tmp_path: Path, mode: str, source: str, stdout: Any = subprocess.PIPE) -> str:
    """Run the program on both; return what they wrote, which has to be the same.

    Args:
        tmp_path: A folder.
        mode: The program's argument.
        source: What it reads: "file", "pipe" or "null".
        stdout: Where it writes to.
    """
    text = tmp_path / "text"
    text.write_bytes(b"one\ntwo\n")
    found = []
    for platform in ("twisted", "twistlike"):
        script = tmp_path / f"program_{platform}.py"
        script.write_text(re.sub(r"\btwisted\b", platform, textwrap.dedent(PROGRAM)))
        command = [sys.executable, str(script), mode]
        line = {"file": '"$@" < "$0"', "pipe": 'cat "$0" | "$@"', "null": '"$@" < /dev/null'}
        outcome = subprocess.run(
            ["/bin/sh", "-c", line[source], str(text), *command],
            stdout=stdout,
            stderr=subprocess.PIPE,
            timeout=100,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            text=True,
        )
        found.append((outcome.returncode, outcome.stdout, outcome.stderr))
    assert found[0] == found[1]
    return f"{found[1][2]}{found[1][1] or ''}"


@pytest.mark.parametrize("mode", ["plain", "half"])
def test_pipes_files_and_nothing_are_read_as_on_twisted(tmp_path: Path, mode: str) -> None:
    """A pipe, a plain file and /dev/null, as input; the output is flushed in the end."""
    for source in ("file", "pipe"):
        written = runBoth(tmp_path, mode, source)
        assert "got one\ntwo\n" in written
        assert ("bye" in written) is (mode == "half")
    if mode == "half":  # else it ends at once, with or without what it was about to write
        runBoth(tmp_path, mode, "null")
    with (tmp_path / "out").open("w") as out:
        runBoth(tmp_path, mode, "file", out)
    assert (tmp_path / "out").read_text().count("got one") == 2


class Lines(Protocol):
    """Echoes, and notes the end."""

    def __init__(self) -> None:
        self.lost: Deferred[Any] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)

    def connectionLost(self, reason: Failure = Failure(Exception())) -> None:  # noqa: B008
        self.lost.callback(reason.value)


@pytest.mark.parametrize("kind", KINDS)
def test_other_descriptors_on_each_loop(kind: str) -> None:
    """Any two descriptors serve; they are left as they were, and blocking again."""
    onReactor(kind, lambda reactor: Deferred.fromCoroutine(_nothing()))
    descriptors = Descriptors()

    async def main(reactor: Any) -> None:
        theirs, stdin = os.pipe()[::-1], None
        writing, stdin = theirs
        reading, stdout = os.pipe()
        protocol = Lines()
        transport = StandardIO(protocol, stdin, stdout, reactor)
        assert isinstance(transport.getPeer(), PipeAddress)
        os.write(writing, b"x" * 1000)
        os.close(writing)
        await protocol.lost
        assert os.read(reading, 2000) == b"x" * 1000
        assert os.get_blocking(stdin)
        assert os.get_blocking(stdout)
        for each in (stdin, stdout, reading):
            os.close(each)

    onReactor(kind, main)
    assert not descriptors.left()


@pytest.mark.parametrize("kind", KINDS)
def test_a_connectionMade_that_raises_ends_the_connection(kind: str) -> None:
    """The error is the caller's; nothing is read any more, and the descriptors are free."""

    class Fails(Lines):
        def connectionMade(self) -> None:
            raise LookupError("no")

        def dataReceived(self, data: bytes) -> None:
            raise AssertionError("the connection has ended")

    async def main(reactor: Any) -> None:
        reading, writing = os.pipe()
        os.write(writing, b"x")
        protocol = Fails()
        with pytest.raises(LookupError):
            StandardIO(protocol, reading, writing, reactor)
        assert isinstance(await protocol.lost, LookupError)
        assert not reactor.getReaders()
        assert os.read(reading, 1) == b"x"
        os.close(reading)
        os.close(writing)

    onReactor(kind, main)


async def _nothing() -> None:
    """Do nothing."""
