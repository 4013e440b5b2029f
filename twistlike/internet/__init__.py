"""The counterpart of `twisted.internet`: the reactor, Deferreds and threads."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # The submodule puts the reactor in its own place, which no type checker can see.
    from twistlike._reactor.reactor import Reactor

    reactor: Reactor

__all__: list[str] = []
