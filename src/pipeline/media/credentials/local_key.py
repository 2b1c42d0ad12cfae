"""A key of this machine's own: made once, kept for this user alone, and known to nobody.

It proves that a file is as this machine left it, to whoever has its certificate; not who the signer is.
"""

from __future__ import annotations

import fcntl
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.files import disk_error, drop, make_folder, part_of, read_plain, settle
from pipeline.media.credentials.identity import pkcs8

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate

# Without a time-stamping authority a signature ends with its certificate: validators then ask for today's date.
_LOCAL_DAYS = 20 * 365


def local_pem(now: datetime) -> bytes:
    """A new key, its certificate and the root that issued it, as PEM. The root's own key is forgotten here, so nothing
    else will ever be issued by it.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    # ES256 is on C2PA's list (2.1, 13.2). No signer may have issued its own certificate (14.5): so a root.
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name = "Root of a local key"
    root = _certificate(root_name, root_key, root_name, root_key, now, is_root=True)
    leaf = _certificate("A local key", key, root_name, root_key, now, is_root=False)
    certificates = (one.public_bytes(serialization.Encoding.PEM) for one in (leaf, root))
    return b"".join((pkcs8(key), *certificates))


def _certificate(
    name: str,
    key: EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: EllipticCurvePrivateKey,
    now: datetime,
    *,
    is_root: bool,
) -> Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

    def named(common: str) -> x509.Name:
        # The organisation is what viewers show as the signer. No machine's or person's name: they did not ask to sign.
        return x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Media Pipeline, unverified local key"),
                x509.NameAttribute(NameOID.COMMON_NAME, common),
            ]
        )

    usage = x509.KeyUsage(
        digital_signature=not is_root,
        key_cert_sign=is_root,
        crl_sign=is_root,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    building = (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # A day back, for readers whose clocks are behind.
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=_LOCAL_DAYS))
        .add_extension(x509.BasicConstraints(ca=is_root, path_length=0 if is_root else None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .add_extension(usage, critical=True)
    )
    if not is_root:
        # C2PA 2.1, 14.5: a signer's certificate is for signing documents (RFC 9336) or mail, and not for any use.
        signs_documents = ObjectIdentifier("1.3.6.1.5.5.7.3.36")
        uses = [signs_documents, ExtendedKeyUsageOID.EMAIL_PROTECTION]
        building = building.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
    return building.sign(issuer_key, hashes.SHA256())


def kept(path: Path) -> bytes:
    """What is in the file of the local key, which is made where it is not there: by one process, whoever else asks."""
    make_folder(path.parent)
    try:
        descriptor = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise disk_error(error, path) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            return read_plain(path)
        except FileNotFoundError:
            made = local_pem(datetime.now(UTC))
            _write_for_this_user(path, made)
            return made
    finally:
        os.close(descriptor)


def _write_for_this_user(path: Path, data: bytes) -> None:
    """As `files.write_whole`, and never for a moment readable by others."""
    part = part_of(path)
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        settle(part, path)
    except OSError as error:
        drop(part)
        raise disk_error(error, path) from error
