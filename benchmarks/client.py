"""The client of the network workloads, a process of its own: ``python -m benchmarks.client ...``.

It uses plain blocking sockets, so that it is the same for every server. What is measured is the
server's own CPU time.
"""

from __future__ import annotations

import argparse
import socket
import ssl
import subprocess
import sys
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["main", "start"]


def start(what: str, port: int, connections: int, rounds: int, size: int) -> subprocess.Popen[str]:
    """Start a client.

    Args:
        what: ``"echo"``, ``"secure-echo"`` (by TLS; whose certificate it is, is not looked at),
            ``"churn"`` or ``"idle"``.
        port: The server's port on this machine.
        connections: How many connections at once.
        rounds: How many messages on each; for ``"churn"``, how often to connect.
        size: Bytes in a message.

    Returns:
        The process. ``"idle"`` ends when its standard input is closed.
    """
    numbers = map(str, (port, connections, rounds, size))
    command = [sys.executable, "-m", "benchmarks.client", what, *numbers]
    return subprocess.Popen(command, stdin=subprocess.PIPE, text=True)


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


@cache
def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # the default one reads all authorities
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _connectSecurely(port: int) -> socket.socket:
    return _context().wrap_socket(_connect(port))


def _secureEcho(port: int, connections: int, rounds: int, size: int) -> None:
    """Do what `_echo` does, by TLS."""
    _echo(port, connections, rounds, size, _connectSecurely)


def _echo(
    port: int,
    connections: int,
    rounds: int,
    size: int,
    connect: Callable[[int], socket.socket] = _connect,
) -> None:
    """Send a message on each connection, then receive all answers; again and again."""
    message = b"x" * size
    open_ = [connect(port) for _ in range(connections)]
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


WORKS = {"echo": _echo, "secure-echo": _secureEcho, "churn": _churn, "idle": _idle}


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.client", description=__doc__)
    parser.add_argument("what", choices=WORKS)
    for name in ("port", "connections", "rounds", "size"):
        parser.add_argument(name, type=int)
    options = parser.parse_args()
    work = WORKS[options.what]
    work(options.port, options.connections, options.rounds, options.size)


if __name__ == "__main__":
    main()
