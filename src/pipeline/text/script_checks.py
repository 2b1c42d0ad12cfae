"""Is this a script that can be spoken, or is something wrong with it?

A fault is a value with a name for machines and a sentence for people (and for the model, when it is asked again).
The phrases are English and Portuguese, the languages the pipeline ships prompts for; the other checks know no language.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sentencex import segment

from pipeline.domain.script import Script
from pipeline.text.language import other_language

# How far from the length asked for a script may be: one fifth either way.
_TOLERANCE = 0.2
# Six words in a row that come three times are a loop; twice may be a refrain.
_GRAM_WORDS = 6
_GRAM_TIMES = 3
# "The quiet pleasure of a walk is … The quiet pleasure of a walk is …": a small model's favourite loop.
_OPENING_WORDS = 5
_OPENING_TIMES = 2
# Two sentences of which this share of the words is the same say the same.
_SAME = 0.8
# More words than this in one sentence, and no listener follows: ten seconds are some 26 words.
_LONGEST_SENTENCE_WORDS = 70


@dataclass(frozen=True, slots=True)
class Fault:
    name: str
    """`length`, `language`, `repetition`, `meta`, `markup`, `unspeakable`, `unfinished`, `empty`."""
    what: str


# What a language model says about its answer, not in it.
_META = re.compile(
    r"""
      ^\W*(sure|certainly|of[ ]course|absolutely|okay|ok|great|claro|certo|com[ ]certeza|perfeito)\b\s*[!,.:]
    | ^\W*(here(['’]s|[ ]is|[ ]are)|aqui[ ](est[áã]o?|vai|segue))\b.*:\s*$
    | ^\W*(here(['’]s|[ ]is|[ ]are)|aqui[ ]est[áã]o?|segue)\b[^.]{0,60}
        \b(script|version|rewrit\w+|summary|sentences?|narration|texto|roteiro|vers[ãa]o|resumo|frases?|narra[çc][ãa]o)\b
    | \bas[ ]an[ ](ai|artificial|language[ ]model)\b
    | \bi['’]?\s?a?m[ ](an?[ ])?(ai|language[ ]model|chatbot|assistant)\b
    | \bcomo[ ](uma?[ ])?(ia|intelig[êe]ncia[ ]artificial|modelo[ ]de[ ]linguagem|assistente)\b
    | \b(let[ ]me[ ]know|feel[ ]free[ ]to|hope[ ]this[ ]helps|espero[ ]que[ ]ajude|fico[ ]feliz[ ]em)\b
    | \b(word[ ]count|contagem[ ]de[ ]palavras|note[ ]to[ ]self)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
# What small models say about the wording they were given. In a story "I am glad" and in a court "the sentence" are
# rightly said, so this is for answers of which one sentence more or less does not matter.
_TALK_OF_WORDING = re.compile(
    r"""
      \b(this|the|your|revised|original|given|following|corrected|rephrased|rewritten)[ ]
      (sentence|phrase|paragraph|passage|prompt|text|script|instruction|statement|version|example)s?\b
    | \b(esta|essa|a|sua)[ ](frase|senten[çc]a|vers[ãa]o|instru[çc][ãa]o)\b
    | \b(rephrase|reword|rewrit|paraphras|reescrev|reformul)\w*
    | \bi(['’]m|[ ]am|['’]ll|[ ]will|[ ]would|['’]d|[ ]can|[ ]cannot|[ ]can['’]t)\b.{0,40}
      \b(help|assist|afraid|sorry|glad|happy[ ]to|provide|explain|break[ ]it[ ]down|narrator)
    | \bin[ ]this[ ]context\b | \bwords[ ](and|or)[ ]phrases\b | \bexpress[ ](this|that|the)[ ]idea\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
# Directions to whoever speaks: [music], (pause), *sighs*, Host:, Narrator -
_DIRECTION = re.compile(
    r"""
      \[[^\]]*\] | \*[^*]+\* | ^\W*\#{1,6}\s | \*\*|__|`|</?\w+[^>]*>
    | \((?:[^)]*\b)?(pauses?|music|laughs?|sighs?|sound|applause|fade|intro|outro|pausa|m[úu]sica|risos?|suspiro|som)\b
        [^)]*\)
    | (?:^|(?<=[.!?]\s))\W*(host|narrator|speaker|announcer|voice[ -]?over|scene|title|intro|outro|sentence|answer|note
        |topic
        |apresentador|apresentadora|narrador|narradora|locutor|locutora|cena|t[íi]tulo|resposta|nota|frase)
        \b\s?\d*\s*[:–—]
    """,
    re.IGNORECASE | re.VERBOSE,
)
_NUMBERING = re.compile(r"^\W*(\d{1,2}[.)]|[-•*–]|[a-z]\))\s", re.IGNORECASE)
_ENDS = re.compile(r"[.!?…。！？][\"'”’»)\]]*$")
_LETTER = re.compile(r"[^\W\d_]")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_HEADING_LINE = re.compile(r"^\s{0,3}#{1,6}\s", re.MULTILINE)
# Emoji, arrows, boxes, private use and what never got decoded: nothing a voice can say.
_UNSPEAKABLE = re.compile(
    "[\u2190-\u2bff\ue000-\uf8ff\ufffd\U0001f000-\U0001faff\U000e0000-\U0010ffff\x00-\x08\x0e-\x1f]"
)


def sentences(text: str, language: str) -> tuple[str, ...]:
    """A text's sentences, each a single line; never blank."""
    found = (" ".join(part.split()) for part in segment(language.split("-", 1)[0], text))
    return tuple(sentence for sentence in found if sentence)


def words_of(text: str) -> tuple[str, ...]:
    """The words of a text as they are compared: lower case, no punctuation."""
    return tuple(word.lower() for word in _WORD.findall(text))


def sentence_faults(sentence: str, language: str, *, suspicious: bool = False) -> tuple[Fault, ...]:
    """What is wrong with one sentence, its language too; `suspicious` refuses what is only probably wrong."""
    found = form_faults(sentence, suspicious=suspicious)
    if other := other_language(sentence, language):
        found += (Fault("language", f"it is in {other}, and {language} was asked for: {_short(sentence)}"),)
    return found


def form_faults(sentence: str, *, suspicious: bool = False) -> tuple[Fault, ...]:
    """What is wrong with the form of one sentence, whatever its language."""
    found: list[Fault] = []
    if not _LETTER.search(sentence):
        return (Fault("empty", "there is no word in it"),)
    if _META.search(sentence) or (suspicious and _TALK_OF_WORDING.search(sentence)):
        found.append(Fault("meta", f"it talks about the answer, not the topic: {_short(sentence)}"))
    if _DIRECTION.search(sentence) or _NUMBERING.search(sentence):
        found.append(Fault("markup", f"headings, lists or stage directions: {_short(sentence)}"))
    if _UNSPEAKABLE.search(sentence):
        found.append(Fault("unspeakable", f"it has signs that cannot be spoken: {_short(sentence)}"))
    if not _ENDS.search(sentence):
        found.append(Fault("unfinished", f"a sentence breaks off: {_short(sentence)}"))
    if len(sentence.split()) > _LONGEST_SENTENCE_WORDS:
        found.append(Fault("unspeakable", f"a sentence of {len(sentence.split())} words: {_short(sentence)}"))
    return tuple(found)


def faults(
    script: Script, *, language: str, words: int, fewest: int | None = None, most: int | None = None
) -> tuple[Fault, ...]:
    """Everything wrong with a script, each kind once; empty where it can be spoken as it is.

    `words` is the length asked for; a fifth more or less is near enough. `fewest` and `most` take the place of those
    bounds.
    """
    text = [paragraph for part in script.segments for paragraph in part.paragraphs]
    said = [sentence for paragraph in text for sentence in sentences(paragraph, language)]
    if not said:
        return (Fault("empty", "there is nothing to say"),)
    found = [*_length(script.word_count, words, fewest, most), *_whole_language(text, language)]
    for sentence in said:
        found += form_faults(sentence)
    found += _repetition(said, script.title)
    found += [Fault("markup", "a heading within the text") for paragraph in text if _HEADING_LINE.search(paragraph)]
    return tuple({fault.name: fault for fault in reversed(found)}.values())[::-1]


def repeats(sentence: str, others: Sequence[str], title: str) -> bool:
    """Whether a sentence adds nothing: it says the same as another, begins as others begin, or shares a long run of
    words with one.

    A run that is part of the title is no repetition: the title may be said. But no third sentence begins as two do.
    """
    if says_the_same(sentence, others):
        return True
    opening = words_of(sentence)[:_OPENING_WORDS]
    if sum(words_of(other)[:_OPENING_WORDS] == opening for other in others) >= _OPENING_TIMES:
        return True
    heard = {gram for other in others for gram in _grams(other)}
    return bool(heard & set(_grams(sentence)) - set(_grams(title)))


def says_the_same(sentence: str, others: Iterable[str]) -> bool:
    """Whether it has been said already, in nearly the same words."""
    own = set(words_of(sentence))
    for other in others:
        theirs = set(words_of(other))
        if own and theirs and len(own & theirs) >= _SAME * min(len(own), len(theirs)):
            return True
    return False


def _length(count: int, words: int, fewest: int | None, most: int | None) -> list[Fault]:
    least = round(words * (1 - _TOLERANCE)) if fewest is None else fewest
    most = round(words * (1 + _TOLERANCE)) if most is None else most
    if least <= count <= most:
        return []
    # One or two words more than asked for in a very short script is one sentence more.
    if count > most and count <= words + _SHORTEST_OVERRUN_WORDS:
        return []
    return [Fault("length", f"it has {count} words, and {words} were asked for")]


# No sentence is cut to meet a length: a short script may end one sentence later.
_SHORTEST_OVERRUN_WORDS = 15


def _whole_language(text: Sequence[str], language: str) -> list[Fault]:
    other = other_language(" ".join(text), language)
    return [Fault("language", f"it is in {other}, and {language} was asked for")] if other else []


def _repetition(said: Sequence[str], title: str) -> list[Fault]:
    counts = Counter(" ".join(words_of(sentence)) for sentence in said)
    for sentence, times in counts.items():
        if times > 1 and len(sentence.split()) > 2:  # "So what?" may come twice
            return [Fault("repetition", f"a sentence comes {times} times: {_short(sentence)}")]
    grams = Counter(gram for sentence in said for gram in _grams(sentence) if gram not in _grams(title))
    if grams:
        gram, times = grams.most_common(1)[0]
        if times >= _GRAM_TIMES:
            return [Fault("repetition", f"the same words come {times} times: {' '.join(gram)}")]
    return []


def _grams(text: str) -> list[tuple[str, ...]]:
    words = words_of(text)
    return [words[start : start + _GRAM_WORDS] for start in range(len(words) - _GRAM_WORDS + 1)]


def _short(sentence: str) -> str:
    return repr(sentence if len(sentence) <= 60 else sentence[:57] + "...")  # a line on a terminal
