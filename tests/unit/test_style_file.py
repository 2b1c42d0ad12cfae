"""A prompt file is read whole, and refused with every fault in it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.errors import InputError, SettingsError
from pipeline.text.style_file import Facet, fill, load_style, parse_style

SHIPPED = Path(__file__).parents[2] / "config" / "prompts"

GOOD = """---
about: A test.
opening: "{title}."
rewrite: "In {language}: {fact}"
parts:
  - title: First
    ask: "About {title}."
---

# System

You write in {language}.

# Ask

Write {words} words about {title}.

## Notes

{notes}
"""


@pytest.mark.parametrize("name", ["explainer", "story", "news"])
def test_the_styles_that_come_along_can_be_used(name: str) -> None:
    style = load_style(SHIPPED, name)
    assert style.name == name
    assert style.facets
    assert "{notes}" in style.ask


def test_a_prompt_file_is_read_into_its_pieces() -> None:
    style = parse_style(GOOD, name="test", where="test.md")
    assert (style.about, style.opening, style.rewrite) == ("A test.", "{title}.", "In {language}: {fact}")
    assert style.facets == (Facet("First", "About {title}."),)
    assert style.system == "You write in {language}."
    assert style.ask == "Write {words} words about {title}.\n\n## Notes\n\n{notes}"


def test_the_digest_follows_the_words_and_not_the_layout() -> None:
    digest = parse_style(GOOD, name="test", where="a.md").digest
    assert parse_style(GOOD.replace("\n# Ask", "\n\n\n# Ask"), name="test", where="b.md").digest == digest
    assert parse_style(GOOD.replace("You write", "You speak"), name="test", where="a.md").digest != digest


def test_how_a_revision_is_asked_for_may_be_said_and_writes_no_first_script_anew() -> None:
    plain = parse_style(GOOD, name="test", where="a.md")
    revising = parse_style(f"{GOOD}\n# Revise\n\n{{script}}\n\n{{changes}}\n", name="test", where="a.md")
    assert revising.revise == "{script}\n\n{changes}"
    assert "{script}" in plain.revise
    assert revising.digest == plain.digest
    with pytest.raises(SettingsError, match=r"a\.md:22: `Revise` must say where"):
        parse_style(f"{GOOD}\n# Revise\n\n{{script}}\n", name="test", where="a.md")


def test_values_are_filled_in_once_and_other_braces_stay() -> None:
    template = '{title}: {"json": {}} {other}'
    assert fill(template, {"title": "About {notes}", "notes": "secret"}) == 'About {notes}: {"json": {}} {other}'


# Nine times nine times nine …: a few lines that are a billion when they are written out.
_LAUGHS = (
    "  - &a [x]\n"
    + "".join(f"  - &{b} [{', '.join(['*' + a] * 9)}]\n" for a, b in pairwise("abcdefghijk"))
    + "  - a: b"
)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("{words}", "{wrods}", r"test\.md:16: unknown placeholder \{wrods\}; here may stand: .*\{words\}"),
        ("In {language}: {fact}", "Again", r"test\.md:4: `rewrite` must say where the \{fact\} goes"),
        ("About {title}.", "About {notes}.", r"test\.md:7: unknown placeholder \{notes\}"),
        ("about: A test.", "abuot: A test.", r"test\.md:2: there is no `abuot`; did you mean `about`"),
        ("about: A test.", "about: [1]", "needs a text `about`"),
        ("# System", "# Sytem", "needs a section `# System`"),
        ("  - title: First", "  - title: [1]", "each of the parts has a `title` and an `ask`"),
        ("about {title}.", "about it.", r"`Ask` must say where the \{title\} goes"),
        ("about: A test.", "about:", "needs a text `about`"),
        ("about: A test.", "about: 'A", "not YAML"),
        ("about: A test.", "about: " + "[" * 3_000, "not YAML: it is nested too deeply"),
        ("about: A test.", "date: 2026-99-99", "there is no `date`"),
        ("about: A test.", "number: 1" + "0" * 5_000, "there is no `number`"),
        ("  - title: First", _LAUGHS, "each of the parts has a `title` and an `ask`"),
        ("---\nabout", "about", "begins with front matter"),
    ],
)
def test_each_fault_is_told_with_its_line(old: str, new: str, says: str) -> None:
    assert old in GOOD
    with pytest.raises(SettingsError, match=says):
        parse_style(GOOD.replace(old, new), name="test", where="test.md")


def test_all_faults_come_in_one_report() -> None:
    text = GOOD.replace("{words}", "{a}").replace("{notes}", "{b}").replace("about: A test.", "")
    with pytest.raises(SettingsError) as caught:
        parse_style(text, name="test", where="test.md")
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize("name", ["explaner", "../secret", "", "Explainer", "a" * 80])
def test_an_unknown_style_is_refused_with_the_names_there_are(name: str) -> None:
    with pytest.raises(InputError, match="explainer"):
        load_style(SHIPPED, name)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.md").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="cannot be read"):
        load_style(tmp_path, "broken")
