"""The client of the web workloads, a process of its own: `python -m benchmarks.http_client ...`.

It keeps its connections open and sends the next request on each when the answer has come, on plain
blocking sockets, so that it is the same for every server.
"""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys

__all__ = ["main", "start"]

REQUEST = b"GET /work HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def start(port: int, connections: int, rounds: int) -> subprocess.Popen[str]:
    """Start a client.

    Args:
        port: The server's port on this machine.
        connections: How many connections at once.
        rounds: How many requests on each.

    Returns:
        The process. It prints how many answers there were, and ends.
    """
    numbers = map(str, (port, connections, rounds))
    command = [sys.executable, "-m", "benchmarks.http_client", *numbers]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _answer(skt: socket.socket) -> None:
    """Receive one answer.

    Raises:
        ValueError: It is no 200.
    """
    data = b""
    while b"\r\n\r\n" not in data:
        data += _receive(skt)
    head, _, body = data.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise ValueError(head.decode())
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    left = int(length) - len(body)
    while left > 0:
        left -= len(_receive(skt))


def _receive(skt: socket.socket) -> bytes:
    data = skt.recv(65536)
    if not data:
        raise EOFError("the server has closed the connection")
    return data


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.http_client", description=__doc__)
    for name in ("port", "connections", "rounds"):
        parser.add_argument(name, type=int)
    options = parser.parse_args()
    where = ("127.0.0.1", options.port)
    open_ = [socket.create_connection(where, timeout=60) for _ in range(options.connections)]
    answers = 0
    for _ in range(options.rounds):
        for skt in open_:
            skt.sendall(REQUEST)
        for skt in open_:
            _answer(skt)
            answers += 1
    for skt in open_:
        skt.close()
    print(answers)


if __name__ == "__main__":
    main()
