"""What type checkers make of work in threads. Read by them, never run."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, assert_type

from twistlike.internet import reactor, threads
from twistlike.internet.defer import Deferred, maybeDeferred, succeed
from twistlike.python.threadpool import ThreadPool


def work(x: int, y: str = "") -> str:
    return y * x


async def later(x: int) -> str:
    return str(x)


def fires(x: int) -> Deferred[int]:
    return succeed(x)


def opaque() -> Any:
    return json.loads("1")


async def inTheLoop() -> None:
    assert_type(threads.deferToThread(work, 1, y="2"), Deferred[str])
    assert_type(await threads.deferToThread(work, 1), str)
    assert_type(threads.deferToThread(int, "1"), Deferred[int])
    assert_type(threads.deferToThread(partial(work, 1)), Deferred[str])
    assert_type(threads.deferToThread(lambda: 1), Deferred[int])
    assert_type(await threads.deferToThread(opaque), Any)
    assert_type(await threads.deferToThread(json.loads, "1"), Any)
    assert_type(threads.deferToThreadPool(reactor, ThreadPool(), work, 1), Deferred[str])
    assert_type(threads.deferToThreadPool(reactor, ThreadPoolExecutor(), work, 1), Deferred[str])


def inAThread() -> None:
    assert_type(threads.blockingCallFromThread(reactor, work, 1), str)
    assert_type(threads.blockingCallFromThread(reactor, later, 1), str)
    assert_type(threads.blockingCallFromThread(reactor, fires, 1), int)
    assert_type(threads.blockingCallFromThread(reactor, succeed, 1), int)
    assert_type(threads.blockingCallFromThread(reactor, asyncio.sleep, 1, "x"), str)
    assert_type(threads.blockingCallWithTimeout(0.5, reactor, later, 1), str)
    # mypy makes Any of these two.
    found: str = threads.blockingCallFromThread(reactor, threads.deferToThread, work, 1, y="2")
    found = threads.blockingCallFromThread(reactor, maybeDeferred, work, 1)
    found = threads.blockingCallWithTimeout(1, reactor, threads.deferToThread, work, 1)
    print(found)
