"""Feed, index and pages say what the published episodes say, and nothing that anybody put there runs or breaks out."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import feedparser
import pytest

from pipeline import site
from pipeline.media import page
from pipeline.site.entries import entries_of
from pipeline.site.feed import Channel, check_base_url, episode_guid, first_dates, podcast_guid, render

CHANNEL = Channel(
    "Small talks", "Short and true.", "en-US", "https://example.org/podcast", author="Ana", email="a@b.org"
)
ITUNES = "{http://www.itunes.com/dtds/podcast-1.0.dtd}"
PODCAST = "{https://podcastindex.org/namespace/1.0}"
ATOM = "{http://www.w3.org/2005/Atom}"
HOSTILE = """"><script>alert(1)</script> & <b>'x'</b> {{ 7*7 }} ]]> -->"""


def publish(output: Path, slug: str, **changes: Any) -> Path:
    """An episode's folder as the pipeline leaves it, as far as the site reads it."""
    folder = output / slug
    folder.mkdir(parents=True)
    title = changes.pop("title", slug.replace("-", " ").capitalize())
    said = changes.pop("said", "The first sentence. It is short.")
    (folder / "audio.mp3").write_bytes(b"\xff\xfb" + slug.encode() * 100)
    words = [{"startTime": n / 2, "endTime": n / 2 + 0.4, "body": word} for n, word in enumerate(said.split())]
    segments = [
        {"startTime": 0.0, "endTime": 1.0, "body": f"{title}.", "words": []},
        {"startTime": 1.0, "endTime": 9.0, "body": said, "words": words},
    ]
    (folder / "transcript.json").write_text(json.dumps({"version": "1.0.0", "segments": segments}))
    (folder / "captions.vtt").write_text("WEBVTT\n")
    chapters = [{"startTime": 0.0, "title": "One"}, {"startTime": 1.0, "title": "Two"}]
    (folder / "chapters.json").write_text(json.dumps({"version": "1.2.0", "chapters": chapters}))
    files = {file.name: {"bytes": file.stat().st_size, "sha256": "0" * 64} for file in folder.iterdir()}
    manifest = {
        "format": "media-pipeline/manifest/1", "title": title, "slug": slug, "language": "en", "tags": ["a"],
        "date": None, "identity": f"input/{slug}.md", "ai_generated": {"notice": "Made by a machine."},
        "script": {"words": 6}, "audio": {"seconds": 9.4}, "made_at": "2026-11-21T06:45:11.039Z", "files": files,
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest | changes))
    return folder


def feed_of(output: Path, channel: Channel = CHANNEL) -> bytes:
    found, _ = entries_of(output)
    return render(channel, found)


# -- the feed ---------------------------------------------------------------------------------------------------------


def test_the_feed_has_what_a_podcast_must_have(tmp_path: Path) -> None:
    """PSP-1's required and recommended elements, with their forms."""
    publish(tmp_path, "the-sky")
    root = ET.fromstring(feed_of(tmp_path))
    channel = root.find("channel")
    assert root.get("version") == "2.0"
    assert channel is not None
    own = channel.find(f"{ATOM}link")
    assert own is not None
    assert own.attrib == {
        "rel": "self", "type": "application/rss+xml", "href": "https://example.org/podcast/feed.xml",
    }  # fmt: skip
    for name in ("title", "description", "link", "language", "lastBuildDate", f"{ITUNES}author", f"{ITUNES}type"):
        assert channel.findtext(name), name
    assert channel.findtext("language") == "en-us"
    assert channel.findtext(f"{ITUNES}explicit") == "false"
    assert channel.findtext(f"{PODCAST}locked") == "no"
    assert channel.findtext(f"{PODCAST}guid") == str(podcast_guid("https://example.org/podcast/feed.xml"))
    assert channel.findtext(f"{ITUNES}owner/{ITUNES}email") == "a@b.org"
    category = channel.find(f"{ITUNES}category")
    assert category is not None
    assert category.get("text") == "Education"

    item = channel.find("item")
    assert item is not None
    enclosure = item.find("enclosure")
    assert enclosure is not None
    assert enclosure.attrib == {
        "url": "https://example.org/podcast/the-sky/audio.mp3",
        "length": str((tmp_path / "the-sky" / "audio.mp3").stat().st_size),
        "type": "audio/mpeg",
    }
    guid = item.find("guid")
    assert guid is not None
    assert guid.get("isPermaLink") == "false"
    assert guid.text == str(episode_guid("input/the-sky.md"))
    assert item.findtext("pubDate") == "Sat, 21 Nov 2026 06:45:11 +0000"
    assert item.findtext(f"{ITUNES}duration") == "9"
    assert item.findtext(f"{ITUNES}explicit") == "false"
    transcripts = [found.attrib for found in item.findall(f"{PODCAST}transcript")]
    assert {found["type"] for found in transcripts} == {"text/vtt", "application/json"}
    chapters = item.find(f"{PODCAST}chapters")
    assert chapters is not None
    assert chapters.get("type") == "application/json+chapters"
    assert "Made by a machine." in str(item.findtext("description"))


def test_the_guid_is_the_one_of_the_standard() -> None:
    """The check value of https://podcasting2.org/docs/podcast-namespace/tags/guid."""
    assert str(podcast_guid("https://podnews.net/rss")) == "9b024349-ccf0-5f69-a609-6b82873eab3c"
    assert podcast_guid("http://podnews.net/rss//") == podcast_guid("https://podnews.net/rss")


def test_an_independent_parser_reads_it_without_complaint(tmp_path: Path) -> None:
    publish(tmp_path, "um-dia-de-sol", title="Um dia de sol: ação & reação", language="pt-BR")
    publish(tmp_path, "two")
    read = feedparser.parse(feed_of(tmp_path))
    assert not read.bozo, read.get("bozo_exception")
    assert {entry.title for entry in read.entries} == {"Um dia de sol: ação & reação", "Two"}
    assert not read.feed.itunes_explicit


def test_newest_first_and_a_topic_s_own_date_counts(tmp_path: Path) -> None:
    publish(tmp_path, "old", date="2020-02-03")
    publish(tmp_path, "new", date="2030-02-03")
    publish(tmp_path, "undated")
    titles = [entry.title for entry in feedparser.parse(feed_of(tmp_path)).entries]
    assert titles == ["New", "Undated", "Old"]


def test_an_episode_made_anew_keeps_its_place(tmp_path: Path) -> None:
    publish(tmp_path, "first")
    site.bring_up_to_date(tmp_path, CHANNEL)
    before = first_dates((tmp_path / "feed.xml").read_bytes())
    manifest = tmp_path / "first" / "manifest.json"
    manifest.write_text(manifest.read_text().replace("2026-11-21T06", "2027-01-01T06"))
    site.bring_up_to_date(tmp_path, CHANNEL)
    after = first_dates((tmp_path / "feed.xml").read_bytes())
    assert before == after == {str(episode_guid("input/first.md")): datetime(2026, 11, 21, 6, 45, 11, tzinfo=UTC)}


@pytest.mark.parametrize(
    "feed",
    [
        b"", b"<", b"no feed", b"<rss><channel><item><guid>x</guid><pubDate>never</pubDate></item></channel></rss>",
        b'<!DOCTYPE x [<!ENTITY a "b">]><rss/>',
    ],
)  # fmt: skip
def test_what_is_no_feed_of_ours_gives_no_dates(feed: bytes) -> None:
    assert first_dates(feed) == {}


def test_values_have_the_lengths_that_apps_take(tmp_path: Path) -> None:
    publish(tmp_path, "long", title="palavra " * 80)
    channel = Channel("x" * 400, "é " * 4000, "en", "https://example.org")
    root = ET.fromstring(feed_of(tmp_path, channel))
    assert len(str(root.findtext("channel/title"))) <= 255
    assert len(str(root.findtext("channel/description")).encode()) <= 4000
    assert len(str(root.findtext("channel/item/title"))) <= 255


@pytest.mark.parametrize(
    ("url", "fine"),
    [
        ("https://example.org", True),
        ("http://10.0.0.5:8080/podcast/", True),
        ("example.org/podcast", False),
        ("ftp://example.org", False),
        ("https://example.org/?x=1", False),
        ("https://me:secret@example.org", False),
        ("file:///home/me/output", False),
    ],
)
def test_a_base_address_is_a_folder_of_the_web(url: str, fine: bool) -> None:
    assert (check_base_url(url) == "") is fine


# -- hostile and broken episodes ----------------------------------------------------------------------------------


def test_nothing_that_a_title_holds_becomes_markup(tmp_path: Path) -> None:
    publish(tmp_path, "evil", title=HOSTILE, said=HOSTILE, tags=[HOSTILE])
    site.bring_up_to_date(tmp_path, CHANNEL)
    index = (tmp_path / "index.html").read_text()
    assert "<script>alert" not in index
    assert "49" not in re.sub(r"\d{4}-\d\d-\d\d", "", index).split("<main>")[1].split("feed.xml")[0]
    read = feedparser.parse((tmp_path / "feed.xml").read_bytes())
    assert not read.bozo


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("no json", lambda folder: (folder / "manifest.json").write_text("{")),
        ("a list", lambda folder: (folder / "manifest.json").write_text("[]")),
        ("another format", lambda folder: (folder / "manifest.json").write_text('{"format": "x"}')),
        ("deep", lambda folder: (folder / "manifest.json").write_text("[" * 100_000)),
        ("no files", lambda folder: _change(folder, files={})),
        ("files elsewhere", lambda folder: _change(folder, files={"../../etc/passwd": {"bytes": 1, "sha256": "0"}})),
        ("seconds are words", lambda folder: _change(folder, audio={"seconds": "many"})),
        ("a date that is none", lambda folder: _change(folder, date="someday")),
    ],
)
def test_a_broken_episode_is_named_and_the_others_are_shown(tmp_path: Path, name: str, spoil: Any) -> None:
    publish(tmp_path, "good")
    spoil(publish(tmp_path, "broken"))
    done = site.bring_up_to_date(tmp_path, CHANNEL)
    assert done.episodes == 1
    assert [one.slug for one in done.hidden] == ["broken"], name
    assert "broken" in (tmp_path / "index.html").read_text()


def test_links_and_other_folders_are_left_alone(tmp_path: Path) -> None:
    publish(tmp_path, "good")
    outside = publish(tmp_path.parent / f"{tmp_path.name}-outside", "secret")
    (tmp_path / "linked").symlink_to(outside)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    done = site.bring_up_to_date(tmp_path, CHANNEL)
    assert (done.episodes, done.hidden) == (1, ())


def test_control_characters_and_lone_surrogates_do_not_break_the_feed(tmp_path: Path) -> None:
    publish(tmp_path, "odd", title="a\x00b\x0bc\ud800d\uffff", said="one\x08 two")
    assert not feedparser.parse(feed_of(tmp_path)).bozo


# -- only what differs is written -------------------------------------------------------------------------------------


def test_a_second_time_writes_nothing_and_a_change_only_what_it_touches(tmp_path: Path) -> None:
    publish(tmp_path, "one")
    first = site.bring_up_to_date(tmp_path, CHANNEL)
    assert set(first.written) == {"assets/site.css", "assets/player.js", "feed.xml", "index.html"}
    assert site.bring_up_to_date(tmp_path, CHANNEL).written == ()
    publish(tmp_path, "two")
    assert set(site.bring_up_to_date(tmp_path, CHANNEL).written) == {"feed.xml", "index.html"}
    (tmp_path / "assets" / "player.js").unlink()
    assert site.bring_up_to_date(tmp_path, CHANNEL).written == ("assets/player.js",)


def test_no_episodes_at_all_are_no_failure(tmp_path: Path) -> None:
    assert site.bring_up_to_date(tmp_path, CHANNEL).episodes == 0
    assert "make pipeline" in (tmp_path / "index.html").read_text()
    assert not feedparser.parse((tmp_path / "feed.xml").read_bytes()).bozo


# -- the pages ------------------------------------------------------------


def an_episode(**changes: Any) -> page.EpisodePage:
    lines = tuple(
        page.Line(start, tuple(page.Word(word, start + n / 3) for n, word in enumerate(text.split())))
        for start, text in ((0.5, "The first sentence."), (4.0, "And a second one."))
    )
    values: dict[str, Any] = {
        "title": "A title", "language": "en", "seconds": 61.2, "notice": "Made by a machine.",
        "chapters": (page.Chapter("One", 0.0, (lines[:1],)), page.Chapter("Two", 4.0, (lines[1:],))),
        "downloads": (page.Download("Sound (MP3)", "audio.mp3", 1_234_567),),
    }  # fmt: skip
    return page.EpisodePage(**values | changes)


def test_every_word_is_there_with_its_time_and_the_text_reads_as_it_should() -> None:
    html = page.episode_page(an_episode()).decode()
    assert re.findall(r'class="w" data-start="([\d.]+)">(\w+\.?)<', html)[:3] == [
        ("0.5", "The"), ("0.833", "first"), ("1.167", "sentence."),
    ]  # fmt: skip
    article = re.sub(r"<[^>]+>", "", html[html.index("<article") : html.index("</article>")])
    assert "The first sentence." in " ".join(article.split())


def test_a_page_asks_nobody_else_for_anything() -> None:
    pages = [page.episode_page(an_episode(cover="cover.jpg", video="video.mp4"))]
    pages.append(page.index_page(page.IndexPage("All", "", "en", ())))
    texts = [*pages, *(page.asset(name) for name in page.ASSETS)]
    for text in texts:
        assert not re.search(rb"""(?:src|href|url|import|fetch)\W{0,3}(?:https?:)?//""", text)


def test_values_are_escaped_everywhere() -> None:
    html = page.episode_page(
        an_episode(
            title=HOSTILE,
            notice=HOSTILE,
            tags=(HOSTILE,),
            cover=HOSTILE,
            video=HOSTILE,
            facts=((HOSTILE, HOSTILE),),
            downloads=(page.Download(HOSTILE, HOSTILE, 1),),
            chapters=(page.Chapter(HOSTILE, 0.0, ((page.Line(0.0, (page.Word(HOSTILE, 0.0),)),),), picture=HOSTILE),),
        )
    ).decode()
    assert "<script>" not in html
    assert "<b>" not in html
    assert "49" not in html
    assert html.count("alert(1)") == html.count("&lt;script&gt;alert(1)") > 5


@pytest.mark.parametrize(("language", "word"), [("pt-BR", "Transcrição"), ("pt", "Capítulos"), ("de", "Chapters")])
def test_pages_speak_the_listener_s_language(language: str, word: str) -> None:
    assert word in page.episode_page(an_episode(language=language)).decode()


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0:00"), (59.9, "0:59"), (60, "1:00"), (3599, "59:59"), (3600, "1:00:00"), (-1, "0:00")]
)
def test_clock(seconds: float, shown: str) -> None:
    assert page.clock(seconds) == shown


def _change(folder: Path, **changes: object) -> None:
    manifest = folder / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | changes))
