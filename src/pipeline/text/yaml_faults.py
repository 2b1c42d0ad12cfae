"""What to do about text that is not YAML, by what the parser was in the middle of."""

from __future__ import annotations

_QUOTES = "Put the text in quotes if it holds : or # or begins with a sign."
# What PyYAML and libyaml call their context, both in these words.
_CURES = {
    "flow sequence": "Close the [ with a ], or put the text in quotes if it begins with [.",
    "flow mapping": "Close the { with a }, or put the text in quotes if it begins with {.",
    "flow node": "Close the bracket, or put the text in quotes if it begins with one.",
    "quoted scalar": "Close the quotation mark; a text that holds one goes into quotes of the other kind.",
}


def cure_of(error: Exception) -> str:
    """A sentence for the person whose file it is."""
    context = str(getattr(error, "context", None) or "")
    return next((said for words, said in _CURES.items() if words in context), _QUOTES)
