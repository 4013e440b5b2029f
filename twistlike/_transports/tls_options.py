"""How to speak TLS: options that make an `ssl.SSLContext` for either side. Thread: any."""

from __future__ import annotations

import ssl
from enum import Enum
from typing import TYPE_CHECKING, Any

from twistlike._base.naming import showAs
from twistlike._transports.certificates import Certificate, KeyPair, PrivateCertificate, loadChain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

__all__ = [
    "AcceptableCiphers",
    "CertificateOptions",
    "ClientContextFactory",
    "ClientTLSOptions",
    "ContextFactory",
    "DefaultOpenSSLContextFactory",
    "OpenSSLDefaultPaths",
    "TLSVersion",
    "TrustRoot",
    "newContext",
    "optionsForClientTLS",
    "platformTrust",
    "trustRootFromCertificates",
    "wireProtocols",
]


class TLSVersion(Enum):
    """The versions of TLS."""

    TLSv1_0 = ssl.TLSVersion.TLSv1
    TLSv1_1 = ssl.TLSVersion.TLSv1_1
    TLSv1_2 = ssl.TLSVersion.TLSv1_2
    TLSv1_3 = ssl.TLSVersion.TLSv1_3


def newContext(isClient: bool) -> ssl.SSLContext:
    """Return a context with today's settings, which verifies nothing yet.

    TLS 1.2 and later are spoken, without compression; renegotiation is refused.
    """
    kind = ssl.PROTOCOL_TLS_CLIENT if isClient else ssl.PROTOCOL_TLS_SERVER
    context = ssl.SSLContext(kind)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    return context


def wireProtocols(protocols: Iterable[bytes | str]) -> list[str]:
    """Return the names of protocols as `ssl.SSLContext.set_alpn_protocols` takes them."""
    return [each.decode("ascii") if isinstance(each, bytes) else each for each in protocols]


# ---- whom to trust -------------------------------------------------------------------------------


class OpenSSLDefaultPaths:
    """The authorities that the system trusts."""

    def addTo(self, context: ssl.SSLContext) -> None:
        """Let a context trust them."""
        context.load_default_certs(
            ssl.Purpose.SERVER_AUTH
            if context.protocol == ssl.PROTOCOL_TLS_CLIENT
            else ssl.Purpose.CLIENT_AUTH
        )


class TrustRoot:
    """The authorities of some certificates.

    Args:
        certificates: The certificates.
    """

    def __init__(self, certificates: Iterable[Certificate]) -> None:
        self._certificates = [Certificate(each) for each in certificates]

    def addTo(self, context: ssl.SSLContext) -> None:
        """Let a context trust them."""
        for each in self._certificates:
            context.load_verify_locations(cadata=each.original)


def platformTrust() -> OpenSSLDefaultPaths:
    """Return the authorities that the system trusts, for a `trustRoot`."""
    return OpenSSLDefaultPaths()


def trustRootFromCertificates(certificates: Iterable[Certificate]) -> TrustRoot:
    """Return the authorities of some certificates, for a `trustRoot`."""
    return TrustRoot(certificates)


def _trustRoot(value: Any) -> TrustRoot | OpenSSLDefaultPaths:
    if isinstance(value, Certificate):
        return TrustRoot([value])
    if isinstance(value, list | tuple):
        return TrustRoot(value)
    if hasattr(value, "addTo"):
        return value  # type: ignore[no-any-return]
    raise TypeError(f"a trust root is made of certificates or by platformTrust(), not {value!r}")


# ---- options for both sides ----------------------------------------------------------------------


class AcceptableCiphers:
    """The ciphers that may be used for TLS 1.2; those of TLS 1.3 are OpenSSL's.

    Args:
        ciphers: OpenSSL's names for them.
    """

    def __init__(self, ciphers: Iterable[str]) -> None:
        self.ciphers = tuple(ciphers)

    @classmethod
    def fromOpenSSLCipherString(cls, cipherString: str) -> AcceptableCiphers:
        """Make it of a string in OpenSSL's form."""
        return cls(cipherString.split(":"))

    def selectCiphers(self, availableCiphers: Iterable[str] = ()) -> tuple[str, ...]:
        """Return OpenSSL's names for the ciphers."""
        return self.ciphers


class CertificateOptions:
    """How either side speaks TLS.

    Args:
        privateKey: The key of the certificate: a `KeyPair`, or its text in the PEM format.
        certificate: What is shown to the peer: a `Certificate`, or text in the PEM format.
        method: Not offered: TLS 1.2 and later are spoken.
        verify: Whether the peer has to show a certificate of one of `caCerts`.
        caCerts: The authorities whose certificates are accepted.
        verifyDepth: Without effect.
        requireCertificate: Whether a peer that shows no certificate is refused, if it is verified.
        verifyOnce: Without effect.
        enableSingleUseKeys: Without effect: OpenSSL does that always.
        enableSessions: Without effect.
        fixBrokenPeers: Without effect.
        enableSessionTickets: Whether the server hands out session tickets.
        extraCertChain: Certificates of the authorities between.
        acceptableCiphers: The ciphers for TLS 1.2.
        dhParameters: Not offered: elliptic curves serve.
        trustRoot: As `caCerts` with `verify`.
        acceptableProtocols: The names of protocols to agree on by ALPN, the preferred one first.
        raiseMinimumTo: The lowest version to speak, at least TLS 1.2.
        insecurelyLowerMinimumTo: The lowest version to speak, also one that is broken.
        lowerMaximumSecurityTo: The highest version to speak.
        contextForServerName: Called with the name that a client asks for (bytes, or None); returns
            the context to go on with, or None for this one.

    Raises:
        NotImplementedError: Something is asked for that is not offered.
        TypeError: A key without its certificate, or the other way round.
    """

    def __init__(
        self,
        privateKey: KeyPair | bytes | None = None,
        certificate: Certificate | bytes | None = None,
        method: Any = None,
        verify: bool = False,
        caCerts: Sequence[Certificate] | None = None,
        verifyDepth: int = 9,
        requireCertificate: bool = True,
        verifyOnce: bool = True,
        enableSingleUseKeys: bool = True,
        enableSessions: bool = False,
        fixBrokenPeers: bool = False,
        enableSessionTickets: bool = False,
        extraCertChain: Sequence[Certificate] | None = None,
        acceptableCiphers: AcceptableCiphers | None = None,
        dhParameters: Any = None,
        trustRoot: Any = None,
        acceptableProtocols: Sequence[bytes] | None = None,
        raiseMinimumTo: TLSVersion | None = None,
        insecurelyLowerMinimumTo: TLSVersion | None = None,
        lowerMaximumSecurityTo: TLSVersion | None = None,
        contextForServerName: Callable[[bytes | None], Any] | None = None,
    ) -> None:
        for name, value in (("method", method), ("dhParameters", dhParameters)):
            if value is not None:
                raise NotImplementedError(
                    f"{name} is not offered; pass an ssl.SSLContext of your own instead"
                )
        if (privateKey is None) is not (certificate is None):
            raise TypeError("a private key and its certificate go together")
        if verify and not caCerts and trustRoot is None:
            raise ValueError("to verify the peer, give the authorities as trustRoot or caCerts")
        self.verify = verify or trustRoot is not None
        self._key = _keyPEM(privateKey)
        self._chain = _chainPEM(certificate, extraCertChain or ())
        self._trustRoot = None
        if self.verify:
            self._trustRoot = _trustRoot(caCerts if trustRoot is None else trustRoot)
        self._requireCertificate = requireCertificate
        self._tickets = enableSessionTickets
        self._ciphers = acceptableCiphers
        self._protocols = wireProtocols(acceptableProtocols or ())
        self._minimum = insecurelyLowerMinimumTo or raiseMinimumTo
        self._maximum = lowerMaximumSecurityTo
        self._contextForServerName = contextForServerName
        self._contexts: dict[bool, ssl.SSLContext] = {}

    def getContext(self) -> ssl.SSLContext:
        """Return the context for a server."""
        return self.contextFor(isClient=False)

    def contextFor(self, isClient: bool) -> ssl.SSLContext:
        """Return the context for one side, made when it is first asked for.

        Raises:
            ssl.SSLError: The certificate or the key is damaged, say.
        """
        if isClient not in self._contexts:
            self._contexts[isClient] = self._make(isClient)
        return self._contexts[isClient]

    def _make(self, isClient: bool) -> ssl.SSLContext:
        context = newContext(isClient)
        if self._key is not None and self._chain is not None:
            loadChain(context, self._chain, self._key)
        if self._trustRoot is not None:
            self._trustRoot.addTo(context)
            required = isClient or self._requireCertificate
            context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
        if not isClient and not self._tickets:
            context.options |= ssl.OP_NO_TICKET
            context.num_tickets = 0
        if self._ciphers is not None:
            context.set_ciphers(":".join(self._ciphers.selectCiphers()))
        if self._protocols:
            context.set_alpn_protocols(self._protocols)
        if self._minimum is not None:
            context.minimum_version = self._minimum.value
        if self._maximum is not None:
            context.maximum_version = self._maximum.value
        if self._contextForServerName is not None and not isClient:
            context.sni_callback = self._byServerName
        return context

    def _byServerName(self, session: ssl.SSLObject, name: str | None, first: object) -> None:
        assert self._contextForServerName is not None
        found = self._contextForServerName(None if name is None else name.encode("ascii"))
        if found is not None:
            session.context = found if isinstance(found, ssl.SSLContext) else found.getContext()


def _keyPEM(key: KeyPair | bytes | None) -> bytes | None:
    if key is None:
        return None
    if isinstance(key, bytes):
        key = KeyPair(key)
    if not isinstance(key, KeyPair):
        raise TypeError(f"a private key is a KeyPair or text in the PEM format, not {key!r}")
    return key.dump()


def _chainPEM(
    certificate: Certificate | bytes | None, extra: Sequence[Certificate]
) -> bytes | None:
    if certificate is None:
        return None
    if isinstance(certificate, bytes):
        certificate = Certificate.loadPEM(certificate)
    if not isinstance(certificate, Certificate):
        raise TypeError(
            f"a certificate is a Certificate or text in the PEM format, not {certificate!r}"
        )
    if isinstance(certificate, PrivateCertificate):
        own = certificate.chainPEM()
    else:
        own = certificate.dumpPEM()
    return own + b"".join(each.dumpPEM() for each in extra)


# ---- options for a client ------------------------------------------------------------------------


class ClientTLSOptions:
    """How a client speaks TLS with a server of a certain name.

    Args:
        hostname: The name, which the server's certificate has to have.
        context: The context.
        sendServerName: Whether the server is told the name.
    """

    def __init__(self, hostname: str, context: ssl.SSLContext, sendServerName: bool = True) -> None:
        self.hostname = hostname
        self.context = context
        self.sendServerName = sendServerName


def optionsForClientTLS(
    hostname: str,
    trustRoot: Any = None,
    clientCertificate: PrivateCertificate | None = None,
    acceptableProtocols: Sequence[bytes] | None = None,
    *,
    extraCertificateOptions: Mapping[str, Any] | None = None,
    sendServerName: bool | None = None,
) -> ClientTLSOptions:
    """Return how a client speaks TLS with a server: its certificate is verified, and its name.

    Args:
        hostname: The server's name.
        trustRoot: Whose certificates are accepted; by default what the system trusts.
        clientCertificate: What is shown to the server, if it asks.
        acceptableProtocols: The names of protocols to agree on by ALPN, the preferred one first.
        extraCertificateOptions: Other arguments for `CertificateOptions`.
        sendServerName: Whether the server is told the name; it is, by default. False is not
            offered.

    Raises:
        TypeError: The name is not text, or an argument is unknown.
        NotImplementedError: The name is not to be sent.
    """
    if not isinstance(hostname, str):
        raise TypeError(f"the name of a server is text, not {hostname!r}")
    if sendServerName is False:
        raise NotImplementedError("the standard library checks a name only where it sends it")
    more = dict(extraCertificateOptions or {})
    if clientCertificate is not None:
        more.update(privateKey=clientCertificate.privateKey, certificate=clientCertificate)
    options = CertificateOptions(
        trustRoot=platformTrust() if trustRoot is None else trustRoot,
        acceptableProtocols=acceptableProtocols,
        **more,
    )
    context = options.contextFor(isClient=True)
    context.check_hostname = True
    return ClientTLSOptions(hostname, context)


# ---- Twisted's older ways ------------------------------------------------------------------------


class ContextFactory:
    """Makes a context; a subclass says which."""

    isClient = 0

    def getContext(self) -> ssl.SSLContext:
        """Return the context."""
        raise NotImplementedError(f"{type(self).__name__} has no getContext")


class DefaultOpenSSLContextFactory(ContextFactory):
    """Makes a server's context of files.

    Args:
        privateKeyFileName: The private key's.
        certificateFileName: The certificate's, with those of the authorities between.
        sslmethod: Not offered: TLS 1.2 and later are spoken.

    Raises:
        OSError: A file cannot be read.
        ssl.SSLError: A file is damaged.
    """

    def __init__(
        self, privateKeyFileName: str, certificateFileName: str, sslmethod: Any = None
    ) -> None:
        if sslmethod is not None:
            raise NotImplementedError("sslmethod is not offered: TLS 1.2 and later are spoken")
        self.privateKeyFileName = privateKeyFileName
        self.certificateFileName = certificateFileName
        self._context = newContext(isClient=False)
        self._context.load_cert_chain(certificateFileName, privateKeyFileName)

    def getContext(self) -> ssl.SSLContext:
        """Return the context."""
        return self._context


class ClientContextFactory(ContextFactory):
    """Makes a client's context that verifies nothing: only for tests, as in Twisted."""

    isClient = 1

    def getContext(self) -> ssl.SSLContext:
        """Return the context."""
        return newContext(isClient=True)


showAs(
    "twistlike.internet.ssl",
    globals(),
    [each for each in __all__ if each not in ("TrustRoot", "newContext", "wireProtocols")],
)
