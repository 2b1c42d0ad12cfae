"""axe-core, the rules of accessibility as a program: one release of it, from the npm registry, kept in a cache.

https://github.com/dequelabs/axe-core (MPL-2.0). It is run in the page under test and shipped with nothing.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

PACKAGE = "axe-core@4.14.1"
_SHA256 = "e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745"
_PATIENCE_SECONDS = 90.0


class NotToBeHad(Exception):
    """Why there is no axe-core on this machine."""


def script(cache: Path) -> str:
    """The program's text. Raises NotToBeHad without npm or without its registry; what is fetched and is not the
    release that is named here is an AssertionError.
    """
    kept = cache / f"{_SHA256}.tgz"
    if not kept.exists():
        _fetch(kept)
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == _SHA256, f"{PACKAGE} is not what it was"
    with tarfile.open(kept) as archive:
        member = archive.extractfile("package/axe.min.js")
        assert member is not None
        return member.read().decode()


def _fetch(kept: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise NotToBeHad("npm is not installed")
    with TemporaryDirectory(dir=kept.parent) as folder:
        try:
            done = subprocess.run(
                [npm, "pack", PACKAGE, "--pack-destination", folder],
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
            raise NotToBeHad(f"npm could not fetch {PACKAGE}: {done.stderr.strip()[-300:]}")
        found[0].replace(kept)
