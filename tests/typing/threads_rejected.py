"""Wrong lines, each of which type checkers have to find. Read by them, never run."""

from __future__ import annotations

from twistlike.internet import reactor, threads
from twistlike.internet.defer import Deferred
from twistlike.python.threadpool import ThreadPool


def work(x: int) -> str:
    return str(x)


async def later(x: int) -> str:
    return str(x)


async def inTheLoop() -> None:
    await threads.deferToThread(later, 1)  # wrong
    threads.deferToThread(later, 1).addErrback(print)  # wrong
    await threads.deferToThreadPool(reactor, ThreadPool(), later, 1)  # wrong
    await threads.deferToThread(work, "1")  # wrong
    await threads.deferToThread(work)  # wrong
    job: Deferred[int] = threads.deferToThread(work, 1)  # wrong
    print(job)


def inAThread() -> None:
    threads.blockingCallFromThread(work, 1)  # wrong
    threads.blockingCallFromThread(reactor, work, "1")  # wrong
    threads.blockingCallFromThread(reactor, threads.deferToThread, work, "1")  # wrong
    threads.blockingCallFromThread(reactor, threads.deferToThread)  # wrong
