"""What users hold and print: it shows public names, or those of the standard library."""

from __future__ import annotations

import asyncio
import concurrent.futures
import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

from twistlike.internet import defer, protocol, task, threads
from twistlike.internet.asyncioreactor import Reactor

STANDARD = {"Future"}


def publicNames() -> set[str]:
    """All names of the face."""
    names = set(STANDARD)
    for folder in ("internet", "python", "protocols"):
        package = import_module(f"twistlike.{folder}")
        for module in pkgutil.iter_modules(package.__path__):
            if module.name != "reactor":
                names.update(import_module(f"{package.__name__}.{module.name}").__all__)
    return names


async def _nap() -> None:
    await asyncio.sleep(0)


def objectsOf(reactor: Reactor, executor: concurrent.futures.Executor) -> Iterator[Any]:
    """Make one of each kind that a program is given; all of them end by themselves."""
    pool = reactor.getThreadPool()
    yield from (reactor, pool, pool.submit(int), pool.compensated(), reactor.resolver)
    yield threads.deferToThreadPool(reactor, pool, int)
    yield threads.deferToThreadPool(reactor, executor, int)
    yield threads.runInReactor(int)()
    queue: threads.ThreadsafeQueue[int] = threads.ThreadsafeQueue(1)
    yield from (queue, queue.get(), queue.put(1), queue.put(2), queue.put(3))
    lines = threads.iterateInThread(["one"])
    yield from (lines, lines.next())
    yield from (defer.ensureDeferred(_nap()), defer.Deferred.fromCoroutine(_nap()))
    yield defer.Deferred.fromFuture(asyncio.get_running_loop().create_future())
    parts = [defer.succeed(1), defer.succeed(2)]
    yield from (defer.DeferredList(parts), defer.gatherResults(parts), defer.race(parts))
    yield from (defer.DeferredLock(), defer.DeferredQueue(), defer.DeferredSemaphore(1))
    yield from (task.LoopingCall(int), task.Clock(), task.deferLater(reactor, 0, int))
    yield from (task.cooperate(iter([])), task.Cooperator(), reactor.callLater(0, int))
    yield from (reactor.resolve("127.0.0.1"), reactor.resolve("localhost"))
    port = reactor.listenTCP(0, protocol.ServerFactory())
    yield from (port, port.getHost(), port.stopListening())


@pytest.mark.asyncio
async def test_what_programs_are_given_shows_no_inner_class() -> None:
    """The first word of each `repr` is a public class's name, or describes it."""
    names = publicNames()
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        async with Reactor() as reactor:
            for each in objectsOf(reactor, executor):
                shown = repr(each)
                word = re.match(r"<?([\w.]+)", shown)
                assert word, shown
                name = word[1].rpartition(".")[2]
                assert name in names or name.islower(), shown  # or it is a description
                assert "twistlike._" not in shown
                if isinstance(each, defer.Deferred):
                    each.addErrback(lambda failure: None)
                if isinstance(each, concurrent.futures.Future):
                    concurrent.futures.wait([each], 0)
