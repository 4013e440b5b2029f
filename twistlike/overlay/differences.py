"""What differs from Twisted in what we have, name by name.

Each text is quoted from `docs/differences.md`, and a test holds the two together: it also demands
that each point of that document is here. Names are below `twisted`.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

__all__ = ["DIFFERENCES", "Difference", "differenceOf"]


class Difference(NamedTuple):
    """A text, and the names it holds for, separated by spaces."""

    names: str
    text: str


DIFFERENCES = [
    # The reactor.
    Difference(
        "internet.reactor.run internet.reactor.startRunning internet.error.ReactorNotRestartable",
        "It can be run again, and attached to a running loop, any number of times. "
        "`ReactorNotRestartable` is never raised.",
    ),
    Difference(
        "internet.reactor.run internet.reactor.startRunning internet.reactor.iterate",
        "In a running loop `run()` raises `ReactorAlreadyRunning` before it touches that loop.",
    ),
    Difference(
        "internet.reactor.callLater internet.reactor.stop internet.reactor.resolve "
        "internet.reactor.callWhenRunning internet.reactor.crash "
        "internet.reactor.addSystemEventTrigger internet.reactor.removeSystemEventTrigger "
        "internet.reactor.fireSystemEvent",
        "What belongs to the loop's thread (`callLater`, `stop`, system events, `resolve`) "
        "raises `WrongThreadError` elsewhere.",
    ),
    Difference(
        "internet.reactor.callFromThread internet.reactor.callInThread "
        "internet.threads.deferToThread internet.threads.blockingCallFromThread",
        "After the end, `callFromThread`, `callInThread`, `deferToThread` and "
        "`blockingCallFromThread` raise `ReactorNotRunning`;",
    ),
    Difference(
        "internet.reactor.stop",
        "`stop()` still delivers calls that threads have posted and results of jobs that run. "
        "It waits for threads no longer than `reactor.shutdownTimeout` (5 s);",
    ),
    Difference(
        "internet.reactor.run",
        "On a loop of its own, `run()` ends asyncio's tasks and asynchronous generators as "
        "`asyncio.run` does:",
    ),
    Difference(
        "internet.reactor.run",
        "A second Ctrl-C, a quarter of a second or more after the first, ends all waiting.",
    ),
    Difference(
        "internet.reactor.startRunning",
        "`startRunning()` leaves the startup event to the loop's first turn;",
    ),
    Difference(
        "internet.reactor.addSystemEventTrigger",
        'An error of a trigger "before" an event, or of what it returned, is reported at once;',
    ),
    Difference(
        "internet.reactor.callLater internet.task.deferLater",
        "A delay that is negative, NaN or no number is a `ValueError` or `TypeError`, not an "
        "`AssertionError`.",
    ),
    Difference(
        "internet.reactor.resolve",
        "Host names are looked up in threads of their own, not in the users' pool.",
    ),
    Difference(
        "internet.reactor.callLater internet.base.DelayedCall",
        "Cancelling or moving a timer in another thread than the loop's raises `WrongThreadError`.",
    ),
    Difference(
        "internet.reactor.run internet.asyncioreactor.install",
        '`run()` called by an "after shutdown" trigger raises `ReactorAlreadyRunning`; importing '
        "the reactor does not count as installing one.",
    ),
    Difference(
        "internet.reactor.callFromThread internet.reactor.callLater "
        "internet.reactor.callWhenRunning internet.reactor.addSystemEventTrigger",
        "A coroutine function given to `callFromThread`, `callLater`, `callWhenRunning` or a "
        "trigger is run;",
    ),
    Difference(
        "internet.reactor.addReader internet.reactor.addWriter internet.reactor.removeReader "
        "internet.reactor.removeWriter internet.reactor.removeAll",
        "`addReader` and its kin need a loop that can watch descriptors; Windows' Proactor loop"
        " cannot.",
    ),
    # Threads.
    Difference(
        "internet.threads.deferToThread internet.threads.deferToThreadPool",
        "A coroutine function given to `deferToThread` and its kin is a `TypeError` that says "
        "what to write;",
    ),
    Difference(
        "internet.threads.deferToThread internet.threads.deferToThreadPool "
        "internet.reactor.callInThread internet.reactor.callFromThread "
        "python.threadpool.ThreadPool.callInThread",
        "Context variables travel into a job and into a call from a thread; what they set there"
        " does not leak out.",
    ),
    Difference(
        "internet.threads.deferToThread internet.threads.deferToThreadPool",
        "Cancelling the Deferred of a queued job means that it never runs.",
    ),
    Difference(
        "internet.threads.blockingCallFromThread",
        "`blockingCallFromThread` raises in the reactor's own thread, and when the reactor ends.",
    ),
    Difference(
        "python.threadpool.ThreadPool",
        "A stopped pool raises `PoolStoppedError`; Twisted drops the job.",
    ),
    Difference(
        "internet.threads.blockingCallFromThread",
        "A worker that waits in `blockingCallFromThread` for longer than some 10 ms while jobs "
        "are queued is made up for by a spare one,",
    ),
    # Deferreds and Failures.
    Difference(
        "internet.defer.Deferred",
        "`await` works in asyncio's tasks; several coroutines or tasks that wait for one "
        "Deferred all get its outcome. In Twisted the second gets None.",
    ),
    Difference(
        "internet.defer.Deferred.fromFuture internet.defer.CancelledError",
        "A future that was cancelled fails its Deferred with `defer.CancelledError`, which is "
        "not reported if nobody handles it:",
    ),
    Difference(
        "internet.defer.Deferred.asFuture",
        "`asFuture` of a Deferred that was cancelled is a cancelled future; in Twisted it fails"
        " with `CancelledError`.",
    ),
    Difference(
        "internet.defer.Deferred.callback internet.defer.Deferred.errback internet.defer.Deferred",
        "A Deferred that something on a loop waits for raises `WrongThreadError` when it is "
        "fired in another thread.",
    ),
    Difference(
        "internet.defer.maybeDeferred internet.defer.inlineCallbacks",
        "`maybeDeferred`, and `yield` in `inlineCallbacks`, take anything that can be awaited.",
    ),
    Difference(
        "internet.defer.inlineCallbacks internet.defer.ensureDeferred "
        "internet.defer.Deferred.fromCoroutine",
        "Cancelling a paused coroutine acts at once.",
    ),
    Difference(
        "python.failure.Failure.printTraceback python.failure.Failure.printDetailedTraceback "
        "python.failure.Failure.printBriefTraceback",
        "`Failure.printTraceback()` without a file goes to the logger `twistlike`.",
    ),
    # Tasks and clocks.
    Difference(
        "internet.task.LoopingCall",
        "A `LoopingCall` without a clock takes the reactor of the running loop when it starts.",
    ),
    Difference(
        "internet.task.Clock internet.task.Clock.callLater",
        "`Clock.callLater` refuses what the reactor refuses. Calls of equal times run in the "
        "order of their `callLater`.",
    ),
    Difference(
        "internet.task.Cooperator internet.task.Cooperator.stop internet.task.cooperate",
        "`Cooperator.stop` ends all tasks. `resume` of a task that waits raises `NotPaused`.",
    ),
    Difference(
        "internet.task.react",
        "`react` takes a coroutine's first step once the reactor runs, so that asyncio works "
        "from its first line.",
    ),
    # Logs, contexts, interfaces.
    Difference(
        "python.log.startLogging python.log.err python.log.msg logger.globalLogBeginner "
        "logger.globalLogPublisher",
        "What nobody has claimed ends in the standard `logging`, and errors in the loop's "
        "exception handler where there is a loop. `beginLoggingTo` does not replay what came "
        "before.",
    ),
    Difference(
        "python.log.PythonLoggingObserver",
        "`PythonLoggingObserver` passes `exc_info` on.",
    ),
    Difference(
        "python.context python.context.call python.context.get",
        "`python.context` follows context variables: into threads, timers and tasks.",
    ),
    Difference(
        "internet.interfaces",
        "Interfaces are typing Protocols. zope's `implementer` and `provider` accept them and "
        "declare nothing; an object provides an interface by having its methods.",
    ),
]
"""What differs, in the order of the document."""


@cache
def _byName() -> dict[str, str]:
    texts: dict[str, list[str]] = {}
    for names, text in DIFFERENCES:
        for name in names.split():
            texts.setdefault(name, []).append(text.rstrip(";:,").removesuffix(".") + ".")
    return {name: " ".join(each) for name, each in texts.items()}


def differenceOf(short: str) -> str:
    """Return how a name differs from Twisted's, or nothing.

    Args:
        short: The name below `twisted`.
    """
    if short.startswith("internet.interfaces."):
        short = "internet.interfaces"  # what differs in one differs in all
    return _byName().get(short, "")
