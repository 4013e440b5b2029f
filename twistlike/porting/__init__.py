"""Reads and rewrites somebody's source: `python -m twistlike check` and `port`.

The source is never imported or run. The modules here: `files` finds and reads it, `scopes` knows
what its names are bound to, `uses` lists what it uses of Twisted, `checking` and `reports` make
the answer of `check`, `rewriting` and `imports` do what `port` does, `check_command` and
`port_command` are the command lines.
"""

from __future__ import annotations

__all__: list[str] = []
