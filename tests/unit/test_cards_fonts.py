"""Letters: the bundled fonts have what they are said to have, and nothing is ever set as an empty box."""

from __future__ import annotations

import io
import struct
from contextlib import suppress
from hashlib import sha256
from importlib.resources import files
from random import Random

import pytest
from PIL import ImageFont

from pipeline.errors import EngineRefused, InputError
from pipeline.media.cards.coverage import characters_of
from pipeline.media.cards.font_file import FontFile
from pipeline.media.cards.lettering import BUNDLED, ITALIC, SANS, SERIF, TEXT, Typecase, bundled

# In the order of their languages: English, Portuguese, Spanish, French, German, Polish, Czech, Turkish, Romanian,
# Hungarian, Icelandic, Vietnamese, Greek, Russian, Ukrainian, Serbian.
SPOKEN = (
    "The quick brown fox",
    "À noite, vovô Kowalsky vê o ímã cair no pé do pinguim queixoso; ação, coração, você, três, às",
    "¿Qué año? ¡Niño!",
    "Œuvre, façade, où, naïf",
    "Straße, Übung, Öl, Äpfel, GROẞ",
    "Zażółć gęślą jaźń",
    "Příliš žluťoučký kůň",
    "Şişli, İstanbul, ığdır",
    "Țară, științe",
    "Árvíztűrő tükörfúrógép",
    "Þórður, ævi, ég",
    "Tiếng Việt, Phở, ngày mười bảy",
    "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία, άέήίόύώϊϋΐΰ",
    "Съешь же ещё этих мягких французских булок",
    "Їжак, ґанок, єдність",
    "Љубав, ћевап, ђак, џеп",
    "0123456789 – — … “ ” ‘ ’ « » „ ‹ › • · € £ $ ¥ ₽ % ‰ ° × ÷ − ± ≤ ≥ ≠ ½ ¼ ¾ № © ® ™ → ² ³",
)


@pytest.mark.parametrize("text", SPOKEN)
def test_there_is_a_glyph_for_every_letter(text: str) -> None:
    typecase = Typecase("en")

    assert typecase.missing(text) == ""
    for face in (SERIF, SANS, TEXT, ITALIC):
        assert typecase.ink(text, face, 40).mask.getbbox() is not None


@pytest.mark.parametrize("name", BUNDLED)
def test_what_a_font_is_said_to_have_is_no_empty_box(name: str) -> None:
    font = ImageFont.truetype(io.BytesIO(bundled(name).data), 48)
    box = bytes(font.getmask("\U0010fffd"))
    marked = set("".join(SPOKEN)) & {chr(code) for code in characters_of(bundled(name).data, where=name)} - {" "}

    assert box
    assert len(marked) > 200
    assert not [character for character in marked if bytes(font.getmask(character)) == box]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("月はなぜ", "CJK UNIFIED IDEOGRAPH-6708"),
        ("القمر", "ARABIC LETTER ALEF"),
        ("הירח", "HEBREW LETTER HE"),
        ("चाँद", "DEVANAGARI LETTER CA"),
        ("Ready 月", "CJK UNIFIED IDEOGRAPH-6708"),
    ],
)
def test_a_letter_that_no_font_has_is_an_error_that_names_it(text: str, said: str) -> None:
    with pytest.raises(EngineRefused) as caught:
        Typecase("en").width(text, SERIF)

    assert said in str(caught.value)
    assert "config/pictures.toml" in caught.value.hint


def test_another_face_steps_in_for_a_letter_that_the_first_has_not() -> None:
    # The serif has no IPA; the sans has.
    serif, sans = (characters_of(bundled(name).data, where=name) for name in (SERIF, SANS))
    only = chr(min(code for code in sans - serif if chr(code).isalpha() and code > 0x24F))

    assert Typecase("en").width(f"a{only}a", SERIF) > Typecase("en").width("aa", SERIF)


def test_a_font_of_ones_own_is_asked_last(tmp_path: object) -> None:
    # A font that has what the bundled ones lack: the bundled one, its letters moved to where Hebrew stands.
    data = _with_characters_moved(bundled(SERIF).data, "A", "א")
    own = FontFile("own.ttf", data)

    typecase = Typecase("he", (own,))
    assert typecase.missing("א") == ""
    assert typecase.width("א", SERIF) == pytest.approx(Typecase("en").width("A", SERIF))
    assert Typecase("he", (own,)).ink("A", SERIF, 30).mask == Typecase("he").ink("A", SERIF, 30).mask


def _with_characters_moved(font: bytes, from_: str, to: str) -> bytes:
    """A copy of the font whose format 12 table gives `to` the glyph that `from_` has, and knows nothing else."""
    plain = ImageFont.truetype(io.BytesIO(font), 20)
    assert plain.getlength(from_)
    glyph = _glyph_of(font, ord(from_))
    table = struct.pack(">HHHHI", 0, 1, 3, 10, 12) + struct.pack(">HHIII", 12, 0, 28, 0, 1)
    table += struct.pack(">III", ord(to), ord(to), glyph)
    (count,) = struct.unpack_from(">H", font, 4)
    changed = bytearray(font)
    for index in range(count):
        tag, check, _, _ = struct.unpack_from(">4sIII", font, 12 + 16 * index)
        if tag == b"cmap":
            struct.pack_into(">4sIII", changed, 12 + 16 * index, tag, check, len(font), len(table))
    return bytes(changed) + table


def _glyph_of(font: bytes, code: int) -> int:
    (count,) = struct.unpack_from(">H", font, 4)
    start = next(
        struct.unpack_from(">I", font, 12 + 16 * index + 8)[0]
        for index in range(count)
        if font[12 + 16 * index : 16 + 16 * index] == b"cmap"
    )
    (tables,) = struct.unpack_from(">H", font, start + 2)
    for index in range(tables):
        at = start + struct.unpack_from(">I", font, start + 8 + 8 * index)[0]
        if struct.unpack_from(">H", font, at)[0] != 4:
            continue
        segments = struct.unpack_from(">H", font, at + 6)[0] // 2
        ends = struct.unpack_from(f">{segments}H", font, at + 14)
        number = next(n for n, end in enumerate(ends) if end >= code)
        first, delta, offset = (
            struct.unpack_from(">H", font, at + 16 + part * 2 * segments + 2 * number)[0] for part in (1, 2, 3)
        )
        place = at + 16 + 6 * segments + 2 * number
        if not offset:
            return int((code + delta) & 0xFFFF)
        return int(struct.unpack_from(">H", font, place + offset + 2 * (code - first))[0])
    raise AssertionError("no format 4 table")


def _font_with(cmap: bytes) -> bytes:
    """A font that has a table of characters, and nothing else."""
    return struct.pack(">IHHHH", 0x00010000, 1, 0, 0, 0) + struct.pack(">4sIII", b"cmap", 0, 28, len(cmap)) + cmap


def _many_tables(count: int) -> bytes:
    """As many times the same table as a font may name, which has every character there is."""
    named = struct.pack(">HHI", 3, 10, 4 + 8 * count) * count
    whole = struct.pack(">HHIII", 12, 0, 28, 0, 1) + struct.pack(">III", 1, 0x10FFFF, 1)
    return struct.pack(">HH", 0, count) + named + whole


def _overlapping_groups(count: int) -> bytes:
    named = struct.pack(">HHHHI", 0, 1, 3, 10, 12)
    groups = struct.pack(">III", 1, 0x10FFFF, 1) * count
    return named + struct.pack(">HHIII", 12, 0, 16 + 12 * count, 0, count) + groups


def _overlapping_segments(count: int) -> bytes:
    named = struct.pack(">HHHHI", 0, 1, 3, 1, 12)
    head = struct.pack(">HHHHHHH", 4, 0, 0, 2 * count, 0, 0, 0)
    ends, firsts = struct.pack(">H", 0xFFFE) * count, struct.pack(">H", 1) * count
    return named + head + ends + b"\0\0" + firsts + b"\0\1" * count + b"\0\0" * count


def test_a_table_that_a_font_names_a_thousand_times_is_read_once() -> None:
    assert len(characters_of(_font_with(_many_tables(65_535)), where="x.ttf")) == 0x10FFFF


@pytest.mark.parametrize("cmap", [_overlapping_groups(100_000), _overlapping_segments(16_000)])
def test_a_few_kilobytes_that_claim_a_billion_characters_are_no_font(cmap: bytes) -> None:
    with pytest.raises(InputError, match="no TrueType or OpenType font"):
        characters_of(_font_with(cmap), where="x.ttf")


@pytest.mark.parametrize("seed", range(60))
def test_a_damaged_font_gives_letters_or_a_reason(seed: int) -> None:
    """Whatever is flipped in it: letters of a letter's size, or an error that is named."""
    random = Random(seed)
    data = bytearray(_with_characters_moved(bundled(SERIF).data, "A", "א"))
    tables = 12 + 16 * struct.unpack_from(">H", data, 4)[0]
    for _ in range(random.choice([1, 8, 200])):
        place = random.choice([random.randrange(tables), random.randrange(len(data))])
        data[place] = random.randrange(256)
    with suppress(EngineRefused, InputError):
        mask = Typecase("he", (FontFile("own.ttf", bytes(data)),)).ink("אA", SERIF, 30).mask
        assert max(mask.size) < 2_000


@pytest.mark.parametrize("data", [b"", b"not a font", b"\x00\x01\x00\x00" + b"\xff" * 40, b"ttcf"])
def test_what_is_no_font_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(InputError, match="no TrueType or OpenType font"):
        characters_of(data, where="x.ttf")


def test_the_fonts_are_few_and_their_licences_lie_beside_them() -> None:
    folder = files("pipeline.media.cards") / "fonts"
    names = {entry.name for entry in folder.iterdir()}

    assert names == {f"{name}.ttf" for name in BUNDLED} | {"cards-serif.OFL.txt", "cards-sans.OFL.txt", "README.md"}
    assert sum(len(bundled(name).data) for name in BUNDLED) < 1_500_000
    assert all("SIL Open Font License" in (folder / f"cards-{kind}.OFL.txt").read_text() for kind in ("serif", "sans"))
    assert bundled(SERIF).digest == sha256(bundled(SERIF).data).hexdigest()
    # The source's name is reserved: a changed font must not carry it.
    assert all("Source" not in str(ImageFont.truetype(io.BytesIO(bundled(n).data)).getname()) for n in BUNDLED)
