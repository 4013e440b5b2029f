"""Calls from any thread into the loop's: the one door through which work comes back.

``post`` may be called in any thread, in a signal handler and in ``__del__``; everything else is for
the loop's thread.

How it works
------------
``post`` appends to a deque and asks the loop for a wakeup only if none is pending. The loop's side
clears "pending" and then takes as many calls as are there at that moment. Of the two orders in
which ``post`` and the loop can meet:

* the call is appended before the loop looks: it is in the batch;
* it is appended after that: ``post`` looks at "pending" later still, finds it clear and asks again.

So no call is left behind, and there is no lock that a signal handler could find held by the very
frame that it interrupted.

Guarantees: calls run in the order in which they were appended; each runs in the context in which it
was posted; one that raises is reported and the rest of its batch runs; a call either runs or its
poster gets ``ReactorNotRunning``, also while the loop is being closed.
"""

from __future__ import annotations

from collections import deque
from contextvars import Context, copy_context
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any

from twistlike.internet.error import ReactorNotRunning

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Mapping

    Call = tuple[Context | None, Callable[..., object], tuple[object, ...], Mapping[str, object]]

__all__ = ["Inbox"]

# A wakeup that is pending for longer than this, in seconds, is taken to be lost below us (the
# loop's self-pipe refused the write, see cpython#156054) and is asked for again. Ten times what a
# batch takes, so that a busy loop is not asked twice.
LOST_AFTER = 0.1

# How long one batch may run, in seconds, before the loop's timers and sockets get their turn.
BATCH = 0.01

# How many calls there are between two looks at the clock, which costs as much as a short call: in a
# batch, and for callers while a wakeup is pending.
CALLS_A_LOOK = 16


class Same:
    """Equal to one call, by identity: the arguments of two calls are never compared."""

    __slots__ = ("call",)

    def __init__(self, call: Call) -> None:
        self.call = call

    def __eq__(self, other: object) -> bool:
        return other is self.call

    __hash__ = None  # type: ignore[assignment]


class Closed(deque[Any]):
    """Takes the place of the queue when the inbox is closed, and refuses what is appended.

    A closed inbox whose queue took calls, to give them back, would never come to its end while
    threads keep calling: they append as fast as it can be emptied.
    """

    def append(self, call: Call) -> None:
        """Raise ``ReactorNotRunning``. Thread: any."""
        raise ReactorNotRunning(
            f"the reactor has ended, so {call[1]!r} cannot be called in its thread; "
            "the reactor can be run, or attached to a loop, again"
        )


CLOSED = Closed()


class Inbox:
    """The calls that threads have made into one loop.

    Args:
        onError: Called in the loop's thread with an exception that a call raised, and the function
            that was called. If it returns an exception, that is raised when the batch has ended.
    """

    def __init__(
        self,
        onError: Callable[[BaseException, Callable[..., object]], BaseException | None],
    ) -> None:
        self._onError = onError
        self._calls: deque[Call] = deque()
        self._loop: AbstractEventLoop | None = None
        self._closed = False
        self._pending = False
        self._askedAt = 0.0
        self._ownContext = Context()

    def __len__(self) -> int:
        return len(self._calls)

    def post(
        self,
        function: Callable[..., object],
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
        context: Context | None = None,
    ) -> None:
        """Have ``function(*args, **kwargs)`` called in the loop's thread.

        Args:
            function: What to call.
            args: Its positional arguments.
            kwargs: Its keyword arguments.
            context: The context to run it in. By default a copy of the caller's.

        Raises:
            ReactorNotRunning: If the inbox or the loop is closed; the call will not run.

        Thread: any.
        """
        if context is None:
            context = copy_context()
            if not context:
                # Most threads have an empty context. One that is kept with each of 100,000 calls
                # costs 20 % of a flood; the batch makes an empty one as cheaply.
                context = None
        calls = self._calls
        call = (context, function, args, kwargs)
        calls.append(call)
        # Race: the closer sets "closed", takes the queue away and drains it once more; we may have
        # it in our hands still. We append first and look second, so either the closer's drain sees
        # our call or we see "closed"; the other way round a call could slip in between and be lost.
        if self._closed:
            self._takeBack(calls, call)
        # Race: the loop clears "pending" before it takes the first call. We append before we look
        # at it; see "How it works".
        elif self._pending:
            waiting = len(calls)
            if waiting > CALLS_A_LOOK and waiting % CALLS_A_LOOK:
                return
            if monotonic() - self._askedAt >= LOST_AFTER:
                self._wake(calls, call)
        else:
            self._wake(calls, call)

    def open(self, loop: AbstractEventLoop | None) -> None:
        """Take calls, for ``loop`` if there is one by now. Calls that wait already are kept.

        Thread: the loop's; with ``None`` any.
        """
        self._loop = loop
        if self._calls is CLOSED:
            self._calls = deque()
        self._closed = False
        self._pending = False
        if loop is not None and self._calls:
            self._ask(loop)

    def close(self) -> None:
        """Refuse further calls, and run those that are there. Does nothing the second time."""
        self._closed = True
        self._loop = None
        calls, self._calls = self._calls, CLOSED
        # Race: see post(). What is still appended to the queue that we have taken is taken back by
        # its poster, or is run here; popleft() and the poster's remove() cannot both get it.
        self._runAll(calls)

    def _runAll(self, calls: deque[Call]) -> None:
        try:
            self._runFor(inf, calls)
        finally:
            if calls:  # an exit has come out of a call, or between two, or a poster was late
                self._runAll(calls)

    def drain(self) -> None:
        """Run the calls that are there, for at most about ``BATCH`` seconds."""
        self._pending = False  # before the first call is taken: see "How it works"
        self._runFor(BATCH, self._calls)

    def drainEarly(self) -> None:
        """Run the calls that are there, if there are any, without waiting for the wakeup."""
        if self._calls:
            self.drain()

    def _takeBack(self, calls: deque[Call], call: Call) -> None:
        """Take one's own call back from a closed inbox and raise; if it has gone, it has run."""
        while True:
            try:
                calls.remove(Same(call))  # type: ignore[arg-type]
            except ValueError:
                return
            except IndexError:
                continue  # another thread changed the deque while it was searched
            CLOSED.append(call)  # raises

    def _wake(self, calls: deque[Call], call: Call) -> None:
        """Ask the loop to drain, for the sake of ``call``. In any thread."""
        loop = self._loop
        if loop is None:
            return  # not started: open() asks for the wakeup
        try:
            self._ask(loop)
        except RuntimeError:
            if not loop.is_closed():
                raise
            self._closed = True
            self._takeBack(calls, call)

    def _ask(self, loop: AbstractEventLoop) -> None:
        """Ask the loop to drain. In any thread."""
        # Set before the asking: the loop may drain, and clear it, before the call returns.
        self._askedAt = monotonic()
        self._pending = True
        loop.call_soon_threadsafe(self.drain, context=self._ownContext)

    def _runFor(self, seconds: float, calls: deque[Call]) -> None:
        """Run what is there now; what comes in the meantime is left to the next turn."""
        popleft = calls.popleft
        end = monotonic() + seconds
        empty = Context()
        fatal: BaseException | None = None
        try:
            for number in range(len(calls)):
                if not number % CALLS_A_LOOK and monotonic() > end:
                    break
                try:
                    context, function, args, kwargs = popleft()
                except IndexError:
                    break  # a poster took its call back
                if context is None:
                    if empty:
                        empty = Context()  # the last call that ran in it has set something
                    context = empty
                try:
                    if kwargs:
                        context.run(function, *args, **kwargs)
                    else:
                        context.run(function, *args)
                except BaseException as error:
                    fatal = self._onError(error, function) or fatal
        finally:
            # Also when a signal's KeyboardInterrupt came between two calls: the rest must run.
            if calls and not self._pending and self._loop is not None:
                self._ask(self._loop)
        if fatal is not None:
            raise fatal
