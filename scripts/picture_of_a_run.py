"""Makes docs/run.svg from a real run of the shipped topics: `.venv/bin/python scripts/picture_of_a_run.py`."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[1]
PIPELINE = Path(sys.executable).with_name("pipeline")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "media-pipeline"
        for name in ("config", "input"):
            shutil.copytree(ROOT / name, project / name)
        screen = Console(record=True, width=118, file=tempfile.TemporaryFile("w"))
        for command in ("run", "run"):
            screen.print(Text.assemble(("$ ", "bold green"), ("make pipeline", "bold")))
            done = subprocess.run([PIPELINE, command], cwd=project, capture_output=True, text=True, check=True)
            for line in done.stdout.replace(f"{folder}/media-pipeline/", "").splitlines():
                screen.print(Text(line), soft_wrap=False)
    drawn = screen.export_svg(title="Media Pipeline")
    # Rich would have the letters fetched from elsewhere; whoever looks has letters of their own.
    (ROOT / "docs" / "run.svg").write_text(re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL))


if __name__ == "__main__":
    main()
