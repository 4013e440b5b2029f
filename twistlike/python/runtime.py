"""Which platform this is, for ported code.

Room: `_base.runtime`.
"""

from __future__ import annotations

from twistlike._base.runtime import Platform, knownPlatforms, platform, platformType, seconds

__all__ = ["Platform", "knownPlatforms", "platform", "platformType", "seconds"]
