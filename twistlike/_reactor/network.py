"""The reactor's methods that make connections. Thread: the loop's, or any before there is a loop.

Each asks for the module that does the work when it is first called: a program that uses no network
does not import `socket`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twistlike._base.error import WrongThreadError
from twistlike._base.functions import checkFactory
from twistlike._reactor.network_names import NameMethods
from twistlike._reactor.network_process import ProcessMethods
from twistlike._reactor.network_tls import TLSMethods
from twistlike._reactor.network_udp import DatagramNetwork

if TYPE_CHECKING:
    from twistlike._reactor.inbox import Inbox
    from twistlike._reactor.lifecycle import LifeCycle
    from twistlike._transports.binding import Binding
    from twistlike._transports.interfaces import IProtocolFactory
    from twistlike._transports.ports import StreamPort
    from twistlike._transports.stream import Connection
    from twistlike._transports.tcp import Connector, Port
    from twistlike._transports.transports import Transports
    from twistlike._transports.unix import Connector as UNIXConnector
    from twistlike._transports.unix import Port as UNIXPort

__all__ = ["Network"]


class Network(NameMethods, DatagramNetwork, ProcessMethods, TLSMethods):
    """The part of the reactor's interface that makes connections; the reactor has the parts."""

    _inbox: Inbox
    _life: LifeCycle
    _transports: Transports

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
        from twistlike._transports.tcp import Port

        self._inOurThread("listenTCP")
        checkFactory(factory, "listenTCP")
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
        checkFactory(factory, "connectTCP")
        connector = Connector(host, port, factory, timeout, bindAddress, self)
        connector.connect()
        return connector

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
        from twistlike._transports.unix import Port

        self._inOurThread("listenUNIX")
        checkFactory(factory, "listenUNIX")
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
        checkFactory(factory, "connectUNIX")
        connector = Connector(address, factory, timeout, self, checkPID)
        connector.connect()
        return connector

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
