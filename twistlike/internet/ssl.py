"""TLS: how to speak it, certificates, and whom to trust.

Rooms: `_transports.tls_options`, `_transports.certificates`.

Differs from Twisted: the standard library's `ssl` does the work, not pyOpenSSL. Wherever a context
factory is taken an `ssl.SSLContext` is, too; errors are `ssl.SSLError`; certificates and keys are
texts and bytes. Not offered: making keys and signing certificates (`KeyPair.generate`,
`CertificateRequest`, `DistinguishedName`), `DiffieHellmanParameters`, choosing an OpenSSL method.
"""

from __future__ import annotations

from ssl import SSLCertVerificationError as VerificationError

from twistlike._transports.certificates import Certificate, KeyPair, PrivateCertificate
from twistlike._transports.tls_options import (
    AcceptableCiphers,
    CertificateOptions,
    ClientContextFactory,
    ClientTLSOptions,
    ContextFactory,
    DefaultOpenSSLContextFactory,
    OpenSSLDefaultPaths,
    TLSVersion,
    optionsForClientTLS,
    platformTrust,
    trustRootFromCertificates,
)

supported = True
"""Whether TLS can be spoken."""

__path__: list[str] = []  # a name that is not here is asked of the package's finder

__all__ = [
    "AcceptableCiphers",
    "Certificate",
    "CertificateOptions",
    "ClientContextFactory",
    "ClientTLSOptions",
    "ContextFactory",
    "DefaultOpenSSLContextFactory",
    "KeyPair",
    "OpenSSLDefaultPaths",
    "PrivateCertificate",
    "TLSVersion",
    "VerificationError",
    "optionsForClientTLS",
    "platformTrust",
    "supported",
    "trustRootFromCertificates",
]
