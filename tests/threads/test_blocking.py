"""A thread waits for a loop that cannot answer: it is told, with where the loop's thread stands."""

from __future__ import annotations

import re
import textwrap

import pytest

from tests.oracle import Transcript, runPython

PRELUDE = """
import asyncio, os, threading, time
from twistlike.internet import reactor, threads
from twistlike.internet.asyncioreactor import Reactor
def ask():
    return threads.blockingCallFromThread(reactor, int)
def askTwice():
    return threads.blockingCallWithTimeout(30, reactor, int)
threading.Timer(3, os._exit, (0,)).start()
"""

# Each holds up the loop's thread by a wait for somebody that waits for the loop.
CIRCLES = {
    "join": """
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
        """,
    "future": """
        future = reactor.getThreadPool().submit(askTwice)
        future.result()
        """,
    "decorated": """
        thread = threading.Thread(target=threads.waitFor(30)(int))
        thread.start()
        thread.join()
        """,
    "future of a call": """
        thread = threading.Thread(target=threads.runInReactor(int)().result)
        thread.start()
        thread.join()
        """,
    "two loops": """
        other = threads.startReactorThread(Reactor()).reactor
        threads.blockingCallFromThread(other, ask)
        """,
}


def run(body: str, loop: str = "asyncio") -> Transcript:
    """Run a coroutine's body in a process of its own, which ends after 3 seconds."""
    main = "async def main():\n    reactor.attach()\n" + textwrap.indent(
        textwrap.dedent(body), "    "
    )
    return runPython(["-c", f"{PRELUDE}\n{main}\nimport {loop}\n{loop}.run(main())"], timeout=20)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("circle", CIRCLES)
def test_a_wait_in_a_circle_is_told(circle: str, loop: str) -> None:
    """The loop's thread waits for a thread that waits for the loop: one warning, with both."""
    pytest.importorskip(loop)
    done = run(CIRCLES[circle], loop)
    assert done.stderr.count("a thread waits for a reactor: ") == 1, done.stderr
    assert "has not begun the call since: it stands here:" in done.stderr
    assert re.search(r'it stands here:\n  File "<string>", line \d+, in main\n', done.stderr)
    assert "in _bootstrap" not in done.stderr


def test_many_waits_are_told_once() -> None:
    """All threads that wait for one loop have the same reason."""
    done = run("for _ in range(9): threading.Thread(target=ask).start()\ntime.sleep(30)")
    assert done.stderr.count("a thread waits for a reactor: ") == 1, done.stderr


def test_a_call_that_has_begun_is_not_told() -> None:
    """A call may take as long as it likes."""
    done = run(
        """
        wait = threads.deferToThread(threads.blockingCallFromThread, reactor, asyncio.sleep, 2.5)
        await wait
        os._exit(0)
        """
    )
    assert done.stderr == ""
