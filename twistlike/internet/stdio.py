"""The standard input and output of this process, as a connection. Room: `_net.stdio`.

Differs from Twisted: plain files are polled on every loop; not offered where the loop cannot watch
descriptors, as on Windows.
"""

from __future__ import annotations

from twistlike._net.stdio import PipeAddress, StandardIO

__path__: list[str] = []  # a name that is not here is asked of the package's finder

__all__ = ["PipeAddress", "StandardIO"]
