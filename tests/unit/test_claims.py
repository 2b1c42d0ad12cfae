"""Each sentence of a script says which notes it rests on, in its file, its manifest and its page; or that it rests on
none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.script import Script, Segment
from pipeline.text import claims, script_file
from pipeline.text.claims import Marks
from pipeline.text.grounding import claims_something, rests_on
from tests.fakes.studio import make_studio, run_all
from tests.fakes.voice import FakeVoice
from tests.fakes.voice import identity as voice_identity
from tests.fakes.writer import LARGE, SMALL, FakeWriter

DATA = Path(__file__).parents[1] / "data"


def pairs(language: str) -> Iterator[tuple[list[str], str, tuple[int, ...]]]:
    """Notes, a sentence, and the notes that a person found it to rest on."""
    for line in (DATA / f"claims_{language}.tsv").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            notes, sentence, found = line.split("\t")
            yield notes.split("|"), sentence, () if found == "-" else tuple(int(n) - 1 for n in found.split(","))


# -- the rule ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "precision", "recall", "right_notes"), [("en", 0.85, 0.9, 0.9), ("pt", 0.85, 0.9, 0.9)]
)
def test_on_reviewed_pairs_the_words_alone_find_nearly_all_that_is_unsupported(
    language: str, precision: float, recall: float, right_notes: float
) -> None:
    found = [(rests_on(sentence, notes, ""), wanted) for notes, sentence, wanted in pairs(language)]
    called = [wanted for ground, wanted in found if not ground]
    unsupported = [ground for ground, wanted in found if not wanted]
    both = [ground == wanted for ground, wanted in found if ground and wanted]

    assert len(found) >= 28
    assert sum(not wanted for wanted in called) / len(called) >= precision
    assert sum(not ground for ground in unsupported) / len(unsupported) >= recall
    assert sum(both) / len(both) >= right_notes


@pytest.mark.parametrize(
    ("sentence", "claims_it"),
    [
        ("Why is the sea salty?", False),
        ("“Is it so?”", False),
        ("The salty sea.", False),
        ("So it is.", False),
        ("The sea is deep.", True),
        ("There are 12.", True),
    ],
)
def test_a_question_and_the_title_claim_nothing(sentence: str, claims_it: bool) -> None:
    assert claims_something(sentence, "The salty sea") is claims_it


def test_headings_and_empty_lines_are_no_notes() -> None:
    notes = claims.notes_of("# Salt\n\n- Rain falls.\n  2. Rivers run.\n---\nThe sun shines.")

    assert [(note.number, note.text, note.line) for note in notes] == [
        (1, "Rain falls.", 2), (2, "Rivers run.", 3), (3, "The sun shines.", 5)
    ]  # fmt: skip


# -- in the file -------------------------------------------------------------------------------------------------

SCRIPT = Script(
    "The sea",
    "en",
    (
        Segment("Rain", ("Rain dissolves salt. Is it so? Fish sing.", "The footnote [^1] is spoken.")),
        Segment("Sun", ("The sun lifts the water.",)),
    ),
)
MARKED = Marks(
    {"Rain dissolves salt.": (1, 2), "Fish sing.": (), "The sun lifts the water.": (12,)},
    {1: "Rain takes salt.", 2: "Rocks hold *it*.", 12: "<!-- The sun -->"},
)


def test_marks_stand_behind_their_sentences_and_are_read_back() -> None:
    text = script_file.format(SCRIPT, MARKED)

    assert "Rain dissolves salt.[^1][^2] Is it so? Fish sing.[^?]\n" in text
    assert "\n[^2]: Rocks hold *it*.\n" in text
    assert script_file.parse(text, where="s.md") == SCRIPT
    assert script_file.marks(text, where="s.md") == MARKED


words = st.lists(st.sampled_from(["sea", "*salt*", "[^2]", "a_b_c", "`x`", "\\", "[^?]", "1.", "é"]), min_size=1)
sentences = st.lists(words.map(lambda one: f"The {' '.join(one)} end."), min_size=1, max_size=4, unique=True)


@given(sentences, st.data())
def test_whatever_is_said_its_marks_survive_the_file(said: list[str], data: st.DataObject) -> None:
    script = Script("T", "en", (Segment("", (" ".join(said),)),))
    whole = claims.split(script)
    numbers = st.lists(st.integers(1, 9), unique=True, max_size=3).map(lambda found: tuple(sorted(found)))
    of = {sentence: data.draw(numbers) for sentence in whole}
    text = script_file.format(script, Marks(of))

    assert script_file.parse(text, where="s.md") == script
    assert script_file.marks(text, where="s.md").of == of


@pytest.mark.parametrize(
    ("body", "said", "of"),
    [
        ("It rains[^1]. It dries.[^2]", "It rains. It dries.", {"It rains.": (1,), "It dries.": (2,)}),
        ("It rains.\n[^1]", "It rains.", {"It rains.": (1,)}),
        ("It rains. [^1] It dries.", "It rains. It dries.", {"It rains.": (1,)}),
        (r"It \[^1] rains.", "It [^1] rains.", {}),
        ("## A [^1]\nIt rains.\n\n[^9]: kept", "It rains.", {}),
    ],
)
def test_a_person_may_put_marks_anywhere(body: str, said: str, of: dict[str, tuple[int, ...]]) -> None:
    text = f"---\ntitle: T\nlanguage: en\n---\n{body}\n"

    assert script_file.parse(text, where="s.md").segments[0].paragraphs == (said,)
    assert script_file.marks(text, where="s.md").of == of


# -- in an episode -----------------------------------------------------------------------------------------------

TOPIC = """---
title: The salty sea
words: 25
---

- Rain dissolves a little salt from the rocks.

- Rivers carry the salt to the sea.
"""
SAID = [
    ("Rain takes a little salt from the rocks.", [1]),
    ("Do you know where it goes?", []),
    ("The rivers carry salt to the sea.", [7]),
    ("In 1850 a captain weighed all of it.", [2]),
]
ANSWER = json.dumps(
    {
        "segments": [
            {
                "title": "Salt",
                "sentences": [{"text": text, "notes": notes} for text, notes in SAID],
                "picture_prompt": "",
            }
        ]
    }
)


def episode(project: Path, answer: str = ANSWER, *, topic: str = TOPIC, **how: Any) -> dict[str, Any]:
    (project / "input").mkdir(exist_ok=True)
    (project / "input" / "sea.md").write_text(topic)
    writer = FakeWriter(lambda _: answer, identity=how.pop("identity", LARGE))
    studio = make_studio(project, voice=how.pop("voice", None) or FakeVoice(), writer=writer, **how)
    (error,) = run_all(studio).values()
    if error is not None:
        raise error
    folder = next(path for path in (project / "output").iterdir() if path.is_dir())
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return manifest


def test_a_large_model_says_what_each_sentence_rests_on_and_is_not_believed_blindly(tmp_path: Path) -> None:
    manifest = episode(tmp_path)
    script = (tmp_path / "output" / "the-salty-sea" / "script.md").read_text()
    page = (tmp_path / "output" / "the-salty-sea" / "index.html").read_text()

    # The third named a note that there is not, and its words found the right one; the fourth has a figure of its own.
    assert manifest["script"]["claims"] == {
        "notes": [["input/sea.md:6"], [], ["input/sea.md:8"], []],
        "unsupported": [3],
        "by_hand": [],
    }
    assert "rocks.[^1] Do you know where it goes? The rivers carry salt to the sea.[^2] In 1850" in script
    assert "weighed all of it.[^?]" in script
    assert "[^2]: Rivers carry the salt to the sea." in script
    assert page.count('class="line unsupported"') == 1
    assert "[^" not in (tmp_path / "output" / "the-salty-sea" / "captions.vtt").read_text()


def test_unsupported_sentences_are_a_failure_where_that_is_wished(tmp_path: Path) -> None:
    from pipeline.errors import InputError

    voice = FakeVoice()
    with pytest.raises(InputError, match="a sentence is in none of the notes: “In 1850 a captain") as caught:
        episode(tmp_path, fails_unsupported=True, voice=voice)
    assert caught.value.where == "input/sea.md:1"
    assert "add it to the notes" in caught.value.hint
    assert voice.calls == []


def test_a_persons_sentences_are_their_own(tmp_path: Path) -> None:
    episode(tmp_path)
    path = tmp_path / "output" / "the-salty-sea" / "script.md"
    path.write_text(
        path.read_text()
        .replace("In 1850 a captain weighed all of it.[^?]", "My uncle weighed it once.")
        .replace("Rain takes a little salt from the rocks.[^1]", "Rain takes some salt from rocks.")
    )
    (folder,) = (p for p in (tmp_path / "output").iterdir() if p.is_dir())
    studio = make_studio(tmp_path, voice=FakeVoice(), writer=FakeWriter([]), fails_unsupported=True)
    assert list(run_all(studio).values()) == [None]

    assert json.loads((folder / "manifest.json").read_text())["script"]["claims"] == {
        "notes": [["input/sea.md:6"], [], ["input/sea.md:8"], []],
        "unsupported": [],
        "by_hand": [0, 3],
    }


def test_a_small_model_is_judged_by_its_words_in_portuguese_too(tmp_path: Path) -> None:
    topic = (
        "---\ntitle: O mar\nlanguage: pt-PT\nwords: 20\n---\n- A chuva dissolve o sal.\n- Os rios levam o sal ao mar.\n"
    )
    small = type(SMALL)(engine="fake", name="fake:135m", digest="e" * 64, parameters=135_000_000)
    voice = FakeVoice([voice_identity("pt_PT-fake-medium", language="pt-PT")])
    manifest = episode(tmp_path, "Não.", topic=topic, identity=small, voice=voice)

    assert manifest["script"]["claims"]["notes"][-2:] == [["input/sea.md:6"], ["input/sea.md:7"]]
    assert manifest["script"]["claims"]["unsupported"] == []


@pytest.mark.parametrize("topic", ["---\nmode: read\n---\n# The sea\nIt is.", "---\ntitle: T\nwords: 25\n---\n"])
def test_what_has_no_notes_makes_no_claims(tmp_path: Path, topic: str) -> None:
    plain = [{"title": "A", "narration": " ".join(text for text, _ in SAID), "picture_prompt": ""}]
    manifest = episode(tmp_path, json.dumps({"segments": plain}), topic=topic)
    (folder,) = (p for p in (tmp_path / "output").iterdir() if p.is_dir())

    assert manifest["script"]["claims"] is None
    assert "[^" not in (folder / "script.md").read_text()
