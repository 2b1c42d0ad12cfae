"""How a large file comes over a network: resumed after a cut, and under its name only when it is whole and right.

The bytes gather in `<name>.part` beside the target, which a later run goes on from. What the server said of that
version of the file (ETag or Last-Modified) lies beside it, so that two versions are never sewn together.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from urllib.parse import urljoin, urlsplit

import requests

from pipeline.errors import EngineError, EngineNonsense, EngineRefused, EngineUnavailable, Interrupted, StoreError
from pipeline.files import disk_error, make_folder, open_plain, read_plain, settle
from pipeline.net.border import Border, Timeouts, complaint
from pipeline.net.deadline import ending_in
from pipeline.net.reach import Names
from pipeline.net.retry import Policy, call
from pipeline.net.session import open_session, pieces_of, proxies_for
from pipeline.net.tls import Tls

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are here, and how many there will be (None where the server does not say)."""

TIMEOUTS = Timeouts(connect=10.0, read=30.0)
PATIENCE = Policy(attempts=4, first_wait_seconds=1.0, longest_wait_seconds=10.0, total_seconds=60.0)
"""For tries in a row that bring nothing; a try that brings something begins the count anew."""

# Left for everybody else on the disk.
_SPARE_BYTES = 16 << 20
_LOOK_SECONDS = 0.2
_MOST_REDIRECTS = 5
_SOMEBODY_BETWEEN = "Try again; if it stays so, see whether a proxy on the way changes what passes."
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")


def fetch(
    url: str,
    target: Path,
    *,
    tls: Tls,
    stop: Event,
    size: int | None = None,
    digest: str | None = None,
    most_bytes: int = 8 << 30,
    progress: Progress = lambda done, total: None,  # noqa: ARG005  # names are part of the type
    policy: Policy = PATIENCE,
    timeouts: Timeouts = TIMEOUTS,
) -> None:
    """Have the file at `url` as `target`, whole and checked; nothing is asked where it is there already.

    `size` is in bytes, `digest` is `sha256:…`, `md5:…` or `git:…` (what git names a file by) in hex; more than
    `most_bytes` is never written. A target that is there and has neither to be checked against is fetched anew.

    Raises EngineUnavailable (what has come is kept for the next time), EngineRefused (not there, a certificate),
    EngineNonsense (wrong size or content: deleted), StoreError (disk full, said before it starts where the size is
    known), Interrupted.
    """
    wanted = _Wanted(url, target, size, digest, most_bytes)
    if (size is not None or digest is not None) and target.is_file() and not wanted.fault_of(target):
        return
    make_folder(target.parent)
    with alone(wanted.part, stop), open_session(tls, connections=1) as session:
        if (size is not None or digest is not None) and target.is_file() and not wanted.fault_of(target):
            return  # another process has fetched it while this one waited
        transfer = _Transfer(wanted, session, stop, progress, timeouts)
        began_with = _length(wanted.part)
        transfer.persist(policy)
        fault = wanted.fault_of(wanted.part)
        if fault and began_with:
            # What an earlier run left may be of another version of the file.
            wanted.forget()
            transfer.persist(policy)
            fault = wanted.fault_of(wanted.part)
        if fault:
            wanted.forget()
            raise EngineNonsense(
                f"what came for {target.name} is not the file that was meant: {fault}",
                where=wanted.where,
                hint="It is deleted. Try it again; if it stays so, the server's copy has changed or is damaged.",
            )
        wanted.finish()


def digest_of(file: Path, kind: str) -> str:
    """A file's `sha256`, `md5` or `git` digest, in hex. Raises StoreError where it cannot be read."""
    try:
        with open_plain(file) as opened:
            if kind != "git":
                return hashlib.file_digest(opened, lambda: hashlib.new(kind, usedforsecurity=False)).hexdigest()
            # What git calls a blob: the SHA-1 of the length and the bytes.
            begun = hashlib.sha1(b"blob %d\0" % os.fstat(opened.fileno()).st_size, usedforsecurity=False)
            return hashlib.file_digest(opened, lambda: begun).hexdigest()
    except OSError as error:
        raise disk_error(error, file) from error


@dataclass(frozen=True, slots=True)
class _Wanted:
    url: str
    target: Path
    size: int | None
    digest: str | None
    most_bytes: int

    @property
    def part(self) -> Path:
        return self.target.with_name(f"{self.target.name}.part")

    @property
    def version(self) -> Path:
        """Holds the ETag, or the date, of what the part is a part of."""
        return self.target.with_name(f"{self.target.name}.part.version")

    @property
    def where(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    def fault_of(self, file: Path) -> str:
        """What is wrong with a file that should be the whole; empty where nothing is."""
        length = _length(file)
        if self.size is not None and length != self.size:
            return f"it has {length:,} bytes and should have {self.size:,}"
        if self.digest is None:
            return ""
        kind, _, value = self.digest.partition(":")
        found = digest_of(file, kind)
        return "" if found == value.lower() else f"its {kind} is {found} and should be {value.lower()}"

    def forget(self) -> None:
        """Empty the part. It stays a file, because the lock is on it."""
        with _disk(self.part):
            if self.part.exists():
                os.truncate(self.part, 0)
            self.version.unlink(missing_ok=True)

    def finish(self) -> None:
        with _disk(self.target):
            with self.part.open("rb+") as whole:
                os.fsync(whole.fileno())
            settle(self.part, self.target)
            self.version.unlink(missing_ok=True)


class _Transfer:
    """Brings the part to its full length."""

    def __init__(
        self, wanted: _Wanted, session: requests.Session, stop: Event, progress: Progress, timeouts: Timeouts
    ) -> None:
        self._wanted = wanted
        self._session = session
        self._stop = stop
        self._progress = progress
        self._names = Names()
        self._border = Border(
            where=wanted.where,
            hint="Run it again when the network is there: it goes on from where it stopped.",
            timeouts=timeouts,
        )

    def persist(self, policy: Policy) -> None:
        """Ask as long as each round of tries brings something."""
        while True:
            before = _length(self._wanted.part)
            try:
                call(self._once, service="download", policy=policy, stop=self._stop)
            except EngineUnavailable:
                if _length(self._wanted.part) <= before:
                    raise
            else:
                return

    def _once(self) -> None:
        wanted = self._wanted
        have = self._resumable()
        if wanted.size is not None and have == wanted.size:
            return
        headers = {"Range": f"bytes={have}-"} if have else {}
        version = _text(wanted.version) if have else ""
        if version:
            headers["If-Range"] = version
        with self._asked(headers) as response:
            start, total = self._meaning(response, have)
            if start is None:
                return
            self._room_for((total or 0) - start)
            with _disk(wanted.version):
                if start == 0:
                    os.truncate(wanted.part, 0)
                    wanted.version.write_text(_version_of(response), "utf-8")
            self._write(response, start, total)
        if total is not None and _length(wanted.part) < total:
            raise EngineUnavailable("the connection broke off", where=wanted.where, hint=self._border.hint)

    def _resumable(self) -> int:
        """How many bytes of the part can be gone on from. Without a version to ask for or a digest to check by,
        nobody could tell two halves of different files."""
        wanted = self._wanted
        have = _length(wanted.part)
        known = wanted.version.exists() and wanted.version.stat().st_size > 0
        too_long = wanted.size is not None and have > wanted.size
        if have and (too_long or not (known or wanted.digest)):
            wanted.forget()
            return 0
        return have

    @contextmanager
    def _asked(self, headers: dict[str, str]) -> Iterator[requests.Response]:
        url = self._wanted.url
        for _ in range(_MOST_REDIRECTS + 1):
            proxies = proxies_for(url)
            if not proxies:
                self._names.find(url, self._border.timeouts.connect, where=self._wanted.where)
            timeouts = self._border.timeouts
            # The body may take what it takes, as long as it is never silent; what it begins with may not.
            with self._border.crossed(url, direct=not proxies), ending_in(timeouts.connect + timeouts.read):
                response = self._session.get(
                    url,
                    headers=headers,
                    stream=True,
                    allow_redirects=False,
                    timeout=(timeouts.connect, timeouts.read),
                    proxies=proxies,
                )
            # Catalogues send to the hosts that hold their large files; nothing secret goes along.
            if response.status_code not in (301, 302, 303, 307, 308) or "location" not in response.headers:
                with response:
                    yield response
                return
            response.close()
            onward = urljoin(url, response.headers["location"])
            if urlsplit(url).scheme == "https" and urlsplit(onward).scheme != "https":
                raise EngineRefused(
                    "it sends us on to an address without TLS",
                    where=self._wanted.where,
                    hint="Fetch the file by hand from a source that you trust.",
                )
            url = onward
        raise EngineRefused("it sends us on and on", where=self._wanted.where, hint="See that the address is right.")

    def _meaning(self, response: requests.Response, have: int) -> tuple[int | None, int | None]:
        """Where the body begins in the file and how long the file is; None for a start: the part is the whole."""
        wanted = self._wanted
        match = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
        total = int(match[2]) if match and match[2] != "*" else None
        if response.status_code == 416 and have:
            if total == have:
                return None, total
            wanted.forget()
            raise EngineUnavailable("the file has changed there", where=wanted.where, hint=self._border.hint)
        if response.status_code in (200, 206) and response.headers.get("content-encoding", "identity") != "identity":
            raise EngineNonsense("it sends the file packed, unasked", where=wanted.where, hint=_SOMEBODY_BETWEEN)
        if response.status_code == 206:
            if match is None or match[1] is None or int(match[1]) != have:
                wanted.forget()
                raise EngineUnavailable(
                    "it sends another part than was asked for", where=wanted.where, hint=_SOMEBODY_BETWEEN
                )
            known, told = _text(wanted.version), _version_of(response)
            if known and told and known != told:  # it knows Range and not If-Range
                wanted.forget()
                raise EngineUnavailable("the file has changed there", where=wanted.where, hint=self._border.hint)
            self._expect(total)
            return have, total if total is not None else wanted.size
        if response.status_code == 200:
            length = response.headers.get("content-length", "")
            total = int(length) if length.isdecimal() else None
            self._expect(total)
            return 0, total if total is not None else wanted.size
        with self._border.crossed(wanted.url):
            said = complaint(next(pieces_of(response), b""))
        headers = {name.lower(): value for name, value in response.headers.items()}
        error: EngineError = self._border.refusal(response.status_code, said, headers)
        raise error

    def _expect(self, total: int | None) -> None:
        size = self._wanted.size
        if total is not None and size is not None and total != size:
            self._wanted.forget()
            raise EngineNonsense(
                f"it has {total:,} bytes there and should have {size:,}",
                where=self._wanted.where,
                hint="It is not the file that was meant: see that the address is right.",
            )

    def _room_for(self, coming: int) -> None:
        folder = self._wanted.target.parent
        with _disk(folder):
            free = shutil.disk_usage(folder).free
        if coming > free - _SPARE_BYTES:
            raise StoreError(
                f"{self._wanted.target.name} needs {coming / 1e6:,.0f} MB and {free / 1e6:,.0f} MB are free",
                where=str(folder),
                hint="Free some space and run it again.",
            )

    def _write(self, response: requests.Response, start: int, total: int | None) -> None:
        done = start
        self._progress(done, total)
        with _disk(self._wanted.part), self._wanted.part.open("r+b") as part:
            part.seek(start)
            pieces = pieces_of(response)
            while True:
                if self._stop.is_set():
                    raise Interrupted
                with self._border.crossed(self._wanted.url, direct=not proxies_for(self._wanted.url)):
                    piece = next(pieces, b"")
                if not piece:
                    return
                done += len(piece)
                most = self._wanted.most_bytes if total is None else min(total, self._wanted.most_bytes)
                if done > most:
                    self._wanted.forget()
                    raise EngineNonsense(
                        f"it sends more than {most:,} bytes", where=self._wanted.where, hint=_SOMEBODY_BETWEEN
                    )
                part.write(piece)
                self._progress(done, total)


def _version_of(response: requests.Response) -> str:
    """What If-Range may name: a strong ETag, else the date (RFC 9110, 13.1.5)."""
    tag = response.headers.get("etag", "")
    return tag if tag.startswith('"') else response.headers.get("last-modified", "")


def _text(file: Path) -> str:
    """What a small file says; nothing where there is none, or where a cut-off run left it unreadable."""
    with _disk(file), suppress(FileNotFoundError, UnicodeDecodeError):
        return read_plain(file).decode("utf-8")
    return ""


def _length(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise disk_error(error, file) from error


@contextmanager
def _disk(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise disk_error(error, path) from error


@contextmanager
def alone(part: Path, stop: Event) -> Iterator[None]:
    """Hold a file, made if need be, against other processes and threads; a killed holder's lock dies with it. One
    that is empty afterwards is removed. Raises Interrupted when the run is stopping, StoreError.
    """
    descriptor = _hold(part, stop)
    try:
        yield
    finally:
        with suppress(OSError):
            if part.stat().st_size == 0:
                part.unlink()
        os.close(descriptor)


def _hold(part: Path, stop: Event) -> int:
    while True:
        with _disk(part):
            descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        held = False
        try:
            while not _locked(descriptor, part):
                if stop.wait(_LOOK_SECONDS):
                    raise Interrupted
            # The holder before may have given the file its final name: then this is no longer the part.
            with suppress(FileNotFoundError):
                held = os.path.samestat(os.fstat(descriptor), part.stat())
        finally:
            if not held:
                os.close(descriptor)
        if held:
            return descriptor


def _locked(descriptor: int, part: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise disk_error(error, part) from error
    return True
