"""Real hosts: each runs in a process of its own, works, ends by itself, and writes no error."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest

from tests.oracle import Transcript, runPython

GUEST = """
import threading
from twistlike.internet import defer, reactor, threads

async def useTheReactor():
    loopThread = threading.get_ident()
    assert await threads.deferToThread(threading.get_ident) != loopThread
    fired = defer.Deferred()
    threads.deferToThread(reactor.callFromThread, fired.callback, "from a thread")
    assert await fired == "from a thread"
    fired = defer.Deferred()
    reactor.callLater(0.001, fired.callback, "later")
    return await fired

def farewell(out=print):
    gate = defer.Deferred()
    reactor.addSystemEventTrigger("before", "shutdown", lambda: gate)
    reactor.addSystemEventTrigger("before", "shutdown", reactor.callLater, 0.01, gate.callback, 1)
    reactor.addSystemEventTrigger("after", "shutdown", lambda: out("ended", gate.called))

def left():
    return [t.name for t in threading.enumerate() if t.name.startswith("PoolThread")]
"""


def host(program: str, *flags: str, **env: str) -> Transcript:
    """Run a host; it must end well and have nothing to complain about."""
    done = runPython(
        [*flags, "-W", "error", "-c", GUEST + textwrap.dedent(program)], timeout=100, env=env
    )
    assert done.stderr == ""
    assert done.returncode == 0
    return done


LOOPS = {
    "asyncio": "import asyncio\nrun = asyncio.run\n",
    "uvloop": "import uvloop\nrun = uvloop.run\n",
    # A machine under load makes slow callbacks, which debug mode reports: not what is asked here.
    "debug": textwrap.dedent(
        """
        import asyncio
        def run(main):
            async def start():
                asyncio.get_running_loop().slow_callback_duration = 60
                return await main
            return asyncio.run(start(), debug=True)
        """
    ),
    "runner": textwrap.dedent(
        """
        import asyncio
        def run(main):
            with asyncio.Runner() as runner:
                runner.run(asyncio.sleep(0))
                return runner.run(main)
        """
    ),
    "eager": textwrap.dedent(
        """
        import asyncio
        def run(main):
            async def start():
                asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
                return await asyncio.create_task(main)
            return asyncio.run(start())
        """
    ),
}


@pytest.mark.parametrize("loop", LOOPS)
def test_the_end_of_every_runner_is_heard(loop: str) -> None:
    """Under each way to run a main coroutine, twice in a process, the reactor works and ends."""
    if loop == "eager" and sys.version_info < (3, 12):
        pytest.skip("eager tasks came with Python 3.12")
    done = host(
        LOOPS[loop]
        + textwrap.dedent(
            """
            async def main():
                farewell()
                print(await useTheReactor(), reactor.running)
            for _ in range(2):
                run(main())
                print(left(), reactor)
            """
        )
    )
    assert done.stdout == "later True\nended True\n[] <Reactor ended>\n" * 2


@pytest.mark.parametrize("signals", [1, 2])
def test_the_runners_sigint_is_the_runners(signals: int) -> None:
    """asyncio.Runner's Ctrl-C works as ever: one cancels main, a second breaks its cleaning up."""
    done = host(
        f"""
        import asyncio, os, signal
        async def main():
            farewell()
            await useTheReactor()
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                print("cancelled")
                if {signals} == 2:
                    reactor.callFromThread(os.kill, os.getpid(), signal.SIGINT)
                    await asyncio.sleep(30)
                raise
        try:
            asyncio.run(main())
        except KeyboardInterrupt:
            print("interrupted")
        print(signal.getsignal(signal.SIGINT) is signal.default_int_handler, left())
        """
    )
    assert done.stdout == "cancelled\nended True\ninterrupted\nTrue []\n"


def test_fastapi_under_uvicorn() -> None:
    """A FastAPI service that uses the reactor in lifespan and requests runs twice in a process."""
    pytest.importorskip("fastapi")
    done = host(
        """
        import contextlib, json, urllib.request
        import fastapi, uvicorn

        @contextlib.asynccontextmanager
        async def lifespan(app):
            farewell()
            print("start", await useTheReactor())
            yield
            print("stop", reactor.running)

        def serve():
            app = fastapi.FastAPI(lifespan=lifespan)

            @app.get("/")
            async def root():
                return {"said": await useTheReactor()}

            config = uvicorn.Config(app, port=0, log_config=None, lifespan="on")
            server = uvicorn.Server(config)

            async def stopSoon():
                port = server.servers[0].sockets[0].getsockname()[1]
                def ask():
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as answer:
                        return json.load(answer)
                print(await threads.deferToThread(ask))
                server.should_exit = True

            async def main():
                import asyncio
                serving = asyncio.create_task(server.serve())
                while not server.started:
                    await asyncio.sleep(0.005)
                await stopSoon()
                await serving

            import asyncio
            asyncio.run(main())

        for _ in range(2):
            serve()
            print(left())
        """
    )
    once = "start later\n{'said': 'later'}\nstop True\nended True\n[]\n"
    assert done.stdout == once * 2


def test_uvicorns_own_run() -> None:
    """Under uvicorn.run, which owns the loop and the signals, SIGTERM ends service and reactor."""
    pytest.importorskip("uvicorn")
    done = host(
        """
        import asyncio, os, signal, uvicorn

        async def app(scope, receive, send):
            assert scope["type"] == "lifespan"
            await receive()
            farewell()
            print(await useTheReactor())
            reactor.callLater(0.2, os.kill, os.getpid(), signal.SIGTERM)
            await send({"type": "lifespan.startup.complete"})
            await receive()
            print("stop", reactor.running)
            await send({"type": "lifespan.shutdown.complete"})

        # uvicorn raises the signal again once it has ended in order.
        signal.signal(signal.SIGTERM, lambda *_: print("again"))
        uvicorn.run(app, port=0, log_config=None, lifespan="on")
        print(left(), reactor)
        """
    )
    # The signal comes again from within uvicorn's loop, before asyncio.run ends the reactor.
    assert done.stdout == "later\nstop True\nagain\nended True\n[] <Reactor ended>\n"


def test_ipythons_running_loop() -> None:
    """In IPython, whose loop runs only while a cell does, the reactor lives from cell to cell."""
    pytest.importorskip("IPython")
    cells = textwrap.dedent(
        """
        %autoawait asyncio
        print(await useTheReactor())
        out = []
        timer = reactor.callLater(0, out.append, "timer")
        reactor.callFromThread(out.append, "call")
        import asyncio
        await asyncio.sleep(0.01)
        print(sorted(out), reactor.running)
        """
    )
    done = runPython(
        [
            "-c",
            GUEST
            + textwrap.dedent(
                f"""
                from IPython.core.interactiveshell import InteractiveShell
                shell = InteractiveShell.instance()
                shell.push(dict(globals()))
                for cell in {cells.strip().splitlines()!r}:
                    result = shell.run_cell(cell)
                    result.raise_error()
                """
            ),
        ],
        timeout=100,
        env={"IPYTHONDIR": "/tmp/ipython-of-tests"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "later\n['call', 'timer'] True\n"
    assert "Traceback" not in done.stderr


def test_pytest_asyncio_with_a_loop_for_each_test(tmp_path: Path) -> None:
    """Under pytest-asyncio each test has a loop of its own, and the reactor attaches to each."""
    text = GUEST + textwrap.dedent(
        """
        import pytest

        @pytest.mark.asyncio
        @pytest.mark.parametrize("number", range(5))
        async def test_works(number):
            assert not left()
            farewell(out=lambda *ignored: None)
            assert await useTheReactor() == "later"

        def test_nothing_is_left():
            assert not left()
            assert repr(reactor) == "<Reactor ended>"
        """
    )
    path = str(tmp_path / "test_guest.py")
    (tmp_path / "test_guest.py").write_text(text)
    options = ["-W", "error", "-o", "asyncio_default_fixture_loop_scope=function"]
    done = runPython(
        ["-m", "pytest", "-q", "-p", "no:cacheprovider", *options, path, f"--rootdir={tmp_path}"],
        timeout=100,
    )
    assert done.returncode == 0, done.stdout
    assert "6 passed" in done.stdout


def test_a_host_that_forgets_to_say_farewell() -> None:
    """A host that never closes its loop: the process still ends, silently."""
    done = host(
        """
        import asyncio
        loop = asyncio.new_event_loop()
        print(loop.run_until_complete(useTheReactor()))
        loop.close()
        print(reactor)
        """
    )
    assert done.stdout == "later\n<Reactor ended>\n"


def test_sigint_ends_a_reactor_that_runs() -> None:
    """In run mode Ctrl-C fires the shutdown events, run() returns, the handler is given back."""
    done = host(
        """
        import os, signal
        farewell()
        reactor.callLater(0.01, os.kill, os.getpid(), signal.SIGINT)
        reactor.run()
        print(signal.getsignal(signal.SIGINT) is signal.default_int_handler, left())
        """
    )
    assert done.stdout == "ended True\nTrue []\n"
