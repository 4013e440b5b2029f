"""Child processes: the order of events, what the child gets, and its end."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any

import pytest

from tests.oracle import assertSame, runPython
from tests.transports.reactors import KINDS, Descriptors, onReactor
from twistlike._transports import reaping
from twistlike._transports.spawn import isSupported
from twistlike.internet.asyncioreactor import Reactor
from twistlike.internet.defer import Deferred
from twistlike.internet.error import (
    ProcessDone,
    ProcessExitedAlready,
    ProcessTerminated,
    WrongThreadError,
)
from twistlike.internet.process import reapAllProcesses, reapProcessHandlers
from twistlike.internet.protocol import ProcessProtocol
from twistlike.python.failure import Failure

pytestmark = pytest.mark.skipif(not isSupported(), reason="not on Windows")


class Recorder(ProcessProtocol):
    """Notes what it is told, and fires a Deferred at the end."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.data: dict[int, bytes] = {}
        self.ended: Deferred[Any] = Deferred()
        self.exited: Deferred[Any] = Deferred()

    def connectionMade(self) -> None:
        self.events.append("made")

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        self.data[childFD] = self.data.get(childFD, b"") + data

    def childConnectionLost(self, childFD: int) -> None:
        self.events.append(childFD)

    def processExited(self, reason: Failure) -> None:
        self.events.append("exited")
        self.exited.callback(reason.value)

    def processEnded(self, reason: Failure) -> None:
        self.events.append("ended")
        self.ended.callback(reason.value)


def sh(reactor: Any, script: str, **kwargs: Any) -> Recorder:
    """Run a line of shell."""
    protocol = Recorder()
    kwargs.setdefault("env", None)
    reactor.spawnProcess(protocol, "/bin/sh", ["sh", "-c", script], **kwargs)
    return protocol


def zombies() -> list[str]:
    """The children of this process that have ended and were not waited for."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as file:
                    fields = file.read().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if fields[:2] == ["Z", str(os.getpid())]:
                found.append(name)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_process_echoes_and_ends_on_each_loop(kind: str) -> None:
    """Input, output, error output, the order of events; nothing is left behind."""
    onReactor(kind, _turn)  # what the loop itself opens once for all
    descriptors = Descriptors()

    async def main(reactor: Any) -> Recorder:
        protocol = sh(reactor, "cat; echo oops >&2; exit 3")
        assert protocol.events == ["made"]
        assert protocol.transport.pid in reapProcessHandlers
        protocol.transport.write(b"hello ")
        protocol.transport.writeSequence([b"wor", b"ld"])
        protocol.transport.closeStdin()
        reason = await protocol.ended
        assert isinstance(reason, ProcessTerminated)
        assert reason.exitCode == 3
        return protocol

    protocol = onReactor(kind, main)
    assert protocol.data == {1: b"hello world", 2: b"oops\n"}
    assert protocol.events[0] == "made"
    assert set(protocol.events[1:5]) == {0, 1, 2, "exited"}
    assert protocol.events[5:] == ["ended"]
    assert protocol.transport.proto is None
    assert not reapProcessHandlers
    assert not zombies()
    assert not descriptors.left()


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_megabytes_go_through_both_ways(kind: str) -> None:
    """What is written in one go arrives whole and in order."""
    sent = os.urandom(1 << 16) * 64

    async def main(reactor: Any) -> Recorder:
        protocol = Recorder()
        reactor.spawnProcess(protocol, "cat", ["cat"])
        protocol.transport.write(sent)
        protocol.transport.closeStdin()
        await protocol.ended
        return protocol

    assert onReactor(kind, main).data[1] == sent


def test_events_are_twisteds() -> None:
    """The same program says the same on both, where the order is certain."""
    assertSame(
        """
        import sys
        from twisted.internet import error, protocol, reactor

        class P(protocol.ProcessProtocol):
            def connectionMade(self):
                print("made", self.transport.status)
            def outReceived(self, data):
                print("out", data)
                self.transport.write(b"and so on")
                self.transport.closeStdin()
            def errReceived(self, data):
                print("err", data)
            def inConnectionLost(self):
                print("in lost")
                self.transport.write(b"dropped")
                self.transport.closeStdin()
                self.transport.closeChildFD(9)
                try:
                    self.transport.writeToChild(0, b"too late")
                except KeyError as error:
                    print("KeyError", error)
            def outConnectionLost(self):
                print("out lost")
            def errConnectionLost(self):
                print("err lost")
                self.transport.signalProcess("TERM")
            def processExited(self, reason):
                print("exited", reason.value, reason.value.exitCode, reason.value.signal)
            def processEnded(self, reason):
                print("ended", reason.value, reason.value.status, self.transport.pid)
                try:
                    self.transport.signalProcess("KILL")
                except error.ProcessExitedAlready as e:
                    print(repr(e))
                reactor.stop()

        script = (
            "import os, time; os.write(1, b'hi'); os.read(0, 100); os.close(0); time.sleep(.2);"
            "os.close(1); time.sleep(.2); os.write(2, b'bad'); time.sleep(.2); os.close(2);"
            "time.sleep(30)"
        )
        def begin():
            reactor.spawnProcess(P(), sys.executable, [sys.executable, "-c", script], env=None)
        reactor.callWhenRunning(begin)
        reactor.run()
        """
    )


def test_what_cannot_be_started_is_twisteds() -> None:
    """A program that does not exist, no arguments and wrong ones raise at once."""
    assertSame(
        """
        from twisted.internet import protocol, reactor

        def attempt(*args, **kwargs):
            try:
                reactor.spawnProcess(protocol.ProcessProtocol(), *args, **kwargs)
            except Exception as error:
                print(type(error).__name__)

        def begin():
            attempt("/does/not/exist", ["x"])
            attempt("/bin/sh", [])
            attempt("/bin/sh", ["sh", 5])
            attempt("/bin/sh", ["sh", "a\\0b"])
            attempt("/bin/sh", ["sh"], env={"A": 5})
            attempt("/bin/sh", ["sh"], usePTY=True, childFDs={})
            attempt("/etc/passwd", ["passwd"])
            reactor.stop()
        reactor.callWhenRunning(begin)
        reactor.run()
        """
    )


def test_the_child_gets_what_was_asked_for() -> None:
    """The environment, by default an empty one; the folder; the search path of the environment."""

    async def main(reactor: Any) -> None:
        empty = Recorder()
        reactor.spawnProcess(empty, "/usr/bin/env", ["env"])
        given = Recorder()
        reactor.spawnProcess(given, "env", ["env"], env={"A": "b"})
        await empty.ended
        await given.ended
        assert empty.data == {}
        assert given.data == {1: b"A=b\n"}
        folder = sh(reactor, "pwd", path="/usr")
        await folder.ended
        assert folder.data == {1: b"/usr\n"}
        with pytest.raises(FileNotFoundError):
            sh(reactor, "pwd", path="/does/not/exist")
        with pytest.raises(FileNotFoundError):
            reactor.spawnProcess(Recorder(), "env", ["env"], env={"PATH": "/does/not/exist"})

    descriptors = Descriptors()
    onReactor("asyncio", main)
    assert not descriptors.left()


@pytest.mark.parametrize("path", [None, "/"])
def test_the_child_has_no_other_descriptors(path: str | None) -> None:
    """What is open here, inheritable or not, is closed in the child."""
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)

    async def main(reactor: Any) -> bytes:
        protocol = Recorder()
        script = "import os; print(sorted(map(int, os.listdir('/proc/self/fd')))[:-1])"
        command = [sys.executable, "-c", script]
        reactor.spawnProcess(protocol, sys.executable, command, None, path)
        await protocol.ended
        return protocol.data[1]

    try:
        assert onReactor("asyncio", main) == b"[0, 1, 2]\n"
    finally:
        os.close(reading)
        os.close(writing)


@pytest.mark.parametrize("path", [None, "/"])
def test_any_descriptors_can_be_pipes_or_ours(path: str | None) -> None:
    """childFDs maps numbers to pipes and to our descriptors, also where they would overwrite."""
    reading, writing = os.pipe()

    async def main(reactor: Any) -> Recorder:
        script = "cat <&4 >&7; echo five >&5; echo own >&3"
        fds = {3: writing, 4: "w", 5: "r", 7: "r", 2: "r"}
        protocol = sh(reactor, script, childFDs=fds, path=path)
        protocol.transport.writeToChild(4, b"through")
        protocol.transport.closeChildFD(4)
        await protocol.ended
        return protocol

    # It may say so of a fork in a process with threads: it must not.
    idle = threading.Event()
    thread = threading.Thread(target=idle.wait)
    thread.start()
    try:
        protocol = onReactor("asyncio", main)
        assert os.read(reading, 100) == b"own\n"
    finally:
        idle.set()
        thread.join()
        os.close(reading)
        os.close(writing)
    assert protocol.data == {5: b"five\n", 7: b"through"}


@pytest.mark.parametrize("path", [None, "/"])
def test_descriptors_do_not_overwrite_each_other(path: str | None) -> None:
    """The numbers that the child wants are those which copies of our ends could have."""
    free = os.dup(0)
    os.close(free)
    first = free + 95  # after both ends of 40 pipes: where their copies would come
    wanted = range(first, first + 40)

    async def main(reactor: Any) -> Recorder:
        protocol = Recorder()
        script = f"import os; [os.write(n, b'%d' % n) for n in range({first}, {first + 40})]"
        reactor.spawnProcess(
            protocol,
            sys.executable,
            [sys.executable, "-c", script],
            None,
            path,
            childFDs=dict.fromkeys(wanted, "r"),
        )
        await protocol.ended
        return protocol

    assert onReactor("asyncio", main).data == {n: b"%d" % n for n in wanted}


@pytest.mark.parametrize("path", [None, "/"])
def test_signals_that_we_ignore_are_not_ignored_in_the_child(path: str | None) -> None:
    """The child starts with the default answer to each signal."""

    async def main(reactor: Any) -> Any:
        protocol = sh(reactor, "kill -USR1 $$; exit 1", path=path)
        return await protocol.ended

    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        reason = onReactor("asyncio", main)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert reason.signal == signal.SIGUSR1


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
@pytest.mark.parametrize("path", [None, "/"])
def test_a_terminal(kind: str, path: str | None) -> None:
    """With usePTY the child has a controlling terminal; all it writes comes as of descriptor 1."""
    descriptors = Descriptors()

    async def main(reactor: Any) -> Recorder:
        protocol = sh(
            reactor,
            "stty -echo; echo ready; read a; echo '<'$a'>' >&2; echo $a > /dev/tty; exit 5",
            usePTY=True,
            path=path,
        )
        while b"ready" not in protocol.data.get(1, b""):
            await _turn(reactor)
        protocol.transport.write(b"typed\n")
        reason = await protocol.ended
        assert reason.exitCode == 5
        return protocol

    protocol = onReactor(kind, main)
    assert protocol.data[1].split() == [b"ready", b"<typed>", b"typed"]
    assert protocol.events == ["made", "exited", "ended"]
    assert not descriptors.left()


def _turn(reactor: Any) -> Deferred[None]:
    later: Deferred[None] = Deferred()
    reactor.callLater(0.001, later.callback, None)
    return later


def test_closing_the_terminal_hangs_the_child_up() -> None:
    """After loseConnection the child gets SIGHUP."""

    async def main(reactor: Any) -> Any:
        protocol = sh(reactor, "echo ready; exec sleep 30", usePTY=True)
        while not protocol.data:
            await _turn(reactor)
        protocol.transport.loseConnection()
        return await protocol.ended

    assert onReactor("asyncio", main).signal == signal.SIGHUP


@pytest.mark.skipif(os.getuid() != 0, reason="only root may become somebody else")
def test_another_user() -> None:
    """With uid and gid the child is that user, with that user's groups."""

    async def main(reactor: Any) -> bytes:
        protocol = sh(reactor, "id -u; id -g; id -G", uid=65534, gid=65534)
        await protocol.ended
        return protocol.data[1]

    assert onReactor("asyncio", main).split() == [b"65534"] * 3


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_a_child_that_never_reads_pauses_the_producer(kind: str) -> None:
    """The buffer stays bounded; when the child is killed, the producer is stopped."""
    calls: list[str] = []

    class Producer:
        def __init__(self, transport: Any) -> None:
            self.transport = transport
            self.written = 0
            self.paused = False

        def resumeProducing(self) -> None:
            calls.append("resume")
            self.paused = False
            while not self.paused:
                self.transport.write(b"x" * 10000)
                self.written += 10000

        def pauseProducing(self) -> None:
            calls.append("pause")
            self.paused = True

        def stopProducing(self) -> None:
            calls.append("stop")

    async def main(reactor: Any) -> Producer:
        protocol = sh(reactor, "exec sleep 30")
        producer = Producer(protocol.transport)
        protocol.transport.registerProducer(producer, True)
        producer.resumeProducing()
        for _ in range(20):
            await _turn(reactor)
        protocol.transport.signalProcess("KILL")
        reason = await protocol.ended
        assert reason.signal == signal.SIGKILL
        return producer

    producer = onReactor(kind, main)
    assert producer.written < 400_000
    assert calls[-1] == "stop"
    assert calls.count("stop") == 1


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_a_child_that_closes_its_input_is_noticed(kind: str) -> None:
    """inConnectionLost comes while nothing is written."""

    async def main(reactor: Any) -> list[Any]:
        protocol = sh(reactor, "exec <&-; exec sleep 30")
        while 0 not in protocol.events:
            await _turn(reactor)
        found = list(protocol.events)
        protocol.transport.signalProcess(signal.SIGKILL)
        await protocol.ended
        return found

    assert onReactor(kind, main) == ["made", 0]


def test_pausing_keeps_what_is_read_back() -> None:
    """After pauseProducing nothing comes until resumeProducing."""

    async def main(reactor: Any) -> None:
        protocol = sh(reactor, "echo hi")
        protocol.transport.pauseProducing()
        await protocol.exited
        assert protocol.data == {}
        protocol.transport.resumeProducing()
        await protocol.ended
        assert protocol.data == {1: b"hi\n"}

    onReactor("asyncio", main)


def test_a_grandchild_keeps_the_pipes_open() -> None:
    """processEnded waits for the pipes; loseConnection ends that."""

    async def main(reactor: Any) -> list[Any]:
        protocol = sh(reactor, "sleep 30 & exit 0")
        reason = await protocol.exited
        assert isinstance(reason, ProcessDone)
        assert "ended" not in protocol.events
        protocol.transport.loseConnection()
        await protocol.ended
        return protocol.events

    assert onReactor("asyncio", main)[-1] == "ended"


@pytest.mark.parametrize("kind", ["ValueError", "SystemExit", "KeyboardInterrupt"])
def test_errors_of_the_protocol_are_reported_and_nothing_is_lost(kind: str) -> None:
    """Each callback may raise: the others come all the same."""
    program = """
        from twistlike.internet import protocol, reactor

        class P(protocol.ProcessProtocol):
            def connectionMade(self): raise ValueError("in connectionMade")
            def outReceived(self, data): raise ValueError("in outReceived")
            def outConnectionLost(self): raise ValueError("in outConnectionLost")
            def processExited(self, reason): raise ValueError("in processExited")
            def processEnded(self, reason):
                reactor.stop()
                raise ValueError("in processEnded")

        def begin():
            reactor.spawnProcess(P(), "/bin/echo", ["echo", "hi"])
        reactor.callWhenRunning(begin)
        reactor.run()
    """
    import textwrap

    transcript = runPython(["-c", textwrap.dedent(program).replace("ValueError", kind)])
    assert transcript.returncode == 0
    for name in ("connectionMade", "outReceived", "outConnectionLost", "processExited"):
        assert f"{kind}: in {name}" in transcript.stderr
    assert f"{kind}: in processEnded" in transcript.stderr


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_without_pidfd_a_thread_waits(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no pidfd the same comes, and the thread is gone afterwards."""
    monkeypatch.setattr(reaping, "_pidfd", lambda pid: -1)

    async def main(reactor: Any) -> list[Any]:
        protocol = sh(reactor, "exit 4")
        reason = await protocol.ended
        assert reason.exitCode == 4
        return protocol.events

    events = onReactor(kind, main)
    assert "exited" in events
    assert events[-1] == "ended"
    for thread in threading.enumerate():
        if thread.name.startswith("waits for process"):
            thread.join(10)
            assert not thread.is_alive()
    assert not zombies()


def test_reapAllProcesses_looks_now() -> None:
    """It tells those whose children have ended, with no turn of the loop between."""

    async def main(reactor: Any) -> list[Any]:
        protocol = Recorder()
        transport = reactor.spawnProcess(protocol, "/bin/true", ["true"], childFDs={})
        os.waitid(os.P_PID, transport.pid, os.WEXITED | os.WNOWAIT)
        assert protocol.events == ["made"]
        reapAllProcesses()
        return protocol.events

    assert onReactor("asyncio", main) == ["made", "exited", "ended"]


def test_a_child_that_somebody_else_has_waited_for_ends_all_the_same() -> None:
    """The protocol hears of the end, though nobody knows the exit code any more."""

    async def main(reactor: Any) -> Any:
        protocol = Recorder()
        transport = reactor.spawnProcess(protocol, "/bin/true", ["true"])
        os.waitpid(transport.pid, 0)
        return await protocol.ended

    reason = onReactor("asyncio", main)
    assert isinstance(reason, ProcessTerminated)
    assert reason.exitCode is None


def test_the_reactors_end_closes_the_pipes_and_leaves_no_zombie() -> None:
    """A child outlives the reactor: the protocol hears of it, and the child is reaped later."""
    descriptors = Descriptors()
    protocol = Recorder()
    reactor = Reactor()

    def begin() -> None:
        reactor.spawnProcess(protocol, "/bin/cat", ["cat"])
        reactor.stop()

    reactor.callWhenRunning(begin)
    reactor.run(installSignalHandlers=False)
    assert set(protocol.events) == {"made", 0, 1, 2, "ended"}
    assert protocol.events[-1] == "ended"
    for thread in threading.enumerate():
        if thread.name.startswith("waits for process"):
            thread.join(10)
            assert not thread.is_alive()
    assert not zombies()
    assert not descriptors.left()
    with pytest.raises(ProcessExitedAlready):
        protocol.transport.signalProcess("KILL")


def test_a_process_can_be_started_before_the_reactor_runs() -> None:
    """What it writes is read once the reactor runs."""
    reactor = Reactor()
    protocol = Recorder()
    reactor.spawnProcess(protocol, "/bin/echo", ["echo", "early"])
    protocol.ended.addCallback(lambda _: reactor.stop())
    reactor.run(installSignalHandlers=False)
    assert protocol.data == {1: b"early\n"}


def test_bad_calls_are_refused_by_name() -> None:
    """Another thread, no protocol, an unknown signal, text instead of bytes."""

    async def main(reactor: Any) -> None:
        errors: list[BaseException] = []

        def elsewhere() -> None:
            try:
                sh(reactor, "true")
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        assert isinstance(errors[0], WrongThreadError)
        with pytest.raises(TypeError, match="ProcessProtocol"):
            reactor.spawnProcess("cat", ["cat"])
        protocol = sh(reactor, "cat")
        with pytest.raises(ValueError, match="NOSUCH"):
            protocol.transport.signalProcess("NOSUCH")
        with pytest.raises(TypeError, match="bytes"):
            protocol.transport.write("text")
        with pytest.raises(TypeError, match="read here"):
            protocol.transport.writeToChild(1, b"x")
        with pytest.raises(NotImplementedError):
            protocol.transport.getPeer()

        def writeElsewhere() -> None:
            try:
                protocol.transport.write(b"not this")
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=writeElsewhere)
        thread.start()
        thread.join()
        assert isinstance(errors[1], WrongThreadError)
        protocol.transport.write(b"this")
        protocol.transport.closeStdin()
        await protocol.ended
        assert protocol.data == {1: b"this"}
        with pytest.raises(ValueError, match="'q'"):
            sh(reactor, "cat", childFDs={0: "w", 1: "q"})

    descriptors = Descriptors()
    onReactor("asyncio", main)
    assert not descriptors.left()


def test_a_loop_that_cannot_watch_descriptors_says_so() -> None:
    """On such a loop nothing is started, and nothing is left behind."""
    descriptors = Descriptors()

    async def main(reactor: Any) -> None:
        def refuse(*ignored: object) -> None:
            raise NotImplementedError

        loop = reactor._life.loop
        loop.add_reader = refuse
        try:
            with pytest.raises(NotImplementedError):
                sh(reactor, "exec sleep 30")
        finally:
            del loop.add_reader

    onReactor("asyncio", main)
    assert not zombies()
    assert not descriptors.left()


CONTEXTS = """
import asyncio, contextvars, sys
from twistlike.internet import protocol, reactor

where = contextvars.ContextVar("where", default="nowhere")

class Noting(protocol.ProcessProtocol):
    def note(self, *args):
        print(where.get())
    connectionMade = childConnectionLost = processExited = processEnded = note

async def start():
    where.set("where it was started")
    script, pty = sys.argv[1:]
    reactor.spawnProcess(Noting(), "/bin/sh", ["sh", "-c", script], usePTY=pty == "pty")

async def main():
    await asyncio.create_task(start())
    where.set("where the loop ends")
    await asyncio.sleep(0.3)

asyncio.run(main())
"""


@pytest.mark.parametrize("script", ["exec sleep 20", "true"])
@pytest.mark.parametrize("pty", ["pipes", "pty"])
def test_each_callback_has_the_context_of_the_start(script: str, pty: str) -> None:
    """Also those that come because the reactor ends first."""
    transcript = runPython(["-W", "error", "-c", CONTEXTS, script, pty])
    assert transcript.stderr == ""
    assert set(transcript.lines) == {"where it was started"}
