"""What is seen: for each segment of a script a picture in every shape asked for, and a cover that is set in type.

The cover is always typography: it carries the title, and podcast directories want it larger (1,400 to 3,000 pixels
square) than diffusion models draw.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice

from pipeline.build.recipe import Artifact, Canonical, Flow, Parts, Rule, Step
from pipeline.domain.script import Script
from pipeline.ports import Illustrator, IllustratorIdentity, PictureRequest
from pipeline.text.highlights import highlight_of
from pipeline.text.picture_prompts import Look, cover_prompt, prompt_for, telling_heading

RULE = Rule("picture", version=1, resource="image")
COVER_RULE = Rule("cover", version=1, resource="cpu")
"""Covers are set in type: they wait for no GPU."""
RULES = (RULE, COVER_RULE)

COVER = "cover.png"
COVER_PIXELS = 1500
"""Each way: podcast directories take 1,400 to 3,000 (PSP-1). More pixels would not show more: it is type and shapes."""

PART = "picture.png"
_ABOUT = "about.json"


@dataclass(frozen=True, slots=True)
class Shape:
    """What the pictures of one film are like."""

    name: str
    """Part of their files' names: empty, or `tall`."""
    width: int
    """Pixels asked for."""
    height: int

    def names(self, count: int) -> list[str]:
        """How the segments' pictures are called in the episode's folder."""
        middle = f"-{self.name}" if self.name else ""
        return [f"picture{middle}-{number:02}.png" for number in range(1, count + 1)]


@dataclass(frozen=True, slots=True)
class Easel:
    """Who draws, and how."""

    segments: Illustrator
    covers: Illustrator
    typeset: tuple[Shape, ...]
    """The shapes of pictures that are set in type. At least one; the page shows the first one's."""
    drawn: tuple[Shape, ...]
    """As many, for a model that draws: it knows smaller sizes, and only multiples of some pixels."""
    look: Look
    steps: int | None = None
    """None is what the illustrator was set up with."""

    away: Away | None = None
    """A model that drew before and is not to be had now: what it drew is kept, picture by picture."""

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """Those of whoever is to draw. Raises EngineError where that cannot be told."""
        return self.drawn if self.segments.describe().reads_prompts else self.typeset


@dataclass(frozen=True, slots=True)
class Away:
    illustrator: Illustrator
    """Only says who it was."""
    has_drawn: Callable[[str], bool]
    """Whether the artifact of a key is there."""


@dataclass(frozen=True, slots=True)
class Drawn:
    shapes: Mapping[Shape, tuple[Artifact, ...]]
    """For each of the easel's shapes one picture a segment, in order; each has the one part `picture.png`."""
    by: IllustratorIdentity
    """The model that drew any of them; else who set them in type."""


def cover(script: Script, easel: Easel) -> Flow[Artifact]:
    """The cover, with the one part `picture.png`. Raises EngineError."""
    request = PictureRequest(
        prompt=cover_prompt(script.segments, title=script.title, look=easel.look).prompt,
        width=COVER_PIXELS,
        height=COVER_PIXELS,
        title=script.title,
        segments=len(script.segments),
        language=script.language,
    )
    (artifact,) = yield [_step(COVER_RULE, request, easel.covers, "cover", "cover")]
    return artifact


def draw(script: Script, easel: Easel) -> Flow[Drawn]:
    """For each shape a picture of each segment. Raises EngineError."""
    shapes, by = easel.shapes, easel.segments.describe()
    steps = []
    for shape, smaller in zip(shapes, easel.drawn, strict=True):
        place = f"pictures{shape.name and f' {shape.name}'}"
        requests = zip(_requests(script, shape, easel), _requests(script, smaller, easel), strict=True)
        for number, (request, drawn_before) in enumerate(requests, 1):
            label = f"picture {number}"
            step = _step(RULE, request, easel.segments, place, label)
            if easel.away is not None:
                before = _step(RULE, drawn_before, easel.away.illustrator, place, label)
                if easel.away.has_drawn(before.key):
                    step, by = before, easel.away.illustrator.describe()
            steps.append(step)
    made = iter((yield steps))
    return Drawn({shape: tuple(islice(made, len(script.segments))) for shape in shapes}, by)


def about(artifact: Artifact) -> dict[str, object]:
    """What the manifest says of a picture: its seed, how often it was tried, what else its illustrator told."""
    told = json.loads(artifact.read(_ABOUT))
    assert isinstance(told, dict)  # noqa: S101  # narrows the type: written below
    return told


def _requests(script: Script, shape: Shape, easel: Easel) -> Iterator[PictureRequest]:
    for number, segment in enumerate(script.segments, 1):
        asked = prompt_for(segment, title=script.title, look=easel.look, language=script.language)
        highlight = highlight_of(segment, script.language)
        yield PictureRequest(
            prompt=asked.prompt,
            negative=asked.negative,
            width=shape.width,
            height=shape.height,
            steps=easel.steps,
            title=script.title,
            heading=telling_heading(segment),
            number=number,
            segments=len(script.segments),
            language=script.language,
            figure=highlight.figure,
            sentence=highlight.sentence,
        )


def _step(rule: Rule, request: PictureRequest, illustrator: Illustrator, place: str, label: str) -> Step:
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
            "figure": request.figure,
            "sentence": request.sentence,
        }
    inputs: dict[str, Canonical] = {
        "illustrator or its look": [identity.engine, identity.name, identity.digest],
        **{f"the {name}": value for name, value in asked.items()},
    }

    def make() -> Parts:
        picture = illustrator.draw(replace(request, seed=_seed(inputs)))
        told = {"seed": picture.seed, "attempts": picture.attempts, **picture.details}
        return {PART: picture.png, _ABOUT: json.dumps(told, sort_keys=True, ensure_ascii=False).encode()}

    return Step(rule, place=place, inputs=inputs, make=make, label=label, units=1.0)


def _seed(inputs: Mapping[str, Canonical]) -> int:
    """The same picture for the same inputs, on every machine."""
    told = json.dumps(inputs, sort_keys=True, ensure_ascii=False)
    return int.from_bytes(hashlib.sha256(told.encode()).digest()[:4])
