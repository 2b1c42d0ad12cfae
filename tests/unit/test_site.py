"""Feed, index and pages say what the published episodes say, and nothing that anybody put there runs or breaks out."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from io import BytesIO
from itertools import product
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import feedparser
import pytest
from PIL import Image

from pipeline import site
from pipeline.media import page
from pipeline.media.page.words import words_for
from pipeline.site.entries import entries_of
from pipeline.site.feed import Channel, Earlier, check_base_url, earlier, episode_guid, podcast_guid, render
from pipeline.site.own import signed

CHANNEL = Channel(
    "Small talks", "Short and true.", "en-US", "https://example.org/podcast",
    author="Ana", email="a@b.org", image="cover.png",
)  # fmt: skip
ITUNES = "{http://www.itunes.com/dtds/podcast-1.0.dtd}"
PODCAST = "{https://podcastindex.org/namespace/1.0}"
ATOM = "{http://www.w3.org/2005/Atom}"
HOSTILE = """"><script>alert(1)</script> & <b>'x'</b> {{ 7*7 }} ]]> -->"""


def publish(output: Path, slug: str, **changes: Any) -> Path:
    """An episode's folder as the pipeline leaves it, as far as the site reads it."""
    folder = output / slug
    folder.mkdir(parents=True)
    title = changes.pop("title", slug.replace("-", " ").capitalize())
    for name in changes.pop("beside", ()):
        (folder / name).write_bytes(f"{name} of {slug}".encode())
    (folder / "audio.mp3").write_bytes(b"\xff\xfb" + slug.encode() * 100)
    (folder / "transcript.json").write_text(json.dumps({"version": "1.0.0", "segments": []}))
    (folder / "captions.vtt").write_text("WEBVTT\n")
    chapters = [{"startTime": 0.0, "title": "One"}, {"startTime": 1.0, "title": "Two"}]
    (folder / "chapters.json").write_text(json.dumps({"version": "1.2.0", "chapters": chapters}))
    files = {file.name: {"bytes": file.stat().st_size, "sha256": "0" * 64} for file in folder.iterdir()}
    manifest = {
        "format": "media-pipeline/manifest/1", "title": title, "slug": slug, "language": "en", "tags": ["a"],
        "summary": "The first sentence. It is short.",
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


def test_the_feed_holds_every_rule_of_the_standard(tmp_path: Path) -> None:
    """PSP-1 and Apple, item by item; whatever lies beside the sound is offered too."""
    beside = ("cover.png", "video.mp4", "video-tall.mp4", "captions.srt")
    publish(tmp_path, "the-sky", beside=beside)
    publish(tmp_path, "o-céu", title="O céu", language="pt-BR")
    data = feed_of(tmp_path, replace(CHANNEL, category="Science > Physics"))
    text = data.decode("utf-8")
    for uri in (ITUNES, PODCAST, ATOM, "{http://purl.org/rss/1.0/modules/content/}"):
        assert f'"{uri.strip("{}")}"' in text
    channel = ET.fromstring(data).find("channel")
    assert channel is not None
    outer = channel.find(f"{ITUNES}category")
    assert outer is not None
    assert outer.get("text") == "Science"
    assert [inner.get("text") for inner in outer] == ["Physics"]
    assert [tag.attrib for tag in channel.findall(f"{ITUNES}image")] == [
        {"href": "https://example.org/podcast/cover.png"}
    ]
    assert channel.findtext("link") == "https://example.org/podcast/"

    items = channel.findall("item")
    assert len({item.findtext("guid") for item in items}) == len(items) == 2
    for item in items:
        (enclosure,) = item.findall("enclosure")
        assert enclosure.attrib["url"].isascii()
        assert "Made by a machine." in str(item.findtext("description"))
        assert "Made by a machine." in str(item.findtext("{http://purl.org/rss/1.0/modules/content/}encoded"))
        assert item.findtext(f"{ITUNES}explicit") in {"true", "false"}
        assert item.findtext(f"{ITUNES}episodeType") == "full"
        assert str(item.findtext(f"{ITUNES}duration")).isdigit()
        assert parsedate_to_datetime(str(item.findtext("pubDate"))).tzinfo is not None
        assert len(item.findall(f"{PODCAST}chapters")) == 1
        for found in item.iter():
            assert (found.text or "").strip() == (found.text or "").strip("\n"), found.tag

    sky = next(item for item in items if item.findtext("title") == "The sky")
    image = sky.find(f"{ITUNES}image")
    assert image is not None
    assert image.get("href") == "https://example.org/podcast/the-sky/cover.png"
    films = {
        str(source.get("uri")): (film.get("type"), film.get("length"))
        for film in sky.findall(f"{PODCAST}alternateEnclosure")
        for source in film.findall(f"{PODCAST}source")
    }
    assert films == {
        f"https://example.org/podcast/the-sky/{name}": ("video/mp4", str((tmp_path / "the-sky" / name).stat().st_size))
        for name in ("video.mp4", "video-tall.mp4")
    }
    transcripts = {tag.get("type"): tag for tag in sky.findall(f"{PODCAST}transcript")}
    assert set(transcripts) == {"text/vtt", "application/x-subrip", "application/json"}
    assert transcripts["text/vtt"].get("rel") == "captions"
    assert all(tag.get("language") == "en" for tag in transcripts.values())


def test_chapters_are_listed_where_there_are_several(tmp_path: Path) -> None:
    publish(tmp_path, "two")
    lone = publish(tmp_path, "lone")
    (lone / "chapters.json").write_text(
        json.dumps({"version": "1.2.0", "chapters": [{"startTime": 0, "title": "Lone"}]})
    )
    told = {entry.title: entry.content[0].value for entry in feedparser.parse(feed_of(tmp_path)).entries}
    assert "<ol><li>One</li><li>Two</li></ol>" in told["Two"]
    assert "<li>" not in told["Lone"]


def test_the_guid_is_the_one_of_the_standard() -> None:
    """The check value of https://podcasting2.org/docs/podcast-namespace/tags/guid."""
    assert str(podcast_guid("https://podnews.net/rss")) == "9b024349-ccf0-5f69-a609-6b82873eab3c"
    assert podcast_guid("http://podnews.net/rss//") == podcast_guid("https://podnews.net/rss")


def test_an_independent_parser_reads_it_without_complaint(tmp_path: Path) -> None:
    publish(tmp_path, "um-dia-de-sol", title="Um dia de sol: ação & reação", language="pt-BR")
    publish(tmp_path, "two", beside=("cover.png", "video.mp4"))
    read = feedparser.parse(feed_of(tmp_path))
    assert not read.bozo, read.get("bozo_exception")
    assert read.feed.image.href == "https://example.org/podcast/cover.png"
    two = next(entry for entry in read.entries if entry.title == "Two")
    assert [(one.href, one.type) for one in two.enclosures] == [
        ("https://example.org/podcast/two/audio.mp3", "audio/mpeg")
    ]
    assert two.image.href == "https://example.org/podcast/two/cover.png"
    assert two.podcast_alternateenclosure["type"] == "video/mp4"
    assert two.podcast_source["uri"] == "https://example.org/podcast/two/video.mp4"
    assert two.podcast_chapters["url"] == "https://example.org/podcast/two/chapters.json"
    assert two.podcast_transcript["url"].startswith("https://example.org/podcast/two/")
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
    publish(tmp_path, "second", made_at="2026-11-22T06:45:11+00:00")
    site.bring_up_to_date(tmp_path, CHANNEL)
    before = earlier((tmp_path / "feed.xml").read_bytes())
    manifest = tmp_path / "first" / "manifest.json"
    manifest.write_text(manifest.read_text().replace("2026-11-21T06", "2027-01-01T06"))
    site.bring_up_to_date(tmp_path, CHANNEL)
    after = earlier((tmp_path / "feed.xml").read_bytes())
    assert before == after
    assert after.dates[str(episode_guid("input/first.md"))] == datetime(2026, 11, 21, 6, 45, 11, tzinfo=UTC)
    links = [item.findtext("link", "") for item in ET.parse(tmp_path / "feed.xml").iter("item")]
    assert [link.split("/")[-2] for link in links] == ["second", "first"], "a corrected word makes no episode new"
    index = (tmp_path / "index.html").read_text()
    assert index.index('href="second/') < index.index('href="first/')


@pytest.mark.parametrize(
    "feed",
    [
        b"", b"<", b"no feed", b"<rss><channel><item><guid>x</guid><pubDate>never</pubDate></item></channel></rss>",
        b'<!DOCTYPE x [<!ENTITY a "b">]><rss/>',
        b'<?xml version="1.0" encoding="shift_jis"?><rss/>', b'<?xml version="1.0" encoding="foo"?><rss/>',
        b"<rss><channel><link>http://[x/</link></channel></rss>",
    ],
)  # fmt: skip
def test_what_is_no_feed_of_ours_tells_nothing(feed: bytes) -> None:
    assert earlier(feed) == Earlier()


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("Sat, 21 Nov 2020 06:45:11 -0000", "Sat, 21 Nov 2020 06:45:11 +0000"),
        ("Sat, 21 Nov 2020 06:45:11 +0200", "Sat, 21 Nov 2020 06:45:11 +0200"),
        ("Sat, 21 Nov 99999999999 06:45:11 +0000", "Sat, 21 Nov 2026 06:45:11 +0000"),
        ("Sat, 21 Nov 2020 06:45:11 +9999999999999", "Sat, 21 Nov 2026 06:45:11 +0000"),
        ("Fri, 31 Dec 9999 23:00:00 -1400", "Sat, 21 Nov 2026 06:45:11 +0000"),
    ],
)
def test_an_earlier_feed_with_odd_dates_gives_way_to_a_new_one(tmp_path: Path, told: str, shown: str) -> None:
    publish(tmp_path, "one")
    publish(tmp_path, "two")
    guid = episode_guid("input/one.md")
    item = f"<item><guid>{guid}</guid><pubDate>{told}</pubDate></item>"
    feed = f"<rss><channel><link>http://[x/</link>{item}</channel></rss>\n"
    (tmp_path / "feed.xml").write_bytes(signed("feed.xml", feed.encode()))
    assert "feed.xml" in site.bring_up_to_date(tmp_path, CHANNEL).written
    dates = {item.findtext("guid"): item.findtext("pubDate") for item in ET.parse(tmp_path / "feed.xml").iter("item")}
    assert dates[str(guid)] == shown


def test_the_channel_keeps_its_guid_when_it_moves_and_gets_it_with_its_first_public_address(tmp_path: Path) -> None:
    """It identifies the podcast for good: https://podcasting2.org/docs/podcast-namespace/tags/guid."""

    def guid_at(base_url: str) -> str:
        site.bring_up_to_date(tmp_path, replace(CHANNEL, base_url=base_url))
        return str(ET.parse(tmp_path / "feed.xml").findtext(f"channel/{PODCAST}guid"))

    at_home = guid_at("http://127.0.0.1:8000")
    first = guid_at("https://example.org/podcast")
    assert first == str(podcast_guid("https://example.org/podcast/feed.xml")) != at_home
    assert guid_at("https://elsewhere.example") == first


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
        ("http://[x/", False),
        ("http://example.org:port/", False),
        ("http://example.org:99999/", False),
    ],
)
def test_a_base_address_is_a_folder_of_the_web(url: str, fine: bool) -> None:
    assert (check_base_url(url) == "") is fine


# -- hostile and broken episodes ----------------------------------------------------------------------------------


def test_nothing_that_a_title_holds_becomes_markup(tmp_path: Path) -> None:
    publish(tmp_path, "evil", title=HOSTILE, summary=HOSTILE, tags=[HOSTILE])
    site.bring_up_to_date(tmp_path, CHANNEL)
    index = (tmp_path / "index.html").read_text()
    assert "<script>alert" not in index
    assert "{{ 7*7 }}" in index
    assert ">49" not in index
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
        ("seconds without end", lambda folder: _change(folder, audio={"seconds": float("inf")})),
        ("seconds that are no number", lambda folder: _change(folder, audio={"seconds": float("nan")})),
        (
            "bytes without end",
            lambda folder: _change(folder, files={"audio.mp3": {"bytes": float("inf"), "sha256": ""}}),
        ),
        ("seconds below nothing", lambda folder: _change(folder, audio={"seconds": -1.0})),
        ("words below nothing", lambda folder: _change(folder, script={"words": -1})),
        ("half a word", lambda folder: _change(folder, script={"words": 1.5})),
        ("bytes below nothing", lambda folder: _change(folder, files={"audio.mp3": {"bytes": -1, "sha256": ""}})),
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


def test_an_episode_that_is_a_link_is_not_read_and_said(tmp_path: Path) -> None:
    publish(tmp_path, "good")
    outside = publish(tmp_path.parent / f"{tmp_path.name}-outside", "secret")
    (tmp_path / "linked").symlink_to(outside)
    done = site.bring_up_to_date(tmp_path, CHANNEL)
    assert (done.episodes, [one.slug for one in done.hidden]) == (1, ["linked"])
    assert "its folder is a link" in done.hidden[0].why
    assert "Secret" not in (tmp_path / "index.html").read_text()


def test_other_folders_and_links_are_left_alone(tmp_path: Path) -> None:
    publish(tmp_path, "good")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    (tmp_path / "also-mine").symlink_to(tmp_path / "mine")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    done = site.bring_up_to_date(tmp_path, CHANNEL)
    assert (done.episodes, done.hidden) == (1, ())


def test_control_characters_and_lone_surrogates_do_not_break_the_feed(tmp_path: Path) -> None:
    publish(tmp_path, "odd", title="a\x00b\x0bc\ud800d\uffff", summary="one\x08 two")
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


# -- the channel's cover -----------------------------------------------------------------------------------------------


def a_picture(width: int, height: int, kind: str = "PNG", mode: str = "RGB") -> bytes:
    file = BytesIO()
    Image.new(mode, (width, height)).save(file, kind)
    return file.getvalue()


def test_a_channel_without_a_cover_gets_one_of_its_title_and_keeps_it(tmp_path: Path) -> None:
    channel = replace(CHANNEL, image="")
    assert "cover.png" in site.bring_up_to_date(tmp_path, channel).written
    drawn = (tmp_path / "cover.png").read_bytes()
    with Image.open(BytesIO(drawn)) as image:
        image.load()
        assert (image.format, image.mode, image.width == image.height, 1400 <= image.width <= 3000) == (
            "PNG", "RGB", True, True,
        )  # fmt: skip
    feed = feedparser.parse((tmp_path / "feed.xml").read_bytes())
    assert feed.feed.image.href == "https://example.org/podcast/cover.png"
    assert 'src="cover.png"' in (tmp_path / "index.html").read_text()
    assert site.bring_up_to_date(tmp_path, channel).written == ()

    assert "cover.png" in site.bring_up_to_date(tmp_path, replace(channel, title="Another")).written
    assert (tmp_path / "cover.png").read_bytes() != drawn
    assert "cover.png" in site.bring_up_to_date(tmp_path, channel).written
    assert (tmp_path / "cover.png").read_bytes() == drawn


@pytest.mark.parametrize(
    ("name", "data", "remark"),
    [
        ("cover.png", a_picture(1400, 1400), ""),
        ("cover.jpg", a_picture(3000, 3000, "JPEG"), ""),
        ("cover.png", a_picture(1400, 1300), "1400 × 1300"),
        ("cover.jpg", a_picture(640, 640, "JPEG"), "640 × 640"),
        ("cover.png", a_picture(1400, 1400, "JPEG"), "it is JPEG"),
        ("cover.png", a_picture(1400, 1400, "PNG", "RGBA"), "RGBA"),
        ("cover.png", b"no picture", "is no picture"),
        ("cover.png", b"", "is no picture"),
    ],
)
def test_a_person_s_own_cover_is_never_touched_and_its_faults_are_told(
    tmp_path: Path, name: str, data: bytes, remark: str
) -> None:
    (tmp_path / name).write_bytes(data)
    done = site.bring_up_to_date(tmp_path, replace(CHANNEL, image=""))
    assert (tmp_path / name).read_bytes() == data
    assert len(list(tmp_path.glob("cover.*"))) == 1
    assert feedparser.parse((tmp_path / "feed.xml").read_bytes()).feed.image.href.endswith(f"/{name}")
    assert (remark in " ".join(done.remarks)) if remark else done.remarks == ()


def test_our_cover_is_a_person_s_own_once_it_has_been_painted_over(tmp_path: Path) -> None:
    site.bring_up_to_date(tmp_path, replace(CHANNEL, image=""))
    painted = bytearray((tmp_path / "cover.png").read_bytes())
    painted[-20] ^= 1
    (tmp_path / "cover.png").write_bytes(painted)
    site.bring_up_to_date(tmp_path, replace(CHANNEL, image="", title="Another"))
    assert (tmp_path / "cover.png").read_bytes() == painted


def test_a_title_that_no_font_can_set_leaves_the_feed_without_a_cover_and_says_so(tmp_path: Path) -> None:
    done = site.bring_up_to_date(tmp_path, replace(CHANNEL, image="", title="\u1200\u1208"))
    assert "cover" in done.remarks[0]
    assert not feedparser.parse((tmp_path / "feed.xml").read_bytes()).bozo


@pytest.mark.parametrize(
    ("base", "known"),
    [
        ("https://example.org/podcast/", True),
        ("http://192.168.1.7:8000", True),
        ("http://127.0.0.1:8000", False),
        ("http://[::1]:8000", False),
        ("http://localhost", False),
    ],
)
def test_a_preview_of_the_index_has_addresses_only_where_others_can_reach_them(
    tmp_path: Path, base: str, known: bool
) -> None:
    site.bring_up_to_date(tmp_path, replace(CHANNEL, base_url=base))
    head = (tmp_path / "index.html").read_text().partition("</head>")[0]
    assert ("og:image" in head) is known
    assert (f'"{base.rstrip("/")}/cover.png"' in head) is known


# -- the pages ------------------------------------------------------------


COVER = page.Picture("cover.png", 1500, 1500)
FILM = page.Picture("video.mp4", 1280, 720)


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
    pages = [page.episode_page(an_episode(cover=COVER, video=FILM, address="https://example.org/podcast/one"))]
    pages.append(page.index_page(page.IndexPage("All", "", "en", (), cover="cover.png", address="https://example.org")))
    texts = [*pages, *(page.asset(name) for name in page.ASSETS)]
    for text in texts:
        assert not re.search(rb"""(?:src|href|url|import|fetch)\W{0,3}(?:https?:)?//""", text)


def test_values_are_escaped_everywhere() -> None:
    line = page.Line(0.0, (page.Word(HOSTILE, 0.0),))
    html = page.episode_page(
        an_episode(
            title=HOSTILE,
            notice=HOSTILE,
            tags=(HOSTILE,),
            summary=HOSTILE,
            cover=page.Picture(HOSTILE, 1, 1),
            video=page.Picture(HOSTILE, 1, 1),
            poster=HOSTILE + "2",
            address=HOSTILE,
            facts=((HOSTILE, HOSTILE),),
            downloads=(page.Download(HOSTILE, HOSTILE, 1),),
            chapters=(page.Chapter(HOSTILE, 0.0, ((line,),), picture=page.Picture(HOSTILE, 1, 2)),),
        )
    ).decode()
    assert "<script>" not in html
    assert "<b>" not in html
    assert "49" not in html
    assert html.count("alert(1)") == html.count("&lt;script&gt;alert(1)") > 5


def test_a_sentence_that_rests_on_no_note_is_marked_and_the_mark_is_explained() -> None:
    lines = (page.Line(0.0, (page.Word("Said", 0.0),)), page.Line(1.0, (page.Word("Guessed", 1.0),), unsupported=True))
    html = page.episode_page(an_episode(chapters=(page.Chapter("", 0.0, (lines,)),))).decode()
    assert re.findall(r'class="line unsupported" title="([^"]+)"><[^>]+>(\w+)', html) == [
        ("not in the notes of this topic", "Guessed")
    ]
    assert ">Underlined</span>: not in the notes of this topic." in html
    assert "Underlined" not in page.episode_page(an_episode()).decode()


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


@pytest.mark.parametrize(
    ("language", "written"), [("en", "3 Feb 2026"), ("pt-BR", "3 fev. 2026"), ("de", "3 Feb 2026")]
)
def test_a_day_is_written_as_people_write_it(language: str, written: str) -> None:
    item = page.IndexItem("a", "A", "en", date(2026, 2, 3), 9.0, "")
    html = page.index_page(page.IndexPage("All", "", language, (item,))).decode()
    assert f'<time datetime="2026-02-03" lang="{words_for(language).language}">{written}</time>' in html


# -- what a person put there -------------------------------------------------------------------------------------------

OURS = ("assets/site.css", "assets/player.js", "feed.xml", "index.html")


@pytest.mark.parametrize("name", OURS)
def test_a_file_that_was_not_made_here_is_left_alone_and_said(tmp_path: Path, name: str) -> None:
    publish(tmp_path, "one")
    (tmp_path / "assets").mkdir()
    (tmp_path / name).write_text("mine\n")
    done = site.bring_up_to_date(tmp_path, CHANNEL)
    assert (tmp_path / name).read_text() == "mine\n"
    assert set(done.written) == set(OURS) - {name}
    assert [remark for remark in done.remarks if f"output/{name} is left alone" in remark]


def test_a_feed_of_an_earlier_version_which_signed_none_is_gone_on_with(tmp_path: Path) -> None:
    publish(tmp_path, "one")
    site.bring_up_to_date(tmp_path, CHANNEL)
    feed = tmp_path / "feed.xml"
    whole = feed.read_bytes()
    feed.write_bytes(whole.rpartition(b"<!--")[0].replace(b"21 Nov 2026", b"20 Nov 2026"))
    done = site.bring_up_to_date(tmp_path, CHANNEL)
    assert "feed.xml" in done.written
    assert done.remarks == ()
    assert b"20 Nov 2026" in feed.read_bytes()


@pytest.mark.parametrize("name", OURS)
def test_our_file_is_a_person_s_own_once_it_has_been_changed(tmp_path: Path, name: str) -> None:
    publish(tmp_path, "one")
    site.bring_up_to_date(tmp_path, CHANNEL)
    whole = (tmp_path / name).read_text()
    (tmp_path / name).write_text(changed := whole.replace("e", "E", 1))
    publish(tmp_path, "two")
    done = site.bring_up_to_date(tmp_path, CHANNEL)
    assert (tmp_path / name).read_text() == changed
    assert any(name in remark for remark in done.remarks)
    (tmp_path / name).unlink()
    assert name in site.bring_up_to_date(tmp_path, CHANNEL).written


@pytest.mark.parametrize(("name", "there"), [*product(OURS, [True, False]), ("cover.png", False), ("cover.jpg", False)])
def test_a_link_in_the_place_of_our_file_is_neither_replaced_nor_followed(
    tmp_path: Path, name: str, there: bool
) -> None:
    output = tmp_path / "output"
    publish(output, "one")
    (output / "assets").mkdir()
    (output / name).symlink_to(tmp_path / "elsewhere")
    if there:
        (tmp_path / "elsewhere").write_text("mine")
    done = site.bring_up_to_date(output, replace(CHANNEL, image=""))
    assert (output / name).is_symlink()
    assert (tmp_path / "elsewhere").exists() == there
    assert any(name in remark and "link" in remark for remark in done.remarks), done.remarks


def test_nothing_is_written_through_a_folder_that_is_a_link(tmp_path: Path) -> None:
    output = tmp_path / "output"
    output.mkdir()
    (tmp_path / "mine").mkdir()
    (output / "assets").symlink_to(tmp_path / "mine")
    done = site.bring_up_to_date(output, CHANNEL)
    assert list((tmp_path / "mine").iterdir()) == []
    assert any("assets is a link" in remark for remark in done.remarks)


def test_a_pipe_in_the_place_of_our_file_holds_nothing_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "index.html")
    done = site.bring_up_to_date(tmp_path, CHANNEL)
    assert any("index.html" in remark for remark in done.remarks)
