"""Which platform this is, for ported code.

Room: `_base.runtime`.
"""

from __future__ import annotations

from twistlike._base.runtime import Platform, knownPlatforms, platform, platformType, seconds

__path__: list[str] = []  # a name that is not here is asked of the package's finder

__all__ = ["Platform", "knownPlatforms", "platform", "platformType", "seconds"]
