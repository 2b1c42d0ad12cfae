"""What the service's pages answer over HTTP, and the sentences that are spoken beside the rounds."""

from __future__ import annotations

import io
import threading
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
import structlog

from pipeline.engines.piper import Piper
from pipeline.ports import Speech, SpeechRequest, VoiceIdentity
from pipeline.service.app import make_service
from pipeline.service.guard import SESSION_COOKIE, SESSION_SECONDS, Guard, hosts_of
from pipeline.service.pages.forecast import Forecast
from pipeline.service.pages.looks import Looks
from pipeline.service.pages.rendering import POLICY
from pipeline.service.pages.shelf import Shelf
from pipeline.service.pages.transcript import Heard, chapters_of
from pipeline.service.pages.words import ENGLISH, LANGUAGES, PORTUGUESE, words_for
from pipeline.text import script_file
from tests.browser.scene import CHORUS, FAILS, REFUSED, STUCK, WORKS, Director, staged
from tests.fakes.served import Served, project_of
from tests.fakes.voice import identity
from tests.fakes.voices_on_disk import BUNDLED

OLD, NEW = "Its eyes are large for its size.", "Its eyes are as large as an owl's."
EPISODE = "/episodes/the-dawn-chorus"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
AS_A_BROWSER = {"Accept": "text/html,*/*;q=0.8"}


@pytest.fixture(scope="module", autouse=True)
def _quiet() -> Iterator[None]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    yield
    structlog.reset_defaults()


def until_finished(at: Served, slug: str = "the-dawn-chorus", *, sound: str = "") -> str:
    """Listens until an episode is finished, with another sound than this one; names its sound."""
    with requests.get(f"{at.address}/api/v1/events", stream=True, timeout=60) as events:
        for _ in events.iter_lines(chunk_size=None):
            episode = requests.get(f"{at.address}/api/v1/episodes/{slug}", timeout=30)
            files = {file["name"]: file["sha256"] for file in episode.json().get("files", ())}
            if episode.ok and episode.json()["state"] == "finished" and files["audio.mp3"] != sound:
                return str(files["audio.mp3"])
    raise AssertionError("the stream ended first")


@pytest.fixture(scope="module")
def voice() -> Director:
    return Director([identity(), identity("pt_BR-fake-medium", language="pt-BR"), identity("xx-fake", language="tlh")])


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory, voice: Director) -> Iterator[Served]:
    with staged(tmp_path_factory.mktemp("pages"), CHORUS, voice=voice) as one:
        until_finished(one)
        yield one


def get(at: Served, path: str, **headers: str) -> requests.Response:
    return requests.get(at.address + path, headers={**AS_A_BROWSER, **headers}, timeout=30, allow_redirects=False)


# -- pages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/episodes", "/plan", "/engines", EPISODE])
def test_every_page_comes_under_the_strict_policy(at: Served, path: str) -> None:
    answer = get(at, path)
    assert answer.ok
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert "unsafe" not in POLICY
    # With no-referrer a form of ours would be sent with `Origin: null`, and refused.
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert " style=" not in answer.text
    assert "<script>" not in answer.text


@pytest.mark.parametrize(
    ("accepted", "said"),
    [
        ("en", ("en (settings)", "about 60 s (settings)")),
        ("pt-BR", ("en (configurações)", "cerca de 60 s (configurações)")),
    ],
)
def test_who_chooses_nothing_is_told_what_it_will_be(at: Served, accepted: str, said: tuple[str, ...]) -> None:
    page = get(at, "/", **{"Accept-Language": accepted}).text
    assert [one for one in said if f'<option value="">{one}</option>' not in page] == []


def test_a_fault_is_a_page_for_a_browser_and_a_problem_for_a_program(at: Served) -> None:
    page = get(at, "/episodes/none")
    assert (page.status_code, "there is no episode" in page.text) == (404, True)
    assert requests.get(f"{at.address}/episodes/none", timeout=10).headers["Content-Type"] == "application/problem+json"
    assert get(at, "/api/v1/episodes/none").headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"data": {"title": "?!"}}, 422),
        ({"data": {"notes": "x"}}, 422),
        ({"data": {"title": "x", "minutes": "many"}}, 422),
        ({"data": {"title": "x", "mode": "sing"}}, 422),
        ({"json": {"title": "x"}}, 415),
        ({"data": b"\xff", "headers": FORM}, 400),
        ({"data": "&".join(f"f{n}=1" for n in range(50)), "headers": FORM}, 400),
        ({"data": {"title": "x"}, "headers": {"Origin": "http://evil.example"}}, 403),
    ],
)  # fmt: skip
def test_a_form_that_cannot_be_taken_makes_nothing(at: Served, sent: dict[str, object], status: int) -> None:
    before = set(at.service.house.project.folders.input.iterdir())
    answer = requests.post(f"{at.address}/topics", timeout=10, allow_redirects=False, **sent)  # type: ignore[arg-type]
    assert answer.status_code == status
    assert set(at.service.house.project.folders.input.iterdir()) == before


def test_a_form_that_is_sent_twice_makes_one_topic(at: Served) -> None:
    house = at.service.house
    house.maker.pause()
    fields = {"title": "Twice", "notes": "One.\r\nTwo.", "mode": "write", "minutes": "", "key": "once"}
    answers = [
        requests.post(f"{at.address}/topics", data=fields, timeout=10, allow_redirects=False) for _ in range(2)
    ]  # fmt: skip
    assert [(one.status_code, one.headers["Location"]) for one in answers] == [(303, "/?asked=twice.md")] * 2
    assert (house.project.folders.input / "twice.md").read_text().endswith("\n\nOne.\nTwo.\n")
    requests.delete(f"{at.address}/api/v1/topics/twice.md", timeout=10)
    house.maker.resume()


def test_nothing_is_called_new_before_anybody_has_looked_whether_it_is_finished(tmp_path: Path) -> None:
    (tmp_path / "input").mkdir()
    (tmp_path / "input" / "chorus.md").write_text("---\ntitle: The dawn chorus\nmode: read\n---\n\nThey sing.\n")
    house = make_service(project_of(tmp_path), Guard(hosts_of("127.0.0.1", ()), None)).house
    looks = Looks(house, Shelf(house.project.folders.output), Forecast(house.keeper, house.files))
    shown = looks.now()
    assert (shown.state, shown.waits, shown.waiting) == ("starting", 0, [])
    house.maker.pause()  # nobody will look
    assert [(row.title, row.state) for row in looks.now().waiting] == [("The dawn chorus", "new")]


def test_a_plan_of_many_topics_is_that_of_few(tmp_path: Path) -> None:
    voice = Director(stuck=[STUCK], refused=[REFUSED])
    with staged(tmp_path, WORKS, FAILS, voice=voice) as at:
        assert voice.waits.wait(30)
        house = at.service.house
        shelf, forecast = Shelf(house.project.folders.output), Forecast(house.keeper, house.files)
        looked, found = (Looks(house, shelf, forecast, surveys_up_to=most).plan("") for most in (500, 0))
    assert {one.episode for one in found.episodes} == {one.episode for one in looked.episodes}
    assert (found.titles, found.finished, found.next) == (looked.titles, 0, None)
    assert len(found.titles) == 2


@pytest.mark.parametrize(
    "to", ["//evil.example", "/\\evil.example", "http://evil.example", "javascript:alert(1)", "/a b"]
)
def test_nobody_is_led_elsewhere(at: Served, to: str) -> None:
    answer = requests.get(f"{at.address}/language/pt", params={"to": to}, timeout=10, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")


# -- words --------------------------------------------------------------------------------------------------------


def test_both_languages_say_everything() -> None:
    for name in ("text", "states", "stages", "roles", "folders"):
        assert getattr(ENGLISH, name).keys() == getattr(PORTUGUESE, name).keys()
    for name, text in ENGLISH.text.items():
        assert text.count("{}") == PORTUGUESE.text[name].count("{}"), name


@pytest.mark.parametrize(
    ("chosen", "accepted", "code"),
    [
        (None, "", "en"),
        (None, "pt-BR,pt;q=0.9,en;q=0.8", "pt"),
        (None, "en;q=0.5, pt;q=0.9", "pt"),
        (None, "pt;q=0, de, en", "en"),
        (None, "de;q=nonsense,,;;pt;q=x", "en"),
        ("pt", "en", "pt"),
        ("xx", "pt", "pt"),
    ],
)
def test_the_language_is_the_chosen_one_or_the_browser_s(chosen: str | None, accepted: str, code: str) -> None:
    assert words_for(chosen, accepted) is LANGUAGES[code]


def test_a_script_is_shown_beside_the_sound_it_has() -> None:
    script = script_file.parse("---\ntitle: T\nlanguage: en\n---\n\nOne. New. Two.\n\n…\n", where="s")
    heard = [Heard("One.", ()), Heard("Old.", ()), Heard("Two.", ())]
    (chapter,) = chapters_of(script, heard, {2})
    lines = [line for lines in chapter.paragraphs for line in lines]
    assert [(line.text, line.pending, line.unsupported) for line in lines[:3]] == [
        ("One.", True, False),
        ("New.", True, False),
        ("Two.", True, True),
    ]
    assert not lines[3].pending, "nothing of it can be said"


# -- sessions -----------------------------------------------------------------------------------------------------


def test_a_session_holds_for_its_time_and_its_token() -> None:
    now = [1_000.0]
    guard = Guard(frozenset({"h"}), "t" * 16, now=lambda: now[0])

    def admits(guard: Guard, cookie: str) -> bool:
        return guard.admit("/ready", {"host": "h", "cookie": f"a=b; {SESSION_COOKIE}={cookie}"})

    session = guard.session()
    until, _, seal = session.partition(".")
    assert admits(guard, session)
    assert not admits(Guard(frozenset({"h"}), "u" * 16, now=lambda: now[0]), session)
    for forged in ("", until, f"{int(until) + 1}.{seal}", f"{until}.{'0' * 64}", f"{until}.é", f"²{until}.{seal}"):
        assert not admits(guard, forged), forged
    now[0] += SESSION_SECONDS
    assert not admits(guard, session)


# -- sentences ----------------------------------------------------------------------------------------------------


def frames_of(sound: bytes) -> tuple[int, int]:
    """How many samples a WAV file has, and how many a second."""
    with wave.open(io.BytesIO(sound)) as file:
        return file.getnframes(), file.getframerate()


def test_a_voice_tells_how_it_sounds_and_is_asked_once(at: Served, voice: Director) -> None:
    path = f"{at.address}/api/v1/voices/pt_BR-fake-medium/sample"
    first = requests.get(path, timeout=30)
    spoken = len(voice.calls)
    again = requests.get(path, timeout=30, headers={"If-None-Match": first.headers["ETag"]})
    assert first.headers["Content-Type"] == "audio/wav"
    assert frames_of(first.content)[0] > 16_000
    assert (again.status_code, again.content, len(voice.calls)) == (304, b"", spoken)
    assert "história" in " ".join(call.sentence.shown for call in voice.calls)
    assert requests.get(f"{at.address}/api/v1/voices/xx-fake/sample", timeout=30).ok
    for unknown in ("none", "..%2F..", "xx-fake/sample?speaker=x&"):
        assert requests.get(f"{at.address}/api/v1/voices/{unknown}/sample", timeout=30).status_code == 404, unknown


@pytest.mark.parametrize(
    ("slug", "text", "status"),
    [
        ("none", "A word.", 404),
        ("the-dawn-chorus", "", 422),
        ("the-dawn-chorus", "?!", 422),
        ("the-dawn-chorus", "a" * 1001, 422),
        ("the-dawn-chorus", "\x00\n", 422),
    ],
)
def test_what_cannot_be_spoken_is_said(at: Served, slug: str, text: str, status: int) -> None:
    answer = requests.post(f"{at.address}/api/v1/episodes/{slug}/speech", json={"text": text}, timeout=30)
    assert answer.status_code == status


def test_a_sentence_is_kept_only_where_it_was_read(at: Served) -> None:
    path = f"{at.address}/api/v1/episodes/the-dawn-chorus/sentences"
    script = at.service.house.project.folders.output / "the-dawn-chorus" / "script.md"
    at.service.house.maker.pause()
    etag = requests.get(f"{at.address}/api/v1/episodes/the-dawn-chorus/script", timeout=10).headers["ETag"]
    before = script.read_text()
    assert requests.put(f"{path}/2", json={"text": NEW}, timeout=10).status_code == 428
    assert requests.put(f"{path}/2", json={"text": NEW}, headers={"If-Match": '"x"'}, timeout=10).status_code == 412
    assert requests.put(f"{path}/99", json={"text": NEW}, headers={"If-Match": etag}, timeout=10).status_code == 422
    assert script.read_text() == before
    kept = requests.put(f"{path}/2", json={"text": NEW}, headers={"If-Match": etag}, timeout=10)
    assert kept.ok
    assert script.read_text() == before.replace(OLD, NEW)
    assert requests.put(f"{path}/2", json={"text": OLD}, headers={"If-Match": etag}, timeout=10).status_code == 412
    back = requests.put(f"{path}/2", json={"text": OLD}, headers={"If-Match": kept.headers["ETag"]}, timeout=10)
    assert back.ok
    assert script.read_text() == before
    at.service.house.maker.resume()


class Counted:
    """A voice, and every sentence that it was asked for."""

    def __init__(self, voice: Piper) -> None:
        self._voice = voice
        self.installed = voice.installed
        self.check = voice.check
        self.said: list[str] = []

    def speak(self, request: SpeechRequest) -> Speech:
        self.said.append(request.sentence.shown)
        return self._voice.speak(request)


@pytest.mark.engines
def test_an_edit_is_heard_in_a_moment_and_made_with_the_very_sound(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Within two seconds on the embedded engines; measured and told, and not asserted on a machine that others use."""
    stop = threading.Event()
    voice = Counted(Piper([], threads=2, stop=stop))
    assert isinstance(voice.installed()[BUNDLED], VoiceIdentity)
    with staged(tmp_path, CHORUS, voice=voice) as at:
        sound = until_finished(at)
        voice.said.clear()
        api = f"{at.address}/api/v1/episodes/the-dawn-chorus"
        etag = requests.get(f"{api}/script", timeout=30).headers["ETag"]
        began = time.perf_counter()
        heard = requests.post(f"{api}/speech", json={"text": NEW}, timeout=60)
        seconds = time.perf_counter() - began
        record_property("seconds_from_edit_to_sound", round(seconds, 3))
        assert (heard.status_code, heard.headers["X-Sentences-Spoken"], voice.said) == (200, "1", [NEW])
        assert frames_of(heard.content)[1] == 22_050
        kept = requests.put(f"{api}/sentences/2", json={"text": NEW}, headers={"If-Match": etag}, timeout=30)
        assert kept.ok
        until_finished(at, sound=sound)
        assert voice.said == [NEW], "the round took the sound that was heard"
        assert NEW in requests.get(f"{api}/files/captions.vtt", timeout=30).text.replace("\n", " ")
        print(f"from edit to sound: {seconds:.2f} s")  # noqa: T201  # the figure that the test is for
