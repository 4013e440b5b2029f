"""Calls from any thread into the loop's: the one door through which work comes back.

`post` and `put` may be called in any thread, in a signal handler and in `__del__`; everything
else is for the loop's thread.

How it works
------------
`put` appends to a deque and rings the loop's bell (see `waker`) only if no wakeup is pending.
The loop's side forgets the pending wakeup and then takes as many calls as are there at that moment.
Of the two orders in which `put` and the loop can meet:

* the call is appended before the loop looks: it is in the batch;
* it is appended after that: `put` looks for a wakeup later still, finds none and rings again.

So no call is left behind, and there is no lock that a signal handler could find held by the very
frame that it interrupted.

A call is kept as the one tuple that Python has made of it, `(function, *args)`, and with
`context.run` before that, if its context is not an empty one. Most of a flood's cost is memory: a
second object for each call, which the garbage collector looks at as well, costs a tenth.

Guarantees: calls run in the order in which they were appended; each runs in the context in which it
was posted; one that raises is reported and the rest of its batch runs; a call either runs or its
poster gets `ReactorNotRunning`, also while the loop is being closed.
"""

from __future__ import annotations

from collections import deque
from contextvars import Context, copy_context
from functools import partial
from itertools import islice
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any

from twistlike._base.error import ReactorNotRunning
from twistlike._wakeup.waker import wakerFor

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Mapping

    from twistlike._wakeup.waker import LoopWaker

    Call = tuple[Any, ...]

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


class _Wakeup:
    """What the loop was asked for, and until when nobody needs to look at it.

    Args:
        quiet: While at most so many calls wait, their posters need not look at the clock.
        askedAt: When it was asked for.
    """

    __slots__ = ("askedAt", "quiet")

    def __init__(self, quiet: int, askedAt: float) -> None:
        self.quiet = quiet
        self.askedAt = askedAt


# Stands for a wakeup that was not asked for: whoever appends a call looks closer.
NONE = _Wakeup(-1, -inf)


class _Same:
    """Equal to one call, by identity: the arguments of two calls are never compared."""

    __slots__ = ("call",)

    def __init__(self, call: Call) -> None:
        self.call = call

    def __eq__(self, other: object) -> bool:
        return other is self.call

    __hash__ = None  # type: ignore[assignment]


class _Closed(deque[Any]):
    """Takes the place of the queue when the inbox is closed, and refuses what is appended.

    A closed inbox whose queue took calls, to give them back, would never come to its end while
    threads keep calling: they append as fast as it can be emptied.
    """

    def append(self, call: Call) -> None:
        """Raise `ReactorNotRunning`. Thread: any."""
        raise ReactorNotRunning(
            f"the reactor has ended, so {_functionOf(call)!r} cannot be called in its thread; "
            "the reactor can be run, or attached to a loop, again"
        )


CLOSED = _Closed()


def _functionOf(call: Call) -> Any:
    """Return the function that a call was made of."""
    function = call[0]
    if len(call) > 1 and type(getattr(function, "__self__", None)) is Context:
        function = call[1]
    return function.func if type(function) is partial else function


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
        self._queue: deque[Call] = deque()
        self._calls = self._queue  # or CLOSED
        self._loop: AbstractEventLoop | None = None
        self._waker: LoopWaker | None = None  # the loop's
        self._closed = False
        self._wakeup = NONE

    def __len__(self) -> int:
        return len(self._calls)

    def post(
        self,
        function: Callable[..., object],
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
    ) -> None:
        """Have a function called in the loop's thread, in a copy of the present context.

        Raises:
            ReactorNotRunning: If the inbox or the loop is closed; the call will not run.

        Thread: any.
        """
        call = (partial(function, **kwargs) if kwargs else function, *args)
        context = copy_context()
        self.put((context.run, *call) if context else call)

    def put(self, call: Call) -> None:
        """Have a function called in the loop's thread, in an empty context.

        Args:
            call: The function, and its arguments after it: the very tuple that is kept. With
                `context.run` before them it is called in that context.

        Raises:
            ReactorNotRunning: If the inbox or the loop is closed; the call will not run.

        Thread: any.
        """
        calls = self._calls
        calls.append(call)
        # Race: the loop forgets the wakeup before it takes the first call, and the closer before it
        # empties the queue for the last time. We append before we look at it: see "How it works".
        if len(calls) > self._wakeup.quiet:
            self._look(calls, call)

    def _look(self, calls: deque[Call], call: Call) -> None:
        """See to it that the call that has just been appended is not forgotten. In any thread."""
        wakeup = self._wakeup
        # Race: the closer sets "closed", takes the queue away and drains it once more; we may have
        # it in our hands still. We append first and look second, so either the closer's drain sees
        # our call or we see "closed"; the other way round a call could slip in between and be lost.
        # The wakeup is read before that: one that was asked for late, while the inbox was closed,
        # keeps nobody quiet, since only those who come past this line make it do so.
        if self._closed:
            self._takeBack(calls, call)
        elif wakeup is NONE or monotonic() - wakeup.askedAt >= LOST_AFTER:
            if (waker := self._waker) is None:
                return  # not started: who hangs the bell looks for calls
            loop = self._loop
            try:
                self._ask(waker)
            except RuntimeError:
                if loop is not None and not loop.is_closed():
                    raise
                if self._waker is waker:  # else it was closed, and perhaps opened anew, meanwhile
                    self._closed = True
                self._takeBack(calls, call)
        elif (waiting := len(calls)) > CALLS_A_LOOK:
            # Race: the loop may have forgotten this wakeup by now; then nobody looks at it.
            wakeup.quiet = waiting + CALLS_A_LOOK

    def open(self, loop: AbstractEventLoop | None) -> None:
        """Take calls, for `loop` if there is one by now. Calls that wait already are kept.

        On the loop they run from its next turn on, after what it was asked for before this.

        Thread: the loop's; with `None` any.
        """
        self._loop = loop
        self._waker = None
        # Race: a poster has had the queue in its hands since before the end, and appends only now.
        # It is the same queue still, so what it posts runs.
        self._calls = self._queue
        self._closed = False
        self._wakeup = NONE
        if loop is not None:
            loop.call_soon(self._install, loop, context=Context())

    def _install(self, loop: AbstractEventLoop) -> None:
        """Hang the bell, on the loop's first turn, and run what waits."""
        if self._loop is loop and self._waker is None:
            # Race: a poster finds no bell. It appends before it looks for it, we look for calls
            # when it hangs.
            self._waker = wakerFor(loop, self.drain, self._latest)
            self.drain(self._wakeup)

    def close(self) -> None:
        """Refuse further calls, and run those that are there. Does nothing the second time."""
        self._closed = True
        self._wakeup = NONE
        self._loop = self._waker = None
        calls, self._calls = self._calls, CLOSED
        # Race: see put(). What is still appended to the queue that we have taken is taken back by
        # its poster, or is run here; popleft() and the poster's remove() cannot both get it.
        self._runAll(calls)

    def _runAll(self, calls: deque[Call]) -> None:
        try:
            self._runFor(inf, calls)
        finally:
            if calls:  # an exit has come out of a call, or between two, or a poster was late
                self._runAll(calls)

    def drain(self, wakeup: _Wakeup) -> None:
        """Run the calls that are there, for at most about `BATCH` seconds.

        Args:
            wakeup: The one that has come.
        """
        # Before the first call is taken: see "How it works". Another one, that is still to come, is
        # not forgotten: it would be asked for once more, and in a flood, which leaves calls behind
        # each time, there would soon be many batches a turn.
        if self._wakeup is wakeup:
            self._wakeup = NONE
        self._runFor(BATCH, self._calls)

    def drainEarly(self) -> None:
        """Run the calls that are there, if there are any, without waiting for the wakeup."""
        if self._calls:
            self._runFor(BATCH, self._calls)

    def _takeBack(self, calls: deque[Call], call: Call) -> None:
        """Take one's own call back from a closed inbox and raise; if it has gone, it has run."""
        while True:
            try:
                calls.remove(_Same(call))  # type: ignore[arg-type]
            except ValueError:
                return
            except IndexError:
                continue  # another thread changed the deque while it was searched
            CLOSED.append(call)  # raises

    def _ask(self, waker: LoopWaker) -> None:
        """Ask the loop to drain. In any thread."""
        # Set before the asking: the loop may drain, and clear it, before the call returns.
        self._wakeup = wakeup = _Wakeup(0, monotonic())
        waker.wake(wakeup)

    def _latest(self) -> _Wakeup:
        """Return the wakeup that was asked for last."""
        return self._wakeup

    def _runFor(self, seconds: float, calls: deque[Call]) -> None:
        """Run what is there now; what comes in the meantime is left to the next turn."""
        left = len(calls)
        # A batch that ends before the first look needs no clock.
        end = monotonic() + seconds if left > CALLS_A_LOOK else inf
        # Not "call = popleft()": between the two an exception of a signal's handler would lose it.
        source = iter(calls.popleft, None)
        empty = Context()
        run = empty.run
        fatal: BaseException | None = None
        try:
            while left > 0:
                for call in islice(source, min(left, CALLS_A_LOOK)):
                    try:
                        run(*call)
                    except BaseException as error:
                        fatal = self._onError(error, _functionOf(call)) or fatal
                    if empty:
                        empty = Context()  # the call has set something, which the next must not see
                        run = empty.run
                left -= CALLS_A_LOOK
                if monotonic() > end:
                    break
        except IndexError:
            if calls:
                raise
            # A poster took its call back.
        finally:
            call = ()  # frames of errors that a call has met lead here: no cycle
            # Also when a signal's KeyboardInterrupt came between two calls: the rest must run.
            if calls and self._wakeup is NONE and self._waker is not None:
                self._ask(self._waker)
        if fatal is not None:
            raise fatal
