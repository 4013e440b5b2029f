"""Careless calls of the network's functions get an error that says what to write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from twistlike.internet import reactor
from twistlike.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twistlike.internet.protocol import ClientFactory, Protocol, ServerFactory

# Each makes a port or a connection of what it is given in the place of a factory.
CALLS: list[Callable[[Any], object]] = [
    lambda factory: reactor.listenTCP(0, factory),
    lambda factory: reactor.connectTCP("127.0.0.1", 1, factory),
    lambda factory: reactor.listenUNIX("/nowhere/socket", factory),
    lambda factory: reactor.connectUNIX("/nowhere/socket", factory),
    lambda factory: reactor.listenSSL(0, factory, None),
    lambda factory: reactor.connectSSL("127.0.0.1", 1, factory, None),
]


@pytest.mark.parametrize("call", CALLS)
def test_what_makes_no_protocols_is_refused(call: Callable[[Any], object]) -> None:
    """A protocol, its class, a factory's class: nothing is opened, and the error says why."""
    for wrong in (Protocol, Protocol()):
        with pytest.raises(TypeError, match=r"takes a factory.*Factory\.forProtocol\(Protocol\)"):
            call(wrong)
    with pytest.raises(TypeError, match="takes a factory, not None"):
        call(None)
    for kind in (ServerFactory, ClientFactory):
        with pytest.raises(TypeError, match=rf"not the class .*: write {kind.__name__}\(\)"):
            call(kind)


def test_connect_protocol_takes_a_protocol() -> None:
    """Its class is refused before anything connects."""
    wrong: Any = Protocol
    with pytest.raises(TypeError, match=r"not its class: make one, Protocol\(\)"):
        connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", 1), wrong)
