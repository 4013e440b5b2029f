"""The helpers for tests: looks at Deferreds, the reactor and the transport in memory."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest

from tests.oracle import assertSame
from twistlike.internet.address import HostnameAddress, IPv4Address, IPv6Address, UNIXAddress
from twistlike.internet.defer import Deferred, fail, succeed
from twistlike.internet.testing import (
    MemoryReactor,
    MemoryReactorClock,
    StringTransport,
    assertNoResult,
    failureResultOf,
    successResultOf,
)
from twistlike.logger import capturedLogs
from twistlike.python.failure import Failure


async def returning(value: object) -> object:
    """A coroutine that ends at once."""
    return value


async def raising(error: Exception) -> object:
    """A coroutine that fails at once."""
    raise error


def test_success_result_of_gives_the_result() -> None:
    """A Deferred's, or a coroutine's."""
    assert successResultOf(succeed(3)) == 3
    assert successResultOf(returning(4)) == 4
    assert successResultOf(succeed(None)) is None


def test_success_result_of_refuses_what_has_not_fired() -> None:
    """The error says so and names the Deferred."""
    deferred: Deferred[int] = Deferred()
    with pytest.raises(AssertionError, match="no result") as caught:
        successResultOf(deferred)
    assert repr(deferred)[:12] in str(caught.value)


def test_success_result_of_shows_the_failure() -> None:
    """The error holds the traceback, and the failure is not reported once more."""
    with capturedLogs() as events:
        for failing in (fail(ValueError("v")), raising(ValueError("v"))):
            with pytest.raises(AssertionError, match="ValueError"):
                successResultOf(failing)
        del failing
        gc.collect()
    assert not events


def test_failure_result_of_gives_the_failure() -> None:
    """With no type, the right one, or one of several."""
    for types in ((), (ValueError,), (KeyError, ValueError), (Exception,)):
        for failing in (fail(ValueError("v")), raising(ValueError("v"))):
            failure = failureResultOf(failing, *types)
            assert isinstance(failure, Failure)
            assert str(failure.value) == "v"


def test_failure_result_of_refuses_the_rest() -> None:
    """No result, a success, and a failure of another type, whose traceback is shown."""
    with pytest.raises(AssertionError, match="no result"):
        failureResultOf(Deferred())
    with pytest.raises(AssertionError, match=r"success result \(3\)"):
        failureResultOf(succeed(3))
    with pytest.raises(AssertionError, match="KeyError or OSError") as caught:
        failureResultOf(fail(ValueError("v")), KeyError, OSError)
    assert "ValueError" in str(caught.value)


def test_results_are_taken_out() -> None:
    """What was looked at is not reported when the Deferred is collected; its result is None."""
    with capturedLogs() as events:
        failing: Deferred[object] = fail(ValueError("v"))
        failureResultOf(failing)
        results: list[object] = []
        failing.addBoth(results.append)
        del failing
        gc.collect()
    assert not events
    assert results == [None]


def test_assert_no_result() -> None:
    """Passes before a Deferred fires, which gets its result all the same; fails after that."""
    deferred: Deferred[int] = Deferred()
    assertNoResult(deferred)
    assertNoResult(deferred)
    deferred.callback(3)
    with pytest.raises(AssertionError, match="found 3 instead"):
        assertNoResult(deferred)
    assert successResultOf(deferred) == 3
    failing: Deferred[int] = Deferred()
    assertNoResult(failing)
    failing.errback(ValueError("v"))
    failureResultOf(failing, ValueError)


def test_assert_no_result_of_a_failure_is_its_report() -> None:
    """A failure that the error shows is not reported once more."""
    with capturedLogs() as events:
        with pytest.raises(AssertionError, match="ValueError"):
            assertNoResult(fail(ValueError("v")))
        gc.collect()
    assert not events


def test_results_are_found_as_by_trial() -> None:
    """The helpers decide as trial's methods do."""
    assertSame(
        """
        import sys
        from twisted.internet.defer import Deferred, fail, succeed
        if "twistlike" in Deferred.__module__:
            from twistlike.internet.testing import (
                assertNoResult, failureResultOf, successResultOf)
        else:
            from twisted.trial.unittest import SynchronousTestCase
            case = SynchronousTestCase()
            assertNoResult, failureResultOf, successResultOf = (
                case.assertNoResult, case.failureResultOf, case.successResultOf)
        def swallow(deferred):
            deferred.addErrback(lambda failure: None)
        async def coroutine():
            return "c"
        for look in (assertNoResult, failureResultOf, successResultOf):
            for deferred in (Deferred(), succeed(1), fail(ValueError("v")), Deferred().addBoth(id)):
                try:
                    found = look(deferred)
                except AssertionError:
                    print(look.__name__, "refuses")
                else:
                    print(look.__name__, getattr(found, "value", found))
                after = []
                deferred.addBoth(after.append)
                print([getattr(each, "value", each) for each in after])
        print(successResultOf(coroutine()))
        """
    )


def test_string_transport_is_twisteds() -> None:
    """Writing, disconnecting, producers and their states, addresses."""
    assertSame(
        """
        from twisted.internet.testing import StringTransport
        def attempt(function, *args):
            try:
                print(function.__name__, function(*args))
            except Exception as error:
                print(function.__name__, type(error), error)
        def state(t):
            print(t.value(), t.connected, t.disconnecting, t.disconnected, t.producer,
                  t.streaming, t.producerState)
        for t in (StringTransport(), StringTransport(lenient=True), StringTransport("h", "p")):
            print(t.getHost(), t.getPeer())
            for data in (b"ab", bytearray(b"c"), memoryview(b"d"), "e", None):
                attempt(t.write, data)
            attempt(t.writeSequence, [b"f", b"g"])
            attempt(t.writeSequence, iter((b"h",)))
            state(t)
            t.clear()
            state(t)
            for call in (
                t.pauseProducing, t.pauseProducing, t.resumeProducing, t.resumeProducing,
                t.stopProducing, t.stopProducing, t.pauseProducing, t.resumeProducing,
            ):
                attempt(call)
                state(t)
            attempt(t.unregisterProducer)
            attempt(t.registerProducer, "producer", True)
            attempt(t.registerProducer, "another", False)
            state(t)
            attempt(t.unregisterProducer)
            state(t)
            attempt(t.loseConnection)
            state(t)
            attempt(t.write, b"late")
            attempt(t.abortConnection)
            state(t)
        for lenient in (False, True):
            for first in ("stopProducing", "pauseProducing", "clear"):
                for last in ("pauseProducing", "resumeProducing", "stopProducing"):
                    t = StringTransport(lenient=lenient)
                    attempt(getattr(t, first))
                    attempt(t.loseConnection)
                    attempt(getattr(t, last))
                    state(t)
        """
    )


def test_memory_reactor_is_twisteds() -> None:
    """What is asked of it is noted in the same attributes, in the same form."""
    assertSame(
        """
        from twisted.internet.testing import MemoryReactor, MemoryReactorClock
        class Factory:
            def startedConnecting(self, connector): print("started", connector.getDestination())
            def __repr__(self): return "<Factory>"
        class Descriptor:
            def __repr__(self): return "<Descriptor>"
        for reactor in (MemoryReactor(), MemoryReactorClock()):
            def notes():
                for name in (
                    "hasInstalled", "hasRun", "hasStopped", "hasCrashed", "tcpClients",
                    "tcpServers", "sslClients", "sslServers", "unixClients", "unixServers",
                    "whenRunningHooks", "triggers", "readers", "writers",
                ):
                    print(name, getattr(reactor, name))
                print(bool(reactor.running), len(reactor.connectors))
            notes()
            factory, context = Factory(), "context"
            for connector in (
                reactor.connectTCP("h", 1, factory),
                reactor.connectTCP("h", 1, factory, 3, ("b", 0)),
                reactor.connectTCP("::1", 1, factory, timeout=3, bindAddress=("b", 0)),
                reactor.connectSSL("h", 1, factory, context),
                reactor.connectSSL("h", 1, factory, context, timeout=3, bindAddress=("b", 0)),
                reactor.connectUNIX("/p", factory),
                reactor.connectUNIX("/p", factory, timeout=3, checkPID=1),
            ):
                print(connector.getDestination())
                connector.stopConnecting()
                print(connector.stoppedConnecting)
                connector.connect()
                connector.disconnect()
            for port in (
                reactor.listenTCP(0, factory),
                reactor.listenTCP(8, factory, backlog=3, interface="::1"),
                reactor.listenTCP(8, factory, 3, "127.0.0.1"),
                reactor.listenSSL(8, factory, context),
                reactor.listenSSL(8, factory, context, backlog=3, interface="127.0.0.1"),
                reactor.listenUNIX("/p", factory),
                reactor.listenUNIX("/p", factory, backlog=3, mode=0o600, wantPID=1),
            ):
                print(port.getHost(), port.startListening())
                port.stopListening()  # ours answers with a Deferred: see test_for_asyncio.py
            descriptor = Descriptor()
            reactor.addReader(descriptor)
            reactor.addWriter(descriptor)
            reactor.addWriter(descriptor)
            notes()
            print(reactor.getReaders(), reactor.getWriters())
            reactor.removeReader(descriptor)
            reactor.removeReader(descriptor)
            print(reactor.getReaders(), reactor.removeAll(), reactor.getWriters())
            reactor.addSystemEventTrigger("before", "shutdown", print, "args", end="!")
            reactor.addSystemEventTrigger("after", "startup", print)
            reactor.callWhenRunning(print, "hook", reactor.running)
            reactor.callWhenRunning(lambda: print("in run", reactor.running, reactor.hasStopped))
            notes()
            reactor.install()
            reactor.run()
            reactor.callWhenRunning(print, "after run")
            notes()
            reactor.crash()
            notes()
        reactor.callLater(1, print, "one")
        reactor.callLater(2, print, "two")
        reactor.advance(1)
        print(reactor.seconds(), len(reactor.getDelayedCalls()))
        reactor.pump([0.5, 0.5])
        """
    )


def test_memory_reactor_makes_calls_from_threads_at_once() -> None:
    """A call from a thread or in one is made at once; what it raises is reported."""
    for call in (MemoryReactor().callFromThread, MemoryReactorClock().callInThread):
        made: list[Any] = []
        call(made.append, 1)
        assert made == [1]

        def divide() -> float:
            return 1 / 0

        with capturedLogs() as events:
            call(divide)
        assert [event["log_failure"].type for event in events] == [ZeroDivisionError]
        assert events[0]["log_source"] is divide


def test_memory_reactor_fires_system_events() -> None:
    """`fireSystemEvent` calls an event's triggers phase by phase; removed ones are not called."""
    reactor = MemoryReactor()
    calls: list[str] = []
    for phase in ("after", "during", "before"):
        reactor.addSystemEventTrigger(phase, "shutdown", calls.append, phase)
    removed = reactor.addSystemEventTrigger("before", "shutdown", calls.append, "removed")
    reactor.addSystemEventTrigger("before", "startup", calls.append, "another event")
    reactor.removeSystemEventTrigger(removed)
    reactor.fireSystemEvent("shutdown")
    assert calls == ["before", "during", "after"]
    with pytest.raises(ValueError, match="not in list"):
        reactor.removeSystemEventTrigger(removed)


def test_addresses_are_twisteds() -> None:
    """Texts, attributes, equality and hashes of addresses."""
    assertSame(
        """
        from twisted.internet.address import (
            HostnameAddress, IPv4Address, IPv6Address, UNIXAddress)
        addresses = [
            IPv4Address("TCP", "h", 1), IPv4Address("UDP", "h", 1), IPv4Address("TCP", "h", 1),
            IPv6Address("TCP", "h", 1), IPv6Address("UDP", "::1", 2, 3, "eth0"),
            UNIXAddress("/x"), UNIXAddress(b"/x"), UNIXAddress(None), UNIXAddress("/\\u00e4"),
            HostnameAddress(b"host", 3),
        ]
        for one in addresses:
            print(one, repr(one), vars(one))
            print([(one == two, hash(one) == hash(two)) for two in addresses])
            print(one == 3, one != 3)
        try:
            IPv4Address("other", "h", 1)
        except ValueError:
            print("refused")
        """
    )


def test_addresses_of_one_socket_are_equal(tmp_path: Path) -> None:
    """Two names that lead to the same file are the same address, until there is no file."""
    socket, link, other = tmp_path / "socket", tmp_path / "link", tmp_path / "other"
    assertSame(
        """
        import os, sys
        from twisted.internet.address import UNIXAddress
        socket, link, other = sys.argv[1:]
        for name in (socket, other):
            open(name, "w").close()
        os.symlink(socket, link)
        addresses = [UNIXAddress(socket), UNIXAddress(link), UNIXAddress(other), UNIXAddress(None)]
        addresses += [UNIXAddress("\\0abstract"), UNIXAddress("")]
        for one in addresses:
            print([(one == two, hash(one) == hash(two)) for two in addresses])
        os.remove(socket)
        for one in addresses:
            print([(one == two, hash(one) == hash(two)) for two in addresses])
        """,
        args=[str(socket), str(link), str(other)],
    )


def test_addresses_of_different_kinds_differ() -> None:
    """Equality asks for the class as well as for the attributes."""

    class Special(UNIXAddress):
        pass

    assert Special("/x") != UNIXAddress("/x")
    assert IPv4Address("TCP", "h", 1) != IPv6Address("TCP", "h", 1)
    assert len({UNIXAddress("/x"), UNIXAddress(b"/x"), HostnameAddress(b"/x", 0)}) == 2


def test_string_transport_keeps_each_tests_own_bytes() -> None:
    """Two transports share nothing."""
    one, two = StringTransport(), StringTransport()
    one.write(b"x")
    assert (one.value(), two.value()) == (b"x", b"")
