"""The examples run by themselves to their end, and say what they should."""

from __future__ import annotations

import hashlib

import pytest

from tests.oracle import ROOT, normalise, runPython

HOWTO = str(ROOT / "examples" / "threads_howto.py")
SERVICE = str(ROOT / "examples" / "asyncio_service.py")
CHAT = str(ROOT / "examples" / "chat_server.py")


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_the_howto_says_the_same_as_on_twisted(loop: str) -> None:
    """The same unmodified program says on asyncio, line for line, what it says on Twisted."""
    theirs = runPython([HOWTO])
    ours = runPython(["-W", "error", "-m", "twistlike", "run", "--loop", loop, HOWTO])
    assert (theirs.stderr, theirs.returncode) == ("", 0)
    assert (ours.stderr, ours.returncode) == ("", 0)
    assert normalise(ours.stdout) == normalise(theirs.stdout)


def test_the_howto_goes_through_its_steps() -> None:
    """Its steps are all there, and lines come from the reactor's, the pool's and other threads."""
    lines = runPython(["-m", "twistlike", "run", HOWTO]).stdout.splitlines()
    steps = [line.partition(".")[0] for line in lines if line[:1].isdigit()]
    assert steps == [str(number) for number in range(9)]
    for line in (
        "  [reactor] transport.write(b'a message: hello')",
        "  [pool   ] 0.2 seconds have passed",
        "  [reactor] the jobs that would let them go on still wait: True",
        "  [reactor] result: 3",
        "  [pool   ] later: raised KeyError('an error')",
        "  [other  ] asks the reactor to write",
    ):
        assert line in lines
    assert lines[-1] == "  [reactor] the reactor runs: False"


@pytest.mark.parametrize("env", [{}, {"PYTHONASYNCIODEBUG": "1"}], ids=["plain", "debug"])
def test_the_service_answers_its_clients(env: dict[str, str]) -> None:
    """Each client gets its own answer, the pool computes, the sensor's calls come in order."""
    transcript = runPython(["-W", "error", SERVICE], env=env)
    assert transcript.returncode == 0, transcript.stderr
    # Debug mode names slow steps there, on a slow machine.
    assert env or transcript.stderr == ""

    def digest(name: str) -> str:
        return hashlib.pbkdf2_hmac("sha256", b"secret", name.encode(), 100_000).hex()[:16]

    names = ("anna", "bert", "cleo")
    assert sorted(transcript.stdout.splitlines()) == sorted(
        [
            *(f"  [pool  ] computes for {name}" for name in names),
            *(f"  [loop  ] digest {name}: {digest(name)}" for name in names),
            "  [sensor] the service has 5 readings, in the order in which they were made",
            "  [loop  ] readings: 5 readings, the sum is 14",
            "  [loop  ] dance: unknown command dance",
            "  [loop  ] the loop had time for other things: True",
            "  [loop  ] still the same readings: [3, 1, 4, 1, 5]",
            "ended",
        ]
    )


@pytest.mark.parametrize("env", [{}, {"PYTHONASYNCIODEBUG": "1"}], ids=["plain", "debug"])
def test_people_chat_in_a_web_app(env: dict[str, str]) -> None:
    """Those on TCP and those on HTTP hear each other, and the app's end closes the chat."""
    transcript = runPython(["-W", "error", CHAT], env=env)
    assert transcript.returncode == 0, transcript.stderr
    assert env or transcript.stderr == ""
    assert transcript.stdout.splitlines() == [
        "anna hears: anna is here",
        "bert hears: bert is here",
        "anna hears: bert is here",
        "the web sees: ['anna', 'bert']",
        "anna hears: bert: hello",
        "the web has told 2",
        "anna hears: somebody on the web: good evening",
        "bert hears: somebody on the web: good evening",
        "anna hears: bert has left",
        "the server has closed",
    ]
