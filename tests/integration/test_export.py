"""Exported episodes, read back with FFmpeg's demuxers and decoders: what they are, and what they leave alone."""

from __future__ import annotations

import base64
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline import exports
from pipeline.cli import run_command_line
from pipeline.errors import Interrupted, StoreError
from pipeline.exports import Exported, Wish
from pipeline.media import loudness
from pipeline.media.encode import Tags
from pipeline.media.export import About, Cover, Sound, opus
from pipeline.media.pcm import FRAME_SECONDS
from pipeline.stages.mix import Sound as Mix
from tests.fakes.published import NOTICE, chapters, cover, publish, sounds
from tests.fakes.studio import make_studio, run_all
from tests.fakes.voice import FakeVoice
from tests.fakes.writer import FakeWriter
from tests.unit.reference_meter import played, seconds_told

EVERY_KIND = exports.SOUNDS
MADE_ANEW = ("m4b", "opus", "flac")
READ = """---
title: The log
mode: read
---

# Morning

The wind rose before six. Nobody slept on board.

## Evening

Was it late? Captain Reis wrote it down. The lamp was lit at dusk.
"""


def unheard(title: str, total: int) -> Callable[[int], None]:
    del title, total
    return lambda _: None


def export(
    output: Path,
    folder: Path,
    *slugs: str,
    show: Callable[[str, int], Callable[[int], None]] = unheard,
    now: float = 0.0,
    **wish: Any,
) -> list[Exported]:
    wished = Wish(artist="Ana", album="Small talks", **wish)
    return list(exports.export(output, slugs or exports.found(output), folder, wished, now=now, show=show))


def outcomes(done: list[Exported]) -> list[str]:
    return [made.outcome for one in done for made in one.files]


def digests(folder: Path) -> dict[str, bytes]:
    """Every visible file below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def wave_of(path: Path, rate: int) -> NDArray[np.float32]:
    """What a player plays, its last samples too, at another rate."""
    with av.open(str(path), "r") as container:
        stream = container.streams.audio[0]
        assert stream.duration is not None
        assert stream.time_base is not None
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=rate)
        frames = [*container.decode(audio=0), None]
        made = np.concatenate([piece.to_ndarray()[0] for one in frames for piece in resampler.resample(one)])
        # An MP4's edit list and an Ogg's last page say where it ends; FFmpeg's decoders give the whole last packet.
        before = 312 / 48000 if stream.codec_context.name == "opus" else 0.0
        sound: NDArray[np.float32] = made[: round((float(stream.duration * stream.time_base) - before) * rate)]
        return sound


def late_by(sound: NDArray[np.float32], than: NDArray[np.float32]) -> int:
    """By how many samples one sound comes later than the other, where they fit best."""
    size = 1 << (len(sound) + len(than)).bit_length()
    fit = np.fft.irfft(np.fft.rfft(sound, size) * np.conj(np.fft.rfft(than, size)), size)
    best = int(np.argmax(fit))
    return best if best < size // 2 else best - size


def lufs(wave: NDArray[np.float32], rate: int) -> float:
    energies = loudness.energies(loudness.k_weighted(wave, rate) ** 2, rate)
    return loudness.measure(energies).integrated_lufs


@pytest.fixture(scope="module", params=["lossless", "published"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    """An episode that the pipeline has made, what was exported of it, and what the sound was taken from."""
    project = tmp_path_factory.mktemp(request.param)
    (project / "input").mkdir()
    (project / "input" / "log.md").write_text(READ)
    lossless = request.param == "lossless"
    studio = make_studio(project, voice=FakeVoice(), writer=FakeWriter([]), sound=Mix(flac=lossless))
    assert run_all(studio) == {"the-log": None}
    (done,) = export(project / "output", project / "away", sounds=EVERY_KIND)
    assert done.whole
    return project / "output" / "the-log", project / "away", "audio.flac" if lossless else "audio.mp3"


# -- what an exported file is ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MADE_ANEW)
def test_a_player_finds_chapters_cover_and_names(kind: str, made: tuple[Path, Path, str]) -> None:
    episode, away, _ = made
    manifest = json.loads((episode / "manifest.json").read_text())
    told = json.loads((episode / "chapters.json").read_text())["chapters"]
    with av.open(str(away / f"The log (the-log).{kind}")) as container:
        names = {
            key.lower(): text for key, text in {**container.metadata, **container.streams.audio[0].metadata}.items()
        }
        found = container.chapters()
        shown = [bytes(packet) for packet in container.demux(video=0) if packet.size]
        channels = container.streams.audio[0].codec_context.channels
    assert {key: names.get(key) for key in ("title", "artist", "album", "comment", "genre", "date")} == {
        "title": "The log",
        "artist": "Ana",
        "album": "Small talks",
        "comment": manifest["ai_generated"]["notice"],
        "genre": "Podcast",
        "date": manifest["made_at"][:10],
    }
    assert [chapter["metadata"]["title"] for chapter in found] == [chapter["title"] for chapter in told]
    starts = [float(chapter["start"] * (chapter["time_base"] or 0)) for chapter in found]
    assert starts == pytest.approx([chapter["startTime"] for chapter in told], abs=0.001)
    ends = [float(chapter["end"] * (chapter["time_base"] or 0)) for chapter in found]
    assert ends[:-1] == pytest.approx(starts[1:], abs=0.001)
    assert ends[-1] == pytest.approx(manifest["audio"]["seconds"], abs=0.02)
    assert shown == [(episode / "cover.png").read_bytes()]
    assert channels == 1


@pytest.mark.parametrize("kind", MADE_ANEW)
def test_the_sound_is_as_long_as_loud_and_in_place_as_the_published_one(
    kind: str, made: tuple[Path, Path, str]
) -> None:
    episode, away, _ = made
    manifest = json.loads((episode / "manifest.json").read_text())
    published = wave_of(episode / "audio.mp3", 48000)
    exported = wave_of(away / f"The log (the-log).{kind}", 48000)
    assert abs(len(exported) - len(published)) <= FRAME_SECONDS * 48000
    assert abs(late_by(exported, published)) <= 48  # a millisecond
    assert lufs(exported, 48000) == pytest.approx(manifest["audio"]["loudness_lufs"], abs=0.5)


def test_it_is_made_of_the_lossless_programme_where_that_was_published(made: tuple[Path, Path, str]) -> None:
    episode, away, source = made
    assert (away / "The log (the-log).mp3").read_bytes() == (episode / "audio.mp3").read_bytes()
    heard = played((away / "The log (the-log).flac").read_bytes())
    of = played((episode / source).read_bytes())
    if source == "audio.flac":
        assert np.array_equal(heard, of)
    else:
        assert len(heard) == len(of)
        # Sixteen bits of what the decoder gives in floats.
        assert np.abs(heard / 32768 - of).max() <= 1 / 32768
    (again,) = export(episode.parent, away, sounds=MADE_ANEW)
    assert {one.source for one in again.files} == {source}
    assert {one.outcome for one in again.files} == {"unchanged"}


def test_an_m4b_says_that_it_is_an_audiobook_and_how_long_to_the_sample(made: tuple[Path, Path, str]) -> None:
    episode, away, _ = made
    data = (away / "The log (the-log).m4b").read_bytes()
    assert seconds_told(data) == pytest.approx(len(played((episode / "audio.mp3").read_bytes())) / 44100, abs=1e-5)
    assert data[4:12] == b"ftypM4B "
    assert data.index(b"moov") < data.index(b"mdat")
    with av.open(io.BytesIO(data)) as container:
        assert container.metadata["media_type"] == "2"
        assert container.streams.audio[0].metadata["language"] == "eng"


def test_an_opus_file_tells_its_gain_and_its_cover_as_players_ask_for_them(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_bytes(sounds(1.0, lossless=False)["audio.mp3"])
    shown = Cover.parse(cover("JPEG", side=64))
    about = About(Tags("It"), cover=shown, loudness_lufs=-16.0)
    opus.write(tmp_path / "a.opus", Sound(tmp_path / "a.mp3", "mp3"), about, lambda _: None)
    data = (tmp_path / "a.opus").read_bytes()
    assert b"R128_TRACK_GAIN=-1792" in data
    block = base64.b64decode(data.split(b"METADATA_BLOCK_PICTURE=", 1)[1][: len(base64.b64encode(shown.block()))])
    assert block.endswith(shown.picture)
    kind, mime = int.from_bytes(block[:4], "big"), block[8 : 8 + int.from_bytes(block[4:8], "big")]
    assert (kind, mime) == (3, b"image/jpeg")
    numbers = np.frombuffer(block[8 + len(mime) :][:24], ">u4").tolist()
    assert numbers == [0, 64, 64, 24, 0, len(shown.picture)]


@pytest.mark.parametrize(("lufs_told", "gain"), [(-23.0, 0), (-16.0, -1792), (-27.5, 1152), (-9999.0, 32767)])
def test_the_gain_is_counted_to_minus_23(lufs_told: float, gain: int) -> None:
    assert opus.track_gain(lufs_told) == gain


@pytest.mark.parametrize("picture", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n", cover()[:40], b"\xff\xd8\xff\xe0junk"])
def test_what_is_no_picture_is_no_cover(picture: bytes) -> None:
    with pytest.raises(ValueError, match=r"PNG|picture"):
        Cover.parse(picture)


def test_without_cover_and_chapters_there_is_the_sound_and_its_names(tmp_path: Path) -> None:
    publish(tmp_path / "output", "moon", files={"cover.png": None, "chapters.json": None})
    (done,) = export(tmp_path / "output", tmp_path / "away", sounds=MADE_ANEW)
    assert done.whole
    for one in done.files:
        with av.open(str(one.path)) as container:
            assert not container.streams.video
            assert not container.chapters()
            assert {**container.metadata, **container.streams.audio[0].metadata}["title"] == "Moon"


def test_chapters_keep_their_titles_whatever_stands_in_them(tmp_path: Path) -> None:
    publish(tmp_path / "output", "moon", title="Moon: “1/2” = <half>; #\\", lossless=True)
    (done,) = export(tmp_path / "output", tmp_path / "away", sounds=MADE_ANEW)
    for one in done.files:
        with av.open(str(one.path)) as container:
            assert [chapter["metadata"]["title"] for chapter in container.chapters()] == [
                chapter.title for chapter in chapters(4.0)
            ]
            names = {**container.metadata, **container.streams.audio[0].metadata}
            assert (names["title"], names["comment"]) == ("Moon: “1/2” = <half>; #\\", NOTICE)
            assert names["date"] == "2026-11-03"


@pytest.mark.parametrize("wish", [{"sounds": EVERY_KIND}, {"pack": "zip"}, {"pack": "folder"}], ids=str)
@pytest.mark.parametrize("lossless", [True, False])
def test_the_same_episode_gives_the_same_bytes(wish: dict[str, Any], lossless: bool, tmp_path: Path) -> None:
    publish(tmp_path / "output", "moon", lossless=lossless)
    export(tmp_path / "output", tmp_path / "one", **wish)
    for path in (tmp_path / "output").rglob("*"):
        os.utime(path, (0, 0))
    export(tmp_path / "output", tmp_path / "two", **wish)
    assert digests(tmp_path / "one") == digests(tmp_path / "two") != {}


# -- whose the files in the folder are -------------------------------------------------------------------------------


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Two small episodes."""
    publish(tmp_path / "output", "moon", seconds=2.5)
    publish(tmp_path / "output", "tide", seconds=2.5)
    return tmp_path / "output"


def test_what_is_as_it_would_be_made_is_not_made_again(output: Path, tmp_path: Path) -> None:
    away = tmp_path / "away"
    assert outcomes(export(output, away, sounds=("opus", "mp3"))) == ["made"] * 4
    before = {path: path.stat().st_mtime_ns for path in away.iterdir()}
    assert outcomes(export(output, away, sounds=("opus", "mp3"))) == ["unchanged"] * 4
    assert {path: path.stat().st_mtime_ns for path in away.iterdir()} == before


def test_another_edition_takes_the_place_of_the_one_before(output: Path, tmp_path: Path) -> None:
    export(output, tmp_path / "away", sounds=("opus",))
    before = digests(tmp_path / "away")
    publish(output, "moon", seconds=3.0)
    done = export(output, tmp_path / "away", sounds=("opus",))
    assert outcomes(done) == ["made", "unchanged"]
    after = digests(tmp_path / "away")
    assert [after[name] == before[name] for name in sorted(after)] == [False, True]


@pytest.mark.parametrize("kind", ["mp3", "zip"])
def test_a_file_that_was_not_made_here_is_left_alone(kind: str, output: Path, tmp_path: Path) -> None:
    away = tmp_path / "away"
    away.mkdir()
    own = away / f"Moon (moon).{kind}"
    own.write_bytes(b"my own")
    wish: dict[str, Any] = {"pack": "zip"} if kind == "zip" else {"sounds": (kind,)}
    moon, tide = export(output, away, **wish)
    assert (moon.whole, tide.whole) == (False, True)
    assert own.read_bytes() == b"my own"
    moon, _ = export(output, away, force=True, **wish)
    assert moon.whole
    assert own.read_bytes() != b"my own"


def test_a_file_that_somebody_changed_since_is_theirs(output: Path, tmp_path: Path) -> None:
    away = tmp_path / "away"
    export(output, away, "moon", sounds=("mp3",))
    with (away / "Moon (moon).mp3").open("ab") as file:
        file.write(b"TAG my own tag")
    changed = (away / "Moon (moon).mp3").read_bytes()
    publish(output, "moon", seconds=3.0)
    assert outcomes(export(output, away, "moon", sounds=("mp3",))) == ["kept"]
    assert (away / "Moon (moon).mp3").read_bytes() == changed


def test_where_the_record_was_lost_the_same_bytes_are_known_again(output: Path, tmp_path: Path) -> None:
    away = tmp_path / "away"
    export(output, away, "moon", sounds=("opus",))
    for hidden in away.glob(".*"):
        hidden.unlink()
    assert outcomes(export(output, away, "moon", sounds=("opus",))) == ["unchanged"]
    publish(output, "moon", seconds=3.0)
    assert outcomes(export(output, away, "moon", sounds=("opus",))) == ["made"]


def test_a_folder_in_the_way_is_told_and_the_others_go_on(output: Path, tmp_path: Path) -> None:
    away = tmp_path / "away"
    (away / "Moon (moon).mp3").mkdir(parents=True)
    moon, tide = export(output, away, sounds=("mp3",), force=True)
    assert "Moon (moon).mp3" in moon.problem
    assert tide.whole


def appearing(path: Path, data: bytes = b"my own") -> Callable[[str, int], Callable[[int], None]]:
    """A progress that puts a person's file in the place of the one that is being made."""

    def show(title: str, total: int) -> Callable[[int], None]:
        del title, total

        def tick(count: int) -> None:
            del count
            path.unlink(missing_ok=True)
            path.write_bytes(data)

        return tick

    return show


@pytest.mark.parametrize("before", [False, True], ids=["nothing", "our own"])
def test_a_file_that_appears_while_it_is_made_is_left_alone(before: bool, output: Path, tmp_path: Path) -> None:
    away = tmp_path / "away"
    if before:
        export(output, away, "moon", sounds=("mp3",))
        publish(output, "moon", seconds=3.0)
    path = away / "Moon (moon).mp3"
    done = export(output, away, "moon", sounds=("mp3",), show=appearing(path))
    assert outcomes(done) == ["kept"]
    assert path.read_bytes() == b"my own"
    assert sorted(one.name for one in away.iterdir() if one.name.startswith(".part")) == []
    assert outcomes(export(output, away, "moon", sounds=("mp3",), force=True)) == ["made"]


@pytest.mark.parametrize("there", [True, False], ids=["leads somewhere", "leads nowhere"])
def test_a_link_in_the_place_of_a_file_is_left_alone(there: bool, output: Path, tmp_path: Path) -> None:
    away = tmp_path / "away"
    away.mkdir()
    if there:
        (tmp_path / "mine").write_bytes(b"my own")
    path = away / "Moon (moon).mp3"
    path.symlink_to(tmp_path / "mine")
    assert outcomes(export(output, away, "moon", sounds=("mp3",))) == ["kept"]
    assert path.is_symlink()
    assert outcomes(export(output, away, "moon", sounds=("mp3",), force=True)) == ["made"]
    assert not path.is_symlink()
    assert (tmp_path / "mine").exists() == there


@pytest.mark.parametrize("linked", ["Moon (moon)", "Moon (moon)/moon"])
def test_nothing_is_unpacked_through_a_link(linked: str, output: Path, tmp_path: Path) -> None:
    away, mine = tmp_path / "away", tmp_path / "mine"
    mine.mkdir()
    (away / linked).parent.mkdir(parents=True)
    (away / linked).symlink_to(mine)
    for force in (False, True):
        moon, tide = export(output, away, pack="folder", force=force)
        assert "a link stands where a folder is needed" in moon.problem
        assert linked in moon.problem
        assert tide.whole
        assert list(mine.iterdir()) == []


# -- what is not exported --------------------------------------------------------------------------------------------


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("name", ["audio.mp3", "cover.png", "script.md", "chapters.json"])
@pytest.mark.parametrize("harm", [flip, Path.unlink])
def test_an_episode_that_is_not_as_its_manifest_says_is_refused_by_name(
    name: str, harm: Callable[[Path], None], output: Path, tmp_path: Path
) -> None:
    harm(output / "moon" / name)
    moon, tide = export(output, tmp_path / "away", sounds=("mp3",))
    assert moon.slug in moon.problem
    assert name in moon.problem
    assert moon.files == ()
    assert tide.whole
    assert sorted(digests(tmp_path / "away")) == ["Tide (tide).mp3"]


@pytest.mark.parametrize("slug", ["nothing", "../output/moon", "..", ".", "", "/"])
def test_what_is_no_episode_is_named(slug: str, output: Path, tmp_path: Path) -> None:
    (done,) = export(output, tmp_path / "away", slug, sounds=("mp3",))
    assert "no such episode" in done.problem


def test_sound_that_cannot_be_decoded_is_told_as_that(tmp_path: Path) -> None:
    publish(tmp_path / "output", "moon", files={"audio.mp3": b"no sound at all" * 99})
    (done,) = export(tmp_path / "output", tmp_path / "away", sounds=("mp3", "m4b"))
    assert outcomes([done]) == ["made"]
    assert "cannot be decoded" in done.problem
    assert sorted(digests(tmp_path / "away")) == ["Moon (moon).mp3"]


def test_a_cover_that_is_no_picture_is_told_as_that(tmp_path: Path) -> None:
    publish(tmp_path / "output", "moon", files={"cover.png": b"GIF89a"})
    (done,) = export(tmp_path / "output", tmp_path / "away", sounds=("m4b",))
    assert "cover" in done.problem


def test_a_cover_that_flac_cannot_hold_is_told_and_not_left_out(tmp_path: Path) -> None:
    # A picture's end may be followed by anything, and still be that picture.
    publish(tmp_path / "output", "moon", files={"cover.png": cover() + bytes(1 << 24)})
    (done,) = export(tmp_path / "output", tmp_path / "away", sounds=("m4b", "flac"))
    assert outcomes([done]) == ["made"]
    assert "16 MB" in done.problem
    assert sorted(digests(tmp_path / "away")) == ["Moon (moon).m4b"]


@pytest.mark.parametrize("wish", [{"sounds": ("opus",)}, {"sounds": ("mp3",)}, {"pack": "zip"}], ids=str)
@pytest.mark.parametrize("seconds", [2.5, 3.0], ids=["only its manifest", "its sound too"])
def test_an_episode_that_is_published_anew_meanwhile_is_not_mixed_up(
    wish: dict[str, Any], seconds: float, output: Path, tmp_path: Path
) -> None:
    def meanwhile(title: str, total: int) -> Callable[[int], None]:
        publish(output, "moon", title="Another moon", seconds=seconds)
        return unheard(title, total)

    (done,) = export(output, tmp_path / "away", "moon", show=meanwhile, **wish)
    assert "Export it again" in done.problem
    assert list((tmp_path / "away").iterdir()) == []


@pytest.mark.parametrize("wish", [{"sounds": ("opus",)}, {"sounds": ("mp3",)}, {"pack": "zip"}], ids=str)
def test_half_of_another_edition_is_not_exported(wish: dict[str, Any], output: Path, tmp_path: Path) -> None:
    """A run names the manifest last: until then there is the new sound under the old manifest."""

    def meanwhile(title: str, total: int) -> Callable[[int], None]:
        (output / "moon" / "audio.mp3").write_bytes(sounds(3.0, lossless=False)["audio.mp3"])
        return unheard(title, total)

    (done,) = export(output, tmp_path / "away", "moon", show=meanwhile, **wish)
    assert "audio.mp3: it changed while it was exported" in done.problem
    assert list((tmp_path / "away").iterdir()) == []


@pytest.mark.parametrize("wish", [{"sounds": ("m4b",)}, {"sounds": ("opus",)}, {"pack": "zip"}], ids=str)
def test_stopped_in_the_middle_it_leaves_what_was_there(wish: dict[str, Any], output: Path, tmp_path: Path) -> None:
    away = tmp_path / "away"
    export(output, away, "moon", **wish)
    before = digests(away)
    publish(output, "moon", seconds=3.0)

    def stop(title: str, total: int) -> Callable[[int], None]:
        def tick(count: int) -> None:
            raise Interrupted

        return tick

    with pytest.raises(Interrupted):
        export(output, away, "moon", show=stop, **wish)
    assert digests(away) == before
    assert [path.name for path in away.iterdir() if path.name.startswith(".part-")] == []


def test_a_folder_that_cannot_be_made_stops_everything(output: Path, tmp_path: Path) -> None:
    (tmp_path / "away").write_bytes(b"a file")
    with pytest.raises(StoreError, match="a file stands where a folder is needed"):
        export(output, tmp_path / "away", sounds=("mp3",))


# -- packs -----------------------------------------------------------------------------------------------------------


def test_a_zip_holds_all_of_an_episode_as_it_lies_in_output(output: Path, tmp_path: Path) -> None:
    export(output, tmp_path / "away", "moon", pack="zip")
    with ZipFile(tmp_path / "away" / "Moon (moon).zip") as archive:
        assert archive.testzip() is None
        entries = archive.infolist()
        held = {entry.filename: archive.read(entry) for entry in entries}
    assert [entry.filename for entry in entries] == sorted(held)
    assert {entry.date_time for entry in entries} == {(2026, 11, 21, 6, 45, 10)}  # a ZIP counts in twos
    assert {entry.compress_type for entry in entries} == {ZIP_STORED}
    assert {entry.external_attr >> 16 for entry in entries} == {0o100644}
    episode = {f"moon/{name}": data for name, data in digests(output / "moon").items()}
    assert episode.items() <= held.items()
    assert held.keys() - episode.keys() == {"index.html", "assets/site.css", "assets/player.js"}
    assert b'href="moon/index.html"' in held["index.html"]


@pytest.mark.parametrize("made_at", ["", "1969-07-20T20:17:40Z", "9999-01-01T00:00:00Z"])
def test_a_zip_whose_episode_tells_no_fit_time_begins_with_zips(made_at: str, tmp_path: Path) -> None:
    publish(tmp_path / "output", "moon", seconds=2.5, made_at=made_at or "2026")
    (done,) = export(tmp_path / "output", tmp_path / "away", pack="zip")
    if done.problem:
        assert "manifest" in done.problem  # it is no time at all
        return
    with ZipFile(done.files[0].path) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_an_unpacked_episode_is_what_the_zip_unpacks_to(output: Path, tmp_path: Path) -> None:
    export(output, tmp_path / "away", "moon", pack="zip")
    export(output, tmp_path / "away", "moon", pack="folder")
    with ZipFile(tmp_path / "away" / "Moon (moon).zip") as archive:
        archive.extractall(tmp_path / "unpacked")
    assert digests(tmp_path / "away" / "Moon (moon)") == digests(tmp_path / "unpacked") != {}


def test_what_an_edition_has_no_more_goes_and_what_a_person_put_there_stays(output: Path, tmp_path: Path) -> None:
    away = tmp_path / "away"
    export(output, away, "moon", "tide", pack="folder")
    there = away / "Moon (moon)" / "moon"
    (there / "mine.txt").write_text("mine")
    (there / "captions.vtt").write_text("mine now")
    for name in ("cover.png", "captions.vtt"):
        (output / "moon" / name).unlink()
    publish(output, "moon", seconds=2.5, files={"cover.png": None, "captions.vtt": None})
    (done,) = export(output, away, "moon", pack="folder")
    assert done.whole
    assert not (there / "cover.png").exists()
    assert (there / "captions.vtt").read_text() == "mine now"
    assert (there / "mine.txt").exists()
    assert (away / "Tide (tide)" / "tide" / "cover.png").exists()


# -- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def project(output: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("config", "input"):
        (output.parent / name).mkdir()
    monkeypatch.chdir(output.parent)
    return output.parent


def test_the_command_tells_what_it_made_and_of_what(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["export", "moon", "--format", "m4b,mp3", "--to", "away"]) == 0
    said = capsys.readouterr().out
    assert "Moon (moon).m4b: 0.1 MB, made, from audio.mp3" in said
    assert "FLAC=true" in said
    with av.open(str(project / "away" / "Moon (moon).m4b")) as container:
        assert container.metadata["album"] == "Media Pipeline"


def test_the_command_answers_programs(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flip(project / "output" / "tide" / "audio.mp3")
    assert run_command_line(["export", "--all", "--format", "opus", "--to", "away", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["folder"] == str(project / "away")
    moon, tide = told["episodes"]
    path = project / "away" / "Moon (moon).opus"
    assert moon == {
        "slug": "moon", "whole": True, "problem": None,
        "files": [{
            "path": str(path), "kind": "opus", "made_from": "audio.mp3", "outcome": "made",
            "bytes": path.stat().st_size,
        }],
    }  # fmt: skip
    assert (tide["slug"], tide["whole"], tide["files"]) == ("tide", False, [])
    assert "audio.mp3" in tide["problem"]


def test_what_was_left_alone_is_told_with_the_way_out(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "away").mkdir()
    (project / "away" / "Moon (moon).zip").write_bytes(b"mine")
    assert run_command_line(["export", "--all", "--pack", "--to", "away"]) == 1
    said = capsys.readouterr().out
    assert "Moon (moon).zip is not as it was exported; --force writes over it" in said
    assert run_command_line(["export", "--all", "--pack", "--to", "away", "--force"]) == 0
    assert run_command_line(["export", "--all", "--pack", "--unzipped", "--to", "away"]) == 0
    assert "files made" in capsys.readouterr().out


def test_a_command_that_says_no_kind_is_answered_with_what_to_type(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(["export", "moon", "--to", "away"]) == 2
    said = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert "pipeline export moon --format m4b --to away" in said
    assert "pipeline export moon --pack --to away" in said


@pytest.mark.parametrize(
    "arguments",
    [
        ["--all", "--to", "away"],
        ["--all", "--format", "m4b"],
        ["--format", "m4b", "--to", "away"],
        ["moon", "--all", "--format", "m4b", "--to", "away"],
        ["moon", "--format", "wav", "--to", "away"],
        ["moon", "--format", "m4b", "--pack", "--to", "away"],
        ["moon", "--format", "m4b", "--unzipped", "--to", "away"],
        ["moon", "--format", "m4b", "--to", "output/moon"],
        ["moon", "--format", "m4b", "--to", "input"],
        ["moon", "--format", "m4b", "--to", "input/.pipeline"],
        ["moon", "--format", "m4b", "--to", ".pipeline/store"],
        ["moon", "--format", "m4b", "--to", "config/away"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_meant_is_refused_before_anything_is_made(arguments: list[str], project: Path) -> None:
    before = digests(project)
    assert run_command_line(["export", *arguments]) == 2
    assert digests(project) == before
    assert not (project / "away").exists()
