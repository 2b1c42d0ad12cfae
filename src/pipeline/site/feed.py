"""The podcast feed: RSS 2.0 with Apple's and the Podcasting 2.0 namespaces. Values in, bytes out.

Rules: the Podcast Standards Project's PSP-1 (https://github.com/Podcast-Standards-Project/PSP-1-Podcast-RSS-Specification)
and the podcast namespace (https://podcasting2.org/docs/podcast-namespace). The same episodes give the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from html import escape
from io import BytesIO
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import UUID, uuid5
from xml.etree.ElementTree import Element, ParseError, fromstring  # nosec B405  # see `earlier`

from feedgenerator import Enclosure, Rss201rev2Feed

from pipeline.site.entries import Entry

# https://podcasting2.org/docs/podcast-namespace/tags/guid
PODCAST_NAMESPACE = UUID("ead4c236-bf58-58c6-a2c6-a6b28d128cb6")
# Ours alone, chosen once: an episode's GUID outlives a change of address.
_EPISODES = UUID("6f1c3f0e-6a1b-5c58-9f6e-0b5b3d0e7a11")

_NAMESPACES = {
    "xmlns:itunes": "http://www.itunes.com/dtds/podcast-1.0.dtd",
    "xmlns:podcast": "https://podcastindex.org/namespace/1.0",
    "xmlns:content": "http://purl.org/rss/1.0/modules/content/",
}
# PSP-1: a channel's description has at most 4,000 bytes, other values 255 characters.
_MOST_DESCRIPTION_BYTES = 4000
_MOST_CHARACTERS = 255

# The same episode to look at: https://podcasting2.org/docs/podcast-namespace/tags/alternate-enclosure
_FILMS = (("video.mp4", "Video"), ("video-tall.mp4", "Video (9:16)"))

_TRANSCRIPTS = (
    ("captions.vtt", "text/vtt"),
    ("captions.srt", "application/x-subrip"),
    ("transcript.json", "application/json"),
)


@dataclass(frozen=True, slots=True)
class Channel:
    """What the whole feed says of itself."""

    title: str
    description: str
    language: str
    """BCP 47."""
    base_url: str
    """Where `output/` will lie for the world: `https://example.org/podcast`."""
    author: str = ""
    email: str = ""
    category: str = "Education"
    """One of Apple's; a subcategory after ` > `."""
    explicit: bool = False
    image: str = ""
    """The cover's path below the base; empty where none has been chosen."""

    @property
    def feed_url(self) -> str:
        return f"{self.base_url.rstrip('/')}/feed.xml"

    @property
    def public_url(self) -> str:
        """The base without a slash at its end; empty where only this machine can reach it."""
        return self.base_url.rstrip("/") if _is_public(self.base_url) else ""


def podcast_guid(feed_url: str) -> UUID:
    """The channel's GUID: of the feed's address without its scheme and without slashes at its end."""
    return uuid5(PODCAST_NAMESPACE, re.sub(r"^[a-z]+://", "", feed_url).rstrip("/"))


def episode_guid(identity: str) -> UUID:
    """An episode's GUID; the same wherever and whenever it is published."""
    return uuid5(_EPISODES, identity)


@dataclass(frozen=True, slots=True)
class Earlier:
    """What an earlier feed has told the world already, and this one must go on telling."""

    dates: Mapping[str, datetime] = field(default_factory=dict)
    """When each episode, by its GUID, came out: one made anew keeps its place."""
    guid: str = ""
    """The channel's: given once, it stays, wherever the feed moves. Empty where only this machine could read it."""


def earlier(feed: bytes) -> Earlier:
    """What a feed of ours told; nothing for what is no feed."""
    try:
        # Ours has no DTD; entities in somebody else's are a way to fill the memory (billion laughs).
        root = Element("none") if b"<!DOCTYPE" in feed else fromstring(feed)  # noqa: S314  # nosec B314
    except (ParseError, LookupError, ValueError):  # the latter two for an encoding that is unknown to Python or expat
        return Earlier()
    dates = {}
    for item in root.iter("item"):
        guid, date = item.findtext("guid"), item.findtext("pubDate")
        # OverflowError: a year or a zone beyond what a date can hold.
        with suppress(ValueError, OverflowError):
            if guid and date:
                dates[guid] = _with_zone(parsedate_to_datetime(date))
    own = root.findtext(f"channel/{{{_NAMESPACES['xmlns:podcast']}}}guid", "")
    return Earlier(dates, own if _is_public(root.findtext("channel/link", "")) else "")


def render(channel: Channel, entries: Sequence[Entry], before: Earlier | None = None) -> bytes:
    """The feed's bytes. `before` is what the feed said that stood in its place."""
    before = before or Earlier()
    feed = _Feed(
        title=_short(channel.title),
        link=f"{channel.base_url.rstrip('/')}/",
        description=_within(channel.description, _MOST_DESCRIPTION_BYTES),
        language=channel.language.lower(),
        feed_url=channel.feed_url,
        channel=channel,
        guid=before.guid or str(podcast_guid(channel.feed_url)),
    )
    for entry in entries:
        guid = str(episode_guid(entry.identity))
        base = f"{channel.base_url.rstrip('/')}/{quote(entry.slug)}"
        sound = entry.files["audio.mp3"]
        feed.add_item(
            title=_short(entry.title),
            link=f"{base}/index.html" if entry.has("index.html") else f"{base}/audio.mp3",
            description=_within(f"{entry.summary}\n\n{entry.notice}".strip(), _MOST_DESCRIPTION_BYTES),
            pubdate=before.dates.get(guid, entry.date),
            unique_id=guid,
            unique_id_is_permalink=False,
            enclosures=[Enclosure(f"{base}/audio.mp3", str(sound.bytes), "audio/mpeg")],
            entry=entry,
            base=base,
            explicit=channel.explicit,
        )
    out = BytesIO()
    feed.write(out, "utf-8")
    return out.getvalue() + b"\n"


class _Feed(Rss201rev2Feed):  # type: ignore[misc]  # feedgenerator has no types
    def rss_attributes(self) -> dict[str, str]:
        return {**super().rss_attributes(), **_NAMESPACES}

    def add_root_elements(self, handler: Any) -> None:  # noqa: ANN401  # feedgenerator's own
        channel: Channel = self.feed["channel"]
        for name in ("title", "link", "description", "language"):
            handler.addQuickElement(name, self.feed[name])
        handler.addQuickElement(
            "atom:link", None, {"rel": "self", "type": "application/rss+xml", "href": self.feed["feed_url"]}
        )
        if self.items:
            handler.addQuickElement("lastBuildDate", format_datetime(self.latest_post_date()))
        handler.addQuickElement("generator", "Media Pipeline")
        handler.addQuickElement("itunes:author", _short(channel.author or channel.title))
        if channel.email:
            handler.startElement("itunes:owner", {})
            handler.addQuickElement("itunes:name", _short(channel.author or channel.title))
            handler.addQuickElement("itunes:email", channel.email)
            handler.endElement("itunes:owner")
        handler.addQuickElement("itunes:type", "episodic")
        handler.addQuickElement("itunes:explicit", _boolean(channel.explicit))
        if channel.image:
            image = f"{channel.base_url.rstrip('/')}/{quote(channel.image)}"
            handler.addQuickElement("itunes:image", None, {"href": image})
        outer, _, inner = channel.category.partition(" > ")
        handler.startElement("itunes:category", {"text": outer})
        if inner:
            handler.addQuickElement("itunes:category", None, {"text": inner})
        handler.endElement("itunes:category")
        handler.addQuickElement("podcast:guid", self.feed["guid"])
        handler.addQuickElement("podcast:locked", "no")
        handler.addQuickElement("podcast:medium", "podcast")

    def add_item_elements(self, handler: Any, item: Mapping[str, Any]) -> None:  # noqa: ANN401  # feedgenerator's own
        entry: Entry = item["entry"]
        base: str = item["base"]
        handler.addQuickElement("title", item["title"])
        handler.addQuickElement("link", item["link"])
        handler.addQuickElement("description", item["description"])
        handler.addQuickElement("content:encoded", _html(entry))
        handler.addQuickElement("guid", item["unique_id"], {"isPermaLink": "false"})
        handler.addQuickElement("pubDate", format_datetime(item["pubdate"]))
        for enclosure in item["enclosures"]:
            handler.addQuickElement(
                "enclosure", None, {"url": enclosure.url, "length": enclosure.length, "type": enclosure.mime_type}
            )
        handler.addQuickElement("itunes:title", item["title"])
        handler.addQuickElement("itunes:duration", str(max(1, int(entry.seconds))))
        handler.addQuickElement("itunes:explicit", _boolean(item["explicit"]))
        handler.addQuickElement("itunes:episodeType", "full")
        if entry.has("cover.png"):
            handler.addQuickElement("itunes:image", None, {"href": f"{base}/cover.png"})
        for name, kind in _TRANSCRIPTS:
            if entry.has(name):
                about = {"url": f"{base}/{name}", "type": kind, "language": entry.language}
                if name == "captions.vtt":
                    about["rel"] = "captions"
                handler.addQuickElement("podcast:transcript", None, about)
        if entry.has("chapters.json"):
            handler.addQuickElement(
                "podcast:chapters", None, {"url": f"{base}/chapters.json", "type": "application/json+chapters"}
            )
        for name, title in _FILMS:
            if entry.has(name):
                length = str(entry.files[name].bytes)
                handler.startElement(
                    "podcast:alternateEnclosure", {"type": "video/mp4", "length": length, "title": title}
                )
                handler.addQuickElement("podcast:source", None, {"uri": f"{base}/{name}"})
                handler.endElement("podcast:alternateEnclosure")


def check_base_url(url: str) -> str:
    """What is wrong with a public address; empty where nothing is."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "it has no usable host and port"
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return "it must be a whole address, such as https://example.org/podcast"
    if parts.query or parts.fragment:
        return "it must be the address of a folder, without ? and #"
    return "" if not parts.username else "it must not hold a user name or password: everybody reads the feed"


def _with_zone(date: datetime) -> datetime:
    """A zone of -0000 says that the time is UTC (RFC 5322, 3.3), and Python then gives none. Raises OverflowError for
    what cannot be told in UTC.
    """
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    date.astimezone(UTC)
    return date


def _is_public(url: str) -> bool:
    """Whether another machine can reach an address; how far from here is not asked. What is no address is not one."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    with suppress(ValueError):
        return not ip_address(host).is_loopback
    return host not in {"", "localhost"}


def _html(entry: Entry) -> str:
    titles = [chapter.title for chapter in entry.chapters if chapter.title]
    # A lone chapter is called as the episode is.
    listed = f"<ol>{''.join(f'<li>{escape(title)}</li>' for title in titles)}</ol>" if len(titles) > 1 else ""
    return f"<p>{escape(entry.summary)}</p>{listed}<p><em>{escape(entry.notice)}</em></p>"


def _boolean(value: bool) -> str:
    return "true" if value else "false"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _MOST_CHARACTERS else text[: _MOST_CHARACTERS - 1].rstrip() + "…"


def _within(text: str, most_bytes: int) -> str:
    """As much of the text as fits, cut at a blank."""
    text = text.strip()
    if len(text.encode()) <= most_bytes:
        return text
    kept = text.encode()[: most_bytes - 3].decode("utf-8", "ignore")
    return (kept.rpartition(" ")[0] or kept) + "…"
