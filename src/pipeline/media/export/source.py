"""What every exported file is made from: a sound, what is said of it, and the cover that is shown with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pipeline.domain.timeline import Chapter
from pipeline.files import open_plain
from pipeline.media import heard
from pipeline.media.encode import Tags
from pipeline.media.export.cover import Cover

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import OutputContainer


@dataclass(frozen=True, slots=True)
class Sound:
    """A file that holds the programme."""

    path: Path
    form: Literal["mp3", "flac"]


@dataclass(frozen=True, slots=True)
class About:
    """What an exported file says of itself."""

    tags: Tags
    chapters: tuple[Chapter, ...] = ()
    cover: Cover | None = None
    loudness_lufs: float | None = None
    """By BS.1770, where it is known."""


def encode_into(
    container: OutputContainer, stream: AudioStream, frame_samples: int, sound: Sound, tick: Callable[[int], None]
) -> None:
    """All that is heard of the sound, into the stream and to its end."""
    with open_plain(sound.path) as file:
        for frame in heard.frames(file, stream.rate, frame_samples, form=sound.form, tick=tick):
            container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def begin(container: OutputContainer, cover: Cover | None) -> None:
    """Write the head, and the cover into it; the container has all its other streams by now."""
    write_cover = cover.add_to(container) if cover is not None else None
    container.start_encoding()
    if write_cover is not None:
        write_cover()
