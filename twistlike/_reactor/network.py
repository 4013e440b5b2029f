"""The reactor's methods for connections, datagrams, host names and child processes.

Thread: the loop's, or any before there is a loop.

Each asks for the module that does the work when it is first called: a program that uses no network
does not import `socket`.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from twistlike._base.error import WrongThreadError
from twistlike._defer.deferred import succeed
from twistlike._reactor.loading import LoadingForPort

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from twistlike._defer.deferred import Deferred
    from twistlike._reactor.inbox import Inbox
    from twistlike._reactor.interfaces import IResolverSimple
    from twistlike._reactor.lifecycle import LifeCycle
    from twistlike._reactor.pools import Pools
    from twistlike._reactor.resolver import ThreadedResolver
    from twistlike._reactor.waits import OutstandingDeferreds
    from twistlike._transports.binding import Binding
    from twistlike._transports.interfaces import IProtocolFactory
    from twistlike._transports.multicast import MulticastPort
    from twistlike._transports.ports import StreamPort
    from twistlike._transports.process import Process, PTYProcess
    from twistlike._transports.reactor_interfaces import IHostnameResolver
    from twistlike._transports.stream import Connection
    from twistlike._transports.tcp import Connector, Port
    from twistlike._transports.transports import Transports
    from twistlike._transports.udp import Port as UDPPort
    from twistlike._transports.unix import Connector as UNIXConnector
    from twistlike._transports.unix import Port as UNIXPort
    from twistlike._transports.unix_datagrams import ConnectedDatagramPort, DatagramPort

__all__ = ["Network"]


class Network:
    """The part of the reactor's interface that uses the network; the reactor has the parts."""

    _inbox: Inbox
    _life: LifeCycle
    _outstanding: OutstandingDeferreds
    _pools: Pools
    _transports: Transports

    # ---- TCP -------------------------------------------------------------------------------------

    def listenTCP(
        self,
        port: int | Binding,
        factory: IProtocolFactory,
        backlog: int = 50,
        interface: str = "",
    ) -> Port:
        """Accept connections on a TCP port.

        The port is bound and listened on when this returns, also before the reactor has a loop;
        connections are accepted once it has one.

        Args:
            port: The number; 0 for any that is free, which `getHost()` of the port tells.
            factory: Makes a protocol for each connection.
            backlog: How many connections may wait in the system.
            interface: The local address; empty for all of IPv4, `"::"` for all.

        Returns:
            The port. Its `stopListening()` closes it.

        Raises:
            CannotListenError: The address cannot be had.
            WrongThreadError: In another thread than the loop's; use
                `threads.blockingCallFromThread(reactor, reactor.listenTCP, ...)` there.
        """
        with LoadingForPort(interface, port):
            from twistlike._transports.tcp import Port

        self._inOurThread("listenTCP")
        listening = Port(port, factory, backlog, interface, self)
        listening.startListening()
        return listening

    def connectTCP(
        self,
        host: str | bytes,
        port: int | str,
        factory: Any,
        timeout: float | None = 30,
        bindAddress: str | tuple[str, int] | Binding | None = None,
    ) -> Connector:
        """Connect to a TCP port.

        Args:
            host: An address, or a name, which is looked up.
            port: The number, or a service's name.
            factory: Makes the protocol, and is told how it goes.
            timeout: Seconds that it may take.
            bindAddress: The local address and port, the address alone, or what `tcp.makeBinding`
                returns; `None` for any.

        Returns:
            The connector, which is connecting.

        Raises:
            ServiceNameUnknownError: The port is a name that the system does not know.
            WrongThreadError: In another thread than the loop's.
        """
        from twistlike._transports.tcp import Connector

        self._inOurThread("connectTCP")
        connector = Connector(host, port, factory, timeout, bindAddress, self)
        connector.connect()
        return connector

    # ---- TLS -------------------------------------------------------------------------------------

    def listenSSL(
        self,
        port: int,
        factory: IProtocolFactory,
        contextFactory: Any,
        backlog: int = 50,
        interface: str = "",
    ) -> Port:
        """Accept connections with TLS on a TCP port.

        Args:
            port: The number; 0 for any that is free, which `getHost()` of the port tells.
            factory: Makes a protocol for each connection.
            contextFactory: An `ssl.SSLContext`, or what makes one: `CertificateOptions`, or an
                object whose `getContext()` returns one.
            backlog: How many connections may wait in the system.
            interface: The local address; empty for all of IPv4, `"::"` for all.

        Returns:
            The port.

        Raises:
            CannotListenError: The address cannot be had.
            TypeError: There is no context for a server to be had.
            WrongThreadError: In another thread than the loop's.
        """
        with LoadingForPort(interface, port):
            from twistlike._transports.factories import LISTENS, checkFactory
            from twistlike._transports.tls import TLSMemoryBIOFactory

        self._inOurThread("listenSSL")
        checkFactory(factory, LISTENS, "listenSSL")
        wrapped: Any = TLSMemoryBIOFactory(contextFactory, False, factory)
        listening = self.listenTCP(port, wrapped, backlog, interface)
        listening._type = "TLS"
        return listening

    def connectSSL(
        self,
        host: str,
        port: int | str,
        factory: Any,
        contextFactory: Any,
        timeout: float | None = 30,
        bindAddress: str | tuple[str, int] | None = None,
    ) -> Connector:
        """Connect to a TCP port, with TLS.

        Args:
            host: An address, or a name, which is looked up.
            port: The number, or a service's name.
            factory: Makes the protocol, and is told how it goes.
            contextFactory: What `ssl.optionsForClientTLS` returns, an `ssl.SSLContext`, or what
                makes one. A context that checks names checks `host`.
            timeout: Seconds that it may take.
            bindAddress: The local address and port, or the address alone; `None` for any.

        Returns:
            The connector, which is connecting.

        Raises:
            TypeError: There is no context for a client to be had.
            WrongThreadError: In another thread than the loop's.
        """
        from twistlike._transports.factories import CONNECTS, checkFactory
        from twistlike._transports.tls import TLSMemoryBIOFactory

        self._inOurThread("connectSSL")
        checkFactory(factory, CONNECTS, "connectSSL")
        wrapped = TLSMemoryBIOFactory(contextFactory, True, factory)
        return self.connectTCP(host, port, wrapped, timeout, bindAddress)

    # ---- UNIX sockets ----------------------------------------------------------------------------

    def listenUNIX(
        self,
        address: str | bytes,
        factory: IProtocolFactory,
        backlog: int = 50,
        mode: int = 0o666,
        wantPID: bool | int = 0,
    ) -> UNIXPort:
        """Accept connections on a UNIX socket.

        Args:
            address: The path of its file. It must not exist. A path that begins with a zero byte
                is a name without a file, on Linux.
            factory: Makes a protocol for each connection.
            backlog: How many connections may wait in the system.
            mode: The file's permissions.
            wantPID: Whether to make a lock file beside it, and to take the place of a process that
                has left its socket behind.

        Returns:
            The port.

        Raises:
            CannotListenError: The address cannot be had.
            WrongThreadError: In another thread than the loop's.
        """
        with LoadingForPort(None, address):
            from twistlike._transports.unix import Port

        self._inOurThread("listenUNIX")
        listening = Port(address, factory, backlog, mode, self, wantPID)
        listening.startListening()
        return listening

    def connectUNIX(
        self,
        address: str | bytes,
        factory: Any,
        timeout: float | None = 30,
        checkPID: bool | int = 0,
    ) -> UNIXConnector:
        """Connect to a UNIX socket.

        Args:
            address: The path of its file.
            factory: Makes the protocol, and is told how it goes.
            timeout: Seconds that it may take.
            checkPID: Whether to look first if the process that listens has a lock file, and lives.

        Returns:
            The connector, which is connecting.

        Raises:
            WrongThreadError: In another thread than the loop's.
        """
        from twistlike._transports.unix import Connector

        self._inOurThread("connectUNIX")
        connector = Connector(address, factory, timeout, self, checkPID)
        connector.connect()
        return connector

    # ---- sockets from elsewhere ------------------------------------------------------------------

    def adoptStreamPort(
        self, fileDescriptor: int, addressFamily: int, factory: IProtocolFactory
    ) -> StreamPort:
        """Accept connections on a socket that listens already, such as one from a supervisor.

        Args:
            fileDescriptor: The socket's. It is duplicated; closing it is the caller's task.
            addressFamily: `socket.AF_INET`, `AF_INET6` or `AF_UNIX`.
            factory: Makes a protocol for each connection.

        Returns:
            The port. Its `stopListening()` leaves other processes' copies of the socket alone.

        Raises:
            UnsupportedAddressFamily: It is another family.
            WrongThreadError: In another thread than the loop's.
        """
        from twistlike._transports.adopting import adoptPort

        self._inOurThread("adoptStreamPort")
        return adoptPort(fileDescriptor, addressFamily, factory, self)

    def adoptStreamConnection(
        self, fileDescriptor: int, addressFamily: int, factory: IProtocolFactory
    ) -> Connection | None:
        """Take over a connection that is there already.

        Args:
            fileDescriptor: The socket's. It is duplicated; closing it is the caller's task.
            addressFamily: `socket.AF_INET`, `AF_INET6` or `AF_UNIX`.
            factory: Makes the protocol.

        Returns:
            The connection; `None` if the factory has made no protocol.

        Raises:
            UnsupportedAddressFamily: It is another family.
            WrongThreadError: In another thread than the loop's.
        """
        from twistlike._transports.adopting import adoptConnection

        self._inOurThread("adoptStreamConnection")
        return adoptConnection(fileDescriptor, addressFamily, factory, self)

    # ---- datagrams -------------------------------------------------------------------------------

    def listenUDP(
        self, port: int, protocol: Any, interface: str = "", maxPacketSize: int = 8192
    ) -> UDPPort:
        """Take datagrams on a UDP port.

        The port is bound when this returns, also before the reactor has a loop; datagrams are
        received once it has one.

        Args:
            port: The number; 0 for any that is free, which `getHost()` of the port tells.
            protocol: Takes the datagrams; its `transport` is the port.
            interface: The local address; empty for all of IPv4, `"::"` for all of IPv6.
            maxPacketSize: How many bytes of a datagram are taken; the rest of it is lost.

        Returns:
            The port. Its `stopListening()` closes it.

        Raises:
            CannotListenError: The address cannot be had.
            InvalidAddressError: The interface is no address.
            WrongThreadError: In another thread than the loop's; use
                `threads.blockingCallFromThread(reactor, reactor.listenUDP, ...)` there.
        """
        with LoadingForPort(interface, port):
            from twistlike._transports.udp import Port

        self._inOurThread("listenUDP")
        listening = Port(port, protocol, interface, maxPacketSize, self)
        listening.startListening()
        return listening

    def listenMulticast(
        self,
        port: int,
        protocol: Any,
        interface: str = "",
        maxPacketSize: int = 8192,
        listenMultiple: bool = False,
    ) -> MulticastPort:
        """Take datagrams on a UDP port that can join groups.

        Args:
            port: The number; 0 for any that is free.
            protocol: Takes the datagrams; its `transport` is the port.
            interface: As for `listenUDP`.
            maxPacketSize: As for `listenUDP`.
            listenMultiple: Whether other sockets may be bound to the port as well.

        Returns:
            The port.

        Raises:
            CannotListenError: The address cannot be had.
            InvalidAddressError: The interface is no address.
            WrongThreadError: In another thread than the loop's.
        """
        with LoadingForPort(interface, port):
            from twistlike._transports.multicast import MulticastPort

        self._inOurThread("listenMulticast")
        listening = MulticastPort(port, protocol, interface, maxPacketSize, self, listenMultiple)
        listening.startListening()
        return listening

    def listenUNIXDatagram(
        self, address: str | bytes, protocol: Any, maxPacketSize: int = 8192, mode: int = 0o666
    ) -> DatagramPort:
        """Take datagrams on a UNIX socket.

        Args:
            address: The path of its file, which must not exist.
            protocol: Takes the datagrams; its `transport` is the port.
            maxPacketSize: How many bytes of a datagram are taken; the rest of it is lost.
            mode: The file's permissions.

        Returns:
            The port. The file is left behind when it is closed, as in Twisted.

        Raises:
            CannotListenError: The path cannot be had.
            WrongThreadError: In another thread than the loop's.
        """
        with LoadingForPort(None, address):
            from twistlike._transports.unix_datagrams import DatagramPort

        self._inOurThread("listenUNIXDatagram")
        listening = DatagramPort(address, protocol, maxPacketSize, mode, self)
        listening.startListening()
        return listening

    def connectUNIXDatagram(
        self,
        address: str | bytes,
        protocol: Any,
        maxPacketSize: int = 8192,
        mode: int = 0o666,
        bindAddress: str | bytes | None = None,
    ) -> ConnectedDatagramPort:
        """Exchange datagrams with a UNIX socket.

        Args:
            address: The path of the other socket.
            protocol: A `ConnectedDatagramProtocol`; its `connectionFailed` is called if there is
                no such socket.
            maxPacketSize: How many bytes of a datagram are taken; the rest of it is lost.
            mode: The permissions of this socket's file.
            bindAddress: The path of this socket's file; without one the other cannot answer.

        Returns:
            The port.

        Raises:
            WrongThreadError: In another thread than the loop's.
        """
        from twistlike._transports.unix_datagrams import ConnectedDatagramPort

        self._inOurThread("connectUNIXDatagram")
        port = ConnectedDatagramPort(address, protocol, maxPacketSize, mode, bindAddress, self)
        port.startListening()
        return port

    def adoptDatagramPort(
        self, fileDescriptor: int, addressFamily: int, protocol: Any, maxPacketSize: int = 8192
    ) -> UDPPort:
        """Take datagrams on a UDP socket that is bound already.

        Args:
            fileDescriptor: The socket's. It is duplicated; closing it is the caller's task.
            addressFamily: `socket.AF_INET` or `AF_INET6`.
            protocol: Takes the datagrams; its `transport` is the port.
            maxPacketSize: How many bytes of a datagram are taken; the rest of it is lost.

        Returns:
            The port.

        Raises:
            UnsupportedAddressFamily: It is another family.
            UnsupportedSocketType: It is no socket of datagrams.
            WrongThreadError: In another thread than the loop's.
        """
        from twistlike._transports.udp import adoptPort

        self._inOurThread("adoptDatagramPort")
        return adoptPort(fileDescriptor, addressFamily, protocol, maxPacketSize, self)

    # ---- host names ------------------------------------------------------------------------------

    @cached_property
    def resolver(self) -> IResolverSimple:
        """What looks the IPv4 address of a name up; `installResolver` replaces it."""
        return self._threadedResolver

    @cached_property
    def nameResolver(self) -> IHostnameResolver:
        """What looks all addresses of a name up; `installNameResolver` replaces it."""
        return self._threadedResolver

    @cached_property
    def _threadedResolver(self) -> ThreadedResolver:
        from twistlike._reactor.resolver import ThreadedResolver

        reactor: Any = self
        return ThreadedResolver(reactor, self._pools.forNames, self._outstanding.calls)

    def _forgetResolvers(self) -> None:
        """Look names up as at first, by the pools that there are now."""
        for name in ("resolver", "nameResolver", "_threadedResolver"):
            vars(self).pop(name, None)

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
        from twistlike._base.ip import isIPAddress

        if isIPAddress(name):
            return succeed(name)
        from twistlike._reactor.resolver import DEFAULT_TIMEOUT

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
        from twistlike._reactor.resolver import FamilyResolver

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
        from twistlike._reactor.resolver import SimpleResolver

        before = self.nameResolver
        self.nameResolver = resolver
        self.resolver = SimpleResolver(resolver)
        return before

    # ---- child processes -------------------------------------------------------------------------

    def spawnProcess(
        self,
        processProtocol: Any,
        executable: str | bytes,
        args: Sequence[str | bytes] = (),
        env: Mapping[str, str] | Mapping[bytes, bytes] | None = {},
        path: str | bytes | None = None,
        uid: int | None = None,
        gid: int | None = None,
        usePTY: bool | int | tuple[int, int, str] = False,
        childFDs: Mapping[int, int | str] | None = None,
    ) -> Process | PTYProcess:
        """Start a program, and handle its pipes or its terminal by a protocol.

        Args:
            processProtocol: Hears of it; its `connectionMade` is called before this returns.
            executable: A path, or a name that is looked for on the search path: that of `env`, if
                that has one, else this process's.
            args: All arguments, the program's own name first.
            env: The environment, by default an empty one; None is this process's.
            path: The folder to run in; None is this process's.
            uid: The user to run as, by number; None is this process's.
            gid: The group to run as, by number; None is this process's.
            usePTY: Whether to give it a terminal in the place of pipes; or an open one, as
                `(master, slave, name of the slave)`.
            childFDs: What the child's descriptors are: `"r"`, a pipe that we read; `"w"`, a
                pipe that we write; or the number of a descriptor of ours. All others are closed in
                it. By default `{0: "w", 1: "r", 2: "r"}`.

        Returns:
            The protocol's transport.

        Raises:
            NotImplementedError: The system is Windows, or the loop cannot watch descriptors.
            OSError: The program does not exist or may not be run, or no process can be made.
            ValueError: `childFDs` with a terminal, or arguments that cannot be passed.
            WrongThreadError: In another thread than the loop's; use
                `reactor.callFromThread(reactor.spawnProcess, ...)` there.

        Differs from Twisted: a folder or a user that cannot be had raises here, rather than in the
        child.
        """
        from twistlike._transports import process, spawn

        self._inOurThread("spawnProcess")
        if not spawn.isSupported():
            raise NotImplementedError(
                "spawnProcess needs pipes that a loop can watch, which this system does not have; "
                "use asyncio.create_subprocess_exec"
            )
        if not callable(getattr(processProtocol, "makeConnection", None)):
            raise TypeError(f"spawnProcess needs a ProcessProtocol first, not {processProtocol!r}")
        reactor: Any = self
        if usePTY:
            if childFDs is not None:
                raise ValueError("usePTY gives the process a terminal; childFDs cannot be used too")
            return process.PTYProcess(
                reactor, executable, args, env, path, processProtocol, uid, gid, usePTY
            )
        return process.Process(
            reactor, executable, args, env, path, processProtocol, uid, gid, childFDs
        )

    # ---- threads ---------------------------------------------------------------------------------

    def _inOurThread(self, name: str) -> None:
        """Refuse a call that cannot be handed to the loop's thread, since it returns something.

        Raises:
            WrongThreadError: This is another thread than the loop's, whatever the policy.
        """
        if not self._life.enter(name):
            raise WrongThreadError(
                f"{name} cannot hand what it returns to another thread; use "
                f"threads.blockingCallFromThread(reactor, reactor.{name}, ...)"
            )
