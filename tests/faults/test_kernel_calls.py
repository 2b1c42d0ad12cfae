"""The n-th call of the kernel fails, whoever calls: Python itself, a compiled library, a look at a folder.

Where `test_failing_calls` knows of every call that changes a file what it was for, here any call at all fails, reading
and looking too; and what comes of it must have a name as well.
"""

from __future__ import annotations

import pytest

from tests.faults import kernel
from tests.faults.conftest import Tell
from tests.faults.disturbed import Runs, all_named_and_gone_on
from tests.faults.extent import WHOLE, some

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


@pytest.fixture(scope="module")
def injections(runs: Runs) -> list[str]:
    """For each kind of call some of those that an undisturbed run makes, every other one failing for good."""
    if why := kernel.why_not():
        pytest.skip(why)
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
    chosen = some(injections, PART)[chunk::CHUNKS]
    assert all_named_and_gone_on(runs, tell, ((what, {"inject": what}) for what in chosen)) > len(chosen) / 3
