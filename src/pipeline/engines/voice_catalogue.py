"""Which Piper voices there are to fetch: what the public catalogue says of each, and where its files lie.

The catalogue is `voices.json` of rhasspy/piper-voices on Hugging Face: for each voice its files, with their sizes
and MD5 digests. A mirror has the same files under the same paths.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any
from urllib.parse import quote

from pipeline.errors import EngineNonsense, EngineRefused, EngineUnavailable
from pipeline.files import read_plain
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
# `* License: CC0` in a model card, however it is marked up.
_LICENCE_LINE = re.compile(r"^\W*licen[cs]e\W*?:[\s*]*(?P<licence>\S.*?)\s*$", re.IGNORECASE | re.MULTILINE)


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
        text = read_plain(file, most_bytes=_MOST_CATALOGUE_BYTES)
    try:
        entries = json.loads(text)
        return {name: _parsed(name, entry) for name, entry in entries.items() if _NAME.fullmatch(name)}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise EngineNonsense(
            f"it is no catalogue of voices ({error!r})",
            where=url,
            hint="See that the address is that of a mirror of rhasspy/piper-voices.",
            answer=text[:2000].decode("utf-8", "replace"),
        ) from error


def offered(name: str, catalogue: Mapping[str, OfferedVoice], *, where: str) -> OfferedVoice:
    """The voice of a name. Raises EngineRefused for one that the catalogue does not have, with the nearest."""
    voice = catalogue.get(name)
    if voice is None:
        raise EngineRefused(f"there is no voice {name!r} in the catalogue", where=where, hint=_nearest(name, catalogue))
    return voice


def address_of(file: OfferedFile, base_url: str) -> str:
    return f"{base_url.rstrip('/')}/{quote(file.path)}"


def licence_in(card: str) -> str:
    """What a voice's card says of its licence; empty where it says nothing."""
    said = _LICENCE_LINE.search(card)
    return said["licence"] if said else ""


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


def _nearest(name: str, catalogue: Mapping[str, OfferedVoice]) -> str:
    for voice in catalogue.values():
        if name in voice.aliases:
            return f"It is called {voice.name} now."
    near = get_close_matches(name, catalogue, n=3, cutoff=0.5)
    if near:
        return f"The nearest: {', '.join(near)}."
    same = sorted(other for other in catalogue if other.partition("_")[0] == re.split("[-_]", name)[0])
    if same:
        return f"For that language there are {', '.join(same[:8])}{' and more' if len(same) > 8 else ''}."
    return f"It has {len(catalogue)} others; their names look like this: en_US-lessac-medium."


def by_hand(name: str, folder: Path, base_url: str) -> str:
    """What a person without a network does to have a voice."""
    match = _PATTERN.fullmatch(name)
    if match is None:
        return f"On a machine with a network, fetch the voice's .onnx and .onnx.json and put both into {folder}."
    part = match.groupdict()
    path = f"{part['family']}/{part['family']}_{part['region']}/{part['voice']}/{part['quality']}/{name}.onnx"
    url = f"{base_url.rstrip('/')}/{quote(path)}"
    return f"On a machine with a network, fetch {url} and {url}.json, and put both into {folder}."
