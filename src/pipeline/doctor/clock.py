"""Whether this machine's clock is right, as far as the servers that were reached can tell."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from pipeline.doctor.finding import Finding

# Certificates and signed requests commonly bear five minutes (Kerberos and AWS allow just that).
_TOO_FAR = timedelta(minutes=5)
# This version was not made before; a board without a battery begins at 1970 or at its image's date.
_NOT_BEFORE = datetime(2026, 1, 1, tzinfo=UTC)
_TODO = "Have it set by the network: timedatectl set-ntp true. Certificates are judged by it."


def drift(header: str, now: datetime) -> timedelta | None:
    """How far `now` is after what a server's Date header says (RFC 9110, to the second); None for one that is none."""
    try:
        said = parsedate_to_datetime(header)
    except ValueError:
        return None
    return now - said.replace(tzinfo=said.tzinfo or UTC)


def clock(now: datetime, drifts: Mapping[str, timedelta]) -> Finding:
    """`drifts`: server → how far this machine's clock was after its own when it answered."""
    shown = f"{now:%Y-%m-%d %H:%M:%S} UTC"
    if now < _NOT_BEFORE:
        return Finding("clock", "bad", f"{shown}, which cannot be", _TODO)
    far = {server: by for server, by in drifts.items() if abs(by) > _TOO_FAR}
    if far:
        server, by = max(far.items(), key=lambda item: abs(item[1]))
        side = "after" if by > timedelta() else "before"
        said = f"{shown}, which is {_long(abs(by))} {side} the clock of {server}"
        return Finding("clock", "note", said, f"One of the two is wrong. {_TODO}")
    if not drifts:
        return Finding("clock", "ok", f"{shown}; no server was reached to compare it with")
    return Finding("clock", "ok", f"{shown}, as {' and '.join(drifts)} {'says' if len(drifts) == 1 else 'say'}")


def _long(time: timedelta) -> str:
    minutes = time.total_seconds() / 60
    if minutes < 120:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.0f} h" if minutes < 48 * 60 else f"{minutes / 60 / 24:.0f} days"
