"""Small projects to measure with, and the pipeline run on them as a person would run it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.figure import Cost, command, cost_of

# Films are measured by themselves, in `video`.
EMBEDDED = {"WRITER": "embedded", "VOICE_ENGINE": "embedded", "VIDEO": "off", "LOG_LEVEL": "error"}

SENTENCES = (
    "The lamp was lit an hour before sunset, and it burned until the sky over the water turned grey.",
    "Each keeper wrote the weather into a thick book with a leather cover.",
    "On clear nights the beam could be seen from the fishing grounds, far beyond the reef.",
    "Salt crept into every hinge, so the doors were oiled on the first day of the month.",
    "When the fog came in, a bell was struck by hand until the machinery was installed.",
    "Supplies arrived by boat in summer and by sledge across the frozen bay in winter.",
    "The lens turned slowly on a bath of mercury, driven by a weight that fell inside the tower.",
    "Children of the keepers learned to read from the labels on tins of paraffin.",
    "A visitor once asked how the light was made, and stayed for nineteen years.",
    "Nobody remembers who painted the stripes, but sailors knew them from every other tower.",
)


def make(root: Path, topics: Mapping[str, str]) -> Path:
    """A project with the shipped settings and prompts, and these topic files."""
    shutil.copytree("config", root / "config")
    (root / "input").mkdir()
    for name, text in topics.items():
        (root / "input" / name).write_text(text)
    return root


def run(root: Path, *, allow_failures: bool = False) -> tuple[Cost, list[dict[str, Any]]]:
    """`pipeline run --json`: what it cost, and its events."""
    cost = cost_of([command("pipeline"), "run", "--project", str(root), "--json"], env=EMBEDDED)
    events = [json.loads(line) for line in cost.output.splitlines() if line.startswith("{")]
    assert cost.status in ({0, 1} if allow_failures else {0}), cost.output[-3000:]
    return cost, events


def reading(words: int, *, seed: int = 0) -> str:
    """A topic to be read as it stands, of about so many words; no two sentences alike."""
    lines, count, number = [], 0, 0
    while count < words:
        sentence = SENTENCES[(number + seed) % len(SENTENCES)]
        # Within the sentence: by itself "Page 7." would be one more, and the rest the same as ten pages before.
        lines.append(f"Page {seed * 1000 + number + 1} says: {sentence}")
        count += len(lines[-1].split())
        number += 1
    paragraphs = "\n\n".join(" ".join(lines[at : at + 4]) for at in range(0, len(lines), 4))
    return f"---\ntitle: Log book {seed}\nmode: read\n---\n\n{paragraphs}\n"
