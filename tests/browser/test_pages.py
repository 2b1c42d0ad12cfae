"""An episode's page and the page of all of them, opened from the disk as a person would."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.browser.chromium import Tab

OpenTab = Callable[..., Tab]
EPISODE, NOTE, INDEX = "the-dawn-chorus/index.html", "uma-nota-so/index.html", "index.html"

# What is looked at is a state, so it is asked for again with every frame until it is so.
BECOMES = """new Promise((done, failed) => {
  let left = 600;
  const look = () => (%s) ? done(true) : --left ? requestAnimationFrame(look) : failed("never: " + %r);
  look();
})"""


def becomes(tab: Tab, condition: str) -> None:
    assert tab.evaluate(BECOMES % (condition, condition))


@pytest.fixture
def episode(tab: OpenTab, output: Path) -> Tab:
    """The page, its sound and its film ready to be played."""
    page = tab((output / EPISODE).as_uri())
    becomes(page, "sound.readyState > 0 && film.readyState > 0")
    return page


# -- accessible -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", [INDEX, EPISODE, NOTE])
def test_axe_finds_nothing(tab: OpenTab, output: Path, axe_core: str, name: str, width: int, dark: bool) -> None:
    page = tab((output / name).as_uri(), width=width, dark=dark)
    page.evaluate(f"{axe_core}; document.querySelectorAll('details').forEach(one => one.open = true)")
    found = page.evaluate(
        """axe.run(document, {resultTypes: ["violations"], preload: false}).then(told => told.violations.map(
          one => `${one.impact}: ${one.id}: ${one.help}: ${one.nodes.map(node => node.html).join(" ")}`))"""
    )
    assert found == []


def test_axe_would_find_something(tab: OpenTab, output: Path, axe_core: str) -> None:
    page = tab((output / EPISODE).as_uri())
    page.evaluate(f"{axe_core}; document.body.style.setProperty('--soft', '#ccc'); sound.removeAttribute('controls')")
    page.evaluate("document.documentElement.removeAttribute('lang')")
    found = page.evaluate("axe.run(document, {preload: false}).then(told => told.violations.map(one => one.id))")
    assert {"color-contrast", "html-has-lang"} <= set(found)


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
@pytest.mark.parametrize("name", [INDEX, EPISODE, NOTE])
def test_nothing_is_wider_than_the_window(tab: OpenTab, output: Path, name: str, width: int) -> None:
    """Down to 320 CSS pixels: WCAG 2.2, 1.4.10."""
    page = tab((output / name).as_uri(), width=width)
    assert page.evaluate("document.scrollingElement.scrollWidth") == width


def test_the_keyboard_alone_is_enough(episode: Tab) -> None:
    episode.press("k", 75, text="k")
    assert episode.evaluate("sound.paused") is True, "a key that nobody meant for the player"
    episode.press("Tab", 9)
    assert episode.evaluate("document.activeElement.className") == "skip"
    episode.press("Enter", 13, text="\r")
    becomes(episode, "document.activeElement.id === 'transcript'")

    episode.press("l", 76, text="l")
    becomes(episode, "sound.currentTime > 1")
    episode.press("j", 74, text="j")
    becomes(episode, "sound.currentTime === 0")
    episode.press("k", 75, text="k")
    becomes(episode, "!sound.paused")
    episode.press("k", 75, text="k")
    becomes(episode, "sound.paused")

    episode.evaluate("document.querySelector('.chapters li:last-child a').focus()")
    episode.press("Enter", 13, text="\r")
    becomes(episode, "document.querySelector('.chapters li:last-child a').getAttribute('aria-current') === 'true'")


# -- the transcript and the sound -------------------------------------------------------------------------------------


def test_a_click_on_a_word_plays_from_there_and_the_word_is_marked(episode: Tab) -> None:
    episode.evaluate("follow.checked = false; [...document.querySelectorAll('.w')].at(7).click()")
    becomes(episode, "!sound.paused")
    episode.evaluate("sound.pause()")
    at, begins = episode.evaluate(
        "[sound.currentTime, Number([...document.querySelectorAll('.w')].at(7).dataset.start)]"
    )
    assert at >= begins
    becomes(episode, "document.querySelectorAll('.w.now').length === 1")
    marked = episode.evaluate("Number(document.querySelector('.w.now').dataset.start)")
    assert marked <= at


def test_the_marked_word_is_the_one_that_is_being_said(episode: Tab) -> None:
    starts = episode.evaluate("[...document.querySelectorAll('.w')].map(word => Number(word.dataset.start))")
    assert starts == sorted(starts)
    for number in (0, 5, len(starts) - 1):
        episode.evaluate(f"sound.currentTime = {starts[number] + 0.01}")
        becomes(episode, f"[...document.querySelectorAll('.w')].indexOf(document.querySelector('.w.now')) === {number}")


def test_a_link_to_a_moment_opens_there(tab: OpenTab, output: Path) -> None:
    page = tab(f"{(output / EPISODE).as_uri()}#t=3")
    becomes(page, "Math.abs(sound.currentTime - 3) < 0.1")


def test_without_scripts_everything_can_be_read_and_heard(tab: OpenTab, output: Path) -> None:
    page = tab("about:blank")
    page.tell("Emulation.setScriptExecutionDisabled", value=True)
    page.open((output / EPISODE).as_uri())
    shown = page.evaluate("[sound.controls, film.controls, document.querySelector('.controls').checkVisibility()]")
    assert shown == [True, True, False]
    assert "Soon the wrens join in." in page.evaluate("document.querySelector('article').innerText")


# -- the film ---------------------------------------------------------------------------------------------------------


def test_only_one_of_sound_and_film_plays_and_the_other_goes_on_where_it_was(episode: Tab) -> None:
    episode.evaluate("sound.currentTime = 4; sound.play()")
    becomes(episode, "!sound.paused")
    episode.evaluate("film.play()")
    becomes(episode, "sound.paused && !film.paused && film.currentTime >= 4")
    episode.evaluate("sound.play()")
    becomes(episode, "film.paused && !sound.paused")


def test_the_transcript_follows_the_film_too_and_does_not_scroll_it_away(episode: Tab) -> None:
    episode.evaluate("film.play()")
    becomes(episode, "!film.paused")
    episode.evaluate("[...document.querySelectorAll('.w')].at(-3).click()")
    becomes(episode, "film.currentTime > 5 && document.querySelector('.w.now') !== null")
    assert episode.evaluate("sound.paused") is True
    assert episode.evaluate("scrollY") == 0


def test_the_film_has_its_place_before_it_is_there(episode: Tab) -> None:
    size = episode.evaluate("[film.videoWidth, film.videoHeight, film.clientWidth / film.clientHeight]")
    assert size == [640, 360, pytest.approx(16 / 9, abs=0.01)]
    assert episode.evaluate("film.poster").endswith("/picture-01.png")


# -- quiet ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [INDEX, EPISODE])
def test_a_page_from_the_disk_asks_for_files_beside_it_alone_and_complains_of_nothing(
    tab: OpenTab, output: Path, name: str
) -> None:
    page = tab((output / name).as_uri())
    to_the_end(page)
    asked = [urlsplit(request["request"]["url"]) for request in page.happened("Network.requestWillBeSent")]
    assert {address.scheme for address in asked} <= {"file", "data"}
    root = urlsplit(output.as_uri()).path
    assert all(address.path.startswith(root) for address in asked if address.scheme == "file")
    assert [entry["entry"]["text"] for entry in page.happened("Log.entryAdded")] == []
    assert page.happened("Runtime.exceptionThrown") == []


@pytest.mark.parametrize("name", [INDEX, EPISODE])
@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_jumps_when_pictures_come(tab: OpenTab, output: Path, name: str, width: int) -> None:
    page = tab("about:blank", width=width)
    page.open((output / name).as_uri())
    to_the_end(page)
    shifts: list[Any] = page.evaluate(
        """new Promise(done => {
          const seen = [];
          const watch = new PerformanceObserver(list => seen.push(...list.getEntries()));
          watch.observe({type: "layout-shift", buffered: true});
          requestAnimationFrame(() => requestAnimationFrame(() => done(seen.map(
            one => [one.value, ...one.sources.map(source => source.node?.outerHTML?.slice(0, 80))]))));
        })"""
    )
    assert sum(shift[0] for shift in shifts) < 0.01, shifts
    # Below the window a jump goes unseen by the browser, so that every picture must say its size too.
    silent = page.evaluate(
        """[...document.querySelectorAll("img, video")].filter(one =>
          !one.hasAttribute("width") || !one.hasAttribute("height")).map(one => one.src)"""
    )
    assert silent == []
    broken = page.evaluate("[...document.images].filter(one => !one.naturalWidth).map(one => one.src)")
    assert broken == []
    bent = page.evaluate(
        """[...document.querySelectorAll("article img, .head img")].filter(one =>
          Math.abs(one.clientWidth / one.clientHeight - one.naturalWidth / one.naturalHeight) > 0.02).length"""
    )
    assert bent == 0


def to_the_end(page: Tab) -> None:
    """Bring every picture into view, as somebody who scrolls would, and wait for it."""
    page.evaluate(
        """(async () => {
          for (const image of document.images) {
            image.scrollIntoView();
            await new Promise(requestAnimationFrame);
            await image.decode();
          }
        })()"""
    )


# -- the page of all of them ------------------------------------------------------------------------------------------


def test_the_search_finds_titles_tags_and_letters_without_their_marks(tab: OpenTab, output: Path) -> None:
    page = tab((output / INDEX).as_uri())
    shown = "[...document.querySelectorAll('.shelf > li')].filter(one => !one.hidden).length"
    search = "document.getElementById('find')"
    everything = page.evaluate(shown)
    for wanted, expected in (("DAWN", 1), ("NOTA so", 1), ("copied", everything - 2), ("nowhere", 0), ("", everything)):
        page.evaluate(f"{search}.value = {wanted!r}; {search}.dispatchEvent(new Event('input'))")
        assert page.evaluate(shown) == expected, wanted
        assert page.evaluate("nothing.hidden") is (expected > 0)


def test_every_link_leads_somewhere(tab: OpenTab, output: Path) -> None:
    for name in (INDEX, EPISODE):
        page = tab((output / name).as_uri())
        links = page.evaluate("[...document.querySelectorAll('a[href]')].map(one => one.href.split('#')[0])")
        for link in set(links):
            assert Path(urlsplit(link).path).is_file(), link
