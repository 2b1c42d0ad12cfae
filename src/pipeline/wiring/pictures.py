"""Who draws what, in which shapes; and the films that are made of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pipeline.engines.choice import Choice
from pipeline.ports import Illustrator
from pipeline.settings import Settings
from pipeline.stages import pictures, video
from pipeline.text.picture_prompts import Look
from pipeline.wiring.engines import CARDS, cards_of

_WIDE, _TALL = pictures.Shape("", 1280, 720), pictures.Shape("tall", 1080, 1920)


def easel_of(project: Path, settings: Settings, illustrator: Choice[Illustrator], look: Look) -> pictures.Easel:
    """Who draws what, in which shapes."""
    set_in_type = illustrator.name == CARDS
    asked = {"wide": (_WIDE,), "tall": (_TALL,), "both": (_WIDE, _TALL)}.get(settings.video, (_WIDE,))
    drawn = {
        _WIDE: replace(_WIDE, width=settings.sd_width, height=settings.sd_height),
        _TALL: replace(_TALL, width=settings.sd_height, height=settings.sd_width),
    }
    return pictures.Easel(
        segments=illustrator.engine,
        covers=illustrator.engine if set_in_type else cards_of(project, look),
        typeset=asked,
        drawn=tuple(drawn[shape] for shape in asked),
        look=look,
    )


def films_of(settings: Settings) -> tuple[video.Spec, ...]:
    """The films that the settings ask for, in the order of the easel's shapes."""
    sizes = {"off": (), "wide": (_WIDE,), "tall": (_TALL,), "both": (_WIDE, _TALL)}[settings.video]
    font = None
    if settings.burn_captions and sizes:
        from pipeline.media.cards.lettering import TEXT, bundled

        file = bundled(TEXT)
        font = video.Font(file.data, file.digest)
    return tuple(
        video.Spec(size.width, size.height, settings.video_motion, settings.burn_captions, font) for size in sizes
    )
