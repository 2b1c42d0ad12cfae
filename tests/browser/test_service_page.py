"""The service's pages in a real browser, as a person uses them: a mouse, a keyboard, a phone, no script at all."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import pytest
import structlog
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, Request, expect, sync_playwright

from pipeline.engines.cards import Cards
from pipeline.engines.retrying import RetryingVoice
from pipeline.errors import EngineUnavailable
from pipeline.net.breaker import Breaker
from pipeline.net.circuit import Rests
from pipeline.net.outages import Outages
from pipeline.net.retry import Policy
from pipeline.ports import Speech, SpeechRequest
from tests.browser import chromium
from tests.browser.scene import (
    CHORUS,
    FAILS,
    FINISHED,
    REFUSED,
    STUCK,
    WAITS,
    WORKS,
    Director,
    staged,
)
from tests.fakes.served import Served
from tests.fakes.voice import FakeVoice, identity

ROOT = Path(__file__).parents[2]
PHONE, DESK = (390, 844), (1280, 900)
OLD, NEW = "Its eyes are large for its size.", "Its eyes are as large as an owl's."
MUTED = ("--mute-audio", "--autoplay-policy=no-user-gesture-required")
# Far more than anything here has needed on two busy cores.
PATIENCE_MILLISECONDS = 20_000
expect.set_options(timeout=PATIENCE_MILLISECONDS)


@pytest.fixture(scope="module", autouse=True)
def _quiet() -> Iterator[None]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = chromium.installed()
    if program is None:
        pytest.skip(f"no browser is installed: none of {', '.join(chromium.NAMES)}")
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=program, args=[*MUTED, *sandbox])
        yield one
        one.close()


@dataclass
class Visit:
    """Somebody at a service, and everything in their browser that should not have happened."""

    at: Served
    context: BrowserContext
    wrong: list[str] = field(default_factory=list)

    def page(self, path: str = "/") -> Page:
        page = self.context.new_page()
        page.set_default_timeout(PATIENCE_MILLISECONDS)
        page.on("pageerror", lambda error: self.wrong.append(f"an error: {error}"))
        page.on("console", lambda told: self.wrong.append(told.text) if "Security Policy" in told.text else None)
        page.on("request", self._asked)
        page.on("dialog", self._dialog)
        page.goto(self.at.address + path)
        return page

    def _dialog(self, dialog: Dialog) -> None:
        self.wrong.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def _asked(self, request: Request) -> None:
        if urlsplit(request.url).netloc != urlsplit(self.at.address).netloc:
            self.wrong.append(f"a request elsewhere: {request.url}")


Visiting = Callable[..., Visit]


@pytest.fixture
def visiting(browser: Browser) -> Iterator[Visiting]:
    """Lets somebody in; at the end nothing wrong may have happened to anybody."""
    visits: list[Visit] = []

    def visit(at: Served, *, size: tuple[int, int] = DESK, dark: bool = False, **more: Any) -> Visit:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
            **{"locale": "en-GB", **more},
        )
        visits.append(Visit(at, context))
        return visits[-1]

    yield visit
    for one in visits:
        one.context.close()
        assert one.wrong == []


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One finished, one in the works, one that failed; nobody here changes how they stand."""
    folder, voice = tmp_path_factory.mktemp("stage"), Director(stuck=[STUCK], refused=[REFUSED])
    with staged(folder, CHORUS, FAILS, WORKS, voice=voice) as at:
        assert voice.waits.wait(30)
        yield at


def finished(page: Page, title: str) -> None:
    expect(page.locator(".shelf h3", has_text=title)).to_be_visible()


# -- what a person does -----------------------------------------------------------------------------------------------


def test_a_topic_is_made_heard_and_edited_on_the_page(visiting: Visiting, tmp_path: Path) -> None:
    voice = Director()
    with staged(tmp_path, voice=voice) as at:
        page = visiting(at).page()
        page.fill("#title", "The dawn chorus")
        page.fill("#notes", CHORUS.partition("\n# ")[2].partition("\n")[2])
        page.select_option("#mode", "read")
        page.click("text=Make the episode")
        expect(page.locator("#asked")).to_contain_text("The dawn chorus")
        expect(page.locator("#asked")).to_be_focused()
        assert (tmp_path / "input" / "the-dawn-chorus.md").is_file()
        finished(page, "The dawn chorus")  # without a reload
        page.click(".shelf h3 a")
        expect(page).to_have_url(re.compile("/episodes/the-dawn-chorus$"))
        follow_a_word(page)

        spoken = len(voice.calls)
        edit(page, OLD, NEW)
        page.click(".hear")
        expect(page.locator(".outcome")).to_have_text("This is how it will sound.")
        assert [call.sentence.shown for call in voice.calls[spoken:]] == [NEW]
        assert OLD in script(tmp_path), "nothing is changed by listening"
        before = page.locator("#standing").get_attribute("data-sound")
        page.click(".edit .primary")
        expect(page.locator("#standing")).not_to_have_attribute("data-sound", str(before))
        expect(page.locator(".line", has_text=NEW).locator(".w")).to_have_count(8)
        expect(page.locator("#said")).to_contain_text("the sentence is in it")
        assert page.locator(".pending").count() == 0
        assert [call.sentence.shown for call in voice.calls[spoken:]] == [NEW], (
            "the build takes the sound that was heard"
        )
        assert NEW in script(tmp_path)
        follow_a_word(page)


def follow_a_word(page: Page) -> None:
    """A click on a word plays from there, and the word is marked."""
    page.wait_for_load_state()  # words are there before the script that plays from them
    word = page.locator(".w").nth(3)
    word.click()
    expect(page.locator(".w.now")).to_have_count(1)
    page.evaluate("document.getElementById('sound').pause()")


def edit(page: Page, old: str, new: str) -> None:
    page.locator(".line", has_text=old).hover()
    page.click(f'.pen[data-text="{old}"] span')
    expect(page.locator(".edit textarea")).to_be_focused()
    page.fill(".edit textarea", new)


def script(project: Path, slug: str = "the-dawn-chorus") -> str:
    return (project / "output" / slug / "script.md").read_text()


def test_what_was_changed_meanwhile_is_told_and_nothing_is_lost(visiting: Visiting, tmp_path: Path) -> None:
    with staged(tmp_path, CHORUS) as at:
        visit = visiting(at)
        page = visit.page()
        finished(page, "The dawn chorus")
        page.goto(f"{at.address}/episodes/the-dawn-chorus")
        edit(page, OLD, NEW)
        theirs = OLD.replace("large", "huge")
        at.service.house.desk.edit("the-dawn-chorus", script(tmp_path).replace(OLD, theirs).encode(), "*")
        page.keyboard.press("Enter")
        expect(page.locator(".outcome")).to_contain_text("changed meanwhile")
        expect(page.locator(".outcome")).to_contain_text(theirs)
        assert page.input_value(".edit textarea") == NEW
        assert theirs in script(tmp_path)
        page.keyboard.press("Enter")
        expect(page.locator(".edit")).to_have_count(0)
        assert NEW in script(tmp_path)


def test_the_queue_is_followed_and_said_without_a_reload(visiting: Visiting, tmp_path: Path) -> None:
    voice = Director(stuck=[STUCK], refused=[REFUSED])
    with staged(tmp_path, voice=voice) as at:
        page = visiting(at).page()
        expect(page.locator(".state.idle")).to_be_visible()
        page.fill("#title", "Half a thought")
        (tmp_path / "input" / "works.md").write_text(WORKS)
        (tmp_path / "input" / "fails.md").write_text(FAILS)
        works = page.locator(".row.making", has_text="The longest tunnel")
        expect(works.locator(".steps .now")).to_have_text("Voice")
        expect(works.locator(".step")).to_have_text(re.compile(r"sentence \d of 3"))
        expect(page.locator("#said")).to_contain_text("The longest tunnel")
        failed = page.locator(".row.failed", has_text="The bell")
        expect(failed).to_contain_text("is not installed")
        expect(failed).to_contain_text("What to do: Fetch it: pipeline voices get")
        voice.mended.set()
        voice.go.set()
        failed.get_by_role("button", name="Try again: “The bell that was never rung”").click()
        finished(page, "The bell")
        finished(page, "The longest tunnel")
        expect(page.locator(".row.failed")).to_have_count(0)
        assert page.input_value("#title") == "Half a thought"


class Away(FakeVoice):
    """Is not to be had for speaking until it is back."""

    def __init__(self) -> None:
        super().__init__()
        self.back = Event()

    def speak(self, request: SpeechRequest) -> Speech:
        if not self.back.is_set():
            raise EngineUnavailable("nobody answers", where="Piper at http://piper:5000", hint="Start it.")
        return super().speak(request)


def test_what_waits_for_whom_is_told_until_it_goes_on(visiting: Visiting, tmp_path: Path) -> None:
    inner, outages = Away(), Outages()
    breaker = Breaker("voice", rests=Rests(first_seconds=0.2, longest_seconds=0.2), on_change=outages.take)
    voice = RetryingVoice(inner, policy=Policy(20, 0.001, 0.01), stop=Event(), breaker=breaker)
    with staged(tmp_path, WAITS, voice=voice, outages=outages) as at:
        page = visiting(at).page()
        down = page.locator(".down")
        expect(down).to_contain_text("Voice is not to be had")
        expect(down).to_contain_text("Piper at http://piper:5000: nobody answers")
        expect(down).to_contain_text(re.compile(r"Since \d\d:\d\d UTC; tried again"))
        expect(page.locator(".row.stuck .wait")).to_have_text("waits for: Voice")
        expect(page.locator(".engines .bad")).to_have_text("not ready")
        inner.back.set()
        finished(page, "What the tide tables knew")
        expect(down).to_have_count(0)


def test_everything_is_done_without_a_script_too(visiting: Visiting, tmp_path: Path) -> None:
    voice = Director(refused=[REFUSED])
    with staged(tmp_path, CHORUS, FAILS, voice=voice) as at:
        scripted = visiting(at).page()
        finished(scripted, "The dawn chorus")
        expect(scripted.locator(".row.failed")).to_be_visible()
        page = visiting(at, java_script_enabled=False).page()
        expect(page.locator(".without-script audio")).to_have_count(2)
        page.click("text=Make the episode")  # without a title, which the browser itself asks for
        assert page.url == f"{at.address}/"
        page.fill("#title", "?!")
        page.click("text=Make the episode")
        expect(page.get_by_role("alert")).to_contain_text("This could not be taken")
        assert page.input_value("#title") == "?!"
        voice.mended.set()
        page.get_by_role("button", name="Try again: “The bell that was never rung”").click()
        assert urlsplit(page.url).path == "/"

        page.goto(f"{at.address}/episodes/the-dawn-chorus")
        page.get_by_role("link", name=f"Edit: {OLD}").click()
        page.fill(".edit textarea", " ")
        page.click("text=Keep it")
        expect(page.locator(".edit [role=alert]")).to_contain_text("nothing to say")
        page.fill(".edit textarea", NEW)
        page.click("text=Keep it")
        expect(page.locator("#standing .told")).to_contain_text("Kept.")
        assert NEW in script(tmp_path)
        finished(scripted, "The bell")


def test_a_keyboard_is_enough(visiting: Visiting, tmp_path: Path) -> None:
    with staged(tmp_path, CHORUS) as at:
        page = visiting(at).page()
        finished(page, "The dawn chorus")
        page.goto(f"{at.address}/episodes/the-dawn-chorus")
        page.keyboard.press("Tab")
        expect(page.locator(".skip")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("#main")).to_be_focused()
        assert page.evaluate("[...document.querySelectorAll('.pen')].every(pen => pen.tabIndex < 0)")
        page.focus("#editing")
        page.keyboard.press("Space")
        expect(page.locator("#editing")).to_have_attribute("aria-pressed", "true")
        page.focus('.pen[data-number="3"]')
        page.keyboard.press("Enter")
        expect(page.locator(".edit textarea")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.locator('.pen[data-number="3"]')).to_be_focused()
        page.keyboard.press("Enter")
        page.keyboard.type(" Nobody at all.")
        page.keyboard.press("Enter")
        expect(page.locator('.pen[data-number="3"]')).to_be_focused()
        expect(page.locator("#said")).to_contain_text("Kept.")
        assert "Nobody is up to hear it. Nobody at all." in script(tmp_path)


def test_a_voice_is_heard_before_it_is_chosen(visiting: Visiting, stage: Served) -> None:
    page = visiting(stage).page()
    page.select_option("#voice", "pt_BR-fake-medium")
    with page.expect_response(re.compile("/voices/pt_BR-fake-medium/sample")) as answer:
        page.click("#sample")
    assert answer.value.headers["content-type"] == "audio/wav"
    expect(page.locator("#sample")).to_have_attribute("aria-label", "Stop")
    page.click("#sample")
    expect(page.locator("#sample")).to_have_attribute("aria-label", "Listen to the voice")


def test_the_plan_tells_its_reasons_before_anything_is_made(visiting: Visiting, stage: Served) -> None:
    page = visiting(stage, locale="pt-BR").page("/plan")
    row = page.locator(".row", has_text="The bell that was never rung")
    expect(row.locator(".reasons li").first).to_have_text(re.compile(r"Voz\s+(2 × )?ainda não feito"))
    expect(row).to_contain_text("segue de:")


def test_it_speaks_the_browser_s_language_or_the_one_that_is_chosen(visiting: Visiting, stage: Served) -> None:
    page = visiting(stage, locale="pt-BR").page("/engines")
    expect(page.locator("html")).to_have_attribute("lang", "pt-BR")
    page.get_by_role("link", name="English").click()
    expect(page).to_have_url(f"{stage.address}/engines")
    expect(page.locator("h1")).to_have_text("Engines")
    page.goto(stage.address)
    expect(page.locator("h1")).to_have_text("What should the next episode tell?")


TOKEN = "0123456789abcdef-token"


def test_the_token_is_given_once_and_kept_where_no_script_reads_it(visiting: Visiting, tmp_path: Path) -> None:
    with staged(tmp_path, token=TOKEN) as at:
        visit = visiting(at)
        page = visit.page("/engines")
        expect(page.locator("h1")).to_have_text("Sign in")
        for token, then in (("wrong", "That is not the token."), (TOKEN, "Engines")):
            page.fill("#token", token)
            page.click("button")
            expect(page.locator("main")).to_contain_text(then)
        assert urlsplit(page.url).path == "/engines"
        (cookie,) = [one for one in visit.context.cookies() if one["name"] == "session"]
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
        assert TOKEN not in cookie["value"]
        page.get_by_role("button", name="Sign out").click()
        expect(page.locator("h1")).to_have_text("Sign in")


# -- accessible -------------------------------------------------------------------------------------------------------

EVERYWHERE = (
    "/", "/episodes", "/episodes/the-dawn-chorus", "/episodes/the-dawn-chorus?edit=2",
    "/episodes/the-bell-that-was-never-rung", "/plan", "/engines", "/episodes/none",
)  # fmt: skip


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_axe_finds_nothing_and_nothing_is_too_wide(
    visiting: Visiting, stage: Served, axe_core: str, size: tuple[int, int], dark: bool
) -> None:
    visit = visiting(stage, size=size, dark=dark, locale="pt-BR" if dark else "en-GB")
    page = visit.page("/assets/mark.svg")
    for path in EVERYWHERE:
        page.goto(stage.address + path)
        page.evaluate(f"{axe_core}; document.querySelectorAll('details').forEach(one => one.open = true)")
        found = page.evaluate(
            """axe.run(document, {resultTypes: ["violations"], preload: false}).then(told => told.violations.map(
              one => `${one.impact}: ${one.id}: ${one.nodes.map(node => node.html).join(" ")}`))"""
        )
        assert found == [], path
        assert page.evaluate("document.scrollingElement.scrollWidth") <= size[0], path


def test_nothing_is_wider_than_the_smallest_window(visiting: Visiting, stage: Served) -> None:
    """320 CSS pixels: WCAG 2.2, 1.4.10."""
    page = visiting(stage, size=(320, 700), locale="pt-BR").page()
    for path in EVERYWHERE:
        page.goto(stage.address + path)
        assert page.evaluate("document.scrollingElement.scrollWidth") <= 320, path


def test_the_sign_in_page_is_accessible(visiting: Visiting, axe_core: str, tmp_path: Path) -> None:
    with staged(tmp_path, token=TOKEN) as at:
        page = visiting(at, dark=True).page()
        page.fill("#token", "wrong")
        page.click("button")
        page.evaluate(axe_core)
        assert (
            page.evaluate("axe.run(document, {preload: false}).then(told => told.violations.map(one => one.id))") == []
        )


# -- pictures for the documents ---------------------------------------------------------------------------------------

PICTURES = {
    "page-now.png": ("/", (1280, 1490), False),
    "page-episode.png": ("/episodes/the-dawn-chorus", (1280, 920), False),
    "page-phone.png": ("/episodes/the-dawn-chorus", PHONE, True),
}


def test_the_documents_show_the_pages_as_they_are(visiting: Visiting, tmp_path: Path) -> None:
    """DOCS_PICTURES=write puts them into docs/images/."""
    write = os.environ.get("DOCS_PICTURES") == "write"
    folder = ROOT / "docs" / "images"
    if not write:
        assert {one.name for one in folder.glob("page-*.png")} == set(PICTURES)
        return
    voices = [identity("en_US-joe-medium"), identity("pt_BR-faber-medium", language="pt-BR")]
    voice = Director(voices, stuck=[STUCK], refused=[REFUSED])
    with staged(tmp_path, *FINISHED, voice=voice, illustrator=Cards()) as at:
        first = visiting(at).page()
        for title in ("The dawn chorus", "How a lighthouse", "Why the sea is salty"):
            finished(first, title)
        (tmp_path / "input" / "fails.md").write_text(FAILS)
        expect(first.locator(".row.failed")).to_be_visible()
        (tmp_path / "input" / "works.md").write_text(WORKS)
        expect(first.locator(".row.making .step")).to_have_text(re.compile("sentence"))
        for name, (path, size, dark) in PICTURES.items():
            page = first
            if path != "/" or dark:
                page = visiting(at, size=size, dark=dark, locale="pt-BR" if dark else "en-GB").page(path)
            page.set_viewport_size({"width": size[0], "height": size[1]})
            if "episode" in name:
                edit(page, OLD, NEW)
                page.click(".hear")
                expect(page.locator(".outcome")).to_have_text("This is how it will sound.")
                page.evaluate("scrollTo(0, 0)")
            page.evaluate("Promise.all([...document.images].map(one => one.decode().catch(() => {})))")
            page.screenshot(path=folder / name)
