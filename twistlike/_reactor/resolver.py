"""Host names to addresses, by the operating system's resolver in a thread.

Thread: the reactor's.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from twistlike._base.address import IPv4Address, IPv6Address
from twistlike._base.error import ReactorNotRunning
from twistlike._base.failure import Failure
from twistlike._base.ip import isIPAddress, isIPv6Address
from twistlike._base.network_error import DNSLookupError
from twistlike._defer.deferred import Deferred, fail, succeed
from twistlike._log.report import report

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twistlike._base.interfaces import IReactorFromThreads, IReactorTime
    from twistlike._pool.pool import ThreadPool
    from twistlike._reactor.interfaces import IResolverSimple
    from twistlike._reactor.waits import Outstanding
    from twistlike._transports.reactor_interfaces import (
        IHostnameResolver,
        IHostResolution,
        IResolutionReceiver,
    )

    class _Reactor(IReactorTime, IReactorFromThreads, Protocol): ...


__all__ = [
    "DEFAULT_TIMEOUT",
    "FamilyResolver",
    "HostResolution",
    "SimpleResolver",
    "ThreadedResolver",
]

# How long a look-up may take, in seconds, as a sum: Twisted's default for its resolvers, whose
# first, second, ... attempt may take so long. The system's resolver makes its attempts by itself.
DEFAULT_TIMEOUT = (1, 3, 11, 45)


class HostResolution:
    """A look-up that is going on.

    Args:
        name: The name.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.isCancelled = False
        self._lookUp: Deferred[Any] | None = None

    def __repr__(self) -> str:
        return f"<look-up of {self.name!r}>"

    def cancel(self) -> None:
        """Stop it: the receiver is told nothing more."""
        self.isCancelled = True
        lookUp, self._lookUp = self._lookUp, None
        if lookUp is not None:
            lookUp.cancel()

    def follow(
        self, lookUp: Deferred[Any], tell: Callable[[Any], None], missing: Callable[[], None]
    ) -> None:
        """Tell the receiver what a look-up finds, unless it is cancelled.

        Args:
            lookUp: Its Deferred.
            tell: Called with what was found.
            missing: Called if nothing was.
        """
        self._lookUp = lookUp

        def found(result: Any) -> None:
            self._lookUp = None
            if not self.isCancelled:
                tell(result)

        def notFound(failure: Failure) -> None:
            self._lookUp = None
            if not self.isCancelled:
                if not failure.check(DNSLookupError, ReactorNotRunning):
                    report(failure, f"the look-up of {self.name!r} failed", source=self)
                missing()

        def receiverFailed(failure: Failure) -> None:
            report(failure, f"what the look-up of {self.name!r} is for failed", source=self)

        lookUp.addCallbacks(found, notFound)
        lookUp.addErrback(receiverFailed)


class ThreadedResolver:
    """Looks names up in a pool: IPv4 by `socket.gethostbyname`, all by `getaddrinfo`.

    Args:
        reactor: For the timeout and the way back from the thread.
        getPool: Returns the pool to block in.
        outstanding: The reactor's calls whose Deferreds are still to be fired.
    """

    def __init__(
        self, reactor: _Reactor, getPool: Callable[[], ThreadPool], outstanding: set[Outstanding]
    ) -> None:
        self._reactor = reactor
        self._getPool = getPool
        self._outstanding = outstanding

    def __repr__(self) -> str:
        return f"<resolver of host names for {self._reactor!r}>"

    def getHostByName(
        self, name: str, timeout: Sequence[float] | None = DEFAULT_TIMEOUT
    ) -> Deferred[str]:
        """Look the IPv4 address of a host up.

        Args:
            name: The host's name, or an address, which is returned as it is.
            timeout: How long the attempts may take, in seconds; their sum counts.

        Returns:
            A Deferred of the address, as text. It fails with `DNSLookupError`.
        """
        import socket  # not at the top: 3 ms, which a program that looks nothing up need not wait

        if isIPAddress(name):
            return succeed(name)
        return self._lookUp(name, timeout, socket.gethostbyname, (name,))

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[Any]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        """Look all addresses of a host up.

        Args:
            resolutionReceiver: Is told of each; an address that is given as the name, at once.
            hostName: The host's name, or an address.
            portNumber: The port of the addresses.
            addressTypes: Which to look for; by default `IPv4Address` and `IPv6Address`.
            transportSemantics: "TCP" or "UDP".

        Returns:
            The resolution, which can be cancelled.

        Raises:
            ValueError: The transport is another one.
        """
        import socket  # not at the top: 3 ms, which a program that looks nothing up need not wait

        types = {"TCP": socket.SOCK_STREAM, "UDP": socket.SOCK_DGRAM}
        if transportSemantics not in types:
            raise ValueError(f"the transport is 'TCP' or 'UDP', not {transportSemantics!r}")
        ipv4 = addressTypes is None or IPv4Address in addressTypes
        ipv6 = addressTypes is None or IPv6Address in addressTypes
        resolution = HostResolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        tell = partial(_tellAll, resolution, resolutionReceiver, transportSemantics)
        if not (ipv4 or ipv6) or (isIPAddress(hostName) and not ipv4):
            tell([])
        elif isIPAddress(hostName):
            tell([(hostName, portNumber)])
        elif isIPv6Address(hostName) and "%" not in hostName:
            tell([(hostName, portNumber, 0, 0)] if ipv6 else [])
        else:
            family = socket.AF_UNSPEC
            if not (ipv4 and ipv6):
                family = socket.AF_INET if ipv4 else socket.AF_INET6
            args = (hostName, portNumber, family, types[transportSemantics])
            lookUp = self._lookUp(hostName, None, _getAddresses, args)
            resolution.follow(lookUp, tell, resolutionReceiver.resolutionComplete)
        return resolution

    def _lookUp(
        self,
        name: str,
        timeout: Sequence[float] | None,
        function: Callable[..., Any],
        args: tuple[Any, ...],
    ) -> Deferred[Any]:
        lookUp = _LookUp(self._reactor, name)
        try:
            job = self._getPool().enqueue(lookUp.onResult, function, args)
        except RuntimeError as error:
            return fail(_lookUpFailed(name, error))
        self._outstanding.add(lookUp)
        late = self._reactor.callLater(sum(timeout or DEFAULT_TIMEOUT), lookUp.tooLate)

        def settled(result: Any) -> Any:
            self._outstanding.discard(lookUp)
            job.cancel()
            if late.active():
                late.cancel()
            return result

        lookUp.found.addBoth(settled)
        return lookUp.found


def _getAddresses(host: str, port: int, family: int, kind: int) -> list[tuple[Any, ...]]:
    """Return the addresses of a host, as sockets take them. Thread: the worker's."""
    import socket

    found = socket.getaddrinfo(host, port, family, kind)
    internet = (socket.AF_INET, socket.AF_INET6)
    return [address for family, _, _, _, address in found if family in internet]


def _tellAll(
    resolution: HostResolution,
    receiver: IResolutionReceiver,
    transport: Any,
    found: list[tuple[Any, ...]],
) -> None:
    for address in found:
        if resolution.isCancelled:
            return
        kind = IPv4Address if len(address) == 2 else IPv6Address
        receiver.addressResolved(kind(transport, *address))
    if not resolution.isCancelled:
        receiver.resolutionComplete()


class SimpleResolver:
    """Looks the first IPv4 address of a name up, by a resolver that finds all.

    Args:
        nameResolver: The resolver.
    """

    def __init__(self, nameResolver: IHostnameResolver) -> None:
        self._nameResolver = nameResolver

    def getHostByName(
        self, name: str, timeout: Sequence[float] | None = DEFAULT_TIMEOUT
    ) -> Deferred[str]:
        """Look a name up; the resolver knows itself how long that may take."""
        receiver = _FirstOne(name)
        self._nameResolver.resolveHostName(receiver, name, 0, [IPv4Address])
        return receiver.found


class _FirstOne:
    """Takes the first address that is told, and stops the look-up then."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._resolution: IHostResolution | None = None
        self.found: Deferred[str] = Deferred(self._cancel)

    def _cancel(self, found: Deferred[str]) -> None:
        if self._resolution is not None:
            self._resolution.cancel()

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        """Hear that the look-up has begun."""
        self._resolution = resolutionInProgress

    def addressResolved(self, address: Any) -> None:
        """Take an address."""
        if not self.found.called:
            self.found.callback(address.host)

    def resolutionComplete(self) -> None:
        """Hear that all addresses have been told."""
        self._resolution = None
        if not self.found.called:
            self.found.errback(Failure(DNSLookupError(self._name)))


class FamilyResolver:
    """Looks names up by a resolver that finds one address, for what asks for all.

    Args:
        simpleResolver: The resolver.
    """

    def __init__(self, simpleResolver: IResolverSimple) -> None:
        self._simpleResolver = simpleResolver

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[Any]] | None = None,
        transportSemantics: Any = "TCP",
    ) -> IHostResolution:
        """Look a name up; the one address is told if it is of a wanted type."""
        resolution = HostResolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)

        def tell(host: str) -> None:
            kind = IPv6Address if isIPv6Address(host) else IPv4Address
            if addressTypes is None or kind in addressTypes:
                resolutionReceiver.addressResolved(kind(transportSemantics, host, portNumber))
            if not resolution.isCancelled:
                resolutionReceiver.resolutionComplete()

        lookUp = self._simpleResolver.getHostByName(hostName)
        resolution.follow(lookUp, tell, resolutionReceiver.resolutionComplete)
        return resolution


class _LookUp:
    """One look-up that is under way, and the way of its outcome back."""

    def __init__(self, reactor: IReactorFromThreads, name: str) -> None:
        self.found: Deferred[Any] = Deferred()
        self._reactor = reactor
        self._name = name

    @property
    def what(self) -> object:
        """What a thread still runs."""
        return f"the look-up of {self._name}"

    def onResult(self, success: bool, result: Any) -> None:
        """Send the outcome to the reactor's thread. Thread: the worker's."""
        try:
            self._reactor.callFromThread(self._answer, success, result)
        except ReactorNotRunning:
            pass  # it has ended without us: what was still owed has failed

    def abandon(self, failure: Failure) -> None:
        """Fail: the reactor has ended, and no outcome can come any more."""
        self._answer(False, failure)

    def tooLate(self) -> None:
        """Fail: it takes too long."""
        self.found.errback(Failure(DNSLookupError(f"timeout looking up {self._name!r}")))

    def _answer(self, success: bool, result: Any) -> None:
        if self.found.called:
            return
        if success:
            self.found.callback(result)
        else:
            self.found.errback(_lookUpFailed(self._name, result.value))


def _lookUpFailed(name: str, error: BaseException) -> Failure:
    if isinstance(error, Exception):
        return Failure(DNSLookupError(f"address {name!r} not found: {error}"))
    return Failure(error)
