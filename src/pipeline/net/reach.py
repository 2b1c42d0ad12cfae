"""Whether a machine can be reached at all: its name is known, and somebody listens there; each within a deadline."""

from __future__ import annotations

import ipaddress
import math
import socket
import threading
import time
from urllib.parse import urlsplit

from pipeline.errors import EngineUnavailable

# How long a name that was found is taken for found; connections are made anew meanwhile without asking.
_NAME_HOLDS_SECONDS = 30.0
# Long enough for a server anywhere near; whoever looks has something else to go on with.
_KNOCK_SECONDS = 2.0


def knock(service: str, url: str, *, seconds: float, hint: str) -> None:
    """See whether anybody listens at a URL at all, in a millisecond where nobody does; at most two seconds for its name
    and two for each of its addresses, or `seconds` where those are fewer.

    Raises EngineUnavailable. It spares loading a client library only to learn that there is no server.
    """
    parts, where = urlsplit(url), f"{service} at {url}"
    port = parts.port or (443 if parts.scheme == "https" else 80)
    patience = min(seconds, _KNOCK_SECONDS)
    Names().find(url, patience, where=where)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=patience).close()
    except OSError as error:
        raise EngineUnavailable(f"nobody answers ({error.strerror or error})", where=where, hint=hint) from error


class Names:
    """Name look-ups with a deadline: the system's own may hang for minutes where there is no network."""

    def __init__(self) -> None:
        self._found: dict[str, float] = {}

    def find(self, url: str, seconds: float, *, where: str) -> None:
        """Raises EngineUnavailable where the name is not known, or is not found in time."""
        host = urlsplit(url).hostname or ""
        now = time.monotonic()
        if _is_address(host) or now - self._found.get(host, -math.inf) < _NAME_HOLDS_SECONDS:
            return
        outcome: list[OSError | None] = []

        def look_up() -> None:
            try:
                socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
                outcome.append(None)
            except (OSError, UnicodeError) as error:
                outcome.append(error if isinstance(error, OSError) else OSError(str(error)))

        # A daemon: a look-up cannot be called off, and must not hold up the end of the process.
        looking = threading.Thread(target=look_up, name=f"look-up {host}", daemon=True)
        looking.start()
        looking.join(seconds)
        if not outcome:
            raise EngineUnavailable(
                f"the look-up of its name {host!r} took more than {seconds:g} s",
                where=where,
                hint="See that this machine's network and name server work.",
            )
        if outcome[0] is not None:
            raise unknown_name(url, where) from outcome[0]
        self._found[host] = now


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def unknown_name(url: str, where: str) -> EngineUnavailable:
    host = urlsplit(url).hostname
    return EngineUnavailable(
        f"no machine of the name {host!r} is known here",
        where=where,
        hint="See its address, and this machine's network.",
    )
