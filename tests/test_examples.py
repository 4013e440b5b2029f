"""The examples run by themselves to their end, and say what they should."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading

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


OUTPUTS = {
    "aiohttp_service": "200 slept for 0.01 s\n504 given up\n",
    "bot": "['tick number 1', 'tick number 2', 'tick number 3']\n",
    "databases": "[(20, 190)]\n",
    "line_client_in_fastapi": (
        "at once: ['LINE 0', 'LINE 1', 'LINE 2', 'LINE 3', 'LINE 4']\n"
        "the last: BYE\n"
        "again: HELLO\n"
        "ended\n"
    ),
    "django_asgi": "async view: PoolThread\nplain view: in another thread: True\n",
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_an_integration_does_what_it_says(name: str) -> None:
    """Each example with somebody else's framework ends well, and prints what it should."""
    transcript = runPython(["-W", "error", str(ROOT / "examples" / f"{name}.py")], timeout=100)
    assert (transcript.stdout, transcript.stderr) == (OUTPUTS[name], "")
    assert transcript.returncode == 0


def test_each_line_of_the_log_has_the_request_of_its_job() -> None:
    """structlog's context variables travel into threads, and no request sees another's."""
    transcript = runPython(["-W", "error", str(ROOT / "examples" / "structlog_contexts.py")])
    assert transcript.stderr == ""
    assert sorted(transcript.stdout.splitlines()) == sorted(
        f"event='{event}' request={number}"
        for event in ("computed", "answered")
        for number in range(3)
    )


def test_processes_and_a_cluster_compute() -> None:
    """deferToThreadPool takes an executor of processes, and one of Dask's."""
    transcript = runPython([str(ROOT / "examples" / "cluster.py")], timeout=58)
    assert transcript.stdout.splitlines() == [
        "processes: [1, 1, 2, 6, 24]",
        "an error arrives as itself: factorial() not defined for negative values",
        "cluster: [1, 1, 2, 6, 24]",
    ]
    assert transcript.returncode == 0


def get(port: int, path: str) -> str:
    """Send a request; return the whole answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
        answer = b""
        while data := connection.recv(65536):
            answer += data
    return answer.decode()


COUNTED = """
import sys
sys.path.insert(0, {folder!r})
import fastapi_service as service

counts = {{"taken": 0, "answered": 0}}
app = service.app

async def counting(scope, receive, send):
    if scope["type"] == "lifespan":  # until the service has ended
        await app(scope, receive, send)
        print(counts["taken"], counts["answered"], flush=True)
        return
    counts["taken"] += 1
    await app(scope, receive, send)
    counts["answered"] += 1

service.app = counting
service.main()
"""


def test_fastapi_loses_no_request_at_sigterm() -> None:
    """Every request that was taken before SIGTERM is answered; then the process ends in order.

    A connection that the server has not accepted yet is refused or reset: the client may try again.
    """
    program = COUNTED.format(folder=str(ROOT / "examples"))
    server = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    answers: list[str] = []
    refused = threading.Event()
    firstAnswers = threading.Semaphore(0)

    def load(port: int, number: int) -> None:
        path = f"/digest/{number}" if number % 2 else f"/note/{number}"
        while not refused.is_set():
            try:
                answer = get(port, path)
            except (ConnectionRefusedError, ConnectionResetError):
                return refused.set()
            if answer:
                answers.append(answer)
            firstAnswers.release()

    try:
        assert server.stdout is not None
        port = int(server.stdout.readline().rsplit(" ", 1)[1])
        assert re.search('"digest":"[0-9a-f]{16}"', get(port, "/digest/hello"))
        assert '"count":1' in get(port, "/note/one")
        clients = [threading.Thread(target=load, args=(port, number)) for number in range(8)]
        for client in clients:
            client.start()
        for _ in clients:
            assert firstAnswers.acquire(timeout=60)
        server.send_signal(signal.SIGTERM)
        for client in clients:
            client.join(30)
            assert not client.is_alive()
        output, errors = server.communicate(timeout=60)
    finally:
        server.kill()
        server.communicate()
    assert [answer for answer in answers if not answer.startswith("HTTP/1.1 200")] == []
    ended, counts = output.splitlines()
    assert ended == "all threads have ended"
    taken, answered = map(int, counts.split())
    assert taken == answered == len(answers) + 2
    assert errors == ""
    assert server.returncode in (0, -signal.SIGTERM)  # uvicorn raises the signal again at its end


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
