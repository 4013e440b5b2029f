"""`install()` of Twisted's other reactors: it installs ours.

Thread: any, as Twisted's own.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from twistlike._reactor.current import defaultReactor

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["replaceInstall"]


def replaceInstall(short: str) -> None:
    """Replace the function `install` of a module of Twisted's.

    Args:
        short: The module's short name.
    """
    name = f"twisted.{short}"
    module = sys.modules[name]
    module.install = _installer(name)  # type: ignore[attr-defined]


def _installer(module: str) -> Callable[[], None]:
    """Return a function that names itself as the module's: pytest-twisted finds the class by it."""

    def install() -> None:
        """Install twistlike's reactor, which takes this one's place.

        Raises:
            ReactorAlreadyInstalledError: A reactor was imported or installed before.
        """
        from twisted.internet.main import installReactor  # not needed where nobody installs one

        installReactor(defaultReactor())

    install.__module__ = module
    return install
