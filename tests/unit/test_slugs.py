"""Folder names: readable, safe on every disk, and given once."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.topic import Source, Topic
from pipeline.slugs import assign, slug_of, source_identity


def topic(title: str, path: str = "input/a.csv", language: str = "en") -> Topic:
    return Topic(title=title, source=Source(path, 1), language=language)


@pytest.mark.parametrize(
    ("title", "language", "slug"),
    [
        ("Why the sky is blue", "en", "why-the-sky-is-blue"),
        ("  It's C++ & more!  ", "en", "its-c-more"),
        ("Über die Größe", "de", "ueber-die-groesse"),
        ("Über die Größe", "de-AT", "ueber-die-groesse"),
        ("Schrödinger's cat", "en", "schrodingers-cat"),
        ("A órfã e o coração", "pt-BR", "a-orfa-e-o-coracao"),
        ("L’été à Łódź, Æsir", "fr", "lete-a-lodz-aesir"),
        ("Cafe\u0301", "en", "cafe"),
        ("Война и мир", "ru", "voyna-i-mir"),
        ("Ελλάδα", "el", "ellada"),
        ("ひらがな", "ja", "hiragana"),
        ("서울", "ko", "seoul"),
        ("ﬁne ① ５", "en", "fine-1-5"),
        ("日本 2024", "ja", "2024-faedaa"),
        ("🚀", "en", "topic-ebbc0b"),
        ("CON", "en", "topic-con"),
        ("com1", "en", "topic-com1"),
        ("-rf --help", "en", "rf-help"),
        ("../../etc/passwd", "en", "etc-passwd"),
        ("one two " * 20, "en", "one-two-one-two-one-two-one-two-one-two-one-two-one-two-one"),
        ("x" * 200, "en", "x" * 60),
    ],
)
def test_a_title_becomes_a_readable_name(title: str, language: str, slug: str) -> None:
    assert slug_of(title, language) == slug


@given(st.text(max_size=300), st.sampled_from(["en", "de", "pt-BR"]))
def test_every_name_is_safe_on_every_disk(title: str, language: str) -> None:
    slug = slug_of(title, language)

    assert re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?", slug)
    assert slug not in {"con", "prn", "aux", "nul", "com1", "lpt1"}
    assert slug_of(title, language) == slug


def test_a_file_is_known_by_its_path_and_a_row_by_its_title_too() -> None:
    assert source_identity(topic("T", "input/a.md")) == "input/a.md"
    assert source_identity(topic("T", "input/a.MD")) == "input/a.MD"
    assert source_identity(topic("T", "input/a.csv")) == "input/a.csv/T"


def test_topics_of_one_title_get_folders_of_their_own() -> None:
    names = assign([topic("Moon", "input/a.md"), topic("MOON!", "input/b.md"), topic("Sun", "input/c.md")], {})

    assert names["input/a.md"] == "moon"
    assert re.fullmatch(r"moon-[0-9a-f]{6}", names["input/b.md"])
    assert names["input/c.md"] == "sun"


def test_a_name_once_given_stays_whatever_comes_before_or_goes_away() -> None:
    first, second = topic("Moon", "input/m.md"), topic("Moon", "input/z.md")
    before = assign([first, second], {})
    taken = {slug: identity for identity, slug in before.items()}

    assert assign([topic("Moon", "input/a.md"), second, first], taken) == {
        **before,
        "input/a.md": assign([topic("Moon", "input/a.md")], taken)["input/a.md"],
    }
    assert assign([second], taken) == {"input/z.md": before["input/z.md"]}


def test_a_file_whose_title_was_changed_keeps_its_folder() -> None:
    assert assign([topic("The Moon, anew", "input/m.md")], {"moon": "input/m.md"}) == {"input/m.md": "moon"}


def test_names_differ_in_more_than_case() -> None:
    names = assign([topic("Moon", "input/b.md")], {"MOON": "input/a.md"})

    assert re.fullmatch(r"moon-[0-9a-f]{6}", names["input/b.md"])


def test_a_suffix_that_is_taken_too_grows() -> None:
    short = assign([topic("Moon", "input/b.md")], {"moon": "input/a.md"})["input/b.md"]
    longer = assign([topic("Moon", "input/b.md")], {"moon": "input/a.md", short: "input/c.md"})["input/b.md"]

    assert longer.startswith(short)
    assert len(longer) == len(short) + 1


@given(st.lists(st.tuples(st.sampled_from(["Moon", "moon", "MOON ", "月", "x" * 90, "con"]), st.integers(0, 30))))
def test_no_two_topics_share_a_folder_and_the_next_run_agrees(asked: list[tuple[str, int]]) -> None:
    topics = [topic(title, f"input/{number}.csv") for title, number in asked]
    names = assign(topics, {})
    folded = [slug.casefold() for slug in names.values()]

    assert len(set(folded)) == len(folded) == len({source_identity(one) for one in topics})
    assert all(len(slug) <= 60 for slug in folded)
    assert assign(topics[::-1], {slug: identity for identity, slug in names.items()}) == names
