"""``react``: a program that is one function, and the code with which it ends."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest

from tests.oracle import assertSame, run
from twistlike.internet.defer import Deferred, fail, succeed
from twistlike.internet.task import react

if TYPE_CHECKING:
    from collections.abc import Callable

BEGIN = """
import os, signal, sys
from twisted.internet import defer, reactor, task

def raising(error):
    raise error

"""

# Programs that end in the same way on both, and say nothing on standard error.
QUIET = {
    "result": """
        def main(reactor_, *args):
            print(reactor_ is reactor, args, reactor.running)
            return defer.succeed(3)
        task.react(main, [1, "two"])
        """,
    "later": """
        task.react(lambda reactor: task.deferLater(reactor, 0.01, print, "hi"))
        """,
    "coroutine": """
        async def main(reactor, *args):
            await task.deferLater(reactor, 0.01)
            print(args)
        task.react(main, sys.argv[1:])
        """,
    "inlineCallbacks": """
        @defer.inlineCallbacks
        def main(reactor):
            print((yield task.deferLater(reactor, 0.01, lambda: 5)))
        task.react(main)
        """,
    "exit code": """
        task.react(lambda reactor: defer.fail(SystemExit(3)))
        """,
    "exit code later": """
        task.react(lambda reactor: task.deferLater(reactor, 0, sys.exit, 4))
        """,
    "exit code of a coroutine": """
        async def main(reactor):
            await task.deferLater(reactor, 0)
            sys.exit(5)
        task.react(main)
        """,
    "exit without a code": """
        task.react(lambda reactor: defer.fail(SystemExit()))
        """,
    "exit at once": """
        task.react(lambda reactor: sys.exit(6))
        """,
    "stopped": """
        def main(reactor):
            reactor.callLater(0.01, reactor.stop)
            return defer.Deferred()
        task.react(main)
        """,
    "crashed": """
        def main(reactor):
            reactor.callLater(0.01, reactor.crash)
            return defer.Deferred()
        task.react(main)
        """,
    "crashed, then the result": """
        def main(reactor):
            done = defer.Deferred()
            reactor.callLater(0.01, lambda: (reactor.crash(), done.callback(1)))
            return done
        task.react(main)
        """,
    "SIGINT": """
        def main(reactor):
            reactor.callLater(0.01, os.kill, os.getpid(), signal.SIGINT)
            return defer.Deferred()
        task.react(main)
        """,
    "SIGTERM": """
        def main(reactor):
            reactor.callLater(0.01, os.kill, os.getpid(), signal.SIGTERM)
            return defer.Deferred()
        task.react(main)
        """,
    "result while it stops": """
        def main(reactor):
            done = defer.Deferred()
            reactor.addSystemEventTrigger("before", "shutdown", done.callback, None)
            reactor.callLater(0.01, reactor.stop)
            return done
        task.react(main)
        """,
    "triggers": """
        def main(reactor):
            reactor.callWhenRunning(print, "running")
            for phase in ("before", "during", "after"):
                reactor.addSystemEventTrigger(phase, "shutdown", print, phase)
            return defer.succeed(None)
        task.react(main)
        """,
    "caught": """
        try:
            task.react(lambda reactor: defer.succeed(1))
        except SystemExit as end:
            print(repr(end), reactor.running)
        """,
}

# Programs that end with the same code on both, and report something on standard error.
LOUD = {
    "failure": (
        "task.react(lambda reactor: defer.fail(ValueError('mine')))",
        "ValueError: mine",
    ),
    "failure later": (
        "task.react(lambda reactor: task.deferLater(reactor, 0, raising, ValueError('mine')))",
        "ValueError: mine",
    ),
    "failure while it stops": (
        """
        def main(reactor):
            done = defer.Deferred()
            reactor.addSystemEventTrigger("before", "shutdown", done.errback, ValueError("mine"))
            reactor.callLater(0.01, reactor.stop)
            return done
        task.react(main)
        """,
        "ValueError: mine",
    ),
    "failure of a coroutine": (
        """
        async def main(reactor):
            raise ValueError("mine")
        task.react(main)
        """,
        "ValueError: mine",
    ),
    "exit with a text": (
        "task.react(lambda reactor: defer.fail(SystemExit('the text')))",
        "the text",
    ),
    "raised at once": ("task.react(lambda reactor: raising(ValueError('mine')))", "mine"),
    "interrupted at once": ("task.react(lambda reactor: raising(KeyboardInterrupt()))", "main"),
    "no deferred": ("task.react(lambda reactor: None)", "NotACoroutineError"),
    "stop before it runs": ("task.react(lambda reactor: reactor.stop())", "ReactorNotRunning"),
}


@pytest.mark.parametrize("name", QUIET)
def test_programs_end_as_in_twisted(name: str) -> None:
    """Output and exit code are Twisted's, and nothing is written to standard error."""
    transcript = assertSame(BEGIN + dedent(QUIET[name]), args=["x"])
    assert transcript.stderr == ""


@pytest.mark.parametrize("name", LOUD)
def test_failing_programs_end_as_in_twisted(name: str) -> None:
    """The exit code is Twisted's, and standard error says why."""
    program, text = LOUD[name]
    transcript = assertSame(BEGIN + dedent(program))
    assert transcript.returncode != 0
    assert text in transcript.stderr


def test_a_failure_is_reported_with_its_traceback() -> None:
    """Standard error names what went wrong, where, and which function was run."""
    stderr = run(BEGIN + dedent(LOUD["failure of a coroutine"][0]), "twistlike").stderr
    assert "main function encountered error" in stderr
    assert 'in main\n    raise ValueError("mine")' in stderr


def test_asyncio_works_from_a_coroutines_first_line_on() -> None:
    """A coroutine starts when the loop runs, so it may begin with asyncio's functions."""
    transcript = run(
        """
        import asyncio
        from twisted.internet import task

        async def main(reactor):
            await asyncio.sleep(0)
            async with asyncio.timeout(5):
                print(reactor.running, await asyncio.gather(task.deferLater(reactor, 0, int)))

        task.react(main)
        """,
        "twistlike",
    )
    assert (transcript.returncode, transcript.stderr) == (0, "")
    assert transcript.stdout == "True [0]\n"


def test_a_main_that_waits_for_tasks_ends_quietly_by_a_signal() -> None:
    """The end of the reactor cancels what main waits for, which is no failure of main."""
    done = run(
        """
        import asyncio, os, signal
        from twisted.internet.task import react

        async def main(reactor):
            reactor.callLater(0.01, os.kill, os.getpid(), signal.SIGTERM)
            await asyncio.gather(asyncio.sleep(100), asyncio.sleep(100))

        react(main)
        """,
        "twistlike",
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_any_awaitable_will_do() -> None:
    """What has ``__await__`` is waited for, and its result or error decides."""
    transcript = run(
        """
        from twisted.internet import reactor, task

        class Later:
            def __await__(self):
                yield from task.deferLater(reactor, 0, print, "awaited").__await__()
                raise SystemExit(7)

        task.react(lambda reactor: Later())
        """,
        "twistlike",
    )
    assert (transcript.returncode, transcript.stdout, transcript.stderr) == (7, "awaited\n", "")


def test_in_a_running_loop_it_is_refused_and_leaves_nothing() -> None:
    """``react`` runs a loop of its own: in a coroutine it raises, and no warning follows."""
    transcript = run(
        """
        import asyncio
        from twisted.internet import error, task

        async def main(reactor):
            raise AssertionError("must not run")

        async def host():
            try:
                task.react(main)
            except error.ReactorAlreadyRunning:
                print("refused")

        asyncio.run(host())
        """,
        "twistlike",
    )
    assert (transcript.stdout, transcript.stderr) == ("refused\n", "")


def test_in_a_running_loop_the_reactor_of_the_host_lives_on() -> None:
    """What is refused there never begins: its end would stop the reactor of the host."""
    transcript = run(
        """
        import asyncio
        from twisted.internet import defer, error, task, threads

        async def host():
            await threads.deferToThread(int)
            try:
                task.react(lambda reactor: defer.succeed(1))
            except error.ReactorAlreadyRunning as refused:
                print("await main(reactor)" in str(refused))
            await asyncio.sleep(0.05)
            print(await threads.deferToThread(lambda: "alive"))

        asyncio.run(host())
        """,
        "twistlike",
    )
    assert (transcript.stdout, transcript.stderr) == ("True\nalive\n", "")


def test_a_main_function_that_was_called_already_is_refused() -> None:
    """The error says not to call it, and no warning of the coroutine follows."""
    transcript = run(
        """
        from twisted.internet import reactor, task

        async def main(reactor):
            pass

        try:
            task.react(main(reactor))
        except TypeError as error:
            print("write react(main)" in str(error))
        """,
        "twistlike",
    )
    assert (transcript.stdout, transcript.stderr) == ("True\n", "")


class FakeReactor:
    """As much of a reactor as ``react`` needs; runs what it was given, and notes all."""

    running = False

    def __init__(self, whileRunning: Callable[[], object] = lambda: None) -> None:
        self.notes: list[str] = []
        self.triggers: list[Callable[[], object]] = []
        self.whenRunning: list[Callable[[], object]] = []
        self.whileRunning = whileRunning

    def addSystemEventTrigger(self, phase: str, event: str, call: Callable[[], object]) -> None:
        """Note a trigger."""
        assert (phase, event) == ("before", "shutdown")
        self.triggers.append(call)

    def callWhenRunning(self, call: Callable[[], object]) -> None:
        """Note a call."""
        self.whenRunning.append(call)

    def run(self) -> None:
        """Run."""
        self.notes.append("run")
        for call in self.whenRunning:
            call()
        self.whileRunning()

    def stop(self) -> None:
        """Fire the triggers."""
        self.notes.append("stop")
        for call in self.triggers:
            call()


def codeOf(main: Callable[..., Any], reactor: Any) -> object:
    """Return the exit code of a program on a reactor."""
    with pytest.raises(SystemExit) as caught:
        react(main, (), reactor)
    return caught.value.code


def test_it_runs_the_reactor_that_it_is_given() -> None:
    """``_reactor`` is what main gets, and what is run and stopped, once."""
    reactor = FakeReactor()
    got: list[object] = []

    def main(given: object) -> Deferred[None]:
        got.append(given)
        return succeed(None)

    assert codeOf(main, reactor) == 0
    assert got == [reactor]
    assert reactor.notes == ["run", "stop"]


def test_a_reactor_that_stops_already_is_not_stopped_again() -> None:
    """When the result comes while the reactor stops, ``stop`` is not called."""
    done: Deferred[None] = Deferred()
    reactor = FakeReactor(lambda: (reactor.stop(), done.callback(None)))
    assert codeOf(lambda _: done, reactor) == 0
    assert reactor.notes == ["run", "stop"]


def test_the_exit_code_is_that_of_the_failure() -> None:
    """``SystemExit`` as the result of main decides the code, of whatever type it is."""
    assert codeOf(lambda _: fail(SystemExit(9)), FakeReactor()) == 9
    assert codeOf(lambda _: fail(SystemExit("text")), FakeReactor()) == "text"
