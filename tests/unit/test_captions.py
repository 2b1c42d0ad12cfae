from __future__ import annotations

import itertools
import re

import pysubs2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.timeline import Span, TimedSentence, TimedWord, Timeline
from pipeline.media.captions import GAP_SECONDS, LONGEST_SECONDS, SHORTEST_SECONDS, Cue, cues, reading, srt, vtt
from pipeline.media.line_breaks import characters, parting_cost
from tests.unit.sound import shown, spoken

ENGLISH = """\
The Moon is the Earth's only natural satellite.|It is about 384,400 kilometres away, and its light reaches us in \
little more than a second!|Why does it always show us the same face?|Because it turns once on its axis in exactly \
the time that it takes to travel once around us.|Dr. Jane Goodall had been watching the chimpanzees of Gombe for many \
years before she could describe how they used tools; nobody had believed her at first.
The tides, which rise and fall twice a day, are raised by the Moon's pull on the oceans.|Stop!|Peter Piper picked it.

Apollo 11 landed there in 1969, and the astronauts brought home 21 kilograms of rock."""
PORTUGUESE = """\
A Lua é o único satélite natural da Terra.|Fica a cerca de 384 400 quilómetros, e a sua luz chega até nós em pouco \
mais de um segundo!|Porque roda uma vez sobre o seu eixo exatamente no tempo que demora a dar uma volta à nossa \
volta.|As marés, que sobem e descem duas vezes por dia, são causadas pela atração da Lua sobre os oceanos, e acabam \
por travar a rotação da Terra."""


def texts(timeline: Timeline, language: str = "en") -> list[tuple[str, ...]]:
    return [cue.lines for cue in cues(timeline, language)]


def edges(made: list[tuple[str, ...]]) -> list[tuple[str, str]]:
    """The words on both sides of every end of a line within a sentence."""
    lines = [line.split() for lines in made for line in lines]
    return [(one[-1], other[0]) for one, other in itertools.pairwise(lines) if not one[-1].endswith((".", "!", "?"))]


# -- which words stand together ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("It is late.", [("It is late.",)]),
        (
            "Apollo 11 landed there in 1969, and the astronauts brought home 21 kilograms of rock.",
            [
                ("Apollo 11 landed there in 1969,",),
                ("and the astronauts brought", "home 21 kilograms of rock."),
            ],
        ),
        (
            "It is far away, and its light reaches us in little more than a second!",
            [("It is far away, and its light reaches us", "in little more than a second!")],
        ),
        (
            "She had always wanted to live by the sea because it was quiet.",
            [("She had always wanted to live by the sea", "because it was quiet.")],
        ),
    ],
)
def test_a_sentence_is_cut_where_it_reads_well(sentence: str, expected: list[tuple[str, ...]]) -> None:
    assert texts(spoken(sentence)) == expected


@pytest.mark.parametrize(("text", "language"), [(ENGLISH, "en"), (PORTUGUESE, "pt-PT")])
def test_what_belongs_together_is_not_parted(text: str, language: str) -> None:
    primary = language.split("-")[0]
    parted = edges(texts(spoken(text), language))

    assert parted
    assert [pair for pair in parted if parting_cost(*pair, primary) >= 20] == []


@pytest.mark.parametrize(
    ("language", "worse", "better"),
    [
        ("en", ("the", "moon"), ("moon", "rises")),
        ("en", ("had", "been"), ("moon", "rises")),
        ("en", ("Jane", "Goodall"), ("moon", "rises")),
        ("en", ("Dr.", "Goodall"), ("said.", "Goodall")),
        ("en", ("21", "kilograms"), ("moon", "rises")),
        ("en", ("Apollo", "11"), ("moon", "rises")),
        ("en", ("of", "rock"), ("kilograms", "of")),
        ("en", ("moon", "rises"), ("moon", "because")),
        ("en", ("moon", "because"), ("moon,", "because")),
        ("en", ("moon,", "because"), ("moon;", "because")),
        ("pt", ("a", "lua"), ("lua", "sobe")),
        ("pt", ("da", "Terra"), ("rotação", "da")),
        ("pt", ("foi", "vista"), ("lua", "sobe")),
        ("pt", ("Dra.", "Ana"), ("lua", "sobe")),
        ("pt", ("lua", "sobe"), ("lua", "porque")),
        ("fi", ("12", "kuuta"), ("kuu", "nousee")),
        ("fi", ("kuu", "nousee"), ("kuu,", "nousee")),
    ],
)
def test_one_place_is_better_than_another(language: str, worse: tuple[str, str], better: tuple[str, str]) -> None:
    assert parting_cost(*worse, language) > parting_cost(*better, language)


def test_a_capital_is_no_name_at_the_start_of_a_sentence_nor_in_german() -> None:
    assert parting_cost("Yesterday", "Goodall", "en", opens_sentence=True) < parting_cost("Jane", "Goodall", "en")
    assert parting_cost("Haus", "Garten", "de") < parting_cost("Haus", "Garten", "en")


def test_short_sentences_of_a_paragraph_share_a_caption_and_those_of_two_do_not() -> None:
    assert texts(spoken("Stop!|Come here.")) == [("Stop! Come here.",)]
    assert texts(spoken("Stop!\nCome here.")) == [("Stop!",), ("Come here.",)]
    assert texts(spoken("Stop!\n\nCome here.")) == [("Stop!",), ("Come here.",)]


def test_a_pause_of_the_speaker_draws_a_break() -> None:
    words = [f"word{number:02}" for number in range(8)]

    def timeline(pause_before: int) -> Timeline:
        at, timed = 0.0, []
        for number, word in enumerate(words):
            at += 0.5 if number == pause_before else 0.0
            timed.append(TimedWord(word, Span(at, at + 0.45)))
            at += 0.45
        return Timeline((TimedSentence(tuple(timed), Span(0, at), 0, ends_paragraph=True),), (), at + 1)

    for pause_before in (3, 4, 5):
        starts = {line.split()[0] for lines in texts(timeline(pause_before)) for line in lines}
        assert words[pause_before] in starts


def test_a_word_longer_than_a_line_stands_alone_on_its_line() -> None:
    address = "https://example.org/an/address/that/fits/nowhere/on/one/line.html"
    made = texts(spoken(f"More about it is written at {address} for whoever wants to know."))

    assert (address,) in [tuple(line.split()) for lines in made for line in lines]


def test_chinese_and_japanese_are_cut_between_characters() -> None:
    sentence = "月球是地球唯一的天然卫星，它距离我们大约三十八万四千公里，它的光只需一秒多一点就能到达这里。"
    made = texts(spoken(sentence, per_second=4.5), "zh-CN")

    assert "".join(line for lines in made for line in lines) == sentence
    assert all(len(line) <= 16 for lines in made for line in lines)
    assert [line for lines in made for line in lines if line[0] in "，。"] == []
    assert characters("「GPU」を２つ、使った。") == ["「GPU」", "を", "２", "つ、", "使っ", "た。"]


# -- when they are shown -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "language"), [(ENGLISH, "en"), (PORTUGUESE, "pt-PT")])
def test_captions_of_a_real_text_keep_all_the_rules(text: str, language: str) -> None:
    for cue in cues(spoken(text), language):
        assert len(cue.lines) <= 2
        assert max(map(len, cue.lines)) <= 42
        assert SHORTEST_SECONDS - 0.002 <= cue.span.seconds <= LONGEST_SECONDS
        assert len(" ".join(cue.lines)) / cue.span.seconds <= 17.5


def test_a_caption_stays_as_long_as_reading_takes_and_no_longer() -> None:
    slow, quick = (cues(spoken("Come here.\nGo there.", per_second=rate, pause=2), "en")[0] for rate in (5, 40))

    assert slow.span == Span(0.25, 2.45)
    assert quick.span.start == 0.25
    assert quick.span.seconds == pytest.approx(SHORTEST_SECONDS, abs=0.001)


def test_a_caption_leaves_before_the_next_one_comes() -> None:
    for one, other in itertools.pairwise(cues(spoken(ENGLISH), "en")):
        assert other.span.start - one.span.end >= GAP_SECONDS - 0.001


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    """Words of all lengths at all speeds, some of them silent, in sentences, paragraphs and segments."""
    word = st.text(alphabet="abcdeXYZ19,.;'é", min_size=1, max_size=50) | st.sampled_from(
        ["the", "and", "—", "Ana", "a"]
    )
    at = draw(st.floats(0, 1))
    segment = 0
    sentences = []
    for _ in range(draw(st.integers(1, 6))):
        words = []
        for text in draw(st.lists(word, min_size=1, max_size=25)):
            seconds = 0.0 if text == "—" else draw(st.floats(0.03, 1.2))
            words.append(TimedWord(text, Span(at, at + seconds)))
            at += seconds + draw(st.sampled_from([0.0, 0.0, 0.0, 0.2]))
        ends = draw(st.booleans())
        sentences.append(TimedSentence(tuple(words), Span(words[0].span.start, words[-1].span.end), segment, ends))
        at += draw(st.sampled_from([0.0, 0.35, 1.2]))
        segment += draw(st.integers(0, 1))
    return Timeline(tuple(sentences), (), at + 0.6)


@given(timelines(), st.sampled_from(["en", "pt-BR", "fi"]))
def test_every_word_is_in_one_caption_and_no_two_captions_meet(timeline: Timeline, language: str) -> None:
    made = cues(timeline, language)

    assert " ".join(" ".join(cue.lines) for cue in made).split() == shown(timeline.sentences)
    for one, other in itertools.pairwise(made):
        assert one.span.start < one.span.end
        assert one.span.end <= other.span.start or other.span.start - one.span.start <= 0.001
    assert made[-1].span.end <= timeline.seconds + 0.001


@given(timelines())
def test_captions_begin_with_their_words_and_hold_two_lines_of_the_allowed_length(timeline: Timeline) -> None:
    words = [(word, sentence) for sentence in timeline.sentences for word in sentence.words]
    place = 0
    for cue in cues(timeline, "en"):
        held = words[place : place + len(" ".join(cue.lines).split())]
        place += len(held)

        assert cue.span.start == pytest.approx(held[0][0].span.start, abs=0.0006)
        assert len({sentence.segment for _, sentence in held}) == 1
        assert len(cue.lines) <= 2
        assert all(len(line) <= 42 or " " not in line for line in cue.lines)
        spoken_until = held[-1][0].span.end
        readable = max(SHORTEST_SECONDS, len(" ".join(cue.lines)) / 17)
        assert cue.span.end <= max(spoken_until, cue.span.start + readable) + 0.002
        if len(held) > 1:
            assert cue.span.seconds <= LONGEST_SECONDS + 0.002


# -- the files ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["srt", "vtt"])
def test_what_is_written_is_read_back(form: str) -> None:
    made = cues(spoken(ENGLISH), "en")
    written = srt(made) if form == "srt" else vtt(made, language="en", title="The Moon")
    found = pysubs2.SSAFile.from_string(written, format_=form)

    assert [event.plaintext for event in found] == ["\n".join(cue.lines) for cue in made]
    assert [(event.start, event.end) for event in found] == [
        (round(cue.span.start * 1000), round(cue.span.end * 1000)) for cue in made
    ]


def test_webvtt_is_as_the_standard_has_it() -> None:
    made = (Cue(Span(0.25, 2.5), ("If a < b & b > c,", "then --> stop.")), Cue(Span(3661.007, 3662), ("End.",)))

    assert vtt(made, language="pt-BR", title="Mars --> Moon") == (
        "WEBVTT - Mars → Moon\n\nNOTE Language: pt-BR\n\n"
        "1\n00:00:00.250 --> 00:00:02.500\nIf a &lt; b &amp; b &gt; c,\nthen --&gt; stop.\n\n"
        "2\n01:01:01.007 --> 01:01:02.000\nEnd.\n"
    )


def test_subrip_takes_no_text_for_markup() -> None:
    (block,) = srt((Cue(Span(0, 1), ("<b> {\\an8} a --> b,", "1 < 2 {x}")),)).split("\n\n")[:1]

    assert not re.search(r"<b>|\{\\|-->", block.split("\n", 2)[2])
    assert block.replace("\u2060", "").endswith("<b> {\\an8} a --> b,\n1 < 2 {x}")


def test_no_words_are_no_captions() -> None:
    nothing = cues(Timeline((), (), 1.0), "en")

    assert nothing == ()
    assert vtt(nothing, language="en") == "WEBVTT\n\nNOTE Language: en\n"
    assert srt(nothing) == ""


def test_limits_follow_the_language() -> None:
    assert reading("en-GB").line_characters == 42
    assert reading("ko").line_characters == 16
    assert reading("zh-Hant").by_characters
