"""The n-th system call fails: with a full disk, a worn one, a read-only one, a quota, too many open files.

Every failure has a name, a place and a cure; nothing is half-written; and the next run goes on and ends as if nothing
had been.
"""

from __future__ import annotations

import errno

import pytest

from tests.faults.conftest import Tell
from tests.faults.disturbed import Runs, all_named_and_gone_on
from tests.faults.extent import WHOLE, some
from tests.faults.system_calls import Kind

CODES = {
    Kind.OPEN: (errno.ENOSPC, errno.EROFS, errno.EMFILE, errno.EACCES, errno.EIO),
    Kind.OPEN_FOLDER: (errno.EMFILE, errno.EIO),
    Kind.WRITE: (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EFBIG),
    Kind.FSYNC: (errno.EIO, errno.ENOSPC, errno.EDQUOT),
    Kind.RENAME: (errno.EXDEV, errno.EROFS, errno.EIO, errno.ENOSPC),
    Kind.REMOVE: (errno.EROFS, errno.EACCES),
    Kind.MAKE_FOLDER: (errno.ENOSPC, errno.EROFS, errno.EACCES),
}
CHUNKS = 16 if WHOLE else 1
PART = 8


def cases(runs: Runs) -> list[tuple[int, int, bool]]:
    """Each call once, the codes in turn; the odd ones fail for good, as a full disk does."""
    return [
        (call.number, CODES[call.kind][place % len(CODES[call.kind])], place % 2 == 1)
        for place, call in enumerate(runs.calls)
    ]


def test_a_lock_that_cannot_be_removed_fails_nothing(runs: Runs) -> None:
    lock = "data/store/locks/episode-new"
    removal = next(call.number for call in runs.calls if call.kind is Kind.REMOVE and call.path == lock)
    trial = runs.trial()
    assert trial.run(fail_at=removal, code=errno.EROFS)["errors"] == []
    trial.forget()


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_call_that_fails_is_named_and_the_next_run_goes_on(runs: Runs, tell: Tell, chunk: int) -> None:
    chosen = some(cases(runs), PART)[chunk::CHUNKS]
    calls = {call.number: call for call in runs.calls}
    failed = all_named_and_gone_on(
        runs,
        tell,
        (
            ((calls[number], errno.errorcode[code], for_good), {"fail_at": number, "code": code, "for_good": for_good})
            for number, code, for_good in chosen
        ),
    )
    assert failed > len(chosen) / 2
