"""The peers: how each one's loop is started, and what has to be installed for it.

Every host runs the same way: it is given a coroutine function, and runs it in its loop until it is
done. ``assertNoDebug`` looks at the loop from within.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from benchmarks.workload import Kit

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    Main = Callable[[], Coroutine[Any, Any, None]]

__all__ = ["ASYNCIO", "HOSTS", "REACTORS", "Host", "assertNoDebug"]


def _runReactor(kit: Kit, main: Main) -> None:
    """Run a coroutine under ``reactor.run()``, as a Twisted program does."""
    reactor = kit.reactor
    outcome: list[Any] = []

    def start() -> None:
        deferred = kit.defer.ensureDeferred(main())
        deferred.addBoth(outcome.append)
        deferred.addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(start)
    reactor.run()
    if outcome[0] is not None:
        outcome[0].raiseException()


def _twistlike(main: Main) -> None:
    _runReactor(Kit("twistlike"), main)


def _twistlikeUvloop(main: Main) -> None:
    import uvloop

    kit = Kit("twistlike")
    kit.asyncioreactor.setLoopFactory(uvloop.new_event_loop)
    _runReactor(kit, main)


def _twisted(main: Main) -> None:
    _runReactor(Kit("twisted"), main)


def _twistedAsyncio(main: Main) -> None:
    import asyncio

    kit = Kit("twisted")
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)  # callWhenRunning comes before the loop runs
    kit.asyncioreactor.install(loop)
    _runReactor(kit, main)


def _overlay(main: Main) -> None:
    from twistlike import overlay

    overlay.install(useTwisted=True)
    _runReactor(Kit("twisted"), main)


def _asyncio(main: Main) -> None:
    import asyncio

    asyncio.run(main())


def _uvloop(main: Main) -> None:
    import uvloop

    uvloop.run(main())


def _anyio(main: Main) -> None:
    import anyio

    anyio.run(main, backend="asyncio")


def _anyioUvloop(main: Main) -> None:
    import anyio

    anyio.run(main, backend="asyncio", backend_options={"use_uvloop": True})


def _tornado(main: Main) -> None:
    from tornado.ioloop import IOLoop

    IOLoop.current().run_sync(main)


def _noLoop(main: Main) -> None:
    raise AssertionError("this peer has no loop of its own in the main thread")


@dataclass(frozen=True)
class Host:
    """One peer.

    Args:
        run: Runs a coroutine function in the peer's loop.
        needs: The distributions that must be installed.
        package: ``"twisted"`` or ``"twistlike"`` if variants are written with a ``Kit``.
    """

    run: Callable[[Main], None]
    needs: tuple[str, ...] = ()
    package: str = ""

    @property
    def kit(self) -> Kit | None:
        """The modules that the variants use."""
        return Kit(self.package) if self.package else None

    @property
    def missing(self) -> list[str]:
        """What is not installed of that which it needs."""
        return [name for name in self.needs if find_spec(name.lower()) is None]

    @property
    def versions(self) -> dict[str, str]:
        """The versions of what it needs."""
        found = {}
        for name in self.needs:
            try:
                found[name] = version(name)
            except PackageNotFoundError:
                continue
        return found


HOSTS: dict[str, Host] = {
    "twistlike": Host(_twistlike, (), "twistlike"),
    "twistlike-uvloop": Host(_twistlikeUvloop, ("uvloop",), "twistlike"),
    # Attached to the loop of asyncio.run, in a task of asyncio's.
    "twistlike-task": Host(_asyncio, (), "twistlike"),
    # An installed Twisted on twistlike's reactor.
    "overlay": Host(_overlay, ("Twisted",), "twisted"),
    "twisted": Host(_twisted, ("Twisted",), "twisted"),
    "twisted-asyncio": Host(_twistedAsyncio, ("Twisted",), "twisted"),
    "asyncio": Host(_asyncio),
    "uvloop": Host(_uvloop, ("uvloop",)),
    "futures": Host(_noLoop),
    "anyio": Host(_anyio, ("anyio",)),
    "anyio-uvloop": Host(_anyioUvloop, ("anyio", "uvloop")),
    "asgiref": Host(_asyncio, ("asgiref",)),
    "asgiref-uvloop": Host(_uvloop, ("asgiref", "uvloop")),
    "tornado": Host(_tornado, ("tornado",)),
    "janus": Host(_asyncio, ("janus",)),
    "janus-uvloop": Host(_uvloop, ("janus", "uvloop")),
    "culsans": Host(_asyncio, ("culsans",)),
    "culsans-uvloop": Host(_uvloop, ("culsans", "uvloop")),
    "crochet": Host(_noLoop, ("crochet", "Twisted")),
}

REACTORS = ("twistlike", "twistlike-uvloop", "twisted", "twisted-asyncio")
"""The hosts that one text serves for, written against Twisted's API."""

ASYNCIO = ("asyncio", "uvloop")
"""The hosts that one text serves for, written against asyncio's API."""


def assertNoDebug() -> None:
    """Refuse to measure with anything switched on that slows one peer more than another."""
    flags = sys.flags
    assert not flags.dev_mode, "python -X dev slows asyncio down"
    assert not flags.no_site, "not the interpreter that people use"
    assert sys.gettrace() is None and sys.getprofile() is None, "somebody traces"
    asyncio = sys.modules.get("asyncio")
    if asyncio is not None and (loop := asyncio.events._get_running_loop()) is not None:
        assert not loop.get_debug(), "asyncio's debug mode is on"
    for package in ("twisted", "twistlike"):
        defer = sys.modules.get(f"{package}.internet.defer")
        if defer is not None:
            assert not defer.getDebugging(), f"{package}: Deferreds' debug mode is on"
