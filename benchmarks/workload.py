"""What a benchmark is made of: the work, and how each peer does it.

A variant is a function that does the work once, for ``bench.size`` items, and returns a result that
is the same for every peer. What lies within ``with bench.timed():`` is what counts; threads and
executors are made, and results are collected, outside of it.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["WORKERS", "Bench", "Kit", "Variant", "Workload", "same"]

WORKERS = 10
"""How many threads a pool may have, for every peer: what Twisted's reactor has by default."""

F = TypeVar("F", bound="Callable[[Bench], Any]")


class Kit:
    """Modules of Twisted, or of twistlike: the same names, so that one text serves for both.

    Args:
        package: ``"twisted"`` or ``"twistlike"``.
    """

    def __init__(self, package: str) -> None:
        self.package = package

    def __getattr__(self, name: str) -> Any:
        from importlib import import_module

        if name == "reactor":  # an attribute of a package, and not always a module
            module: Any = import_module(f"{self.package}.internet.reactor")
        else:
            where = "python" if name in ("failure", "threadpool") else "internet"
            module = import_module(f"{self.package}.{where}.{name}")
        setattr(self, name, module)
        return module


class Bench:
    """What a variant is given: how much to do, what with, and the watch.

    Args:
        size: How many items.
        kit: For Twisted-like peers: which of the two.
    """

    def __init__(self, size: int, kit: Kit | None = None) -> None:
        self.size = size
        self._kit = kit
        self.seconds = 0.0
        self.cpuSeconds = 0.0

    @property
    def kit(self) -> Kit:
        """Twisted's modules, or ours."""
        assert self._kit is not None, "this peer has no Twisted-like modules"
        return self._kit

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Measure the wall and the CPU time (of all threads) of the block. Thread: any."""
        cpu = time.process_time()
        wall = time.perf_counter()
        yield
        self.seconds += time.perf_counter() - wall
        self.cpuSeconds += time.process_time() - cpu

    def record(self, amount: float) -> None:
        """Note what was measured, where it is not the time of a block: bytes, say."""
        self.seconds = self.cpuSeconds = amount


@dataclass(frozen=True)
class Variant:
    """How one peer does the work."""

    host: str
    way: str
    function: Callable[[Bench], Any]
    against: str

    @property
    def name(self) -> str:
        """The peer, and which way if it has several."""
        return f"{self.host} {self.way}" if self.way else self.host

    @property
    def needsLoop(self) -> bool:
        """Whether it runs in the peer's loop: then it is a coroutine function."""
        return iscoroutinefunction(self.function)


@dataclass
class Workload:
    """One piece of work.

    Args:
        name: What ``--only`` takes.
        title: What is done, in the words of a table.
        size: How many items in a measured run.
        expect: What every variant returns, for a size.
        per: How many operations there are for an item.
        unit: What one operation is.
        measure: ``"second"`` or ``"byte"``.
        hops: Whether threads wake each other: then it is also measured with no CPU pinned.
        headline: Whether it is in a quick run, which has less than a minute.
        growth: The size of which 10 and 100 times are tried as well; 0 where that makes no sense.
        goals: Peer: how many times our cost its own is to be at least. Below 1 ours may be dearer.
        limit: How much ours may cost at most.
        ours: Our peer, with which the others are compared; those on uvloop with ours on uvloop.
            Empty if twistlike has no part in it.
        repeats: How many measured runs in a process.
    """

    name: str
    title: str
    size: int
    expect: Callable[[int], object]
    per: int = 1
    unit: str = "call"
    measure: str = "second"
    hops: bool = False
    headline: bool = False
    growth: int = 0
    goals: Mapping[str, float] = field(default_factory=dict)
    limit: float | None = None
    ours: str = "twistlike"
    repeats: int = 5
    variants: list[Variant] = field(default_factory=list)

    def variant(self, *hosts: str, way: str = "") -> Callable[[F], F]:
        """Decorate what the hosts do for this work."""

        def add(function: F) -> F:
            for host in hosts:
                against = "twistlike-uvloop" if self.ours and "uvloop" in host else self.ours
                self.variants.append(Variant(host, way, function, against))
            return function

        return add

    def named(self, name: str) -> Variant:
        """Return the variant of that name."""
        return next(variant for variant in self.variants if variant.name == name)


def same(value: object) -> Callable[[int], object]:
    """Return an ``expect`` for results that do not depend on the size."""
    return lambda size: value
