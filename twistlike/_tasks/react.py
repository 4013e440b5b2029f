"""A program that is one function: run the reactor for as long as it takes. Thread: the main one."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from twistlike._base.error import ReactorAlreadyRunning, ReactorNotRunning
from twistlike._base.failure import Failure
from twistlike._base.naming import showAs
from twistlike._defer.coroutines import fromAwaitable
from twistlike._defer.debug import isCancelOfAsyncio
from twistlike._defer.deferred import Deferred
from twistlike._defer.errors import NotACoroutineError
from twistlike._eventloop import current
from twistlike._log.report import report
from twistlike._reactor.current import defaultReactor
from twistlike._reactor.reactor import Reactor

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from typing import NoReturn

    from twistlike._base.interfaces import IReactorCore

__all__ = ["react"]


class _Program:
    """What `react` runs: the result of its main function, and the exit code that comes of it."""

    def __init__(self, reactor: IReactorCore, main: object, result: object) -> None:
        self.code: Any = 0
        self._reactor = reactor
        self._main = main
        self._result: object = result
        self._stopping = False

    def begin(self) -> None:
        """Wait for the result. A coroutine starts here, where there is a loop that runs."""
        result, self._result = self._result, None
        deferred = fromAwaitable(result)
        if deferred is not None:
            deferred.addCallbacks(self._ended, self._failed)

    def noteStop(self) -> None:
        """Note that the reactor stops: for a signal, or because somebody has stopped it."""
        self._stopping = True

    def close(self) -> None:
        """Forget a result that was never waited for: the reactor did not run.

        A coroutine is closed, so that nothing warns of it.
        """
        close = getattr(self._result, "close", None)
        self._result = None
        if close is not None:
            close()

    def _ended(self, _: object) -> None:
        if self._stopping:
            return
        try:
            self._reactor.stop()
        except ReactorNotRunning:
            pass  # it has crashed

    def _failed(self, failure: Failure) -> None:
        if self._stopping and isCancelOfAsyncio(failure.value):
            return  # the reactor's end has cancelled a task that main waits for
        if issubclass(type(failure.value), SystemExit):
            self.code = failure.value.code
        else:
            self.code = 1
            report(failure, "main function encountered error", source=self._main)
        self._ended(None)


def react(
    main: Callable[..., Deferred[Any] | Awaitable[Any]],
    argv: Iterable[object] = (),
    _reactor: IReactorCore | None = None,
) -> NoReturn:
    """Run the reactor until what `main` returns has its result; then end the program.

    Args:
        main: Called with the reactor and `argv`, before the reactor runs. It returns a Deferred,
            a coroutine or anything else that can be awaited. A coroutine takes its first step when
            the reactor runs, so that it can use asyncio from its first line on.
        argv: The arguments after the reactor.
        _reactor: The reactor to run, if not the default one.

    Raises:
        SystemExit: Always, at the end. The code is 0; 1 if `main` failed, which is reported; that
            of the `SystemExit` with which it failed. When the reactor is stopped before, also by
            a signal, it is 0.
        NotACoroutineError: If `main` returns something else.
        ReactorAlreadyRunning: If an event loop runs in this thread. `main` is not called then: its
            end would stop the reactor of whoever runs that loop.
        TypeError: If `main` cannot be called, such as a coroutine in the place of its function.
        Exception: What `main` raises when it is called.

    Differs from Twisted: there a coroutine takes its first step before the reactor runs.
    """
    reactor = defaultReactor() if _reactor is None else _reactor
    _refuse(main, reactor)
    result = main(reactor, *argv)
    if not hasattr(type(result), "__await__"):
        raise NotACoroutineError(
            f"react needs a main function that returns a Deferred or is a coroutine; "
            f"{main!r} returned {result!r}"
        )
    program = _Program(reactor, main, result)
    reactor.addSystemEventTrigger("before", "shutdown", program.noteStop)
    reactor.callWhenRunning(program.begin)
    try:
        reactor.run()
    finally:
        program.close()
    sys.exit(program.code)


def _refuse(main: object, reactor: IReactorCore) -> None:
    """Refuse what cannot be run, before anything of it has begun."""
    if not callable(main):
        close = getattr(main, "close", None) if hasattr(type(main), "__await__") else None
        if close is not None:
            close()  # a coroutine, of which nothing has to warn any more
        raise TypeError(
            f"react takes the main function itself, not {main!r}: write react(main), without "
            "calling it; react calls it with the reactor"
        )
    if isinstance(reactor, Reactor) and current.runningLoop() is not None:
        raise ReactorAlreadyRunning(
            "react() was called while an event loop runs in this thread; there, await the main "
            "function: await main(reactor)"
        )


showAs("twistlike.internet.task", globals(), __all__)
