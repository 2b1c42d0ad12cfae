"""Which modules are tried with which tests, and which of their mutants are the same program as before."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Guarded:
    """A module, and the tests that must notice a mistake in it; the quickest first."""

    module: str
    """Its path inside the package."""
    tests: tuple[str, ...]
    within: tuple[str, ...] = ()
    """The functions and classes that are tried; all, where none is named."""


@dataclass(frozen=True, slots=True)
class Equivalent:
    """A mutant that no test can notice, because nobody could."""

    module: str
    function: str
    before: str
    after: str
    why: str


_NET = (
    "tests/unit/test_net_breaker.py",
    "tests/unit/test_net_told.py",
    "tests/unit/test_net_tallies.py",
    "tests/unit/test_net_retry.py",
    "tests/unit/test_net_defaults.py",
)
_PUBLISH = ("tests/unit/test_publish.py", "tests/unit/test_manifest.py", "tests/integration/test_manifest.py")

MODULES = (
    Guarded("net/circuit.py", _NET),
    Guarded("net/breaker.py", _NET),
    Guarded("net/outages.py", ("tests/unit/test_net_outages.py",)),
    Guarded("net/retry.py", _NET),
    Guarded("net/limit.py", ("tests/unit/test_net_retry.py",)),
    Guarded("net/tallies.py", ("tests/unit/test_net_tallies.py",)),
    Guarded("net/deadline.py", ("tests/unit/test_net_deadline.py", "tests/integration/test_deadline.py")),
    Guarded("engines/retrying.py", ("tests/unit/test_net_retrying.py",)),
    Guarded("stages/publish.py", _PUBLISH),
    Guarded("domain/manifest.py", _PUBLISH),
    Guarded("underway.py", ("tests/unit/test_underway.py",)),
    Guarded(
        "build/store.py",
        ("tests/unit/test_locks.py", "tests/unit/test_store.py"),
        within=("held", "held_byte", "_still_named"),
    ),
    Guarded(
        "net/download.py",
        ("tests/unit/test_locks.py", "tests/integration/test_download.py"),
        within=("alone", "_hold", "_locked"),
    ),
)  # fmt: skip

_UNREAD = "It is read only of a service that is taken to be down, and is set whenever one is."

_TO_THE_NANOSECOND = "The clock would have to stand still at the very nanosecond of the end."

EQUIVALENT = (
    Equivalent(
        "net/circuit.py",
        "Rests.after",
        "return min(self.longest_seconds, self.first_seconds * 2.0 ** min(probes, 60))",
        "return min(self.longest_seconds, self.first_seconds * 2.0 ** min(probes, (61)))",
        "The bound is there so that a power does not overflow; either is longer than any rest.",
    ),
    Equivalent("net/circuit.py", "Circuit.__init__", "self._since = 0.0", "self._since = (1.0)", _UNREAD),
    Equivalent("net/circuit.py", "Circuit.__init__", "self.next_try = 0.0", "self.next_try = (1.0)", _UNREAD),
    Equivalent("net/deadline.py", "_hold", "if left <= 0:", "if (left < 0):", _TO_THE_NANOSECOND),
    Equivalent(
        "net/deadline.py",
        "_held",
        "if ends is not None and time.monotonic() >= ends:",
        "if ends is not None and (time.monotonic() > ends):",
        _TO_THE_NANOSECOND,
    ),
    Equivalent(
        "net/deadline.py",
        "_hold",
        "if patience is None or left < patience:",
        "if patience is None or (left <= patience):",
        "Where they are the same, so is what is set.",
    ),
    Equivalent(
        "net/deadline.py",
        "TlsSocket.recv",
        "def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:",
        "def recv(self, buflen: int = (1025), flags: int = 0) -> bytes:",
        "Whoever reads says how much; the default is there because the socket's own method has it.",
    ),
    Equivalent(
        "build/store.py",
        "_still_named",
        "return False",
        "return None",
        "It is asked only whether the answer is true.",
    ),
)
