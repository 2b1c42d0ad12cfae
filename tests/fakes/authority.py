"""A certificate authority of our own, and servers with every kind of wrong certificate.

The certificates are made by the `openssl` program, which every machine with Git has; P-256 keys take milliseconds.
"""

from __future__ import annotations

import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")

_SETTINGS = """
[ca]
default_ca = us
[us]
database = {folder}/issued.txt
serial = {folder}/serial
new_certs_dir = {folder}
default_md = sha256
policy = anything
unique_subject = no
copy_extensions = copy
[anything]
commonName = supplied
organizationName = optional
"""


@dataclass(frozen=True)
class Shown:
    """What a server shows."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates that nobody believes until they are given its own."""

    def __init__(self, folder: Path, name: str = "Example Authority") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._count = 0
        self.certificate = folder / "authority.pem"
        self._key = folder / "authority.key"
        self._settings = folder / "openssl.cnf"
        self._settings.write_text(_SETTINGS.format(folder=folder))
        (folder / "issued.txt").touch()
        (folder / "serial").write_text("01\n")
        _openssl(
            *("req", "-x509", *NEW_KEY, "-days", "30", "-subj", f"/O=Example Company/CN={name}"),
            *("-addext", "keyUsage=critical,keyCertSign"),
            *("-keyout", str(self._key), "-out", str(self.certificate)),
        )

    def sign(self, common_name: str, *, alternatives: str, begin: str = "", end: str = "20991231235959Z") -> Shown:
        """A certificate for the subject alternative names given (`DNS:localhost,IP:127.0.0.1`); times as in ASN.1."""
        self._count += 1
        shown = Shown(self._folder / f"{self._count}.pem", self._folder / f"{self._count}.key")
        request = self._folder / f"{self._count}.csr"
        _openssl(
            *("req", *NEW_KEY, "-subj", f"/O=Example Company/CN={common_name}"),
            *("-addext", f"subjectAltName={alternatives}", "-keyout", str(shown.key), "-out", str(request)),
        )
        _openssl(
            *("ca", "-batch", "-notext", "-config", str(self._settings), "-in", str(request)),
            *("-cert", str(self.certificate), "-keyfile", str(self._key), "-out", str(shown.certificate)),
            *(("-startdate", begin) if begin else ()),
            *("-enddate", end),
        )
        return shown


def self_signed(folder: Path, common_name: str) -> Shown:
    folder.mkdir(parents=True, exist_ok=True)
    shown = Shown(folder / "self.pem", folder / "self.key")
    _openssl(
        *("req", "-x509", *NEW_KEY, "-days", "30", "-subj", f"/CN={common_name}"),
        *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
        *("-keyout", str(shown.key), "-out", str(shown.certificate)),
    )
    return shown


@contextmanager
def serving(shown: Shown) -> Iterator[tuple[int, list[str]]]:
    """An HTTPS server on loopback that answers `{}` to everything: its port, and the requests that got through."""
    requests: list[str] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown.certificate, shown.key)
    server = _TlsServer(("127.0.0.1", 0), partial(_Handler, requests))
    server.context = context
    thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.01), daemon=True)
    thread.start()
    try:
        yield server.server_port, requests
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _TlsServer(ThreadingHTTPServer):
    context: ssl.SSLContext
    daemon_threads = True

    def finish_request(self, request: object, client_address: object) -> None:
        try:
            with self.context.wrap_socket(request, server_side=True) as secured:  # type: ignore[arg-type]
                super().finish_request(secured, client_address)
        except OSError:
            """The client does not like what it was shown, and has gone."""


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, requests: list[str], *arguments: object) -> None:
        self._requests = requests
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self._requests.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  # the base class names it so
        """Quiet."""


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
