"""Parts of Twisted beside the web: databases, services, processes, datagrams, UNIX, log, files."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.oracle import runPython
from tests.overlay.with_twisted.programs import inHost, inRun, onEachLoop


@onEachLoop
def test_adbapi_on_sqlite(loop: str) -> None:
    """A ConnectionPool runs queries and interactions in its threads."""
    program = """
        from twisted.enterprise import adbapi
        from twisted.internet import defer, task

        def fill(cursor):
            cursor.execute("create table t (a integer)")
            cursor.executemany("insert into t values (?)", [(1,), (2,)])
            return "filled"

        async def main(reactor):
            pool = adbapi.ConnectionPool("sqlite3", "base.db", check_same_thread=False)
            print(await pool.runInteraction(fill))
            print(await pool.runQuery("select sum(a) from t"))
            await pool.runOperation("insert into t values (3)")
            print(await pool.runQuery("select sum(a) from t"))
            try:
                await pool.runQuery("select * from nowhere")
            except Exception as error:
                print(type(error).__name__)
            pool.close()

        task.react(lambda reactor: defer.ensureDeferred(main(reactor)))
    """
    assert inRun(program, loop) == "filled\n[(3,)]\n[(6,)]\nOperationalError\n"


@onEachLoop
def test_child_processes_in_both_modes(loop: str) -> None:
    """getProcessOutput ends in run mode, and in a host's loop, where no SIGCHLD is taken."""
    program = """
        import asyncio, signal, sys
        from twisted.internet import defer, reactor, task, utils
        from twisted.internet.protocol import ProcessProtocol

        class Ended(ProcessProtocol):
            def __init__(self):
                self.done = defer.Deferred()
            def processEnded(self, reason):
                self.done.callback(reason.value.exitCode)

        async def work():
            out = await utils.getProcessOutput(sys.executable, ["-c", "print('child')"])
            ended = Ended()
            reactor.spawnProcess(ended, "/bin/sh", ["sh", "-c", "exit 3"])
            print(out, await ended.done, signal.getsignal(signal.SIGCHLD) is signal.SIG_DFL)
    """
    run = "task.react(lambda reactor: defer.ensureDeferred(work()))"
    host = "runHost(work)\nrunHost(work)"
    assert inRun(textwrap.dedent(program) + run, loop) == "b'child\\n' 3 True\n"
    assert inHost(textwrap.dedent(program) + host, loop) == "b'child\\n' 3 True\n" * 2


@onEachLoop
def test_datagrams_and_unix_sockets(loop: str) -> None:
    """listenUDP, listenUNIX and connectUNIX move bytes, with Twisted's protocols and endpoints."""
    program = """
        from twisted.internet import defer, endpoints, protocol, task
        from twisted.protocols.basic import LineReceiver

        class Echo(protocol.DatagramProtocol):
            def datagramReceived(self, data, address):
                self.transport.write(data.upper(), address)

        class Ask(protocol.DatagramProtocol):
            def __init__(self, port):
                self.port, self.answer = port, defer.Deferred()
            def startProtocol(self):
                self.transport.connect("127.0.0.1", self.port)
                self.transport.write(b"datagram")
            def datagramReceived(self, data, address):
                self.answer.callback(data)

        class Shout(LineReceiver):
            def lineReceived(self, line):
                self.sendLine(line.upper())

        class Line(LineReceiver):
            def __init__(self):
                self.answer = defer.Deferred()
            def lineReceived(self, line):
                self.answer.callback(line)

        async def main(reactor):
            port = reactor.listenUDP(0, Echo(), interface="127.0.0.1")
            ask = Ask(port.getHost().port)
            client = reactor.listenUDP(0, ask, interface="127.0.0.1")
            print(await ask.answer)
            await client.stopListening()
            await port.stopListening()
            server = endpoints.serverFromString(reactor, "unix:s")
            port = await server.listen(protocol.Factory.forProtocol(Shout))
            endpoint = endpoints.clientFromString(reactor, "unix:s")
            line = await endpoints.connectProtocol(endpoint, Line())
            line.sendLine(b"unix")
            print(await line.answer)
            line.transport.loseConnection()
            await port.stopListening()

        task.react(lambda reactor: defer.ensureDeferred(main(reactor)))
    """
    assert inRun(program, loop) == "b'DATAGRAM'\nb'UNIX'\n"


@onEachLoop
def test_errors_nobody_handles_are_twisteds_events(loop: str) -> None:
    """Two events for a Deferred, in the namespace of Twisted's module; one for a call's error."""
    program = """
        import gc
        from twisted.internet import defer, reactor
        from twisted.logger import globalLogPublisher, globalLogBeginner

        def show(event):
            failure = event.get("log_failure")
            level = event["log_level"].name
            if level == "critical":
                print(event["log_namespace"], event["log_format"][:27], event.get("isError"),
                      failure and failure.type.__name__)

        globalLogBeginner.beginLoggingTo([show], redirectStandardIO=False)

        def lose():
            defer.fail(ZeroDivisionError())
            gc.collect()

        def fail():
            raise KeyError("of a timer")

        reactor.callLater(0, lose)
        reactor.callLater(0.01, fail)
        reactor.callLater(0.02, reactor.stop)
        reactor.run()
    """
    first, second, third = inRun(program, loop).splitlines()
    assert first == "twisted.internet.defer Unhandled error in Deferred True None"
    assert second.startswith("twisted.internet.defer")
    assert second.endswith("ZeroDivisionError")
    assert third.endswith("KeyError")


@onEachLoop
def test_a_service_run_by_twistd(tmp_path: Path, loop: str) -> None:
    """`run -m twisted.scripts.twistd -ny` runs an application, with its log, and ends it."""
    (tmp_path / "app.tac").write_text(
        "from twisted.application import service, internet\n"
        "from twisted.internet import reactor\n"
        "class Once(service.Service):\n"
        "    def startService(self):\n"
        "        super().startService()\n"
        "        reactor.callLater(0, reactor.stop)\n"
        "    def stopService(self):\n"
        "        print('service stopped')\n"
        "        return super().stopService()\n"
        "application = service.Application('once')\n"
        "top = service.MultiService()\n"
        "top.setServiceParent(application)\n"
        "Once().setServiceParent(top)\n"
        "internet.TimerService(60, print, 'timer').setServiceParent(top)\n"
    )
    (tmp_path / "twistd.py").write_text("from twisted.scripts.twistd import run\nrun()\n")
    command = ["-m", "twistlike", "run", "--loop", loop, str(tmp_path / "twistd.py")]
    transcript = runPython([*command, "-noy", "app.tac"], cwd=tmp_path)
    assert (transcript.returncode, transcript.stderr) == (0, "")
    assert "timer" in transcript.stdout
    assert "service stopped" in transcript.stdout
    assert "AsyncioSelectorReactor" in transcript.stdout


def test_files_and_addresses_are_twisteds() -> None:
    """FilePath and URLPath are there; addresses are attrs classes, as Twisted's code takes them."""
    program = """
        import attr
        from twisted.internet import defer, protocol, task
        from twisted.internet.address import IPv4Address
        from twisted.python.filepath import FilePath
        from twisted.python.urlpath import URLPath

        async def main(reactor):
            FilePath("x").setContent(b"content")
            print(FilePath("x").getContent(), URLPath.fromString("http://a/b").child(b"c"))
            port = reactor.listenTCP(0, protocol.Factory(), interface="127.0.0.1")
            print(type(port.getHost()) is IPv4Address, attr.evolve(port.getHost(), port=1))
            await port.stopListening()

        task.react(lambda reactor: defer.ensureDeferred(main(reactor)))
    """
    shown = "IPv4Address(type='TCP', host='127.0.0.1', port=1)"
    assert inRun(program, "asyncio") == f"b'content' http://a/b/c\nTrue {shown}\n"


def test_the_reactor_declares_what_it_provides() -> None:
    """zope.interface knows the reactor, the clock and delayed calls."""
    program = """
        from twisted.internet import interfaces, reactor, task
        names = '''Core Time Threads FDSet TCP UDP Multicast SSL UNIX UNIXDatagram Process Socket
            PluggableNameResolver PluggableResolver FromThreads InThreads'''
        for name in names.split():
            assert getattr(interfaces, f"IReactor{name}").providedBy(reactor), name
        assert interfaces.IReactorTime.providedBy(task.Clock())
        call = reactor.callLater(5, print)
        assert interfaces.IDelayedCall.providedBy(call)
        call.cancel()
        import sys
        assert sys.modules["twisted.internet.reactor"] is reactor
        print(type(reactor).__name__, type(reactor).__module__)
    """
    assert inRun(program, "asyncio") == ("AsyncioSelectorReactor twisted.internet.asyncioreactor\n")


@pytest.mark.parametrize("name", ["epollreactor", "selectreactor", "pollreactor", "default"])
def test_other_reactors_install_ours(name: str) -> None:
    """`install()` of another reactor gives ours, keeps its own name, and refuses a second time."""
    program = f"""
        import sys
        from twisted.internet import error, {name}
        assert {name}.install.__module__.startswith("twisted.internet.")
        {name}.install()
        from twisted.internet import reactor
        print(type(reactor).__name__)
        try:
            {name}.install()
        except error.ReactorAlreadyInstalledError:
            print("refused")
    """
    assert inRun(program, "asyncio") == "AsyncioSelectorReactor\nrefused\n"


@onEachLoop
def test_the_asyncio_reactor_is_installed(loop: str) -> None:
    """`asyncioreactor.install()` puts the reactor where pytest-twisted and Scrapy look for it."""
    program = """
        import sys
        from twisted.internet import asyncioreactor
        asyncioreactor.install()
        import twisted.internet
        assert twisted.internet.reactor is sys.modules["twisted.internet.reactor"]
        print(isinstance(twisted.internet.reactor, asyncioreactor.AsyncioSelectorReactor))
    """
    assert inRun(program, loop) == "True\n"


def test_too_late_is_refused() -> None:
    """A program that has imported Twisted is told what to do instead."""
    program = "import twisted.internet.defer, twistlike.overlay as o\no.install()"
    transcript = runPython(["-c", program])
    assert transcript.returncode == 1
    assert "call twistlike.overlay.install() before anything imports twisted" in transcript.stderr


def test_without_a_twisted_the_extra_is_named() -> None:
    """Where no Twisted is installed, a module of it is an error that says what to install."""
    hidden = "import sys; from importlib.machinery import PathFinder as P; f = P.find_spec\n"
    hidden += (
        "P.find_spec = classmethod(lambda c, n, p=None, t=None: "
        "None if n.split('.')[0] == 'twisted' else f(n, p, t))\n"
    )
    program = hidden + "from twistlike import overlay; overlay.install(); import twisted.web"
    transcript = runPython(["-c", program])
    assert transcript.returncode == 1
    assert "pip install 'twistlike[twisted]'" in transcript.stderr, transcript.stderr


def test_trial_and_its_flush_of_errors(tmp_path: Path) -> None:
    """`run -m twisted.trial` runs Deferred tests, finds left errors, gives back flushed ones."""
    (tmp_path / "test_it.py").write_text(
        "from twisted.internet import defer, reactor, task, threads\n"
        "from twisted.trial import unittest\n"
        "class T(unittest.TestCase):\n"
        "    def test_later(self):\n"
        "        return task.deferLater(reactor, 0)\n"
        "    async def test_thread(self):\n"
        "        self.assertEqual(3, await threads.deferToThread(lambda: 3))\n"
        "    def test_flush(self):\n"
        "        defer.fail(ZeroDivisionError())\n"
        "        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))\n"
        "    def test_left(self):\n"
        "        defer.fail(ZeroDivisionError())\n"
    )
    transcript = runPython(
        ["-m", "twistlike", "run", "-m", "twisted.trial", "test_it"], cwd=tmp_path
    )
    assert "FAILED (errors=1, successes=3)" in transcript.stdout, transcript.stdout
    assert transcript.stderr == ""
