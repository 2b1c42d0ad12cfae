"""How another program is asked over HTTP: with deadlines, bounds and our own errors, and in no other way.

What requests, urllib3, ssl and socket raise is turned into the pipeline's errors here and nowhere else. A body is
read up to a bound, a call ends at its deadline, and nothing is asked again here: that is `retry`'s to decide.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3.exceptions import ProtocolError

from pipeline import __version__
from pipeline.errors import EngineNonsense, EngineRefused, SettingsError
from pipeline.net.border import DEFAULT_TIMEOUTS, Border, Timeouts, complaint
from pipeline.net.deadline import POOLS, ending_in
from pipeline.net.reach import Names
from pipeline.net.tls import Tls
from pipeline.telemetry import calls

USER_AGENT = f"media-pipeline/{__version__}"

_CHUNK_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


def basic_auth(user_and_password: str) -> str:
    """The `Authorization` header's value for `user:password`, in UTF-8 (RFC 7617)."""
    return f"Basic {base64.b64encode(user_and_password.encode()).decode('ascii')}"


class Service:
    """One HTTP service. Thread-safe; connections are kept and used again, as many as there are callers."""

    def __init__(
        self,
        name: str,
        base_url: str,
        *,
        tls: Tls,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        headers: Mapping[str, str] | None = None,
        hint: str = "",
        max_answer_bytes: int = 64 << 20,
        connections: int = 8,
    ) -> None:
        """`name` is for people ("Piper"); `headers` go with every call and may hold secrets, which are never shown;
        `hint` says what to do when nobody answers. A user and password in the address are sent as Basic.

        Raises SettingsError for an address that is none.
        """
        base, authorization = _split_credentials(base_url, name)
        self.name = name
        self.base_url = base
        self.where = f"{name} at {base}"
        self._border = Border(
            where=self.where,
            hint=hint or f"See that {name} is running and that its address is right.",
            timeouts=timeouts,
        )
        self._max_answer_bytes = max_answer_bytes
        self._names = Names()
        self._session = open_session(tls, connections=connections)
        if authorization:
            self._session.headers["Authorization"] = authorization
        self._session.headers.update(headers or {})

    def ask(self, method: str, path: str, *, body: object = None) -> Answer:
        """Whatever it answers, of any status but a redirect. `body` is sent as JSON.

        Raises EngineUnavailable (unreachable, broken off, too slow), EngineRefused (its certificate, a redirect),
        EngineNonsense (longer than `max_answer_bytes`).
        """
        url = self.base_url + path
        proxies = proxies_for(url)
        with self._border.crossed(url, direct=not proxies), ending_in(self._border.timeouts.total):
            if not proxies:
                self._names.find(url, self._border.timeouts.connect, where=self.where)
            with self._begun(method, url, body, proxies) as response:
                answer = Answer(
                    response.status_code,
                    {name.lower(): value for name, value in response.headers.items()},
                    self._read(response),
                )
        if 300 <= answer.status < 400:
            raise EngineRefused(
                f"it sends us elsewhere: {answer.headers.get('location', 'it does not say where')}",
                where=self.where,
                hint=f"If that is the right place, make it the address of {self.name} in the settings.",
            )
        return answer

    def _begun(self, method: str, url: str, body: object, proxies: dict[str, str]) -> requests.Response:
        """An answer of which the headers are there."""

        def send() -> requests.Response:
            return self._session.request(
                method,
                url,
                data=None if body is None else json.dumps(body, ensure_ascii=False).encode(),
                headers={**calls.headers(), **({} if body is None else {"Content-Type": "application/json"})},
                timeout=(self._border.timeouts.connect, min(self._border.timeouts.read, self._border.timeouts.total)),
                # Followed, a redirect would send the text, and what is secret, to a host that nobody named.
                allow_redirects=False,
                stream=True,
                proxies=proxies,
            )

        try:
            return send()
        except requests.ConnectionError as error:
            # A server may close a kept connection just as it is used again: no failure of the service, and nothing
            # that was asked of it has been begun. On a new connection the answer comes, or the failure is real.
            reasons = error.args[0].args if error.args and isinstance(error.args[0], ProtocolError) else ()
            if not any(isinstance(reason, ConnectionError) for reason in reasons):
                raise
            return send()

    def get(self, path: str) -> Answer:
        """A successful answer. Raises what `ask` does, and by `meaning_of` for every other status."""
        return self.accept(self.ask("GET", path))

    def get_json(self, path: str) -> Any:  # noqa: ANN401  # JSON: the caller parses it once
        """A successful answer's JSON. Raises what `get` does, and EngineNonsense where it is not JSON."""
        answer = self.get(path)
        try:
            return json.loads(answer.body)
        except (ValueError, RecursionError) as error:
            raise EngineNonsense(
                f"it answers GET {path} with something that is not JSON: {complaint(answer.body)}",
                where=self.where,
                hint=f"See that the address is {self.name}'s, and not another program's.",
                answer=answer.body[:2000].decode("utf-8", "replace"),
            ) from error

    def post(self, path: str, body: object) -> Answer:
        """A successful answer to JSON. Raises what `ask` does, and by `meaning_of` for every other status."""
        return self.accept(self.ask("POST", path, body=body))

    def accept(self, answer: Answer) -> Answer:
        """The answer itself if it is a success. Raises by `meaning_of` if not."""
        if answer.ok:
            return answer
        raise self._border.refusal(answer.status, complaint(answer.body), answer.headers)

    def close(self) -> None:
        self._session.close()

    def _read(self, response: requests.Response) -> bytes:
        pieces, length = [], 0
        for piece in pieces_of(response):
            length += len(piece)
            if length > self._max_answer_bytes:
                raise EngineNonsense(
                    f"its answer is longer than {self._max_answer_bytes:,} bytes",
                    where=self.where,
                    hint=f"See that the address is {self.name}'s, and not another program's.",
                )
            pieces.append(piece)
        return b"".join(pieces)


# -- what the download shares ------------------------------------------------------------------------------------


class _ContextAdapter(HTTPAdapter):
    """Connections of requests that are checked by our context, and by nothing else."""

    def __init__(self, context: ssl.SSLContext, connections: int) -> None:
        self._context = context
        super().__init__(pool_connections=4, pool_maxsize=connections, max_retries=0)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def build_connection_pool_key_attributes(
        self,
        request: requests.PreparedRequest,
        verify: object,  # noqa: ARG002  # our context stands in for it
        cert: object = None,  # noqa: ARG002
    ) -> tuple[Any, Any]:
        host, _ = super().build_connection_pool_key_attributes(request, True)  # requests' signature
        return host, {"ssl_context": self._context} if host["scheme"] == "https" else {}

    def cert_verify(self, conn: object, url: str, verify: object, cert: object) -> None:
        """Nothing to add: requests would load its own list of authorities into our context here."""

    def proxy_manager_for(self, proxy: str, **settings: object) -> Any:  # noqa: ANN401  # as requests has it
        manager = super().proxy_manager_for(proxy, **{**settings, "proxy_ssl_context": self._context})
        manager.pool_classes_by_scheme = POOLS
        return manager


def open_session(tls: Tls, *, connections: int) -> requests.Session:
    """A session of requests with our certificates, no retries of its own and nothing taken from `.netrc`.

    Raises SettingsError for a bundle of certificates that cannot be used.
    """
    session = requests.Session()
    # Read from the environment would be ~/.netrc, REQUESTS_CA_BUNDLE and proxies: passwords to hosts that nobody
    # asked to have them, a second say in certificates. The proxies are looked up by `proxies_for`.
    session.trust_env = False
    adapter = _ContextAdapter(tls.context(), connections)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    session.headers["User-Agent"] = USER_AGENT
    # Unpacked, a small answer can be a very large one; these services have nothing to gain from packing.
    session.headers["Accept-Encoding"] = "identity"
    # What one answer sets must not change the next question, which may come from another thread.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return session


def proxies_for(url: str) -> dict[str, str]:
    """HTTP_PROXY, HTTPS_PROXY and NO_PROXY, but never for this machine or a service's short name.

    In Compose every service has a name of one label (`piper`), which a company's proxy cannot know.
    """
    host = urlsplit(url).hostname or ""
    if is_near(host):
        return {}
    return dict(get_environ_proxies(url))


def is_near(host: str) -> bool:
    """Whether a host is this machine, or a name of a single label."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return "." not in host.rstrip(".") or host.rstrip(".").endswith(".localhost")


def pieces_of(response: requests.Response) -> Iterator[bytes]:
    """A body as it comes, each piece as soon as it is there. Raises urllib3's errors; wrap it in `Border.crossed`."""
    while piece := response.raw.read1(_CHUNK_BYTES, decode_content=True):
        yield piece


# -- details -----------------------------------------------------------------------------------------------------


def _split_credentials(url: str, name: str) -> tuple[str, str]:
    """The address without user and password or a slash at its end, and the Authorization header for them."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        # Without the exception's words, which may hold what was meant for a password.
        raise SettingsError(
            [f"the address of {name} has no usable host and port"], hint="Write it as http://host:port"
        ) from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError(
            [f"the address of {name} cannot be used: {url.rpartition('@')[2]!r}"], hint="Write it as http://host:port"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    shown = urlunsplit((parts.scheme, f"{host}:{port}" if port else host, parts.path.rstrip("/"), "", ""))
    if parts.username is None:
        return shown, ""
    return shown, basic_auth(f"{unquote(parts.username)}:{unquote(parts.password or '')}")
