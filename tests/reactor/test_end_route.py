"""The way from `reactor.stop()` to the return of `run()` is the one that docs/design.md shows."""

from __future__ import annotations

import re

from tests.oracle import ROOT, runPython

DOZEN = 12

PROGRAM = """
import os, sys, threading
import twistlike
from twistlike.internet import protocol, reactor, threads

HOME = os.path.dirname(twistlike.__file__)
called = set()

def note(frame, event, arg):
    if event == "call" and frame.f_code.co_filename.startswith(HOME):
        called.add((os.path.relpath(frame.f_code.co_filename, HOME), frame.f_code.co_qualname))

def stop():
    threading.setprofile(note)
    threading.setprofile_all_threads(note) if hasattr(threading, "setprofile_all_threads") else (
        sys.setprofile(note)
    )
    reactor.stop()

def prepare(result):
    reactor.callLater(100, int)
    reactor.listenTCP(0, protocol.ServerFactory(), interface="127.0.0.1")
    reactor.callLater(0, stop)

threads.deferToThread(int).addCallback(prepare)
reactor.run()
sys.setprofile(None)
for file, function in sorted(called):
    print(file.replace(os.sep, "/"), function)
"""


def tables() -> tuple[list[tuple[str, str]], set[str]]:
    """Return the rows of the first table, as file and function, and the files of the second."""
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    text = text[text.index("This is the way from `reactor.stop()`") :]
    route, _, rest = text.partition("What these use")
    rest = rest[: rest.index("\n**D")]
    rows = re.findall(r"^\|[^|]*\| `([\w/]+\.py)` \| ([^|]+) \|$", route, re.MULTILINE)
    calls = [(file, name) for file, names in rows for name in re.findall(r"`([\w.]+)`", names)]
    return calls, set(re.findall(r"`([\w/]+\.py)`", rest))


def test_the_end_takes_the_way_that_is_written_down() -> None:
    """A dozen files are to be read; each function of the table runs, and no file beside it does."""
    calls, used = tables()
    route = {file for file, _ in calls}
    assert len(route) == DOZEN
    assert not route & used
    done = runPython(["-c", PROGRAM])
    assert (done.returncode, done.stderr) == (0, "")
    ran = [(file, name) for file, name in map(str.split, done.stdout.splitlines())]
    for file, function in calls:
        found = [name for where, name in ran if where == file]
        assert any(f".{name}".endswith(f".{function}") for name in found), (file, function)
    files = {file for file, _ in ran}
    assert files - route - used == set(), "docs/design.md does not name these"
