"""`internet.error` has Twisted's exceptions, with the same texts, bases and attributes."""

from __future__ import annotations

import errno
import inspect
import socket
from typing import Any

import pytest
import twisted.internet.error as theirs

from twistlike.internet import error as ours

# What each is made with; the others are tried with nothing, and with two words.
ARGUMENTS: dict[str, list[tuple[Any, ...]]] = {
    "CannotListenError": [("", 80, OSError(98, "in use")), ("1.2.3.4", 80, None)],
    "ConnectingCancelledError": [("somewhere",)],
    "InvalidAddressError": [("somewhere", "bad")],
    "ProcessDone": [(0,), (256,)],
    "ProcessTerminated": [(), (3,), (None, 9), (0, 0), (3, 9, 5)],
}


def shown(error: BaseException) -> tuple[Any, ...]:
    """What can be seen of an exception."""
    bases = [base.__name__ for base in type(error).__mro__]
    attributes = {name: str(value) for name, value in vars(error).items()}
    message = " ".join(getattr(error, "MESSAGE", "").split()).partition(" @")[0]
    if isinstance(error, TimeoutError) and type(error) is not TimeoutError:
        # Ours are the builtin TimeoutError as well, which is an OSError.
        kinds = ("TimeoutError", "OSError")
        bases = bases[:1] + [name for name in bases[1:] if name not in kinds]
    return type(error).__name__, bases, str(error), str(error.args), attributes, message


@pytest.mark.parametrize(
    "name", [name for name, value in vars(theirs).items() if inspect.isclass(value)]
)
def test_exceptions_are_twisteds(name: str) -> None:
    """An exception has the same bases, text, arguments and attributes."""
    for arguments in ARGUMENTS.get(name, [(), ("a", "b")]):
        found = shown(getattr(ours, name)(*arguments))
        assert found == shown(getattr(theirs, name)(*arguments))
    assert name in ours.__all__


@pytest.mark.parametrize(
    "given",
    [
        OSError(errno.ECONNREFUSED, "no"),
        OSError(errno.ETIMEDOUT, "no"),
        OSError(errno.ENETUNREACH, "no"),
        OSError(9999, "no"),
        (errno.ECONNREFUSED, "no"),
        socket.gaierror(-2, "unknown"),
        ValueError("one argument"),
        ValueError("two", "arguments"),
    ],
    ids=repr,
)
def test_errors_of_the_operating_system_are_twisteds(given: Any) -> None:
    """What the system says becomes the same exception."""
    assert shown(ours.getConnectError(given)) == shown(theirs.getConnectError(given))


@pytest.mark.parametrize("name", ["TCPTimedOutError", "TimeoutError"])
def test_timeouts_are_builtin_timeouts(name: str) -> None:
    """`except TimeoutError` finds all that took too long."""
    assert issubclass(getattr(ours, name), TimeoutError)
