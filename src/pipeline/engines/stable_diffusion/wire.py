"""The AUTOMATIC1111 routes, and what is common to all that is asked over them."""

from __future__ import annotations

import json
from typing import Any

API = "/sdapi/v1"
IS_IT_SD = "Is this a Stable Diffusion server, started with its API (--api)? See SD_BASE_URL, and what listens there."


def parsed(text: str | bytes) -> Any:  # noqa: ANN401  # parsed by the caller
    """What is said, in characters that can be written down; None where it is no JSON, or nested too deeply."""
    try:
        said = json.loads(text)
        # JSON can spell one half of a surrogate pair (\ud800), which no file and no other server takes.
        return json.loads(json.dumps(said, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
