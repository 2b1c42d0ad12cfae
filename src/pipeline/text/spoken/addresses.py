"""Web addresses, e-mail addresses, file names, handles and tags as a person says them aloud."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pipeline.text.spoken.place import words_of

_TOP_LEVEL = "com|org|net|edu|gov|mil|int|info|io|ai|dev|app|eu|br|pt|uk|us|de|fr|es|it|nl|ch|jp|ca|au|me|tv|co|fm"
_SUFFIX = (
    "txt|md|py|js|ts|json|yaml|yml|toml|csv|tsv|pdf|html|htm|css|xml|sh|exe|zip|tar|gz|mp3|mp4|wav|flac|ogg|png|jpg|"
    "jpeg|gif|svg|webp|srt|vtt|docx|doc|xlsx|xls|pptx|log|cfg|ini|onnx|gguf|rs|go|java|cpp|rb|php|sql|ipynb|lock|env"
)
_EMAIL = re.compile(r"(?:mailto:)?([\w.+-]+)@([\w-]+(?:\.[\w-]+)+)")
_URL = re.compile(rf"(?:(?:https?|ftp)://|www\.)\S+|(?:[\w-]+\.)+(?:{_TOP_LEVEL})(?::\d+)?(?:/\S*)?", re.IGNORECASE)
_SCHEME = re.compile(r"^(?:https?|ftp)://(?:www\.)?|^www\.", re.IGNORECASE)
_FILE = re.compile(rf"\.{{0,2}}/?(?:[\w.-]+/)*[\w-]+(?:\.[\w-]+)*\.(?:{_SUFFIX})|/(?:[\w.-]+/)+[\w.-]*", re.IGNORECASE)
_HANDLE = re.compile(r"@([A-Za-z_][\w.]*)")
_TAG = re.compile(r"#([^\W\d]\w*)")
_PIECE = re.compile(r"[^\W\d_]+|\d+|[./:_@?&=#%+~-]")
_CAMEL = re.compile(r"(?<=[a-zà-ÿ])(?=[A-ZÀ-Ý])")

# Said as a word; every other ending is spelled, as people do: "dot P Y".
_SAID_ENDINGS = words_of("com org net info edu gov app dev log zip json yaml toml bash lock env go java doc int")


@dataclass(frozen=True, slots=True)
class Names:
    """What a language calls the marks in an address."""

    marks: Mapping[str, str]
    hashtag: str
    number: Callable[[str], str]


def read(core: str, names: Names) -> str | None:
    """What is said for an address, or None where it is none."""
    if match := _EMAIL.fullmatch(core):
        return f"{_spell(match[1], names)} {names.marks['@']} {_spell(match[2], names)}"
    if _URL.fullmatch(core):
        return _spell(_SCHEME.sub("", core).rstrip("/"), names)
    if _FILE.fullmatch(core):
        return _spell(core, names)
    if match := _HANDLE.fullmatch(core):
        return f"{names.marks['@']} {_spell(match[1], names)}"
    if match := _TAG.fullmatch(core):
        return f"{names.hashtag} {_spell(_CAMEL.sub(' ', match[1]).replace('_', ' '), names)}"
    return None


def _spell(text: str, names: Names) -> str:
    said: list[str] = []
    after_dot = False
    for piece in _PIECE.findall(text):
        if piece.isdecimal():
            said.append(names.number(piece))
        elif piece in names.marks:
            said.append(names.marks[piece])
        elif piece[0].isalpha():
            spelled = after_dot and len(piece) <= 4 and piece.lower() not in _SAID_ENDINGS
            said.append("-".join(piece.upper()) if spelled else piece)
        after_dot = piece == "."
    return " ".join(said)
