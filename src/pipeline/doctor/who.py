"""Who answers at an address, judged by what it says on a few routes; nothing is asked here."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from html import unescape
from typing import Any

from pipeline.net.session import Answer

CLUES = ("/", "/health", "/api/version", "/voices", "/v1/models", "/sdapi/v1/options")
"""The routes that tell services apart; GET asks none of them to work."""

Answers = Mapping[str, Answer]
"""Route → what GET gave there."""

_LOGIN = re.compile(r"log ?[io]n|sign ?[io]n|password|anmelden|captive|single sign", re.IGNORECASE)
# What proxies add to pages of their own making (Squid, Zscaler, Blue Coat, McAfee, Fortinet).
_PROXY_MARKS = ("x-squid-error", "proxy-authenticate", "x-bluecoat-via", "proxy-connection")
_PROXY_SERVERS = re.compile(r"squid|zscaler|bluecoat|mcafee|fortigate|tinyproxy|privoxy|netskope", re.IGNORECASE)


def as_json(answer: Answer | None) -> Any:  # noqa: ANN401  # JSON of anybody's making
    """What a successful answer says; None where it is no JSON, or no success."""
    if answer is None or not answer.ok:
        return None
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return None


def ollama_version(answer: Answer | None) -> str:
    """What Ollama's /api/version says; empty where it is not that."""
    said = as_json(answer)
    version = said.get("version") if isinstance(said, dict) else None
    return version if isinstance(version, str) else ""


def is_voice_list(answer: Answer | None) -> bool:
    """Whether it is Piper's /voices: voice → its configuration, with the sound's sample rate in each."""
    said = as_json(answer)
    return isinstance(said, dict) and all(isinstance(voice, dict) and "audio" in voice for voice in said.values())


_OWN = {"media-pipeline speech": "speech server", "media-pipeline images": "image server"}


def own_service(answer: Answer | None) -> tuple[str, str]:
    """Which service of this project says so at /health, and its version; empty for others'."""
    said = as_json(answer)
    service = said.get("service") if isinstance(said, dict) else None
    if not isinstance(service, str) or not service.startswith("media-pipeline "):
        return "", ""
    return service, str(said.get("version", ""))


def numbers(version: str) -> tuple[int, ...]:
    """`0.33.0-rc2` as (0, 33, 0), to be compared; empty where it begins with no number."""
    found = re.match(r"v?(\d+(?:\.\d+)*)", version.strip())
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def who(answers: Answers) -> str:
    """Who it seems to be, as it follows "what answers is": `Ollama 0.33.0`, `a page to sign in at (“Welcome”)`."""
    for known in _KNOWN:
        if name := known(answers):
            return name
    return _stranger(answers)


def _ollama(answers: Answers) -> str:
    root = answers.get("/")
    version = ollama_version(answers.get("/api/version"))
    says_so = root is not None and b"Ollama is running" in root.body[:200]
    return f"Ollama {version}".strip() if version or says_so else ""


def _ours(answers: Answers) -> str:
    service, _ = own_service(answers.get("/health"))
    return f"this project's own {_OWN.get(service, service)}" if service else ""


def _piper(answers: Answers) -> str:
    return "a Piper server" if as_json(answers.get("/voices")) and is_voice_list(answers.get("/voices")) else ""


def _stable_diffusion(answers: Answers) -> str:
    options = as_json(answers.get("/sdapi/v1/options"))
    return "a Stable Diffusion server" if isinstance(options, dict) and "sd_model_checkpoint" in options else ""


def _openai(answers: Answers) -> str:
    models = as_json(answers.get("/v1/models"))
    listed = isinstance(models, dict) and models.get("object") == "list"
    return "a server of OpenAI's shape (/v1/models), which vLLM and llama.cpp have" if listed else ""


def _proxy(answers: Answers) -> str:
    for answer in answers.values():
        marked = any(name in answer.headers for name in _PROXY_MARKS)
        if answer.status == 407 or marked or _PROXY_SERVERS.search(answer.headers.get("server", "")):
            return f"a proxy on the way (status {answer.status})"
    return ""


def _page(answers: Answers) -> str:
    for answer in answers.values():
        text = answer.body[:100_000].decode("utf-8", "replace")
        if "html" not in answer.headers.get("content-type", "") and "<html" not in text[:2000].lower():
            continue
        if answer.status in (404, 405):
            continue  # the error page of something that serves no pages
        found = re.search(r"(?is)<title[^>]*>(.*?)</title>", text)
        title = " ".join(unescape(found[1]).split())[:80] if found else ""
        kind = "a page to sign in at" if _LOGIN.search(text) else "a page in HTML"
        return f"{kind}{f' (“{title}”)' if title else ''}"
    return ""


_KNOWN: tuple[Callable[[Answers], str], ...] = (_ours, _ollama, _piper, _stable_diffusion, _openai, _proxy, _page)


def _stranger(answers: Answers) -> str:
    server = next((answer.headers["server"] for answer in answers.values() if answer.headers.get("server")), "")
    statuses = ", ".join(f"{path}: {answer.status}" for path, answer in answers.items())
    return f"another program{f' ({server[:60]})' if server else ''}: it answers {statuses or 'nothing'}"
