"""The words on the pages themselves, in the languages that there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Words:
    language: str
    all_episodes: str
    chapters: str
    transcript: str
    downloads: str
    made_with: str
    listen: str
    watch: str
    play_from: str
    follow: str
    speed: str
    back: str
    forward: str
    skip: str
    episode: str
    episodes: str
    none_yet: str
    subscribe: str
    feed: str
    search: str
    nothing_found: str
    not_shown: str
    unsupported: str
    underlined: str
    facts: Mapping[str, str]
    """How what an episode was made with is called, by its English name."""
    files: Mapping[str, str]
    """What lies beside a page, by its name without its ending."""
    months: tuple[str, ...]
    day: str
    """How a day is written: `{day}`, `{month}`, `{year}`."""

    def written(self, date: date) -> str:
        return self.day.format(day=date.day, month=self.months[date.month - 1], year=date.year)


ENGLISH = Words(
    language="en",
    all_episodes="All episodes",
    chapters="Chapters",
    transcript="Transcript",
    downloads="Downloads",
    made_with="How it was made",
    listen="Listen",
    watch="Watch",
    play_from="Play from",
    follow="Follow along",
    speed="Speed",
    back="Back 15 seconds",
    forward="Forward 15 seconds",
    skip="Skip to the transcript",
    episode="episode",
    episodes="episodes",
    none_yet="There are no episodes yet. Put a topic into input/ and run make pipeline.",
    subscribe="Subscribe",
    feed="Podcast feed",
    search="Search in titles and summaries",
    nothing_found="Nothing found.",
    not_shown="Not shown",
    unsupported="not in the notes of this topic",
    underlined="Underlined",
    facts={},
    files={
        "audio": "Sound",
        "video": "Film",
        "video-tall": "Film, upright",
        "captions": "Captions",
        "transcript": "Transcript",
        "script": "Script",
    },
    months=("Jan", "Feb", "Mar", "Apr", "May", "June", "July", "Aug", "Sept", "Oct", "Nov", "Dec"),
    day="{day} {month} {year}",
)
PORTUGUESE = Words(
    language="pt-BR",
    all_episodes="Todos os episódios",
    chapters="Capítulos",
    transcript="Transcrição",
    downloads="Arquivos",
    made_with="Como foi feito",
    listen="Ouvir",
    watch="Assistir",
    play_from="Tocar a partir de",
    follow="Acompanhar",
    speed="Velocidade",
    back="Voltar 15 segundos",
    forward="Avançar 15 segundos",
    skip="Ir para a transcrição",
    episode="episódio",
    episodes="episódios",
    none_yet="Ainda não há episódios. Coloque um tema em input/ e execute make pipeline.",
    subscribe="Assinar",
    feed="Feed do podcast",
    search="Buscar em títulos e resumos",
    nothing_found="Nada encontrado.",
    not_shown="Não exibidos",
    unsupported="não consta nas notas deste tema",
    underlined="Sublinhado",
    facts={"Voice": "Voz", "Writer": "Texto", "Pictures": "Imagens", "Pace": "Ritmo"},
    files={
        "audio": "Áudio",
        "video": "Vídeo",
        "video-tall": "Vídeo vertical",
        "captions": "Legendas",
        "transcript": "Transcrição",
        "script": "Roteiro",
    },
    months=("jan.", "fev.", "mar.", "abr.", "maio", "jun.", "jul.", "ago.", "set.", "out.", "nov.", "dez."),
    day="{day} {month} {year}",
)


def words_for(language: str) -> Words:
    """Those of a BCP 47 language; English where there are none."""
    return PORTUGUESE if language.lower().partition("-")[0] == "pt" else ENGLISH
