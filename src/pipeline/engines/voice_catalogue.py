"""Which Piper voices can be fetched, and how one comes to be installed: checked, and all of its files or none.

The catalogue is `voices.json` of rhasspy/piper-voices on Hugging Face: for each voice its files, with their sizes
and MD5 digests. A mirror has the same files under the same paths.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any
from urllib.parse import quote

from pipeline.errors import EngineNonsense, EngineRefused, EngineUnavailable
from pipeline.files import disk_error, make_folder, settle
from pipeline.net.download import PATIENCE, fetch
from pipeline.net.retry import Policy
from pipeline.net.tls import Tls

PUBLIC = "https://huggingface.co/rhasspy/piper-voices/resolve/main"

# It had 220 kB with 150 voices.
_MOST_CATALOGUE_BYTES = 16 << 20
# A name becomes file names: no separators, nothing that begins with a dot.
_NAME = re.compile(r"(?!\.)[^/\\\0\s]{1,100}")
# As piper's own downloader has it: en_US-lessac-medium.
_PATTERN = re.compile(r"(?P<family>[^-_]+)_(?P<region>[^-]+)-(?P<voice>[^-]+)-(?P<quality>.+)")
_UNFINISHED = ".fetching"


@dataclass(frozen=True, slots=True)
class OfferedFile:
    path: str
    """In the catalogue: `en/en_US/joe/medium/en_US-joe-medium.onnx`."""
    size: int
    """In bytes."""
    md5: str


@dataclass(frozen=True, slots=True)
class OfferedVoice:
    """A voice of the catalogue."""

    name: str
    language: str
    """BCP 47: `en-US`."""
    quality: str
    """`x_low`, `low`, `medium` or `high`."""
    speakers: int
    aliases: tuple[str, ...]
    model: OfferedFile
    config: OfferedFile
    card: OfferedFile | None
    """What it was trained on, and its licence."""

    @property
    def size(self) -> int:
        """Of all its files, in bytes."""
        return sum(file.size for file in (self.model, self.config, self.card) if file is not None)


def available(
    *, tls: Tls, stop: Event, base_url: str = PUBLIC, policy: Policy = PATIENCE, hint: str = ""
) -> Mapping[str, OfferedVoice]:
    """Every voice there is, by name. Raises EngineUnavailable, EngineRefused, EngineNonsense, Interrupted."""
    url = f"{base_url.rstrip('/')}/voices.json"
    with TemporaryDirectory(prefix="pipeline-") as folder:
        file = Path(folder) / "voices.json"
        try:
            fetch(url, file, tls=tls, stop=stop, most_bytes=_MOST_CATALOGUE_BYTES, policy=policy)
        except EngineUnavailable as error:
            raise EngineUnavailable(
                f"the catalogue of voices cannot be had: {error.what}",
                where=error.where,
                hint=hint or "It needs the network; a mirror of the catalogue will do as well.",
                retry_after_seconds=error.retry_after_seconds,
            ) from error
        text = file.read_bytes()
    try:
        entries = json.loads(text)
        return {name: _parsed(name, entry) for name, entry in entries.items() if _NAME.fullmatch(name)}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EngineNonsense(
            f"it is no catalogue of voices ({error!r})",
            where=url,
            hint="See that the address is that of a mirror of rhasspy/piper-voices.",
            answer=text[:2000].decode("utf-8", "replace"),
        ) from error


def get(
    name: str,
    folder: Path,
    *,
    tls: Tls,
    stop: Event,
    progress: Callable[[int, int | None], None] = lambda done, total: None,  # noqa: ARG005  # names are part of the type
    base_url: str = PUBLIC,
    policy: Policy = PATIENCE,
) -> None:
    """Install a voice in `folder`: `<name>.onnx`, `<name>.onnx.json` and `<name>.MODEL_CARD`.

    What is there already and right is not fetched again; what was begun is gone on with. `progress` is told the
    bytes of the whole voice.

    Raises EngineRefused for a name that the catalogue does not have (with the nearest), EngineUnavailable without
    a network (with what to do by hand), EngineNonsense for files that are not what the catalogue says, StoreError,
    Interrupted.
    """
    if not _NAME.fullmatch(name):
        raise EngineRefused(f"{name!r} is no name of a voice", hint="They look like this: en_US-lessac-medium.")
    by_hand = _by_hand(name, folder, base_url)
    offered = available(tls=tls, stop=stop, base_url=base_url, policy=policy, hint=by_hand)
    voice = offered.get(name)
    if voice is None:
        raise EngineRefused(
            f"there is no voice {name!r} in the catalogue", where=base_url, hint=_nearest(name, offered)
        )
    files = {f"{name}.onnx.json": voice.config, f"{name}.onnx": voice.model}
    if voice.card is not None:
        files = {f"{name}.MODEL_CARD": voice.card, **files}
    beside = folder / _UNFINISHED
    done = 0
    for local, file in files.items():
        before = done

        def tell(here: int, _: int | None, before: int = before) -> None:
            progress(before + here, voice.size)

        target = folder / local if _is_there(folder / local, file) else beside / local
        fetch(
            f"{base_url.rstrip('/')}/{quote(file.path)}",
            target,
            tls=tls,
            stop=stop,
            size=file.size,
            digest=f"md5:{file.md5}",
            progress=tell,
            policy=policy,
        )
        done += file.size
        progress(done, voice.size)
    _install(beside, folder, list(files))


def _install(beside: Path, folder: Path, names: list[str]) -> None:
    """Move the finished files to where voices are looked for, the network itself last: nothing finds a voice that
    has no configuration yet. Each of them is on the disk already, so this takes no time in which to be cut off."""
    make_folder(folder)
    try:
        for name in names:
            if (beside / name).exists():
                settle(beside / name, folder / name)
        if beside.exists() and not any(beside.iterdir()):
            beside.rmdir()
    except OSError as error:
        raise disk_error(error, folder) from error


def _is_there(target: Path, file: OfferedFile) -> bool:
    """Whether a file of the right length lies at its final place: then its digest is looked at, there."""
    return target.is_file() and target.stat().st_size == file.size


def _parsed(name: str, entry: Mapping[str, Any]) -> OfferedVoice:
    files = {
        PurePosixPath(path).name: OfferedFile(path, int(about["size_bytes"]), str(about["md5_digest"]))
        for path, about in entry["files"].items()
    }
    code = str(entry["language"]["code"])
    return OfferedVoice(
        name=name,
        language=code.replace("_", "-"),
        quality=str(entry["quality"]),
        speakers=int(entry.get("num_speakers") or 1),
        aliases=tuple(entry.get("aliases") or ()),
        model=files[f"{name}.onnx"],
        config=files[f"{name}.onnx.json"],
        card=files.get("MODEL_CARD"),
    )


def _nearest(name: str, offered: Mapping[str, OfferedVoice]) -> str:
    for voice in offered.values():
        if name in voice.aliases:
            return f"It is called {voice.name} now."
    near = get_close_matches(name, offered, n=3, cutoff=0.5)
    if near:
        return f"The nearest: {', '.join(near)}."
    same = sorted(other for other in offered if other.partition("_")[0] == re.split("[-_]", name)[0])
    if same:
        return f"For that language there are {', '.join(same[:8])}{' and more' if len(same) > 8 else ''}."
    return f"It has {len(offered)} others; their names look like this: en_US-lessac-medium."


def _by_hand(name: str, folder: Path, base_url: str) -> str:
    match = _PATTERN.fullmatch(name)
    if match is None:
        return f"On a machine with a network, fetch the voice's .onnx and .onnx.json and put both into {folder}."
    part = match.groupdict()
    path = f"{part['family']}/{part['family']}_{part['region']}/{part['voice']}/{part['quality']}/{name}.onnx"
    url = f"{base_url.rstrip('/')}/{quote(path)}"
    return f"On a machine with a network, fetch {url} and {url}.json, and put both into {folder}."
