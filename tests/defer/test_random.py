"""Random programs do the same on our Deferreds as on Twisted's."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.defer.twins import Lib, assertSame

_index = st.integers(0, 5)
_adders = st.sampled_from(["addCallback", "addErrback", "addBoth", "addCallbacks"])
_deeds = st.one_of(
    st.tuples(st.sampled_from(["pass", "value", "raise", "failure", "trap"])),
    st.tuples(
        st.sampled_from(["return", "fire", "fail", "cancel", "pause", "unpause", "add"]), _index
    ),
)
_steps = st.one_of(
    st.tuples(st.just("add"), _index, _adders, _deeds),
    st.tuples(st.sampled_from(["fire", "fail", "cancel", "pause", "unpause", "state"]), _index),
    st.tuples(st.just("chain"), _index, _index),
    st.tuples(
        st.sampled_from(["coroutine", "generator"]),
        _index,
        st.lists(st.tuples(_index, st.booleans()), max_size=3),
    ),
)
_cancellers = st.sampled_from([None, None, "nothing", "fire", "fail", "raise"])
_programs = st.tuples(
    st.lists(_cancellers, min_size=6, max_size=6), st.lists(_steps, min_size=1, max_size=14)
)


class _Machine:
    """Runs a random program on one of the libraries."""

    def __init__(self, lib: Lib, cancellers: list[str | None]) -> None:
        self.lib = lib
        self.pool = [lib.D(self._canceller(kind, i)) for i, kind in enumerate(cancellers)]
        self.waitedFor: set[int] = set()
        self.adds = 0

    def _canceller(self, kind: str | None, index: int) -> Any:
        if kind is None:
            return None

        def canceller(deferred: Any) -> None:
            self.lib.note("cancelling", index)
            if kind == "fire":
                deferred.callback(("cancelled", index))
            elif kind == "fail":
                deferred.errback(KeyError("cancelled", index))
            elif kind == "raise":
                raise ValueError("canceller", index)

        return canceller

    def callback(self, name: str, deed: tuple[Any, ...]) -> Any:
        def callback(value: Any) -> Any:
            self.lib.note(name, value)
            return self.deed(name, deed, value)

        return callback

    def deed(self, name: str, deed: tuple[Any, ...], value: Any) -> Any:
        """Do what a callback does, and return what it returns."""
        match deed:
            case ("value",):
                return name
            case ("raise",):
                raise LookupError(name)
            case ("failure",):
                return self.lib.Failure(LookupError(name))
            case ("trap",):
                return "trapped" if isinstance(value, self.lib.Failure) else value
            case ("return", index):
                return self.pool[index]
            case ("add", index):
                self.adds += 1
                if self.adds < 20:
                    self.pool[index].addBoth(self.callback(f"{name}+", ("pass",)))
            case (what, index):
                self.step((what, index))
        return value

    def step(self, step: tuple[Any, ...]) -> None:
        self.lib.attempt(self._step, step)

    def _step(self, step: tuple[Any, ...]) -> None:
        pool = self.pool
        match step:
            case ("add", index, "addCallbacks", deed):
                name = f"{index}:{deed}"
                pool[index].addCallbacks(
                    self.callback(f"c{name}", deed), self.callback(f"e{name}", deed)
                )
            case ("add", index, adder, deed):
                getattr(pool[index], adder)(self.callback(f"{index}:{adder}:{deed}", deed))
            case ("fire", index):
                pool[index].callback(("fired", index))
            case ("fail", index):
                pool[index].errback(KeyError("failed", index))
            case ("cancel", index):
                # Twisted puts off the cancel of a coroutine that is paused; ours does it at once.
                if pool[index].called or not pool[index].paused:
                    pool[index].cancel()
            case ("pause", index):
                pool[index].pause()
            case ("unpause", index):
                if pool[index].paused > 0:
                    pool[index].unpause()
            case ("state", index):
                self.lib.note("state", index, pool[index].called, pool[index].paused)
            case ("chain", index, other):
                if not pool[other].called and not pool[other].paused:
                    pool[index].chainDeferred(pool[other])
            case ("coroutine" | "generator" as kind, index, waits):
                # Of two that wait for one, Twisted gives the second None; ours get the same.
                waits = [w for w in dict(waits).items() if w[0] not in (index, *self.waitedFor)]
                self.waitedFor.update(i for i, _ in waits)
                run = self.coroutine if kind == "coroutine" else self.generator
                self.pool[index] = run(f"{kind} {index}", waits)

    def coroutine(self, name: str, waits: list[tuple[int, bool]]) -> Any:
        async def coroutine() -> str:
            for index, catch in waits:
                try:
                    self.lib.note(name, index, await self.pool[index])
                except Exception as error:
                    self.lib.note(name, index, error)
                    if not catch:
                        raise
            return name

        return self.lib.defer.ensureDeferred(coroutine())

    def generator(self, name: str, waits: list[tuple[int, bool]]) -> Any:
        def generator() -> Any:
            for index, catch in waits:
                try:
                    self.lib.note(name, index, (yield self.pool[index]))
                except Exception as error:
                    self.lib.note(name, index, error)
                    if not catch:
                        raise
            return name

        return self.lib.defer.inlineCallbacks(generator)()

    def end(self) -> None:
        for index, deferred in enumerate(self.pool):
            if not deferred.paused:
                self.lib.note("end", index, deferred)
            self.lib.note("end", index, deferred.called, deferred.paused)
        self.pool.clear()


@given(_programs)
@settings(
    max_examples=400,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
def test_random_programs(program: tuple[list[str | None], list[tuple[Any, ...]]]) -> None:
    """Any additions, firings, pauses, cancels, chains and coroutines: the same events."""
    cancellers, steps = program

    def run(lib: Lib) -> None:
        machine = _Machine(lib, cancellers)
        for step in steps:
            machine.step(step)
        machine.end()

    assertSame(run)


pytestmark = pytest.mark.slow
