"""Which platform this is. Thread: any."""

from __future__ import annotations

import os
import sys
import time

from twistlike._base.naming import showAs

__all__ = ["Platform", "knownPlatforms", "platform", "platformType", "seconds"]

knownPlatforms = {"nt": "win32", "posix": "posix"}
"""`os.name`: what Twisted calls such a platform."""

seconds = time.time


class Platform:
    """What can be asked about a platform.

    Attributes:
        type: `"posix"` or `"win32"`; None for one that is not known.
    """

    type = knownPlatforms.get(os.name)

    def __init__(self, name: str | None = None, platform: str | None = None) -> None:
        """Describe a platform; this one unless names are given.

        Args:
            name: As `os.name`.
            platform: As `sys.platform`.
        """
        if name is not None:
            self.type = knownPlatforms.get(name)
        self._platform = sys.platform if platform is None else platform

    def isKnown(self) -> bool:
        """Return whether it is one of `knownPlatforms`."""
        return self.type is not None

    def getType(self) -> str | None:
        """Return `type`."""
        return self.type

    def isLinux(self) -> bool:
        """Return whether it is Linux."""
        return self._platform.startswith("linux")

    def isMacOSX(self) -> bool:
        """Return whether it is macOS."""
        return self._platform == "darwin"

    def isWindows(self) -> bool:
        """Return whether it is Windows."""
        return self.type == "win32"

    def supportsThreads(self) -> bool:
        """Return True: each supported Python has threads."""
        return True


platform = Platform()
"""This one."""

platformType = platform.getType()
"""Its type."""

showAs("twistlike.python.runtime", globals(), __all__)
