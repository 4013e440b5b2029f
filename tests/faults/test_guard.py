"""Calls that belong to the loop's thread, made in another one."""

from __future__ import annotations

import asyncio
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

from tests.faults.harness import Host, fault, inThread
from tests.waits import until
from twistlike.internet.asyncioreactor import Reactor
from twistlike.internet.error import AlreadyCancelled, WrongThreadError


def caught(function: Callable[[], object]) -> list[str]:
    """Run a function; return the warnings that it causes."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        function()
    return [f"{warning.filename}: {warning.message}" for warning in found]


@fault()
def test_wrong_thread_raises(host: Host) -> None:
    """Each loop-only call from elsewhere raises, and names the call to use instead."""

    async def main(reactor: Reactor) -> None:
        handle = reactor.addSystemEventTrigger("after", "shutdown", int)
        calls: dict[str, tuple[Any, ...]] = {
            "callLater": (0, int),
            "callWhenRunning": (int,),
            "addSystemEventTrigger": ("after", "shutdown", int),
            "removeSystemEventTrigger": (handle,),
            "fireSystemEvent": ("custom",),
            "resolve": ("localhost",),
            "stop": (),
            "crash": (),
        }

        def callAll() -> None:
            for name, args in calls.items():
                try:
                    getattr(reactor, name)(*args)
                except WrongThreadError as error:
                    assert f"callFromThread(reactor.{name}" in str(error)
                else:
                    raise AssertionError(f"{name} did not raise")

        await inThread(callAll)
        assert reactor.wrongThread == "error"

    host.run(main)


@fault()
def test_wrong_thread_warns_once_for_each_place(host: Host) -> None:
    """With the policy "warn" there is one warning for each call site, and the call is made."""

    async def main(reactor: Reactor) -> None:
        reactor.wrongThread = "warn"
        called: list[int] = []

        def later() -> None:
            for number in range(5):
                reactor.callLater(0, called.append, number)
            reactor.callLater(0.01, called.append, 5)

        texts = await inThread(caught, later)
        assert len(texts) == 2, texts
        assert all("test_guard.py" in text and "callLater" in text for text in texts), texts
        await until(lambda: called == [0, 1, 2, 3, 4, 5])
        assert await inThread(caught, later) == []
        try:
            reactor.wrongThread = "ignore"
        except ValueError:
            pass
        else:
            raise AssertionError("there is no such policy")

    host.run(main)


@fault()
def test_handed_over_call(host: Host) -> None:
    """The handle that callLater returns elsewhere can be cancelled and moved there."""

    async def main(reactor: Reactor) -> None:
        reactor.wrongThread = "warn"
        called: list[str] = []

        def work() -> None:
            early = reactor.callLater(60, called.append, "moved earlier")
            early.reset(0.01)
            late = reactor.callLater(0.02, called.append, "moved later")
            late.delay(0.05)
            gone = reactor.callLater(0.02, called.append, "cancelled")
            gone.cancel()
            assert not gone.active()
            assert early.active()
            assert early.getTime() - reactor.seconds() < 1
            for method in (gone.cancel, lambda: gone.reset(1), lambda: gone.delay(1)):
                try:
                    method()
                except AlreadyCancelled:
                    pass
                else:
                    raise AssertionError("it is cancelled")
            for delay, function in ((-1, int), ("soon", int), (0, None)):
                try:
                    reactor.callLater(delay, function)  # type: ignore[arg-type]
                except (TypeError, ValueError):
                    pass
                else:
                    raise AssertionError(f"{delay}, {function} was taken")

        await inThread(caught, work)
        await until(lambda: len(called) == 2)
        assert called == ["moved earlier", "moved later"]
        assert reactor.getDelayedCalls() == []

    host.run(main)


@fault()
def test_handed_over_race(host: Host) -> None:
    """Cancelled elsewhere just as it is due: it runs once or never, and nothing is reported."""

    async def main(reactor: Reactor) -> None:
        reactor.wrongThread = "warn"
        ran: list[int] = []

        def work() -> None:
            for number in range(host.many(2_000)):
                call = reactor.callLater(0, ran.append, number)
                if number % 3:
                    time.sleep(0)
                if call.active():
                    try:
                        call.cancel()
                    except ValueError:
                        pass

        await inThread(caught, work)
        await asyncio.sleep(0.02)
        assert len(ran) == len(set(ran))

    host.run(main)


@fault()
def test_handed_over_triggers_and_stop(host: Host) -> None:
    """callWhenRunning, the triggers and stop are handed over; so are later errors, as reports."""
    fired: list[str] = []

    async def main(reactor: Reactor) -> None:
        reactor.wrongThread = "warn"

        def work() -> None:
            reactor.callWhenRunning(fired.append, "running")
            reactor.addSystemEventTrigger("before", "shutdown", fired.append, "before")
            kept = reactor.addSystemEventTrigger("after", "shutdown", fired.append, "removed")
            reactor.removeSystemEventTrigger(kept)
            reactor.addSystemEventTrigger("during", "custom", fired.append, "custom")
            reactor.fireSystemEvent("custom")
            reactor.stop()

        assert len(await inThread(caught, work)) == 7

    host.run(main, stop=False)
    assert fired == ["running", "custom", "before"]


@fault("remove.*ValueError: there is no trigger")
def test_handed_over_errors_are_reported(host: Host) -> None:
    """What is handed over cannot raise in its caller: its error is reported."""

    async def main(reactor: Reactor) -> None:
        reactor.wrongThread = "warn"

        def work() -> None:
            handle = reactor.addSystemEventTrigger("after", "shutdown", int)
            reactor.removeSystemEventTrigger(handle)
            reactor.removeSystemEventTrigger(handle)

        await inThread(caught, work)

    host.run(main)


@fault()
def test_handed_over_stays_quiet_in_the_right_thread(host: Host) -> None:
    """The policy changes nothing in the loop's thread, before the start or between two runs."""
    reactor = Reactor()
    reactor.wrongThread = "warn"
    called = threading.Event()

    async def main(reactor: Reactor) -> None:
        reactor.callLater(0, called.set)
        await until(called.is_set)

    def all() -> None:
        reactor.callLater(0, int)
        host.run(main, reactor)
        reactor.callWhenRunning(int)

    assert caught(all) == []
