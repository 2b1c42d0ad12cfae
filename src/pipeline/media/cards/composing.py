"""The card's words, set: what is read first, second and third, in which face and size, and where each line stands.

Sizes are in shares of the shorter side. Each text has a largest size, which short ones get, and a smallest, which is
legible on a phone; what does not fit at that ends with an ellipsis.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pipeline.media.cards.breaking import ELLIPSIS, Box, Setting, set_text
from pipeline.media.cards.card import Card, Kind, number_and_unit
from pipeline.media.cards.dice import Dice
from pipeline.media.cards.layouts import Align, Layout, Rule, Shape, Stand, shape_of
from pipeline.media.cards.lettering import ITALIC, SANS, SERIF, TEXT, Ink, Typecase
from pipeline.media.cards.wording import wording


class Colour(StrEnum):
    """Which of the palette's inks."""

    INK = "ink"
    SOFT = "soft"
    ACCENT = "accent"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of letters and where it stands. Pixels."""

    ink: Ink
    left: int
    """Of the mask."""
    top: int
    colour: Colour

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom of the mask, which is a pixel or two wider than the ink."""
        return self.left, self.top, self.left + self.ink.mask.width, self.top + self.ink.mask.height


@dataclass(frozen=True, slots=True)
class Bar:
    """A rule: a filled box. Pixels."""

    box: tuple[float, float, float, float]
    colour: Colour


@dataclass(frozen=True, slots=True)
class Composition:
    lines: tuple[Line, ...]
    bars: tuple[Bar, ...]
    cut: tuple[str, ...]
    """The texts that did not fit."""


_LEADING = {SERIF: 1.09, SANS: 1.08, ITALIC: 1.24, TEXT: 1.40}
_FOR_ACCENTS = 0.13
# How far letters hang below the baseline, in ems.
_DESCENT = 0.23
# Marks that open a line hang in the margin, so that the letters stand in line.
_HANGING = "“”„‘’‚«‹\"'("
_MOST_HANGING = 0.22
# Of the shorter side: the bar above or beside a block, a hairline, and the room between parts.
_BAR, _HAIRLINE = 0.0085, 0.0024
_GAP = 0.055
_HEADER_SIZE = 0.0365


@dataclass(frozen=True, slots=True)
class _Part:
    """A text of the block."""

    text: str
    face: str
    colour: Colour
    largest: float
    smallest: float
    most_lines: int
    share: float = 1.0
    """Of the zone's height, the most that it may take."""
    gap: float = 0.0
    """Above it."""


@dataclass(frozen=True, slots=True)
class _Set:
    part: _Part
    setting: Setting
    height: float
    """From the top of its capitals to its last descender."""


def compose(card: Card, layout: Layout, typecase: Typecase) -> Composition:
    """Every line of the card. Raises NoLetters where a face for a letter is wanting."""
    return _Composing(card, layout, typecase).composition()


def display_face(title: str) -> str:
    """The face that an episode's headings are set in."""
    return Dice(title, "face").choice("face", (SERIF, SERIF, SANS))


class _Composing:
    def __init__(self, card: Card, layout: Layout, typecase: Typecase) -> None:
        self._card = card
        self._layout = layout
        self._type = typecase
        self._unit = min(card.width, card.height)
        self._shape = shape_of(card.width, card.height)
        left, top, right, bottom = layout.zone
        self._left, self._right = left * card.width, right * card.width
        self._top, self._bottom = top * card.height, bottom * card.height
        self._language = card.language.split("-", 1)[0]
        self._from_right = wording(card.heading or card.title).right_to_left
        self._lines: list[Line] = []
        self._bars: list[Bar] = []
        self._cut: list[str] = []

    def composition(self) -> Composition:
        inset = 0.075 * self._unit
        if self._layout.rule is Rule.FRAME:
            self._frame(inset, inset, self._card.width - inset, self._card.height - inset)
        elif self._layout.rule is Rule.EDGE and self._layout.plate is not None:
            left, top, right, bottom = self._layout.plate
            wide, high, inset = self._card.width, self._card.height, 0.02 * self._unit
            self._frame(left * wide + inset, top * high + inset, right * wide - inset, bottom * high - inset)
        top = self._header()
        start = 0.0
        if self._layout.rule is Rule.BESIDE:
            start = 0.045 * self._unit
        parts = self._fitted(top, self._right - self._left - start)
        height = sum(one.height + one.part.gap * self._unit for one in parts)
        room = self._bottom - top
        above = {Stand.TOP: 0.0, Stand.MIDDLE: (room - height) / 2, Stand.BOTTOM: room - height}[self._layout.stand]
        self._block(parts, top + above, start)
        return Composition(tuple(self._lines), tuple(self._bars), tuple(self._cut))

    # -- the header ----------------------------------------------------------------------------------------------

    def _header(self) -> float:
        """Sets the line at the top, where the card has one; returns where the block's room begins."""
        unit, top = self._unit, self._top
        counted, said = self._card.counted, self._said_above()
        if counted or said:
            size = _HEADER_SIZE * unit
            capitals = self._type.capitals(TEXT)
            baseline = top + capitals * size
            if self._layout.align is Align.CENTRE:
                for text, colour in (
                    (counted, Colour.ACCENT),
                    (self._short(said, self._right - self._left), Colour.SOFT),
                ):
                    if text:
                        self._header_line(text, baseline, colour, self._centred)
                        baseline += size * 1.65
                baseline -= size * 1.65
            else:
                self._header_row(counted, said, baseline)
            top = baseline + size * 0.5
        if self._layout.rule is Rule.HEADER:
            top += 0.012 * unit if counted or said else 0
            self._hairline(top)
        elif self._layout.rule is Rule.ABOVE:
            # The bar stands above the block, and has room of its own.
            top += unit * (_BAR + 0.045)
        if not counted and not said and self._layout.rule is not Rule.HEADER:
            return top
        return top + _GAP * unit * (1.0 if self._shape is Shape.WIDE else 1.25)

    def _said_above(self) -> str:
        """What is small above the block: which episode or which segment it belongs to."""
        card = self._card
        match card.kind:
            case Kind.COVER | Kind.TITLE:
                return ""
            case Kind.CLOSING:
                return wording(card.title).text if card.heading else ""
            case Kind.FIGURE | Kind.QUOTE:
                return wording(card.heading or card.title).text
            case Kind.SEGMENT:
                return wording(card.title).text if card.heading else ""

    def _header_row(self, counted: str, said: str, baseline: float) -> None:
        """The number, then the words; the number at the far end where a hairline joins the two."""
        size = _HEADER_SIZE * self._unit
        taken = (self._type.width(counted, TEXT) + 1.1) * size if counted else 0.0
        far = self._layout.rule is Rule.HEADER
        if counted:
            self._header_line(counted, baseline, Colour.ACCENT, self._end if far else self._start)
        if text := self._short(said, self._right - self._left - taken):
            before = 0.0 if far else taken
            step = -before if self._from_right else before
            self._header_line(text, baseline, Colour.SOFT, lambda wide: self._start(wide) + step)

    def _short(self, said: str, width: float) -> str:
        """As much of it as one small line holds; nothing where not even its first word does."""
        if not said:
            return ""
        size = _HEADER_SIZE * self._unit
        setting = set_text(said, Box(width, size * 2, 1.0, size, size, 1), self._width_in(TEXT), self._language)
        shown = setting.lines[0]
        if not setting.cut:
            return shown
        rest = said[len(shown) - len(ELLIPSIS) :]
        return shown if shown != ELLIPSIS and not rest[:1].isalnum() else ""

    def _header_line(self, text: str, baseline: float, colour: Colour, left: Callable[[float], float]) -> None:
        ink = self._type.ink(text, TEXT, _HEADER_SIZE * self._unit)
        self._lines.append(Line(ink, round(left(ink.mask.width - 2) - 1), round(baseline + ink.top), colour))

    # -- where a line of some width begins ---------------------------------------------------------------------------

    def _centred(self, wide: float) -> float:
        return (self._left + self._right - wide) / 2

    def _start(self, wide: float) -> float:
        return self._right - wide if self._from_right else self._left

    def _end(self, wide: float) -> float:
        return self._left if self._from_right else self._right - wide

    def _width_in(self, face: str) -> Callable[[str], float]:
        return lambda text: self._type.width(text, face)

    # -- the block -----------------------------------------------------------------------------------------------

    def _parts(self) -> Iterator[_Part]:
        card, wide = self._card, self._shape is Shape.WIDE
        face = display_face(card.title)
        title, heading = wording(card.title).text, wording(card.heading).text
        sentence = wording(card.sentence).text
        match card.kind:
            case Kind.COVER:
                yield _Part(title, face, Colour.INK, 0.185, 0.075, 6)
            case Kind.TITLE:
                yield _Part(title, face, Colour.INK, 0.185 if wide else 0.16, 0.062, 5 if wide else 7)
            case Kind.SEGMENT:
                yield _Part(heading or title, face, Colour.INK, 0.155 if wide else 0.14, 0.058, 4 if wide else 7)
            case Kind.FIGURE:
                number, unit = number_and_unit(wording(card.figure).text)
                yield _Part(number, face, Colour.ACCENT, 0.36 if wide else 0.34, 0.09, 1, 0.62)
                if unit:
                    yield _Part(unit, face, Colour.INK, 0.080, 0.045, 2, 0.24, 0.028)
                if sentence:
                    yield _Part(sentence, TEXT, Colour.SOFT, 0.041, 0.034, 4 if wide else 6, 0.45, 0.042)
            case Kind.QUOTE:
                yield _Part(sentence, ITALIC, Colour.INK, 0.098 if wide else 0.092, 0.048, 6 if wide else 9)
            case Kind.CLOSING:
                yield _Part(heading or title, face, Colour.INK, 0.125, 0.055, 4 if wide else 6)

    def _fitted(self, top: float, width: float) -> list[_Set]:
        room = self._bottom - top
        parts = [part for part in self._parts() if part.text]
        # What is read later is set first: it has a largest size that it nearly always gets, and the rest is free.
        found: list[_Set] = []
        for part in reversed(parts):
            taken = sum(one.height + one.part.gap * self._unit for one in found)
            allowed = min(room - taken - part.gap * self._unit, part.share * room)
            found.insert(0, self._set(part, width, max(allowed, part.smallest * self._unit)))
        return found

    def _set(self, part: _Part, width: float, height: float) -> _Set:
        leading = _leading(part.face, part.text)
        capitals = self._type.capitals(part.face)
        box = Box(
            width,
            height,
            leading,
            part.largest * self._unit,
            part.smallest * self._unit,
            part.most_lines,
            capitals + _DESCENT,
        )
        setting = set_text(part.text, box, self._width_in(part.face), self._language)
        if setting.cut:
            self._cut.append(part.text)
        tall = ((len(setting.lines) - 1) * leading + capitals + _DESCENT) * setting.size
        return _Set(part, setting, tall)

    def _block(self, parts: Sequence[_Set], top: float, start: float) -> None:
        unit, ends = self._unit, top
        for one in parts:
            top += one.part.gap * unit
            capitals = self._type.capitals(one.part.face)
            leading = _leading(one.part.face, one.part.text)
            for number, text in enumerate(one.setting.lines):
                baseline = top + (capitals + number * leading) * one.setting.size
                self._line(text, one, baseline, start)
            top += one.height
        if not parts:
            return
        if self._layout.rule is Rule.ABOVE:
            self._bar_above(ends)
        elif self._layout.rule is Rule.BESIDE:
            side = self._right - _BAR * unit if self._from_right else self._left
            self._bars.append(
                Bar((side, ends, side + _BAR * unit, top - _DESCENT * 0.4 * parts[-1].setting.size), Colour.ACCENT)
            )

    def _line(self, text: str, one: _Set, baseline: float, start: float) -> None:
        size, face = one.setting.size, one.part.face
        ink = self._type.ink(text, face, size)
        # The mask has a pixel of room on each side.
        wide = ink.mask.width - 2
        if self._layout.align is Align.CENTRE:
            left = self._centred(wide)
        elif self._from_right:
            left = self._right - start - wide
        else:
            hangs = self._hang(text, face) * size
            # Upright stems stand in line; what reaches out before a letter's place, as an italic f does, stays out.
            out = max(0.0, ink.left + 1) if face != ITALIC else 0.0
            left = self._left + start - hangs + ink.left + 1 - out
        self._lines.append(Line(ink, round(left - 1), round(baseline + ink.top), one.part.colour))

    def _hang(self, text: str, face: str) -> float:
        """How far a line's first mark stands out into the margin, in ems; not where a bar stands there."""
        if self._layout.rule is Rule.BESIDE or text[0] not in _HANGING or len(text) < 2:
            return 0.0
        return min(self._type.width(text[0], face), _MOST_HANGING)

    # -- rules ---------------------------------------------------------------------------------------------------

    def _hairline(self, top: float) -> None:
        self._bars.append(Bar((self._left, top, self._right, top + _HAIRLINE * self._unit), Colour.SOFT))

    def _bar_above(self, top: float) -> None:
        unit = self._unit
        left = self._right - 0.11 * unit if self._from_right else self._left
        bottom = top - 0.045 * unit
        self._bars.append(Bar((left, bottom - _BAR * unit, left + 0.11 * unit, bottom), Colour.ACCENT))

    def _frame(self, left: float, top: float, right: float, bottom: float) -> None:
        thick = max(1.0, _HAIRLINE * self._unit)
        self._bars += [
            Bar((left, top, right, top + thick), Colour.SOFT),
            Bar((left, bottom - thick, right, bottom), Colour.SOFT),
            Bar((left, top, left + thick, bottom), Colour.SOFT),
            Bar((right - thick, top, right, bottom), Colour.SOFT),
        ]


def _leading(face: str, text: str) -> float:
    """From baseline to baseline, in ems: more where capitals have accents, which would touch what hangs above them."""
    accented = any(one.isupper() and len(unicodedata.normalize("NFD", one)) > 1 for one in text)
    return _LEADING[face] + (_FOR_ACCENTS if accented else 0.0)
