"""File descriptors that the reactor watches, and what else Twisted's consumers ask it for."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.faults.hits import Hit, HitError, eachHit, isOurs
from tests.oracle import assertSame
from tests.transports.reactors import newLoop
from twistlike.internet.asyncioreactor import Reactor
from twistlike.internet.error import ConnectionFdescWentAway, ConnectionLost, WrongThreadError
from twistlike.internet.interfaces import IReactorFDSet
from twistlike.python.failure import Failure


class Watched:
    """One end of a pair of sockets. What it does when it is called is given."""

    def __init__(self, whenCalled: Callable[[], BaseException | None]) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.whenCalled = whenCalled
        self.calls = 0
        self.lost: list[Failure] = []
        self.closed = False

    def fileno(self) -> int:
        return -1 if self.closed else self.ours.fileno()

    def doRead(self) -> BaseException | None:
        self.calls += 1
        return self.whenCalled()

    doWrite = doRead

    def connectionLost(self, reason: Failure) -> None:
        self.lost.append(reason)

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()


@pytest.fixture
def reactor() -> Iterator[Reactor]:
    """A reactor of one's own."""
    reactor = Reactor()
    yield reactor
    assert not reactor.removeAll()


@pytest.fixture
def watch() -> Iterator[Callable[[Callable[[], BaseException | None]], Watched]]:
    """Makes what is watched, and closes it."""
    made: list[Watched] = []

    def make(whenCalled: Callable[[], BaseException | None]) -> Watched:
        made.append(Watched(whenCalled))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_what_is_watched_ends_as_twisteds() -> None:
    """What an object returns or raises ends it, with the same reason in the same method."""
    assertSame(
        """
        import socket
        from twisted.internet import asyncioreactor
        asyncioreactor.install()
        from twisted.internet import error, reactor
        from twisted.python import log
        log.discardLogs()

        class Thing:
            def __init__(self, name, act):
                self.name, self.act = name, act
                self.ours, self.theirs = socket.socketpair()
            def logPrefix(self): return self.name
            def fileno(self): return self.ours.fileno()
            def call(self, method):
                print(self.name, method)
                return self.act()
            def doRead(self): return self.call("doRead")
            def doWrite(self): return self.call("doWrite")
            def connectionLost(self, reason):
                print(self.name, "lost", reason.type.__name__)
                print(self in reactor.getReaders(), self in reactor.getWriters())

        def fail():
            raise ValueError("bad")

        things = [
            Thing("returns", error.ConnectionLost),
            Thing("done", error.ConnectionDone),
            Thing("raises", fail),
            Thing("stays", lambda: reactor.removeReader(things[3])),
            Thing("never", fail),
            Thing("waits", fail),
        ]
        def both(thing):
            reactor.addReader(thing)
            reactor.addReader(thing)
            thing.theirs.send(b"x")
        def one(number):
            if number < 4:
                both(things[number])
                reactor.callLater(0.02, one, number + 1)
                return
            reactor.addWriter(things[0])
            reactor.callLater(0.02, last)
        def last():
            both(things[4])
            reactor.addWriter(things[4])
            print([thing.name for thing in reactor.removeAll()])
            print([each.name for each in reactor.getReaders() if each in things])
            print(reactor.getWriters())
            reactor.removeReader(things[4])
            reactor.addReader(things[5])
            reactor.addSystemEventTrigger("before", "shutdown", print, "before shutdown")
            reactor.addSystemEventTrigger("after", "shutdown", print, "after shutdown")
            reactor.callLater(0.02, reactor.stop)
        reactor.callWhenRunning(one, 0)
        reactor.run()
        print([each.name for each in reactor.getReaders() if each in things])
        """
    )


def test_what_was_added_before_is_watched_in_each_run(reactor: Reactor, watch: Any) -> None:
    """Readers are kept until the reactor runs, and after a crash for the next run."""

    def crash() -> None:
        reactor.crash()

    thing = watch(crash)
    reactor.addReader(thing)
    thing.theirs.send(b"x")
    reactor.run()
    reactor.run()
    assert thing.calls == 2
    assert not thing.lost
    assert reactor.removeAll() == [thing]


def test_the_end_tells_all(reactor: Reactor, watch: Any) -> None:
    """When the reactor ends, each object hears of it, also after one that raises."""
    things = [watch(lambda: None) for _ in range(3)]

    def bad(reason: Failure) -> None:
        raise RuntimeError("in connectionLost")

    things[0].connectionLost = bad
    for thing in things:
        reactor.addReader(thing)
    reactor.callWhenRunning(reactor.stop)
    reactor.run()
    assert [len(thing.lost) for thing in things] == [0, 1, 1]
    assert things[1].lost[0].check(ConnectionLost)


def test_a_host_that_closes_its_loop_tells_all(reactor: Reactor, watch: Any) -> None:
    """The same where the loop is merely closed, below an attached reactor."""
    thing = watch(lambda: None)
    loop = asyncio.new_event_loop()
    loop.call_soon(reactor.addReader, thing)
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()
    assert len(thing.lost) == 1


def test_a_descriptor_that_was_closed_ends_its_object(reactor: Reactor, watch: Any) -> None:
    """An object whose fileno() has become -1 is not called, but told."""
    thing = watch(lambda: None)

    def lost(reason: Failure) -> None:
        thing.lost.append(reason)
        reactor.stop()

    def close() -> None:
        thing.closed = True
        thing.theirs.send(b"x")

    thing.connectionLost = lost
    reactor.addReader(thing)
    reactor.callWhenRunning(close)
    reactor.run()
    assert thing.calls == 0
    assert thing.lost[0].check(ConnectionFdescWentAway)


def test_what_cannot_be_watched_is_not_kept(reactor: Reactor, watch: Any) -> None:
    """An error of addReader leaves nothing behind."""
    thing = watch(lambda: None)
    thing.closed = True
    found: list[BaseException] = []

    def main() -> None:
        try:
            reactor.addReader(thing)
        except (OSError, ValueError) as error:
            found.append(error)
        reactor.stop()

    reactor.callWhenRunning(main)
    reactor.run()
    assert found
    assert not thing.lost


def test_each_call_has_a_copy_of_the_context(reactor: Reactor, watch: Any) -> None:
    """doRead runs in a copy of addReader's context: nothing leaks into the next call."""
    variable = contextvars.ContextVar("variable", default="none")
    seen: list[str] = []

    def read() -> None:
        seen.append(variable.get())
        variable.set("leaked")
        if len(seen) == 2:
            reactor.removeReader(thing)
            reactor.stop()

    thing = watch(read)
    variable.set("added")
    reactor.addReader(thing)
    variable.set("later")
    thing.theirs.send(b"x")
    reactor.run()
    assert seen == ["added", "added"]


def test_descriptors_belong_to_the_loops_thread(reactor: Reactor, watch: Any) -> None:
    """addReader and its kin raise in other threads."""
    thing = watch(lambda: None)
    found: list[str] = []

    def elsewhere() -> None:
        for method in reactor.addReader, reactor.removeReader, reactor.addWriter:
            with pytest.raises(WrongThreadError) as caught:
                method(thing)
            found.append(str(caught.value))
        reactor.callFromThread(reactor.stop)

    reactor.callWhenRunning(threading.Thread(target=elsewhere).start)
    reactor.run()
    assert ["addReader" in found[0], "removeReader" in found[1]] == [True, True]
    assert IReactorFDSet.providedBy(reactor)


def test_the_pool_can_be_stopped_between_two_tests(reactor: Reactor) -> None:
    """What trial does behind each test: the threads end, and the next job gets new ones."""
    done: list[object] = []

    def main() -> None:
        reactor.callInThread(done.append, 1)
        first = reactor.threadpool
        reactor.suggestThreadPoolSize(0)
        reactor._stopThreadPool()
        done.append(reactor.threadpool)
        reactor._stopThreadPool()
        assert first is not None and not first.threads
        reactor.callInThread(reactor.callFromThread, reactor.stop)

    reactor.callWhenRunning(main)
    reactor.run()
    assert done == [1, None]


def test_a_reactor_can_be_made_for_a_loop() -> None:
    """The argument of AsyncioSelectorReactor: run() runs that loop, and leaves it open."""
    loop = asyncio.new_event_loop()
    reactor = Reactor(loop)
    found: list[object] = []
    assert reactor._asyncioEventloop is loop
    reactor.callWhenRunning(lambda: found.append(asyncio.get_running_loop()))
    reactor.callWhenRunning(reactor.stop)
    reactor.run()
    assert found == [loop]
    assert not loop.is_closed()
    loop.close()


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_an_error_that_is_taken_is_not_the_end(kind: str) -> None:
    """A UDP socket that was refused goes on to be watched: uvloop stops at an error by itself."""
    loop = newLoop(kind)
    reactor = Reactor(loop)
    heard: list[bytes] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        nobody = peer.getsockname()

    class Datagrams:
        def __init__(self) -> None:
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.setblocking(False)
            self.socket.connect(nobody)

        def fileno(self) -> int:
            return self.socket.fileno()

        def doRead(self) -> None:
            try:
                heard.append(self.socket.recv(100))
            except ConnectionRefusedError:
                heard.append(b"refused")
                if len(heard) == 2:
                    peer.bind(nobody)
                    peer.sendto(b"taken", self.socket.getsockname())
                else:
                    self.socket.send(b"to nobody")
            else:
                reactor.stop()

        def connectionLost(self, reason: Failure) -> None:
            raise AssertionError(reason)

    watched = Datagrams()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer, watched.socket:
        reactor.addReader(watched)
        reactor.callWhenRunning(watched.socket.send, b"to nobody")
        reactor.callLater(10, reactor.stop)
        reactor.run(installSignalHandlers=False)
        reactor.removeAll()
    loop.close()
    assert heard == [b"refused", b"refused", b"taken"]


def inLoopToo(filename: str) -> bool:
    """Return whether a file is ours, or of the part of asyncio that adds and removes them."""
    return isOurs(filename) or filename.endswith("selector_events.py")


@pytest.mark.parametrize("kind", [Hit, HitError])
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_signal_at_any_step_of_adding_or_removing(loop: str, kind: type[BaseException]) -> None:
    """The loop watches what is known to be watched, and nothing else: it can be closed, too."""
    host = newLoop(loop)
    found: list[BaseException] = []
    host.set_exception_handler(lambda _, context: found.append(context["exception"]))

    async def main() -> None:
        reactor = Reactor()
        reactor.attach()
        await asyncio.sleep(0)
        for operation in (reactor.addReader, reactor.removeReader):
            for hits in eachHit(inLoopToo, kind=kind):
                watched = Watched(lambda: None)
                watched.theirs.send(b"x")  # it is ready all the time
                if operation == reactor.removeReader:
                    reactor.addReader(watched)
                with contextlib.suppress(kind), hits:
                    operation(watched)
                isKnown = watched in reactor.getReaders()
                for _ in range(3):
                    await asyncio.sleep(0)
                assert (watched.calls > 0) == isKnown, hits.place
                reactor.removeReader(watched)
                reactor.addReader(watched)
                calls = watched.calls
                for _ in range(3):
                    await asyncio.sleep(0)
                assert watched.calls > calls, hits.place
                reactor.removeReader(watched)
                watched.closed = True
                watched.close()
                await asyncio.sleep(0)
        reactor.stop()

    host.run_until_complete(main())
    host.run_until_complete(host.shutdown_asyncgens())
    host.close()
    assert found == []
