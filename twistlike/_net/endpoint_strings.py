"""Endpoints from descriptions such as `"tcp:8080:interface=127.0.0.1"`.

Thread: any; the endpoints are for the reactor's.

How it works
------------
A description is a list of parts between colons: a prefix, positional arguments, and arguments by
name. A backslash takes its special meaning from the character after it. The prefix names a parser:
one of those here; one that an installed package has as an entry point of the group
`twistlike.endpoints`, an object with Twisted's `parseStreamServer` or `parseStreamClient`; or,
where Twisted is loaded too, one of its plugins.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from twistlike._base.naming import showAs
from twistlike._net.endpoints import (
    SSL4ClientEndpoint,
    SSL4ServerEndpoint,
    TCP4ClientEndpoint,
    TCP4ServerEndpoint,
    TCP6ClientEndpoint,
    TCP6ServerEndpoint,
    UNIXClientEndpoint,
    UNIXServerEndpoint,
)
from twistlike._net.hostname_endpoint import HostnameEndpoint
from twistlike._net.other_endpoints import (
    AdoptedStreamServerEndpoint,
    StandardIOEndpoint,
)
from twistlike._net.tls_endpoints import wrapClientTLS, wrapServerTLS

if TYPE_CHECKING:
    from collections.abc import Callable

    from twistlike._transports.reactor_interfaces import (
        IStreamClientEndpoint,
        IStreamServerEndpoint,
    )

__all__ = ["clientFromString", "quoteStringArgument", "serverFromString"]

GROUP = "twistlike.endpoints"
"""The entry points by which a package offers parsers; an entry's name is the prefix."""

SD_FIRST = 3
"""The first descriptor that systemd passes: SD_LISTEN_FDS_START of sd_listen_fds(3)."""


def quoteStringArgument(argument: str) -> str:
    r"""Return an argument as it is written in a description: colons and backslashes are escaped.

    >>> quoteStringArgument(r"C:\path")
    'C\\:\\\\path'
    """
    return argument.replace("\\", "\\\\").replace(":", "\\:")


def serverFromString(reactor: Any, description: str) -> IStreamServerEndpoint:
    """Make a server's endpoint of a description.

    The kinds are `tcp:port`, `tcp6:port`, `unix:path`, `ssl:port`, `tls:path:port`,
    `stdio`, `fd:number`, `systemd:domain=INET:index=0`, and those of installed packages.

    Args:
        reactor: The reactor.
        description: The description.

    Raises:
        TypeError: An argument is missing, or there is no such argument.
        ValueError: There is no such kind, or an argument has a bad value.
    """
    endpoint: IStreamServerEndpoint
    endpoint = _fromString(reactor, description, _SERVERS, "parseStreamServer")
    return endpoint


def clientFromString(reactor: Any, description: str) -> IStreamClientEndpoint:
    """Make a client's endpoint of a description.

    The kinds are `tcp:host:port`, `tcp6:host:port`, `unix:path`, `ssl:host:port`,
    `tls:host:port`, and those of installed packages.

    Args:
        reactor: The reactor.
        description: The description.

    Raises:
        TypeError: An argument is missing, or there is no such argument.
        ValueError: There is no such kind, or an argument has a bad value.
    """
    endpoint: IStreamClientEndpoint
    endpoint = _fromString(reactor, description, _CLIENTS, "parseStreamClient")
    return endpoint


def _fromString(reactor: Any, description: str, own: dict[str, Any], method: str) -> Any:
    if not isinstance(description, str):
        raise TypeError(f"the description of an endpoint is text, not {description!r}")
    positional, named = _parts(description)
    prefix = positional.pop(0) if positional else ""
    parse = own.get(prefix.lower()) or _installedParser(prefix, method)
    if parse is None:
        kinds = ", ".join(sorted(own))
        raise ValueError(f"Unknown endpoint type: {prefix!r}; known are {kinds}")
    if named.keys() >= {"host"} and len(positional) == 1:
        named.setdefault("port", positional.pop())  # "tcp:host=example.com:80"
    try:
        return parse(reactor, *positional, **named)
    except TypeError as error:
        raise TypeError(f"{description!r} is no endpoint: {_plainly(error)}") from None


def _plainly(error: TypeError) -> str:
    """Return what is wrong with the arguments, without the name of the function here."""
    return str(error).partition("() ")[2] or str(error)


def _parts(description: str) -> tuple[list[str], dict[str, str]]:
    """Split a description into positional arguments and those by name."""
    positional: list[str] = []
    named: dict[str, str] = {}
    name: str | None = None
    text: list[str] = []

    def finish() -> None:
        nonlocal name
        if name is None:
            positional.append("".join(text))
        else:
            named[name] = "".join(text)
        name = None
        text.clear()

    characters = iter(description)
    for each in characters:
        if each == "\\":
            text.append(next(characters, ""))
        elif each == ":":
            finish()
        elif each == "=" and name is None:
            name = "".join(text)
            text.clear()
        else:
            text.append(each)
    finish()
    if len(positional) > 1 and positional[-1] == "":
        positional.pop()  # "stdio:" is "stdio"
    return positional, named


def _installedParser(prefix: str, method: str) -> Callable[..., Any] | None:
    """Return the parser of an installed package for a prefix, if there is one."""
    from importlib.metadata import entry_points  # 15 ms; few programs have such endpoints

    for entry in entry_points(group=GROUP, name=prefix):
        parser = entry.load()
        found = getattr(parser() if isinstance(parser, type) else parser, method, None)
        if found is not None:
            return found  # type: ignore[no-any-return]
    return _twistedParser(prefix, method)


def _twistedParser(prefix: str, method: str) -> Callable[..., Any] | None:
    """Return the parser of one of Twisted's plugins, where Twisted is loaded in this process."""
    interfaces = sys.modules.get("twisted.internet.interfaces")
    name = "IStreamServerEndpointStringParser"
    if method == "parseStreamClient":
        name = "IStreamClientEndpointStringParserWithReactor"
    interface = getattr(interfaces, name, None)
    if interface is None:
        return None
    try:
        from twisted.plugin import getPlugins
    except ImportError:
        return None  # only our own modules go by Twisted's names here
    for parser in getPlugins(interface):
        if str(parser.prefix).lower() == prefix.lower():
            return getattr(parser, method)  # type: ignore[no-any-return]
    return None


# ---- servers -------------------------------------------------------------------------------------


def _tcpServer(
    reactor: Any, port: str, interface: str = "", backlog: str = "50"
) -> IStreamServerEndpoint:
    return TCP4ServerEndpoint(
        reactor, _number("port", port), _number("backlog", backlog), interface
    )


def _tcp6Server(
    reactor: Any, port: str, backlog: str = "50", interface: str = "::"
) -> IStreamServerEndpoint:
    return TCP6ServerEndpoint(
        reactor, _number("port", port), _number("backlog", backlog), interface
    )


def _unixServer(
    reactor: Any, address: str, mode: str = "666", backlog: str = "50", lockfile: str = "1"
) -> IStreamServerEndpoint:
    return UNIXServerEndpoint(
        reactor,
        address,
        _number("backlog", backlog),
        _number("mode", mode, 8),
        bool(_number("lockfile", lockfile)),
    )


def _sslServer(
    reactor: Any,
    port: str,
    privateKey: str = "server.pem",
    certKey: str | None = None,
    sslmethod: str | None = None,
    interface: str = "",
    backlog: str = "50",
    extraCertChain: str | None = None,
    dhParameters: str | None = None,
) -> IStreamServerEndpoint:
    from twistlike._transports.tls_context import serverContext

    if sslmethod is not None:
        raise ValueError("sslmethod is not offered: TLS 1.2 and later are spoken")
    context = serverContext(privateKey, certKey, extraCertChain, dhParameters)
    number = _number("port", port)
    return SSL4ServerEndpoint(reactor, number, context, _number("backlog", backlog), interface)


def _tlsServer(
    reactor: Any, path: str, port: str = "443", backlog: str = "50", interface: str = "::"
) -> IStreamServerEndpoint:
    from twistlike._transports.tls_context import contextFromFolder

    plain = TCP6ServerEndpoint(
        reactor, _number("port", port), _number("backlog", backlog), interface
    )
    return wrapServerTLS(contextFromFolder(path), plain)


def _stdioServer(reactor: Any) -> Any:
    return StandardIOEndpoint(reactor)


def _fdServer(reactor: Any, number: str, domain: str = "INET") -> IStreamServerEndpoint:
    return AdoptedStreamServerEndpoint(reactor, _number("number", number), _family(domain))


def _systemdServer(
    reactor: Any, domain: str, index: str | None = None, name: str | None = None
) -> IStreamServerEndpoint:
    if (index is None) is (name is None):
        raise ValueError("a socket of systemd's is named by one of index and name")
    count = _number("LISTEN_FDS", os.environ.get("LISTEN_FDS", "0"))
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        count = 0
    names = os.environ.get("LISTEN_FDNAMES", "").split(":")
    if name is not None:
        if name not in names[:count]:
            raise ValueError(f"systemd has passed no socket named {name!r}")
        number = names.index(name)
    else:
        number = _number("index", index or "")
        if not 0 <= number < count:
            raise IndexError(f"systemd has passed {count} sockets: there is none of index {number}")
    return AdoptedStreamServerEndpoint(reactor, SD_FIRST + number, _family(domain))


# ---- clients -------------------------------------------------------------------------------------


def _tcpClient(
    reactor: Any, host: str, port: str, timeout: str = "30", bindAddress: str | None = None
) -> IStreamClientEndpoint:
    return TCP4ClientEndpoint(
        reactor, host, _number("port", port), _number("timeout", timeout), _bind(bindAddress)
    )


def _tcp6Client(
    reactor: Any, host: str, port: str, timeout: str = "30", bindAddress: str | None = None
) -> IStreamClientEndpoint:
    return TCP6ClientEndpoint(
        reactor, host, _number("port", port), _number("timeout", timeout), _bind(bindAddress)
    )


def _unixClient(
    reactor: Any, path: str, timeout: str = "30", lockfile: str = "0"
) -> IStreamClientEndpoint:
    check = bool(_number("lockfile", lockfile))
    return UNIXClientEndpoint(reactor, path, _number("timeout", timeout), check)


def _sslClient(
    reactor: Any,
    host: str,
    port: str,
    timeout: str = "30",
    bindAddress: str | None = None,
    certKey: str | None = None,
    privateKey: str | None = None,
    caCertsDir: str | None = None,
    hostname: str | None = None,
) -> IStreamClientEndpoint:
    from twistlike._transports.tls_context import clientContext

    context = clientContext(hostname, certKey, privateKey, caCertsDir)
    return SSL4ClientEndpoint(
        reactor,
        host,
        _number("port", port),
        context,
        _number("timeout", timeout),
        _bind(bindAddress),
    )


def _tlsClient(
    reactor: Any,
    host: str,
    port: str,
    timeout: str = "30",
    bindAddress: str | None = None,
    certificate: str | None = None,
    privateKey: str | None = None,
    trustRoots: str | None = None,
    endpoint: str | None = None,
) -> IStreamClientEndpoint:
    from twistlike._transports.tls_context import clientContext

    context = clientContext(host, certificate, privateKey, trustRoots)
    plain: IStreamClientEndpoint
    if endpoint is not None:
        plain = clientFromString(reactor, endpoint)
    else:
        plain = HostnameEndpoint(
            reactor, host, _number("port", port), _number("timeout", timeout), _bind(bindAddress)
        )
    return wrapClientTLS(context, plain)


# ---- arguments -----------------------------------------------------------------------------------


def _number(name: str, text: str, base: int = 10) -> int:
    try:
        return int(text, base)
    except ValueError:
        raise ValueError(
            f"{name} is a number{' in octal digits' * (base == 8)}, not {text!r}"
        ) from None


def _bind(address: str | None) -> tuple[str, int] | None:
    return None if address is None else (address, 0)


def _family(domain: str) -> int:
    import socket

    names = ("INET", "INET6", "UNIX")
    families: dict[str, int | None] = {n: getattr(socket, f"AF_{n}", None) for n in names}
    found = families.get(domain.removeprefix("AF_"))
    if found is None:
        raise ValueError(f"the domain of a socket is INET, INET6 or UNIX, not {domain!r}")
    return found


_SERVERS: dict[str, Callable[..., IStreamServerEndpoint]] = {
    "fd": _fdServer,
    "ssl": _sslServer,
    "stdio": _stdioServer,
    "systemd": _systemdServer,
    "tcp": _tcpServer,
    "tcp6": _tcp6Server,
    "tls": _tlsServer,
    "unix": _unixServer,
}

_CLIENTS: dict[str, Callable[..., IStreamClientEndpoint]] = {
    "ssl": _sslClient,
    "tcp": _tcpClient,
    "tcp6": _tcp6Client,
    "tls": _tlsClient,
    "unix": _unixClient,
}

showAs("twistlike.internet.endpoints", globals(), __all__)
