"""`SynchronousResolver`: a look-up of names for tests, without a network. Thread: the test's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twistlike._base.address import IPv4Address
from twistlike._base.naming import showAs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from twistlike._transports.interfaces import IAddress
    from twistlike._transports.reactor_interfaces import IResolutionReceiver

__all__ = ["SynchronousResolver"]


class _Resolution:
    """A look-up that is over.

    Args:
        name: What was looked up.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<look-up of {self.name!r}, done>"

    def cancel(self) -> None:
        """Do nothing: it is over."""


class SynchronousResolver:
    """A resolver for which each name is that of this host: 127.0.0.1, at once."""

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> _Resolution:
        """Tell the one address.

        Args:
            resolutionReceiver: What is told.
            hostName: Any name.
            portNumber: The address's port.
            addressTypes: Ignored.
            transportSemantics: The address's type, "TCP" or "UDP".

        Returns:
            The look-up, which is over.
        """
        resolution = _Resolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        kind: Literal["TCP", "UDP"] = "UDP" if transportSemantics == "UDP" else "TCP"
        resolutionReceiver.addressResolved(IPv4Address(kind, "127.0.0.1", portNumber))
        resolutionReceiver.resolutionComplete()
        return resolution


showAs("twistlike.internet.testing", globals(), __all__)
