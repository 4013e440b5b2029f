"""Names to addresses: the reactor's nameResolver, and what can be installed in its place."""

from __future__ import annotations

import gc
import socket
import threading
from typing import Any

import pytest

from tests.oracle import assertSame
from tests.transports.reactors import KINDS, onReactor
from twistlike.internet.address import IPv4Address, IPv6Address
from twistlike.internet.defer import Deferred
from twistlike.internet.error import DNSLookupError, WrongThreadError
from twistlike.internet.interfaces import IHostnameResolver, IHostResolution


class Receiver:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.found: list[Any] = []
        self.resolution: Any = None
        self.done: Deferred[list[Any]] = Deferred()

    def resolutionBegan(self, resolutionInProgress: Any) -> None:
        self.resolution = resolutionInProgress

    def addressResolved(self, address: Any) -> None:
        self.found.append(address)

    def resolutionComplete(self) -> None:
        self.done.callback(self.found)


def test_resolving_is_twisteds() -> None:
    """What is found for addresses and names, by default and with other resolvers installed."""
    assertSame(
        """
        from twisted.internet import address, defer, error, interfaces, reactor, task
        from zope.interface import implementer

        class Receiver:
            def __init__(self, name):
                self.name, self.done = name, defer.Deferred()
            def resolutionBegan(self, resolution):
                self.began = resolution
            def addressResolved(self, found):
                print(self.name, found)
            def resolutionComplete(self):
                print(self.name, "complete", self.began.name)
                self.done.callback(None)

        def look(name, *args):
            receiver = Receiver(name)
            reactor.nameResolver.resolveHostName(receiver, name, *args)
            return receiver.done

        def tell(result):
            print(result if isinstance(result, str) else result.type.__name__)

        @implementer(interfaces.IResolverSimple)
        class Simple:
            def getHostByName(self, name, timeout=()):
                print("simple", name, timeout)
                if name == "there":
                    return defer.succeed("10.0.0.1")
                return defer.fail(error.DNSLookupError(name))

        class Resolution:
            def __init__(self, name):
                self.name = name

        @implementer(interfaces.IHostnameResolver)
        class Complex:
            def resolveHostName(
                self, receiver, name, portNumber=0, addressTypes=None, transportSemantics="TCP"
            ):
                types = [each.__name__ for each in addressTypes or ()]
                print("complex", name, portNumber, types, transportSemantics)
                resolution = Resolution(name)
                receiver.resolutionBegan(resolution)
                if name == "there":
                    for last in "12":
                        receiver.addressResolved(
                            address.IPv4Address("TCP", "10.0.0." + last, portNumber)
                        )
                receiver.resolutionComplete()
                return resolution

        @defer.inlineCallbacks
        def main(reactor):
            yield look("127.0.0.1")
            yield look("::1", 80)
            yield look("localhost", 80, [address.IPv4Address])
            yield look("127.0.0.1", 9, None, "UDP")
            yield look("127.0.0.1", 9, [address.IPv6Address])
            for name in ("10.0.0.1", "", "localhost", "::1", "010.1.1.1", "127.1", "no.invalid"):
                yield reactor.resolve(name).addBoth(tell)
            yield reactor.resolve("\\u0661.1.1.1").addBoth(tell)
            reactor.installResolver(Simple())
            for name in ("there", "nowhere", "10.9.9.9"):
                yield look(name, 7)
                yield reactor.resolve(name).addBoth(tell)
            yield reactor.resolve("there", (1, 2)).addBoth(tell)
            before = reactor.installNameResolver(Complex())
            print(interfaces.IHostnameResolver.providedBy(before))
            for name in ("there", "nowhere"):
                yield look(name, 7)
                yield reactor.resolve(name).addBoth(tell)
        task.react(main)
        """
    )


@pytest.mark.parametrize("kind", KINDS)
def test_both_families_are_found(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What getaddrinfo finds is told in its order, with the port; other families are left out."""

    def found(host: str, port: int, *args: object) -> list[Any]:
        assert host == "both.test"
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2001:db8::1", port, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", port)),
            (socket.AF_UNIX, socket.SOCK_STREAM, 0, "", "/somewhere"),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", found)

    async def main(reactor: Any) -> list[Any]:
        receiver = Receiver()
        assert IHostnameResolver.providedBy(reactor.nameResolver)
        result = reactor.nameResolver.resolveHostName(receiver, "both.test", 80)
        assert result is receiver.resolution
        assert IHostResolution.providedBy(result)
        return await receiver.done

    expected = [IPv6Address("TCP", "2001:db8::1", 80), IPv4Address("TCP", "10.0.0.1", 80)]
    assert onReactor(kind, main) == expected


def test_names_that_cannot_be_are_not_found() -> None:
    """A label that is too long, or empty: no address, rather than silence."""

    async def main(reactor: Any) -> None:
        for name in ("a" * 70 + ".test", "a..test", "\udcff.test"):
            receiver = Receiver()
            reactor.nameResolver.resolveHostName(receiver, name)
            assert await receiver.done == []
            with pytest.raises(DNSLookupError):
                await reactor.resolve(name)

    onReactor("asyncio", main)


def test_a_look_up_can_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The receiver is told nothing more, also when the thread comes back."""
    release = threading.Event()

    def stuck(*args: object) -> list[Any]:
        release.wait(20)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", stuck)

    async def main(reactor: Any) -> None:
        receiver = Receiver()
        reactor.nameResolver.resolveHostName(receiver, "stuck.test").cancel()
        release.set()
        other = Receiver()
        reactor.nameResolver.resolveHostName(other, "other.test")
        await other.done
        assert receiver.found == []
        assert not receiver.done.called

    onReactor("asyncio", main)


def test_the_reactors_end_completes_a_look_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A receiver whose thread is stuck hears that nothing was found."""
    from twistlike.internet.asyncioreactor import Reactor

    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args: release.wait(20) and [])
    reactor = Reactor()
    reactor.shutdownTimeout = 0.05
    receiver = Receiver()

    def begin() -> None:
        reactor.nameResolver.resolveHostName(receiver, "stuck.test")
        reactor.callLater(0.01, reactor.stop)

    reactor.callWhenRunning(begin)
    reactor.run(installSignalHandlers=False)
    release.set()
    assert receiver.done.called
    assert receiver.found == []


def test_an_error_of_the_receiver_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    """It is not lost, and does not end the reactor."""

    class Bad(Receiver):
        def addressResolved(self, address: Any) -> None:
            raise ValueError("bad receiver")

    reports: list[Any] = []

    async def main(reactor: Any) -> None:
        reactor._life.loop.set_exception_handler(lambda loop, report: reports.append(report))
        reactor.nameResolver.resolveHostName(Bad(), "localhost")
        while not reports:
            later: Deferred[None] = Deferred()
            reactor.callLater(0.001, later.callback, None)
            await later

    onReactor("asyncio", main)
    gc.collect()
    assert [type(report["exception"]) for report in reports] == [ValueError]


def test_what_is_no_resolver_is_refused() -> None:
    """Also in another thread."""

    async def main(reactor: Any) -> None:
        with pytest.raises(TypeError, match="getHostByName"):
            reactor.installResolver(object())
        with pytest.raises(TypeError, match="resolveHostName"):
            reactor.installNameResolver(object())
        with pytest.raises(ValueError, match="'SCTP'"):
            reactor.nameResolver.resolveHostName(Receiver(), "x", 0, None, "SCTP")
        errors: list[BaseException] = []

        def elsewhere() -> None:
            try:
                reactor.installResolver(object())
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        assert isinstance(errors[0], WrongThreadError)

    onReactor("asyncio", main)
