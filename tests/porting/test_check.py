"""`python -m twistlike check`: what it writes, how it ends, and what does not stop it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from tests.oracle import Transcript, runPython

CHECK = ["-W", "error", "-m", "twistlike", "check"]


def check(*arguments: str | Path, cwd: Path | None = None) -> Transcript:
    """Run the command."""
    return runPython([*CHECK, *map(str, arguments)], cwd=cwd)


def program(folder: Path, text: str | bytes, name: str = "program.py") -> Path:
    """Write a source file."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_each_use_is_a_line_with_its_place_and_state(tmp_path: Path) -> None:
    """A line says file, line and column, the name, the state, how it differs, what serves."""
    program(
        tmp_path,
        "from twisted.internet import reactor, defer\n"
        "from twisted.web import client\n"
        "é = 1; reactor.callLater(1, f); reactor.fooBar()\n",
    )
    transcript = check("program.py", cwd=tmp_path)
    lines = transcript.stdout.splitlines()
    assert lines[0] == "program.py:1:30: twisted.internet.reactor: covered"
    assert lines[1] == "program.py:1:39: twisted.internet.defer: covered"
    assert lines[2].startswith("program.py:2:25: twisted.web.client: from an installed Twisted")
    assert "aiohttp" in lines[2]
    assert lines[3].startswith("program.py:3:8: twisted.internet.reactor.callLater: differs: What")
    assert lines[4].startswith("program.py:3:33: twisted.internet.reactor.fooBar: not there")
    assert "1 file read, 0 not readable; 5 uses of Twisted" in lines
    assert "  twisted.internet.reactor.fooBar: 1 use" in lines
    assert (transcript.returncode, transcript.stderr) == (1, "")


@pytest.mark.parametrize(
    ("text", "options", "status"),
    [
        ("from twisted.internet import defer", [], 0),
        ("print('no Twisted')", [], 0),
        ("from twisted.web import client", [], 0),
        ("from twisted.web import client", ["--no-twisted"], 1),
        ("from twisted.nothing import x", [], 1),
        ("try:\n    import twisted.nothing\nexcept ImportError: pass", [], 0),
        ("try:\n    import twisted.web\nexcept ImportError: pass", ["--no-twisted"], 0),
        ("x = [namedAny('twisted.nothing'), importorskip('twisted.nothing')]", [], 1),
        ("x = = 1", [], 2),
        ("import twisted.nothing", ["--json"], 1),
        ("import twisted.nothing", ["--show", "covered"], 1),
    ],
)
def test_the_exit_status(tmp_path: Path, text: str, options: list[str], status: int) -> None:
    """0 if all is there, 1 if something is not, 2 if something could not be read."""
    transcript = check(program(tmp_path, text), *options)
    assert (transcript.returncode, transcript.stderr) == (status, "")


def test_json_has_all_of_it(tmp_path: Path) -> None:
    """`--json` is one object, whose fields a program can count on."""
    path = program(tmp_path, "from twisted.web import client\ndef f(reactor): reactor.addEvent")
    answer = json.loads(check(path, tmp_path / "gone", "--json").stdout)
    assert answer["version"] == 1
    assert answer["files"] == 1
    assert answer["summary"] == {
        "covered": 0,
        "differs": 0,
        "from an installed Twisted": sum("Twisted" in each["state"] for each in answer["uses"]),
        "not there": sum("not there" in each["state"] for each in answer["uses"]),
    }
    first = answer["uses"][0]
    assert (first["path"], first["line"], first["column"]) == (str(path), 1, 25)
    assert (first["name"], first["kind"]) == ("twisted.web.client", "import")
    assert (first["optional"], first["guess"]) == (False, False)
    assert [each["path"] for each in answer["unreadable"]] == [str(tmp_path / "gone")]


def test_only_some_states_are_shown(tmp_path: Path) -> None:
    """`--show` leaves lines out, not the summary; a state that is none is refused."""
    path = program(tmp_path, "from twisted.internet import defer\nimport twisted.nothing")
    shown = check(path, "--show", "missing,twisted").stdout
    assert "program.py:2:" in shown
    assert "program.py:1:" not in shown
    assert "2 uses of Twisted" in shown
    refused = check(path, "--show", "nix")
    assert refused.returncode == 2
    assert "'nix' is none of covered, differs, twisted, missing" in refused.stderr


def test_nothing_is_run(tmp_path: Path) -> None:
    """Source is read, neither imported nor run, whatever it does; nothing is left beside it."""
    path = program(tmp_path, "import twisted.web\nopen('ran', 'w')\nraise SystemExit(9)")
    assert check(path, cwd=tmp_path).returncode == 0
    assert [each.name for each in tmp_path.iterdir()] == ["program.py"]


def test_folders_are_searched(tmp_path: Path) -> None:
    """A folder stands for the source below it, each file once; environments are left out."""
    text = "import twisted.web"
    for name in ("a.py", "b/c.pyi", "b/d.tac", "b/e.txt", ".hidden/f.py", "env/lib/g.py"):
        program(tmp_path, text, name)
    (tmp_path / "env" / "pyvenv.cfg").touch()
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "again.py").symlink_to(tmp_path / "a.py")
    transcript = check(".", "a.py", cwd=tmp_path)
    assert "3 files read, 0 not readable" in transcript.stdout
    assert "b/d.tac:1:8: twisted.web" in transcript.stdout


UNREADABLE = {
    "syntax": (b"import twisted.web\nx = = 1\n", "invalid syntax (line 2)"),
    "encoding": (b"import twisted.web\nx = '\xff'\n", "utf-8"),
    "cookie": (b"# coding: nonsense\nimport twisted.web\n", "nonsense"),
    "null": (b"import twisted.web\n\0", "null bytes"),
    "utf16": ("import twisted.web\n".encode("utf-16"), ""),
    "nested": (b"import twisted.web\nx = " + b"(" * 5000 + b")" * 5000, "too many nested"),
    "deep": (b"import twisted.web\nx = " + b"-" * 200_000 + b"1", "deep"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_file_that_cannot_be_read_is_named_and_stops_nothing(tmp_path: Path, name: str) -> None:
    """It is listed with the reason, the others are read, and the status is 2."""
    content, reason = UNREADABLE[name]
    program(tmp_path, content, "a.py")
    program(tmp_path, "import twisted.web", "b.py")
    transcript = check(".", cwd=tmp_path)
    [line] = [each for each in transcript.stdout.splitlines() if "cannot be read" in each]
    assert line.startswith("./a.py: cannot be read: ")
    assert reason in line
    assert "./b.py:1:8: twisted.web" in transcript.stdout
    assert (transcript.returncode, transcript.stderr) == (2, "")


@pytest.mark.skipif(sys.platform == "win32", reason="makes what Windows has not")
def test_what_is_no_readable_file_is_named(tmp_path: Path) -> None:
    """Pipes, broken and circular links, huge files and missing paths are reasons, no hang."""
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "broken.py").symlink_to(tmp_path / "nowhere")
    (tmp_path / "circle.py").symlink_to(tmp_path / "circle.py")
    with open(tmp_path / "huge.py", "wb") as file:
        file.truncate(6_000_000)
    transcript = check(".", "missing", cwd=tmp_path)
    lines = {
        line.partition(": cannot be read: ")[0]: line.partition(": cannot be read: ")[2]
        for line in transcript.stdout.splitlines()
        if "cannot be read" in line
    }
    assert lines["./pipe.py"] == "not a regular file"
    assert lines["./broken.py"] == lines["missing"] == "No such file or directory"
    assert "symbolic links" in lines["./circle.py"]
    assert lines["./huge.py"] == "larger than 5,000,000 bytes"
    assert (transcript.returncode, transcript.stderr) == (2, "")


@pytest.mark.skipif(sys.platform != "linux", reason="needs file names that are any bytes")
def test_odd_file_names_are_shown(tmp_path: Path) -> None:
    """A name that is not in the file system's encoding is shown with backslashes, or in JSON."""
    path = os.fsencode(tmp_path) + b"/odd\xff\n.py"
    with open(path, "wb") as file:
        file.write(b"import twisted.web")
    assert "odd\\udcff" in check(tmp_path).stdout
    [use] = json.loads(check(tmp_path, "--json").stdout)["uses"]
    assert os.fsencode(use["path"]) == path


def test_warnings_about_the_source_are_not_shown(tmp_path: Path) -> None:
    """A `"\\d"` in somebody's source is not the concern of the person who checks it."""
    transcript = check(program(tmp_path, 'import twisted.web\nx = "\\d"\nx is 1\n'))
    assert (transcript.returncode, transcript.stderr) == (0, "")


@pytest.mark.skipif(sys.platform == "win32", reason="uses a shell")
def test_a_reader_that_goes_is_no_error(tmp_path: Path) -> None:
    """`check ... | head -1` ends in silence."""
    program(tmp_path, "import twisted.web\n" * 20_000)
    command = f"{sys.executable} -W error -m twistlike check {tmp_path} | head -1"
    transcript = runPython(
        ["-c", f"import subprocess; subprocess.run({command!r}, shell=True, check=True)"]
    )
    assert transcript.stdout.count("\n") == 1
    assert transcript.stderr == ""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal")
@pytest.mark.parametrize("hasRich", [True, False])
def test_a_progress_bar_on_a_terminal(tmp_path: Path, hasRich: bool) -> None:
    """Where standard error is a terminal and rich is there, a bar shows; else nothing does."""
    for number in range(30):
        program(tmp_path, "import twisted.web", f"m{number}.py")
    run = f"""
import os, pty, subprocess, sys
ours, theirs = pty.openpty()
hide = "import sys; sys.modules['rich'] = None; " if not {hasRich} else ""
code = hide + "from twistlike.__main__ import main; main(['check', {str(tmp_path)!r}])"
done = subprocess.run([sys.executable, "-c", code], stderr=theirs, stdout=subprocess.PIPE,
    env={{**os.environ, "TERM": "xterm"}})
os.close(theirs)
shown = b""
try:
    while data := os.read(ours, 4096):
        shown += data
except OSError:
    pass
print(done.returncode, b"checking" in shown, len(shown) == 0, b"30 files read" in done.stdout)
"""
    transcript = runPython(["-c", run])
    assert transcript.stdout.split() == ["0", str(hasRich), str(not hasRich), "True"]


def test_help_tells_the_states_and_the_status() -> None:
    """`check --help` explains; no path is an error that shows the usage."""
    assert "Exit status: 0" in check("--help").stdout
    wrong = check()
    assert wrong.returncode == 2
    assert "usage: python -m twistlike check" in wrong.stderr
