"""What is seen: one picture for each segment of a script, and a cover that is set in type.

The cover is always typography: it carries the title, and podcast directories want it larger (1,400 to 3,000 pixels
square) than diffusion models draw.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.build.recipe import Artifact, Canonical, Flow, Parts, Rule, Step
from pipeline.domain.script import Script
from pipeline.ports import Illustrator, PictureRequest

RULE = Rule("picture", version=1, resource="image")

COVER = "cover.png"
COVER_PIXELS = 1500
"""Each way: Apple takes 1,400 to 3,000 (PSP-1)."""


@dataclass(frozen=True, slots=True)
class Easel:
    """Who draws, and how."""

    segments: Illustrator
    covers: Illustrator
    width: int
    """Pixels of a segment's picture."""
    height: int
    style: str = ""
    """What every prompt ends with."""
    negative: str = ""


@dataclass(frozen=True, slots=True)
class Drawn:
    cover: Artifact
    segments: tuple[Artifact, ...]
    """One a segment, in order; each has the one part `picture.png`."""


PART = "picture.png"


def names(count: int) -> list[str]:
    """How the segments' pictures are called beside the page."""
    return [f"picture-{number:02}.png" for number in range(1, count + 1)]


def draw(script: Script, easel: Easel) -> Flow[Drawn]:
    """A cover and a picture for each segment. Raises EngineError."""
    count = len(script.segments)
    requests = [
        PictureRequest(
            prompt=", ".join(filter(None, (segment.picture_prompt or segment.title or script.title, easel.style))),
            negative=easel.negative,
            width=easel.width,
            height=easel.height,
            title=script.title,
            heading=segment.title,
            number=number,
            segments=count,
            language=script.language,
        )
        for number, segment in enumerate(script.segments, 1)
    ]
    cover = PictureRequest(
        prompt=script.title, width=COVER_PIXELS, height=COVER_PIXELS, title=script.title, segments=count,
        language=script.language,
    )  # fmt: skip
    steps = [_step(cover, easel.covers, "cover")]
    steps += [_step(request, easel.segments, f"picture {request.number}") for request in requests]
    first, *rest = yield steps
    return Drawn(first, tuple(rest))


def _step(request: PictureRequest, illustrator: Illustrator, label: str) -> Step:
    identity = illustrator.describe()
    asked: dict[str, Canonical] = {"width": request.width, "height": request.height}
    if identity.reads_prompts:
        asked |= {"prompt": request.prompt, "negative": request.negative, "steps": request.steps}
    else:
        asked |= {
            "title": request.title,
            "heading": request.heading,
            "number": request.number,
            "segments": request.segments,
            "language": request.language,
        }
    inputs: dict[str, Canonical] = {"engine": [identity.engine, identity.name, identity.digest], "picture": asked}

    def make() -> Parts:
        seeded = PictureRequest(
            prompt=request.prompt, negative=request.negative, width=request.width, height=request.height,
            seed=_seed(inputs), steps=request.steps, title=request.title, heading=request.heading,
            number=request.number, segments=request.segments, language=request.language,
        )  # fmt: skip
        picture = illustrator.draw(seeded)
        about = {"seed": picture.seed, "attempts": picture.attempts, **picture.details}
        return {PART: picture.png, "about.json": json.dumps(about, sort_keys=True).encode()}

    return Step(RULE, place="pictures", inputs=inputs, make=make, label=label, units=1.0)


def _seed(inputs: Mapping[str, Canonical]) -> int:
    """The same picture for the same inputs, on every machine."""
    told = json.dumps(inputs, sort_keys=True, ensure_ascii=False)
    return int.from_bytes(hashlib.sha256(told.encode()).digest()[:4])
