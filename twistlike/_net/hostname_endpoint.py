"""`HostnameEndpoint`: connects to whichever address of a name answers first.

Thread: the reactor's.

How it works
------------
The addresses are tried one after the other, families taking turns, each a while after the last one
began or as soon as that has failed: a dead address costs a moment rather than a timeout. The first
one that connects wins and the others are given up. RFC 8305 calls that happy eyeballs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twistlike._base.address import HostnameAddress, IPv6Address
from twistlike._base.failure import Failure
from twistlike._base.ip import isIPAddress, isIPv6Address
from twistlike._base.naming import showAs
from twistlike._base.network_error import ConnectingCancelledError
from twistlike._defer.deferred import Deferred, fail
from twistlike._net.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint, collectAddresses

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twistlike._base.interfaces import IDelayedCall
    from twistlike._net.endpoints import Address
    from twistlike._transports.interfaces import IProtocolFactory

__all__ = ["HostnameEndpoint"]


class HostnameEndpoint:
    """A TCP port of a host, by name, over IPv4 or IPv6.

    The name is looked up each time, by the reactor's `nameResolver` of that moment.

    Args:
        reactor: The reactor.
        host: The name, or an address.
        port: The number.
        timeout: Seconds that each attempt may take.
        bindAddress: The local address, with or without a port.
        attemptDelay: Seconds between the beginnings of two attempts; 0.3 by default, as in Twisted
            (RFC 8305 recommends 0.25).
    """

    _DEFAULT_ATTEMPT_DELAY = 0.3

    def __init__(
        self,
        reactor: Any,
        host: str | bytes,
        port: int,
        timeout: float = 30,
        bindAddress: Address | bytes | tuple[bytes, int] = None,
        attemptDelay: float | None = None,
    ) -> None:
        self._reactor = reactor
        self._badHostname, self._hostBytes, self._hostText = _bothForms(host)
        self._hostStr = self._hostBytes.decode("ascii") if not self._badHostname else self._hostText
        self._port = port
        self._timeout = timeout
        if isinstance(bindAddress, bytes | str):
            bindAddress = (_text(bindAddress), 0)
        self._bindAddress = bindAddress and (_text(bindAddress[0]), bindAddress[1])
        self._attemptDelay = self._DEFAULT_ATTEMPT_DELAY if attemptDelay is None else attemptDelay

    def __repr__(self) -> str:
        host = f"[{self._hostText}]" if isIPv6Address(self._hostText) else self._hostStr
        return f"<{type(self).__name__} {host}:{self._port}>"

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        """Connect.

        Args:
            protocolFactory: Makes the protocol.

        Returns:
            A Deferred with the protocol. It fails with `DNSLookupError` if the name has no address,
            else with the error of the last attempt. Cancelling gives all attempts up.
        """
        if self._badHostname:
            return fail(ValueError(f"invalid hostname: {self._hostText}"))
        if isIPAddress(self._hostStr) or isIPv6Address(self._hostStr):
            return self._endpointOf(self._hostStr).connect(protocolFactory)
        race = _Race(self, protocolFactory)
        looking = collectAddresses(self._reactor, self._hostStr, self._port)
        race.begin(looking)
        return race.won

    def _endpointOf(self, host: str) -> TCP4ClientEndpoint | TCP6ClientEndpoint:
        kind = TCP6ClientEndpoint if isIPv6Address(host) else TCP4ClientEndpoint
        return kind(self._reactor, host, self._port, self._timeout, self._bindAddress)


class _Race:
    """The attempts of one `connect`."""

    def __init__(self, endpoint: HostnameEndpoint, factory: IProtocolFactory) -> None:
        self._endpoint = endpoint
        self._factory = factory
        self._looking: Deferred[Any] | None = None
        self._left: list[Any] = []
        self._running: list[Deferred[Any]] = []
        self._next: IDelayedCall | None = None
        self._isOver = False
        self.won: Deferred[Any] = Deferred(self._cancel)

    def begin(self, looking: Deferred[list[Any]]) -> None:
        """Go on when the name has been looked up."""
        self._looking = looking
        looking.addCallbacks(self._found, self._notFound)

    def _found(self, addresses: list[Any]) -> None:
        self._looking = None
        if not self._isOver:
            self._left = _takingTurns(addresses)
            self._startNext()

    def _notFound(self, failure: Failure) -> None:
        self._looking = None
        if not self._isOver:
            self._isOver = True
            self.won.errback(failure)

    def _startNext(self) -> None:
        """Begin the next attempt, and plan the one after it."""
        self._stopWaiting()
        if not self._left:
            return
        address = self._left.pop(0)
        if self._left:
            clock = self._endpoint._reactor
            self._next = clock.callLater(self._endpoint._attemptDelay, self._startNext)
        connecting = self._endpoint._endpointOf(address.host).connect(self._factory)
        self._running.append(connecting)
        connecting.addCallbacks(
            self._connected, self._failed, callbackArgs=(connecting,), errbackArgs=(connecting,)
        )

    def _connected(self, protocol: Any, connecting: Deferred[Any]) -> None:
        if not self._isOver:
            self._running.remove(connecting)
            self._stopAll()
            self.won.callback(protocol)

    def _failed(self, failure: Failure, connecting: Deferred[Any]) -> None:
        if self._isOver:
            return
        self._running.remove(connecting)
        if self._left:
            self._startNext()
        elif not self._running:
            self._isOver = True
            self.won.errback(failure)

    def _cancel(self, won: Deferred[Any]) -> None:
        endpoint = self._endpoint
        address = HostnameAddress(endpoint._hostBytes, endpoint._port)
        self._isOver = True
        won.errback(Failure(ConnectingCancelledError(address)))
        looking, self._looking = self._looking, None
        if looking is not None:
            looking.cancel()
        self._stopAll()

    def _stopAll(self) -> None:
        self._isOver = True
        self._stopWaiting()
        self._left = []
        running, self._running = self._running, []
        for each in running:
            each.cancel()

    def _stopWaiting(self) -> None:
        planned, self._next = self._next, None
        if planned is not None and planned.active():
            planned.cancel()


def _takingTurns(addresses: Sequence[Any]) -> list[Any]:
    """Order addresses so that families take turns, beginning with that of the first."""
    known = [each for each in addresses if isIPAddress(each.host) or isIPv6Address(each.host)]
    if not known:
        return list(addresses)
    first = isinstance(known[0], IPv6Address)
    groups = [
        [a for a in known if isinstance(a, IPv6Address) is kind] for kind in (first, not first)
    ]
    mixed = []
    for i in range(max(map(len, groups))):
        mixed += [group[i] for group in groups if i < len(group)]
    return mixed


def _bothForms(host: str | bytes) -> tuple[bool, bytes, str]:
    """Return whether a name is bad, and its forms as it is sent and as people write it."""
    if isinstance(host, bytes):
        try:
            text = host.decode("ascii")
            return False, host, text if "xn--" not in text else host.decode("idna")
        except UnicodeError:
            return True, host, host.decode("ascii", "backslashreplace")
    if isIPAddress(host) or isIPv6Address(host):
        return False, host.encode("ascii"), host
    try:
        return False, host.encode("idna"), host
    except UnicodeError:
        return True, host.encode("ascii", "backslashreplace"), host


def _text(value: str | bytes) -> str:
    return value.decode("ascii") if isinstance(value, bytes) else value


showAs("twistlike.internet.endpoints", globals(), __all__)
