"""The client of the network workloads, a process of its own: ``python -m benchmarks.client ...``.

It uses plain blocking sockets, so that it is the same for every server. What is measured is the
server's own CPU time.
"""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys

__all__ = ["main", "start"]


def start(what: str, port: int, connections: int, rounds: int, size: int) -> subprocess.Popen[str]:
    """Start a client.

    Args:
        what: ``"echo"``, ``"churn"`` or ``"idle"``.
        port: The server's port on this machine.
        connections: How many connections at once.
        rounds: How many messages on each; for ``"churn"``, how often to connect.
        size: Bytes in a message.

    Returns:
        The process. ``"idle"`` ends when its standard input is closed.
    """
    numbers = map(str, (port, connections, rounds, size))
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.client", what, *numbers],
        stdin=subprocess.PIPE,
        text=True,
    )


def _receive(skt: socket.socket, size: int) -> None:
    while size:
        data = skt.recv(size)
        if not data:
            raise EOFError("the server has closed the connection")
        size -= len(data)


def _connect(port: int) -> socket.socket:
    skt = socket.create_connection(("127.0.0.1", port), timeout=60)
    skt.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return skt


def _echo(port: int, connections: int, rounds: int, size: int) -> None:
    """Send a message on each connection, then receive all answers; again and again."""
    message = b"x" * size
    open_ = [_connect(port) for _ in range(connections)]
    for skt in open_:  # all are accepted once each has had an answer
        skt.sendall(b"x")
        _receive(skt, 1)
    for _ in range(rounds):
        for skt in open_:
            skt.sendall(message)
        for skt in open_:
            _receive(skt, size)
    for skt in open_:
        skt.close()


def _churn(port: int, connections: int, rounds: int, size: int) -> None:
    """Connect, send a message, receive it, close; again and again."""
    message = b"x" * size
    for _ in range(rounds):
        with _connect(port) as skt:
            skt.sendall(message)
            _receive(skt, size)


def _idle(port: int, connections: int, rounds: int, size: int) -> None:
    """Connect, and wait until nobody wants the connections any more."""
    open_ = [_connect(port) for _ in range(connections)]
    sys.stdin.read()
    for skt in open_:
        skt.close()


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.client", description=__doc__)
    parser.add_argument("what", choices=["echo", "churn", "idle"])
    for name in ("port", "connections", "rounds", "size"):
        parser.add_argument(name, type=int)
    options = parser.parse_args()
    work = {"echo": _echo, "churn": _churn, "idle": _idle}[options.what]
    work(options.port, options.connections, options.rounds, options.size)


if __name__ == "__main__":
    main()
