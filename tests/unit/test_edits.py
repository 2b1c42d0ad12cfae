"""A person's script: found, kept apart, never taken for ours nor ours for theirs."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from pipeline.edits import Edits
from pipeline.stages.publish import MANIFEST, MANIFEST_FORMAT


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def edits(tmp_path: Path) -> Edits:
    return Edits(tmp_path / "data" / "edits", tmp_path / "output")


def publish(edits: Edits, text: str, *, edited: bool = False, manifest_of: str | None = None) -> Path:
    """Put a script where an episode has it, with the manifest of `manifest_of` (else of the script itself)."""
    folder = edits.output / "moon"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "script.md").write_text(text)
    said = {
        "format": MANIFEST_FORMAT,
        "script": {"edited_by_hand": edited},
        "files": {"script.md": {"sha256": digest(manifest_of or text)}},
    }
    (folder / MANIFEST).write_text(json.dumps(said))
    return folder / "script.md"


def test_what_we_published_is_not_an_edit(edits: Edits) -> None:
    publish(edits, "ours")
    assert edits.newer("moon", ours=[digest("ours")]) is None
    assert not edits.adopt("moon", ours=[digest("ours")])
    assert edits.of("moon") is None


def test_any_other_text_is_a_persons_and_is_kept(edits: Edits) -> None:
    publish(edits, "ours").write_text("mine")
    assert edits.adopt("moon", ours=[digest("ours")])
    assert edits.of("moon") == b"mine"
    assert edits.slugs() == {"moon"}


def test_a_second_edit_replaces_the_first(edits: Edits) -> None:
    script = publish(edits, "ours")
    for text in ("mine", "mine, better"):
        script.write_text(text)
        edits.adopt("moon", ours=[digest("ours")])
    assert edits.of("moon") == b"mine, better"


def test_a_deleted_folder_leaves_the_edit(edits: Edits) -> None:
    script = publish(edits, "ours")
    script.write_text("mine")
    edits.adopt("moon", ours=[digest("ours")])
    script.unlink()
    assert not edits.adopt("moon", ours=[digest("ours")])
    assert edits.of("moon") == b"mine"


def test_a_run_killed_between_script_and_manifest_does_not_take_its_own_script_for_an_edit(edits: Edits) -> None:
    publish(edits, "the new one", manifest_of="the old one")
    assert edits.newer("moon", ours=[digest("the old one"), digest("the new one")]) is None


def test_an_edit_outlives_the_data_folder(edits: Edits) -> None:
    publish(edits, "mine", edited=True)
    assert edits.adopt("moon", ours=[])
    assert edits.of("moon") == b"mine"


def test_a_script_of_ours_is_known_by_its_manifest_when_the_data_folder_is_lost(edits: Edits) -> None:
    publish(edits, "ours")
    assert edits.newer("moon", ours=[]) is None


def test_discarding_puts_the_edit_aside(edits: Edits) -> None:
    publish(edits, "ours").write_text("mine")
    edits.adopt("moon", ours=[digest("ours")])
    kept = edits.discard("moon")
    assert kept is not None
    assert kept.read_text() == "mine"
    assert edits.of("moon") is None
    assert edits.discard("moon") is None
