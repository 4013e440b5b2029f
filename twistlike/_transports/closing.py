"""`async with` for ports. Thread: the reactor's."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

    from twistlike._defer.deferred import Deferred

__all__ = ["ClosesWithBlock"]


class ClosesWithBlock:
    """A port that is open for a block of code: `async with reactor.listenTCP(...) as port:`."""

    def stopListening(self) -> Deferred[None]:
        """Stop; return a Deferred that fires once the port is closed."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        """Begin the block. The port listens already."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the port, and wait until that is done. Connections that it accepted go on."""
        await self.stopListening()
