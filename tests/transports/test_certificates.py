"""`internet.ssl`: certificates, keys and options, beside Twisted's where both have them."""

from __future__ import annotations

import ssl as stdssl
from pathlib import Path
from typing import Any

import pytest

from tests.oracle import assertSame
from tests.transports.authority import authority, other
from twistlike.internet import ssl
from twistlike.internet.error import CertificateError


def test_certificates_are_twisteds(tmp_path: Path) -> None:
    """Loading, dumping, comparing and fingerprints."""
    pytest.importorskip("OpenSSL")
    pytest.importorskip("service_identity")
    (tmp_path / "one.pem").write_bytes(authority().issue("localhost").both)
    (tmp_path / "two.pem").write_bytes(other().certificate)
    assertSame(
        """
        import sys
        from twisted.internet import ssl

        def read(name):
            with open(f"{sys.argv[1]}/{name}", "rb") as file:
                return file.read()
        private = ssl.PrivateCertificate.loadPEM(read("one.pem"))
        one, two = (ssl.Certificate.loadPEM(read(name)) for name in ("one.pem", "two.pem"))
        again = ssl.Certificate.load(one.dump())
        print(one == again, one == two, one != two)
        print(one.dumpPEM() in read("one.pem"), two.dumpPEM() == read("two.pem"))
        for method in ("md5", "sha1", "sha256"):
            print(one.digest(method), private.digest(method) == one.digest(method))
        print(one.digest())
        key = private.privateKey
        both = ssl.PrivateCertificate.fromCertificateAndKeyPair(one, key)
        print(both.digest() == one.digest())
        for bad in (b"", b"nonsense"):
            for load in (ssl.Certificate.loadPEM, ssl.PrivateCertificate.loadPEM):
                try:
                    load(bad)
                except Exception as error:
                    print("refused")
        for bad in (dict(privateKey=1), dict(certificate=1), dict(verify=True)):
            try:
                ssl.CertificateOptions(**bad)
            except Exception:
                print("refused")
        try:
            ssl.optionsForClientTLS(b"localhost")
        except TypeError:
            print("TypeError")
        """,
        args=[str(tmp_path)],
    )


def test_what_is_not_offered_says_so() -> None:
    """Nothing that is asked for is left out in silence."""
    pair = authority().issue("localhost")
    refused: list[Any] = [
        lambda: ssl.KeyPair.generate(),
        lambda: ssl.KeyPair.load(b"x", 2),
        lambda: ssl.CertificateOptions(method=5),
        lambda: ssl.CertificateOptions(dhParameters=object()),
        lambda: ssl.DefaultOpenSSLContextFactory("k", "c", sslmethod=5),
        lambda: ssl.optionsForClientTLS("localhost", sendServerName=False),
    ]
    for call in refused:
        with pytest.raises(NotImplementedError):
            call()
    with pytest.raises(TypeError, match="unexpected"):
        ssl.optionsForClientTLS("localhost", extraCertificateOptions={"colour": "red"})
    with pytest.raises(CertificateError, match="certificate"):
        ssl.Certificate.loadPEM(pair.key)
    with pytest.raises(CertificateError, match="private key"):
        ssl.PrivateCertificate.loadPEM(pair.certificate)
    with pytest.raises(TypeError, match="trust root"):
        ssl.CertificateOptions(trustRoot="the system")


def test_a_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    """When the context is made, and the file that it was made of is gone."""
    one, two = authority().issue("localhost"), authority().issue("second.test")
    options = ssl.CertificateOptions(privateKey=one.key, certificate=two.certificate)
    with pytest.raises(stdssl.SSLError):
        options.getContext()


def test_options_make_a_context_for_each_side() -> None:
    """Versions, ciphers, whom to verify."""
    pair = authority().issue("localhost")
    trusted = ssl.Certificate.loadPEM(authority().certificate)
    options = ssl.CertificateOptions(
        privateKey=pair.key,
        certificate=pair.certificate,
        trustRoot=ssl.trustRootFromCertificates([trusted]),
        requireCertificate=False,
        raiseMinimumTo=ssl.TLSVersion.TLSv1_3,
        acceptableCiphers=ssl.AcceptableCiphers.fromOpenSSLCipherString("ECDHE+AESGCM"),
    )
    server, client = options.getContext(), options.contextFor(isClient=True)
    assert server is options.getContext()
    assert server.protocol == stdssl.PROTOCOL_TLS_SERVER
    assert server.verify_mode == stdssl.CERT_OPTIONAL
    assert client.protocol == stdssl.PROTOCOL_TLS_CLIENT
    assert client.verify_mode == stdssl.CERT_REQUIRED
    assert server.minimum_version == stdssl.TLSVersion.TLSv1_3
    assert client.get_ca_certs()
    lower = ssl.CertificateOptions(lowerMaximumSecurityTo=ssl.TLSVersion.TLSv1_2)
    assert lower.getContext().maximum_version == stdssl.TLSVersion.TLSv1_2
    assert ssl.platformTrust() is not None
    # By default nothing older than 1.2, and nothing is verified.
    plain = ssl.CertificateOptions().contextFor(isClient=True)
    assert plain.minimum_version == stdssl.TLSVersion.TLSv1_2
    assert plain.verify_mode == stdssl.CERT_NONE
