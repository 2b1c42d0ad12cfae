"""The programme in the forms that other players want: M4B, Opus, FLAC; each says the same of itself.

    what is heard (lossless where there is such a file) ─► AAC in MP4   chapters, cover, tags   audiobook players
                                                        ├► Opus in Ogg  chapters, cover, tags   the smallest
                                                        └► FLAC         chapters, cover, tags   to work on with

Written to a file as they come, so that an hour takes no more memory than a minute. Nothing depends on the clock: the
same sound and the same words give the same bytes, with the same build of FFmpeg's libraries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from pipeline.media.export import flac, m4b, opus
from pipeline.media.export.cover import Cover
from pipeline.media.export.source import About, Sound

__all__ = ["WRITERS", "About", "Cover", "Sound", "Write"]

Write: TypeAlias = Callable[[Path, Sound, About, Callable[[int], None]], None]
"""Writes one file. The last argument is told of the sound's bytes as they are decoded; what it raises is passed on.
Raises av's FFmpegError: an OSError among them for a full disk, InvalidDataError for what is no sound."""

WRITERS: Mapping[str, Write] = {"m4b": m4b.write, "opus": opus.write, "flac": flac.write}
"""By the ending of the file's name."""
