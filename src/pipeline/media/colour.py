"""Which colours an episode has: a hue of its own, the same wherever it is shown."""

from __future__ import annotations

import re
from hashlib import sha256

# In degrees of OKLCH, near what CSS calls so. A cover that says "blue" in pink looks like a mistake.
_NAMED = {
    27: "red crimson scarlet vermelho vermelha vermelhos vermelhas",
    55: "orange alaranjado alaranjada laranja laranjas",
    70: "brown marrom marrons castanho castanha",
    95: "yellow gold golden amarelo amarela amarelos amarelas dourado dourada",
    145: "green verde verdes",
    195: "turquoise teal cyan turquesa ciano",
    258: "blue azure azul azuis",
    305: "purple violet roxo roxa roxos roxas violeta",
    355: "pink rosa cor-de-rosa",
}
_HUES = {word: hue for hue, words in _NAMED.items() for word in words.split()}
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")


def hue_of(title: str) -> int:
    """The hue of an episode's colours, in degrees of OKLCH; the same for the same title. The colour that the title
    names, in English or Portuguese, else one of its own.
    """
    for word in _WORD.findall(title.casefold()):
        if word in _HUES:
            return _HUES[word]
    return int.from_bytes(sha256(title.encode("utf-8", "surrogatepass")).digest()[:2]) * 360 // 65536
