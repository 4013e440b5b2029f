"""Certificates and keys, as far as the standard library knows them. Thread: any."""

from __future__ import annotations

import hashlib
import os
import ssl
import tempfile
from typing import TYPE_CHECKING, Any

from twistlike._base.naming import showAs
from twistlike._base.network_error import CertificateError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from twistlike._transports.tls_options import CertificateOptions

__all__ = ["FORMAT_DER", "FORMAT_PEM", "Certificate", "KeyPair", "PrivateCertificate", "loadChain"]

FORMAT_PEM = 1
"""The number by which Twisted's and OpenSSL's functions name the text format."""

FORMAT_DER = 2
"""The number by which they name the binary format."""

_END = b"-----END CERTIFICATE-----"


def _der(data: bytes, format: int) -> bytes:
    if format == FORMAT_DER:
        return data
    if format != FORMAT_PEM:
        raise ValueError(f"a format is 1 (PEM) or 2 (ASN.1), not {format!r}")
    try:
        text = data[data.index(b"-----BEGIN CERTIFICATE-----") : data.index(_END) + len(_END)]
        return ssl.PEM_cert_to_DER_cert(text.decode("ascii"))
    except ValueError:
        raise CertificateError("the data has no certificate in the PEM format") from None


class Certificate:
    """A certificate.

    Differs from Twisted: there is no OpenSSL object below it, and what it says about its owner is
    only known of a peer's certificate that was verified, as `details`.

    Args:
        original: The certificate: its binary form, or another `Certificate`.
        details: What `ssl.SSLSocket.getpeercert` says of it.
    """

    def __init__(
        self, original: bytes | Certificate, details: Mapping[str, Any] | None = None
    ) -> None:
        if isinstance(original, Certificate):
            details = details or original.details
            original = original.original
        if not isinstance(original, bytes):
            raise TypeError(f"a certificate is made of its binary form, not of {original!r}")
        self.original: bytes = original
        self.details: dict[str, Any] = dict(details or {})

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Certificate):
            return self.original == other.original
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self.original)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.digest('sha256')[:23].decode()}...>"

    @classmethod
    def load(cls, requestData: bytes, format: int = FORMAT_DER, args: tuple[Any, ...] = ()) -> Self:
        """Make a certificate of data.

        Raises:
            CertificateError: There is none in it.
        """
        return cls(_der(requestData, format), *args)

    @classmethod
    def loadPEM(cls, data: bytes) -> Self:
        """Make a certificate of text in the PEM format.

        Raises:
            CertificateError: There is none in it.
        """
        return cls.load(data, FORMAT_PEM)

    @classmethod
    def peerFromTransport(cls, transport: Any) -> Certificate:
        """Return the certificate of a transport's peer.

        Raises:
            CertificateError: It has sent none.
        """
        found = transport.getPeerCertificate()
        if found is None:
            raise CertificateError(f"the peer of {transport!r} has sent no certificate")
        return found if isinstance(found, Certificate) else Certificate(found)

    @classmethod
    def fromSession(cls, session: Any) -> Certificate | None:
        """Return the certificate of a session's peer, if it has sent one.

        Args:
            session: An `ssl.SSLObject`.
        """
        try:
            original = session.getpeercert(True)
            return None if original is None else Certificate(original, session.getpeercert())
        except ValueError:
            return None  # the handshake is not done

    def dump(self, format: int = FORMAT_DER) -> bytes:
        """Return the certificate as data."""
        if format == FORMAT_DER:
            return self.original
        return ssl.DER_cert_to_PEM_cert(self.original).encode("ascii")

    def dumpPEM(self) -> bytes:
        """Return the certificate as text in the PEM format."""
        return self.dump(FORMAT_PEM)

    def digest(self, method: str = "md5") -> bytes:
        """Return the certificate's fingerprint, as pairs of hexadecimal digits between colons."""
        found = hashlib.new(method, self.original, usedforsecurity=False)
        return found.digest().hex(":").upper().encode("ascii")

    def options(self, *authorities: Certificate) -> CertificateOptions:
        """Return options for a side that has no certificate and demands one of these authorities.

        Args:
            authorities: Whose signatures are accepted; by default this one's alone.
        """
        from twistlike._transports.tls_options import CertificateOptions

        return CertificateOptions(trustRoot=list(authorities) or [self])


class KeyPair:
    """A private key, in the PEM format.

    Args:
        pem: The text.
    """

    def __init__(self, pem: Any) -> None:
        if not isinstance(pem, bytes) or b"PRIVATE KEY-----" not in pem:
            raise CertificateError("the data has no private key in the PEM format")
        self.original: bytes = pem

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    @classmethod
    def load(cls, data: bytes, format: int = FORMAT_PEM) -> Self:
        """Make a key of text in the PEM format.

        Raises:
            CertificateError: There is none in it.
            NotImplementedError: It is another format.
        """
        if format != FORMAT_PEM:
            raise NotImplementedError("the standard library reads keys in the PEM format alone")
        return cls(data)

    def dump(self, format: int = FORMAT_PEM) -> bytes:
        """Return the key as text in the PEM format."""
        if format != FORMAT_PEM:
            raise NotImplementedError("the standard library writes keys in the PEM format alone")
        return self.original

    @classmethod
    def generate(cls, kind: Any = None, size: int = 2048) -> Self:
        """Make a new key: not offered.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError(
            "the standard library makes no keys and signs no certificates; use the package "
            "'cryptography' or the command 'openssl', and PrivateCertificate.loadPEM"
        )


class PrivateCertificate(Certificate):
    """A certificate with its private key, and those of the authorities between, if there are any.

    Args:
        original: The certificate.
        privateKey: The key.
        chain: Text in the PEM format: the certificate and those that follow it.
    """

    def __init__(
        self,
        original: bytes | Certificate,
        privateKey: KeyPair | None = None,
        chain: bytes | None = None,
    ) -> None:
        super().__init__(original)
        self.privateKey = privateKey
        self._chain = chain

    @classmethod
    def loadPEM(cls, data: bytes) -> Self:
        """Make a certificate with its key of text that has both.

        Raises:
            CertificateError: One of them is not there.
        """
        certificates = [each + _END + b"\n" for each in data.split(_END)[:-1]]
        chain = b"".join(each[each.index(b"-----BEGIN CERTIFICATE") :] for each in certificates)
        return cls(_der(data, FORMAT_PEM), KeyPair(data), chain)

    @classmethod
    def load(  # type: ignore[override]
        cls, data: bytes, privateKey: KeyPair, format: int = FORMAT_DER
    ) -> Self:
        """Make a certificate of data and of its key."""
        return cls(_der(data, format), privateKey)

    @classmethod
    def fromCertificateAndKeyPair(
        cls, certificateInstance: Certificate, privateKey: KeyPair
    ) -> Self:
        """Make one of both."""
        return cls(certificateInstance, privateKey)

    def chainPEM(self) -> bytes:
        """Return the certificate and those of the authorities between, in the PEM format."""
        return self._chain or self.dumpPEM()

    def options(self, *authorities: Certificate) -> CertificateOptions:
        """Return options for a side that shows this certificate.

        Args:
            authorities: If there are any, the peer has to show a certificate of one of theirs.
        """
        from twistlike._transports.tls_options import CertificateOptions

        return CertificateOptions(
            privateKey=self.privateKey,
            certificate=self,
            trustRoot=list(authorities) or None,
        )


def loadChain(context: ssl.SSLContext, chain: bytes, key: bytes) -> None:
    """Let a context show a certificate.

    The standard library reads certificates from files alone: for a moment there is one, which only
    this user may read.

    Args:
        context: The context.
        chain: Certificates in the PEM format, the own one first.
        key: Its private key in the PEM format.

    Raises:
        ssl.SSLError: They do not belong together, or are damaged.
    """
    number, path = tempfile.mkstemp(suffix=".pem")
    try:
        with os.fdopen(number, "wb") as file:
            file.write(key + b"\n" + chain)
        context.load_cert_chain(path)
    finally:
        os.unlink(path)


showAs("twistlike.internet.ssl", globals(), ["Certificate", "KeyPair", "PrivateCertificate"])
