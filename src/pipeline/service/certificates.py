"""When the certificates of the engines' addresses expire: looked up now and then, in a thread of its own."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from threading import Event
from urllib.parse import urlsplit

from pipeline.errors import PipelineError
from pipeline.net.tls import certificate_of

_EVERY_SECONDS = 3600.0


def keep_looking(
    addresses: Callable[[], Mapping[str, str]], seen: Callable[[str, float | None], None], stop: Event
) -> None:
    """Once an hour until stopped. `addresses` are the engines', by role; it may raise PipelineError."""
    while not stop.is_set():
        look(addresses, seen)
        stop.wait(_EVERY_SECONDS)


def look(addresses: Callable[[], Mapping[str, str]], seen: Callable[[str, float | None], None]) -> None:
    """Tell `seen` of each https address when its certificate expires, in seconds since 1970; None where it shows none.

    An expired certificate, and one that is not believed, is told as any other.
    """
    try:
        found = addresses()
    except PipelineError:
        return  # unusable settings; the maker says so
    for role, address in found.items():
        parts = urlsplit(address)
        if parts.scheme == "https" and parts.hostname:
            seen(role, expiry(parts.hostname, parts.port or 443))


def expiry(host: str, port: int) -> float | None:
    """When the certificate that is shown there expires, in seconds since 1970; None where none is to be had."""
    certificate = certificate_of(host, port)
    if certificate is None or not certificate.expires:
        return None
    return float(ssl.cert_time_to_seconds(certificate.expires))
