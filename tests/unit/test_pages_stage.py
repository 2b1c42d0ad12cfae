"""The episode's page is an artifact of what it shows: the same inputs give the same page, and nothing else its key."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Sequence
from typing import Any

import pytest
from PIL import Image

from pipeline.domain.timeline import Chapter, Span, TimedSentence, TimedWord, Timeline
from pipeline.media import page, timeline_file
from pipeline.media.chapters import chapters
from pipeline.media.page.png_size import png_size
from pipeline.stages import pages
from pipeline.text.summary import BRIEF_CHARACTERS, LONGEST_CHARACTERS, brief, summary
from tests.fakes.flows import Memory, MemoryArtifact


def sentence(text: str, start: float, *, segment: int, ends: bool) -> TimedSentence:
    words = tuple(TimedWord(word, Span(start + n / 2, start + n / 2 + 0.4)) for n, word in enumerate(text.split()))
    return TimedSentence(words, Span(start, words[-1].span.end), segment, ends)


TIMELINE = Timeline(
    sentences=(
        sentence("One two.", 0.5, segment=0, ends=False),
        sentence("Three four.", 2.0, segment=0, ends=True),
        sentence("Five.", 4.0, segment=1, ends=True),
    ),
    chapters=(Chapter("First", Span(0.0, 3.5)), Chapter("", Span(3.5, 5.0))),
    seconds=5.0,
)


def test_chapters_have_the_standard_s_shape() -> None:
    assert json.loads(chapters(TIMELINE)) == {
        "version": "1.2.0",
        "chapters": [{"startTime": 0.0, "title": "First"}, {"startTime": 3.5}],
    }


def test_sentences_stand_in_their_chapters_and_paragraphs() -> None:
    picture = page.Picture("1.png", 1280, 720)
    made = pages._chapters(TIMELINE, [picture])
    assert [chapter.picture for chapter in made] == [picture, None]
    assert [len(chapter.paragraphs) for chapter in made] == [1, 1]
    assert made[0].paragraphs[0][1] == page.Line(2.0, (page.Word("Three", 2.0), page.Word("four.", 2.5)))


@pytest.mark.parametrize(
    ("sentences", "title", "expected"),
    [
        (["The sky.", "It is blue.", "It is high."], "The sky", "It is blue. It is high."),
        (["It is blue."], "The sky", "It is blue."),
        (["The sky!"], "The sky", ""),
        ([], "The sky", ""),
        (["a" * 200 + ".", "b" * 200 + "."], "x", "a" * 200 + "."),
    ],
)
def test_a_summary_is_the_first_sentences_without_the_title(sentences: list[str], title: str, expected: str) -> None:
    assert summary(sentences, title) == expected


@pytest.mark.parametrize(
    ("whole", "language", "card"),
    [
        ("It is short.", "en", "It is short."),
        ("Dr. Smith rose at six. " + "The log tells of wind and rain, and of a cook who sang. " * 4, "en",
         "Dr. Smith rose at six. " + "The log tells of wind and rain, and of a cook who sang. " * 2),
        ("O Sr. João saiu às seis. " + "O diário fala do vento, da chuva e de um cozinheiro que cantava. " * 4, "pt-BR",
         "O Sr. João saiu às seis. " + "O diário fala do vento, da chuva e de um cozinheiro que cantava. " * 2),
    ],
)  # fmt: skip
def test_a_card_says_whole_sentences(whole: str, language: str, card: str) -> None:
    assert brief(whole.strip(), language) == card.strip()


def test_one_long_sentence_is_cut_for_a_card_at_a_word_and_says_so_once() -> None:
    made = brief("word and word " * 40, "en")
    assert len(made) <= BRIEF_CHARACTERS + 1
    assert re.fullmatch(r"(word|and)( word| and)*…", made)


def test_half_a_sign_in_a_summary_harms_no_card() -> None:
    assert brief("a\ud800 b. " * 40, "en").startswith("a")


def test_a_sentence_too_long_for_a_summary_is_cut_at_a_word() -> None:
    made = summary(["word, " * 100], "x")
    assert len(made) <= LONGEST_CHARACTERS
    assert re.fullmatch(r"(?:word, )*word…", made)


# -- pictures and films beside the page -----------------------------------------------------------------------------


def png(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height)).save(file, "PNG")
    return file.getvalue()


def shown(name: str, data: bytes) -> pages.Shown:
    return pages.Shown(name, MemoryArtifact(name, {"part": data}), "part")


def html_of(files: Sequence[pages.Shown], *, memory: Memory | None = None, address: str = "", **kwargs: Any) -> str:
    about = pages.About("A day at sea", "en", "Made by a machine.", ("sea",), (("Voice", "amy"),), address)
    programme = MemoryArtifact("programme", {timeline_file.NAME: timeline_file.dump(TIMELINE)})
    made = (memory or Memory()).carry_out(pages.page_of(about, programme, files, **kwargs))
    return made.read(pages.NAME).decode()


def tags_of(html: str, name: str) -> list[dict[str, str]]:
    return [dict(re.findall(r'([a-z]+)="([^"]*)"', found)) for found in re.findall(rf"<{name}\b[^>]*>", html)]


def test_every_picture_has_its_own_size_so_that_nothing_jumps() -> None:
    names = ["picture-01.png", "picture-tall-02.png"]
    files = [shown("cover.png", png(1500, 1500)), shown(names[0], png(768, 432)), shown(names[1], png(1080, 1920))]
    cover, wide, tall = tags_of(html_of(files, pictures=names), "img")
    assert (cover["src"], cover["width"], cover["height"]) == ("cover.png", "1500", "1500")
    assert (wide["src"], wide["width"], wide["height"]) == ("picture-01.png", "768", "432")
    assert (tall["src"], tall["width"], tall["height"], tall["class"]) == (
        "picture-tall-02.png", "1080", "1920", "tall",
    )  # fmt: skip


def test_what_is_no_picture_and_what_is_not_there_is_not_shown() -> None:
    files = [shown("cover.png", b"no picture"), shown("picture-01.png", png(4, 4)[:20])]
    assert tags_of(html_of(files, pictures=["picture-01.png", "picture-02.png"]), "img") == []


@pytest.mark.parametrize(
    ("films", "expected"),
    [
        (["video.mp4"], ("video.mp4", "1280", "720")),
        (["video-tall.mp4"], ("video-tall.mp4", "1080", "1920")),
        (["video-tall.mp4", "video.mp4"], ("video.mp4", "1280", "720")),
    ],
)
def test_the_film_stands_where_the_picture_is_that_it_begins_with(
    films: list[str], expected: tuple[str, str, str]
) -> None:
    files = [shown("picture-01.png", png(64, 36)), *(shown(name, b"film") for name in films)]
    html = html_of(files, pictures=["picture-01.png"])
    (film,) = tags_of(html, "video")
    assert (film["src"], film["width"], film["height"]) == expected
    assert film["poster"] == "picture-01.png"
    assert tags_of(html, "img") == []
    assert {name for name in films if f'href="{name}" download' in html} == set(films)


def test_a_preview_of_the_page_has_addresses_only_where_they_are_known() -> None:
    files = [shown("cover.png", png(1500, 1500)), shown("video.mp4", b"film")]
    assert "://" not in html_of(files)
    told = {tag.get("property"): tag["content"] for tag in tags_of(html_of(files), "meta") if "content" in tag}
    assert told["og:title"] == "A day at sea"
    assert told["og:description"] == "One two. Three four. Five."
    html = html_of(files, address="https://example.org/podcast/sea")
    assert 'property="og:image" content="https://example.org/podcast/sea/cover.png"' in html
    assert 'property="og:video" content="https://example.org/podcast/sea/video.mp4"' in html


def test_the_page_says_that_a_machine_made_it() -> None:
    assert "Made by a machine." in html_of([])


def test_a_page_is_made_anew_when_a_picture_changes_and_not_otherwise() -> None:
    memory = Memory()
    for data in (png(4, 4), png(4, 4), png(4, 8)):
        html_of([shown("picture-01.png", data)], memory=memory, pictures=["picture-01.png"])
    assert len(memory.made) == 2


@pytest.mark.parametrize("data", [b"", b"\x89PNG", png(3, 5)[:23], b"\xff\xd8\xff" + png(3, 5)])
def test_what_is_no_png_has_no_size(data: bytes) -> None:
    assert png_size(data) is None
    assert png_size(png(3, 5)[:24]) == (3, 5)
