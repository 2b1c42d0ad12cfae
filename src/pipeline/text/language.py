"""Is a text in the language it should be in?

Judged only where the identifier is sure and the text is long enough: a sentence of four words, or one full of names,
passes.
"""

from __future__ import annotations

from functools import cache
from typing import Any

# Below this many words the identifier's guesses are noise ("Rain." is taken for English, Malay or Dutch).
_FEWEST_WORDS = 6
# How sure it must be of another language, and how unlikely the one asked for, from 0 to 1. Sentences in Portuguese
# leave Galician 0.1 to 0.3, Norwegian and Danish share theirs: a near relative alone proves nothing.
_SURE = 0.6
_UNLIKELY = 0.02


def other_language(text: str, wanted: str) -> str | None:
    """The language a text is clearly in, where that is not `wanted` (BCP 47); None where it is, or cannot be told."""
    asked = wanted.split("-", 1)[0].lower()
    identifier = _identifier()
    if len(text.split()) < _FEWEST_WORDS or asked not in identifier.labels:
        return None
    chances = {str(language): float(chance) for language, chance in identifier.rank(text)}
    found = max(chances, key=lambda language: chances[language])
    return found if chances[found] >= _SURE and chances[asked] <= _UNLIKELY else None


@cache
def _identifier() -> Any:  # noqa: ANN401  # the library has no types
    # Loading takes a quarter of a second, which only those who ask should pay.
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
