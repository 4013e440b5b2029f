"""The command line: a program runs under it as it does under ``python``."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import twistlike
from tests.oracle import ROOT, Transcript, runPython

RUN = ["-m", "twistlike", "run"]

SHOW = """
import sys, threading
def show():
    spec = __spec__ and (__spec__.name, __spec__.parent)
    print(__name__, __file__, __package__, spec, sys.argv, sys.path[0], __builtins__)
    print(__doc__, type(__loader__).__name__, sys.modules["__main__"].show is show)
show()
"""


def python(*arguments: str, cwd: Path) -> Transcript:
    """Run the interpreter in a folder."""
    return runPython(arguments, cwd=cwd)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a script, a module in a package, a folder and a zip file that can be run."""
    work = tmp_path.resolve() / "work"
    for name in ("script.py", "sub/script.py", "package/__main__.py", "package/module.py"):
        path = work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('"""The text."""\n' + SHOW, encoding="utf-8")
    (work / "package/__init__.py").touch()
    with zipfile.ZipFile(work / "app.zip", "w") as archive:
        archive.writestr("__main__.py", SHOW)
    (work / "link.py").symlink_to(work / "sub/script.py")
    return work


@pytest.mark.parametrize(
    "arguments",
    [
        ["script.py"],
        ["script.py", "a", "--loop", "-m", "--help"],
        ["sub/script.py"],
        ["./sub/../script.py", "--", "x"],
        ["link.py"],
        ["sub/../package"],
        ["app.zip", "x"],
        ["-m", "script", "-v"],
        ["-m", "package"],
        ["-m", "package.module", "x"],
    ],
)
def test_a_program_sees_what_it_sees_under_python(folder: Path, arguments: list[str]) -> None:
    """argv, ``sys.path[0]`` and the names of ``__main__`` are those that Python gives."""
    expected = python(*arguments, cwd=folder)
    assert expected.returncode == 0, expected.stderr
    assert python(*RUN, *arguments, cwd=folder) == expected


def test_safe_path_mode_adds_no_folder(folder: Path) -> None:
    """With ``python -P`` the script's folder is not importable, as in ``python -P SCRIPT``."""
    (folder / "script.py").write_text("import sys; print(sys.path)", encoding="utf-8")
    assert python("-P", *RUN, "script.py", cwd=folder) == python("-P", "script.py", cwd=folder)


@pytest.mark.parametrize(
    "body",
    [
        "raise SystemExit(7)",
        "raise SystemExit('a message')",
        "raise SystemExit",
        "def f():\n    raise ValueError('wrong')\nf()",
        "raise KeyboardInterrupt",
        "x = = 1",
        "# coding: utf-8\nx = 'é'\nprint(ascii(x))",
        "# coding: latin-1\nx = 'é'\nprint(ascii(x))",
        "import sys\nsys.excepthook = lambda *a: print('hook', a[1], a[2].tb_lineno)\n1/0",
        "try:\n    1/0\nexcept Exception as e:\n    raise KeyError('k') from e",
        "def f(x: int): pass\nprint(f.__annotations__, 7 / 2)",
        "import atexit\natexit.register(lambda: print('at exit', __name__))\n1/0",
        "import threading\nt = threading.Timer(0.2, lambda: print('later', __name__)); t.start()",
    ],
)
def test_a_program_ends_as_it_does_under_python(folder: Path, body: str) -> None:
    """Output, traceback, exit code, also by a signal, are those that Python gives."""
    (folder / "script.py").write_text(body, encoding="utf-8")
    assert python(*RUN, "script.py", cwd=folder) == python("script.py", cwd=folder)


def test_an_excepthook_that_fails_is_reported(folder: Path) -> None:
    """A program's own excepthook that raises is shown by the interpreter, with the first error."""
    body = "import sys\nsys.excepthook = lambda *a: [][0]\n1/0"
    (folder / "script.py").write_text(body, encoding="utf-8")
    transcript = python(*RUN, "script.py", cwd=folder)
    assert transcript.returncode == 1
    assert transcript.stderr.startswith("Error in sys.excepthook:\n")
    assert "Original exception was:\n" in transcript.stderr
    assert transcript.stderr.rstrip().endswith("ZeroDivisionError: division by zero")


def test_a_module_that_cannot_be_compiled_is_shown_alone(folder: Path) -> None:
    """``-m`` of a module with a syntax error shows that error and no frame of ours."""
    (folder / "broken.py").write_text("x = = 1", encoding="utf-8")
    transcript = python(*RUN, "-m", "broken", cwd=folder)
    assert transcript.returncode == 1
    assert transcript.stderr.startswith(f'  File "{folder / "broken.py"}", line 1\n')
    assert transcript.stderr.rstrip().endswith("SyntaxError: invalid syntax")


def test_two_dashes_end_the_options(folder: Path) -> None:
    """``--`` before the script: what follows is its name, whatever it begins with."""
    (folder / "-script.py").write_text("import sys; print(sys.argv)", encoding="utf-8")
    transcript = python(*RUN, "--", "-script.py", "--", "x", cwd=folder)
    assert transcript.stdout == "['-script.py', '--', 'x']\n"


def test_a_twisted_that_is_imported_already_is_refused(folder: Path) -> None:
    """Where something has imported the real Twisted before, the command says so."""
    program = "import twisted.internet; from twistlike.__main__ import main; main(['run', 'x.py'])"
    transcript = python("-c", program, cwd=folder)
    assert transcript.returncode == 1
    assert transcript.stderr.startswith("twistlike: the real Twisted is already imported")
    assert transcript.stderr.count("\n") == 1


def test_imports_of_twisted_give_twistlike(folder: Path) -> None:
    """The program's imports of ``twisted`` are ours, and it can be pickled from."""
    (folder / "script.py").write_text(
        "import pickle\n"
        "from twisted.internet import error\n"
        "class Mine(error.ReactorNotRunning): pass\n"
        "print(error.__name__, type(pickle.loads(pickle.dumps(Mine()))) is Mine)\n",
        encoding="utf-8",
    )
    assert python(*RUN, "script.py", cwd=folder).stdout == "twistlike.internet.error True\n"


def test_nothing_but_the_standard_library_is_needed(folder: Path) -> None:
    """A program runs where no package is installed: neither Twisted nor anything else."""
    (folder / "script.py").write_text(
        "from twisted.internet import defer, reactor, threads\n"
        "d = threads.deferToThread(int, '7').addCallback(print)\n"
        "d.addCallback(lambda _: reactor.stop())\n"
        "reactor.run()\n"
        "import twisted.web\n",
        encoding="utf-8",
    )
    transcript = python("-S", *RUN, "script.py", cwd=folder)
    assert transcript.stdout == "7\n"
    assert "has no module 'twisted.web'" in transcript.stderr


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_the_loop_is_the_one_that_was_asked_for(folder: Path, loop: str) -> None:
    """``--loop`` chooses the loop that ``reactor.run()`` makes."""
    (folder / "script.py").write_text(
        "import asyncio\n"
        "from twisted.internet import reactor\n"
        "def show():\n"
        "    print(type(asyncio.get_running_loop()).__module__.partition('.')[0])\n"
        "    reactor.stop()\n"
        "reactor.callWhenRunning(show)\n"
        "reactor.run()\n",
        encoding="utf-8",
    )
    transcript = python(*RUN, "--loop", loop, "script.py", cwd=folder)
    assert transcript == Transcript(f"{loop}\n", "", 0)
    assert python(*RUN, f"--loop={loop}", "script.py", cwd=folder) == transcript


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run"], 2, "run needs a script"),
        (["run", "--loop"], 2, "--loop needs a value"),
        (["run", "--loop", "trio", "script.py"], 2, "--loop is one of asyncio, uvloop, not 'trio'"),
        (["run", "-x", "script.py"], 2, "unknown option '-x'"),
        (["walk", "script.py"], 2, "unknown command 'walk'"),
        (["run", "missing.py"], 2, "missing.py': No such file or directory"),
        (["run", "sub"], 1, "can't find '__main__' module in "),
        (["run", "-m", "nosuchmodule"], 1, "can't run module 'nosuchmodule'"),
        (["run", "--no-twisted", "-m", "twisted.trial"], 1, "Instead: pytest"),
    ],
)
def test_a_command_that_cannot_be_carried_out_says_why(
    folder: Path, arguments: list[str], code: int, message: str
) -> None:
    """One line on standard error, and an exit code as Python's own."""
    transcript = python("-m", "twistlike", *arguments, cwd=folder)
    assert (transcript.returncode, transcript.stdout) == (code, "")
    assert transcript.stderr.startswith("twistlike: ")
    assert message in transcript.stderr
    assert transcript.stderr.count("\n") == 1


def test_uvloop_that_is_not_installed_is_said(folder: Path) -> None:
    """Without uvloop, ``--loop uvloop`` names the package to install."""
    (folder / "uvloop.py").write_text("raise ImportError('no uvloop here')", encoding="utf-8")
    transcript = python(*RUN, "--loop", "uvloop", "script.py", cwd=folder)
    assert transcript.returncode == 2
    assert "pip install 'twistlike[uvloop]'" in transcript.stderr


def test_version_and_help() -> None:
    """``--version`` and ``--help`` answer on standard output."""
    assert runPython(["-m", "twistlike", "--version"]).stdout == (
        f"twistlike {twistlike.__version__}\n"
    )
    for arguments in (["--help"], ["run", "--help"]):
        transcript = runPython(["-m", "twistlike", *arguments])
        assert transcript.stdout.startswith("usage: python -m twistlike run ")
        assert transcript.returncode == 0
    assert runPython(["-m", "twistlike"]).returncode == 2


def test_the_installed_command_is_the_same(folder: Path) -> None:
    """The entry point of an installation behaves as ``python -m twistlike``."""
    command = folder / "bin" / "twistlike"
    command.parent.mkdir()
    command.write_text("from twistlike.__main__ import main; main()", encoding="utf-8")
    expected = python("script.py", "x", cwd=folder)
    assert python(str(command), "run", "script.py", "x", cwd=folder) == expected
    expected = python("-m", "package", "x", cwd=folder)
    assert python(str(command), "run", "-m", "package", "x", cwd=folder) == expected


def test_ctrl_c_ends_a_program_that_does_not_run_the_reactor(folder: Path) -> None:
    """SIGINT in the program's own code is a KeyboardInterrupt that ends it, as under Python."""
    (folder / "script.py").write_text(
        "import os, signal, threading\n"
        "os.kill(os.getpid(), signal.SIGINT)\n"
        "threading.Event().wait(20)\n",
        encoding="utf-8",
    )
    ours = python(*RUN, "script.py", cwd=folder)
    assert ours.stderr.rstrip().endswith("KeyboardInterrupt")
    assert "twistlike" not in ours.stderr.replace(str(ROOT), "")
    assert ours.returncode == python("script.py", cwd=folder).returncode


@pytest.mark.skipif(sys.platform == "win32", reason="closes a descriptor as a shell does")
def test_help_needs_no_standard_input(folder: Path) -> None:
    """The command line works where standard input is closed."""
    command = f"{sys.executable} -m twistlike run script.py <&-"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, shell=True, cwd=folder, env=env, capture_output=True, timeout=100
    )
    assert (done.returncode, done.stderr) == (0, b"")
