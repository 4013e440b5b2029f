"""Receivers of Twisted's and ours in one process: the same bytes in the same pieces to both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from twistlike.internet.testing import StringTransport

__all__ = ["Step", "Transport", "cut", "transcript"]

Step = bytes | str
"""A piece of bytes to be received, or the name of something else that happens."""


class Transport(StringTransport):
    """Notes what its protocol asks for, and pauses and resumes in every state."""

    def __init__(self, log: list[Any]) -> None:
        super().__init__(lenient=True)
        self.log = log

    def loseConnection(self) -> None:
        """Note the call."""
        self.log.append("lose")
        super().loseConnection()

    def pauseProducing(self) -> None:
        """Note the call."""
        self.log.append("pause")

    def resumeProducing(self) -> None:
        """Note the call."""
        self.log.append("resume")


def transcript(make: Callable[[], Any], steps: list[Step]) -> list[Any]:
    """Let a receiver, which notes what it hears in its `log`, go through some steps.

    Args:
        make: Makes the receiver.
        steps: Pieces of bytes; "resume" to resume it; "open" to let its transport forget that it
            is to be closed; another name is that of a method without arguments.

    Returns:
        What happened, in order, with what the receiver keeps after each step if it is known.
    """
    receiver = make()
    log: list[Any] = []
    receiver.log = log
    transport = Transport(log)
    receiver.makeConnection(transport)
    for step in steps:
        if isinstance(step, bytes):
            log.append(receiver.dataReceived(step))
        elif step == "open":
            transport.disconnecting = False
        else:
            log.append(getattr(receiver, step)())
        if hasattr(receiver, "_buffer"):
            log.append(receiver._buffer)
    return log


@st.composite
def cut(draw: st.DrawFn, stream: st.SearchStrategy[bytes], others: tuple[str, ...]) -> list[Step]:
    """Draw a stream of bytes, cut at random places, with other steps in between."""
    data = draw(stream)
    places = sorted(draw(st.sets(st.integers(0, len(data)), max_size=12)))
    steps: list[Step] = []
    for start, end in zip([0, *places], [*places, len(data)], strict=True):
        steps.append(data[start:end])
        if others:
            steps += draw(st.lists(st.sampled_from(others), max_size=1))
    return steps
