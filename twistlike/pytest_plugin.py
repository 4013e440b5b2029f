"""A pytest plugin: the fixtures `reactor`, `clock` and `flushLoggedErrors`.

It does nothing, and imports nothing of twistlike, until a test asks for one of them
(`pytestmark = pytest.mark.usefixtures("reactor")` asks for a whole file). Everything runs in the
thread of the tests.

How it works
------------
A test that asks for `reactor` runs in an asyncio loop with that reactor attached to it. An
`async def` runs in the loop of the plugin that cares for it (pytest-asyncio, anyio), or in one of
our own if there is none. A plain function is called in a loop of our own, and what it returns (a
Deferred, or anything awaitable) is waited for. When the test is done, in the same loop, the reactor
is stopped, and the test fails for what it has left behind: timers, threads, errors that nobody
handled.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import inspect
import os
import sys
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from twistlike._base.failure import Failure
    from twistlike._reactor.reactor import Reactor
    from twistlike._timers.clock import Clock

__all__ = [
    "clock",
    "flushLoggedErrors",
    "pytest_addoption",
    "pytest_pyfunc_call",
    "pytest_runtest_call",
    "pytest_runtest_makereport",
    "reactor",
]

_TIMEOUT_OPTION = "twistlike_timeout"

_RUNS_ELSEWHERE = (
    "{!r} runs already, on another loop than that of this test. If pytest-twisted runs it, on the"
    " overlay: use its decorators in the place of the fixture `reactor`"
)

_NO_LOOP = (
    "The fixture `reactor` needs a loop of asyncio's, and none runs here. Under AnyIO's plugin give"
    " these tests a fixture `anyio_backend` that returns 'asyncio'"
)

# Beginning of what asyncio says of an awaitable that is not for its tasks; and of ours to that.
_BAD_YIELD = "Task got bad yield: <Deferred"
_NOT_OURS = (
    "A Deferred of Twisted's own, whose reactor does not run here: import from twistlike, use the"
    " overlay, or leave the fixture `reactor` out"
)

_OURS = __name__.partition(".")[0]

# The part of pytest-timeout's limit after which we say what has not come: enough of it is left for
# the reactor's end, which takes `shutdownTimeout` at most, where limits are a minute.
_BEFORE_THE_SUITES = 0.8

# What a thread that was told to end gets to do so, in seconds: long for a thread, short for people.
_THREADS_GRACE = 1.0


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the ini option."""
    parser.addini(
        _TIMEOUT_OPTION,
        "seconds after which a test fails whose Deferred or coroutine has not come to its end",
        default="120",
    )


@pytest.fixture
def clock() -> Clock:
    """A clock that only the test moves: `clock.advance(seconds)`."""
    from twistlike._timers.clock import Clock

    return Clock()


@pytest.fixture
def reactor(request: pytest.FixtureRequest) -> Iterator[Reactor]:
    """The default reactor, on the test's own loop; the test fails for what it leaves behind.

    Being the default one, it is the one that `from twistlike.internet import reactor` gives.
    """
    from twistlike._log.publisher import globalLogPublisher
    from twistlike._reactor.current import defaultReactor

    watch = _Watch(defaultReactor(), _limitOf(request.node))
    request.node.stash[_watchKey] = watch
    globalLogPublisher.addObserver(watch.observe)
    try:
        yield watch.reactor
    finally:
        globalLogPublisher.removeObserver(watch.observe)


@pytest.fixture
def flushLoggedErrors(
    reactor: Reactor, request: pytest.FixtureRequest
) -> Callable[..., list[Failure]]:
    """A function that returns the errors that were logged so far, which then fail no test.

    It takes the types of those that are meant; default: all.
    """
    watch: _Watch = request.node.stash[_watchKey]
    return watch.flush


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Put an `async def` test into the reactor's scope, whichever plugin runs it."""
    watch = item.stash.get(_watchKey, None)
    if watch is None or not isinstance(item, pytest.Function):
        return (yield)
    function = item.obj
    if not inspect.iscoroutinefunction(function):
        unittest = sys.modules.get("unittest")  # there, if there is a test of its kind
        if unittest is not None and issubclass(item.cls or object, unittest.TestCase):
            item.warn(
                pytest.PytestWarning(
                    "a unittest.TestCase calls its tests itself, outside of any loop: this one runs"
                    " without the reactor; make it `async def` in an IsolatedAsyncioTestCase, or a"
                    " test of pytest's own"
                )
            )
        return (yield)

    @functools.wraps(function)
    async def inScope(*args: Any, **kw: Any) -> None:
        await watch.scope(lambda: function(*args, **kw))

    watch.isCoroutine = True
    item.obj = inScope
    try:
        return (yield)
    finally:
        item.obj = function


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, Any, Any]:
    """Show a failure of a test with the reactor without frames of twistlike's."""
    if call.excinfo is not None and _watchKey in item.stash:
        error = call.excinfo.value
        _hideOurFrames(error, set())
        call.excinfo = pytest.ExceptionInfo.from_exception(error)
    return (yield)


# First: pytest-twisted takes each test that it is asked about, coroutines and plain functions.
@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test with the reactor that no other plugin runs."""
    watch = pyfuncitem.stash.get(_watchKey, None)
    if watch is None or _isAnyios(pyfuncitem):
        return None
    function = pyfuncitem.obj
    names = pyfuncitem._fixtureinfo.argnames
    call = functools.partial(function, **{name: pyfuncitem.funcargs[name] for name in names})
    with _outsideOfLoops():
        if inspect.iscoroutinefunction(function):
            _runLoop(call)
        elif watch.isCoroutine:
            call()  # another plugin has made a plain function of it, which runs its own loop
        else:
            _runLoop(functools.partial(watch.scope, call))
    return True


def _isAnyios(item: pytest.Function) -> bool:
    """Return whether AnyIO's plugin runs a test, in the same hook as we do."""
    return (
        item.config.pluginmanager.hasplugin("anyio")
        or item.config.pluginmanager.hasplugin("anyio.pytest_plugin")
    ) and bool(item.funcargs.get("anyio_backend") and inspect.iscoroutinefunction(item.obj))


@contextlib.contextmanager
def _outsideOfLoops() -> Iterator[None]:
    """Let a loop be run inside of one that stands still.

    With `--reactor=asyncio` pytest-twisted runs the tests in a greenlet, beside a loop in the same
    thread that is inside of its `run_forever`.
    """
    import asyncio

    outer = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    try:
        yield
    finally:
        asyncio._set_running_loop(outer)


def _limitOf(item: pytest.Item) -> float:
    """Return for how long a test may wait, in seconds.

    That is our own option, unless pytest-timeout would end the test before: it would show where the
    loop sleeps, and not what was waited for.
    """
    limit = float(item.config.getini(_TIMEOUT_OPTION))
    theirs = _suiteLimit(item)
    return min(limit, theirs * _BEFORE_THE_SUITES) if theirs > 0 else limit


def _suiteLimit(item: pytest.Item) -> float:
    """Return the limit that pytest-timeout has for a test, in seconds; 0 is none."""
    # By the name of its entry point, or by its module's if it was asked for by -p.
    if not any(map(item.config.pluginmanager.hasplugin, ("timeout", "pytest_timeout"))):
        return 0.0
    marker = item.get_closest_marker("timeout")
    if marker is not None:
        value = marker.kwargs.get("timeout", marker.args[0] if marker.args else None)
    else:
        value = (
            item.config.getoption("timeout", None)
            or os.environ.get("PYTEST_TIMEOUT")
            or item.config.getini("timeout")
        )
    try:
        return float(value or 0)
    except (TypeError, ValueError):
        return 0.0  # pytest-timeout itself says what is wrong with it


def _hideOurFrames(error: BaseException | None, seen: set[int]) -> None:
    """Take the frames of twistlike out of the traceback of an error and of those that led to it."""
    if error is None or id(error) in seen:
        return
    seen.add(id(error))
    entries = []
    entry = error.__traceback__
    while entry is not None:
        entries.append(entry)
        entry = entry.tb_next
    theirs = [each for each in entries if not _isOurs(each)]
    if theirs and len(theirs) < len(entries):
        traceback: TracebackType | None = None
        for each in reversed(theirs):
            traceback = TracebackType(traceback, each.tb_frame, each.tb_lasti, each.tb_lineno)
        error.with_traceback(traceback)
    _hideOurFrames(error.__cause__, seen)
    _hideOurFrames(error.__context__, seen)


def _placeOfWait(cancel: BaseException | None) -> str:
    """Return where a coroutine waited when it was cancelled, for the end of a sentence.

    Args:
        cancel: What the cancel has raised there.

    Returns:
        "" if only our own frames waited: the test has returned a Deferred.
    """
    if cancel is None:
        return ""
    import traceback

    _hideOurFrames(cancel, set())
    entry = cancel.__traceback__
    if entry is None or _isOurs(entry):
        return ""
    return "; it waited here:\n" + "".join(traceback.format_tb(entry)).rstrip()


def _isOurs(entry: TracebackType) -> bool:
    """Return whether a frame runs code of this package."""
    name = entry.tb_frame.f_globals.get("__name__", "")
    return isinstance(name, str) and name.partition(".")[0] == _OURS


def _runLoop(main: Callable[[], Any]) -> None:
    import asyncio

    with asyncio.Runner() as runner:
        runner.run(main())


class _Watch:
    """A reactor, and what a test may not leave behind on it."""

    def __init__(self, reactor: Reactor, timeout: float) -> None:
        self.reactor = reactor
        self.timeout = timeout
        self.isCoroutine = False
        self._errors: list[Failure] = []
        self._threadsBefore = set(threading.enumerate())

    def observe(self, event: dict[str, Any]) -> None:
        """Keep the failure of a log event. Any thread."""
        failure = event.get("log_failure")
        if failure is not None:
            self._errors.append(failure)

    def flush(self, *errorTypes: type[BaseException]) -> list[Failure]:
        """Forget the errors of these types (default: all) that were logged, and return them."""
        _collect()
        flushed = [each for each in self._errors if not errorTypes or each.check(*errorTypes)]
        self._errors = [each for each in self._errors if each not in flushed]
        return flushed

    async def scope(self, function: Callable[[], Any]) -> None:
        """Call a test with the reactor attached to the running loop, and look at what it leaves.

        Args:
            function: The test. If it returns something awaitable, that is waited for, as long as
                the option allows.
        """
        import asyncio

        from twistlike._base.error import ReactorAlreadyRunning
        from twistlike._reactor.current import currentReactor

        if asyncio._get_running_loop() is None:
            pytest.fail(_NO_LOOP, pytrace=False)
        timers: list[str] = []
        reactor = self.reactor
        try:
            reactor.attach()
        except ReactorAlreadyRunning:
            if currentReactor() is not reactor:
                pytest.fail(_RUNS_ELSEWHERE.format(reactor), pytrace=False)
            # An async fixture has used it on this loop, and so attached it.
        # Triggers of "before" may cancel timers, and what comes behind them sets timers of its own.
        reactor.addSystemEventTrigger(
            "during", "shutdown", lambda: timers.extend(map(repr, reactor.getDelayedCalls()))
        )
        try:
            await self._outcome(function)
        finally:
            await reactor.__aexit__(None, None, None)
            await reactor._life.endAttached()  # also if a fixture is inside of `async with reactor`
            # What async fixtures do behind their yield, on this loop, may use it again.
            reactor._life.forgetEnd()
        left = [f"a timer that is still pending: {each}" for each in timers]
        left.extend(self._livingThreads())
        left.extend(
            f"an error that nobody handled:\n{failure.getTraceback().rstrip()}"
            for failure in self.flush()
        )
        if left:
            pytest.fail("The test has left behind\n- " + "\n- ".join(left), pytrace=False)

    async def _outcome(self, function: Callable[[], Any]) -> None:
        import asyncio

        result = function()
        if not hasattr(result, "__await__"):
            return
        waited = repr(result)  # before the limit cancels it
        limit = asyncio.timeout(self.timeout)
        place = ""
        try:
            async with limit:
                await result
        except TimeoutError as error:
            if not limit.expired():
                raise
            place = _placeOfWait(error.__cause__)
        except RuntimeError as error:
            if str(error).startswith(_BAD_YIELD):
                error.add_note(_NOT_OURS)
            raise
        if limit.expired():
            came = "fired" if hasattr(result, "addBoth") else "ended"
            pytest.fail(f"{waited} has not {came} within {self.timeout} s{place}", pytrace=False)

    def _livingThreads(self) -> Iterator[str]:
        deadline = time.monotonic() + _THREADS_GRACE
        for thread in threading.enumerate():
            # Those of the loop's own executor end with the loop, which may not be ours to end.
            if thread in self._threadsBefore or thread.name.startswith("asyncio_"):
                continue
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))
                if thread.is_alive():
                    yield f"a thread that is still alive: {thread.name}\n{_stack(thread)}"


def _collect() -> None:
    """Collect garbage: a failed Deferred in a cycle is reported when it goes."""
    from twistlike._log.report import reportPending

    gc.collect()
    reportPending()


def _stack(thread: threading.Thread) -> str:
    import traceback

    frames = list(traceback.walk_stack(sys._current_frames().get(thread.ident or 0)))[::-1]
    # What has started the thread is no news: neither Python's frames nor ours.
    while len(frames) > 1:
        name = frames[0][0].f_globals.get("__name__", "")
        if not isinstance(name, str) or name.partition(".")[0] not in (_OURS, "threading"):
            break
        del frames[0]
    stack = traceback.StackSummary.extract(iter(frames))
    return "".join(stack.format()).rstrip()


_watchKey: pytest.StashKey[_Watch] = pytest.StashKey()
