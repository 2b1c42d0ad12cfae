"""Runs of a project that are disturbed at a chosen call: `python -m tests.faults.faulted`.

Reads a line of JSON for each run and carries it out in a child of its own, so that Python and all that is imported
start only once:

    {"project": …, "log": …}                            undisturbed; answers with its calls
    {…, "kill_at": 17, "torn": false}                   SIGKILL right before call 17, or in the middle of its write
    {…, "kill_at": ["fsync", "output/new"], …}          the same at the first such call
    {…, "fail_at": 17, "code": 28, "for_good": false}   call 17 fails with ENOSPC; later ones of its kind too
    {…, "inject": "read:error=EIO:when=17"}             the kernel's own calls fail so, as strace(1) has it
    {…, "write_down": ["read", …], "to": …}             the kernel's own calls of those names go to a file

The answer is a line of JSON: `killed`, or `errors` and `calls`. LOG gets the key of each artifact that has reached its
final name, in a write that survives the process.
"""

from __future__ import annotations

import json
import os
import re
import sys
import traceback
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipeline.errors import PipelineError
from tests.faults.answers import channel
from tests.faults.kernel import injected, written_down
from tests.faults.projects import prepare, run
from tests.faults.system_calls import Before, Call, Failing, Killed, Kind, Watched, nothing

_STORED = re.compile(r"data/store/../([0-9a-f]{64})")


def disturbance(order: dict[str, Any]) -> Before:
    if "kill_at" in order:
        at = order["kill_at"]
        return Killed(at if isinstance(at, int) else tuple(at), torn=order.get("torn", False))
    if "fail_at" in order:
        return Failing(order["fail_at"], order["code"], for_good=order.get("for_good", False))
    return nothing


def beneath(order: dict[str, Any]) -> AbstractContextManager[None]:
    if "inject" in order:
        return injected(order["inject"])
    if "write_down" in order:
        return written_down(order["write_down"], Path(order["to"]))
    return nullcontext()


def carry_out(order: dict[str, Any], answers: int) -> None:
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    calls: list[Call] = []
    plain_write = os.write

    def done(call: Call) -> None:
        calls.append(call)
        stored = _STORED.fullmatch(call.path)
        if call.kind is Kind.RENAME and stored:
            plain_write(log, f"{stored[1]}\n".encode())

    Watched(Path(order["project"]), disturbance(order), done).begin()
    with beneath(order):
        found = run(Path(order["project"]))
    errors = [
        {
            "code": error.code if isinstance(error, PipelineError) else "",
            "what": error.what if isinstance(error, PipelineError) else repr(error),
            "where": error.where if isinstance(error, PipelineError) else "",
            "hint": error.hint if isinstance(error, PipelineError) else "",
            "traceback": "".join(traceback.format_exception(error)),
        }
        for error in found
    ]
    told = [(call.number, call.kind, call.path, call.source) for call in calls]
    plain_write(answers, json.dumps({"errors": errors, "calls": told}).encode() + b"\n")


def main() -> None:
    answers = channel()
    with TemporaryDirectory() as folder:
        prepare(Path(folder) / "warm")  # every child then finds modules and templates loaded
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                carry_out(json.loads(line), answers)
            except BaseException:  # noqa: BLE001  # told to whoever asked, who fails by it
                os.write(answers, json.dumps({"broken": traceback.format_exc()}).encode() + b"\n")
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            os.write(answers, b'{"killed": true}\n')


if __name__ == "__main__":
    main()
