"""Whatever reads bytes from outside reads them or refuses them by name, also bytes that were led to its last corner."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.faults.conftest import Tell
from tests.faults.extent import SEED, WHOLE, some

READERS = (
    *("topic-md", "topic-yaml", "topic-jsonl", "topic-csv", "topic-txt", "script", "settings", "manifest"),
    *("pronunciations", "style", "look", "sound", "picture", "stream"),
)
RUNS = 2_000 if WHOLE else 150
PART = 5
ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(
    find_spec("atheris") is None, reason="no atheris here: it is built for Linux on x86-64, Python 3.11 to 3.13"
)


@pytest.mark.parametrize("reader", some(READERS, PART))
def test_fuzzing_that_is_led_by_what_is_reached_finds_no_input_that_is_neither_read_nor_refused(
    reader: str, tmp_path: Path, tell: Tell
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.fuzzed", reader, str(RUNS), str(SEED), str(tmp_path)],
        cwd=ROOT, check=False, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    culprits = {path.name: path.read_bytes() for path in tmp_path.glob("*-*")}
    assert (done.returncode, culprits) == (0, {}), done.stderr[-4000:]
    begun, ended = (int(re.search(rf"{word} +cov: (\d+)", done.stderr)[1]) for word in ("INITED", "DONE"))  # type: ignore[index]  # libFuzzer always says so
    inputs = int(re.findall(r"^#(\d+)\tDONE", done.stderr, re.MULTILINE)[0])
    tell(seed=SEED, inputs=inputs, crashes=0, lines_more=ended - begun)
    assert ended >= begun > 0


TRAP = """
import sys
from pathlib import Path
from tests.faults.fuzzed import Reader, fuzz
def read(data):
    if data != b"good" and data:
        raise KeyError(data)
fuzz(Reader(read, (b"good",), (ValueError,)), 200, 1, Path(sys.argv[1]), Path(sys.argv[1]))
"""


def test_the_fuzzer_itself_keeps_the_input_that_is_neither(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", TRAP, str(tmp_path)], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode != 0
    assert b"KeyError" in done.stderr + done.stdout
    assert list(tmp_path.glob("crash-*"))
