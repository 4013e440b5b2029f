"""Certificates for tests, made when they are first asked for."""

from __future__ import annotations

import datetime
import ipaddress
from functools import cache
from typing import Any

import pytest

__all__ = ["Authority", "Pair", "authority", "other"]


class Pair:
    """A certificate and its key, in the PEM format."""

    def __init__(self, certificate: bytes, key: bytes) -> None:
        self.certificate = certificate
        self.key = key

    @property
    def both(self) -> bytes:
        """The key, followed by the certificate."""
        return self.key + self.certificate


class Authority:
    """Signs certificates.

    Args:
        name: Its name.
    """

    def __init__(self, name: str) -> None:
        self._key = _newKey()
        self._name = name
        self.pair = self._sign(name, self._key, isAuthority=True)

    @property
    def certificate(self) -> bytes:
        """Its own certificate, in the PEM format."""
        return self.pair.certificate

    @cache  # noqa: B019 the two authorities live as long as the tests
    def issue(self, name: str) -> Pair:
        """Return a certificate for a name, which 127.0.0.1 may show as well."""
        return self._sign(name, _newKey(), isAuthority=False)

    def _sign(self, name: str, key: Any, isAuthority: bool) -> Pair:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.x509.oid import NameOID

        def named(text: str) -> x509.Name:
            return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

        now = datetime.datetime.now(datetime.UTC)
        day = datetime.timedelta(days=1)
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        builder = (
            x509.CertificateBuilder()
            .subject_name(named(name))
            .issuer_name(named(self._name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - day)
            .not_valid_after(now + day)
            .add_extension(x509.BasicConstraints(isAuthority, None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name), address]), False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), False
            )
            .add_extension(_usage(isAuthority), critical=True)
        )
        certificate = builder.sign(self._key, hashes.SHA256())
        pem = serialization.Encoding.PEM
        return Pair(
            certificate.public_bytes(pem),
            key.private_bytes(
                pem,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            ),
        )


def _usage(isAuthority: bool) -> Any:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=isAuthority,
        crl_sign=isAuthority,
        encipher_only=False,
        decipher_only=False,
    )


def _newKey() -> Any:
    pytest.importorskip("cryptography")
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


@cache
def authority() -> Authority:
    """The authority that the tests trust."""
    return Authority("authority.test")


@cache
def other() -> Authority:
    """Another one."""
    return Authority("other.test")
