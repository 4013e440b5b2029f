"""The reactor's methods that look names up, and that replace what does so. Thread: the loop's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twistlike._base.ip import isIPAddress
from twistlike._defer.deferred import succeed
from twistlike._reactor.resolver import DEFAULT_TIMEOUT, FamilyResolver, SimpleResolver

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twistlike._defer.deferred import Deferred
    from twistlike._reactor.interfaces import IResolverSimple
    from twistlike._transports.reactor_interfaces import IHostnameResolver

__all__ = ["NameMethods"]


class NameMethods:
    """The part of the reactor's interface that is told above.

    Attributes:
        resolver: What looks the IPv4 address of a name up.
        nameResolver: What looks all addresses of a name up.
    """

    resolver: IResolverSimple
    nameResolver: IHostnameResolver

    if TYPE_CHECKING:

        def _inOurThread(self, name: str) -> None: ...

    def resolve(self, name: str, timeout: Sequence[float] | None = None) -> Deferred[str]:
        """Look the IPv4 address of a host up, in a thread that does not wait for the users' jobs.

        Args:
            name: The host's name, or an address, which is returned as it is. An empty one stands
                for all addresses of this host.
            timeout: How long the attempts may take, in seconds; their sum counts.

        Returns:
            A Deferred of the address. It fails with `DNSLookupError`.

        Raises:
            WrongThreadError: In another thread than the loop's.
        """
        self._inOurThread("resolve")
        if not name:
            return succeed("0.0.0.0")
        if isIPAddress(name):
            return succeed(name)
        seconds: Any = timeout or DEFAULT_TIMEOUT
        return self.resolver.getHostByName(name, seconds)

    def installResolver(self, resolver: IResolverSimple) -> IResolverSimple:
        """Look names up by another resolver from now on, which finds one IPv4 address.

        Args:
            resolver: Its `getHostByName(name, timeout)` returns a Deferred of an address.

        Returns:
            The one before.

        Raises:
            TypeError: It has no such method.
            WrongThreadError: In another thread than the loop's.
        """
        self._inOurThread("installResolver")
        if not callable(getattr(resolver, "getHostByName", None)):
            raise TypeError(f"a resolver has a method getHostByName; {resolver!r} has none")
        before = self.resolver
        self.resolver = resolver
        self.nameResolver = FamilyResolver(resolver)
        return before

    def installNameResolver(self, resolver: IHostnameResolver) -> IHostnameResolver:
        """Look names up by another resolver from now on, which finds all addresses.

        Args:
            resolver: Its `resolveHostName(receiver, name, port, addressTypes, transport)` tells
                the receiver.

        Returns:
            The one before.

        Raises:
            TypeError: It has no such method.
            WrongThreadError: In another thread than the loop's.
        """
        self._inOurThread("installNameResolver")
        if not callable(getattr(resolver, "resolveHostName", None)):
            raise TypeError(f"a name resolver has a method resolveHostName; {resolver!r} has none")
        before = self.nameResolver
        self.nameResolver = resolver
        self.resolver = SimpleResolver(resolver)
        return before
