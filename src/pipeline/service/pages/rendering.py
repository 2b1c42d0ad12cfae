"""How a page is answered: rendered with every value escaped, under a policy that lets it load nothing from elsewhere
and run nothing that does not come from a file of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib import resources
from typing import TYPE_CHECKING

from fastapi import Response

from pipeline.media import page as published
from pipeline.media.colour import hue_of
from pipeline.service.pages.words import Words

if TYPE_CHECKING:
    from jinja2 import Environment

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": POLICY,
    # With no-referrer a browser says of our own forms that they come from nowhere: `Origin: null`.
    "Referrer-Policy": "same-origin",
    "Vary": "Accept-Language, Cookie",
}
_MEDIA_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_OWN = ("desk.css", "live.js", "now.js", "episode.js", "mark.svg")
# A policy without inline styles leaves classes: one for each ten degrees of hue.
_HUE_STEP = 10


def page(
    template: str,
    words: Words,
    values: Mapping[str, object],
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An answer in HTML; `values` are what the template asks for."""
    text = _environment().get_template(template).render(w=words, **values)
    return Response(text, status, {**_HEADERS, **(headers or {})}, "text/html; charset=utf-8")


@cache
def asset(name: str) -> tuple[bytes, str, str] | None:
    """A file that pages load: its bytes, media type and tag. None for what is none."""
    if name in published.ASSETS:
        data = published.asset(name)
    elif name in _OWN:
        data = resources.files(__package__).joinpath("assets", name).read_bytes()
    else:
        return None
    kind = _MEDIA_TYPES[name.rpartition(".")[2]]
    return data, f"{kind}; charset=utf-8", f'"{sha256(data).hexdigest()[:32]}"'


def hue_class(title: str) -> str:
    """The class that gives an element the colours of an episode: `h250`."""
    return f"h{hue_of(title) // _HUE_STEP * _HUE_STEP}"


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("pipeline.service.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update({"clock": published.clock, "hue": hue_class, "exact": _exact})
    return environment


def _exact(seconds: float) -> str:
    """Seconds for an attribute, to the millisecond."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".")
