"""`async with` for ports. Thread: the reactor's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twistlike._base.failure import Failure

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from twistlike._defer.deferred import Deferred

__all__ = ["ClosesWithBlock", "endPort"]


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


def endPort(doStop: Callable[[], object], waiting: list[Deferred[None]]) -> None:
    """Tell what a port was made for that it is closed, then those that wait for that.

    Args:
        doStop: The method of the factory or protocol.
        waiting: What fires. All of them fire, also where the method raises what ends a program.

    Raises:
        BaseException: The method has raised it, and it is no `Exception`, which the first one that
            waits hears of, or nobody waits.
    """
    fatal = None
    try:
        doStop()
    except BaseException as error:
        if waiting and isinstance(error, Exception):
            first, *waiting = waiting
            first.errback(Failure(error))
        else:
            fatal = error
    for each in waiting:
        each.callback(None)
    if fatal is not None:
        raise fatal
