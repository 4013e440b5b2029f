"""A function with a `yield` in it, or with `async`, where nobody runs what it returns: an error."""

from __future__ import annotations

import textwrap

import pytest

from tests.oracle import runPython

PRELUDE = """
import asyncio, sys
from twistlike.internet import endpoints, protocol, reactor, task
from twistlike.internet.process import reapProcessHandlers
def forgot():
    yield print("never")
async def forgotToo():
    yield print("never")
class Method:
    def forgot(self):
        yield print("never")
async def never():
    print("never")
def makes():
    return never()
def hooked(base, method):
    return type("P", (base,), {method: lambda self, *args: (yield)})
def spawn(method):
    process = hooked(protocol.ProcessProtocol, method)()
    reactor.spawnProcess(process, sys.executable, [sys.executable, "-c", "print()"])
async def connect(method):
    serving = hooked(protocol.Protocol, method)
    factory = protocol.Factory.forProtocol(serving)
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    there = endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
    client = await endpoints.connectProtocol(there, protocol.Protocol())
    client.transport.write(b"x")
    client.transport.loseConnection()
"""

GENERATORS = [
    "reactor.callLater(0, forgot)",
    "reactor.callLater(0, forgotToo)",
    "reactor.callFromThread(forgot)",
    "reactor.callFromThread(Method().forgot)",
    "reactor.callWhenRunning(forgot)",
    "reactor.callInThread(forgot)",
    "task.LoopingCall(forgot).start(9)",
    "reactor.addSystemEventTrigger('before', 'shutdown', forgot)",
    "reactor.addSystemEventTrigger('after', 'shutdown', forgot)",
    "reactor.listenTCP(0, hooked(protocol.Factory, 'stopFactory')()).stopListening()",
    "reactor.listenUDP(0, hooked(protocol.DatagramProtocol, 'stopProtocol')()).stopListening()",
    "spawn('connectionMade')",
    "spawn('outReceived')",
    "spawn('outConnectionLost')",
    "spawn('processEnded')",
    "await connect('connectionMade')",
    "await connect('dataReceived')",
    "await connect('connectionLost')",
]


def run(line: str) -> tuple[str, str]:
    """Run a line in a coroutine on a loop; return what it has written."""
    wait = "while reapProcessHandlers: await asyncio.sleep(0.01)\n    await asyncio.sleep(0.2)"
    main = f"async def main():\n    {line}\n    {wait}\nasyncio.run(main())\n"
    done = runPython(["-W", "error", "-c", textwrap.dedent(PRELUDE) + main], timeout=20)
    assert done.returncode == 0
    return done.stdout, done.stderr


@pytest.mark.parametrize("line", GENERATORS)
def test_a_generator_that_nobody_runs_is_told(line: str) -> None:
    """`inlineCallbacks` was forgotten: the function's body never runs, and a report says so."""
    out, err = run(line)
    assert out == ""
    assert err.count("has a yield in it") == 1
    assert "<string>:" in err


@pytest.mark.parametrize(
    "line", ["generator = forgot(); reactor.callLater(0, lambda: generator)", "forgot()"]
)
def test_a_generator_of_somebody_elses_is_let_through(line: str) -> None:
    """What returns a generator that it has not made itself has done what it is for."""
    assert run(line) == ("", "")


def test_a_coroutine_that_a_job_returns_is_told() -> None:
    """`callInThread(lambda: coroutine())` runs nothing, and nobody awaits what it returns."""
    out, err = run("reactor.callInThread(makes)")
    assert out == ""
    assert err.count("has returned a coroutine, which nobody runs") == 1
    assert "never awaited" not in err
