"""Letters: which face sets a text, how wide it is, and its ink as a mask.

Faces are asked in order, the card's own first, and the first that has a character sets it. A character that none of
them has is an error: Pillow would draw an empty box.
"""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from importlib.resources import files

from PIL import Image, ImageDraw, ImageFont, features
from PIL import __version__ as pillow_version

from pipeline.errors import EngineRefused
from pipeline.media.cards.coverage import characters_of
from pipeline.media.cards.font_file import FontFile
from pipeline.media.cards.wording import clusters, wording


class NoLetters(EngineRefused):
    """A text that cannot be set: a letter that no font has, or a direction that this Pillow does not know."""


SERIF, SANS, TEXT, ITALIC = "cards-serif-display", "cards-sans-display", "cards-sans-text", "cards-serif-italic"
BUNDLED = (SERIF, SANS, TEXT, ITALIC)

# Widths are measured once, at this size, and scaled: the faces have no instructions that would change them.
_MEASURED_AT = 200
# Pillow places glyphs at whole pixels. Small letters are drawn larger and reduced, so that their distances are even.
_FINE_BELOW_PIXELS = 64
_FINE = 4
# No letter is as wide or as high: Zapfino's swashes, the widest in common use, reach 3.
_MOST_EMS = 12


@dataclass(frozen=True, slots=True)
class Face:
    name: str
    data: bytes
    characters: frozenset[int]

    def has(self, text: str) -> bool:
        return all(ord(character) in self.characters for character in text if character not in "\u200c\u200d")


@dataclass(frozen=True, slots=True)
class Ink:
    """A line of letters as a mask."""

    mask: Image.Image
    """Mode L: 255 where ink is full."""
    left: float
    """Pixels from the point where the line begins to the mask's left edge; its top is from the baseline."""
    top: float


@lru_cache(maxsize=len(BUNDLED))
def bundled(name: str) -> FontFile:
    """One of the faces that come with the pipeline."""
    return FontFile(name, (files("pipeline.media.cards") / "fonts" / f"{name}.ttf").read_bytes())


@lru_cache(maxsize=16)
def _face(font: FontFile) -> Face:
    return Face(font.name, font.data, characters_of(font.data, where=font.name))


def shapes_scripts() -> bool:
    """Whether Pillow has Raqm here, which joins Arabic letters and orders what runs from the right."""
    return bool(features.check("raqm"))


def libraries() -> dict[str, str]:
    """The versions of what draws letters and packs pixels: with others, a pixel may differ."""
    names = {"freetype": "freetype2", "raqm": "raqm", "harfbuzz": "harfbuzz", "zlib": "zlib_ng"}
    found = {name: features.version(feature) or "none" for name, feature in names.items()}
    if found["zlib"] == "none":
        found["zlib"] = features.version("zlib") or "none"
    return {"pillow": pillow_version, "numpy": version("numpy"), **found}


class Typecase:
    """The faces of one card. Not shared between threads, as FreeType's faces must not be."""

    def __init__(self, language: str, more: Sequence[FontFile] = ()) -> None:
        """`language` is a BCP 47 tag; `more` are asked after the bundled faces, in order."""
        self._more = tuple(more)
        self._language = language if shapes_scripts() else None
        self._fonts: dict[tuple[str, float], ImageFont.FreeTypeFont] = {}

    def width(self, text: str, face: str) -> float:
        """In ems. Raises NoLetters, as `ink` does."""
        with _named():
            return (
                sum(
                    self._font(one, _MEASURED_AT).getlength(run, language=self._language)
                    for one, run in self._runs(text, face)
                )
                / _MEASURED_AT
            )

    def capitals(self, face: str) -> float:
        """How high capitals are, in ems."""
        return -float(self._font(_face(bundled(face)), _MEASURED_AT).getbbox("H", anchor="ls")[1]) / _MEASURED_AT

    def ink(self, text: str, face: str, size: float) -> Ink:
        """The line's letters at so many pixels an em. Raises NoLetters where a font's are damaged, or larger than any
        letter.
        """
        with _named():
            return self._inked(text, face, size)

    def _inked(self, text: str, face: str, size: float) -> Ink:
        fine = _FINE if size < _FINE_BELOW_PIXELS else 1
        runs = [(self._font(one, size * fine), run) for one, run in self._runs(text, face)]
        boxes, start = [], 0.0
        for font, run in runs:
            left, top, right, bottom = font.getbbox(run, anchor="ls", language=self._language)
            boxes.append((start + left, top, start + right, bottom))
            start += font.getlength(run, language=self._language)
        # Whole pixels after reduction, and room for a pixel's rounding.
        left = int(min(box[0] for box in boxes) // fine - 1) * fine
        top = int(min(box[1] for box in boxes) // fine - 1) * fine
        right, bottom = max(box[2] for box in boxes) + 2 * fine, max(box[3] for box in boxes) + 2 * fine
        wide, high = (int(-(-span // fine)) * fine for span in (right - left, bottom - top))
        if wide > _MOST_EMS * size * fine * (len(text) + 1) or high > _MOST_EMS * size * fine:
            raise OSError("its letters are larger than any")
        mask = Image.new("L", (wide, high))
        pen, start = ImageDraw.Draw(mask), 0.0
        for font, run in runs:
            pen.text((start - left, -top), run, font=font, fill=255, anchor="ls", language=self._language)
            start += font.getlength(run, language=self._language)
        return Ink(mask.reduce(fine) if fine > 1 else mask, left / fine, top / fine)

    def missing(self, text: str) -> str:
        """The characters that no face has, each once."""
        faces = [_face(bundled(name)) for name in BUNDLED] + [_face(font) for font in self._more]
        parts = dict.fromkeys(clusters(text))
        return "".join(part for part in parts if not any(face.has(part) for face in faces))

    # -- faces and runs ------------------------------------------------------------------------------------------

    def _faces(self, first: str) -> list[Face]:
        others = [name for name in (SERIF, SANS, TEXT) if name != first]
        return [_face(bundled(name)) for name in (first, *others)] + [_face(font) for font in self._more]

    def _runs(self, text: str, first: str) -> list[tuple[Face, str]]:
        if not shapes_scripts() and wording(text).right_to_left:
            raise NoLetters(
                "this Pillow has no Raqm, and without it text from right to left cannot be set",
                where="cards",
                hint="Install Pillow from its wheels, which have it.",
            )
        faces = self._faces(first)
        whole = next((face for face in faces if face.has(text)), None)
        if whole is not None:
            return [(whole, text)]
        if missing := self.missing(text):
            raise _no_glyphs(missing)
        if wording(text).right_to_left:
            raise NoLetters(
                f"no font has all the letters of “{text}”, which runs from right to left",
                where="cards",
                hint="Give a font that has them all, digits and punctuation too (`fonts` in config/pictures.toml).",
            )
        runs: list[tuple[Face, str]] = []
        for part in clusters(text):
            # A blank, and what the run's own face has, stays in the run.
            face = next(face for face in ([runs[-1][0]] if runs and part == " " else faces) if face.has(part))
            if runs and runs[-1][0] is face:
                runs[-1] = (face, runs[-1][1] + part)
            else:
                runs.append((face, part))
        return runs

    def _font(self, face: Face, size: float) -> ImageFont.FreeTypeFont:
        found = self._fonts.get((face.name, size))
        if found is None:
            engine = ImageFont.Layout.RAQM if shapes_scripts() else ImageFont.Layout.BASIC
            found = ImageFont.truetype(io.BytesIO(face.data), size, layout_engine=engine)
            self._fonts[face.name, size] = found
        return found


@contextmanager
def _named() -> Iterator[None]:
    """What FreeType says of a damaged font, as what a card does without. It says so at the letter, not at the font."""
    try:
        yield
    except (OSError, OverflowError) as error:
        raise NoLetters(
            f"a font cannot be drawn with: {error}",
            where="cards",
            hint="Give another one (`fonts` in config/pictures.toml).",
        ) from error


def _no_glyphs(missing: str) -> NoLetters:
    first = missing[0]
    named = unicodedata.name(first, f"U+{ord(first):04X}")
    count = len(clusters(missing))
    others = f" and {count - 1} more" if count > 1 else ""
    return NoLetters(
        f"the cards' fonts have no letter “{first}” ({named}){others}",
        where="cards",
        hint="They have Latin, Greek and Cyrillic. Give a font that has it: `fonts` in config/pictures.toml.",
    )
