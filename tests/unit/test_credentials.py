"""What files claim of themselves, and what a signed file hangs on; the library that signs is not needed for it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline import __version__
from pipeline.build.recipe import Step, canonical
from pipeline.errors import SettingsError
from pipeline.media.credentials import Component, Identity, Kind, MadeBy, Model, claim_of, manifest, open_identity
from pipeline.stages import credentials
from pipeline.stages.credentials import File
from tests.fakes.flows import MemoryArtifact

VOICE = Model("piper", "en_US-joe-medium", "a" * 64)
WRITER = Model("ollama", "gemma3:4b", "b" * 64)
ILLUSTRATOR = Model("stable-diffusion", "sd-turbo", "c" * 64)
READ_OUT = MadeBy("Voice synthesised by a machine.", VOICE)
WRITTEN = replace(READ_OUT, writer=WRITER)
DRAWN = replace(WRITTEN, illustrator=ILLUSTRATOR)
SIGNER = Identity("es256", b"a chain", b"THE PRIVATE KEY")


@pytest.mark.parametrize(
    ("name", "kind", "by", "term"),
    [
        ("audio.mp3", Kind.SPEECH, READ_OUT, "trainedAlgorithmicMedia"),
        ("audio.mp3", Kind.SPEECH, WRITTEN, "trainedAlgorithmicMedia"),
        ("picture-01.png", Kind.DRAWN, DRAWN, "trainedAlgorithmicMedia"),
        ("cover.png", Kind.TYPESET, READ_OUT, "algorithmicMedia"),
        ("cover.png", Kind.TYPESET, WRITTEN, "compositeSynthetic"),
        ("video.mp4", Kind.FILM, READ_OUT, "compositeSynthetic"),
        ("video.mp4", Kind.FILM, DRAWN, "compositeSynthetic"),
    ],
)
def test_a_file_is_called_what_it_is(name: str, kind: Kind, by: MadeBy, term: str) -> None:
    claim = claim_of(name, kind, by)

    assert claim.source_type == f"http://cv.iptc.org/newscodes/digitalsourcetype/{term}"


@pytest.mark.parametrize(
    ("kind", "by", "models"),
    [
        (Kind.SPEECH, READ_OUT, ["en_US-joe-medium"]),
        (Kind.SPEECH, WRITTEN, ["en_US-joe-medium", "gemma3:4b"]),
        (Kind.DRAWN, DRAWN, ["sd-turbo", "gemma3:4b"]),
        (Kind.TYPESET, READ_OUT, []),
        (Kind.TYPESET, DRAWN, ["gemma3:4b"]),
        (Kind.FILM, DRAWN, []),
    ],
)
def test_the_models_that_took_part_are_named(kind: Kind, by: MadeBy, models: Sequence[str]) -> None:
    told = manifest(claim_of("picture.png", kind, by), made_at="2026-01-01T00:00:00Z")

    ingredients = told["ingredients"]
    assert isinstance(ingredients, list)
    assert [one["title"] for one in ingredients] == models
    assert all(one["relationship"] == "inputTo" for one in ingredients)


def test_a_drawn_picture_needs_somebody_who_drew_it() -> None:
    with pytest.raises(ValueError, match="nobody is said to draw"):
        claim_of("picture-01.png", Kind.DRAWN, WRITTEN)


def test_credentials_go_into_three_kinds_of_files() -> None:
    assert [Component(name).media_type for name in ("a.mp3", "a.b.mp4", "a.png")] == [
        "audio/mpeg",
        "video/mp4",
        "image/png",
    ]
    with pytest.raises(ValueError, match="not into audio"):
        _ = Component("audio.flac").media_type


def steps_of(file: File, by: MadeBy = WRITTEN, signer: Identity = SIGNER) -> Sequence[Step]:
    return next(credentials.sign([file], by, signer))


def artifact(data: bytes) -> MemoryArtifact:
    return MemoryArtifact("f" * 64, {"audio.mp3": data})


SPEECH = File("audio.mp3", artifact(b"sound"), "audio.mp3", Kind.SPEECH)


@pytest.mark.parametrize(
    ("file", "by", "signer", "same"),
    [
        (SPEECH, WRITTEN, SIGNER, True),
        (SPEECH, WRITTEN, replace(SIGNER, key=b"the same key, written otherwise"), True),
        (replace(SPEECH, artifact=replace(artifact(b"sound"), made_at="2027-01-01T00:00:00Z")), WRITTEN, SIGNER, True),
        (replace(SPEECH, artifact=artifact(b"other sound")), WRITTEN, SIGNER, False),
        (replace(SPEECH, kind=Kind.TYPESET), WRITTEN, SIGNER, False),
        (SPEECH, READ_OUT, SIGNER, False),
        (SPEECH, replace(WRITTEN, notice="Spoken by a machine."), SIGNER, False),
        (SPEECH, replace(WRITTEN, voice=replace(VOICE, digest="d" * 64)), SIGNER, False),
        (SPEECH, WRITTEN, replace(SIGNER, chain=b"another chain"), False),
    ],
)
def test_a_file_is_signed_anew_when_it_its_claim_or_the_certificate_changed(
    file: File, by: MadeBy, signer: Identity, same: bool
) -> None:
    ((before,), (after,)) = (steps_of(SPEECH), steps_of(file, by, signer))

    assert (after.key == before.key) is same


def test_neither_the_key_nor_the_version_is_in_what_a_signed_file_hangs_on() -> None:
    (step,) = steps_of(SPEECH)

    assert SIGNER.key not in canonical(step.inputs)
    assert __version__.encode() not in canonical(step.inputs)
    assert "PRIVATE" not in repr(SIGNER)


def test_a_film_is_signed_after_what_it_is_made_of_and_hangs_on_no_signature() -> None:
    film = File("video.mp4", MemoryArtifact("e" * 64, {"film": b"frames"}), "film", Kind.FILM, ("audio.mp3",))
    keys = set()
    for signature in (b"one signature", b"another"):
        flow = credentials.sign([film, SPEECH], WRITTEN, SIGNER)
        (first,) = next(flow)
        (then,) = flow.send([MemoryArtifact(first.key, {"audio.mp3": signature})])
        assert (first.label, then.label) == ("credentials of audio.mp3", "credentials of video.mp4")
        keys.add(then.key)

    assert len(keys) == 1


def test_without_the_library_it_is_told_at_the_start_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "c2pa", None)  # as Python sees a package that is not there

    with pytest.raises(SettingsError, match=r"pip install 'media-pipeline\[credentials\]'"):
        open_identity(None, None, local=tmp_path / "local.pem")

    assert list(tmp_path.iterdir()) == []


def test_who_signs_nothing_pays_nothing() -> None:
    program = "import sys, pipeline.stages.credentials; print(sorted({'c2pa', 'cryptography'} & set(sys.modules)))"

    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"
