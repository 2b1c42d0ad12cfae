"""What another program's failures mean: statuses and foreign exceptions become the pipeline's errors here alone.

Nothing is decided by reading a message: the status, the kind of the exception and of what it wraps decide.
"""

from __future__ import annotations

import json
import math
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from html import unescape

import requests
import urllib3

from pipeline.errors import EngineError, EngineNonsense, EngineRefused, EngineUnavailable
from pipeline.net.deadline import Overdue
from pipeline.net.reach import unknown_name
from pipeline.net.tls import refusal_in, refused

# A complaint is read by a person: a line or two.
_COMPLAINT_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Timeouts:
    """The bounds of one call, in seconds."""

    connect: float = 5.0
    """For the name look-up, again for the connection to each of its addresses, and again for a TLS handshake."""
    read: float = 300.0
    """For each silence: between two pieces of an answer."""
    total: float = 900.0
    """From the question to the end of the answer."""


DEFAULT_TIMEOUTS = Timeouts()


def meaning_of(status: int) -> type[EngineUnavailable | EngineRefused]:
    """What an HTTP status that is not a success means for the caller: worth asking again, or not.

    501 and 505 say that it never can, and 511 that a person has to sign in to the network first (RFC 6585).
    """
    again = status in (408, 425, 429) or (status >= 500 and status not in (501, 505, 511))
    return EngineUnavailable if again else EngineRefused


@dataclass(frozen=True, slots=True)
class Border:
    """What a service's errors carry: where it is, what to do about it, and the bounds it was given."""

    where: str
    hint: str
    timeouts: Timeouts

    @contextmanager
    def crossed(self, url: str, *, direct: bool = True) -> Iterator[None]:
        """What requests, urllib3, ssl and socket raise inside comes out as an EngineError. `direct`: by no proxy."""
        try:
            yield
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise self.translated(error, url, direct=direct) from error

    def translated(self, error: Exception, url: str, *, direct: bool = True) -> EngineError:
        """What a client's exception means."""
        tls_error = refusal_in(error)
        if tls_error is not None and not isinstance(tls_error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return refused(tls_error, url, where=self.where, look_again=direct)
        kinds = _kinds_in(error)
        if kinds & _PROXY and Overdue not in kinds:
            return EngineUnavailable(
                "the proxy on the way does not answer, or refuses",
                where=self.where,
                hint="See HTTPS_PROXY, HTTP_PROXY and NO_PROXY.",
            )
        if kinds & _UNUSABLE_ADDRESS:
            return EngineRefused(
                f"its address cannot be used ({error})", where=self.where, hint="Mend it in the settings."
            )
        if kinds & _UNREADABLE:
            return EngineNonsense(f"its answer cannot be read ({error})", where=self.where, hint=self.hint)
        if kinds & _UNKNOWN_NAME:
            return unknown_name(url, self.where)
        return EngineUnavailable(self._broken(error, kinds), where=self.where, hint=self.hint)

    def _broken(self, error: Exception, kinds: set[type]) -> str:
        if Overdue in kinds:
            return f"its answer was not finished after {self.timeouts.total:g} s"
        if kinds & _SILENT:
            return f"it was silent for {self.timeouts.read:g} s"
        if ConnectionRefusedError in kinds:
            return "nobody answers (connection refused)"
        if urllib3.exceptions.NewConnectionError in kinds:
            return f"it cannot be reached ({_root_of(error)})"
        if urllib3.exceptions.ConnectTimeoutError in kinds:
            return f"it took no connection within {self.timeouts.connect:g} s"
        return f"the connection broke off ({_root_of(error)})"

    def refusal(self, status: int, said: str, headers: Mapping[str, str]) -> EngineError:
        """The error for a status that is not a success; `headers` have names in lower case."""
        what = f"it answers {status}{f': {said}' if said else ''}"
        if status in (401, 403):
            return EngineRefused(what, where=self.where, hint="See the user, password or key in the settings.")
        if status == 407:
            return EngineRefused(what, where=self.where, hint="The proxy wants a user and a password: see HTTPS_PROXY.")
        if meaning_of(status) is EngineRefused:
            return EngineRefused(what, where=self.where, hint=self.hint)
        seconds = retry_after(headers.get("retry-after"), now=time.time)
        return EngineUnavailable(what, where=self.where, hint=self.hint, retry_after_seconds=seconds)


def retry_after(value: str | None, *, now: Callable[[], float]) -> float | None:
    """The Retry-After header in seconds from now: a number or a date (RFC 9110); None where it says nothing."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            when = parsedate_to_datetime(value)
        except ValueError:
            return None
        seconds = when.replace(tzinfo=when.tzinfo or UTC).timestamp() - now()
    return max(0.0, seconds) if math.isfinite(seconds) else None


def complaint(body: bytes) -> str:
    """What an error's body says to a person, in a line: JSON's `error`, `detail` or `message`, or text without HTML."""
    text = body[:20_000].decode("utf-8", "replace")
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        said = unescape(re.sub(r"(?s)<(script|style|head)\b.*?</\1>|<[^>]*>", " ", text))
    if isinstance(said, dict):
        named = [said[name] for name in ("error", "detail", "message") if said.get(name)]
        said = named[0] if named else said
    if isinstance(said, dict) and isinstance(said.get("message"), str):
        said = said["message"]
    line = " ".join((said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)).split())
    line = "".join(character for character in line if character.isprintable())
    return line if len(line) <= _COMPLAINT_CHARACTERS else line[: _COMPLAINT_CHARACTERS - 1] + "…"


_UNUSABLE_ADDRESS: frozenset[type] = frozenset(
    {
        requests.exceptions.InvalidURL,
        requests.exceptions.InvalidSchema,
        requests.exceptions.MissingSchema,
        requests.exceptions.InvalidHeader,
        urllib3.exceptions.LocationValueError,
        urllib3.exceptions.URLSchemeUnknown,
    }
)
_PROXY: frozenset[type] = frozenset({urllib3.exceptions.ProxyError, requests.exceptions.ProxyError})
_SILENT: frozenset[type] = frozenset({urllib3.exceptions.ReadTimeoutError, requests.exceptions.ReadTimeout})
_UNKNOWN_NAME: frozenset[type] = frozenset({urllib3.exceptions.NameResolutionError, socket.gaierror})
_UNREADABLE: frozenset[type] = frozenset(
    {
        requests.exceptions.ContentDecodingError,
        requests.exceptions.JSONDecodeError,
        urllib3.exceptions.DecodeError,
        urllib3.exceptions.InvalidHeader,
    }
)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        found = waiting.pop(0)
        if isinstance(found, BaseException) and id(found) not in seen:
            seen.add(id(found))
            yield found
            waiting += [getattr(found, "reason", None), *found.args, found.__cause__, found.__context__]


def _kinds_in(error: BaseException) -> set[type]:
    return {kind for found in _chain(error) for kind in type(found).__mro__}


def _root_of(error: BaseException) -> str:
    """The operating system's own words where there are some, else the innermost exception's."""
    last = error
    for last in _chain(error):
        if isinstance(last, OSError) and last.strerror:
            return last.strerror
    return str(last) or type(last).__name__
