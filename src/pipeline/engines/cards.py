"""Cards as an illustrator: pictures made of the script's own words, on any machine, in a tenth of a second.

Nothing can be down here. What can fail is a size that is none; a text that no font has the letters for is left out.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from pipeline.errors import EngineRefused, SettingsError, StoreError
from pipeline.files import open_plain
from pipeline.media.cards.card import Card
from pipeline.media.cards.font_file import FontFile
from pipeline.media.cards.palette import Scheme
from pipeline.ports import IllustratorIdentity, Picture, PictureRequest

_ENGINE = "cards"
# Bumped by hand when the same request gives another picture.
_VERSION = 2
# Pixels. Feeds take covers up to 3,000; below the smallest no letter is legible.
_SMALLEST, _LARGEST = 64, 4096
_LONGEST_TO_SHORTEST = 4
# Collections of Chinese, Japanese and Korean fonts have 20 to 30.
_ANY_SIZE = 20
_MOST_FONT_MIB = 64


class Cards:
    """An Illustrator. Thread-safe: a card shares nothing with another but the fonts' bytes."""

    def __init__(self, *, fonts: Sequence[FontFile] = (), scheme: Scheme | None = None) -> None:
        """`fonts` are asked, in order, for letters that the bundled ones do not have; `scheme` decides what is light
        and what is dark, where not every title is to decide it for itself.
        """
        self._fonts = tuple(fonts)
        self._scheme = scheme

    def describe(self) -> IllustratorIdentity:
        from pipeline.media.cards import lettering

        libraries = lettering.libraries()
        fonts = [*map(lettering.bundled, lettering.BUNDLED), *self._fonts]
        told = [_VERSION, self._scheme, sorted(libraries.items()), [font.digest for font in fonts]]
        return IllustratorIdentity(
            engine=_ENGINE,
            name=_ENGINE,
            digest=hashlib.sha256(json.dumps(told).encode()).hexdigest(),
            # The fonts', for the letters in the pictures; a picture set with them is free of it.
            licence="OFL-1.1",
            details={
                "scheme": self._scheme or "by title",
                "fonts": ", ".join(font.name for font in fonts),
                **libraries,
            },
            reads_prompts=False,
        )

    def check(self) -> None:
        self.draw(PictureRequest("", width=256, height=144, title="Ready", heading="Ångström, ποτάμι, небо", number=1))

    def draw(self, request: PictureRequest) -> Picture:
        shorter, longer = sorted((request.width, request.height))
        if shorter < _SMALLEST or longer > _LARGEST or longer > shorter * _LONGEST_TO_SHORTEST:
            raise EngineRefused(
                f"it cannot draw {request.width}×{request.height} pixels",
                where=_ENGINE,
                hint=f"Sides are {_SMALLEST} to {_LARGEST:,} pixels, and one is at most four times the other.",
            )
        from pipeline.media.cards import press
        from pipeline.media.cards.lettering import NoLetters

        card = _card(request)
        without = ""
        try:
            made = press.printed(card, fonts=self._fonts, scheme=self._scheme)
        except NoLetters as refused:
            # An episode is not lost for want of a font: its pictures have no words, and its manifest says why.
            made = press.printed(card, fonts=self._fonts, scheme=self._scheme, lettered=False)
            without = f"{refused.what}. {refused.hint}"
        details = {"layout": made.layout, "artwork": made.artwork}
        if without:
            details["without letters"] = without
        if made.left_out:
            details["left out"] = " ".join(made.left_out)
        if made.cut:
            details["cut"] = "; ".join(made.cut)
        return Picture(made.png, request.width, request.height, request.seed, details=details)


def read_fonts(paths: Sequence[Path]) -> tuple[FontFile, ...]:
    """Fonts from the disk. Raises SettingsError with every one that cannot be read or is no font."""
    from PIL import ImageFont

    from pipeline.errors import InputError
    from pipeline.media.cards.coverage import characters_of

    found, problems = [], []
    for path in paths:
        try:
            with open_plain(path) as file:
                data = file.read((_MOST_FONT_MIB << 20) + 1)
            if len(data) > _MOST_FONT_MIB << 20:
                problems.append(f"{path}: it is larger than any font ({_MOST_FONT_MIB} MiB)")
                continue
            characters_of(data, where=str(path))
            ImageFont.truetype(BytesIO(data), _ANY_SIZE)
        except OSError as error:
            problems.append(f"{path}: {error.strerror or error}")
        except StoreError as error:
            # Its own words are of writing: "may not write there".
            problems.append(f"{path}: {os.strerror(error.errno) if error.errno else error.what}")
        except InputError as error:
            problems.append(f"{path}: {error.what}")
        except ValueError:
            # A NUL in it, which TOML can spell.
            problems.append(f"{str(path)!r}: no file can have this name")
        else:
            found.append(FontFile(str(path), data))
    if problems:
        raise SettingsError(problems, hint="Give .ttf, .otf or .ttc files, as paths from the project's folder.")
    return tuple(found)


def _card(request: PictureRequest) -> Card:
    return Card(
        width=request.width,
        height=request.height,
        seed=request.seed,
        title=request.title,
        heading=request.heading,
        number=request.number,
        segments=request.segments,
        figure=request.figure,
        sentence=request.sentence,
        language=request.language,
    )
