"""From what programs pass as a context factory to the session of one connection. Thread: any."""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING, Any

from twistlike._transports.certificates import loadChain
from twistlike._transports.openssl_session import isOpenSSL, openSSLSessions
from twistlike._transports.tls_options import (
    CertificateOptions,
    ClientTLSOptions,
    newContext,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    Session = tuple[Any, Any, Any]
    SessionMaker = Callable[[Any, list[str] | None], Session]

__all__ = ["clientContext", "contextFromFolder", "serverContext", "sessionMaker"]


def sessionMaker(contextFactory: Any, isClient: bool) -> SessionMaker:
    """Return what makes the buffers and the session of each connection.

    Args:
        contextFactory: An `ssl.SSLContext`, `CertificateOptions`, what `optionsForClientTLS`
            returns, or anything whose `getContext()` returns an `ssl.SSLContext`. Contexts of
            pyOpenSSL's and what makes connections of them for Twisted work as well.
        isClient: Whether this side is the client.

    Raises:
        TypeError: It is none of these, or for the other side.
    """
    hostname = None
    if isinstance(contextFactory, ClientTLSOptions):
        if not isClient:
            raise TypeError("optionsForClientTLS is for clients; a server needs CertificateOptions")
        context, hostname = contextFactory.context, contextFactory.hostname
    elif isinstance(contextFactory, CertificateOptions):
        context = contextFactory.contextFor(isClient)
    elif isinstance(contextFactory, ssl.SSLContext):
        context = contextFactory
    elif hasattr(contextFactory, f"{'client' if isClient else 'server'}ConnectionForTLS"):
        return openSSLSessions(contextFactory, isClient)
    elif callable(getattr(contextFactory, "getContext", None)):
        context = contextFactory.getContext()
    else:
        raise _wrong(contextFactory)
    if isOpenSSL(context):
        return openSSLSessions(context, isClient)
    if not isinstance(context, ssl.SSLContext):
        raise _wrong(context)
    wrong = ssl.PROTOCOL_TLS_SERVER if isClient else ssl.PROTOCOL_TLS_CLIENT
    if context.protocol == wrong:
        raise TypeError(
            f"{context!r} is for the other side; this one is a {'client' if isClient else 'server'}"
        )

    def make(connection: Any, protocols: list[str] | None) -> Session:
        if protocols:
            context.set_alpn_protocols(protocols)
        name = (hostname or _hostOf(connection.transport)) if isClient else None
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        return incoming, outgoing, context.wrap_bio(incoming, outgoing, not isClient, name)

    return make


def _wrong(found: object) -> TypeError:
    return TypeError(
        f"TLS needs an ssl.SSLContext, or an object whose getContext() returns one, not {found!r}"
    )


def _hostOf(transport: Any) -> str | None:
    """Return the name that a client has connected to, as it was given."""
    address = getattr(transport, "addr", None)
    host = address[0] if isinstance(address, tuple) and address else None
    return host if isinstance(host, str) and host else None


def serverContext(
    privateKey: str, certKey: str | None, chain: str | None, dhParameters: str | None
) -> ssl.SSLContext:
    """Return a server's context of files in the PEM format.

    Args:
        privateKey: The file of the private key.
        certKey: The file of the certificate; by default the same.
        chain: The file of the certificates between.
        dhParameters: The file of parameters for Diffie-Hellman.
    """
    context = newContext(isClient=False)
    if chain is None:
        context.load_cert_chain(certKey or privateKey, privateKey)
    else:
        texts = []
        for path in (certKey or privateKey, chain, privateKey):
            with open(path, "rb") as file:
                texts.append(file.read())
        loadChain(context, texts[0] + b"\n" + texts[1], texts[2])
    if dhParameters is not None:
        context.load_dh_params(dhParameters)
    return context


def clientContext(
    hostname: str | None, certificate: str | None, privateKey: str | None, authorities: str | None
) -> Any:
    """Return a client's context of files in the PEM format.

    Args:
        hostname: The server's name; without one no certificate is verified, unless there are
            authorities.
        certificate: The file of the own certificate.
        privateKey: The file of its private key.
        authorities: A folder or file of certificates to trust; by default those of the system.
    """
    context = newContext(isClient=True)
    if certificate is not None:
        context.load_cert_chain(certificate, privateKey)
    if authorities is not None:
        _trust(context, authorities)
    elif hostname is not None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if authorities is not None or hostname is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    if hostname is None:
        return context
    context.check_hostname = True
    return ClientTLSOptions(hostname, context)


def _trust(context: ssl.SSLContext, path: str) -> None:
    if not os.path.isdir(path):
        context.load_verify_locations(cafile=path)
        return
    names = sorted(each for each in os.listdir(path) if each.lower().endswith(".pem"))
    if not names:
        raise ValueError(f"there is no certificate (*.pem) in {path!r}")
    for name in names:
        context.load_verify_locations(cafile=os.path.join(path, name))


def contextFromFolder(path: str) -> ssl.SSLContext:
    """Return a server's context that shows the certificate of the name that a client asks for.

    Args:
        path: A folder of files in the PEM format, each with a certificate and its key, such as
            `example.com.pem`. `default.pem`, or the first, is for all other names.

    Raises:
        ValueError: There is no such file.
    """
    names = sorted(each for each in os.listdir(path) if each.endswith(".pem"))
    if not names:
        raise ValueError(f"there is no certificate (*.pem) in {path!r}")
    contexts = {}
    for name in names:
        contexts[name[:-4]] = serverContext(os.path.join(path, name), None, None, None)
    default = contexts.get("default", contexts[names[0][:-4]])

    def choose(session: ssl.SSLObject, name: str | None, first: object) -> None:
        session.context = contexts.get(name or "", default)

    default.sni_callback = choose
    return default
