"""`internet.utils`: programs for their output or exit code, and functions without warnings."""

from __future__ import annotations

import asyncio
import signal
import warnings
from typing import Any

import pytest

from tests.oracle import assertSame
from tests.transports.reactors import KINDS, Descriptors, onReactor
from tests.waits import until
from twistlike._transports.spawn import isSupported
from twistlike.internet import utils
from twistlike.internet.defer import Deferred
from twistlike.internet.process import reapProcessHandlers

pytestmark = pytest.mark.skipif(not isSupported(), reason="not on Windows")


def test_results_are_twisteds() -> None:
    """Output, error output, exit codes and signals come as on Twisted."""
    assertSame(
        """
        from twisted.internet import defer, reactor, utils

        def show(label):
            def tell(result):
                if hasattr(result, "value"):
                    result = type(result.value).__name__, str(result.value)
                print(label, result)
            return tell

        def signalled(failure):
            out, err, number = failure.value
            print(out, err, number, failure.value[2], len(failure.value))

        def unexpected(failure):
            print(isinstance(failure.value, IOError), str(failure.value))
            return failure.value.processEnded

        def sh(function, script, **kwargs):
            return function("/bin/sh", ["-c", script], **kwargs)

        @defer.inlineCallbacks
        def main():
            yield utils.getProcessOutput("/bin/echo", ["a", "b"]).addBoth(show("output"))
            both = "echo a; echo b >&2; exit 3"
            yield sh(utils.getProcessOutput, both).addErrback(unexpected).addErrback(show("ended"))
            yield sh(utils.getProcessOutput, both, errortoo=True).addBoth(show("errortoo"))
            yield sh(utils.getProcessOutput, "kill -9 $$").addBoth(show("killed"))
            yield sh(utils.getProcessValue, both).addBoth(show("value"))
            yield sh(utils.getProcessValue, "kill -9 $$").addBoth(show("killed"))
            yield sh(utils.getProcessOutputAndValue, both).addBoth(show("all"))
            killed = "echo a; kill -9 $$"
            yield sh(utils.getProcessOutputAndValue, killed).addErrback(signalled)
            yield utils.getProcessOutputAndValue("/bin/cat", stdinBytes=b"x").addBoth(show("cat"))
            yield utils.getProcessOutput("/usr/bin/env").addBoth(show("empty environment"))
            yield sh(utils.getProcessOutput, "pwd", path="/usr").addBoth(show("folder"))
            try:
                yield utils.getProcessOutput("/does/not/exist")
            except FileNotFoundError as error:
                print("FileNotFoundError")
            reactor.stop()
        reactor.callWhenRunning(main)
        reactor.run()
        """
    )


@pytest.mark.parametrize("kind", KINDS)
def test_it_can_be_awaited_on_each_loop(kind: str) -> None:
    """In a Deferred's coroutine, and in a task."""

    async def main(reactor: Any) -> bytes:
        return await utils.getProcessOutput("/bin/echo", [b"hi"], reactor=reactor)

    assert onReactor(kind, main) == b"hi\n"


def test_cancelling_kills_the_program() -> None:
    """A task that waits no longer leaves no program behind."""
    descriptors = Descriptors()

    async def main() -> None:
        with pytest.raises(asyncio.TimeoutError):
            async with asyncio.timeout(0.05):
                await utils.getProcessOutput("/bin/sleep", ["30"])
        await until(lambda: not reapProcessHandlers)

    async def limited() -> None:
        async with asyncio.timeout(10):
            await main()

    asyncio.run(limited())
    assert not descriptors.left()


def test_a_signals_number_can_be_awaited() -> None:
    """Who awaits a program that a signal has ended gets an exception that says so."""

    async def main(reactor: Any) -> None:
        with pytest.raises(Exception, match="signal 15") as caught:
            await utils.getProcessOutputAndValue("/bin/sh", ["-c", "kill $$"], reactor=reactor)
        assert list(caught.value) == [b"", b"", signal.SIGTERM]  # type: ignore[call-overload]

    onReactor("asyncio", main)


def test_arguments_are_a_list() -> None:
    """One string as the arguments is refused, rather than taken letter by letter."""
    with pytest.raises(TypeError, match="a list"):
        utils.getProcessOutput("/bin/echo", "abc")


def test_warnings_are_filtered_until_the_function_is_done() -> None:
    """Also until its Deferred fires, and what it raises gets through."""
    filters = [(("ignore", ".*foo.*"), {}), ((), {"action": "ignore", "message": ".*bar.*"})]
    before = list(warnings.filters)

    def warn(text: str) -> str:
        warnings.warn(text, stacklevel=1)
        return text

    assert utils.runWithWarningsSuppressed(filters, warn, "foo") == "foo"
    assert utils.suppressWarnings(warn, *filters)("bar") == "bar"
    with pytest.raises(UserWarning):
        utils.runWithWarningsSuppressed(filters, warn, "other")
    later: Deferred[str] = Deferred()
    result = utils.runWithWarningsSuppressed(filters, lambda: later.addCallback(warn))
    assert warnings.filters != before
    later.callback("foo")
    assert result.result == "foo"
    assert warnings.filters == before
