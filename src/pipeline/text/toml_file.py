"""TOML as people write it: whatever else a file holds is said to be none, soon and in one way.

Python's reader breaks off where brackets are nested too deeply, stops at a number of more digits than it converts, and
takes time by the square of a key's parts: 80 kB of `a.b.a.b.…` held it up for three minutes.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any

# The longest that is meant here has two parts.
_MOST_PARTS = 32
_LONG_KEY = re.compile(rf"""(?:[\w"'-]+[ \t]*\.[ \t]*){{{_MOST_PARTS},}}""")
_PLACE = re.compile(r" \(at line (\d+), column \d+\)$")


class NoToml(ValueError):
    """A text that is no TOML. `line` is where, counted from 1; None where nobody says."""

    def __init__(self, what: str, line: int | None = None) -> None:
        super().__init__(what)
        self.line = line


def read_toml(text: str) -> dict[str, Any]:
    """What the text says. Raises NoToml for all else."""
    long_key = _LONG_KEY.search(text)
    if long_key is not None:
        raise NoToml(f"a key has more than {_MOST_PARTS} parts", text.count("\n", 0, long_key.start()) + 1)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = _PLACE.search(str(error))
        raise NoToml(_PLACE.sub("", str(error)), int(place[1]) if place else None) from error
    except RecursionError as error:
        raise NoToml("it is nested too deeply") from error
    except ValueError as error:  # of the conversion; the reader's own errors are above
        raise NoToml("a number has more digits than can be read") from error
