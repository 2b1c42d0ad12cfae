"""Twenty topics of 150 words: how near the build comes to what the engines can do alone.

The engines are measured alone first, in the same run: tokens a second with every slot busy and nothing else running,
seconds of sound a second on all cores, seconds of mixing for a second of sound. What the twenty topics took of each is
counted from their manifests. One after the other, at those rates, that work takes the *ideal* time; the ratio is the
ideal time to the real one. Overlap can only make up for what sharing the cores costs.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import project, speaking, writing
from benchmarks.figure import Figure

TOPICS = 20
SUBJECTS = (
    "bread", "clocks", "bridges", "tea", "maps", "bells", "glass", "salt", "sails", "wool",
    "paper", "honey", "wells", "kites", "soap", "ink", "mills", "rope", "coins", "doors",
)  # fmt: skip


def figures() -> Iterator[Figure]:
    tokens_a_second = writing.tokens_a_second(writing.SLOTS)
    sound_a_second = speaking.sound_a_second()
    topics = {f"{name}.md": f"---\ntitle: A story about {name}\nwords: 150\n---\n" for name in SUBJECTS[:TOPICS]}
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        root = project.make(Path(folder) / "project", topics)
        cost, events = project.run(root, allow_failures=True)
        manifests = [json.loads(path.read_text()) for path in root.glob("output/*/manifest.json")]
    tokens = sum(manifest["script"]["how"]["tokens"] for manifest in manifests)
    sound = sum(manifest["audio"]["seconds"] for manifest in manifests)
    mixing = sum(event["seconds"] for event in events if event["event"] == "made" and event["stage"] == "mix")
    ideal = tokens / tokens_a_second + sound / sound_a_second + mixing / 2
    ratio = ideal / cost.seconds
    detail = (
        f"{len(manifests)} of {TOPICS} in {cost.seconds:.0f} s, {len(manifests) / cost.seconds * 60:.1f} a minute; "
        f"{tokens} tokens at {tokens_a_second:.0f}/s, {sound:.0f} s of sound at {sound_a_second:.1f}/s, "
        f"{mixing:.0f} s of mixing on two cores: ideal {ideal:.0f} s"
    )
    yield Figure("20 topics of 150 words, of what the engines reach alone", ratio, "", "≥ 0.85", ratio >= 0.85, detail)
