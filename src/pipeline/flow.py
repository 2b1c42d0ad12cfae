"""READ THIS FIRST: an episode, stage by stage.

    topic ─► script ─┬─► sentences ─► speech (one artifact a sentence) ─┬─► mix ─► captions ─┬─► page ─► published
                     ├─► cover ─────────────────────────────────────────┘    │               │
                     └─► pictures (one a segment) ───────────────────────────┴─► film ───────┘

A flow yields steps and is sent their artifacts. The runner carries it out; the plan looks it through without
making anything; both see the same episode, because there is only this one description of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from pipeline import length
from pipeline.build.recipe import Artifact, Flow
from pipeline.domain.length import words_for
from pipeline.domain.script import Script
from pipeline.domain.topic import Mode, Source, Topic
from pipeline.errors import InputError
from pipeline.media.credentials import Identity, Kind, MadeBy, Model
from pipeline.media.video.film import About as FilmTags
from pipeline.ports import IllustratorIdentity, Voice, VoiceIdentity, Writer, WriterIdentity
from pipeline.slugs import source_identity
from pipeline.stages import captions, casting, credentials, mix, pace, pages, pictures, sources, speech, video
from pipeline.stages import script as scripts
from pipeline.stages.publish import SCRIPT, Edition, Piece
from pipeline.text import claims, notices, script_file, utterances
from pipeline.text.pronunciations import Pronunciations
from pipeline.text.style_file import Style
from pipeline.text.summary import summary

# Letters spoken for each word of a script, blanks left out: English runs to 4.7, Portuguese to 4.9.
_LETTERS_A_WORD = 4.8

# A pause is shared out among so many words, in narration as the prompts ask for it and as notes are told.
_WORDS_A_SENTENCE, _WORDS_A_SEGMENT = 12, 60

# Measured over the samples, pauses included.
_SECONDS_A_WORD = 0.4

_ONLY_PACE_EDITED = "the script is a person's own: only the pace is changed, by 8 % at most"
_ONLY_PACE_READ = "the text is read as it stands: only the pace is changed, by 8 % at most"

Origin: TypeAlias = Mapping[str, object]
"""How a script came about that a model wrote, as the manifest says it: `writer`, `style`, `style_sha256`, `how`. Plain
data, because it outlives the run: an edit of the script goes on saying it."""


@dataclass(frozen=True, slots=True)
class Edited:
    """A script as a person left it."""

    text: bytes
    """To the byte."""
    origin: Origin | None = None
    """What the person began with; None where no model wrote it."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What an episode is made with: engines and everything a person has set."""

    writer: Writer
    voice: Voice
    style: Callable[[str], Style]
    """Raises InputError for a style there is no prompt file for."""
    pronunciations: Pronunciations
    voices: casting.Preferences
    sound: mix.Sound
    easel: pictures.Easel
    films: tuple[video.Spec, ...]
    """Which films are made: each has the size of one of the easel's shapes, in their order."""
    rate: float
    """The speaking rate: 1 is the voice's own pace."""
    tries: int
    """How often a script may be asked for again when it fails its checks."""
    fingerprint: str
    """One digest over all of this: while it stands, a finished episode of an unchanged topic is up to date."""
    credits: mix.Credits = field(default_factory=mix.Credits)
    fails_unsupported: bool = False
    """Whether a sentence that rests on none of its topic's notes is a failure."""
    auto_writer: bool = False
    """The writer was taken because it answers today; an episode that another one finished stays as it is."""
    auto_voice: bool = False
    auto_illustrator: bool = False
    signer: Identity | None = None
    """Who signs what is published; None where nothing is signed."""
    public_url: str = ""
    """Where `output/` lies for the world, without a slash at its end; empty where nobody but this machine sees it."""
    provenance: Mapping[str, object] = field(default_factory=dict)
    """What every manifest says about this installation."""

    def not_seen(self, seen: set[str]) -> tuple[str, ...]:
        """Of speech, mix, captions, pictures, film and page those of which no rule was seen, in this order."""
        kinds = {
            "speech": (speech.RULE,),
            "mix": mix.ALWAYS,
            "captions": (captions.RULE,),
            "pictures": pictures.RULES,
            "film": video.RULES if self.films else (),
            "page": (pages.RULE,),
        }
        return tuple(kind for kind, rules in kinds.items() if rules and not seen & {rule.name for rule in rules})

    def still_to_come(self, topic: Topic, seen: set[str]) -> list[tuple[str, str, float]]:
        """Work that follows once the script is there: rule, resource and units, estimated from the length asked."""
        expected = (
            (speech.RULE, topic.words * _LETTERS_A_WORD),
            *((rule, float(topic.words)) for rule in mix.ALWAYS),
            (captions.RULE, float(topic.words)),
            (pictures.COVER_RULE, 1.0),
            (pictures.RULE, len(self.easel.shapes) * max(1.0, topic.words / _WORDS_A_SEGMENT)),
            *((rule, len(self.films) * topic.words * _SECONDS_A_WORD) for rule in video.RULES if self.films),
            *(((credentials.RULE, 2.0 + len(self.films)),) if self.signer is not None else ()),
            (pages.RULE, 1.0),
        )
        return [(rule.name, rule.resource, units) for rule, units in expected if rule.name not in seen]


def episode(topic: Topic, slug: str, desk: Desk, *, edited: Edited | None = None) -> Flow[Edition]:
    """Everything from a topic to what is published of it.

    A script that a person has edited is used as it is, and no writer is asked.
    Raises InputError before any engine works where the topic cannot be made: no voice, no such style, a script
    with a fault in it.
    """
    if edited is None:
        who = casting.cast(topic, desk.voice.installed(), desk.voices)
        topic = yield from _in_words(topic, desk, who)
        written = yield from _script(topic, desk)
        script = written.script
        origin = _origin(topic, desk, written)
        if desk.fails_unsupported:  # before anything is spoken
            whole = claims.split(script)
            sources.check(sources.of_written(topic, whole, written.marks), whole, topic, slug)
    else:
        written = None
        script = _edited_script(edited.text, slug)
        origin = edited.origin
        who = casting.cast(_in_language(topic, script, slug), desk.voice.installed(), desk.voices)

    fitted = None
    if topic.seconds is None:
        spoken = yield from _spoken(script, 1.0, desk, who)
    else:
        fitted = yield from _to_length(topic, topic.seconds, script, written, desk, who)
        spoken = fitted.spoken
        if fitted.written is not None:
            written, script, origin = fitted.written, fitted.written.script, _origin(topic, desk, fitted.written)
    said, rate = spoken.said, _rate(desk, spoken.rate)
    lines = [one.sentence.shown for one in said]
    if edited is not None:
        claimed = sources.of_edited(topic, lines, edited.text, (origin or {}).get("how"))
    else:
        claimed = sources.of_written(topic, lines, written.marks) if written is not None else None
    if desk.fails_unsupported:
        sources.check(claimed, lines, topic, slug)
    notice = notices.of_sound(script.language, written=origin is not None, edited=edited is not None)
    cover = yield from pictures.cover(script, desk.easel)
    front = mix.Cover(cover, pictures.PART)
    mixed = yield from mix.mix(script, spoken.sentences, desk.sound, topic, notice, front, desk.credits)
    programme = mixed.programme
    captioned = yield from captions.caption(programme, script.language, words=script.word_count)

    pieces = {
        "audio.mp3": Piece(programme, "audio.mp3"),
        "captions.vtt": Piece(captioned, "captions.vtt"),
        "captions.srt": Piece(captioned, "captions.srt"),
        "transcript.json": Piece(captioned, "transcript.json"),
        "chapters.json": Piece(captioned, "chapters.json"),
    }
    if mixed.flac is not None:
        pieces["audio.flac"] = Piece(mixed.flac, "audio.flac")
    drawn = yield from pictures.draw(script, desk.easel)
    illustrator = drawn.by
    if illustrator.reads_prompts:  # typography is what anybody would call it
        notice = notices.with_pictures(script.language, notice)
    seen = yield from _seen(script, topic, programme, drawn, desk, notice)
    pieces[pictures.COVER] = Piece(cover, pictures.PART)
    pieces |= seen
    begun = origin or {}
    heard = {one.segment for one in said}
    films = {
        spec.name: ("audio.mp3", *(name for number, name in enumerate(shape.names(len(made))) if number in heard))
        for spec, (shape, made) in zip(desk.films, drawn.shapes.items(), strict=False)
    }
    pieces |= yield from _signed(pieces, films, _made_by(notice, begun, who.voice, illustrator), desk.signer)
    fixed = {}
    if edited is None and written is not None:
        pieces[SCRIPT] = Piece(written.artifact, SCRIPT)
    elif edited is not None:
        fixed[SCRIPT] = edited.text
    shown = [pages.Shown(name, piece.artifact, piece.part) for name, piece in pieces.items()]
    about_page = pages.About(
        title=script.title,
        language=script.language,
        notice=notice,
        tags=topic.tags,
        facts=_facts(begun, who, rate, illustrator),
        address=f"{desk.public_url}/{slug}" if desk.public_url else "",
    )
    page = yield from pages.page_of(
        about_page,
        programme,
        shown,
        pictures=desk.easel.shapes[0].names(len(script.segments)),
        unsupported=claimed.unsupported if claimed is not None else (),
    )
    pieces[pages.NAME] = Piece(page, pages.NAME)

    def about() -> dict[str, object]:
        return {
            "title": script.title,
            "summary": summary((sentence.sentence.shown for sentence in said), script.title),
            "slug": slug,
            "language": script.language,
            "tags": list(topic.tags),
            "date": topic.date.isoformat() if topic.date else None,
            "identity": source_identity(topic),
            "source": {"path": topic.source.path, "line": topic.source.line},
            "ai_generated": {
                "script": origin is not None,
                "speech": True,
                "pictures": illustrator.reads_prompts,
                "notice": notice,
            },
            "script": {
                "mode": topic.mode.value,
                "style": begun.get("style"),
                "style_sha256": begun.get("style_sha256"),
                "edited_by_hand": edited is not None,
                "words": script.word_count,
                "words_asked": topic.words if topic.mode is Mode.WRITE and topic.seconds is None else None,
                "segments": [segment.title for segment in script.segments],
                "picture_prompts": [segment.picture_prompt for segment in script.segments],
                "sentences": len(said),
                "claims": sources.about(claimed, topic) if claimed is not None else None,
                "how": begun.get("how", written.about if written is not None else None),
            },
            "engines": {
                "writer": begun.get("writer"),
                "voice": _voice(who.voice, who.speaker, rate),
                "illustrator": _illustrator(illustrator),
            },
            "length": fitted.about if fitted is not None else None,
            "audio": mix.measured(programme),
            "pictures": {
                "cover": pictures.about(cover),
                "shapes": [
                    {"width": shape.width, "height": shape.height, "segments": [pictures.about(one) for one in made]}
                    for shape, made in drawn.shapes.items()
                ],
            },
            **desk.provenance,
        }

    return Edition(
        slug=slug,
        pieces=pieces,
        fixed=fixed,
        about=about,
        voice=who.voice,
        writer=desk.writer.describe() if origin is not None and edited is None else None,
        illustrator=illustrator,
        origin=origin,
    )


def _seen(
    script: Script, topic: Topic, programme: Artifact, drawn: pictures.Drawn, desk: Desk, notice: str
) -> Flow[Mapping[str, Piece]]:
    """The pictures as they are published, and the films of them."""
    pieces: dict[str, Piece] = {}
    for shape, made in drawn.shapes.items():
        pieces |= {name: Piece(one, pictures.PART) for name, one in zip(shape.names(len(made)), made, strict=True)}
    tags = FilmTags(script.title, script.language, topic.date.isoformat() if topic.date else "", notice)
    # Where no film is asked for, there are pictures for the page all the same.
    for spec, made in zip(desk.films, drawn.shapes.values(), strict=False):
        shots = [video.Picture(one, pictures.PART) for one in made]
        film = yield from video.make_film(programme, shots, spec, tags, words=script.word_count)
        pieces[spec.name] = Piece(film, spec.name)
    return pieces


def _signed(
    pieces: Mapping[str, Piece], films: Mapping[str, Sequence[str]], by: MadeBy, signer: Identity | None
) -> Flow[Mapping[str, Piece]]:
    """Those pieces that can carry credentials, with them; none where nobody signs. `films` names what each film is made
    of: a segment in which nothing is said has a picture, and no place in the film.
    """
    if signer is None:
        return {}
    picture = Kind.TYPESET if by.illustrator is None else Kind.DRAWN
    kinds = {"audio.mp3": Kind.SPEECH, pictures.COVER: Kind.TYPESET} | dict.fromkeys(films, Kind.FILM)
    files = [
        credentials.File(name, piece.artifact, piece.part, kinds.get(name, picture), tuple(films.get(name, ())))
        for name, piece in pieces.items()
        if name.endswith((".mp3", ".mp4", ".png"))
    ]
    signed = yield from credentials.sign(files, by, signer)
    return {name: Piece(one.artifact, one.part) for name, one in signed.items()}


def _made_by(notice: str, begun: Origin, voice: VoiceIdentity, illustrator: IllustratorIdentity) -> MadeBy:
    told = begun.get("writer")
    writer = None
    if isinstance(told, Mapping):
        writer = Model(str(told.get("engine", "")), str(told.get("model", "")), str(told.get("sha256") or ""))
    drew = Model(illustrator.engine, illustrator.name, illustrator.digest) if illustrator.reads_prompts else None
    return MadeBy(notice, Model(voice.engine, voice.name, voice.digest), writer, drew)


def _facts(
    begun: Origin, who: casting.Casting, rate: float, illustrator: IllustratorIdentity
) -> tuple[tuple[str, str], ...]:
    """What the page says of how it was made."""
    writer = begun.get("writer")
    facts = [("Voice", f"{who.voice.name}{f' ({who.voice.licence})' if who.voice.licence else ''}, {who.voice.engine}")]
    if isinstance(writer, Mapping):
        licence = f" ({writer['licence']})" if writer.get("licence") else ""
        facts.insert(0, ("Writer", f"{writer.get('model', '')}{licence}, {writer.get('engine', '')}"))
    if illustrator.reads_prompts:
        facts.append(("Pictures", f"{illustrator.name}, {illustrator.engine}"))
    if rate != 1.0:
        facts.append(("Pace", f"{rate:g}"))
    return tuple(facts)


def _in_words(topic: Topic, desk: Desk, who: casting.Casting) -> Flow[Topic]:
    """The topic with the words that its seconds come to with this voice, where a writer is to be asked for them."""
    if topic.seconds is None or topic.mode is Mode.READ:
        return topic
    a_word = yield from pace.seconds_a_word(topic.language, desk.voice, who.voice, speaker=who.speaker, rate=desk.rate)
    if a_word is None:
        return topic
    pauses = desk.sound.pauses
    a_word += pauses.sentence / _WORDS_A_SENTENCE + pauses.segment / _WORDS_A_SEGMENT
    return replace(topic, words=words_for(topic.seconds - pauses.lead_in - pauses.tail, a_word))


def _spoken(script: Script, times: float, desk: Desk, who: casting.Casting) -> Flow[length.Spoken]:
    said = utterances.of(script, desk.pronunciations)
    sentences = yield from speech.speak(said, desk.voice, who.voice, speaker=who.speaker, rate=_rate(desk, times))
    return length.Spoken(said, sentences, times)


def _to_length(
    topic: Topic,
    seconds: float,
    script: Script,
    written: scripts.Written | None,
    desk: Desk,
    who: casting.Casting,
) -> Flow[length.Fitted]:
    def speak(script: Script, times: float) -> Flow[length.Spoken]:
        return _spoken(script, times, desk, who)

    def measure(sentences: Sequence[speech.SpokenSentence]) -> Flow[tuple[float, float]]:
        return mix.lengths(sentences, desk.sound)

    room = topic.words

    def revise(before: scripts.Written, words: int, round_: int) -> Flow[scripts.Written]:
        nonlocal room
        room += words
        return scripts.revise(
            topic,
            desk.style(topic.style),
            desk.writer,
            before,
            words=words,
            room=room,
            round_=round_,
            tries=desk.tries,
        )

    if written is None:
        return (yield from length.fit_pace(script, seconds, speak=speak, measure=measure, why=_ONLY_PACE_EDITED))
    if topic.mode is Mode.READ:
        return (yield from length.fit_pace(script, seconds, speak=speak, measure=measure, why=_ONLY_PACE_READ))
    return (yield from length.fit(written, seconds, speak=speak, measure=measure, revise=revise))


def _rate(desk: Desk, times: float) -> float:
    return round(desk.rate * times, 4)


def _script(topic: Topic, desk: Desk) -> Flow[scripts.Written]:
    if topic.mode is Mode.READ:
        return (yield from scripts.read(topic))
    return (yield from scripts.write(topic, desk.style(topic.style), desk.writer, tries=desk.tries))


def _origin(topic: Topic, desk: Desk, written: scripts.Written) -> Origin | None:
    if topic.mode is Mode.READ:
        return None
    return {
        "writer": _writer(desk),
        "style": topic.style,
        # What enters the key: everything that the prompt file says, comments and layout left out.
        "style_sha256": desk.style(topic.style).digest,
        "how": written.about,
    }


def _edited_script(edited: bytes, slug: str) -> Script:
    where = f"output/{slug}/{SCRIPT}"
    way_out = f"Or give the edit up: pipeline rewrite {slug}."
    try:
        text = edited.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise InputError(
            "the edited script is not UTF-8 text", where=where, hint=f"Save it as UTF-8 in your editor. {way_out}"
        )
    try:
        return script_file.parse(text, where=where)
    except InputError as error:
        raise InputError(error.what, where=error.where, hint=f"{error.hint} {way_out}") from error


def _in_language(topic: Topic, script: Script, slug: str) -> Topic:
    """The topic as the voice must see it: a person may have translated the script."""
    if script.language == topic.language:
        return topic
    return replace(topic, source=Source(f"output/{slug}/{SCRIPT}", 1), language=script.language)


def _writer(desk: Desk) -> dict[str, object]:
    identity: WriterIdentity = desk.writer.describe()
    return {
        "engine": identity.engine,
        "model": identity.name,
        "sha256": identity.digest,
        "licence": identity.licence,
        **identity.details,
    }


def _voice(identity: VoiceIdentity, speaker: str, rate: float) -> dict[str, object]:
    return {
        "engine": identity.engine,
        "voice": identity.name,
        "speaker": speaker or None,
        "sha256": identity.digest,
        "language": identity.language,
        "licence": identity.licence,
        "speaking_rate": rate,
        **identity.details,
    }


def _illustrator(identity: IllustratorIdentity) -> dict[str, object]:
    return {
        "engine": identity.engine,
        "model": identity.name,
        "sha256": identity.digest,
        "licence": identity.licence,
        **identity.details,
    }
