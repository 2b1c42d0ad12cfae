"""What no line of the program may do, read off its syntax trees: each rule with what it must find, and what it may not.

Ruff holds some of these too, where a `noqa` can turn it off; here an exception is a line in a table.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

import pipeline

PACKAGE = Path(pipeline.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

Rule = Callable[[ast.Module, str], Iterator[str]]
"""From a module's tree and text to each place that breaks the rule, as it is written there."""


def certificates(tree: ast.Module, _: str) -> Iterator[str]:
    """Who decides whose certificates are believed."""
    for node in ast.walk(tree):
        match node:
            case ast.keyword(arg="verify", value=value):
                yield f"verify={ast.unparse(value)}"
            case ast.Assign(targets=[ast.Attribute(attr="verify")]):
                yield ast.unparse(node)
            case ast.Attribute(attr="verify_mode" | "check_hostname" | "CERT_NONE" | "CERT_OPTIONAL" as name):
                yield name
            case ast.Attribute(attr="_create_unverified_context" | "disable_warnings" as name):
                yield name
            case ast.Call(func=ast.Attribute(attr="create_default_context" | "SSLContext" as name)):
                yield name


def shells(tree: ast.Module, _: str) -> Iterator[str]:
    """Commands that a shell would read: a topic's title could be one."""
    for node in ast.walk(tree):
        match node:
            case ast.keyword(arg="shell", value=value):
                yield f"shell={ast.unparse(value)}"
            case ast.Attribute(value=ast.Name("os"), attr=("system" | "popen") as name):
                yield f"os.{name}"
            case ast.Call(func=ast.Attribute(attr=("getoutput" | "getstatusoutput") as name)):
                yield name


def broad_excepts(tree: ast.Module, text: str) -> Iterator[str]:
    """`except Exception` that neither raises again nor says beside it why it may not."""
    lines = text.splitlines()
    for node in ast.walk(tree):
        if not isinstance(node, ast.ExceptHandler):
            continue
        caught = "everything" if node.type is None else ast.unparse(node.type)
        if not re.search(r"\b(everything|Exception|BaseException)\b", caught):
            continue
        raises = any(isinstance(inside, ast.Raise) for statement in node.body for inside in ast.walk(statement))
        reason = re.search(r"noqa: BLE001  # \S.{10,}", lines[node.lineno - 1])
        if not raises and not reason:
            yield lines[node.lineno - 1].strip()


def prints(tree: ast.Module, _: str) -> Iterator[str]:
    """What is said goes through `report` or the log."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"print", "input"}:
            yield ast.unparse(node)


def loose_questions(tree: ast.Module, _: str) -> Iterator[str]:
    """Asking somebody over HTTP without the session's deadlines, bounds and certificates."""
    verbs = {"get", "post", "put", "patch", "delete", "head", "options", "request", "stream"}
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name("requests" | "httpx" as library), attr=name)) if (
                name in verbs or name in {"Session", "Client", "AsyncClient"}
            ):
                yield f"{library}.{name}"
            case ast.Name("urlopen" | "urlretrieve" as name) | ast.Attribute(attr="urlopen" | "urlretrieve" as name):
                yield name


def network(tree: ast.Module, _: str) -> Iterator[str]:
    """Whatever can speak to another machine: the libraries for it, and the standard library's own ways."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (one.name for one in names if _speaks(one.name))
            case ast.ImportFrom(module=str(module), names=names, level=0):
                found = {module} | {f"{module}.{one.name}" for one in names}
                yield from {name for name in found if _speaks(name) and module.split(".")[0] in {"http", "urllib"}}
                if _speaks(module) and module.split(".")[0] not in {"http", "urllib"}:
                    yield module
            case ast.Call(func=ast.Attribute(attr="open_connection" | "create_connection" as name)):
                yield name


def _speaks(module: str) -> bool:
    return module in _SPEAKS or module.split(".")[0] in _SPEAKS


_SPEAKS = {
    "socket", "http.client", "urllib.request", "xmlrpc", "ftplib", "smtplib", "imaplib", "poplib", "telnetlib",
    "requests", "urllib3", "httpx", "httpcore", "aiohttp", "websockets", "websocket", "pycurl", "paramiko", "grpc",
    "ollama", "openai", "huggingface_hub",
}  # fmt: skip


def shown_secrets(tree: ast.Module, _: str) -> Iterator[str]:
    """Fields whose value a log, a traceback or a failed assertion would show."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ClassDef):
            continue
        for field in node.body:
            match field:
                case ast.AnnAssign(target=ast.Name(name), annotation=kind, value=value) if _SECRET.search(name):
                    hidden = value is not None and "repr=False" in ast.unparse(value)
                    if not hidden and re.search(r"\b(str|bytes|Mapping|dict|Any|object)\b", ast.unparse(kind)):
                        yield f"{node.name}.{name}"


_SECRET = re.compile(r"(^|_)(password|passwd|secret|token|api_?key|authorization|bearer|cookies?|headers)$")


def unbounded_reads(tree: ast.Module, _: str) -> Iterator[str]:
    """Taking whatever somebody else sends, however long it is. What is named `file` lies on this machine."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=value, attr="read" | "readlines" | "readall"), args=[], keywords=[]):
                if ast.unparse(value) != "file":
                    yield ast.unparse(node)
            case ast.Attribute(value=ast.Name("response" | "request"), attr="content" | "text" | "json" | "body"):
                yield ast.unparse(node)


def files_read(tree: ast.Module, _: str) -> Iterator[str]:
    """Files that are opened whatever they are, where a pipe would be waited for, or read however long they are."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr="read_text" | "read_bytes")):
                if not re.match(r"\(?(resources\.)?files\(", ast.unparse(node)):  # the package's own
                    yield ast.unparse(node)
            case ast.Call(func=ast.Attribute(attr="open"), args=[ast.Constant("r" | "rb" | "rt")]):
                yield ast.unparse(node)
            case ast.Call(func=ast.Name("open")):
                yield ast.unparse(node)
            case ast.Call(func=ast.Attribute(value=ast.Name("file"), attr="read"), args=[]):
                yield ast.unparse(node)


def code_in_data(tree: ast.Module, _: str) -> Iterator[str]:
    """Reading files in a way that lets them run code."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (one.name for one in names if one.name.split(".")[0] in _RUNS_CODE)
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] in _RUNS_CODE:
                yield module
            case ast.Call(func=ast.Name("eval" | "exec" as name)):
                yield name
            case ast.Call(func=ast.Attribute(value=ast.Name("yaml"), attr=name), keywords=keywords) if (
                "load" in name and not name.startswith("safe")
            ):
                loaders = [ast.unparse(keyword.value) for keyword in keywords if keyword.arg == "Loader"]
                if not loaders or not loaders[0].rpartition(".")[2].endswith(("SafeLoader", "BaseLoader")):
                    yield ast.unparse(node)
            case ast.Call(func=ast.Attribute(value=ast.Name("torch"), attr="load")):
                yield "torch.load"


_RUNS_CODE = {"pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}


def programs(tree: ast.Module, _: str) -> Iterator[str]:
    """Who runs other programs."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (one.name for one in names if one.name in {"subprocess", "pty"})
            case ast.ImportFrom(module=("subprocess" | "pty") as module):
                yield module
            case ast.Attribute(value=ast.Name("os"), attr=name) if name.startswith(("exec", "spawn", "posix_spawn")):
                yield f"os.{name}"


class Held(NamedTuple):
    rule: Rule
    allowed: dict[str, set[str]]
    """Module → what may stand there."""
    examples: tuple[str, ...]
    """Each of these must be found."""


RULES = {
    "only net/tls.py decides about certificates": Held(
        certificates,
        {
            "net/tls.py": {"create_default_context", "SSLContext", "check_hostname", "verify_mode", "CERT_NONE"},
            # A test of the file alone, before any connection: nothing is believed by it.
            "settings/loading.py": {"SSLContext"},
            # Passed on, each from the one before.
            "wiring/engines.py": {"verify=tls.context()", "verify=settings.ssl_verify"},
            "engines/ollama.py": {"verify=self._verify"},
            # Of backups: whether the archive is read back.
            "cli/backup.py": {"verify=verify"},
        },
        ("get(url, verify=False)", "session.verify = False", "c.check_hostname = False",
         "ssl._create_unverified_context()"),
    ),
    "no shell reads what we run": Held(
        shells, {}, ("subprocess.run(line, shell=True)", "os.system('ls')", "subprocess.getoutput('ls')")
    ),
    "whatever is caught broadly is raised again, or says why not": Held(
        broad_excepts,
        {},
        (
            "try: ...\nexcept: pass",
            "try: ...\nexcept Exception: pass",
            "try: ...\nexcept (ValueError, Exception) as error:\n    log(error)",
            "try: ...\nexcept BaseException:  # noqa: BLE001\n    pass",
        ),
    ),
    "nothing is printed past the reports": Held(prints, {}, ("print('x')", "input('Sure?')")),
    "nobody is asked past the session": Held(
        loose_questions,
        {
            "net/session.py": {"requests.Session"},
        },
        ("requests.get(url)", "httpx.Client()", "urllib.request.urlopen(url)", "requests.Session()"),
    ),
    "only net/ speaks to other machines": Held(
        network,
        {
            "net/border.py": {"socket", "requests", "urllib3"},
            "net/deadline.py": {"http.client", "socket", "urllib3.connection", "urllib3.connectionpool",
                                "urllib3.exceptions"},
            "net/download.py": {"requests"},
            "net/reach.py": {"socket", "create_connection"},
            "net/session.py": {"requests", "requests.adapters", "requests.utils", "urllib3.exceptions"},
            "net/tls.py": {"socket", "create_connection"},
            # Ollama's own client, which brings its transport: given net's certificates, proxies and deadlines, and a
            # watch that shuts its socket.
            "engines/ollama.py": {"socket", "httpx", "ollama"},
            # The type of an answer, which net's session gives.
            "engines/ollama_models.py": {"requests"},
            # What a name leads to is what is to be told; in a thread of its own, with a deadline.
            "doctor/servers.py": {"socket"},
            # It listens; and asks itself whether it is healthy, on this machine.
            "engine_server.py": {"http.client", "socket"},
            "service/serving.py": {"socket"},
            # A door on this machine's own address to the service behind it.
            "service/forward.py": {"open_connection"},
        },
        ("import requests", "from requests import get", "import http.client", "from http import client",
         "import urllib.request", "from urllib import request", "from urllib.request import urlopen", "import httpx",
         "import aiohttp", "import socket", "def late():\n    import urllib3", "asyncio.open_connection(host, 80)"),
    ),
    "no secret is shown by what holds it": Held(
        shown_secrets,
        {
            # What a service answered, which sets no cookies here.
            "net/session.py": {"Answer.headers"},
        },
        ("class A:\n    password: str", "class A:\n    api_key: str | None = None",
         "class A:\n    headers: Mapping[str, str] = field(default_factory=dict)"),
    ),
    "nothing is read to its end that somebody else sends": Held(
        unbounded_reads,
        {
            # Files on this machine, both of bounded kinds.
            "backup/sources.py": {"source.read()"},
            "stages/video.py": {"picture.read()"},
            # Read by service/door.py, within its bounds, before the route is called.
            "service/routes.py": {"request.body"},
            "service/pages/forms.py": {"request.body"},
        },
        ("response.read()", "opened(url).read()", "sock.makefile().readlines()", "response.content", "response.json()"),
    ),
    "files are read by files.read_plain, which neither waits nor takes all memory": Held(
        files_read,
        {
            # The place itself, and what has just been written here.
            "files.py": {"path.open('rb')"},
            "build/store.py": {"data.open('rb')"},
            # The kernel's own.
            "doctor/limits.py": {"path.read_text('ascii', errors='replace')"},
            "doctor/mounts.py": {"(root / 'proc/self/mountinfo').read_text('utf-8', errors='surrogateescape')"},
            "engines/piper/network.py": {"Path('/proc/cpuinfo').read_text('utf-8', 'replace')"},
            "image_server/memory.py": {"_MEMINFO.read_text('ascii')"},
        },
        ("path.read_text('utf-8')", "(folder / name).read_bytes()", "path.open('rb')", "open(path)", "file.read()"),
    ),
    "no data can run code": Held(
        code_in_data,
        {},
        ("import pickle", "from shelve import open", "yaml.load(text)", "yaml.load(text, Loader=yaml.Loader)",
         "yaml.unsafe_load(text)", "torch.load(file)", "eval(text)"),
    ),
    "other programs are run in these places alone": Held(
        programs,
        # nvidia-smi, with a deadline.
        {"doctor/machine.py": {"subprocess"}},
        ("import subprocess", "from subprocess import run", "os.execvp('ls', [])"),
    ),
}  # fmt: skip


@cache
def parsed(module: Path) -> tuple[ast.Module, str]:
    text = module.read_text("utf-8")
    return ast.parse(text), text


@pytest.mark.parametrize("name", RULES)
def test_the_program_keeps(name: str) -> None:
    held = RULES[name]
    broken = {
        place: found
        for module in MODULES
        if (
            found := set(held.rule(*parsed(module)))
            - held.allowed.get(place := str(module.relative_to(PACKAGE)), set())
        )
    }
    assert broken == {}


@pytest.mark.parametrize(("name", "example"), [(name, one) for name, held in RULES.items() for one in held.examples])
def test_each_rule_finds_what_breaks_it(name: str, example: str) -> None:
    assert list(RULES[name].rule(ast.parse(example), example))


@pytest.mark.parametrize("name", RULES)
def test_no_exception_outlives_its_reason(name: str) -> None:
    held = RULES[name]
    there = {place: set(held.rule(*parsed(PACKAGE / place))) for place in held.allowed}
    assert there == held.allowed
