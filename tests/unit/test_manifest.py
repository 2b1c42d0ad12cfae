"""The manifest's text: its digest holds until a byte changes, and its published schema is complete and fresh."""

from __future__ import annotations

import json
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from pipeline.cli.manifest_page import manifest_page
from pipeline.domain.manifest import DIGEST, FORMAT, Proof, dump, read
from pipeline.text.manifest_schema import schema, schema_text
from tests.json_schema import faults, fields

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
# Other bytes may say the same: a letter in its escape, the exponent, the last digit of a float.
FACTS: dict[str, object] = {
    "title": "Why\u0007 is it 1e5? Ångström",
    "audio": {"gain": 0.30000000000000004, "far": 1e300},
    "files": {"a": {"b": []}},
}


def test_a_manifest_begins_with_its_format_and_its_digest_and_holds() -> None:
    data = dump(FACTS)
    told = json.loads(data)
    assert list(told)[:2] == ["format", DIGEST]
    assert told["format"] == FORMAT
    assert {name: told[name] for name in FACTS} == FACTS
    found = read(data)
    assert (found.proof, found.twice) == (Proof.HOLDS, ())


def test_the_same_facts_give_the_same_bytes() -> None:
    assert dump(FACTS) == dump(dict(FACTS))


def test_every_flipped_bit_is_found() -> None:
    whole = dump(FACTS)
    for bit in range(len(whole) * 8):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        with suppress(ValueError):  # it is no JSON any more, which is found as well
            assert read(bytes(flipped)).proof is Proof.BROKEN, bit


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b"Why", b"How"),
        lambda data: data.replace(b"1e+300", b"1E+300"),
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: data + b"\n",
        lambda data: data.replace(f'  "{DIGEST}"'.encode(), f'"{DIGEST}"'.encode()),
        lambda data: data.replace(f'  "{DIGEST}"'.encode(), f'  "{DIGEST}": "{"0" * 64}",\n  "{DIGEST}"'.encode()),
        lambda data: b"\n".join(line for line in data.split(b"\n") if DIGEST.encode() not in line),
    ],
    ids=["a value", "the same value", "line ends", "a line", "the digest's line", "two digests", "no digest"],
)
def test_any_other_bytes_break_it(change) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    changed = change(dump(FACTS | {"pictures": {}}))
    assert changed != dump(FACTS | {"pictures": {}})
    assert read(changed).proof is Proof.BROKEN


def test_one_from_before_there_was_a_digest_is_known_as_such() -> None:
    old = json.dumps({"format": FORMAT, "title": "Moon", "files": {}}).encode()
    assert read(old).proof is Proof.ABSENT


def test_a_name_that_stands_twice_is_told() -> None:
    assert read(b'{"files": {"a": 1, "b": 2, "a": 3}, "b": 1, "b": 1}').twice == ("a", "b")


def test_anybody_can_form_the_digest_with_the_tools_of_any_system(tmp_path: Path) -> None:
    page = (REFERENCE / "manifest.md").read_text("utf-8")
    command = page.split("```sh\n")[1].split("```")[0]
    (tmp_path / "manifest.json").write_bytes(dump(FACTS))
    formed = subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert formed.stdout.split()[0] == json.loads(dump(FACTS))[DIGEST]


@pytest.mark.parametrize(("name", "text"), [("manifest.md", manifest_page()), ("manifest.schema.json", schema_text())])
def test_the_published_pages_are_fresh(name: str, text: str) -> None:
    """`pipeline settings --write-docs` writes them anew."""
    assert (REFERENCE / name).read_text("utf-8") == text


def test_every_field_says_what_it_is() -> None:
    for name, field in fields(schema()):
        assert str(field["description"]).endswith("."), name
        assert "items" not in field or field["items"]["description"], name


def test_the_page_has_every_field() -> None:
    page = manifest_page()
    assert all(
        f"`{name.rpartition('.')[2]}`" in page or f".{name.rpartition('.')[2]}`" in page for name, _ in fields(schema())
    )


def test_the_schema_refuses_what_is_not_written() -> None:
    told = list(faults({"format": "media-pipeline/manifest/2", "more": 1}, schema()))
    assert ": more is in no schema" in told
    assert ": files is missing" in told
    assert any("is not 'media-pipeline/manifest/1'" in fault for fault in told)
