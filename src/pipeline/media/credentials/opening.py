"""From settings to who signs: whatever is wrong with a key or a certificate is found here, before anything is made."""

from __future__ import annotations

import io
from pathlib import Path

from pipeline.errors import EngineRefused, SettingsError, StoreError
from pipeline.files import read_plain
from pipeline.media.credentials import library, local_key, signing
from pipeline.media.credentials.claim import Kind, MadeBy, Model, claim_of, manifest
from pipeline.media.credentials.identity import Identity, parse_identity

# The smallest picture there is: 1 x 1, grey.
_PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010800000000"
    "3a7e9b550000000a4944415478da6368000000820081da45083b0000000049454e44ae426082"
)


def open_identity(certificate: Path | None, key: Path | None, *, local: Path) -> Identity:
    """Who signs here, tried out on a picture of one pixel.

    A person's `certificate` (PEM, its issuers after it) and `key`; where neither is given, those in the file `local`,
    which are made if it is not there. Raises SettingsError with what is wrong (the library is not installed, no such
    file, a key that is not the certificate's, a certificate that is out of date or not for signing), StoreError where
    the local file cannot be written or read.
    """
    library.load()
    if (certificate is None) != (key is None):
        other = "credentials_key" if key is None else "credentials_cert"
        raise SettingsError([f"{other}: missing. A certificate and its private key go together; or name neither."])
    if certificate is not None and key is not None:
        identity = parse_identity(
            _read("credentials_cert", certificate), _read("credentials_key", key), where=f"credentials_key: {key}"
        )
    else:
        both = local_key.kept(local)
        identity = parse_identity(both, both, where=str(local))
    _try_out(identity)
    return identity


def _read(setting: str, path: Path) -> bytes:
    try:
        return read_plain(path)
    except FileNotFoundError:
        raise SettingsError([f"{setting}: there is no file {path}"]) from None
    except StoreError as error:
        raise SettingsError([f"{setting}: {path} cannot be read: {error.what}"]) from error


def _try_out(identity: Identity) -> None:
    """Sign something small: only the library knows all that C2PA asks of a certificate. Raises SettingsError."""
    nobody = Model("nothing", "nothing")
    claim = claim_of("pixel.png", Kind.TYPESET, MadeBy("A trial.", nobody))
    try:
        signing.sign(
            io.BytesIO(_PIXEL),
            io.BytesIO(),
            claim.media_type,
            manifest(claim, made_at="2026-01-01T00:00:00Z"),
            identity,
        )
    except EngineRefused as error:
        raise SettingsError([f"credentials_cert: it cannot be signed with: {error.what}"]) from error
