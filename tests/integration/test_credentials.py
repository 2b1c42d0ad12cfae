"""Files signed by the real library and read back: with it, with FFmpeg's demuxers, with Pillow, byte by byte."""

from __future__ import annotations

import base64
import io
import json
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image
from pytest_httpserver import HTTPServer

from pipeline.errors import EngineRefused, SettingsError
from pipeline.media import id3
from pipeline.media.credentials import (
    Component,
    Identity,
    Kind,
    MadeBy,
    Model,
    faults,
    library,
    open_identity,
    signing,
)
from pipeline.media.page.png_size import png_size
from pipeline.stages import credentials
from pipeline.stages.credentials import File
from tests.fakes.flows import Memory, MemoryArtifact
from tests.integration.test_video import filmed, picture, programme

c2pa = pytest.importorskip("c2pa", reason="the extra `credentials` is not installed")

from cryptography import x509  # noqa: E402  # comes with c2pa-python
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: E402
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes  # noqa: E402
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID  # noqa: E402

BY = MadeBy(
    "Voz sintetizada por uma máquina.",
    voice=Model("piper", "pt_BR-faber-medium", "a" * 64),
    writer=Model("ollama", "gemma3:4b", "b" * 64),
    illustrator=Model("stable-diffusion", "sd-turbo", "c" * 64),
)
NAMES = ("audio.mp3", "cover.png", "picture-01.png", "video.mp4")


@dataclass(frozen=True)
class Episode:
    plain: Mapping[str, bytes]
    signed: Mapping[str, bytes]
    files: tuple[File, ...]
    identity: Identity
    memory: Memory


@pytest.fixture(scope="module")
def episode(tmp_path_factory: pytest.TempPathFactory) -> Episode:
    made = programme(["The lamp is lit."], ["It is out."])
    sound = made.artifact.read("audio.mp3")
    plain = {
        "audio.mp3": sound,
        "cover.png": picture(7, (300, 300)).read(),
        "picture-01.png": picture(0).read(),
        "video.mp4": filmed(made),
    }
    kinds = {"audio.mp3": Kind.SPEECH, "cover.png": Kind.TYPESET, "picture-01.png": Kind.DRAWN}
    files = [File(name, artifact(name, plain[name]), "bytes", kind) for name, kind in kinds.items()]
    made_of = ("audio.mp3", "picture-01.png")
    files.insert(0, File("video.mp4", artifact("film", plain["video.mp4"]), "bytes", Kind.FILM, made_of))
    identity = open_identity(None, None, local=tmp_path_factory.mktemp("data") / "credentials" / "local.pem")
    memory = Memory(threads=2)
    signed = memory.carry_out(credentials.sign(files, BY, identity))
    return Episode(
        plain,
        {name: one.artifact.read(one.part) for name, one in signed.items()},
        tuple(files),
        identity,
        memory,
    )


def artifact(name: str, data: bytes) -> MemoryArtifact:
    return MemoryArtifact(name, {"bytes": data}, made_at="2026-11-21T10:00:00.123Z")


def told_by(name: str, data: bytes) -> Any:
    told = signing.read(io.BytesIO(data), Component(name).media_type)
    assert told is not None
    return told


def own_claim(name: str, data: bytes) -> Any:
    told = told_by(name, data)
    return told["manifests"][told["active_manifest"]]


def faults_of(name: str, data: bytes) -> tuple[str, ...]:
    return faults(io.BytesIO(data), Component(name).media_type)


# -- what is in them -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_every_file_validates_but_for_the_signer_whom_nobody_knows(episode: Episode, name: str) -> None:
    told = told_by(name, episode.signed[name])

    assert faults_of(name, episode.signed[name]) == ()
    assert told["validation_state"] == "Valid"
    assert [one["code"] for one in told["validation_results"]["activeManifest"]["failure"]] == [
        "signingCredential.untrusted"
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_without_credentials_is_told_from_one_that_has_them(episode: Episode, name: str) -> None:
    assert faults_of(name, episode.plain[name]) == ("claim.missing",)


@pytest.mark.parametrize(
    ("name", "term", "agent", "models"),
    [
        ("audio.mp3", "trainedAlgorithmicMedia", "piper", ["pt_BR-faber-medium", "gemma3:4b"]),
        ("cover.png", "compositeSynthetic", "Media Pipeline", ["gemma3:4b"]),
        ("picture-01.png", "trainedAlgorithmicMedia", "stable-diffusion", ["sd-turbo", "gemma3:4b"]),
    ],
)
def test_a_file_says_how_it_was_made(episode: Episode, name: str, term: str, agent: str, models: list[str]) -> None:
    claim = own_claim(name, episode.signed[name])

    (action,) = claim["assertions"][0]["data"]["actions"]
    assert (claim["title"], claim["claim_generator_info"][0]["name"]) == (name, "Media Pipeline")
    assert action["action"] == "c2pa.created"
    assert action["digitalSourceType"].endswith(f"/{term}")
    assert action["softwareAgent"]["name"] == agent
    assert action["description"] == "Voz sintetizada por uma máquina."
    assert action["when"] == "2026-11-21T10:00:00.123Z"
    assert [one["title"] for one in claim["ingredients"]] == models
    assert len(action["parameters"]["ingredients"]) == len(models)


def test_a_film_says_what_it_was_put_together_from_with_what_those_say_themselves(episode: Episode) -> None:
    told = told_by("video.mp4", episode.signed["video.mp4"])
    claim = told["manifests"][told["active_manifest"]]

    created, *placed = claim["assertions"][0]["data"]["actions"]
    assert created["digitalSourceType"].endswith("/compositeSynthetic")
    assert [one["action"] for one in placed] == ["c2pa.placed", "c2pa.placed"]
    for one in claim["ingredients"]:
        theirs = told["manifests"][one["active_manifest"]]
        assert (one["relationship"], one["title"]) == ("componentOf", theirs["title"])
    assert [one["title"] for one in claim["ingredients"]] == ["audio.mp3", "picture-01.png"]


def test_what_is_claimed_is_the_signers_own_word(episode: Episode) -> None:
    with c2pa.Reader("image/png", io.BytesIO(episode.signed["cover.png"])) as reader:
        told = json.loads(reader.detailed_json())

    claim = told["manifests"][told["active_manifest"]]["claim"]
    assert any(one["url"].endswith("c2pa.actions.v2") for one in claim["created_assertions"])
    assert not claim.get("gathered_assertions")


# -- what is found ---------------------------------------------------------------------------------------------


def content(name: str, data: bytes) -> Iterator[tuple[int, int]]:
    """Where what is seen and heard stands in a file: from, to."""
    if name.endswith(".mp4"):
        at = 0
        while at < len(data):
            length = int.from_bytes(data[at : at + 4], "big")
            if data[at + 4 : at + 8] == b"mdat":
                yield at + 8, at + length
            at += length
    elif name.endswith(".png"):
        first = data.index(b"IDAT") + 4
        yield first, len(data) - 16
    else:
        title = data.index(b"test")  # the programme's, in its tag
        yield title, title + 4
        yield tag_length(data), len(data)


@pytest.mark.parametrize("name", NAMES)
def test_every_flipped_bit_of_the_content_is_found(episode: Episode, name: str) -> None:
    data = episode.signed[name]
    for first, end in content(name, data):
        for place in range(first, end, max(1, (end - first) // 12)):
            flipped = bytearray(data)
            flipped[place] ^= 1 << place % 7  # a title stays text

            found = faults_of(name, bytes(flipped))

            assert set(found) & {"assertion.dataHash.mismatch", "assertion.bmffHash.mismatch"}, place


def test_a_claim_cannot_be_moved_to_another_film(episode: Episode) -> None:
    """The box with the credentials, put before other frames."""
    signed = episode.signed["video.mp4"]
    frames = dict(top_boxes(signed))[b"mdat"]
    other = signed.replace(frames, frames[:8] + frames[:7:-1])

    assert len(other) == len(signed)
    assert "assertion.bmffHash.mismatch" in faults_of("video.mp4", other)


def test_a_claim_that_says_something_else_than_was_signed_is_found(episode: Episode) -> None:
    signed = episode.signed["video.mp4"]
    changed = signed.replace(b"/compositeSynthetic", b"/digitalCreation!!!")

    assert changed != signed
    assert "assertion.hashedURI.mismatch" in faults_of("video.mp4", changed)


# -- what is as it was -----------------------------------------------------------------------------------------


def packets(data: bytes) -> list[tuple[int, int | None, int | None, bytes]]:
    with av.open(io.BytesIO(data), "r") as container:
        return [(one.stream.index, one.pts, one.dts, bytes(one)) for one in container.demux()]


def described(data: bytes) -> Any:
    with av.open(io.BytesIO(data), "r") as container:
        streams = [(one.type, one.metadata, one.duration, str(one.time_base)) for one in container.streams]
        return dict(container.metadata), container.chapters(), streams, container.duration


@pytest.mark.parametrize("name", ["audio.mp3", "video.mp4"])
def test_sound_frames_captions_chapters_and_names_are_the_same(episode: Episode, name: str) -> None:
    plain, signed = episode.plain[name], episode.signed[name]

    assert packets(signed) == packets(plain)
    assert described(signed) == described(plain)


def top_boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 8], data[at : at + length]
        at += length


def test_a_film_still_begins_with_what_a_player_needs(episode: Episode) -> None:
    before = [name for name, _ in top_boxes(episode.plain["video.mp4"])]
    after = [name for name, _ in top_boxes(episode.signed["video.mp4"])]

    assert after.index(b"moov") < after.index(b"mdat")
    assert [name for name in after if name != b"uuid"] == before
    with av.open(io.BytesIO(episode.signed["video.mp4"]), "r") as container:
        assert [one.type for one in container.streams][:3] == ["video", "audio", "subtitle"]
        assert len(container.chapters()) == 2


def syncsafe(data: bytes) -> int:
    return sum(byte << shift for byte, shift in zip(data, (21, 14, 7, 0), strict=True))


def tag_length(data: bytes) -> int:
    return 10 + syncsafe(data[6:10])


def tag_frames(data: bytes) -> list[bytes]:
    at, frames = 10, []
    while at < tag_length(data) and data[at]:
        end = at + 10 + syncsafe(data[at + 4 : at + 8])
        frames.append(data[at:end])
        at = end
    return frames


def in_utf_8(frame: bytes) -> bytes:
    """A cover's empty description may be called Latin-1 or UTF-8."""
    return frame[:10] + b"\x03" + frame[11:] if frame[:4] == b"APIC" else frame


def test_an_mp3_has_its_tag_and_its_frames_to_the_byte(episode: Episode) -> None:
    """With every frame that a programme's tag may have: names, notice, chapters, cover."""
    made = programme(["The lamp is lit."], ["It is out."])
    sound = made.artifact.read("audio.mp3")
    plain = (
        id3.tag(
            {"TIT2": "The lamp", "TPE1": "Someone", "TDRC": "2026-11-21"},
            language="pt-BR",
            comment="Voz sintetizada por uma máquina.",
            chapters=made.timeline.chapters,
            cover=picture(3, (64, 64)).read(),
        )
        + sound[tag_length(sound) :]
    )

    signed = signed_alone(File("audio.mp3", artifact("tagged", plain), "bytes", Kind.SPEECH), episode.identity)

    kept = [frame for frame in tag_frames(signed) if frame[:4] != b"GEOB"]
    assert [in_utf_8(frame) for frame in kept] == [in_utf_8(frame) for frame in tag_frames(plain)]
    assert {frame[:4] for frame in tag_frames(plain)} >= {b"TIT2", b"COMM", b"CTOC", b"CHAP", b"APIC"}
    assert signed[tag_length(signed) :] == plain[tag_length(plain) :]


def signed_alone(file: File, identity: Identity) -> bytes:
    signed = Memory().carry_out(credentials.sign([file], BY, identity))[file.name]
    return signed.artifact.read(signed.part)


@pytest.mark.parametrize("name", ["cover.png", "picture-01.png"])
def test_a_picture_has_the_same_pixels(episode: Episode, name: str) -> None:
    plain, signed = (Image.open(io.BytesIO(files[name])) for files in (episode.plain, episode.signed))

    assert (signed.mode, signed.size, signed.tobytes()) == (plain.mode, plain.size, plain.tobytes())
    assert png_size(episode.signed[name]) == plain.size


# -- made once -------------------------------------------------------------------------------------------------


def test_no_two_signings_are_the_same_and_so_a_file_is_signed_once(episode: Episode) -> None:
    made = len(episode.memory.made)

    again = episode.memory.carry_out(credentials.sign(episode.files, BY, episode.identity))

    assert len(episode.memory.made) == made == len(NAMES)
    assert {name: one.artifact.read(one.part) for name, one in again.items()} == episode.signed
    cover = next(file for file in episode.files if file.name == "cover.png")
    assert signed_alone(cover, episode.identity) != episode.signed["cover.png"]


def test_the_private_key_is_in_no_file(episode: Episode) -> None:
    key = serialization.load_pem_private_key(episode.identity.key, password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    number = key.private_numbers().private_value.to_bytes(32, "big")
    assert number in base64.b64decode(b"".join(episode.identity.key.splitlines()[1:-1]))

    assert not any(number in data for data in episode.signed.values())


# -- who signs -------------------------------------------------------------------------------------------------


def test_the_local_key_is_made_once_and_for_this_user_alone(tmp_path: Path) -> None:
    local = tmp_path / "credentials" / "local.pem"
    with ThreadPoolExecutor(4) as pool:
        identities = list(pool.map(lambda _: open_identity(None, None, local=local), range(4)))

    assert len({one.key for one in identities}) == len({one.digest for one in identities}) == 1
    assert stat.S_IMODE(local.stat().st_mode) == 0o600
    assert sorted(one.name for one in local.parent.iterdir()) == ["local.pem", "local.pem.lock"]


Issued = tuple[bytes, bytes]
"""A chain, and a key, as PEM."""


def issued(
    key: PrivateKeyTypes,
    *,
    days: tuple[int, int] = (-1, 30),
    uses: tuple[x509.ObjectIdentifier, ...] = (ExtendedKeyUsageOID.EMAIL_PROTECTION,),
    revocation: str = "",
) -> Issued:
    """What an authority of one's own gives for a key."""
    authority = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)

    def certificate(name: str, public: Any, *, is_authority: bool) -> x509.Certificate:
        building = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "An authority")]))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=days[0]))
            .not_valid_after(now + timedelta(days=days[1]))
            .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False)
            .add_extension(
                x509.KeyUsage(not is_authority, False, False, False, False, is_authority, is_authority, False, False),
                critical=True,
            )
        )
        if not is_authority and uses:
            building = building.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        if not is_authority and revocation:
            asked = x509.AccessDescription(
                AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(revocation)
            )
            building = building.add_extension(x509.AuthorityInformationAccess([asked]), critical=False)
        return building.sign(authority, hashes.SHA256())

    chain = (
        certificate("A studio", key.public_key(), is_authority=False),
        certificate("An authority", authority.public_key(), is_authority=True),
    )
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in chain), pem(key)


def pem(
    key: PrivateKeyTypes,
    form: serialization.PrivateFormat = serialization.PrivateFormat.PKCS8,
    passphrase: bytes = b"",
) -> bytes:
    locked = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, locked)


def p256() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def written(folder: Path, both: Issued) -> tuple[Path, Path]:
    (folder / "chain.pem").write_bytes(both[0])
    (folder / "key.pem").write_bytes(both[1])
    return folder / "chain.pem", folder / "key.pem"


@pytest.mark.parametrize(
    ("make", "algorithm"),
    [
        (p256, "es256"),
        (lambda: ec.generate_private_key(ec.SECP384R1()), "es384"),
        (ed25519.Ed25519PrivateKey.generate, "ed25519"),
        (lambda: rsa.generate_private_key(65537, 2048), "ps256"),
    ],
)
def test_a_person_signs_with_a_key_of_their_own(
    tmp_path: Path, episode: Episode, make: Callable[[], PrivateKeyTypes], algorithm: str
) -> None:
    identity = open_identity(*written(tmp_path, issued(make())), local=tmp_path / "local.pem")
    cover = next(file for file in episode.files if file.name == "cover.png")

    signed = signed_alone(cover, identity)

    assert identity.algorithm == algorithm
    assert faults_of("cover.png", signed) == ()
    assert own_claim("cover.png", signed)["signature_info"]["issuer"] == "A studio"
    assert not (tmp_path / "local.pem").exists()


def test_a_key_is_read_in_the_form_that_openssl_has_long_written(tmp_path: Path) -> None:
    """SEC 1, with the curve's parameters and the certificate before it in the same file."""
    key = p256()
    chain, _ = issued(key)
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    both = chain + parameters + pem(key, serialization.PrivateFormat.TraditionalOpenSSL)

    identity = open_identity(*written(tmp_path, (chain, both)), local=tmp_path / "local.pem")

    assert identity.key == pem(key)


def broken() -> Iterator[tuple[str, Callable[[], Issued], str]]:
    yield "another key", lambda: (issued(p256())[0], pem(p256())), "not that of the first certificate"
    yield "passphrase", lambda: _locked(), "asks for a passphrase"
    yield "no key", lambda: (issued(p256())[0], b"nothing"), "no private key in PEM"
    yield "no certificate", lambda: (b"nothing", pem(p256())), "no PEM file of certificates"
    yield "out of date", lambda: issued(p256(), days=(-30, -1)), "cannot be signed with"
    yield "for any use", lambda: issued(p256(), uses=()), "cannot be signed with"
    yield "for servers", lambda: issued(p256(), uses=(ExtendedKeyUsageOID.SERVER_AUTH,)), "cannot be signed with"
    yield "no such curve", lambda: issued(ec.generate_private_key(ec.SECP256K1())), "does not sign with such a key"


def _locked() -> Issued:
    key = p256()
    return issued(key)[0], pem(key, passphrase=b"secret")


@pytest.mark.parametrize(("both", "said"), [pytest.param(both, said, id=name) for name, both, said in broken()])
def test_what_is_wrong_with_a_key_or_certificate_is_said_before_anything_is_made(
    tmp_path: Path, both: Callable[[], Issued], said: str
) -> None:
    chain, key = both()

    with pytest.raises(SettingsError, match=said) as raised:
        open_identity(*written(tmp_path, (chain, key)), local=tmp_path / "local.pem")

    assert not any(line.decode() in str(raised.value) for line in key.splitlines()[1:])


def test_a_certificate_and_its_key_go_together(tmp_path: Path) -> None:
    chain, key = written(tmp_path, issued(p256()))

    with pytest.raises(SettingsError, match="credentials_key: missing"):
        open_identity(chain, None, local=tmp_path / "local.pem")
    with pytest.raises(SettingsError, match="credentials_cert: missing"):
        open_identity(None, key, local=tmp_path / "local.pem")
    with pytest.raises(SettingsError, match=r"credentials_key: there is no file .*gone\.pem"):
        open_identity(chain, tmp_path / "gone.pem", local=tmp_path / "local.pem")


def test_what_the_library_cannot_sign_is_said(episode: Episode) -> None:
    no_film = File("video.mp4", artifact("broken", b"no film at all"), "bytes", Kind.FILM)

    with pytest.raises(EngineRefused, match="c2pa-python"):
        signed_alone(no_film, episode.identity)


# -- nothing from outside --------------------------------------------------------------------------------------


def test_no_host_is_asked_for_anything(tmp_path: Path, episode: Episode, httpserver: HTTPServer) -> None:
    """Neither for a certificate's revocation, nor for credentials that are said to lie elsewhere."""
    chain_and_key = issued(p256(), revocation=httpserver.url_for("/ocsp"))
    identity = open_identity(*written(tmp_path, chain_and_key), local=tmp_path / "local.pem")
    cover = next(file for file in episode.files if file.name == "cover.png")
    signed = signed_alone(cover, identity)
    elsewhere = said_to_lie_at(httpserver.url_for("/claim.c2pa"), episode.plain["cover.png"], identity)
    assert httpserver.url_for("/claim.c2pa").encode() in elsewhere

    assert faults_of("cover.png", signed) == ()
    with pytest.raises(EngineRefused):
        faults_of("cover.png", elsewhere)
    assert httpserver.log == []


def said_to_lie_at(address: str, png: bytes, identity: Identity) -> bytes:
    signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(identity.algorithm, identity.chain, identity.key, None))
    with c2pa.Context.from_dict(dict(library.OFFLINE), signer) as context:
        builder = c2pa.Builder({"claim_generator_info": [{"name": "elsewhere"}]}, context)
        builder.set_intent(c2pa.C2paBuilderIntent.CREATE, c2pa.C2paDigitalSourceType.DIGITAL_CREATION)
        builder.set_no_embed()
        builder.set_remote_url(address)
        into = io.BytesIO()
        builder.sign("image/png", io.BytesIO(png), into)
    return into.getvalue()


def test_native_code_in_the_working_folder_is_not_run(tmp_path: Path) -> None:
    package = Path(c2pa.__file__).parent
    (native,) = (file for file in (package / "libs").iterdir() if file.suffix in {".so", ".dylib"})
    (tmp_path / native.name).symlink_to(native)
    program = (
        "from pipeline.media.credentials import library; import os;"
        "print(library.load().c2pa._lib._name); print(os.environ.get('C2PA_LIBRARY_NAME'))"
    )

    found = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)

    assert found.stdout.split() == [str(native), "None"]


# -- in an episode -------------------------------------------------------------------------------------------------


def test_an_episode_is_signed_once_and_says_so_of_every_file_that_can_hold_it(tmp_path: Path) -> None:
    from pipeline.stages.publish import verify
    from pipeline.stages.video import Spec
    from tests.fakes.studio import make_studio, run_all
    from tests.fakes.voice import FakeVoice
    from tests.fakes.writer import FakeWriter

    project = tmp_path / "project"
    (project / "input").mkdir(parents=True)
    (project / "input" / "log.md").write_text(
        "---\ntitle: Log\nmode: read\n---\n\n## One\n\nThe wind rose.\n\n## Two\n\nNobody slept.\n"
    )
    signer = open_identity(None, None, local=tmp_path / "local.pem")

    def run(signer: Identity | None, fingerprint: str) -> dict[str, bytes]:
        films = (Spec(192, 108, motion=False),)
        studio = make_studio(
            project, voice=FakeVoice(), writer=FakeWriter([]), films=films, signer=signer, fingerprint=fingerprint
        )
        assert set(run_all(studio).values()) <= {None}
        folder = project / "output" / "log"
        assert verify(folder) == ()
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    signed = run(signer, "signed")
    for name in ("audio.mp3", "cover.png", "picture-01.png", "picture-02.png", "video.mp4"):
        kind = {"mp3": "audio/mpeg", "png": "image/png", "mp4": "video/mp4"}[name.rpartition(".")[2]]
        assert faults(io.BytesIO(signed[name]), kind) == ()
    assert run(signer, "signed") == signed
    plain = run(None, "plain")
    assert {name for name in signed if plain[name] != signed[name]} == {
        "audio.mp3", "cover.png", "picture-01.png", "picture-02.png", "video.mp4", "index.html", "manifest.json",
    }  # fmt: skip
    assert run(signer, "signed") == signed, "what was signed once is published as it was"
