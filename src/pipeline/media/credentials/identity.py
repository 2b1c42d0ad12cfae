"""Who signs: a certificate chain and the private key of its first certificate.

The private key is in this object and in its file. It is no part of what is compared, shown or digested.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.errors import SettingsError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

_BY_CURVE = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
_LEAST_RSA_BITS = 2048


@dataclass(frozen=True, slots=True)
class Identity:
    """A chain of certificates, with the key of the first."""

    algorithm: str
    """As C2PA names it: `es256`, `ps256`, `ed25519`."""
    chain: bytes = field(repr=False)
    """PEM: the signer's own certificate first, then each one's issuer."""
    key: bytes = field(repr=False, compare=False)
    """PEM, PKCS #8, without a passphrase."""

    @property
    def digest(self) -> str:
        """SHA-256 of the chain, in hexadecimal: of the signer, what a signed file hangs on."""
        return hashlib.sha256(self.chain).hexdigest()


def parse_identity(certificates: bytes, key: bytes, *, where: str) -> Identity:
    """An identity of PEM text: other blocks than those asked for may stand in either. Raises SettingsError."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    try:
        chain = x509.load_pem_x509_certificates(certificates)
    except ValueError:
        raise SettingsError([f"{where}: the certificate is no PEM file of certificates"]) from None
    try:
        private = serialization.load_pem_private_key(_key_block(key), password=None)
    except TypeError:  # what the library raises for a key that a passphrase protects
        raise SettingsError(
            [f"{where}: the key asks for a passphrase. Give one without: openssl pkey -in KEY -out PLAIN"]
        ) from None
    except ValueError:
        raise SettingsError([f"{where}: the key is no private key in PEM"]) from None
    # Nothing of what the library said of the key is passed on: `from None`.
    if private.public_key() != chain[0].public_key():
        raise SettingsError([f"{where}: the key is not that of the first certificate"])
    return Identity(
        _algorithm(private, where),
        b"".join(one.public_bytes(serialization.Encoding.PEM) for one in chain),
        pkcs8(private),
    )


def pkcs8(key: PrivateKeyTypes) -> bytes:
    """The one form that C2PA's library reads of every kind of key."""
    from cryptography.hazmat.primitives import serialization

    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _key_block(pem: bytes) -> bytes:
    """The private key alone, of a file that may hold certificates and a curve's parameters before it."""
    begin = pem.find(b"PRIVATE KEY-----")
    start = pem.rfind(b"-----BEGIN ", 0, max(begin, 0))
    return pem[start:] if start >= 0 else pem


def _algorithm(key: PrivateKeyTypes, where: str) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    match key:
        case ec.EllipticCurvePrivateKey() if key.curve.name in _BY_CURVE:
            return _BY_CURVE[key.curve.name]
        case ed25519.Ed25519PrivateKey():
            return "ed25519"
        case rsa.RSAPrivateKey() if key.key_size >= _LEAST_RSA_BITS:
            return "ps256"
    kinds = "ECDSA (P-256, P-384, P-521), Ed25519, or RSA of 2048 bits and more"
    raise SettingsError([f"{where}: C2PA does not sign with such a key. Take one for {kinds}."])
