"""What a fault's program has at hand: the variants, the decorator, and the ``Host`` that runs it.

Imported in pytest's process and in that of the fault; nothing here needs pytest.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import re
import sys
import threading
import zlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Any, TypeVar, cast

from tests.waits import until

__all__ = ["AT_ONCE", "RECORD", "Host", "Program", "Variant", "fault", "programOf", "variantsOf"]

RECORD = "\x1e"
"""Comes before each report on a fault's standard error."""

T = TypeVar("T")

# Seconds after which a fault hangs. Each takes a fraction of it, also on a machine that is busy.
# Less of it is wanted where many are expected to hang: when the code is broken by hand.
LIMIT = float(os.environ.get("FAULTS_LIMIT", "60"))


# What takes longer, in seconds, has waited. Less than the limit of a fault, and than what it might
# wait for; what does not wait takes a fraction of it, also on a machine that is busy.
AT_ONCE = LIMIT / 4


@dataclass(frozen=True)
class Variant:
    """What a fault runs on.

    Attributes:
        loop: ``"asyncio"`` or ``"uvloop"``.
        mode: ``"run"``: the reactor runs its own loop. ``"attached"``: it is a guest of
            ``asyncio.run``.
        debug: asyncio's debug mode.
        switch: Threads switch after each microsecond.
        eager: Tasks are eager (CPython 3.12 and later).
    """

    loop: str = "asyncio"
    mode: str = "run"
    debug: bool = False
    switch: bool = False
    eager: bool = False

    def __str__(self) -> str:
        flags = [flag for flag in ("debug", "switch", "eager") if getattr(self, flag)]
        return "-".join([self.loop, self.mode, *flags])

    @classmethod
    def named(cls, name: str) -> Variant:
        """Return the variant whose ``str`` this is."""
        loop, mode, *flags = name.split("-")
        return cls(loop, mode, **dict.fromkeys(flags, True))


@dataclass(frozen=True)
class Program:
    """A fault, and what is expected of it.

    Attributes:
        function: What is run, with a ``Host``.
        reports: A pattern for each report that it has to make; there may be no other.
        mayReport: Patterns for reports that may come besides, any number of times.
        alone: It needs a process of its own, whose end belongs to the test.
        modes: The modes in which it makes sense.
        limit: Seconds after which it hangs.
        returncode: The process's, if it is alone.
    """

    function: Callable[[Host], object]
    reports: tuple[str, ...]
    mayReport: tuple[str, ...]
    alone: bool
    modes: tuple[str, ...]
    limit: float
    returncode: int

    @property
    def name(self) -> str:
        """The function's place, as the process is told it."""
        return f"{self.function.__module__}:{self.function.__name__}"


def fault(
    *reports: str,
    mayReport: tuple[str, ...] = (),
    alone: bool = False,
    modes: tuple[str, ...] = ("run", "attached"),
    limit: float = LIMIT,
    returncode: int = 0,
) -> Callable[[Callable[[Host], object]], Callable[[Variant], None]]:
    """Make a test of a fault's program. The arguments are those of ``Program``."""

    def decorate(function: Callable[[Host], object]) -> Callable[[Variant], None]:
        program = Program(function, reports, mayReport, alone, modes, limit, returncode)

        def test(variant: Variant) -> None:
            from tests.faults import runner  # in pytest's process only

            runner.check(program, variant)

        test.__name__ = test.__qualname__ = function.__name__
        test.__module__ = function.__module__
        test.__doc__ = function.__doc__
        test.program = program  # type: ignore[attr-defined]
        return test

    return decorate


def programOf(test: object) -> Program | None:
    """Return the program that a test runs, ``None`` if it is no fault's."""
    return getattr(test, "program", None)


OTHERS = (
    Variant("uvloop", "attached", switch=True),
    Variant("asyncio", "attached", debug=True),
    Variant("uvloop", "run", debug=True),
    Variant("asyncio", "attached", switch=True, eager=True),
    Variant("asyncio", "run", debug=True, switch=True),
    Variant("uvloop", "run", switch=True),
)


def variantsOf(program: Program, full: bool) -> list[Variant]:
    """Return what a fault is run on: asyncio's loop and one other variant, or all there are."""
    flags = (False, True)
    if full:
        wanted = [
            Variant(loop, mode, debug, switch, eager)
            for loop in ("asyncio", "uvloop")
            for mode in program.modes
            for debug in flags
            for switch in flags
            for eager in flags
            if not (eager and loop == "uvloop")
        ]
    else:
        other = OTHERS[zlib.crc32(program.name.encode()) % len(OTHERS)]
        if other.mode not in program.modes:
            flagsOf = (other.debug, other.switch, other.eager)
            other = Variant(other.loop, program.modes[0], *flagsOf)
        wanted = [Variant("asyncio", program.modes[0]), other]
    return list(dict.fromkeys(map(_possible, wanted)))


def _possible(variant: Variant) -> Variant:
    """Return the variant, without what this machine does not have."""
    loop = variant.loop if importlib.util.find_spec("uvloop") else "asyncio"
    eager = variant.eager and sys.version_info >= (3, 12)
    return Variant(loop, variant.mode, variant.debug, variant.switch, eager)


class Host:
    """Runs a reactor for a fault, as its variant says. In the main thread of the fault's process.

    Args:
        variant: What to run on.
    """

    def __init__(self, variant: Variant) -> None:
        from twistlike.internet.asyncioreactor import setLoopFactory

        self.variant = variant
        self.attached = variant.mode == "attached"
        self.slow = variant.switch or variant.debug
        setLoopFactory(self.newLoop)
        if variant.switch:
            sys.setswitchinterval(1e-6)

    def newLoop(self) -> asyncio.AbstractEventLoop:
        """Return a new loop of the variant's kind."""
        loop: asyncio.AbstractEventLoop
        if self.variant.loop == "uvloop":
            import uvloop

            loop = uvloop.new_event_loop()
        else:
            loop = asyncio.new_event_loop()
        if self.variant.eager and sys.version_info >= (3, 12):
            loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[arg-type]
        return loop

    def many(self, number: int) -> int:
        """Return how often to do something: a tenth of it where all is slow."""
        return number // 10 if self.slow else number

    def run(
        self,
        main: Callable[[Any], Awaitable[T]],
        reactor: Any = None,
        installSignalHandlers: bool = False,
        stop: bool = True,
    ) -> T:
        """Run a reactor, await ``main(reactor)`` in its loop, stop it unless ``main`` did.

        Args:
            main: A coroutine function.
            reactor: A new one, if none is given.
            installSignalHandlers: As for ``reactor.run()``.
            stop: With false, somebody else will stop it.

        Returns:
            What ``main`` returned, once the reactor has ended.
        """
        from twistlike.internet.asyncioreactor import Reactor

        reactor = Reactor() if reactor is None else reactor
        if self.attached:
            with asyncio.Runner(loop_factory=self.newLoop) as runner:
                return runner.run(self._attached(main, reactor, stop))
        return self._run(main, reactor, installSignalHandlers, stop)

    def runAsyncio(self, main: Callable[[], Awaitable[T]]) -> T:
        """Await ``main()`` as ``asyncio.run`` would, with no reactor."""
        with asyncio.Runner(loop_factory=self.newLoop) as runner:
            return runner.run(_await(main()))

    async def _attached(self, main: Callable[[Any], Awaitable[T]], reactor: Any, stop: bool) -> T:
        async with reactor:
            result = await main(reactor)
            if not stop:
                await until(lambda: isEnding(reactor))
            return result

    def _run(
        self, main: Callable[[Any], Awaitable[T]], reactor: Any, signals: bool, stop: bool
    ) -> T:
        from twistlike.internet.defer import ensureDeferred
        from twistlike.python.failure import Failure

        outcome: list[Any] = []

        def finish(result: object) -> None:
            outcome.append(result)
            if stop and not isEnding(reactor):
                reactor.stop()

        def begin() -> None:
            ensureDeferred(_await(main(reactor))).addBoth(finish)

        reactor.callWhenRunning(begin)
        reactor.run(installSignalHandlers=signals)
        assert outcome, "the reactor has ended before the fault's main() has"
        if isinstance(outcome[0], Failure):
            outcome[0].raiseException()
        return cast(T, outcome[0])


async def _await(awaitable: Awaitable[T]) -> T:
    return await awaitable


def isEnding(reactor: Any) -> bool:
    """Return whether the reactor stops or has stopped."""
    return reactor._life.state.value in ("stopping", "ended")


# ---- what many faults need -----------------------------------------------------------------------


def inThread(function: Callable[..., T], *args: Any) -> asyncio.Future[T]:
    """Run a function in a thread that is none of ours. Await the result in a running loop."""
    return asyncio.get_running_loop().run_in_executor(None, function, *args)


@contextlib.contextmanager
def atOnce() -> Iterator[None]:
    """Fail if what is inside waits for something that comes later than `AT_ONCE`, or never."""
    begin = monotonic()
    yield
    took = monotonic() - begin
    assert took < AT_ONCE, f"took {took:.2f} s: it has waited for what it must not wait for"


@contextlib.contextmanager
def noNewThreads() -> Iterator[None]:
    """Have each start of a thread refused, as a system does that has no room for more."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise RuntimeError("can't start new thread")

    names = ("_start_new_thread", "_start_joinable_thread")
    before = {name: getattr(threading, name) for name in names if hasattr(threading, name)}
    for name in before:
        setattr(threading, name, refuse)
    try:
        yield
    finally:
        for name, function in before.items():
            setattr(threading, name, function)


@contextlib.contextmanager
def ourClock(clock: Callable[[], float]) -> Iterator[None]:
    """Have the inbox and the timers go by another clock."""
    from twistlike._eventloop import loops
    from twistlike._reactor import inbox
    from twistlike._timers import loop_timers

    modules: tuple[Any, ...] = (inbox, loops, loop_timers)
    real = [module.monotonic for module in modules]
    for module in modules:
        module.monotonic = clock
    try:
        yield
    finally:
        for module, before in zip(modules, real, strict=True):
            module.monotonic = before


def matches(program: Program, stderr: str) -> str:
    """Hold what was written against what is expected.

    Returns:
        What is wrong, in words; nothing if nothing is.
    """
    raw, *records = stderr.split(RECORD)
    if raw.strip():
        return f"it wrote something that is no report:\n{raw}"
    missing = list(program.reports)
    for record in records:
        for pattern in missing:
            if re.search(pattern, record, re.DOTALL):
                missing.remove(pattern)
                break
        else:
            if not any(re.search(pattern, record, re.DOTALL) for pattern in program.mayReport):
                return f"it made a report that was not expected:\n{record}"
    return f"it has not reported {missing}" if missing else ""
