"""Whose certificates are believed, and what is said when one is not.

This is the only module that decides about certificates. Both HTTP clients (requests, and httpx inside Ollama's
client) are given the same context, so that a company's authority is added once and holds everywhere.
"""

from __future__ import annotations

import re
import socket
import ssl
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import certifi

from pipeline.errors import EngineRefused, SettingsError, StoreError
from pipeline.files import read_plain
from pipeline.net.deadline import TlsSocket
from pipeline.telemetry import log

_BUNDLE_SETTING = "SSL_CA_BUNDLE"

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)

# OpenSSL's numbers (x509_vfy.h); Python names none of them.
_NOT_YET_VALID, _EXPIRED, _SELF_SIGNED, _SELF_SIGNED_ROOT = 9, 10, 18, 19
_UNKNOWN_ISSUER = frozenset({2, 20, 21})
_WRONG_HOST = frozenset({62, 64})
# X509_V_FLAG_NO_CHECK_TIME: so that an expired certificate can still be read and named.
_READ_EXPIRED_ONES_TOO = 0x200000
# Long enough for a slow service that has just answered once; the reason is known already, this only adds names.
_LOOK_AGAIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Tls:
    """How every connection is checked."""

    verify: bool = True
    """False believes every certificate: anybody on the way can read and change what is sent."""
    ca_bundle: Path | None = None
    """A PEM file of authorities to believe beside the public ones (certifi's), such as a company's own."""

    def context(self) -> ssl.SSLContext:
        """The context for every client; built once. Raises SettingsError for a bundle that cannot be used."""
        if not self.verify:
            # urllib3 would say at each call what `_unchecked` says once.
            warnings.filterwarnings("ignore", message="Unverified HTTPS request")
            return _unchecked()
        if self.ca_bundle is None:
            return _checked(None, "")
        return _checked(self.ca_bundle, _read_bundle(self.ca_bundle))


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a server shows, in the words that people know it by."""

    subject: str
    issuer: str
    hosts: tuple[str, ...]
    """The host names and addresses it is for."""
    expires: str
    """As OpenSSL writes it: `Jun  1 12:00:00 2026 GMT`."""


def refusal_in(error: BaseException) -> ssl.SSLError | None:
    """The TLS error inside a client's own exception, however deeply it is wrapped."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        found = waiting.pop(0)
        if isinstance(found, ssl.SSLError):
            return found
        if isinstance(found, BaseException) and id(found) not in seen:
            seen.add(id(found))
            waiting += [found.__cause__, found.__context__, getattr(found, "reason", None), *found.args]
    return None


def refused(error: ssl.SSLError, url: str, *, where: str, look_again: bool = True) -> EngineRefused:
    """What a person is told: the reason, whose certificate it is, and the setting to use.

    A refused certificate cannot be read from the refusal, so the server is asked for it once more and nothing is
    sent to it. `look_again=False` leaves that out, as behind a proxy.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 443
    if not isinstance(error, ssl.SSLCertVerificationError):
        return EngineRefused(
            f"no secure connection can be made ({getattr(error, 'reason', None) or error})",
            where=where,
            hint="If it does not speak TLS, write its address with http:// and not https://.",
        )
    certificate = certificate_of(host, port) if look_again else None
    reason, hint = _explain(error, host, certificate)
    names = f" (subject {certificate.subject}, issuer {certificate.issuer})" if certificate else ""
    return EngineRefused(f"its certificate is not accepted: {reason}{names}", where=where, hint=hint)


def certificate_of(host: str, port: int) -> Certificate | None:
    """The certificate a server shows, believed or not; None where it cannot be had."""
    curious = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    curious.check_hostname = False
    curious.verify_mode = ssl.CERT_NONE
    # Python decodes only what it has verified: so the same certificate is then believed, by itself.
    only_this = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    only_this.check_hostname = False
    only_this.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    only_this.verify_flags = ssl.VerifyFlags(only_this.verify_flags | _READ_EXPIRED_ONES_TOO)
    try:
        with _shaken(curious, host, port) as first:
            only_this.load_verify_locations(cadata=first.getpeercert(binary_form=True) or b"")
        with _shaken(only_this, host, port) as second:
            decoded = second.getpeercert() or {}
    except (OSError, ValueError):  # the server is gone, or shows another certificate now; ssl.SSLError is an OSError
        return None
    return Certificate(
        subject=_name(decoded.get("subject")),
        issuer=_name(decoded.get("issuer")),
        hosts=tuple(str(entry[1]) for entry in decoded.get("subjectAltName", ())),
        expires=str(decoded.get("notAfter", "")),
    )


@contextmanager
def _shaken(context: ssl.SSLContext, host: str, port: int) -> Iterator[ssl.SSLSocket]:
    with (
        socket.create_connection((host, port), timeout=_LOOK_AGAIN_SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=host) as secured,
    ):
        yield secured


def _name(parts: Any) -> str:  # noqa: ANN401  # ssl's own type for it is a union of nested tuples
    """`CN=piper.example, O=Example` from what `getpeercert` gives, the most telling part first."""
    short = {"commonName": "CN", "organizationName": "O", "organizationalUnitName": "OU", "countryName": "C"}
    pairs = [(short.get(kind, kind), value) for part in parts or () for kind, value in part]
    pairs.sort(key=lambda pair: pair[0] != "CN")
    return ", ".join(f"{kind}={value}" for kind, value in pairs) or "without a name"


@lru_cache(maxsize=8)
def _checked(bundle: Path | None, pem: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=certifi.where())
    context.sslsocket_class = TlsSocket
    context.set_alpn_protocols(["http/1.1"])
    if bundle is None:
        return context
    try:
        context.load_verify_locations(cadata=pem)
    except ssl.SSLError as error:
        raise _unusable(bundle, f"holds a certificate that cannot be read ({error.reason or error})") from error
    # Python 3.13 began to refuse authorities that leave out extensions which RFC 5280 asks for. Many companies' own
    # ones do, and the same bundle must work on every Python; the chain, the dates and the name are checked as ever.
    context.verify_flags &= ~ssl.VerifyFlags.VERIFY_X509_STRICT
    return context


@lru_cache(maxsize=1)
def _unchecked() -> ssl.SSLContext:
    log().warning(
        "certificates_unchecked",
        why="SSL_VERIFY is false: anybody on the way can read and change what is sent",
        instead=f"SSL_VERIFY=true, and {_BUNDLE_SETTING} for a company's own authority",
    )
    context = ssl.create_default_context()
    context.sslsocket_class = TlsSocket
    context.set_alpn_protocols(["http/1.1"])
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _read_bundle(path: Path) -> str:
    try:
        # Such files carry comments in any encoding between the certificates, which are ASCII.
        text = read_plain(path).decode("ascii", "replace")
    except FileNotFoundError as error:
        raise _unusable(path, f"cannot be read ({error.strerror})") from error
    except StoreError as error:
        raise _unusable(path, f"cannot be read ({error.what})") from error
    blocks = _CERTIFICATE.findall(text)
    if not blocks:
        found = "is empty" if not text.strip() else "holds no certificate in PEM form"
        raise _unusable(path, found)
    return "\n".join(blocks)


def _unusable(path: Path, found: str) -> SettingsError:
    return SettingsError(
        [f"{_BUNDLE_SETTING}: {path} {found}"],
        hint="It must be a PEM file: blocks that begin with -----BEGIN CERTIFICATE-----.",
    )


def _explain(error: ssl.SSLCertVerificationError, host: str, certificate: Certificate | None) -> tuple[str, str]:
    code = getattr(error, "verify_code", 0)
    if code == _EXPIRED:
        when = f" on {certificate.expires}" if certificate and certificate.expires else ""
        return f"it expired{when}", "Renew the server's certificate; and see that this machine's clock is right."
    if code == _NOT_YET_VALID:
        return "it is not valid yet", "See that this machine's clock is right, and the server's."
    if code in _WRONG_HOST:
        others = ", ".join(certificate.hosts) if certificate and certificate.hosts else "another host"
        return (
            f"it is for {others}, not for {host}",
            "Use the name that the certificate is for in the service's address.",
        )
    if code == _SELF_SIGNED:
        return "it is self-signed", f"If it is yours, give the certificate's PEM file in {_BUNDLE_SETTING}."
    if code == _SELF_SIGNED_ROOT or code in _UNKNOWN_ISSUER:
        return (
            "no known authority has signed it",
            f"If it is your company's authority, give its PEM file in {_BUNDLE_SETTING}.",
        )
    return str(
        getattr(error, "verify_message", error)
    ), f"If it is your company's authority, give its PEM file in {_BUNDLE_SETTING}."
