"""What is said of the page and feed of all episodes: to standard error, because it is nobody's answer."""

from __future__ import annotations

import sys

from pipeline.site import Site


def show_site(site: Site) -> None:
    """Which episodes are not shown and why, and what else is not as it could be; nothing where all is well."""
    for one in site.hidden:
        _say(f"not shown on the page and in the feed: {one.slug}: {one.why}")
    for remark in site.remarks:
        _say(remark)


def _say(line: str) -> None:
    if sys.stderr is not None:  # closed before we began
        sys.stderr.write(f"{line}\n")
