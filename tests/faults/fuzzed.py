"""Everything that reads bytes from outside, fed with bytes that grow towards what it has not done yet.

`python -m tests.faults.fuzzed script 2000 20261121 folder` has atheris (libFuzzer) feed one reader so many times from a
seed, led by the lines that each input reaches. It ends with 0 where each was read, or refused by name; else the one
that was not is put into the folder. https://github.com/google/atheris
"""

from __future__ import annotations

import io
import random
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import atheris

from tests.fakes import servers
from tests.faults.mutating import NASTY

with atheris.instrument_imports(include=["pipeline"]):
    from pipeline import inbox
    from pipeline.domain import manifest
    from pipeline.engines.ollama import Ollama
    from pipeline.engines.piper_server import read_wav
    from pipeline.engines.stable_diffusion import check_pixels
    from pipeline.errors import EngineError, InputError, SettingsError
    from pipeline.ports import Question
    from pipeline.settings import load
    from pipeline.stages.publish import read_manifest
    from pipeline.text import picture_prompts, pronunciations, script_file, style_file

_LONGEST_INPUT = 8_192
_LONGEST_SECONDS = 10
"""After so long with one input it hangs."""
_MOST_MEGABYTES = 2_048

_SCRIPT = b"---\ntitle: The moon\nlanguage: en\n---\n\n# One\n\nThe wind rose. *Nobody* slept.\n\n# Two\n\nIt rained.\n"
_MARKDOWN = b"---\ntitle: The moon\nwords: 300\ntags: [a, b]\nseed: 7\n---\n\n# Notes\n\n- It is round.\n"
_YAML = b"- title: The moon\n  notes: |\n    It is round.\n- title: 'The sun'\n  minutes: 2.5\n"
_JSON = b'{"title": "The moon", "notes": ["It is round."], "words": 300}\n{"title": "The sun"}\n'
_TABLE = b'title,notes,words\nThe moon,"It is ""round"".",300\nThe sun,,\n'
_SETTINGS = b'language = "en"\nwords = 900\nollama_base_url = "http://localhost:11434"\nsd_enabled = true\n'
_CONFIG = Path(__file__).parents[2] / "config"


class Wrong(Exception):
    """It did something that it must not do with any input."""


@dataclass(frozen=True)
class Reader:
    read: Callable[[bytes], object]
    """Ends, or raises one of `refusals`; anything else is a fault."""
    seeds: tuple[bytes, ...]
    refusals: tuple[type[Exception], ...]
    slower: int = 1
    """How many times fewer runs it is given."""


def as_text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def named(error: Exception) -> Exception:
    told = [getattr(error, part, "") for part in ("what", "where", "hint")]
    if not isinstance(error, SettingsError) and not all(told):
        raise Wrong(f"no what, where or hint: {told}") from error
    return error


def topics_of(folder: Path, name: str, data: bytes) -> None:
    (folder / "input" / name).write_bytes(data)
    (found,) = inbox.scan(folder / "input", folder).files
    reading = inbox.read(found, defaults=inbox.TopicDefaults(language="en", style="explainer", words=150))
    if not reading.topics and not reading.refused:
        raise Wrong("a file with neither a topic nor a fault")
    for refused in reading.refused:
        named(refused)
        if not refused.where.startswith(f"input/{name}"):
            raise Wrong(f"a fault elsewhere: {refused.where}")


def settings_of(folder: Path, data: bytes) -> None:
    (folder / "config" / "pipeline.toml").write_bytes(data)
    load(folder, {})


def manifest_of(folder: Path, data: bytes) -> None:
    (folder / "manifest.json").write_bytes(data)
    read_manifest(folder)
    manifest.read(data)


def script_of(data: bytes) -> None:
    text = as_text(data)
    script, marks = script_file.parse(text, where="script.md"), script_file.marks(text, where="script.md")
    if script_file.parse(script_file.format(script, marks), where="script.md") != script:
        raise Wrong("what is written is read as another script")


def picture() -> bytes:
    from PIL import Image

    with io.BytesIO() as file:
        Image.frombytes("RGB", (8, 8), random.Random(1).randbytes(3 * 64)).save(file, "PNG")
        return file.getvalue()


@contextmanager
def ollama() -> Iterator[Callable[[bytes], object]]:
    """Has Ollama's client read a stream, from a real socket."""
    body = b""

    def answer(request: str, asked: bytes) -> servers.Given:
        given = servers.ollama(request, asked)
        return servers.Given(200, body, "application/x-ndjson") if request == "POST /api/chat" else given

    with servers.serving(answer) as port:
        writer = Ollama(
            f"http://127.0.0.1:{port}", servers.MODEL, num_ctx=2048, keep_alive="5m", api_key=None, connect_seconds=5,
            read_seconds=5, first_token_seconds=5, verify=True, stop=threading.Event(),
        )  # fmt: skip

        def read(data: bytes) -> object:
            nonlocal body
            body = data
            return writer.answer(Question("", "Say hello.", seed=1, max_tokens=20))

        yield read


def readers(folder: Path, stream: Callable[[bytes], object]) -> dict[str, Reader]:
    for name in ("input", "config"):
        (folder / name).mkdir()
    topic = partial(topics_of, folder)
    return {
        "topic-md": Reader(partial(topic, "a.md"), (_MARKDOWN, b"# The moon\n\nIt is round.\n"), ()),
        "topic-yaml": Reader(partial(topic, "a.yaml"), (_YAML, b"title: The moon\n"), ()),
        "topic-jsonl": Reader(partial(topic, "a.jsonl"), (_JSON,), ()),
        "topic-csv": Reader(partial(topic, "a.csv"), (_TABLE, b"title;notes\nx;y\n"), ()),
        "topic-txt": Reader(partial(topic, "a.txt"), (b"The moon\nThe sun\n",), ()),
        "script": Reader(script_of, (_SCRIPT,), (InputError,)),
        "settings": Reader(partial(settings_of, folder), (_SETTINGS,), (SettingsError,)),
        "manifest": Reader(
            partial(manifest_of, folder),
            (manifest.dump({"title": "The moon", "files": {"audio.mp3": {"bytes": 3, "sha256": "0" * 64}}}),),
            (ValueError, RecursionError),
        ),
        "pronunciations": Reader(
            lambda data: pronunciations.parse(as_text(data), where="p.csv"),
            ((_CONFIG / "pronunciations.csv").read_bytes(), b"word,say,language,case\nGIF,jif,en,\nnginx,engine x,,\n"),
            (SettingsError,),
        ),
        "style": Reader(
            lambda data: style_file.parse_style(as_text(data), name="s", where="s.md"),
            ((_CONFIG / "prompts" / "story.md").read_bytes(),),
            (SettingsError,),
        ),
        "look": Reader(
            lambda data: picture_prompts.parse_look(as_text(data), where="pictures.toml"),
            ((_CONFIG / "pictures.toml").read_bytes(),),
            (SettingsError,),
        ),
        "sound": Reader(lambda data: read_wav(data, where="Piper"), (servers.sound(0.02),), (EngineError,)),
        "picture": Reader(
            lambda data: check_pixels(data, 8, 8, where="Stable Diffusion"), (picture(),), (EngineError,)
        ),
        "stream": Reader(stream, (b"".join((*servers.ANSWER, servers.END)),), (EngineError,), slower=20),
    }


def dictionary(words: Iterable[bytes]) -> str:
    """As libFuzzer reads it: https://llvm.org/docs/LibFuzzer.html#dictionaries"""
    return "".join('"' + "".join(f"\\x{byte:02X}" for byte in word) + '"\n' for word in words if 0 < len(word) <= 64)


def fuzz(reader: Reader, runs: int, seed: int, folder: Path, culprits: Path) -> None:
    """Does not return: libFuzzer ends the process."""
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, data in enumerate(reader.seeds):
        (corpus / str(number)).write_bytes(data)
        reader.read(data)  # what is good is read
    (folder / "words").write_text(dictionary(NASTY))

    def take(data: bytes) -> None:
        try:
            reader.read(data)
        except reader.refusals as error:
            if not isinstance(error, ValueError | RecursionError):
                named(error)

    options = (
        f"-runs={runs // reader.slower}", f"-seed={seed}", f"-max_len={_LONGEST_INPUT}", f"-timeout={_LONGEST_SECONDS}",
        f"-rss_limit_mb={_MOST_MEGABYTES}", f"-dict={folder / 'words'}", f"-artifact_prefix={culprits}/",
        "-len_control=10",
    )  # fmt: skip
    atheris.Setup([sys.argv[0], *options, str(corpus)], take)
    atheris.Fuzz()


def main() -> None:
    name, runs, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with TemporaryDirectory() as folder, ollama() as stream, suppress(SystemExit):
        fuzz(readers(Path(folder), stream)[name], runs, seed, Path(folder), Path(sys.argv[4]))


if __name__ == "__main__":
    main()
