"""The words on the pages themselves, in the languages that there are."""

from __future__ import annotations

from dataclasses import dataclass


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
    episodes: str
    none_yet: str
    subscribe: str
    feed: str
    search: str
    nothing_found: str
    not_shown: str
    unsupported: str
    minutes: str


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
    follow="Follow the sound",
    speed="Speed",
    back="Back 15 seconds",
    forward="Forward 15 seconds",
    skip="Skip to the transcript",
    episodes="episodes",
    none_yet="There are no episodes yet. Put a topic into input/ and run make pipeline.",
    subscribe="Subscribe",
    feed="Podcast feed",
    search="Search in titles and summaries",
    nothing_found="Nothing found.",
    not_shown="Not shown",
    unsupported="Not in the notes of this topic",
    minutes="min",
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
    follow="Acompanhar o áudio",
    speed="Velocidade",
    back="Voltar 15 segundos",
    forward="Avançar 15 segundos",
    skip="Ir para a transcrição",
    episodes="episódios",
    none_yet="Ainda não há episódios. Coloque um tema em input/ e execute make pipeline.",
    subscribe="Assinar",
    feed="Feed do podcast",
    search="Buscar em títulos e resumos",
    nothing_found="Nada encontrado.",
    not_shown="Não exibidos",
    unsupported="Não consta nas notas deste tema",
    minutes="min",
)


def words_for(language: str) -> Words:
    """Those of a BCP 47 language; English where there are none."""
    return PORTUGUESE if language.lower().partition("-")[0] == "pt" else ENGLISH
