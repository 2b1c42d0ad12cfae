"""The words on the service's pages, in the languages that there are: English and Portuguese.

What comes from elsewhere (a topic's title, an engine's error, a reason in a plan) is shown as it was said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.media.page import words as published

# As `report.reasons` gives them: `2 × never made`, `follows from mix`.
_REASON = re.compile(r"(?P<times>\d+ × )?(?:follows from (?P<places>.+)|(?P<why>.+))")


@dataclass(frozen=True, slots=True)
class Words:
    """One language."""

    code: str
    name: str
    page: published.Words
    """What the published pages say, which these say too."""
    text: Mapping[str, str]
    """By the name under which the templates ask for it; {} where something is put in."""
    states: Mapping[str, str]
    stages: Mapping[str, str]
    roles: Mapping[str, str]
    folders: Mapping[str, str]
    reasons: Mapping[str, str]
    """What a plan gives as a reason, where it is of a few fixed words."""

    def __getitem__(self, name: str) -> str:
        return self.text[name]

    def lasting(self, seconds: float) -> str:
        """A span of time as somebody would say it: `about 40 s`, `about 3 min`."""
        if seconds < 5:
            return self.text["a_moment"]
        if seconds < 90:
            return self.text["about"].format(f"{round(seconds / 5) * 5 if seconds > 20 else round(seconds)} s")
        if seconds < 5400:
            return self.text["about"].format(f"{round(seconds / 60)} min")
        return self.text["about"].format(f"{seconds / 3600:.1f} h".replace(".", self.text["decimal"]))

    def size(self, count: float) -> str:
        """Bytes as somebody would say them: `12.3 GB`."""
        unit, value = next(
            (unit, count / factor) for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3), ("B", 1))
            if count >= factor or unit == "B"
        )  # fmt: skip
        shown = f"{value:.1f}" if value < 100 and unit != "B" else f"{value:.0f}"
        return f"{shown.replace('.', self.text['decimal'])} {unit}"

    def reason(self, told: str) -> tuple[str, bool]:
        """A reason as a plan gives it, and whether it could be told in these words."""
        found = _REASON.fullmatch(told)
        if found is None or self.code == "en":
            return told, self.code == "en"
        times = found["times"] or ""
        if found["places"]:
            places = dict.fromkeys(self.stages.get(place, place).lower() for place in found["places"].split(", "))
            return times + self.text["follows"].format(", ".join(places)), True
        known = self.reasons.get(found["why"])
        return (times + known, True) if known is not None else (told, False)

    def number(self, count: int) -> str:
        """`10,000`."""
        return f"{count:,}".replace(",", self.text["thousands"])


ENGLISH = Words(
    code="en",
    name="English",
    page=published.ENGLISH,
    text={
        "decimal": ".",
        "thousands": ",",
        "a_moment": "a moment",
        "about": "about {}",
        "skip": "Skip to the content",
        "pages": "Pages",
        "now": "Now",
        "episodes": "Episodes",
        "plan": "Plan",
        "engines": "Engines",
        "sign_out": "Sign out",
        "other_language": "Português",
        # making a topic
        "ask": "What should the next episode tell?",
        "ask_about": "A title is enough. What you know about it keeps the story true.",
        "title": "Title",
        "title_example": "Why the sky is blue",
        "notes": "Notes",
        "notes_example": "Facts to keep to, one a line. Or paste a whole text, and have it read as it stands.",
        "style": "Style",
        "voice": "Voice",
        "voice_any": "As the settings say",
        "length": "Length",
        "as_usual": "{} (settings)",
        "minutes": "{} min",
        "language": "Language",
        "mode": "The notes are",
        "mode_write": "facts for the script",
        "mode_read": "the text to be read",
        "make": "Make the episode",
        "listen_voice": "Listen to the voice",
        "stop_voice": "Stop",
        "samples": "Listen to the voices",
        "wrong": "This could not be taken:",
        "asked_for": "“{}” is asked for. It is a file in the input folder, and nothing loses it now.",
        # the queue
        "works": "In the works",
        "nothing": "Nothing is waiting. Ask for an episode above, or drop a file into the input folder.",
        "state_starting": "Getting up: the engines are asked to work once.",
        "state_waiting": "Waiting.",
        "state_idle": "At rest; looking out for new topics.",
        "state_making": "At work.",
        "state_paused": "Paused. Nothing is begun until you go on.",
        "state_stopped": "Stopped.",
        "pause": "Pause",
        "resume": "Go on",
        "counts": "{} being made, {} waiting",
        "left_all": "{} to go",
        "left": "{} left",
        "takes": "takes {}",
        "more_wait": "and {} more, in the plan",
        "more": "and {} more",
        "cancel": "Call off",
        "cancel_of": "Call off “{}”",
        "retry": "Try again",
        "retry_of": "Try again: “{}”",
        "waits_for": "waits for: {}",
        "down": "{} is not to be had",
        "down_since": "Since {}; tried again {}.",
        "down_waits": "What needs it waits, and goes on by itself once it answers. The rest goes on meanwhile.",
        "in_seconds": "in {} s",
        "at_once": "now",
        "attention": "Needs you",
        "refused": "Files that are no topics",
        "what_to_do": "What to do:",
        "where": "Where:",
        "progress": "How far it is",
        "finished": "Episodes",
        "all_finished": "All {} episodes",
        "none_finished": "The first episode will stand here.",
        "earlier": "Earlier episodes",
        "later": "Later episodes",
        "said_making": "Being made: {}",
        "said_done": "Finished: {}",
        "said_failed": "Failed: {}",
        "said_waiting": "Waiting for: {}",
        "said_back": "Back: {}",
        # engines and disk
        "ready": "ready",
        "not_ready": "not ready",
        "not_asked": "not asked yet",
        "chosen": "Why this one",
        "model": "Model",
        "licence": "Licence",
        "last_asked": "Last asked",
        "ago": "{} ago",
        "disk": "Disk",
        "free": "{} free",
        "free_of": "{} free of {}",
        "voices": "Voices",
        "no_voices": "No voice was seen yet.",
        "more_engines": "More about them",
        "sample_of": "Sample of {}",
        "api": "API",
        # plan
        "plan_title": "What the next round will do",
        "plan_about": "Looked through, without making anything.",
        "plan_nothing": "Nothing: every episode is up to date.",
        "plan_up_to_date": "{} episodes are up to date.",
        "plan_takes": "By what was measured here it takes {}.",
        "plan_unknown": "nothing was measured yet",
        "plan_more": "and what follows from that",
        "plan_next": "Next ones",
        "plan_failed": "Cannot be planned:",
        "plan_publish": "put in place again: {}",
        "plan_edited": "your script is kept",
        "follows": "follows from: {}",
        "plan_none": "Nothing is to be made of this one.",
        # an episode
        "not_there": "Not finished yet. Its sound and its words will stand here.",
        "edit": "Edit",
        "edit_sentence": "Edit: {}",
        "edit_hint": "Choose a sentence to change it.",
        "edit_label": "What is to be said here",
        "hear": "Hear it",
        "keep": "Keep it",
        "cancel_edit": "Cancel",
        "speaking": "Speaking…",
        "playing": "This is how it will sound.",
        "keeping": "Keeping it…",
        "kept": "Kept. The episode is being made anew; only this sentence is spoken.",
        "made_anew": "The episode is new: the sentence is in it.",
        "pending": "not in the sound yet",
        "stale": "The script was changed meanwhile, and nothing of that is lost. It now says: “{}” Keep yours in its "
        "place?",
        "stale_gone": "The script was changed meanwhile, and the sentence is no longer there. Copy your words; the "
        "page is as the script is now once you cancel.",
        "stale_whole": "The script was changed meanwhile: below is what you wrote. Compare it with the script as it is "
        "now, and keep it if you still want to.",
        "whole_script": "The whole script",
        "whole_about": "Markdown. It is yours once you keep a change: nothing overwrites it.",
        "keep_script": "Keep the script",
        "edited": "Script edited by hand",
        "speak_failed": "It could not be spoken:",
        "keep_failed": "It could not be kept:",
        "offline": "The service does not answer. What you wrote is still here.",
        "next_round": "What will be made of it",
        # signing in, and faults
        "sign_in": "Sign in",
        "sign_in_about": "This service asks everybody for its token: SERVICE_TOKEN in its settings.",
        "token": "Token",
        "token_wrong": "That is not the token.",
        "fault": "That did not work",
        "home": "Back to the start",
    },
    states={
        "waiting": "waiting",
        "making": "being made",
        "finished": "finished",
        "failed": "failed",
        "set-aside": "set aside",
        "held": "called off",
        "kept": "kept",
        "new": "new",
    },
    stages={
        "script": "Script",
        "speech": "Voice",
        "mix": "Sound",
        "captions": "Captions",
        "pictures": "Pictures",
        "video": "Film",
        "page": "Page",
        "credentials": "Signature",
        "other": "More",
        "passage": "Script",
        "pace": "Pace",
        "level": "Level",
        "gain": "Loudness",
        "sound": "Sound",
        "cover": "Cover",
        "film": "Film",
    },
    roles={"writer": "Writer", "voice": "Voice", "illustrator": "Pictures"},
    folders={"input": "Topics", "output": "Episodes", "data": "Data"},
    reasons={},
)

PORTUGUESE = Words(
    code="pt",
    name="Português",
    page=published.PORTUGUESE,
    text={
        "decimal": ",",
        "thousands": ".",
        "a_moment": "um instante",
        "about": "cerca de {}",
        "skip": "Ir para o conteúdo",
        "pages": "Páginas",
        "now": "Agora",
        "episodes": "Episódios",
        "plan": "Plano",
        "engines": "Motores",
        "sign_out": "Sair",
        "other_language": "English",
        "ask": "O que o próximo episódio vai contar?",
        "ask_about": "Um título basta. O que você sabe sobre o tema mantém a história verdadeira.",
        "title": "Título",
        "title_example": "Por que o céu é azul",
        "notes": "Notas",
        "notes_example": "Fatos a respeitar, um por linha. Ou cole um texto inteiro, para ser lido como está.",
        "style": "Estilo",
        "voice": "Voz",
        "voice_any": "Conforme as configurações",
        "length": "Duração",
        "as_usual": "{} (configurações)",
        "minutes": "{} min",
        "language": "Idioma",
        "mode": "As notas são",
        "mode_write": "fatos para o roteiro",
        "mode_read": "o texto a ser lido",
        "make": "Criar o episódio",
        "listen_voice": "Ouvir a voz",
        "stop_voice": "Parar",
        "samples": "Ouvir as vozes",
        "wrong": "Não foi possível aceitar:",
        "asked_for": "“{}” foi pedido. É um arquivo na pasta de entrada, e nada o perde agora.",
        "works": "Em produção",
        "nothing": "Nada na fila. Peça um episódio acima, ou coloque um arquivo na pasta de entrada.",
        "state_starting": "Começando: cada motor é posto à prova uma vez.",
        "state_waiting": "Esperando.",
        "state_idle": "Em repouso, à espera de novos temas.",
        "state_making": "Trabalhando.",
        "state_paused": "Em pausa. Nada começa até você continuar.",
        "state_stopped": "Parado.",
        "pause": "Pausar",
        "resume": "Continuar",
        "counts": "{} em produção, {} na fila",
        "left_all": "faltam {}",
        "left": "faltam {}",
        "takes": "leva {}",
        "more_wait": "e mais {}, no plano",
        "more": "e mais {}",
        "cancel": "Cancelar",
        "cancel_of": "Cancelar “{}”",
        "retry": "Tentar de novo",
        "retry_of": "Tentar de novo: “{}”",
        "waits_for": "à espera de: {}",
        "down": "{} não responde",
        "down_since": "Desde {}; nova tentativa {}.",
        "down_waits": "O que precisa dele espera, e continua sozinho quando ele responder. O resto segue em frente.",
        "in_seconds": "em {} s",
        "at_once": "agora",
        "attention": "Precisa de você",
        "refused": "Arquivos que não são temas",
        "what_to_do": "O que fazer:",
        "where": "Onde:",
        "progress": "Andamento",
        "finished": "Episódios",
        "all_finished": "Todos os {} episódios",
        "none_finished": "O primeiro episódio aparecerá aqui.",
        "earlier": "Episódios anteriores",
        "later": "Episódios posteriores",
        "said_making": "Em produção: {}",
        "said_done": "Pronto: {}",
        "said_failed": "Falhou: {}",
        "said_waiting": "À espera de: {}",
        "said_back": "De volta: {}",
        "ready": "pronto",
        "not_ready": "não está pronto",
        "not_asked": "ainda não verificado",
        "chosen": "Por que este",
        "model": "Modelo",
        "licence": "Licença",
        "last_asked": "Última verificação",
        "ago": "há {}",
        "disk": "Disco",
        "free": "{} livres",
        "free_of": "{} livres de {}",
        "voices": "Vozes",
        "no_voices": "Nenhuma voz foi vista ainda.",
        "more_engines": "Mais sobre eles",
        "sample_of": "Amostra de {}",
        "api": "API",
        "plan_title": "O que a próxima rodada fará",
        "plan_about": "Examinado, sem produzir nada.",
        "plan_nothing": "Nada: todos os episódios estão em dia.",
        "plan_up_to_date": "{} episódios estão em dia.",
        "plan_takes": "Pelo que foi medido aqui, leva {}.",
        "plan_unknown": "nada foi medido ainda",
        "plan_more": "e o que se segue disso",
        "plan_next": "Próximos",
        "plan_failed": "Não é possível planejar:",
        "plan_publish": "posto no lugar de novo: {}",
        "plan_edited": "o seu roteiro é mantido",
        "follows": "segue de: {}",
        "plan_none": "Não há nada a produzir deste.",
        "not_there": "Ainda não está pronto. O som e o texto aparecerão aqui.",
        "edit": "Editar",
        "edit_sentence": "Editar: {}",
        "edit_hint": "Escolha uma frase para mudá-la.",
        "edit_label": "O que deve ser dito aqui",
        "hear": "Ouvir",
        "keep": "Guardar",
        "cancel_edit": "Cancelar",
        "speaking": "Falando…",
        "playing": "É assim que vai soar.",
        "keeping": "Guardando…",
        "kept": "Guardado. O episódio está sendo refeito; só esta frase é falada.",
        "made_anew": "O episódio está novo: a frase está nele.",
        "pending": "ainda não está no som",
        "stale": "O roteiro mudou enquanto isso, e nada se perdeu. Agora ele diz: “{}” Guardar a sua no lugar?",
        "stale_gone": "O roteiro mudou enquanto isso, e a frase não existe mais. Copie as suas palavras; ao "
        "cancelar, a página mostra o roteiro atual.",
        "stale_whole": "O roteiro mudou enquanto isso: abaixo está o que você escreveu. Compare com o roteiro atual, e "
        "guarde se ainda quiser.",
        "whole_script": "O roteiro inteiro",
        "whole_about": "Markdown. É seu assim que você guardar uma mudança: nada o sobrescreve.",
        "keep_script": "Guardar o roteiro",
        "edited": "Roteiro editado à mão",
        "speak_failed": "Não foi possível falar:",
        "keep_failed": "Não foi possível guardar:",
        "offline": "O serviço não responde. O que você escreveu continua aqui.",
        "next_round": "O que será feito dele",
        "sign_in": "Entrar",
        "sign_in_about": "Este serviço pede a todos o seu token: SERVICE_TOKEN nas configurações dele.",
        "token": "Token",
        "token_wrong": "Esse não é o token.",
        "fault": "Isso não deu certo",
        "home": "Voltar ao início",
    },
    states={
        "waiting": "na fila",
        "making": "em produção",
        "finished": "pronto",
        "failed": "falhou",
        "set-aside": "posto de lado",
        "held": "cancelado",
        "kept": "mantido",
        "new": "novo",
    },
    stages={
        "script": "Roteiro",
        "speech": "Voz",
        "mix": "Som",
        "captions": "Legendas",
        "pictures": "Imagens",
        "video": "Vídeo",
        "page": "Página",
        "credentials": "Assinatura",
        "other": "Outros",
        "passage": "Roteiro",
        "pace": "Ritmo",
        "level": "Nível",
        "gain": "Volume",
        "sound": "Som",
        "cover": "Capa",
        "film": "Vídeo",
    },
    roles={"writer": "Texto", "voice": "Voz", "illustrator": "Imagens"},
    folders={"input": "Temas", "output": "Episódios", "data": "Dados"},
    reasons={
        "never made": "ainda não feito",
        "text changed": "o texto mudou",
        "voice changed": "a voz mudou",
        "its artifact is gone": "o que havia se perdeu",
        "wording changed": "as palavras mudaram",
        "wording edited by hand": "palavras editadas à mão",
        "pronunciation changed": "a pronúncia mudou",
        "the rule changed": "a regra mudou",
    },
)

LANGUAGES: Mapping[str, Words] = {"en": ENGLISH, "pt": PORTUGUESE}


def words_for(chosen: str | None, accepted: str) -> Words:
    """Those that somebody chose, else the first of their browser's languages that there is, else English.

    `accepted` is an Accept-Language header (RFC 9110, 12.5.4).
    """
    if chosen is not None and chosen in LANGUAGES:
        return LANGUAGES[chosen]
    wished = []
    for place, part in enumerate(accepted.split(",")[:20]):
        tag, _, weight = part.partition(";")
        wished.append((-_quality(weight), place, tag.strip().lower().partition("-")[0]))
    return next((LANGUAGES[code] for quality, _, code in sorted(wished) if quality < 0 and code in LANGUAGES), ENGLISH)


def _quality(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name != "q":
        return 1.0
    try:
        return min(1.0, max(0.0, float(value)))
    except ValueError:
        return 0.0
