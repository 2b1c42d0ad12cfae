"""Which stage of an episode each rule belongs to, for those who count and show by stage."""

from __future__ import annotations

STAGES = ("script", "speech", "mix", "captions", "pictures", "video", "page", "credentials", "other")
_STAGE_OF = {
    **dict.fromkeys(("passage", "script", "script-of-passages", "script-read", "script-revision"), "script"),
    **dict.fromkeys(("pace", "speech"), "speech"),
    **dict.fromkeys(("level", "gain", "sound", "mix", "flac"), "mix"),
    **dict.fromkeys(("film", "film-sound", "film-stretch"), "video"),
    "captions": "captions",
    **dict.fromkeys(("picture", "cover"), "pictures"),
    "page": "page",
    "credentials": "credentials",
}


def stage_of(rule: str) -> str:
    """The stage that a rule belongs to; `other` for one that nobody has named here."""
    return _STAGE_OF.get(rule, "other")
