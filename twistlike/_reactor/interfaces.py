"""What a reactor is asked for that it answers with a Deferred, as typing Protocols."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from twistlike._base.interfaces import InterfaceType
from twistlike._base.naming import showAs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twistlike._defer.deferred import Deferred

__all__ = ["IResolverSimple"]


class IResolverSimple(Protocol, metaclass=InterfaceType):
    """Host names to IPv4 addresses."""

    def getHostByName(self, name: str, timeout: Sequence[int] = ()) -> Deferred[str]:
        """Look a name up."""
        ...


showAs("twistlike.internet.interfaces", globals(), __all__)
