"""The helper that compares twistlike with Twisted tells the two apart, and does not hang."""

from __future__ import annotations

import os
import select
import sys

import pytest

from tests.oracle import Hung, assertSame, normalise, run, runPython


def test_each_platform_gets_its_own_package() -> None:
    """The text's ``twisted`` is Twisted on one side and twistlike on the other."""
    program = """
        import sys
        import twisted
        print(sorted({"twisted", "twistlike"} & set(sys.modules)))
    """
    assert run(program, "twisted").stdout == "['twisted']\n"
    assert run(program, "twistlike").stdout == "['twistlike']\n"


def test_same_output_passes_and_arguments_arrive() -> None:
    """A program that prints the same on both passes, and gets its arguments and environment."""
    program = """
        import os, sys
        print(sys.argv[1:], os.environ["COLOUR"], object())
    """
    ours = assertSame(program, args=["a", "b c"], env={"COLOUR": "red"})
    assert ours.stdout.startswith("['a', 'b c'] red <object object at 0x")


@pytest.mark.parametrize("difference", ["print(size)", "raise SystemExit(size)"])
def test_a_difference_fails(difference: str) -> None:
    """Another output or another return code is a failure that shows both."""
    program = f"import twisted; size = len(twisted.__name__); {difference}"
    with pytest.raises(AssertionError, match=r"(?s)--- Twisted.*--- twistlike"):
        assertSame(program)


def test_a_program_that_hangs_is_killed_and_shows_its_stacks() -> None:
    """A process over its limit ends, with what it had printed and where its threads were."""
    program = """
        import threading
        print("before", flush=True)
        def waitsForEver():
            threading.Event().wait()
        waitsForEver()
    """
    with pytest.raises(Hung) as caught:
        run(program, "twistlike", timeout=1)
    assert caught.value.stdout == "before\n"
    assert "in waitsForEver" in caught.value.stderr


def test_warnings_are_errors_for_twistlike() -> None:
    """A warning ends a program on twistlike."""
    transcript = run("import warnings; warnings.warn('careful')", "twistlike")
    assert transcript.returncode == 1
    assert "careful" in transcript.stderr


def test_normalising_hides_what_has_no_meaning() -> None:
    """Addresses, thread identifiers, package names and the script's folder are made equal."""
    text = '<twistlike.X at 0x7f00aa11> 140312345678901 File "/tmp/oracle-ab_1/program.py", 17'
    assert normalise(text) == '<twisted.X at 0xADDRESS> THREAD-IDENT File "program.py", 17'


@pytest.mark.skipif(sys.platform != "linux", reason="uses pidfd_open")
def test_what_a_process_started_does_not_outlive_it() -> None:
    """A grandchild that is still there at the end is killed."""
    program = (
        "import subprocess, sys;"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'],"
        " stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL);"
        "print(p.pid); p.returncode = 0"
    )
    transcript = runPython(["-c", program])
    try:
        handle = os.pidfd_open(int(transcript.stdout))
    except ProcessLookupError:
        return
    try:
        ended, _, _ = select.select([handle], [], [], 10)
        assert ended
    finally:
        os.close(handle)
