"""The n-th call of the kernel fails, whoever calls: Python itself, a compiled library, a look at a folder.

Where `test_failing_calls` knows of every call that changes a file what it was for, here any call at all fails, reading
and looking too; and what comes of it must have a name as well.
"""

from __future__ import annotations

import pytest

from tests.faults import kernel
from tests.faults.conftest import Tell
from tests.faults.disturbed import Runs
from tests.faults.extent import WHOLE, some
from tests.faults.test_failing_calls import unnamed

ERRORS = {
    "openat": ("EMFILE", "EIO", "ENFILE", "EACCES"),
    "read": ("EIO",),
    "write": ("ENOSPC", "EIO", "EDQUOT"),
    "close": ("EIO",),
    "newfstatat": ("EIO", "EACCES", "ESTALE"),
    "lseek": ("EIO",),
    "getdents64": ("EIO", "ENOTCONN"),
    "rename": ("EIO", "EROFS"),
    "mkdir": ("ENOSPC", "EROFS"),
    "unlink": ("EROFS",),
    "fcntl": ("EINVAL", "ENOLCK"),
    "flock": ("ENOLCK",),
}
PLACES = 8
PART = 4
CHUNKS = 4 if WHOLE else 1

pytestmark = pytest.mark.skipif(bool(kernel.why_not()), reason=kernel.why_not())


@pytest.fixture(scope="module")
def injections(runs: Runs) -> list[str]:
    """For each kind of call some of those that an undisturbed run makes, every other one failing for good."""
    trial = runs.trial()
    log = runs.folder / "kernel-calls"
    assert trial.run(write_down=list(ERRORS), to=str(log))["errors"] == []
    trial.forget()
    found = []
    for name, count in sorted(kernel.counts(log).items()):
        for turn in range(min(PLACES, count)):
            number = 1 + turn * (count - 1) // max(PLACES - 1, 1)
            code = ERRORS[name][turn % len(ERRORS[name])]
            found.append(f"{name}:error={code}:when={number}{'+' if turn % 2 else ''}")
    return found


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_whatever_call_of_the_kernel_fails_it_is_named_and_the_next_run_goes_on(
    runs: Runs, injections: list[str], tell: Tell, chunk: int
) -> None:
    failed = failures = 0
    without_name: list[tuple[str, object]] = []
    partial: list[tuple[str, object]] = []
    lost: list[tuple[str, object]] = []
    twice: list[tuple[str, object]] = []
    chosen = some(injections, PART)[chunk::CHUNKS]
    for what in chosen:
        trial = runs.trial()
        errors = trial.run(inject=what)["errors"]
        failed += bool(errors)
        failures += len(errors)
        without_name += [(what, said) for said in unnamed(errors)]
        partial += [(what, fault) for fault in trial.midway()]
        lost += [(what, fault) for fault in (*trial.run()["errors"], *trial.at_the_end())]
        twice += [(what, key) for key in trial.done_twice()]
        trial.forget()
    tell(
        calls=len(chosen),
        failed=failed,
        failures=failures,
        unnamed=len(without_name),
        partial=len(partial),
        lost=len(lost),
        twice=len(twice),
    )
    assert failed > len(chosen) / 3
    assert (without_name, partial, lost, twice) == ([], [], [], [])
