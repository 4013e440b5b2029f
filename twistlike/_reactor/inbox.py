"""Calls from any thread into the loop's: the only way by which work comes back.

`post` and `put` may be called in any thread, in a signal handler and in `__del__`; everything
else is for the loop's thread.

How it works
------------
`put` appends to a deque and wakes the loop (see `waker`) only if no wakeup is pending.
The loop's side forgets the pending wakeup and then takes as many calls as are there at that moment.
Of the two orders in which `put` and the loop can meet:

* the call is appended before the loop looks: it is in the batch;
* it is appended after that: `put` looks for a wakeup later still, finds none and wakes again.

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

from _thread import start_new_thread
from collections import deque
from contextvars import Context, copy_context
from functools import partial
from itertools import islice
from sys import maxsize, modules
from time import monotonic
from types import BuiltinMethodType
from typing import TYPE_CHECKING, Any

from twistlike._base.coroutines import NOT_RUN
from twistlike._base.error import ReactorNotRunning
from twistlike._base.functions import describe
from twistlike._base.interrupts import repair
from twistlike._defer.coroutines import startCoroutine
from twistlike._reactor.parts import Part
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

# How long one batch may run, in seconds, before the loop's timers and sockets get their turn. Under
# a flood that is how late they are: with 10 ms the median was 3 to 6 times as late, and the
# throughput the same.
BATCH = 0.001

# How many calls there are between two looks at the clock, which costs as much as a short call: in a
# batch, and for callers while a wakeup is pending.
CALLS_A_LOOK = 16

INF = float("inf")  # that of `math`, a shared library whose import takes 0.2 ms


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
NONE = _Wakeup(-1, -INF)


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
            f"the reactor has ended, so {describe(_functionOf(call))} cannot be called in its "
            "thread; reactor.run(), threads.startReactorThread(), or reactor.attach() in a running "
            "loop, begins again"
        )


CLOSED = _Closed()


def _functionOf(call: Call) -> Any:
    """Return the function that a call was made of."""
    function = call[0]
    if len(call) > 1 and type(getattr(function, "__self__", None)) is Context:
        function = call[1]
    return function.func if type(function) is partial else function


class Inbox(Part):
    """The calls that threads have made into one loop.

    Args:
        onError: Called in the loop's thread with an exception that a call raised, and the function
            that was called. If it returns an exception, that is raised when the batch has ended.

    Attributes:
        afterBatch: Called after each batch.
    """

    def __init__(
        self,
        onError: Callable[[BaseException, Callable[..., object]], BaseException | None],
    ) -> None:
        self._onError = onError
        self.afterBatch: Callable[[], object] | None = None
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
            try:
                self._look(calls, call)
            except RecursionError:
                # The call is in the queue, so it will run, and this must not raise. A new thread
                # has room on its stack to wake the loop; to start one takes no room here.
                start_new_thread(self._lookInThread, (calls, call))

    def _look(self, calls: deque[Call], call: Call) -> None:
        """See to it that the call that has just been appended is not forgotten. In any thread."""
        wakeup = self._wakeup
        # Race: the closer sets "closed", takes the queue away and drains it once more; we may have
        # it still. We append first and look second, so either the closer's drain sees
        # our call or we see "closed"; the other way round a call could slip in between and be lost.
        # The wakeup is read before that: one that was asked for late, while the inbox was closed,
        # keeps no poster from looking: only a poster that comes past this line makes it do so.
        if self._closed:
            self._takeBack(calls, call)
        elif wakeup is NONE or monotonic() - wakeup.askedAt >= LOST_AFTER:
            if (waker := self._waker) is None:
                return  # not started: _install looks for calls
            loop = self._loop
            try:
                self._ask(waker)
            except RecursionError:
                raise
            except BaseException as error:
                if isinstance(error, RuntimeError) and (loop is None or loop.is_closed()):
                    if self._waker is waker:  # else it was closed, perhaps opened anew, meanwhile
                        self._closed = True
                    self._takeBack(calls, call)
                elif self._remove(calls, call) or not isinstance(error, Exception):
                    raise  # it will not run; or a signal's exception, which nobody may swallow
        elif (waiting := len(calls)) > CALLS_A_LOOK:
            # Race: the loop may have forgotten this wakeup by now; then nobody looks at it.
            wakeup.quiet = waiting + CALLS_A_LOOK

    def _lookInThread(self, calls: deque[Call], call: Call) -> None:
        try:
            self._look(calls, call)
        except BaseException as error:
            self._onError(error, _functionOf(call))

    def bind(self, loop: AbstractEventLoop) -> None:
        """Take calls for a loop. Calls that wait already are kept.

        They run from the loop's next turn on, after what it was asked for before this.
        """
        self._open(loop)
        loop.call_soon(self._install, loop, context=Context())

    def unbind(self) -> None:
        """Have no loop; calls are kept for the next one, unless the inbox has ended."""
        if self._calls is CLOSED:
            self._loop = self._waker = None
        else:
            self._open(None)

    def _open(self, loop: AbstractEventLoop | None) -> None:
        self._loop = loop
        self._waker = None
        # Race: a poster has held the queue since before the end, and appends only now.
        # It is the same queue still, so what it posts runs.
        self._calls = self._queue
        self._closed = False
        self._wakeup = NONE

    def _install(self, loop: AbstractEventLoop) -> None:
        """Install the waker, on the loop's first turn, and run what waits."""
        if self._loop is loop and self._waker is None:
            # Race: a poster finds no waker. It appends before it looks for it, we look for calls
            # once it is installed.
            self._waker = wakerFor(loop, self.drain, self._latest)
            try:
                self.drain(self._wakeup)
            except BaseException:
                self._ask(self._waker)  # a signal's exception may have come before all was run
                raise

    def end(self) -> None:
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
            self._runFor(INF, calls)
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
        if "nest_asyncio" in modules and hasattr(self._loop, "_nest_patched"):
            self._runNested()
            return
        self._runFor(BATCH, self._calls)
        if self.afterBatch is not None:
            self.afterBatch()

    def _runNested(self) -> None:
        """Run each call by a handle of its own, on a loop that can be run once more inside of one.

        (nest_asyncio does that.) There the rest of a batch would wait for the end of the call that
        runs the loop, which may wait for the rest; and the context of the loop's reader, in which
        this is called, cannot be entered a second time.
        """
        loop = self._loop
        if loop is not None:
            for _ in range(len(self._calls)):
                loop.call_soon(self._runOne, context=Context())

    def _runOne(self) -> None:
        self._runFor(BATCH, self._calls, 1)

    def drainEarly(self) -> None:
        """Run the calls that are there, if there are any, without waiting for the wakeup."""
        if self._calls:
            self._runFor(BATCH, self._calls)

    def _takeBack(self, calls: deque[Call], call: Call) -> None:
        """Take one's own call back from a closed inbox and raise; if it has gone, it has run."""
        if self._remove(calls, call):
            CLOSED.append(call)  # raises

    def _remove(self, calls: deque[Call], call: Call) -> bool:
        """Take one's own call back. False: it has gone, so it has run."""
        while True:
            try:
                calls.remove(_Same(call))  # type: ignore[arg-type]
            except ValueError:
                return False
            except IndexError:
                continue  # another thread changed the deque while it was searched
            return True

    def _ask(self, waker: LoopWaker) -> None:
        """Ask the loop to drain. In any thread."""
        wakeup = _Wakeup(0, monotonic())
        try:
            # Set before the asking: the loop may drain, and clear it, before the call returns.
            self._wakeup = wakeup
            waker.wake(wakeup)
        except RuntimeError:  # no room on the stack, or the loop is closed
            if self._wakeup is wakeup:
                self._wakeup = NONE  # nothing is pending: the next call asks
            raise
        except BaseException:
            # Perhaps a signal's: others, that saw a wakeup pending, rely on this one. Once too
            # often does no harm, and a real error comes again.
            self._wakeup = wakeup = _Wakeup(0, monotonic())
            try:
                waker.wake(wakeup)
            except BaseException:
                if self._wakeup is wakeup:
                    self._wakeup = NONE
                raise
            raise

    def _latest(self) -> _Wakeup:
        """Return the wakeup that was asked for last."""
        return self._wakeup

    def _runFor(self, seconds: float, calls: deque[Call], most: int = maxsize) -> None:
        """Run what is there now; what comes in the meantime is left to the next turn."""
        left = len(calls)
        if left > most:
            left = most
        try:
            fatal = self._runBatch(seconds, calls, left)
        finally:
            # Also when a signal's KeyboardInterrupt came between two calls: the rest must run.
            if calls and self._wakeup is NONE and self._waker is not None:
                self._ask(self._waker)
        if fatal is not None:
            raise fatal

    def _runBatch(self, seconds: float, calls: deque[Call], left: int) -> BaseException | None:
        """Run so many calls, within a time. Returns what is to be raised when that has ended."""
        # A loop of its own: where one in a `try` jumps back, 3.12 and later find no `finally`.
        # A batch that ends before the first look needs no clock.
        end = monotonic() + seconds if left > CALLS_A_LOOK else INF
        # Not "call = popleft()": between the two an exception of a signal's handler would lose it.
        source = iter(calls.popleft, None)
        empty = Context()
        run = empty.run
        fatal: BaseException | None = None
        call: Call
        try:
            while left > 0:
                for call in islice(source, min(left, CALLS_A_LOOK)):
                    try:
                        result = run(*call)
                        if result is not None and type(result) in NOT_RUN:
                            self._startCoroutine(run, result, call)
                    except BaseException as error:
                        fatal = self._failed(error, call) or fatal
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
        call = ()  # frames of errors that a call has met lead here: no cycle
        return fatal

    def _failed(self, error: BaseException, call: Call) -> BaseException | None:
        """Handle what a call has raised. Returns what is to be raised when the batch has ended."""
        function = _functionOf(call)
        try:
            repair(error, function, call[1 if call[0] is function else 2 :])
        finally:
            del call  # the error's traceback may lead to this frame
        return self._onError(error, function)

    def _startCoroutine(self, run: Callable[..., object], result: Any, call: Call) -> None:
        """Run what a coroutine function has returned, in the context of the call.

        Raises:
            TypeError: If it is a generator, which nobody runs.
        """
        function = _functionOf(call)
        if function is not call[0] and type(call[0]) is BuiltinMethodType:
            run = call[0]  # the context's
        run(startCoroutine, result, function)
