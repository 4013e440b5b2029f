"""python.context: Twisted's functions, over a context variable."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twistlike.python import context

twisted: ModuleType = pytest.importorskip("twisted.python.context")

BOTH = pytest.mark.parametrize("library", [context, twisted], ids=["twistlike", "twisted"])
TRACKERS = pytest.mark.parametrize("name", ["ContextTracker", "ThreadedContextTracker"])


@pytest.fixture(autouse=True)
def _cleanDefaults() -> Iterator[None]:
    """Forget defaults and trackers that a test has set."""
    trackers = [(library, library.theContextTracker) for library in (context, twisted)]
    yield
    for library, tracker in trackers:
        library.defaultContextDict.clear()
        library.installContextTracker(tracker)


@BOTH
def test_call_sets_for_all_that_it_calls(library: Any) -> None:
    """A value is found by what a call calls, innermost first, and by nobody afterwards."""

    def inside(x: int, *, y: int) -> Any:
        return library.get("a"), library.get("b"), x, y

    def around() -> Any:
        return library.call({"b": 3}, inside, 1, y=2), library.get("b"), library.get("c", 4)

    assert library.call({"a": 1, "b": 2}, around) == ((1, 3, 1, 2), 2, 4)
    assert library.get("a") is None


@BOTH
def test_an_error_leaves_nothing_behind(library: Any) -> None:
    """The error of the called function comes out, and the values are gone."""

    def fail() -> None:
        raise ValueError(library.get("a"))

    with pytest.raises(ValueError, match="1"):
        library.call({"a": 1}, fail)
    assert library.get("a", "gone") == "gone"


@BOTH
def test_defaults_hold_in_every_thread(library: Any) -> None:
    """setDefault is for all threads; a call overrides it, with None as well."""
    library.setDefault("a", 1)
    seen: list[Any] = []
    thread = threading.Thread(target=lambda: seen.append(library.get("a", 7)))
    thread.start()
    thread.join()
    assert seen == [1]
    assert library.call({"a": None}, library.get, "a", 7) is None
    assert library.defaultContextDict == {"a": 1}


@BOTH
def test_a_new_thread_starts_with_nothing(library: Any) -> None:
    """A plain new thread does not see the values of the call that started it."""
    seen: list[Any] = []

    def start() -> None:
        # The context is given: from 3.14 on a thread may inherit its starter's.
        empty = contextvars.Context()
        thread = threading.Thread(target=lambda: seen.append(empty.run(library.get, "a")))
        thread.start()
        thread.join()

    library.call({"a": 1}, start)
    assert seen == [None]


@BOTH
def test_values_are_not_copied(library: Any) -> None:
    """What is added to the dictionary during the call is found."""
    values: dict[str, int] = {}

    def add() -> Any:
        values["a"] = 1
        return library.get("a")

    assert library.call(values, add) == 1


@BOTH
def test_another_tracker_can_be_installed(library: Any) -> None:
    """installContextTracker puts another tracker behind call and get."""
    tracker = library.ContextTracker()
    library.installContextTracker(tracker)
    assert library.theContextTracker is tracker
    assert library.call({"a": 1}, tracker.getContext, "a") == 1


@BOTH
@TRACKERS
def test_trackers_are_separate(library: Any, name: str) -> None:
    """Each tracker has its own values; the defaults are common."""
    library.setDefault("d", 1)
    one, other = getattr(library, name)(), getattr(library, name)()

    def ask() -> Any:
        return [t.getContext(key, 0) for t in (one, other) for key in ("a", "d")]

    assert one.callWithContext({"a": 5}, ask) == [5, 1, 0, 1]
    assert one.callWithContext({"a": 5}, one.callWithContext, {"a": 6}, ask) == [6, 1, 0, 1]
    assert ask() == [0, 1, 0, 1]


@BOTH
def test_current_context_shows_the_stack(library: Any) -> None:
    """currentContext().contexts lists what the calls have set, outermost first."""
    tracker = library.ThreadedContextTracker()

    def ask() -> list[Any]:
        return list(tracker.currentContext().contexts)

    stack = tracker.callWithContext({"a": 1}, tracker.callWithContext, {"b": 2}, ask)
    assert stack == [{}, {"a": 1}, {"b": 2}]
    assert tracker.currentContext().getContext("a") is None


def test_values_travel_with_contexts() -> None:
    """A copied context, wherever it runs, has the values of the call in which it was copied."""
    copied = context.call({"a": 1}, contextvars.copy_context)
    seen: list[Any] = []
    thread = threading.Thread(target=lambda: seen.append(copied.run(context.get, "a")))
    thread.start()
    thread.join()
    assert seen == [1]
    assert context.get("a") is None


def test_asyncio_tasks_have_their_own() -> None:
    """A task keeps the values of the call that made it; tasks do not see each other's."""

    async def ask(gate: asyncio.Event) -> Any:
        await gate.wait()
        return context.get("a")

    async def main() -> list[Any]:
        gate = asyncio.Event()
        tasks = [context.call({"a": n}, asyncio.ensure_future, ask(gate)) for n in range(3)]
        gate.set()
        return await asyncio.gather(*tasks)

    assert asyncio.run(main()) == [0, 1, 2]


keys = st.sampled_from("abc")
layers = st.lists(st.dictionaries(keys, st.integers(0, 3), max_size=3), max_size=5)


@given(layers=layers, default=st.dictionaries(keys, st.integers(4, 6)), asked=keys)
def test_lookup_is_twisteds(
    layers: list[dict[str, int]], default: dict[str, int], asked: str
) -> None:
    """However calls nest, a key has the value that it has with Twisted."""

    def play(library: Any) -> list[Any]:
        library.defaultContextDict.clear()
        for key, value in default.items():
            library.setDefault(key, value)
        seen: list[Any] = []

        def nest(level: int) -> None:
            if level < len(layers):
                library.call(layers[level], nest, level + 1)
            seen.append(library.get(asked, 9))

        nest(0)
        return seen

    assert play(context) == play(twisted)
