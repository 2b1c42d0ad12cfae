"""Which sentences keep to what is known, and which facts the notes hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.text import facts
from pipeline.text.grounding import invented, says_the_fact, touches

LENS = "Augustin Fresnel invented a lens of glass rings in 1822."


@pytest.mark.parametrize(
    ("sentence", "fact"),
    [
        ("In 1822 Augustin Fresnel invented a lens made of glass rings.", LENS),
        ("A lens of glass rings was invented by Augustin Fresnel in 1822.", LENS),
        ("The sun evaporates water and leaves behind salt.", "The sun evaporates water, but the salt stays behind."),
        ("Em 1822, Augustin Fresnel inventou a lente de anéis.", "Augustin Fresnel inventou a lente de anéis em 1822."),
    ],
)
def test_a_paraphrase_says_the_fact(sentence: str, fact: str) -> None:
    assert says_the_fact(sentence, fact, "")


@pytest.mark.parametrize(
    "sentence",
    [
        LENS,  # nothing gained
        "Augustin Fresnel, he invented the lens of the glass rings in 1822.",  # the same words, only worse
        "In 1823 Augustin Fresnel invented a lens of glass rings.",
        "In 1822 Albert Fresnel invented a lens of glass rings.",
        "In 1822 Augustin invented a lens of glass rings.",
        "In 1822 Augustin Fresnel never invented a lens of glass rings.",
        "In 1822 Augustin Fresnel invented a lens of glass rings in Paris.",
        "In 1822 Augustin Fresnel invented twelve lenses of glass rings.",
        "In 1822 Augustin Fresnel was born.",
        "In 1822 Augustin Fresnel invented a mirror of brass wheels for rings of glass and a lens.",
        'Better: "In 1822 Augustin Fresnel invented a lens of glass rings."',
        "Megalopolis; in 1822 Augustin Fresnel invented a lens of glass rings.",
        "",
    ],
)
def test_what_is_changed_added_or_left_out_does_not(sentence: str) -> None:
    assert not says_the_fact(sentence, LENS, "")


@pytest.mark.parametrize(
    ("sentence", "found"),
    [
        ("Cats purr when they are content.", ()),
        ("Most cats live with Maria in 12 houses.", ("12", "Maria")),
        ("Two cats purr.", ("two",)),
        ("A cat. Dogs bark.", ()),
        ("The History of coffee's beans", ()),
    ],
)
def test_names_and_numbers_that_nobody_gave_are_inventions(sentence: str, found: tuple[str, ...]) -> None:
    assert invented(sentence, "The history of coffee and why cats purr") == found


def test_a_text_touches_its_subject_by_a_word_of_matter() -> None:
    assert touches("Lighthouses stand on rocks.", "How a lighthouse works")
    assert not touches("How it all works out.", "The lighthouse")
    assert touches("Anything.", "What is it?")


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_two_texts_can_be_compared(one: str, other: str) -> None:
    assert isinstance(says_the_fact(one, other, ""), bool)
    assert set(invented(one, one)) == set()


# -- the notes' facts --------------------------------------------------------------------------------------------


def all_facts(notes: str, words: int = 150) -> list[str]:
    return [fact for part in facts.parts_of(notes, language="en", words=words) for fact in part.facts]


def test_every_sentence_and_every_list_item_is_a_fact_once() -> None:
    notes = "Salt is old. It is white.\n\n- found in the sea\n- found in rocks\n- found in the sea\n- 🐝\n\n12."
    assert all_facts(notes) == ["Salt is old.", "It is white.", "found in the sea.", "found in rocks."]


def test_where_there_is_little_room_the_first_of_each_paragraph_comes_first() -> None:
    notes = "One is told here. Two is told here.\n\nThree is told here. Four is told here."
    assert all_facts(notes, words=8) == ["One is told here.", "Three is told here."]
    assert all_facts(notes, words=12) == ["One is told here.", "Two is told here.", "Three is told here."]


def test_headings_are_the_parts_titles() -> None:
    notes = "## Rain\nIt rains.\n## Sun\nIt dries."
    assert facts.parts_of(notes, language="en", words=50) == (
        facts.FactPart("Rain", ("It rains.",)),
        facts.FactPart("Sun", ("It dries.",)),
    )


def test_long_notes_without_headings_are_parted_at_paragraphs() -> None:
    paragraph = " ".join(f"Sentence {word} of this part has exactly eight words." for word in "abcde")
    other = " ".join(f"Another {word} of the next part has eight words." for word in "fghij")
    found = facts.parts_of(f"{paragraph}\n\n{other}", language="en", words=150)
    assert [len(part.facts) for part in found] == [5, 5]
    assert [part.title for part in found] == ["Part 1", "Part 2"]


@pytest.mark.parametrize("notes", ["", "\n", "# Heading alone", "<!-- -->", "...", "🐝 🐝"])
def test_notes_without_a_sentence_hold_no_facts(notes: str) -> None:
    assert facts.parts_of(notes, language="en", words=50) == ()


@pytest.mark.parametrize(
    ("sentence", "title"),
    [
        ("Bread dough is flour, water, salt and yeast.", "Bread dough"),
        ("The Moon is about 384,000 kilometres away.", "The Moon"),
        ("Red and orange are left.", "Red and orange"),
        ("Augustin Fresnel was an engineer.", "Augustin Fresnel"),
        ("O farol é alto.", "O farol"),
        ("Why is the sea salty?", "Why is the sea salty?"),
        ("Sunlight looks white, and it holds every colour.", ""),
        ("Sailors say storms are rare.", ""),
        ("Sugar dissolves and is gone.", ""),
        ("By the time the sun is up, the chorus is thinning out.", ""),
        ("It turns once, and is seen.", ""),
        ("There is enough light now.", ""),
        ("Most were automated in 1998.", ""),
        ("2026 was warm.", ""),
        ("Rain.", ""),
        ("", ""),
    ],
)
def test_a_title_is_a_noun_phrase_or_a_question_and_never_a_sentence_cut_short(sentence: str, title: str) -> None:
    assert facts.subject(sentence) == title


def paragraph(beginning: str) -> str:
    return " ".join(
        f"{beginning} {word} in the high tower above the sea." for word in ("early", "late", "often", "now")
    )


@pytest.mark.parametrize(
    ("second", "titles"),
    [("The sea is lit", ["The lamp", "The sea"]), ("Light runs", ["Part 1", "Part 2"]),
     ("The lamp is wound", ["Part 1", "Part 2"])],
)  # fmt: skip
def test_parts_have_titles_of_their_own_or_numbers(second: str, titles: list[str]) -> None:
    notes = f"{paragraph('The lamp is lit by the keeper')}\n\n{paragraph(second)}"
    assert [part.title for part in facts.parts_of(notes, language="en", words=400)] == titles


def test_a_part_alone_has_no_title() -> None:
    assert [part.title for part in facts.parts_of("The lamp is lit.", language="en", words=50)] == [""]


@pytest.mark.parametrize(
    ("sentence", "fact"),
    [
        (
            "Dough that is warm is more likely to rise faster than cold dough.",
            "Warm dough rises faster than cold dough.",
        ),
        ("Warm dough may rise faster than dough that is cold.", "Warm dough rises faster than cold dough."),
        ("Dough that is warm usually rises faster than cold dough.", "Warm dough rises faster than cold dough."),
        ("Dough that is warm seems to rise faster than cold dough.", "Warm dough rises faster than cold dough."),
        ("Every tree makes red fresh in autumn.", "Many trees make red fresh in autumn."),
        ("Trees make red fresh in the autumn.", "Many trees make red fresh in autumn."),
        (
            "A massa morna provavelmente cresce mais depressa que a fria.",
            "A massa morna cresce mais depressa que a fria.",
        ),
    ],
)
def test_a_hedge_that_comes_or_goes_changes_the_fact(sentence: str, fact: str) -> None:
    assert not says_the_fact(sentence, fact, "")


def test_one_word_of_a_kind_may_stand_for_another() -> None:
    assert says_the_fact(
        "In nearly 27 days the Moon goes around the Earth.", "The Moon goes around the Earth in about 27 days.", ""
    )
