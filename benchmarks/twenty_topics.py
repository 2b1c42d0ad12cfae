"""Twenty topics of 150 words: how much of the cores the engines get while everything overlaps.

What the engines' own work costs in CPU time is measured alone first, in the same run: the writing of one topic's
worth with all slots busy, its speech with all cores busy, its mix. The build of twenty should take no longer than
twenty times that, shared by the cores, allows; the ratio says how near it comes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import project
from benchmarks.figure import Figure
from pipeline.wiring import available_cores

TOPICS = 20
SUBJECTS = (
    "bread", "clocks", "bridges", "tea", "maps", "bells", "glass", "salt", "sails", "wool",
    "paper", "honey", "wells", "kites", "soap", "ink", "mills", "rope", "coins", "doors",
)  # fmt: skip


def figures() -> Iterator[Figure]:
    cores = available_cores()
    topics = {f"{name}.md": f"---\ntitle: The story of {name}\nwords: 150\n---\n" for name in SUBJECTS[:TOPICS]}
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        cost, events = project.run(project.make(Path(folder) / "project", topics))
    busy: dict[str, float] = {}
    for event in events:
        if event["event"] == "made":
            busy[event["stage"]] = busy.get(event["stage"], 0.0) + event["seconds"]
    share = cost.cpu_seconds / (cost.seconds * cores)
    detail = (
        f"{cost.seconds:.0f} s, {TOPICS / cost.seconds * 60:.1f} topics a minute, CPU {cost.cpu_seconds:.0f} s; "
        + (", ".join(f"{stage} {seconds:.0f} s" for stage, seconds in sorted(busy.items())) + " in their executors")
    )
    yield Figure("20 topics of 150 words: share of the cores used", share, "", "≥ 0.85", share >= 0.85, detail)
