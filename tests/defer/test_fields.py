"""A Deferred's fields: the places that set them without `Deferred.__init__` set the same."""

from __future__ import annotations

from typing import Any

import pytest

from tests.oracle import runPython
from twistlike._defer.coroutines import CoroutineDeferred
from twistlike._defer.fields import DeferredFields
from twistlike.internet.defer import Deferred, ensureDeferred, setDebugging, succeed

# Python's own: an object has them anyway.
FIELDS = sorted(set(DeferredFields.__slots__) - {"__dict__", "__weakref__"})


def fieldsOf(deferred: Deferred[Any]) -> dict[str, object]:
    """Return the fields that are set, with their values."""
    return {name: getattr(deferred, name) for name in FIELDS if hasattr(deferred, name)}


def suspended() -> CoroutineDeferred[Any]:
    """Return the Deferred of a coroutine that has not begun."""

    async def work() -> None:
        pass

    coro = work()
    coro.close()
    return CoroutineDeferred(coro)


def test_a_new_one_has_every_field_but_its_result() -> None:
    """`Deferred.__init__` sets all of them; `result` is missing until it fires."""
    assert sorted(fieldsOf(Deferred())) == sorted(set(FIELDS) - {"result"})


@pytest.mark.parametrize(
    "result", [None, 1, object(), ValueError()], ids=lambda value: type(value).__name__
)
def test_succeed(result: object) -> None:
    """`succeed` gives what a new one is after `callback`."""
    fired: Deferred[object] = Deferred()
    fired.callback(result)
    assert fieldsOf(succeed(result)) == fieldsOf(fired)


def test_a_coroutines() -> None:
    """The Deferred of a coroutine begins as a new one does."""
    assert fieldsOf(suspended()) == fieldsOf(Deferred())


def test_a_coroutines_that_has_ended() -> None:
    """The Deferred of a coroutine that has ended is as one that was fired."""

    async def work() -> int:
        return 1

    fired: Deferred[int] = Deferred()
    fired.callback(1)
    assert fieldsOf(ensureDeferred(work())) == fieldsOf(fired)


def test_a_jobs() -> None:
    """The Deferred of a pool's job begins as a new one with a canceller does."""
    program = """if True:
        from tests.defer.test_fields import fieldsOf
        from twistlike._threads.jobs import runInPool
        from twistlike.internet.defer import Deferred

        class Pool:
            def put(self, job):
                pass

        job = runInPool(None, set(), Pool(), print, (), {})
        assert callable(job._canceller)
        assert fieldsOf(job) == fieldsOf(Deferred(job._canceller))
        print("same")
    """
    found = runPython(["-c", program])
    assert (found.stdout, found.stderr) == ("same\n", "")


@pytest.mark.parametrize("make", [Deferred, suspended, lambda: succeed(1)])
def test_in_debug_mode(make: Any) -> None:
    """In debug mode each of them remembers where it was made."""
    setDebugging(True)
    try:
        made = make()
        assert made._debugInfo is not None
        assert made._debugInfo.creator
    finally:
        setDebugging(False)
