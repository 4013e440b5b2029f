"""TLS over any transport. Room: `_transports.tls`.

Differs from Twisted: the standard library's `ssl` does the work, and a handshake or a peer that
does not answer "close notify" has a time limit.
"""

from __future__ import annotations

from twistlike._transports.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol

__path__: list[str] = []  # a name that is not here is asked of the package's finder

__all__ = ["TLSMemoryBIOFactory", "TLSMemoryBIOProtocol"]
