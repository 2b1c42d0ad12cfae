"""How a script is asked of an Ollama server, and what each of its failures means.

Nothing is retried here: whoever calls decides that, by the kind of error. What an answer costs is bounded in every
direction: connecting, the first token, each silence between tokens, the number of tokens.
"""

from __future__ import annotations

import difflib
import json
import re
import socket
import ssl
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any, Self, cast
from urllib.parse import urlsplit

from pipeline.errors import (
    EngineError,
    EngineNonsense,
    EngineRefused,
    EngineUnavailable,
    Interrupted,
)
from pipeline.net.session import proxies_for
from pipeline.net.tls import refusal_in, refused
from pipeline.ports import Answer, Question, WriterIdentity
from pipeline.telemetry import calls

if TYPE_CHECKING:
    import httpx
    import ollama

_ENGINE = "ollama"

# How often the watch looks whether the run is stopping; a person who presses Ctrl-C waits no longer than that.
_LOOK_SECONDS = 0.1
# Every episode asks who the writer is; within a run that does not change.
_REMEMBER_SECONDS = 30.0

_SIZE = re.compile(r"\s*(\d{1,9}(?:\.\d{1,9})?)\s*([KMBT])\s*", re.IGNORECASE)
_UNITS = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
# The client gathers a line in memory until it ends. The longest there is, the list of models, has 400 bytes a model.
_MOST_LINE_BYTES = 4 << 20

_WHOLE_NUMBER = re.compile(r"-?\d+")


class Ollama:
    """A Writer on an Ollama server. Thread-safe: each answer has a connection of its own."""

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        num_ctx: int,
        keep_alive: str | float,
        api_key: str | None,
        connect_seconds: float,
        read_seconds: float,
        first_token_seconds: float,
        verify: ssl.SSLContext | bool,
        stop: Event,
    ) -> None:
        """Connects to nobody.

        `num_ctx` is the context in tokens, the same for every question, because another one makes the server load the
        model anew. `read_seconds` bounds each silence within an answer, `first_token_seconds` the wait for its
        beginning, which includes loading the model.
        """
        self._url = base_url.rstrip("/")
        self._model = model
        self._num_ctx = num_ctx
        # "300" and "-1" are seconds; the server takes a text only with a unit ("5m").
        bare = isinstance(keep_alive, str) and _WHOLE_NUMBER.fullmatch(keep_alive.strip())
        self._keep_alive: str | float = int(keep_alive) if bare else keep_alive
        self._headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._connect_seconds = connect_seconds
        self._read_seconds = read_seconds
        self._first_token_seconds = first_token_seconds
        self._verify = verify
        self._stop = stop
        self._remembered: tuple[float, WriterIdentity] | None = None
        self._lock = Lock()

    # -- who answers ---------------------------------------------------------------------------------------------

    def describe(self) -> WriterIdentity:
        """Who answers, as the server says. Raises EngineUnavailable, EngineRefused (no such model), EngineNonsense."""
        with self._lock:
            if self._remembered is not None and time.monotonic() - self._remembered[0] < _REMEMBER_SECONDS:
                return self._remembered[1]
            identity = self._ask_who()
            self._remembered = (time.monotonic(), identity)
            return identity

    def _ask_who(self) -> WriterIdentity:
        with self._connected(read_seconds=self._read_seconds) as (client, watch):
            # A read time-out bounds each silence; a server that sends a byte now and then would hold the run for hours.
            watch.expect(self._read_seconds, "it did not say who it is within {:g} s")
            version = client.version()
            models = {model.model: model for model in client.list().models if model.model}
        found = models.get(self._model) or models.get(_tagged(self._model))
        if found is None:
            raise self._no_such_model(sorted(models))
        if not found.digest:
            raise EngineNonsense("the server gives no digest for the model", where=self._where, hint="Update Ollama.")
        size = (found.details.parameter_size if found.details else None) or ""
        quantization = (found.details.quantization_level if found.details else None) or ""
        return WriterIdentity(
            engine=_ENGINE,
            name=_tagged(self._model),
            digest=found.digest.removeprefix("sha256:"),
            details={"server": f"ollama {version}", "parameters": size, "quantization": quantization},
            parameters=parameters_of(size),
            context_tokens=self._num_ctx,
        )

    def check(self) -> None:
        """Have it say a few tokens: the model is there, and loads."""
        self.describe()
        self.answer(Question(system="", prompt="Say hello.", seed=0, max_tokens=8, temperature=0.0))

    # -- answers -------------------------------------------------------------------------------------------------

    def answer(self, question: Question, on_text: Callable[[str], None] | None = None) -> Answer:
        """Ask; see `ports.Writer`. `complete` is False where the bound of tokens cut the text off."""
        started = time.monotonic()
        pieces: list[str] = []
        last: Any = None
        # The listener is called out here, so that what it raises is not taken for the server's doing.
        for last in self._stream(question, pieces):
            if last.message.content and on_text is not None:
                on_text(last.message.content)
        return self._judged("".join(pieces), last, time.monotonic() - started)

    def unload(self) -> bool:
        """Have the server give the model's memory back at once; it loads it again by itself. Raises EngineError."""
        with self._connected(read_seconds=self._read_seconds) as (client, _):
            client.generate(self._model, keep_alive=0)
        return True

    def _stream(self, question: Question, pieces: list[str]) -> Iterator[Any]:
        """The answer's parts as they come; their texts are kept in `pieces`."""
        longest_silence = max(self._read_seconds, self._first_token_seconds)
        with self._connected(read_seconds=longest_silence, heard=pieces) as (client, watch):
            watch.expect(self._first_token_seconds, "it did not begin to answer within {:g} s")
            for part in client.chat(**self._request(question)):
                if part.message.content:
                    pieces.append(part.message.content)
                    watch.expect(self._read_seconds, "it fell silent for {:g} s in the middle of its answer")
                yield part

    def _request(self, question: Question) -> dict[str, Any]:
        messages = [{"role": "system", "content": question.system}] if question.system else []
        messages.append({"role": "user", "content": question.prompt})
        return {
            "model": self._model,
            "messages": messages,
            "stream": True,
            # Left out, a model that can think does, and its thoughts use up the tokens.
            "think": False,
            "format": question.schema,
            "keep_alive": self._keep_alive,
            "options": {
                "num_ctx": self._num_ctx,
                "num_predict": question.max_tokens,
                "seed": question.seed,
                "temperature": question.temperature,
            },
        }

    def _judged(self, text: str, last: Any, seconds: float) -> Answer:  # noqa: ANN401  # a lazily imported type
        if last is None or not last.done:
            raise EngineNonsense(
                "the answer broke off", where=self._where, hint="See the server's log; it is asked again.", answer=text
            )
        if (last.prompt_eval_count or 0) >= self._num_ctx:
            raise self._too_long()
        if not text.strip():
            raise EngineNonsense(
                f"the answer is empty ({last.done_reason or 'no reason given'})",
                where=self._where,
                hint=f"Try `ollama run {self._model}` by hand, or another model.",
                answer=text,
            )
        return Answer(text, last.done_reason != "length", last.eval_count or 0, seconds)

    # -- the border ----------------------------------------------------------------------------------------------

    @property
    def _where(self) -> str:
        return f"Ollama at {self._url}"

    def _proxy(self) -> httpx.Proxy | None:
        import httpx

        proxies = proxies_for(self._url)
        address = proxies.get(urlsplit(self._url).scheme) or proxies.get("all")
        if not address:
            return None
        context = self._verify if isinstance(self._verify, ssl.SSLContext) else None
        return httpx.Proxy(
            address if "://" in address else f"http://{address}",
            ssl_context=context if address.startswith("https://") else None,
        )

    @contextmanager
    def _connected(self, *, read_seconds: float, heard: list[str] | None = None) -> Iterator[tuple[_Client, _Watch]]:
        """A client with a watch on its connection. Whatever it raises leaves here as an EngineError or Interrupted."""
        import httpx
        import ollama

        watch = _Watch(self._stop)
        try:
            client = _client_type()(
                self._url,
                headers={**self._headers, **calls.headers()},
                verify=self._verify,
                timeout=httpx.Timeout(self._connect_seconds, read=read_seconds),
                # Followed, a redirect would send the topic's text to a host that nobody named.
                follow_redirects=False,
                # Taken from the environment by httpx, proxies would also be asked for names that only Compose knows,
                # and NO_PROXY would mean something else than it does for every other client here.
                trust_env=False,
                proxy=self._proxy(),
                event_hooks={"request": [watch.attach], "response": [_bound_lines]},
            )
            with watch, client:
                yield client, watch
        except (
            ollama.ResponseError,
            ollama.RequestError,
            httpx.HTTPError,
            httpx.InvalidURL,
            OSError,
            ValueError,  # neither JSON nor of the expected form
            RecursionError,  # JSON that goes deeper than the parser follows
            AttributeError,  # JSON, but no object: the client looks for `error` in a list
            TypeError,  # an `error` that is no text, in the middle of a stream
            OverflowError,  # a number that is none
        ) as error:
            if self._stop.is_set():
                raise Interrupted from error
            if watch.overdue:
                raise EngineUnavailable(watch.overdue, where=self._where, hint=_SLOW) from error
            raise self._meaning_of(error, "".join(heard or [])) from error
        if self._stop.is_set():
            raise Interrupted

    def _meaning_of(self, error: Exception, heard: str) -> EngineError:
        import httpx
        import ollama

        if isinstance(error, ollama.ResponseError):
            return self._meaning_of_status(error.status_code, _in_words(error.error))
        if isinstance(error, httpx.ReadTimeout | httpx.WriteTimeout):
            return EngineUnavailable("it said nothing for too long", where=self._where, hint=_SLOW)
        tls_error = refusal_in(error)
        if tls_error is not None and not isinstance(tls_error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return refused(tls_error, self._url, where=self._where, look_again=not proxies_for(self._url))
        if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL):
            return EngineRefused(f"this is no address ({error})", where=self._where, hint="Set OLLAMA_BASE_URL.")
        if isinstance(error, ConnectionError | httpx.ConnectError | httpx.ConnectTimeout) and not heard:
            return EngineUnavailable(
                "nobody answers", where=self._where, hint="Start it (`ollama serve`), or set OLLAMA_BASE_URL."
            )
        if isinstance(error, httpx.TransportError | OSError):
            if heard:
                return EngineNonsense(
                    "the answer broke off", where=self._where, hint="See the server's log.", answer=heard
                )
            return EngineUnavailable(f"the connection broke ({error})", where=self._where, hint="See the server's log.")
        return EngineNonsense(
            f"what it says is not Ollama's language ({_first_line(error)})",
            where=self._where,
            hint="Is OLLAMA_BASE_URL the address of an Ollama server?",
            answer=heard,
        )

    def _meaning_of_status(self, status: int, said: str) -> EngineError:
        if status == 404:  # HTTP's own numbers, here and below
            installed = self._installed()
            if installed is None:
                return self._not_ollama(said)
            return self._listed_and_not_there(said) if self._is_in(installed) else self._no_such_model(installed)
        if 300 <= status < 400:
            return EngineRefused(
                f"it sends us elsewhere ({status})",
                where=self._where,
                hint="Set OLLAMA_BASE_URL to where Ollama itself is; nothing is sent on.",
            )
        if status in (401, 403):
            return EngineRefused(f"it wants to know who asks ({said})", where=self._where, hint="Set OLLAMA_API_KEY.")
        # -1 is the client's number for an error in the middle of a stream, whose status was 200.
        if status in (-1, 408, 429, 499) or status >= 500:
            return EngineUnavailable(f"it failed ({said or status})", where=self._where, hint="See the server's log.")
        return EngineRefused(
            f"it refuses the question ({said or status})",
            where=self._where,
            hint=f"If it speaks of the context: raise OLLAMA_NUM_CTX (now {self._num_ctx}) or shorten the notes.",
        )

    def _installed(self) -> list[str] | None:
        """The models there are; None where whoever answers lists none, as another service does not."""
        import ollama

        try:
            with self._connected(read_seconds=self._read_seconds) as (client, watch):
                watch.expect(self._read_seconds, "it did not list its models within {:g} s")
                try:
                    return sorted(model.model for model in client.list().models if model.model)
                except ollama.ResponseError:  # here, because what it means is just being found out
                    return None
        except EngineError:
            return None

    def _not_ollama(self, said: str) -> EngineRefused:
        return EngineRefused(
            f"it knows neither the model nor what models there are (404{f': {said}' if said else ''})",
            where=self._where,
            hint="Is OLLAMA_BASE_URL the address of an Ollama server? `pipeline doctor` says who answers there.",
        )

    def _is_in(self, installed: Collection[str]) -> bool:
        return self._model in installed or _tagged(self._model) in installed

    def _listed_and_not_there(self, said: str) -> EngineRefused:
        return EngineRefused(
            f"it lists the model {self._model!r}, and says that it is not there (404{f': {said}' if said else ''})",
            where=self._where,
            hint="See its log, and what stands between it and us.",
        )

    def _no_such_model(self, installed: list[str]) -> EngineRefused:
        near = difflib.get_close_matches(self._model, installed, n=3, cutoff=0.4) or installed[:5]
        there = f"There is {', '.join(near)}. " if near else ""
        return EngineRefused(
            f"it has no model {self._model!r}",
            where=self._where,
            hint=f"{there}Get it with `ollama pull {self._model}`, or set OLLAMA_MODEL.",
        )

    def _too_long(self) -> EngineRefused:
        return EngineRefused(
            f"the question is longer than the context of {self._num_ctx} tokens",
            where=self._where,
            hint="Raise OLLAMA_NUM_CTX or shorten the notes.",
        )


_SLOW = "Give it more time in the settings, a smaller model, or a GPU."


class _Watch:
    """Cuts a connection off when a deadline passes or the run stops.

    A read time-out bounds one silence; it does not see a server that sends empty lines for ever, nor a Ctrl-C. So a
    thread of its own looks at the clock and, if need be, shuts the socket, which wakes whoever reads from it.
    """

    def __init__(self, stop: Event) -> None:
        self._stop = stop
        self._over = Event()
        self._lock = Lock()
        self._socket: socket.socket | None = None
        self._deadline: float | None = None
        self._seconds = 0.0
        self._complaint = ""
        self.overdue = ""
        """Which deadline passed, in words; empty while none has."""

    def __enter__(self) -> Self:
        self._thread = Thread(target=self._look, name="ollama-watch", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def expect(self, seconds: float, complaint: str) -> None:
        """Something must be heard within so many seconds from now."""
        with self._lock:
            self._deadline, self._seconds, self._complaint = time.monotonic() + seconds, seconds, complaint

    def attach(self, request: Any) -> None:  # noqa: ANN401  # httpx.Request, imported lazily
        """Have the request tell which socket it goes through."""
        request.extensions["trace"] = self._trace

    def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            with self._lock:
                self._socket = info["return_value"].get_extra_info("socket")

    def _look(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            with self._lock:
                late = self._deadline is not None and time.monotonic() > self._deadline
                if late:
                    self.overdue = self._complaint.format(self._seconds)
                if (late or self._stop.is_set()) and self._socket is not None:
                    try:
                        # The plain socket's own shutdown: a TLS socket's would also throw away its state, which the
                        # reading thread is using.
                        socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
                    except OSError:
                        return  # it is closed already
                    return


if TYPE_CHECKING:

    class _Client(ollama.Client):
        def version(self) -> str: ...


def _client_type() -> type[_Client]:
    import ollama

    class Client(ollama.Client):
        """Ollama's client, with what it leaves out of the API."""

        def version(self) -> str:
            said = self._request_raw("GET", "/api/version").json()  # type: ignore[no-untyped-call]  # as it comes
            if not isinstance(said, dict):
                raise ValueError(f"a version, not {said!r}")  # noqa: TRY004  # mapped at the border, like bad JSON
            return str(said.get("version", "of unknown version"))

        def _request(self, cls: Any, *args: Any, stream: bool = False, **kwargs: Any) -> Any:  # noqa: ANN401
            # Else the server drops the beginning of a prompt that is too long, and only its log says so.
            if "messages" in (kwargs.get("json") or {}):
                kwargs["json"]["truncate"] = False
            return super()._request(cls, *args, stream=stream, **kwargs)

    return Client  # type: ignore[return-value]  # the class that type checkers see is the same one, by name


def _bound_lines(response: httpx.Response) -> None:
    """Have an answer break off in a line that does not end, with a ValueError."""
    import httpx

    whole = cast("httpx.SyncByteStream", response.stream)

    class Bounded(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            length = 0
            for piece in whole:
                end = piece.rfind(b"\n")
                length = length + len(piece) if end < 0 else len(piece) - end - 1
                if length > _MOST_LINE_BYTES:
                    raise ValueError(f"a line of more than {_MOST_LINE_BYTES:,} bytes")
                yield piece

        def close(self) -> None:
            whole.close()

    response.stream = Bounded()


def parameters_of(size: str) -> int | None:
    """How many weights "4.3B" or "134.52M" are; None where it says something else."""
    found = _SIZE.fullmatch(size)
    return round(float(found[1]) * _UNITS[found[2].upper()]) if found else None


def _in_words(said: object) -> str:
    """What an answer gives for a reason: a text, or, from what stands before Ollama, an object that holds one."""
    if isinstance(said, dict):
        said = said.get("message") or json.dumps(said)
    return str(said or "").strip()[:300]


def _tagged(name: str) -> str:
    # A name without a tag means :latest; a port in a registry's name is no tag.
    return name if ":" in name.rsplit("/", 1)[-1] else f"{name}:latest"


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200]
