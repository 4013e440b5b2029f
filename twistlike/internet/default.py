"""The reactor of this platform, under the name by which ported code installs it.

Room: `_reactor.current`.
"""

from __future__ import annotations

from twistlike._reactor.current import install

__path__: list[str] = []  # a name that is not here is asked of the package's finder

__all__ = ["install"]
