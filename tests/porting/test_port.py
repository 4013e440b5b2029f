"""`python -m twistlike port`: what it changes, what it leaves, and how it writes."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.oracle import ROOT, Transcript, runPython
from twistlike.porting.rewriting import rewrite

PORT = ["-W", "error", "-m", "twistlike", "port"]


def port(*arguments: str | Path, cwd: Path | None = None) -> Transcript:
    """Run the command."""
    return runPython([*PORT, *map(str, arguments)], cwd=cwd)


def ported(source: str) -> str:
    """A program after it was ported, which a second port must leave as it is."""
    text = textwrap.dedent(source).encode()
    done = rewrite(text)
    compile(done.source, "ported", "exec", dont_inherit=True)
    again = rewrite(done.source)
    assert again.source == done.source, "a second run changes it"
    assert len(again.left) == len(done.left)
    return done.source.decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("import twisted.internet.defer", "import twistlike.internet.defer"),
        ("import twisted.internet.defer as d", "import twistlike.internet.defer as d"),
        (
            "import os, twisted.internet.task as t, re",
            "import os, twistlike.internet.task as t, re",
        ),
        ("from twisted.internet import defer", "from twistlike.internet import defer"),
        ("from  twisted . internet  import defer", "from  twistlike . internet  import defer"),
        (
            "from twisted.internet.defer import Deferred, fail as f",
            "from twistlike.internet.defer import Deferred, fail as f",
        ),
        ("from twisted.internet.defer import *", "from twistlike.internet.defer import *"),
        ("from twisted.internet import (defer,)", "from twistlike.internet import (defer,)"),
        ("from twisted import internet", "from twistlike import internet"),
        ("try: import twisted\nexcept: x", "try: import twistlike\nexcept: x"),
        (
            "import twisted.internet.defer\ntwisted.internet.defer.fail()  # twisted.x",
            "import twistlike.internet.defer\ntwistlike.internet.defer.fail()  # twisted.x",
        ),
        (
            "import twisted.internet.defer\nx: 'twisted.internet.defer.Deferred[int]'",
            "import twistlike.internet.defer\nx: 'twistlike.internet.defer.Deferred[int]'",
        ),
        (
            "import twisted.internet.defer as d\ndef f() -> 'd.x': 'twisted.internet.defer'",
            "import twistlike.internet.defer as d\ndef f() -> 'd.x': 'twisted.internet.defer'",
        ),
        ("patch('twisted.internet.defer.fail')", "patch('twistlike.internet.defer.fail')"),
        ('patch(r"twisted.internet.defer")', 'patch(r"twistlike.internet.defer")'),
        ("importorskip('twisted')", "importorskip('twistlike')"),
        (
            "from twisted.internet import reactor\nreactor.listenTCP(1, f)",
            "from twistlike.internet import reactor\nreactor.listenTCP(1, f)",
        ),
    ],
)
def test_what_is_ours_is_renamed(before: str, after: str) -> None:
    """Imports, the dotted names that they bring, and strings that name modules are changed."""
    assert ported(before) == after


@pytest.mark.parametrize(
    "source",
    [
        "import twisted.web.client",
        "from twisted.web import client, server",
        "from . import twisted",
        "x = 'twisted.internet.defer'  # twisted.internet.defer",
        "getLogger('twisted.internet.defer')",
        "import twisted\ntwisted.__version__",
        "import twisted\nimport twisted.web\ntwisted.internet.defer.fail",
        "from twisted.internet import base\nbase.ReactorBase",
        "def f(twisted): twisted.internet.defer.fail",
        "patch('twisted.web.client.Agent')",
        "print('no Twisted')",
        "",
    ],
)
def test_what_is_not_ours_stays(source: str) -> None:
    """What only Twisted has stays its, and so do comments, prose, settings and other names."""
    assert ported(source) == source


def test_a_module_that_is_used_only_partly_here_stays() -> None:
    """A module of which a file uses what only Twisted has cannot be ours in that file."""
    source = "from twisted.internet import base\nbase.{}\n"
    assert ported(source.format("DelayedCall")).startswith("from twistlike.internet")
    assert ported(source.format("ReactorBase")) == source.format("ReactorBase")


def test_a_quoted_annotation_keeps_the_import_that_it_needs() -> None:
    """Of the dotted names in an annotation each goes to the package that has it."""
    assert ported("""
        import twisted.internet.base
        def f(x: Union['twisted.internet.base.ReactorBase', "twisted.internet.base.DelayedCall"]):
            pass
        def g() -> 'dict[twisted.internet.base.DelayedCall, twisted.internet.base.BasePort]': pass
    """) == textwrap.dedent("""
        import twistlike.internet.base, twisted.internet.base
        def f(x: Union['twisted.internet.base.ReactorBase', "twistlike.internet.base.DelayedCall"]):
            pass
        def g() -> 'dict[twistlike.internet.base.DelayedCall, twisted.internet.base.BasePort]': pass
    """)


def test_a_dotted_import_can_be_needed_twice() -> None:
    """`import twisted.x` becomes two imports where a file uses names of both."""
    assert ported("""
        import twisted.internet.base
        twisted.internet.base.DelayedCall
        twisted.internet.base.ReactorBase
    """) == textwrap.dedent("""
        import twistlike.internet.base, twisted.internet.base
        twistlike.internet.base.DelayedCall
        twisted.internet.base.ReactorBase
    """)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "from twisted.internet import defer, inotify, task\n",
            "from twistlike.internet import defer, task\nfrom twisted.internet import inotify\n",
        ),
        (
            "# above\nfrom twisted.internet import defer, inotify  # why\nx = 1\n",
            (
                "# above\nfrom twistlike.internet import defer  # why\n"
                "from twisted.internet import inotify\nx = 1\n"
            ),
        ),
        (
            "from twisted.internet import defer, inotify  # noqa: F401\n",
            (
                "from twistlike.internet import defer  # noqa: F401\n"
                "from twisted.internet import inotify  # noqa: F401\n"
            ),
        ),
        (
            (
                "from twisted.internet import (\n"
                "  defer as d,  # D\n  inotify,  # S\n  task,  # T\n)\n"
            ),
            (
                "from twistlike.internet import (\n  defer as d,  # D\n  task,  # T\n)\n"
                "from twisted.internet import (\n  inotify,  # S\n)\n"
            ),
        ),
        (
            (
                "from twisted.internet import (\n"
                "    inotify,  # S\n    defer,  # D\n    serialport  # T\n)\n"
            ),
            (
                "from twistlike.internet import (\n    defer  # D\n)\n"
                "from twisted.internet import (\n    inotify,  # S\n    serialport  # T\n)\n"
            ),
        ),
        (
            "from twisted.internet import (\n  defer,\n  inotify,  # S\n)\n",
            (
                "from twistlike.internet import (\n  defer,\n)\n"
                "from twisted.internet import (\n  inotify,  # S\n)\n"
            ),
        ),
        (
            "from twisted.internet import (\n  defer,\n  # about s\n  inotify,  # S\n)\n",
            (
                "from twistlike.internet import (\n  defer,\n  # about s\n)\n"
                "from twisted.internet import (\n  inotify,  # S\n)\n"
            ),
        ),
        (
            "from twisted.internet import (defer,\n                              inotify)\n",
            "from twistlike.internet import (defer)\nfrom twisted.internet import (inotify)\n",
        ),
        (
            "from twisted.internet import defer, \\\n    inotify\n",
            "from twistlike.internet import defer\nfrom twisted.internet import inotify\n",
        ),
        (
            "if x: from twisted.internet import defer, inotify\n",
            "if x: from twistlike.internet import defer; from twisted.internet import inotify\n",
        ),
        (
            "from twisted.internet import defer, inotify; y = 2\n",
            "from twistlike.internet import defer; from twisted.internet import inotify; y = 2\n",
        ),
        (
            "def f():\n\tfrom twisted.internet import defer, inotify\n\treturn inotify\n",
            (
                "def f():\n\tfrom twistlike.internet import defer\n"
                "\tfrom twisted.internet import inotify\n\treturn inotify\n"
            ),
        ),
    ],
)
def test_an_import_of_both_is_divided(before: str, after: str) -> None:
    """Each half keeps its names' comments and layout; a comment for tools goes with both."""
    assert ported(before) == after


@pytest.mark.parametrize(
    "source",
    [
        b"\xef\xbb\xbffrom twisted.internet import defer\n",
        b"# coding: latin-1\nx = '\xe9'; from twisted.internet import defer\n",
        b"from twisted.internet import defer\r\nx = 1\r\n",
        b"x = 1\r\nfrom twisted.internet import defer\ny = 2",
        b"x = 1\n\x0c\nfrom twisted.internet import defer  \n\n\n",
        b"def f():\n    x = 1\n\x0c\n\x0c\n    import twisted.internet.defer\n'''\\n\\x0c\\n'''\n",
        "é = 'ß\x0b'; import twisted.internet.defer; twisted.internet.defer.fail".encode(),
        b"x = '''\r\n'''\nif 1:\n  from twisted.internet import defer\n",
    ],
)
def test_all_other_bytes_stay(source: bytes) -> None:
    """Encodings, byte order marks, line ends, tabs and white space are those of the file."""
    assert rewrite(source).source == source.replace(b"twisted", b"twistlike")


@pytest.mark.parametrize("end", [b"\rx = 1\r", b"\n\x0cx = 1\n"])
def test_what_libcst_would_change_is_refused(end: bytes) -> None:
    """A file that does not come out of LibCST as it went in is not touched."""
    with pytest.raises(ValueError, match="would not leave the rest of the file as it is"):
        rewrite(b"from twisted.internet import defer" + end)


def test_a_diff_is_shown_and_nothing_changed(tmp_path: Path) -> None:
    """Without `--write` there is a unified diff that `patch` takes, and the file stays."""
    path = tmp_path / "program.py"
    path.write_text("import os\nfrom twisted.internet import defer", encoding="utf-8")
    transcript = port("program.py", cwd=tmp_path)
    assert transcript.stdout == (
        "--- program.py\n+++ program.py\n@@ -1,2 +1,2 @@\n import os\n"
        "-from twisted.internet import defer\n\\ No newline at end of file\n"
        "+from twistlike.internet import defer\n\\ No newline at end of file\n"
    )
    assert transcript.stderr.startswith("1 file to be changed (--write does it)")
    assert transcript.returncode == 0
    assert "twistlike" not in path.read_text(encoding="utf-8")


def test_writing(tmp_path: Path) -> None:
    """`--write` changes the files, says how many, and a second time there is nothing to do."""
    path = tmp_path / "program.py"
    path.write_text("from twisted.internet import defer, inotify\n", encoding="utf-8")
    first = port(tmp_path, "--write")
    assert (first.returncode, first.stdout) == (1, "")
    assert f"{path}:1: left: twisted.internet.inotify (from an installed Twisted)" in first.stderr
    assert "1 file changed, 0 failed; 1 use of Twisted left" in first.stderr
    before = path.stat()
    second = port(tmp_path, "--write")
    assert "0 files changed" in second.stderr
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert [each.name for each in tmp_path.iterdir()] == ["program.py"]


@pytest.mark.skipif(sys.platform == "win32", reason="modes and links are POSIX")
def test_a_file_keeps_its_mode_and_its_link(tmp_path: Path) -> None:
    """The mode stays, and of a symbolic link the file behind it is changed."""
    path, link = tmp_path / "script", tmp_path / "link.py"
    path.write_text("#!/usr/bin/env python\nimport twisted.internet.defer\n", encoding="utf-8")
    path.chmod(0o751)
    link.symlink_to("script")
    assert port(link, "--write").returncode == 0
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o751
    assert "twistlike" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("content", [b"from twisted import x = 1\n", b"\xff twisted", b"twisted\0"])
def test_what_cannot_be_parsed_is_refused(tmp_path: Path, content: bytes) -> None:
    """Such a file is named and left as it is; the others are changed; the status is 2."""
    (tmp_path / "a.py").write_bytes(content)
    (tmp_path / "b.py").write_text("import twisted.internet.defer", encoding="utf-8")
    transcript = port(".", "--write", cwd=tmp_path)
    assert transcript.returncode == 2
    assert "./a.py: left as it is: " in transcript.stderr
    assert (tmp_path / "a.py").read_bytes() == content
    assert "twistlike" in (tmp_path / "b.py").read_text(encoding="utf-8")


@pytest.mark.skipif(sys.platform == "win32", reason="closes a folder as POSIX does")
@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """An error of the file system is a line, not a traceback."""
    path = tmp_path / "a.py"
    path.write_text("import twisted.internet.defer", encoding="utf-8")
    tmp_path.chmod(0o555)
    try:
        transcript = port(path, "--write")
    finally:
        tmp_path.chmod(0o755)
    assert transcript.returncode == 2
    assert "Permission denied" in transcript.stderr


def test_a_file_that_changes_meanwhile_is_left(tmp_path: Path) -> None:
    """What somebody else has written since it was read is not overwritten."""
    from twistlike.porting.writing import replaceText

    path = tmp_path / "a.py"
    path.write_bytes(b"newer")
    with pytest.raises(OSError, match="changed by somebody else"):
        replaceText(str(path), b"old", b"new")
    assert path.read_bytes() == b"newer"
    assert [each.name for each in tmp_path.iterdir()] == ["a.py"]


def test_a_reader_that_goes_stops_no_work(tmp_path: Path) -> None:
    """Where nobody reads what `port --write` tells, it changes all files nevertheless."""
    for number in range(50):
        text = "from twisted.internet import defer, inotify\n" * 100
        (tmp_path / f"m{number}.py").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "twistlike", "port", "--write", str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stderr
        process.stderr.close()
        assert process.wait(30) == 1
    for path in tmp_path.iterdir():
        assert "from twistlike.internet import defer" in path.read_text(encoding="utf-8")


def test_a_place_that_is_not_found_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Python and LibCST do not agree on a place, nothing is changed: half would be worse."""
    from twistlike.porting import places

    monkeypatch.setattr(places.Places, "of", lambda self, node: places.Place(node.lineno, 99))
    with pytest.raises(ValueError, match="does not find what Python has found in line 2"):
        rewrite(b"\nimport twisted.internet.defer")


def test_names_inside_f_strings_are_renamed_or_the_file_is_refused() -> None:
    """Python before 3.12 tells wrong places there; a change of the import alone would be wrong."""
    source = b"import twisted.internet.defer\nx = f'''\n{ twisted.internet.defer.fail }'''\n"
    try:
        changed = rewrite(source).source
    except ValueError:
        assert sys.version_info < (3, 12)
    else:
        assert changed == source.replace(b"twisted", b"twistlike")


def test_without_libcst_the_extra_is_named(tmp_path: Path) -> None:
    """`port` says how to install what it needs, and `check` needs nothing."""
    (tmp_path / "a.py").touch()
    program = "import sys; sys.modules['libcst'] = None; sys.modules['rich'] = None\n"
    program += "from twistlike.__main__ import main; main(sys.argv[1:])"
    transcript = runPython(["-c", program, "port", str(tmp_path)])
    assert transcript.returncode == 2
    assert "pip install 'twistlike[port]'" in transcript.stderr
    assert transcript.stderr.count("\n") == 1
    assert runPython(["-c", program, "check", str(tmp_path)]).returncode == 0


def test_a_ported_program_runs(tmp_path: Path) -> None:
    """What a program did on Twisted it does on twistlike, with no Twisted there to be imported."""
    path = tmp_path / "program.py"
    path.write_text(
        "import twisted.internet.task\n"
        "from twisted.internet import (\n    defer,\n    threads,  # for the job\n)\n"
        "def main(reactor):\n"
        "    d = threads.deferToThread(int, '7')\n"
        "    return d.addCallback(lambda x: defer.succeed(print(x, type(d).__module__[:5])))\n"
        "twisted.internet.task.react(main)\n",
        encoding="utf-8",
    )
    expected = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=100)
    assert port(path, "--write").returncode == 0
    transcript = runPython(["-W", "error", "-S", str(path)])
    assert (transcript.stdout, transcript.stderr) == (expected.stdout, "")
