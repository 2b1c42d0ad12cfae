"""Tracks, captions and chapters to one MP4: nothing is encoded again, only put in its place.

Stretches of frames come one after another, each frame at its own time; sound, captions and chapters beside them. Frames
are read a stretch at a time, and written to a file as they come: an hour of them takes no more memory than a minute.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.domain.timeline import Chapter
from pipeline.media import mp4
from pipeline.media.captions import Cue
from pipeline.media.video import grid, picture_track, sound_track
from pipeline.media.video.picture_track import Coded, Shape

if TYPE_CHECKING:
    import av
    from av.stream import Stream

# What every player of MP4 divides a second of video into without a rest, at 24, 25, 30, 50 and 60 frames a second.
_TICKS_A_FRAME = 512
_TICK = Fraction(1, grid.FRAMES_PER_SECOND * _TICKS_A_FRAME)
_SAMPLE = Fraction(1, sound_track.RATE)

# What the captions' track says of their looks; players use their own.
_CAPTION_STYLE = b"""[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, \
StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Sans-serif,18,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,0

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""

_LONGEST_CAPTION_BYTES = 0xFFFF


@dataclass(frozen=True, slots=True)
class Piece:
    """One coded stretch, at its place in the film."""

    begins: int
    """The film's frame that is its segment's first."""
    ends: int
    """The film's first frame that is not its segment's: what the stretch has beyond is left out."""
    read: Callable[[str], bytes]
    """The parts that `picture_track.encoded` gave."""


@dataclass(frozen=True, slots=True)
class About:
    """What a player shows about the film; what is empty is left out."""

    title: str
    language: str = "en"
    """BCP 47."""
    date: str = ""
    """ISO 8601."""
    comment: str = ""
    """Where the notice goes that the speech is made by a machine."""


class Unlike(ValueError):
    """A stretch was encoded with other parameter sets than the film's."""


def write(
    path: Path,
    shape: Shape,
    pieces: Sequence[Piece],
    sound: Callable[[str], bytes],
    *,
    cues: Sequence[Cue],
    chapters: Sequence[Chapter],
    about: About,
) -> None:
    """The film at `path`: H.264, AAC, captions as a track of text (mov_text), chapters; what a player needs to begin
    stands first.

    Nothing in it depends on the clock. Raises Unlike, and OSError (av's, for a full disk too).
    """
    import av

    with av.open(str(path), "w", format="mp4", options=mp4.LAYOUT) as container:
        container.metadata.update(_tags(about))
        container.set_chapters(mp4.chapters(chapters))
        video = container.add_stream("libx264")
        picture_track.configure(video.codec_context, shape)
        video.time_base = _TICK
        audio = container.add_stream("aac")
        sound_track.configure(audio.codec_context)
        audio.time_base = _SAMPLE
        text = container.add_stream("mov_text")
        text.codec_context.subtitle_header = _CAPTION_STYLE
        text.codec_context.time_base = mp4.MILLISECOND
        text.time_base = mp4.MILLISECOND
        for stream in (audio, text):
            stream.metadata["language"] = mp4.language(about.language)
        container.start_encoding()
        tracks = (
            _pictures(pieces, video, bytes(video.codec_context.extradata or b"")),
            _sounds(sound, audio),
            _captions(cues, text),
        )
        for packet in heapq.merge(*tracks, key=_seconds):
            container.mux(packet)


def _tags(about: About) -> dict[str, str]:
    texts = {"title": about.title, "date": about.date, "comment": about.comment, "genre": "Podcast"}
    return {name: text for name, text in texts.items() if text}


def _pictures(pieces: Sequence[Piece], stream: Stream, parameters: bytes) -> Iterator[av.Packet[Stream]]:
    """Every coded frame at its time. A frame is shown until the next one; what is decoded when follows from that, the
    same number of frames ahead throughout.
    """
    indexes = [_kept(Coded.parse(piece.read(picture_track.INDEX)), piece) for piece in pieces]
    times = [piece.begins + number for piece, index in zip(pieces, indexes, strict=True) for number in index.numbers]
    times.append(pieces[-1].ends)
    ahead = max((at - unit.place for index in indexes for at, unit in enumerate(index.units)), default=0)
    decoded = 0
    shown = 0
    for piece, index in zip(pieces, indexes, strict=True):
        if piece.read(picture_track.PARAMETERS) != parameters:
            raise Unlike("a stretch of the film was encoded with another build of the encoder")
        data = memoryview(piece.read(picture_track.FRAMES))
        start = 0
        for unit in index.units:
            at = shown + unit.place
            place = decoded - ahead
            decoding = times[place] if place >= 0 else times[0] + place
            yield _packet(
                bytes(data[start : start + unit.length]),
                stream,
                key=unit.key,
                pts=times[at] * _TICKS_A_FRAME,
                dts=decoding * _TICKS_A_FRAME,
                duration=(times[at + 1] - times[at]) * _TICKS_A_FRAME,
            )
            start += unit.length
            decoded += 1
        shown += len(index.numbers)


def _kept(index: Coded, piece: Piece) -> Coded:
    """Without the frames that the segment, where it stands, has no room for: the last one at most."""
    room = piece.ends - piece.begins
    numbers = tuple(number for number in index.numbers if number < room)
    units = tuple(unit for unit in index.units if unit.place < len(numbers))
    if units != index.units[: len(units)]:
        raise ValueError("only what is decoded last can be left out of a stretch")
    return Coded(numbers, units)


def _sounds(read: Callable[[str], bytes], stream: Stream) -> Iterator[av.Packet[Stream]]:
    index: Mapping[str, object] = json.loads(read(sound_track.INDEX))
    samples, lengths = index["samples"], index["lengths"]
    assert isinstance(samples, int)  # noqa: S101  # narrows what json gives
    assert isinstance(lengths, list)  # noqa: S101
    data = memoryview(read(sound_track.FRAMES))
    start, at = 0, -sound_track.PRIMING_SAMPLES
    for length in lengths:
        # The last packet is heard as far as the programme goes.
        duration = min(sound_track.PACKET_SAMPLES, samples - at)
        if duration <= 0:
            return
        yield _packet(bytes(data[start : start + length]), stream, key=True, pts=at, dts=at, duration=duration)
        start, at = start + length, at + sound_track.PACKET_SAMPLES


def _captions(cues: Sequence[Cue], stream: Stream) -> Iterator[av.Packet[Stream]]:
    """Timed text (3GPP TS 26.245): two bytes of length, then the text as it is; there is nothing to escape."""
    for cue in cues:
        text = "\n".join(cue.lines).encode()[:_LONGEST_CAPTION_BYTES].decode(errors="ignore").encode()
        at = round(cue.span.start / mp4.MILLISECOND)
        duration = max(1, round(cue.span.end / mp4.MILLISECOND) - at)
        yield _packet(len(text).to_bytes(2, "big") + text, stream, key=True, pts=at, dts=at, duration=duration)


def _packet(data: bytes, stream: Stream, *, key: bool, pts: int, dts: int, duration: int) -> av.Packet[Stream]:
    import av

    packet: av.Packet[Stream] = av.Packet(data)
    packet.stream = stream
    packet.time_base = stream.time_base or _TICK
    packet.pts, packet.dts, packet.duration = pts, dts, duration
    packet.is_keyframe = key
    return packet


def _seconds(packet: av.Packet[Stream]) -> float:
    return float((packet.dts or 0) * packet.time_base)
