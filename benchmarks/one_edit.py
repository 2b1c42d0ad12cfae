"""One sentence edited in a script of a thousand words: what is spoken again, and how long it takes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import project
from benchmarks.figure import Figure


def figures() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        root = project.make(Path(folder) / "project", {"log.md": project.reading(1000)})
        first, events = project.run(root)
        sentences = _spoken(events)
        script = next((root / "output").glob("*/script.md"))
        script.write_text(script.read_text().replace("stayed for nineteen years", "never went home again", 1))
        second, events = project.run(root)
    again = _spoken(events)
    yield Figure(
        "one sentence edited in 1,000 words: sentences spoken", again, "", "= 1", again == 1, f"of {sentences}"
    )
    ratio = second.seconds / first.seconds
    yield Figure(
        "… its time, of the first build's",
        ratio,
        "",
        "≤ 0.1",
        ratio <= 0.1,
        f"{first.seconds:.1f} s, then {second.seconds:.1f} s",
    )
    ratio = second.cpu_seconds / first.cpu_seconds
    yield Figure(
        "… its CPU time, of the first build's",
        ratio,
        "",
        "≤ 0.1",
        ratio <= 0.1,
        f"{first.cpu_seconds:.1f} s, then {second.cpu_seconds:.1f} s",
    )
    encoded = sum(event["event"] == "made" and event["stage"] == "mix" for event in events)
    yield Figure(
        "… what is made of the mix",
        encoded,
        "artifacts",
        "= 4",
        encoded == 4,
        "its level, the gain, its sound, the programme; where the gain moves, every sentence's sound",
    )


def _spoken(events: list[dict[str, object]]) -> int:
    return sum(event["event"] == "made" and event["stage"] == "speech" for event in events)
