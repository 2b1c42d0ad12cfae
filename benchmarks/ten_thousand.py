"""Ten thousand finished topics and nothing to do: this pipeline, doit and Luigi, in one run on the same disk.

Each has 10,000 inputs and 10,000 × 6 published files that are all up to date. Ours is sealed by the pipeline's own code
instead of by ten thousand real episodes, which would take the machine a day; what is measured, `pipeline run` from
the shell, is the real thing.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from threading import Event

from benchmarks.figure import Cost, Figure, command, cost_of

TOPICS = 10_000
FILES = ("audio.mp3", "captions.srt", "captions.vtt", "manifest.json", "script.md", "transcript.json")


def figures() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        root = Path(folder)
        ours = _best(lambda: _pipeline(root / "pipeline"))
        doit = _best(lambda: _doit(root / "doit"))
        luigi = _best(lambda: _luigi(root / "luigi"))
    others = f"doit {doit.seconds:.1f} s and {doit.peak_bytes / 1e6:.0f} MB, Luigi {luigi.seconds:.1f} s"
    yield Figure("10,000 finished topics, nothing to do", ours.seconds, "s", "≤ 2.5", ours.seconds <= 2.5, others)
    yield Figure(
        "… its memory", ours.peak_bytes / 1e6, "MB", "≤ 200", ours.peak_bytes <= 200e6, f"CPU {ours.cpu_seconds:.1f} s"
    )
    yield Figure(
        "… against the quicker of doit and Luigi",
        min(doit.seconds, luigi.seconds) / ours.seconds,
        "×",
        "> 1",
        ours.seconds < min(doit.seconds, luigi.seconds),
    )


def _best(measure: object) -> Cost:
    costs = [measure() for _ in range(3)]  # type: ignore[operator]
    return min(costs, key=lambda cost: cost.seconds)


def _publish(folder: Path) -> None:
    for number in range(TOPICS):
        episode = folder / f"topic-{number}"
        episode.mkdir(parents=True)
        for name in FILES:
            (episode / name).write_text(f"{name} {number}\n")


def _pipeline(root: Path) -> Cost:
    if not root.exists():
        _seal_ten_thousand(root)
    cost = cost_of([command("pipeline"), "run", "--project", str(root), "--json"], env=_quiet())
    end = json.loads(cost.output.strip().splitlines()[-1])
    assert cost.status == 0, cost.output[-2000:]
    assert end["up_to_date"] == TOPICS, end
    assert end["made"] == 0, end
    return cost


def _seal_ten_thousand(root: Path) -> None:
    from pipeline import inbox, wiring
    from pipeline.build.seals import states_of
    from pipeline.settings import load

    shutil.copytree("config", root / "config")
    (root / "input").mkdir()
    for number in range(TOPICS):
        (root / "input" / f"topic-{number}.md").write_text(
            f"---\ntitle: Topic {number}\n---\n\n- A fact about {number}.\n"
        )
    _publish(root / "output")
    shop = wiring.workshop(root, load(root, {**os.environ, **_quiet()}), stop=Event())
    studio, fingerprint = shop.studio, shop.studio.fingerprint
    for found in inbox.scan(root / "input", root).files:
        name = found.path.stem
        studio.seals.seal(name, fingerprint, states_of(root / "output" / name, FILES))
        studio.seals.sources[found.name] = (found.signature, [name])
        studio.seals.taken[name] = found.name
    studio.seals.save()


def _doit(root: Path) -> Cost:
    run = [sys.executable, "-m", "doit", "-v0"]
    if not root.exists():
        root.mkdir()
        _inputs(root)
        (root / "dodo.py").write_text(
            "from pathlib import Path\n"
            f"FILES = {FILES!r}\n"
            "def make(number):\n"
            "    folder = Path('output') / f'topic-{number}'\n"
            "    folder.mkdir(parents=True, exist_ok=True)\n"
            "    for name in FILES:\n"
            "        (folder / name).write_text(f'{name} {number}')\n"
            "def task_episode():\n"
            f"    for number in range({TOPICS}):\n"
            "        yield {'name': str(number), 'actions': [(make, [number])],\n"
            "               'file_dep': [f'input/topic-{number}.md'],\n"
            "               'targets': [f'output/topic-{number}/{name}' for name in FILES]}\n"
        )
        first = cost_of(run, cwd=root)
        assert first.status == 0, first.output[-2000:]
    cost = cost_of(run, cwd=root)
    assert cost.status == 0, cost.output[-2000:]
    return cost


def _luigi(root: Path) -> Cost:
    if not root.exists():
        root.mkdir()
        _inputs(root)
        _publish(root / "output")
        (root / "tasks.py").write_text(
            "import luigi\n"
            f"FILES = {FILES!r}\n"
            "class Episode(luigi.Task):\n"
            "    number = luigi.IntParameter()\n"
            "    def output(self):\n"
            "        return [luigi.LocalTarget(f'output/topic-{self.number}/{name}') for name in FILES]\n"
            "class All(luigi.WrapperTask):\n"
            "    def requires(self):\n"
            f"        return [Episode(number) for number in range({TOPICS})]\n"
            "if __name__ == '__main__':\n"
            "    import sys\n"
            "    sys.exit(not luigi.build([All()], local_scheduler=True, log_level='WARNING'))\n"
        )
    cost = cost_of([sys.executable, "tasks.py"], cwd=root)
    assert cost.status == 0, cost.output[-2000:]
    return cost


def _inputs(root: Path) -> None:
    (root / "input").mkdir()
    for number in range(TOPICS):
        (root / "input" / f"topic-{number}.md").write_text(f"Topic {number}\n")


def _quiet() -> dict[str, str]:
    """The embedded engines, so that no server of this machine changes what is measured."""
    return {"WRITER": "embedded", "VOICE_ENGINE": "embedded", "LOG_LEVEL": "error"}
