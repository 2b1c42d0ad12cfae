"""A server of files that misbehaves as it is told, on a real socket."""

from __future__ import annotations

import gzip
import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@dataclass
class Site:
    """What the server has and how it misbehaves."""

    files: dict[str, bytes] = field(default_factory=dict)
    cuts: list[int] = field(default_factory=list)
    """Bytes of the body after which each answer in turn breaks off; whole answers when it is used up."""
    honours_range: bool = True
    tells_version: bool = True
    tells_length: bool = True
    sends_from: int | None = None
    """Where the part begins that it sends instead of the one that was asked for."""
    knows_if_range: bool = True
    claims_length: int | None = None
    """What it says in Content-Length instead of the truth."""
    claims_total: int | None = None
    """What it says in Content-Range instead of the truth."""
    packs: bool = False
    """It sends gzip, which nobody asked for."""
    stops_at: int | None = None
    """After so many bytes of a longer answer's body it waits for `go_on`, and says so in `stopped`."""
    stopped: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)
    redirects: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    """Path and Range of each request."""
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/file"


class Handler(BaseHTTPRequestHandler):
    def __init__(self, site: Site, *arguments: object) -> None:
        self._site = site
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        site, wanted = self._site, self.headers.get("Range")
        site.asked.append((self.path, wanted))
        if self.path in site.redirects:
            self.send_response(302)
            self.send_header("Location", site.redirects[self.path])
            self.end_headers()
            return
        content = site.files.get(self.path, site.files.get(self.path.partition("?")[0]))
        if content is None:
            self.send_error(404)
            return
        version = f'"{md5(content)}"'
        start = 0
        unchanged = not site.knows_if_range or self.headers.get("If-Range", version) == version
        if wanted and site.honours_range and unchanged:
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])  # type: ignore[index]
            if start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.end_headers()
                return
            start = start if site.sends_from is None else site.sends_from
            self.send_response(206)
            total = len(content) if site.claims_total is None else site.claims_total
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        else:
            self.send_response(200)
        if site.tells_version:
            self.send_header("ETag", version)
        body = gzip.compress(content[start:]) if site.packs else content[start:]
        if site.packs:
            self.send_header("Content-Encoding", "gzip")
        if site.tells_length:
            self.send_header("Content-Length", str(len(body) if site.claims_length is None else site.claims_length))
        self.end_headers()
        if site.cuts:
            body = body[: site.cuts.pop(0)]
        if site.stops_at is not None and len(body) > site.stops_at:
            self.wfile.write(body[: site.stops_at])
            self.wfile.flush()
            site.stopped.set()
            site.go_on.wait(timeout=30)
            body = body[site.stops_at :]
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  # the base class names it so
        """Quiet."""


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that stops in the middle is what these tests are about."""


@contextmanager
def serving(site: Site) -> Iterator[Site]:
    """While it lasts, the site answers at its port."""
    server = QuietServer(("127.0.0.1", site.port), partial(Handler, site))
    site.port = server.server_port
    thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.01), daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
