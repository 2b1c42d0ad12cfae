"""Who may call: by which name they call us, from whose page, and with which token. Decisions, nothing else.

A page of another site can have a person's browser call a service on their own machine, and a name that its owner
points at 127.0.0.1 makes that page's own origin of it (DNS rebinding). Against the first stands `Origin`, which the
page cannot leave out, and `Sec-Fetch-Site`; against the second the name in `Host`, which the page cannot choose.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from pipeline.service.problems import Foreign, Stranger

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
# Addresses to listen on; nobody is called so.
_ANY_IPV4 = "0.0.0.0"  # noqa: S104  # nosec B104  # to compare with
_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::(?P<port>\d{1,5}))?")
# Asked by who looks after the service, who may have no token; what they say without one is a word.
OPEN_PATHS = frozenset({"/health", "/ready"})
# Where a person gives the token to a browser, and what that page is made of.
SIGN_IN, ASSETS = "/sign-in", "/assets/"
SESSION_COOKIE = "session"
SESSION_SECONDS = 30 * 86_400
FEWEST_TOKEN_CHARACTERS = 16


@dataclass(frozen=True, slots=True)
class Guard:
    """What a caller must bring."""

    hosts: frozenset[str]
    """The names by which the service may be called, in small letters, without port."""
    token: str | None = field(default=None, repr=False)
    """Asked of every caller where it is set."""
    now: Callable[[], float] = time.time

    def admit(self, path: str, headers: Mapping[str, str]) -> bool:
        """True where the caller may see everything; `headers` by their names in small letters.

        Raises Foreign and Stranger. False for a caller without a token on a path that needs none.
        """
        self._by_our_name(headers)
        self._from_our_page(headers)
        known = self._knows_token(headers)
        if not known and path not in {*OPEN_PATHS, SIGN_IN} and not path.startswith(ASSETS):
            raise Stranger("a token is asked for here", hint="Send it as Authorization: Bearer …")
        return known

    def _by_our_name(self, headers: Mapping[str, str]) -> None:
        name = name_of(headers.get("host", ""))
        if name is None or name not in self.hosts:
            raise Foreign(
                "the service is not known by this name",
                where="Host",
                hint="Call it by its address, or add the name to the setting service_hosts.",
            )

    def _from_our_page(self, headers: Mapping[str, str]) -> None:
        origin = headers.get("origin")
        if origin is not None:
            parts = _split(origin)
            if parts is None or parts[0] not in {"http", "https"} or parts[1] != headers.get("host", "").lower():
                raise Foreign("calls from the pages of another site are not taken", where="Origin")
        site, mode = headers.get("sec-fetch-site", "none"), headers.get("sec-fetch-mode", "")
        # A person may follow a link to here from anywhere.
        if site not in {"same-origin", "none"} and mode != "navigate":
            raise Foreign("calls from the pages of another site are not taken", where="Sec-Fetch-Site")

    def _knows_token(self, headers: Mapping[str, str]) -> bool:
        if self.token is None:
            return True
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.is_token(given.strip()):
            return True
        return self._is_session(_cookie(headers.get("cookie", ""), SESSION_COOKIE))

    def is_token(self, given: str) -> bool:
        """Whether it is the token; False where none is asked for."""
        if self.token is None:
            return False
        return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self.token.encode())

    def session(self) -> str:
        """What a browser is given in the token's place: it says until when it holds, and nobody without the token can
        make one. A new token ends them all.
        """
        until = str(int(self.now()) + SESSION_SECONDS)
        return f"{until}.{self._seal(until)}"

    def _is_session(self, given: str) -> bool:
        until, _, seal = given.partition(".")
        if not until.isascii() or not until.isdecimal() or len(until) > 12 or int(until) <= self.now():
            return False
        return hmac.compare_digest(seal.encode("utf-8", "surrogateescape"), self._seal(until).encode())

    def _seal(self, until: str) -> str:
        return hmac.new((self.token or "").encode(), f"session until {until}".encode(), "sha256").hexdigest()


def name_of(host: str) -> str | None:
    """The name in a Host header, in small letters, without port or brackets; None where it is none."""
    found = _HOST.fullmatch(host)
    if found is None or int(found["port"] or 0) > 65_535:
        return None
    return found["name"].lower().strip("[]").rstrip(".")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def hosts_of(bound: str, also: Iterable[str]) -> frozenset[str]:
    """The names by which a service may be called that listens on `bound`; `also` are the settings'."""
    return frozenset({bound.lower(), *(name.lower() for name in also)} | _LOOPBACK) - {_ANY_IPV4, "::"}


def _cookie(header: str, name: str) -> str:
    try:
        found = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return found.value if found is not None else ""


def _split(origin: str) -> tuple[str, str] | None:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return None
    return None if parts.path or parts.query or parts.fragment else (parts.scheme.lower(), parts.netloc.lower())
