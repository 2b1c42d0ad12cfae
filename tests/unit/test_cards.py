"""Cards as they are printed: legible on every pixel, clear of edges and captions, the same for the same request."""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.engines.cards import Cards, read_fonts
from pipeline.errors import EngineRefused, SettingsError
from pipeline.media.cards.artwork import KINDS
from pipeline.media.cards.card import Card, Kind, number_and_unit
from pipeline.media.cards.layouts import LAYOUTS, LOWEST, Shape, shape_of
from pipeline.media.cards.palette import LEAST_CONTRAST, Scheme, contrast, luminance, oklch, palette_of
from pipeline.media.cards.press import Proof, printed, proof
from pipeline.ports import Illustrator, PictureRequest

WIDE, TALL, SQUARE = (512, 288), (360, 640), (420, 420)
TITLES = (
    ("Why the sky is blue", "en"),
    ("A história do café e do pão", "pt-BR"),
    ("Γιατί η θάλασσα είναι αλμυρή", "el"),
    ("Почему небо голубое", "ru"),
    ("Yes", "en"),
    ("An account of the whole long history of the lighthouse keepers of the northern islands, 1790–1998", "en"),
    ("Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft", "de"),
    ("“Quoted”, (bracketed) & 100 % sure?", "en"),
    ("jeg går fjernt — ÄÖÜ ÇĞ Ậ", "no"),
)


def _cards() -> Iterator[Card]:
    """Every kind in every shape and layout, over all titles."""
    for number, (title, language) in enumerate(TITLES * 2):
        heading = TITLES[(number + 3) % len(TITLES)][0]
        for size in (WIDE, TALL, SQUARE) if number < len(TITLES) else (WIDE,):
            card = Card(*size, seed=number, title=title, heading=heading, language=language, segments=4)
            yield card
            yield replace(card, number=1 + number % 4)
            if number % 3 == 0:
                said = "The Moon is about 384,000 kilometres away, and moves away by 4 centimetres a year."
                yield replace(card, number=2, figure="384,000 kilometres", sentence=said)
                yield replace(card, number=3, sentence=said)
                yield replace(card, number=5, heading="")


@pytest.fixture(scope="module")
def proofs() -> list[Proof]:
    return [proof(card) for card in _cards()]


def test_every_layout_artwork_scheme_and_kind_is_among_those_looked_at(proofs: list[Proof]) -> None:
    assert {one.layout for one in proofs} == set(LAYOUTS)
    assert {one.card.kind for one in proofs} == set(Kind)
    assert len({one.artwork for one in proofs}) >= 5
    assert len({one.palette.scheme for one in proofs}) >= 3


def _linear(pixels: np.ndarray) -> np.ndarray:
    """Relative luminance of each pixel, as WCAG 2.2 defines it."""
    levels = pixels.astype(np.float64) / 255
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    return np.asarray(linear @ np.array([0.2126, 0.7152, 0.0722]))


def test_letters_stand_out_from_every_pixel_they_stand_on(proofs: list[Proof]) -> None:
    for one in proofs:
        under = np.asarray(one.backdrop)
        for line in one.composition.lines:
            left, top, right, bottom = line.box
            ground = _linear(under[top:bottom, left:right])
            ink = luminance(one.ink(line.colour))
            lighter, darker = np.maximum(ground, ink), np.minimum(ground, ink)
            assert ((lighter + 0.05) / (darker + 0.05)).min() >= LEAST_CONTRAST, (one.card, one.layout, one.artwork)


def test_letters_keep_clear_of_the_edges_and_of_captions(proofs: list[Proof]) -> None:
    for one in proofs:
        wide, high = one.card.width, one.card.height
        changed = np.any(np.asarray(one.picture()) != np.asarray(one.backdrop), axis=2)
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        assert rows.size, one.card
        assert columns[0] >= 0.06 * wide, (one.card, one.layout)
        assert columns[-1] < 0.94 * wide, (one.card, one.layout)
        assert rows[0] >= 0.06 * high, (one.card, one.layout)
        assert rows[-1] < (LOWEST[shape_of(wide, high)] + 0.012) * high, (one.card, one.layout)
        if shape_of(wide, high) is not Shape.SQUARE:
            assert rows[-1] < 0.82 * high


def test_lines_do_not_run_into_each_other(proofs: list[Proof]) -> None:
    for one in proofs:
        whole = np.zeros((one.card.height, one.card.width), np.int32)
        for line in one.composition.lines:
            left, top, right, bottom = line.box
            whole[top:bottom, left:right] += np.asarray(line.ink.mask) > 128
        # A descender may touch an accent below it, no more.
        assert (whole > 1).sum() <= 0.002 * (whole > 0).sum(), (one.card, one.layout)


def test_only_what_is_far_too_long_is_cut(proofs: list[Proof]) -> None:
    assert not [one.composition.cut for one in proofs if one.composition.cut]

    endless = Card(*WIDE, seed=1, title="word " * 300)
    made = proof(endless)
    assert made.composition.cut
    assert printed(endless).cut == made.composition.cut


def test_the_same_request_gives_the_same_bytes_and_another_seed_another_card() -> None:
    card = Card(*WIDE, seed=1, title="Why the sky is blue", heading="Short waves", number=1, segments=3)

    assert printed(card) == printed(card)
    made = [proof(replace(card, seed=seed)) for seed in range(16)]
    assert len({one.layout for one in made}) >= 5
    assert len({printed(replace(card, seed=seed)).png for seed in range(16)}) == 16
    # Whatever the seed, it is the same episode.
    assert len({(one.palette.hue, one.palette.scheme, one.artwork) for one in made}) == 1


def test_the_png_is_of_the_size_asked_for_and_holds_nothing_but_pixels() -> None:
    for size in ((1280, 720), (1080, 1920), (1400, 1400), (64, 64), (256, 64), (333, 777)):
        png = printed(Card(*size, seed=3, title="The Moon", heading="Tides", number=1, segments=2)).png
        with Image.open(io.BytesIO(png)) as image:
            assert (image.size, image.mode, image.format) == (size, "RGB", "PNG")
            assert image.info == {}
        assert png[12:16] == b"IHDR"
        assert not any(chunk in png[:100] for chunk in (b"tIME", b"tEXt", b"pHYs"))


def test_a_cover_of_3000_pixels_is_the_same_picture_as_a_small_one() -> None:
    small, large = (
        np.asarray(proof(Card(side, side, seed=2, title="The dawn chorus")).picture().resize((150, 150)), np.int16)
        for side in (600, 3000)
    )

    assert np.abs(small - large).mean() < 4


def test_titles_have_colours_of_their_own() -> None:
    titles = [f"Topic {number}" for number in range(96)]
    made = [Cards().draw(PictureRequest("", width=64, height=64, title=title)).png for title in titles[:12]]
    assert len(set(made)) == 12

    proofs = [proof(Card(64, 64, seed=0, title=title)) for title in titles]
    hues = sorted(one.palette.hue for one in proofs)
    assert max(after - before for before, after in pairwise(hues)) < 30
    assert min(Counter(one.palette.scheme for one in proofs).values()) > 10
    assert min(Counter(one.artwork for one in proofs).values()) > 3
    assert {one.artwork for one in proofs} == set(KINDS)


@pytest.mark.parametrize("scheme", Scheme)
def test_every_hue_is_legible_in_every_scheme(scheme: Scheme) -> None:
    for hue in range(0, 360, 15):
        found = palette_of("A title", hue, scheme)
        last = round(found.quiet * (len(found.ramp) - 1))
        for ink in (found.ink, found.soft, found.accent):
            assert contrast(ink, found.ground) >= LEAST_CONTRAST
            assert min(contrast(ink, colour) for colour in found.ramp[: last + 1]) >= LEAST_CONTRAST
        assert (luminance(found.ground) < 0.1) == scheme.dark
        assert contrast(found.ramp[-1], found.ground) > 3


def test_oklch_is_what_css_says_it_is() -> None:
    # CSS Color 4's own examples, and the ends.
    assert oklch(1, 0, 0) == (255, 255, 255)
    assert oklch(0, 0, 0) == (0, 0, 0)
    assert oklch(0.62796, 0.25768, 29.234) == (255, 0, 0)
    assert oklch(0.86644, 0.29483, 142.495) == (0, 255, 0)
    assert oklch(0.45201, 0.31321, 264.052) == (0, 0, 255)
    assert contrast((255, 255, 255), (0, 0, 0)) == pytest.approx(21)


@pytest.mark.parametrize(
    ("card", "kind"),
    [
        (Card(700, 700, 0, "T"), Kind.COVER),
        (Card(640, 360, 0, "T"), Kind.TITLE),
        (Card(640, 360, 0, "T", "H", 1, 2), Kind.SEGMENT),
        (Card(640, 360, 0, "T", "H", 1, 2, figure="3 days", sentence="It took 3 days."), Kind.FIGURE),
        (Card(640, 360, 0, "T", "H", 1, 2, sentence="It took days."), Kind.QUOTE),
        (Card(640, 360, 0, "T", "", 3, 2), Kind.CLOSING),
        (Card(640, 360, 0, "T", "H", 1), Kind.SEGMENT),
    ],
)
def test_what_is_said_makes_the_kind(card: Card, kind: Kind) -> None:
    assert card.kind is kind
    assert proof(card).composition.lines


@pytest.mark.parametrize(
    ("figure", "parts"),
    [
        ("384,000 kilometres", ("384,000", "kilometres")),
        ("3,2 milhões de toneladas", ("3,2", "milhões de toneladas")),
        ("78%", ("78%", "")),
        ("US$ 5 million", ("US$ 5", "million")),
        ("many", ("many", "")),
    ],
)
def test_a_figure_is_shown_apart_from_its_unit(figure: str, parts: tuple[str, str]) -> None:
    assert number_and_unit(figure) == parts


# -- as an illustrator ---------------------------------------------------------------------------------------------


def test_cards_are_an_illustrator_that_reads_no_prompts() -> None:
    cards: Illustrator = Cards()
    cards.check()

    told = cards.describe()
    assert (told.engine, told.reads_prompts, told.size_step) == ("cards", False, 1)
    assert told == Cards().describe()
    assert {"pillow", "freetype", "raqm", "numpy"} <= told.details.keys()


def test_the_digest_tells_a_scheme_and_a_font_apart() -> None:
    from pipeline.media.cards.lettering import SERIF, bundled

    digests = {
        cards.describe().digest
        for cards in (Cards(), Cards(scheme=Scheme.NIGHT), Cards(scheme=Scheme.PAPER), Cards(fonts=[bundled(SERIF)]))
    }
    assert len(digests) == 4


def test_a_prompt_changes_nothing_and_words_change_the_card() -> None:
    request = PictureRequest("a lighthouse", width=320, height=180, title="The sea", heading="Light", number=1, seed=7)
    cards = Cards()

    assert cards.draw(request) == cards.draw(replace(request, prompt="a harbour", negative="fog", steps=3))
    assert cards.draw(request).png != cards.draw(replace(request, heading="Storms")).png
    assert cards.draw(request).seed == 7


def test_a_scheme_is_kept_to() -> None:
    request = PictureRequest("", width=320, height=180, title="The sea")
    night, paper = (
        np.asarray(Image.open(io.BytesIO(Cards(scheme=scheme).draw(request).png)).convert("L")).mean()
        for scheme in (Scheme.NIGHT, Scheme.PAPER)
    )
    assert night < 110 < 160 < paper


def test_what_could_not_be_shown_is_told() -> None:
    request = PictureRequest("", width=320, height=180, title="🌙 The Moon", heading="word " * 200, number=1)
    details = Cards().draw(request).details

    assert details["left out"] == "🌙"
    assert details["cut"].startswith("word word")


@pytest.mark.parametrize("size", [(63, 64), (5000, 3000), (2000, 300), (0, 100)])
def test_a_size_that_is_none_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(EngineRefused, match="it cannot draw"):
        Cards().draw(PictureRequest("", width=size[0], height=size[1], title="T"))


@pytest.mark.parametrize("title", ["月はなぜ光るのか", "لماذا السماء زرقاء", "למה השמיים כחולים"])
def test_a_text_that_no_font_has_is_left_out_and_said(title: str) -> None:
    pixels = set()
    for seed in range(8):
        made = Cards().draw(PictureRequest("", width=320, height=180, title=title, seed=seed))
        assert "have no letter" in made.details["without letters"]
        assert "config/pictures.toml" in made.details["without letters"]
        image = Image.open(io.BytesIO(made.png)).convert("RGB")
        assert image.size == (320, 180)
        assert len(image.getcolors(1 << 16) or []) > 3  # artwork, and no bare plate
        pixels.add(made.png)
    assert len(pixels) > 4


def test_a_title_of_pictographs_alone_is_a_card_without_words() -> None:
    for seed in range(12):
        made = Cards().draw(PictureRequest("", width=160, height=90, title="🌙🚀", seed=seed))
        assert made.details["left out"] == "🌙 🚀"


def test_fonts_that_cannot_be_read_are_all_reported(tmp_path: Path) -> None:
    (tmp_path / "text.ttf").write_text("no font")
    with pytest.raises(SettingsError) as caught:
        read_fonts([tmp_path / "none.ttf", tmp_path / "text.ttf"])

    assert len(caught.value.problems) == 2


def test_a_font_that_is_no_file_of_a_font_s_size_is_named_and_never_waited_for(tmp_path: Path) -> None:
    pipe, huge, folder = tmp_path / "pipe.ttf", tmp_path / "huge.ttf", tmp_path / "folder.ttf"
    os.mkfifo(pipe)
    folder.mkdir()
    with huge.open("wb") as file:
        file.truncate(65 << 20)
    with pytest.raises(SettingsError) as caught:
        read_fonts([Path("/dev/zero"), pipe, folder, huge, tmp_path / "\0x.ttf"])

    assert caught.value.problems == (
        "/dev/zero: it is no plain file",
        f"{pipe}: it is no plain file",
        f"{folder}: it is no plain file",
        f"{huge}: it is larger than any font (64 MiB)",
        f"{str(tmp_path)!r:.{len(str(tmp_path)) + 1}}/\\x00x.ttf': no file can have this name",
    )
