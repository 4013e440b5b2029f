"""Runs programs for their output or exit code, and functions without their warnings.

Thread: the reactor's; `runWithWarningsSuppressed` and `suppressWarnings` any.
"""

from __future__ import annotations

import warnings
from functools import wraps
from typing import TYPE_CHECKING, Any, cast

from twistlike._base.failure import Failure
from twistlike._base.naming import showAs
from twistlike._base.network_error import ProcessExitedAlready
from twistlike._defer.deferred import Deferred
from twistlike._net.protocol import ProcessProtocol
from twistlike._reactor.current import currentReactor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import ParamSpec, TypeVar

    P = ParamSpec("P")
    R = TypeVar("R")
    Text = str | bytes
    Environment = Mapping[str, str] | Mapping[bytes, bytes] | None
    Filter = tuple[Sequence[Any], Mapping[str, Any]]

__all__ = [
    "getProcessOutput",
    "getProcessOutputAndValue",
    "getProcessValue",
    "runWithWarningsSuppressed",
    "suppressWarnings",
]


class _UnexpectedErrorOutput(OSError):
    """A program has written to its standard error output.

    Args:
        text: What it has written first.
    """

    def __init__(self, text: bytes) -> None:
        super().__init__(f"got stderr: {text!r}")
        self._ended: Deferred[None] | None = None
        self._reason: Failure | None = None

    @property
    def processEnded(self) -> Deferred[None]:
        """A Deferred that fails with the reason when the program has ended.

        It is made when it is asked for: otherwise nobody has to deal with its failure.
        """
        if self._ended is None:
            self._ended = Deferred()
            if self._reason is not None:
                self._ended.errback(self._reason)
        return self._ended

    def noteEnd(self, reason: Failure) -> None:
        """Hear that the program has ended."""
        self._reason = reason
        if self._ended is not None:
            self._ended.errback(reason)


class _EndedBySignal(Exception):
    """A program was ended by a signal. It unpacks as Twisted's tuple.

    Args:
        out: What it had written to its standard output.
        err: What it had written to its standard error output.
        signal: The signal's number; None if that is not known.
    """

    def __init__(self, out: bytes, err: bytes, signal: int | None) -> None:
        super().__init__(out, err, signal)
        self.out = out
        self.err = err
        self.signal = signal

    def __str__(self) -> str:
        return f"the program was ended by signal {self.signal}; it had written {self.err!r}"

    def __iter__(self) -> Iterator[Any]:
        return iter(self.args)

    def __getitem__(self, index: int) -> Any:
        return self.args[index]

    def __len__(self) -> int:
        return len(self.args)


class _Runner(ProcessProtocol):
    """Runs one program, and fires a Deferred."""

    def __init__(self) -> None:
        self.result: Deferred[Any] = Deferred(self._cancel)
        self.out: list[bytes] = []
        self.err: list[bytes] = []

    def outReceived(self, data: bytes) -> None:
        self.out.append(data)

    def errReceived(self, data: bytes) -> None:
        self.err.append(data)

    def processEnded(self, reason: Failure) -> None:
        if not self.result.called:
            self.finish(reason)

    def finish(self, reason: Failure) -> None:
        """Fire the Deferred: the program has ended."""
        raise NotImplementedError

    def _cancel(self, result: Deferred[Any]) -> None:
        """Kill the program: nobody wants to know what comes of it."""
        self.transport.loseConnection()
        try:
            self.transport.signalProcess("KILL")
        except ProcessExitedAlready:
            pass  # a child of its own has kept the pipes open


class _Output(_Runner):
    def __init__(self, errortoo: bool) -> None:
        super().__init__()
        self._errortoo = errortoo
        self._error: _UnexpectedErrorOutput | None = None

    def errReceived(self, data: bytes) -> None:
        if self._errortoo:
            self.out.append(data)
        elif not self.result.called:
            self._error = _UnexpectedErrorOutput(data)
            self.result.errback(Failure(self._error))
            self.transport.loseConnection()

    def processEnded(self, reason: Failure) -> None:
        if self._error is None:
            super().processEnded(reason)
        else:
            self._error.noteEnd(reason)

    def finish(self, reason: Failure) -> None:
        self.result.callback(b"".join(self.out))


class _Value(_Runner):
    def outReceived(self, data: bytes) -> None:
        """Drop it."""

    errReceived = outReceived

    def finish(self, reason: Failure) -> None:
        self.result.callback(cast("Any", reason.value).exitCode)


class _Everything(_Runner):
    def __init__(self, stdinBytes: bytes | None) -> None:
        super().__init__()
        self._stdin = stdinBytes

    def connectionMade(self) -> None:
        if self._stdin is not None:
            self.transport.write(self._stdin)
            self.transport.closeStdin()

    def finish(self, reason: Failure) -> None:
        out, err = b"".join(self.out), b"".join(self.err)
        error = cast("Any", reason.value)
        if error.exitCode is None:
            self.result.errback(Failure(_EndedBySignal(out, err, error.signal)))
        else:
            self.result.callback((out, err, error.exitCode))


def _run(
    runner: _Runner,
    executable: Text,
    args: Sequence[Text],
    env: Environment,
    path: Text | None,
    reactor: Any,
) -> Deferred[Any]:
    if isinstance(args, str | bytes):
        raise TypeError(f"the arguments of a program are a list, not {args!r}")
    if reactor is None:
        reactor = currentReactor()
    reactor.spawnProcess(runner, executable, [executable, *args], env, path)
    return runner.result


def getProcessOutput(
    executable: Text,
    args: Sequence[Text] = (),
    env: Environment = {},  # noqa: B006 Twisted's default
    path: Text | None = None,
    reactor: Any = None,
    errortoo: bool | int = False,
) -> Deferred[bytes]:
    """Run a program for what it writes to its standard output.

    Args:
        executable: The program, as for `reactor.spawnProcess`.
        args: Its arguments, without its own name.
        env: The environment, by default an empty one; None is this process's.
        path: The folder to run in.
        reactor: The reactor; by default the one of the running loop.
        errortoo: Whether what it writes to its standard error output belongs to the result.

    Returns:
        A Deferred with the output, whatever the exit code. It fails with an `OSError` if the
        program writes to its standard error output and that is not wanted; the error's
        `processEnded` is a Deferred that fires when the program has ended. Cancelling kills the
        program, which Twisted leaves running.

    Raises:
        OSError: The program cannot be started.
    """
    return _run(_Output(bool(errortoo)), executable, args, env, path, reactor)


def getProcessValue(
    executable: Text,
    args: Sequence[Text] = (),
    env: Environment = {},  # noqa: B006 Twisted's default
    path: Text | None = None,
    reactor: Any = None,
) -> Deferred[int]:
    """Run a program for its exit code; what it writes is dropped.

    Args:
        executable: The program, as for `reactor.spawnProcess`.
        args: Its arguments, without its own name.
        env: The environment, by default an empty one; None is this process's.
        path: The folder to run in.
        reactor: The reactor; by default the one of the running loop.

    Returns:
        A Deferred with the exit code; None if a signal has ended it. Cancelling kills the program.

    Raises:
        OSError: The program cannot be started.
    """
    return _run(_Value(), executable, args, env, path, reactor)


def getProcessOutputAndValue(
    executable: Text,
    args: Sequence[Text] = (),
    env: Environment = {},  # noqa: B006 Twisted's default
    path: Text | None = None,
    reactor: Any = None,
    stdinBytes: bytes | None = None,
) -> Deferred[tuple[bytes, bytes, int]]:
    """Run a program for all that it writes and its exit code.

    Args:
        executable: The program, as for `reactor.spawnProcess`.
        args: Its arguments, without its own name.
        env: The environment, by default an empty one; None is this process's.
        path: The folder to run in.
        reactor: The reactor; by default the one of the running loop.
        stdinBytes: What it reads from its standard input.

    Returns:
        A Deferred with the output, the error output and the exit code. If a signal has ended the
        program it fails with an exception that unpacks as output, error output and signal (in
        Twisted it is a tuple, which cannot be raised). Cancelling kills the program.

    Raises:
        OSError: The program cannot be started.
    """
    return _run(_Everything(stdinBytes), executable, args, env, path, reactor)


def runWithWarningsSuppressed(
    suppressedWarnings: Sequence[Filter], f: Callable[P, R], *a: P.args, **kw: P.kwargs
) -> R:
    """Call a function while some warnings are filtered, until its Deferred fires if it returns one.

    Args:
        suppressedWarnings: Pairs of the positional and the keyword arguments for
            `warnings.filterwarnings`.
        f: The function, with its arguments after it.
    """
    added = []
    for args, kwargs in suppressedWarnings:
        known = set(warnings.filters)
        warnings.filterwarnings(*args, **kwargs)
        if warnings.filters[0] not in known:
            added.append(warnings.filters[0])

    def undo(result: Any) -> Any:
        for each in added:
            if each in warnings.filters:
                warnings.filters.remove(each)  # type: ignore[attr-defined]
        return result

    try:
        result = f(*a, **kw)
    except BaseException:
        undo(None)
        raise
    if isinstance(result, Deferred):
        return cast("R", result.addBoth(undo))
    undo(None)
    return result


def suppressWarnings(f: Callable[P, R], *suppressedWarnings: Filter) -> Callable[P, R]:
    """Wrap a function so that some warnings are filtered while it runs.

    Args:
        f: The function.
        suppressedWarnings: Pairs of the positional and the keyword arguments for
            `warnings.filterwarnings`.
    """

    @wraps(f)
    def wrapped(*a: P.args, **kw: P.kwargs) -> R:
        return runWithWarningsSuppressed(suppressedWarnings, f, *a, **kw)

    return wrapped


showAs(
    "twistlike.internet.utils", globals(), [*__all__, "_EndedBySignal", "_UnexpectedErrorOutput"]
)
