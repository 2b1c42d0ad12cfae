"""An illustrator without a model: stripes from the seed, of the size asked for."""

from __future__ import annotations

import io
import threading
from collections.abc import Mapping

from PIL import Image

from pipeline.errors import PipelineError
from pipeline.ports import IllustratorIdentity, Picture, PictureRequest


class FakeIllustrator:
    """Fulfils `ports.Illustrator`. Equal requests, equal bytes."""

    def __init__(
        self,
        name: str = "stripes",
        *,
        reads_prompts: bool = False,
        failures: Mapping[int, PipelineError] | None = None,
    ) -> None:
        """`failures` names the calls of `draw` that fail, counted from 1, and what each of them raises."""
        self._identity = IllustratorIdentity("fake", name, f"{name} 1", reads_prompts=reads_prompts)
        self._failures = dict(failures or {})
        self._lock = threading.Lock()
        self.calls: list[PictureRequest] = []
        """Every request that reached `draw`, in order, those that failed too."""

    def describe(self) -> IllustratorIdentity:
        return self._identity

    def check(self) -> None:
        self.draw(PictureRequest("ready", width=64, height=64))

    def draw(self, request: PictureRequest) -> Picture:
        with self._lock:
            self.calls.append(request)
            failure = self._failures.get(len(self.calls))
        if failure is not None:
            raise failure
        column = [(request.seed >> shift & 255, 64 + row % 128, 128) for row, shift in enumerate([0, 8, 16, 24] * 4)]
        # With a palette, as drawings have: a cover is made, made small and written in a tenth of the time.
        picture = Image.new("P", (1, len(column)))
        picture.putpalette([level for colour in column for level in colour])
        picture.putdata(range(len(column)))
        file = io.BytesIO()
        picture.resize((request.width, request.height), Image.Resampling.NEAREST).save(file, "PNG", compress_level=1)
        return Picture(file.getvalue(), request.width, request.height, request.seed)
