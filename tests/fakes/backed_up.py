"""A project worth backing up, without any engine: awkward names, modes and sizes, an episode, an edit, a store."""

from __future__ import annotations

import hashlib
import json
import random
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from pipeline.backup import (
    Made,
    Models,
    Places,
    Restored,
    Secrets,
    Wanted,
    make_backup,
    open_backup,
    restore,
)
from pipeline.digests import Digests

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CONTENTS: dict[str, tuple[bytes, int]] = {
    "input/moon.md": (b"---\ntitle: The moon\n---\n\n- It is far.\n", 0o644),
    "input/two words.txt": (b"one\ntwo\n", 0o600),
    "input/caf\u00e9/\u6708\u306e\u8a71 \U0001f319.md": ("日本語\n".encode(), 0o644),
    "input/" + "/".join(f"{letter * 100}" for letter in "abc") + ".md": (b"long\n", 0o644),
    "input/" + "n" * 255: (b"", 0o640),
    "input/-rf": (b"a leading dash\n", 0o444),
    "input/Case.txt": (b"upper\n", 0o644),
    "input/case.txt": (b"lower\n", 0o644),
    "config/pipeline.toml": (b'# ours\nlanguage = "en"\n', 0o644),
    "config/prompts/own.md": (b"Write.\n", 0o755),
    "output/.gitkeep": (b"", 0o644),
    "output/index.html": (b"<html></html>\n", 0o644),
    "data/edits/moon.md": (b"My own words.\n", 0o644),
    "data/edits/discarded/moon-1.md": (b"Older words.\n", 0o644),
    "data/records/moon.json": (
        b'{"engines": {"writer": {"engine": "ollama", "name": "gemma3:4b", "digest": "abc"}}}',
        0o644,
    ),
    "data/measured.json": (b"{}", 0o644),
}
EPISODE = {
    "audio.mp3": random.Random(3).randbytes(2_500_000),
    "captions.vtt": b"WEBVTT\n",
    "script.md": b"# The moon\n",
}
CACHES = {"data/seals.json": b"{}", "data/digests.json": b"{}"}


def places_of(project: Path) -> Places:
    return Places(project, project / "input", project / "config", project / "output", project / "data")


def fill(project: Path, *, store: bool = False) -> Places:
    """Write the project's files."""
    for name, (data, mode) in CONTENTS.items():
        put(project / name, data, mode)
    for name, data in CACHES.items():
        put(project / name, data)
    publish(project, "moon", EPISODE)
    if store:
        key = hashlib.sha256(b"an artifact").hexdigest()
        put(project / "data/store" / key[:2] / key, b"an artifact")
        put(project / "data/store/locks/keys", b"")
    return places_of(project)


def publish(project: Path, slug: str, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        put(project / "output" / slug / name, data)
    entries = {name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()}
    put(project / "output" / slug / "manifest.json", json.dumps({"files": entries}).encode())


def put(path: Path, data: bytes, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)


def seen(places: Places, *, caches: bool = False) -> dict[str, tuple[bytes, int]]:
    """Every file of a project's roots with its mode, but for what a restore put aside and the locks."""
    found = {}
    for root in ("input", "config", "output", "data"):
        folder = places.of(root)
        for path in sorted(folder.rglob("*")):
            name = f"{root}/{path.relative_to(folder).as_posix()}"
            ours = name.split("/")[1].startswith((".before-restore-", ".restore"))
            if path.is_file() and not ours and (caches or name not in CACHES):
                found[name] = (path.read_bytes(), stat.S_IMODE(path.stat().st_mode))
    return found


def wipe(places: Places) -> None:
    """All that is gone when somebody removes the folders."""
    for root in ("input", "config", "output", "data"):
        for path in sorted(places.of(root).rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        places.of(root).rmdir()


def unmetered(title: str, total: int) -> Callable[[int], None]:
    return uncounted


def uncounted(count: int) -> None:
    return None


def no_pause(seconds: float) -> None:
    return None


def back_up(
    places: Places,
    into: Path,
    *,
    wanted: Wanted | None = None,
    secret: Secrets | None = None,
    verify: bool = False,
    now: datetime = NOW,
    pause: Callable[[float], object] = no_pause,
    progress: Callable[[str, int], Callable[[int], None]] = unmetered,
) -> Made:
    return make_backup(
        places,
        into,
        wanted=wanted or Wanted(),
        secret=secret or Secrets(),
        models=Models(places.data / "voices", "gemma3:4b", Digests(places.data / "digests.json")),
        verify=verify,
        now=now,
        pause=pause,
        progress=progress,
    )


def bring_back(
    file: Path,
    places: Places,
    *,
    replace: bool = False,
    only: tuple[str, ...] = (),
    with_secrets: bool = False,
    folds_case: Callable[[Path], bool] | None = None,
    progress: Callable[[str, int], Callable[[int], None]] = unmetered,
) -> Restored:
    with open_backup(file) as backup:
        return restore(
            backup,
            places,
            replace=replace,
            only=only,
            with_secrets=with_secrets,
            now=NOW,
            progress=progress,
            folds_case=folds_case,
        )
