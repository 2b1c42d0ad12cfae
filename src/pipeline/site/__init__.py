"""What stands above the episodes: the page of all of them, the podcast feed, and what their pages share.

Made from what is published and nothing else, so that it is right after any crash; only what differs is written, and
nothing over what a person put there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from pipeline.files import make_folder, write_whole
from pipeline.media import page
from pipeline.media.colour import hue_of
from pipeline.site.cover import bring_cover
from pipeline.site.entries import Entry, Hidden, entries_of
from pipeline.site.feed import Channel, check_base_url, earlier, episode_guid, render
from pipeline.site.own import FEED, found, signed
from pipeline.text.summary import brief

__all__ = ["Channel", "Hidden", "Site", "bring_up_to_date", "check_base_url"]

INDEX = "index.html"


@dataclass(frozen=True, slots=True)
class Site:
    """What was found, and what had to be written."""

    episodes: int
    written: tuple[str, ...]
    """Paths below `output/`."""
    hidden: tuple[Hidden, ...]
    remarks: tuple[str, ...] = ()
    """What podcast directories may not take, and which files of a person's stand where ours would."""


def bring_up_to_date(output: Path, channel: Channel) -> Site:
    """Make index, feed, cover and assets what the episodes in `output` say; a channel that names its own image gets no
    cover drawn. Raises StoreError.
    """
    make_folder(output / "assets")
    written, remarks = [], []
    if not channel.image:
        cover = bring_cover(output, channel.title, channel.language)
        channel = replace(channel, image=cover.name)
        written += [cover.name] if cover.written else []
        remarks += [cover.remark] if cover.remark else []
    entries, hidden = entries_of(output)
    files: dict[str, bytes] = {f"assets/{name}": page.asset(name) for name in page.ASSETS}
    before = {name: found(output, name) for name in (*files, FEED, INDEX)}
    told = earlier(before[FEED].data)
    entries = _as_they_came_out(entries, told.dates)
    files[FEED] = render(channel, entries, told)
    files[INDEX] = page.index_page(_index(channel, entries, {one.slug: one.why for one in hidden}))
    for name, data in files.items():
        if before[name].theirs:
            remarks.append(before[name].theirs)
        elif before[name].data != (whole := signed(name, data)):
            write_whole(output / name, whole)
            written.append(name)
    return Site(len(entries), tuple(written), tuple(hidden), tuple(remarks))


def _as_they_came_out(entries: list[Entry], dates: Mapping[str, datetime]) -> list[Entry]:
    """The newest first, each by the day on which the feed first told of it: a corrected word makes no episode new."""
    dated = [
        entry if entry.dated else replace(entry, date=dates.get(str(episode_guid(entry.identity)), entry.date))
        for entry in entries
    ]
    return sorted(dated, key=lambda entry: (entry.date, entry.slug), reverse=True)


def _index(channel: Channel, entries: list[Entry], hidden: Mapping[str, str]) -> page.IndexPage:
    items = tuple(
        page.IndexItem(
            slug=entry.slug,
            title=entry.title,
            language=entry.language,
            date=entry.date.date(),
            seconds=entry.seconds,
            summary=brief(entry.summary, entry.language),
            tags=entry.tags,
            cover="cover.png" if entry.has("cover.png") else "",
            hue=hue_of(entry.title),
        )
        for entry in entries
    )
    return page.IndexPage(
        channel.title,
        channel.description,
        channel.language,
        items,
        hidden,
        cover=channel.image,
        address=channel.public_url,
        hue=hue_of(channel.title),
    )
