"""python.threadable: whose thread this is, and synchronized methods."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from twistlike._base import threadable

twisted: Any = pytest.importorskip("twisted.python.threadable")

BOTH = pytest.mark.parametrize("library", [threadable, twisted], ids=["twistlike", "twisted"])


@pytest.fixture(autouse=True)
def _sameThreadAfterwards() -> Iterator[None]:
    """Put back which thread is the reactor's."""
    libraries: list[Any] = [threadable, twisted]
    before = [(library, library.ioThread) for library in libraries]
    yield
    for library, ident in before:
        library.ioThread = ident
    vars(threadable._here).clear()


def inThread(function: Callable[[], Any]) -> Any:
    """Return what a function returns in a thread of its own."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    thread.join()
    return results[0]


@BOTH
def test_only_the_registered_thread_is_the_reactors(library: Any) -> None:
    """isInIOThread is true in the thread that registered, once it has."""
    library.ioThread = None
    assert not library.isInIOThread()
    library.registerAsIOThread()
    assert library.isInIOThread()
    assert library.ioThread == library.getThreadID() == threading.get_ident()
    assert not inThread(library.isInIOThread)
    library.ioThread = None
    assert not library.isInIOThread()
    library.ioThread = threading.get_ident()
    assert library.isInIOThread()
    library.ioThread = -1
    assert not library.isInIOThread()


def test_several_threads_may_be_reactors() -> None:
    """A thread that registers does not take it from one that had. (Twisted knows one.)"""

    def other() -> bool:
        threadable.registerAsIOThread()
        return threadable.isInIOThread()

    threadable.registerAsIOThread()
    assert inThread(other)
    assert threadable.isInIOThread()
    assert not inThread(threadable.isInIOThread)


@BOTH
def test_threads_are_always_there(library: Any) -> None:
    """init() does nothing, and refuses to do without threads."""
    assert library.threaded
    library.init()
    library.init(1)
    with pytest.raises(RuntimeError, match="Cannot uninitialize threads"):
        library.init(False)


def makeClass(library: Any) -> Any:
    """Return a class with two synchronized methods, of which one calls the other."""

    class Meter:
        synchronized = ["add", "addTwice"]

        def __init__(self) -> None:
            self.inside = 0
            self.most = 0
            self.total = 0

        def add(self, gate: threading.Event) -> int:
            """Add one."""
            self.inside += 1
            self.most = max(self.most, self.inside)
            gate.wait(0.001)
            self.total += 1
            self.inside -= 1
            return self.total

        def addTwice(self, gate: threading.Event) -> int:
            self.add(gate)
            return self.add(gate)

        def plain(self) -> bool:
            return hasattr(self, "_threadable_lock")

    library.synchronize(Meter)
    return Meter


@BOTH
def test_one_thread_at_a_time(library: Any) -> None:
    """Of an instance's synchronized methods only one runs at a time; they may call each other."""
    meter = makeClass(library)()
    gate = threading.Event()
    start = threading.Barrier(4)

    def work() -> None:
        start.wait(10)
        for _ in range(5):
            meter.addTwice(gate)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (meter.most, meter.total) == (1, 40)


@BOTH
def test_synchronized_methods_keep_their_names(library: Any) -> None:
    """Name, docstring and result stay; an instance has a lock only from its first call on."""
    Meter = makeClass(library)
    meter = Meter()
    gate = threading.Event()
    gate.set()
    assert (Meter.add.__name__, Meter.add.__doc__) == ("add", "Add one.")
    assert not meter.plain()
    assert meter.addTwice(gate) == 2
    assert meter.plain()


@BOTH
def test_the_lock_goes_when_a_method_fails(library: Any) -> None:
    """An error comes out of a synchronized method, and the next thread gets in."""

    class Failing:
        synchronized = ["fail"]

        def fail(self) -> None:
            raise ValueError("x")

    library.synchronize(Failing)
    instance = Failing()
    for _ in range(2):
        with pytest.raises(ValueError, match="x"):
            instance.fail()

    def failAgain() -> str:
        try:
            instance.fail()
        except ValueError as error:
            return str(error)
        return ""

    assert inThread(failAgain) == "x"


@BOTH
def test_synchronize_needs_the_methods(library: Any) -> None:
    """A name in ``synchronized`` that is no method of the class itself is an error at once."""

    class Wrong:
        synchronized = ["nothing"]

    with pytest.raises(KeyError, match="nothing"):
        library.synchronize(Wrong)


@BOTH
def test_a_lock_is_taken_again_by_its_owner(library: Any) -> None:
    """An XLock is held until its owner has released it as often as taken; others wait."""
    lock = library.XLock()
    assert lock.acquire()
    with lock:
        pass
    assert not inThread(lambda: lock.acquire(False))
    lock.release()
    assert inThread(lambda: lock.acquire(False))


@BOTH
def test_a_pickled_lock_is_free(library: Any) -> None:
    """A lock survives pickling; what comes back is a new, free lock."""
    lock = library.XLock()
    lock.acquire()
    again = pickle.loads(pickle.dumps(lock))
    assert type(again) is library.XLock
    assert inThread(lambda: again.acquire(False))


def test_a_lock_shows_its_state() -> None:
    """The repr of an XLock says whether it is held."""
    lock = threadable.XLock()
    assert "unlocked" in repr(lock)
    with lock:
        assert "<locked" in repr(lock)
