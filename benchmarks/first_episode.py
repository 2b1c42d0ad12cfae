"""From typing the command to the first sound and the first finished episode, downloads aside."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from benchmarks import project
from benchmarks.figure import Figure, command


def figures() -> Iterator[Figure]:
    samples = {path.name: path.read_text() for path in Path("input").iterdir() if path.is_file() and path.suffix}
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        root = project.make(Path(folder) / "project", samples)
        begun = perf_counter()
        child = subprocess.Popen(
            [command("pipeline"), "run", "--project", str(root), "--json"],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **project.EMBEDDED},
        )
        assert child.stdout is not None
        sound = episode = None
        for line in child.stdout:
            if sound is None and '"made"' in line and '"speech"' in line:
                sound = perf_counter() - begun
            if episode is None and '"event": "done"' in line:
                episode = perf_counter() - begun
        assert child.wait() == 0
        whole = perf_counter() - begun
    assert sound is not None
    assert episode is not None
    yield Figure("first audio of a run on disk", sound, "s", "≤ 30", sound <= 30)
    yield Figure(
        "first finished episode",
        episode,
        "s",
        "≤ 180",
        episode <= 180,
        f"all {len(samples)} sample files: {whole:.0f} s",
    )
