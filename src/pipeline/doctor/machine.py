"""What kind of machine this is: Python, container, cores, memory, GPU, caches; and what each means for a run."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from pipeline import __version__, wiring
from pipeline.doctor.finding import Finding
from pipeline.doctor.limits import limits_of, memory_of

# Both embedded engines together take 0.63 GB (measured with the models that `make setup` installs).
_LITTLE_MEMORY_BYTES = 10**9
# It answers in a fraction of a second; where the driver is ill it may not answer at all.
_SMI_SECONDS = 10.0


def version() -> Finding:
    return Finding("version", "ok", f"pipeline {__version__}, Python {platform.python_version()}, {sys.platform}")


def machine(environ: Mapping[str, str], wanted_cores: int, root: Path = Path("/")) -> Iterator[Finding]:
    """Where this runs, and with what. `wanted_cores` is the setting, 0 for all."""
    inside = container(environ, root)
    where = f"in a container ({inside})" if inside else "not in a container"
    yield Finding("machine", "ok", f"{platform.platform(terse=True)}, {where}, {sys.executable}")
    yield _cores(wanted_cores, wiring.available_cores(), limits_of(root).cores)
    yield _memory(memory_of(root), limits_of(root).memory_bytes)
    yield _cache(environ)


def container(environ: Mapping[str, str], root: Path = Path("/")) -> str:
    """Which kind of container this is; empty for none."""
    if "KUBERNETES_SERVICE_HOST" in environ:
        return "Kubernetes"
    if (root / "run/.containerenv").exists():
        return "Podman"
    if (root / ".dockerenv").exists():
        return "Docker"
    # systemd-nspawn, LXC and others name themselves so (systemd's container interface).
    return environ.get("container", "")


def _cores(wanted: int, seen: int, bound: float | None) -> Finding:
    used = wanted or seen
    facts = f"{seen} to be used" + (f", of which CORES takes {wanted}" if wanted else "")
    if bound is None or bound >= used:
        return Finding("cores", "ok", facts)
    return Finding(
        "cores",
        "note",
        f"{facts}, but this container may use no more than {bound:g} of them at once",
        f"Set CORES={max(1, int(bound))}: more threads than that only wait for each other.",
    )


def _memory(machine: tuple[int, int] | None, bound: int | None) -> Finding:
    if machine is None:
        return Finding("memory", "ok", "the system does not say how much there is")
    total, free = machine
    facts = f"{free / 1e9:.1f} GB free of {total / 1e9:.1f} GB"
    if bound is not None and bound < total:
        facts += f", at most {bound / 1e9:.1f} GB for this container"
        free = min(free, bound)
    if free >= _LITTLE_MEMORY_BYTES:
        return Finding("memory", "ok", facts)
    return Finding("memory", "note", facts, "Close something, or give the container more: a run may be ended for it.")


def _cache(environ: Mapping[str, str]) -> Finding:
    home, cache = environ.get("HOME", ""), environ.get("XDG_CACHE_HOME", "")
    folder = Path(cache) if cache else Path(home) / ".cache" if home else None
    if folder is None:
        return Finding("cache", "note", "neither HOME nor XDG_CACHE_HOME is set", "Set HOME to a writable folder.")
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        try_to_write(place)
    except OSError as error:
        name = "XDG_CACHE_HOME" if cache else "HOME"
        said = f"{folder} cannot be written ({error.strerror})"
        return Finding("cache", "note", said, f"Set {name} to a folder that this user may write.")
    return Finding("cache", "ok", f"{folder}, writable")


def try_to_write(folder: Path) -> None:
    """Write a little into a file of no name, so that nobody who watches the folder sees it. Raises OSError.

    Asking for permissions is not enough: a full disk, a quota, a read-only mount and a network folder all answer it
    well.
    """
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"doctor\n")
        file.flush()
        os.fsync(file.fileno())


def gpu(*, draws: bool, path: str | None = None, root: Path = Path("/")) -> Finding:
    """`draws`: pictures are asked for, which take long without one. `path` is PATH; None for this process's own."""
    program = shutil.which("nvidia-smi", path=path)
    if program:
        return _asked_of(program)
    if list((root / "dev").glob("nvidia[0-9]*")):
        return Finding("GPU", "ok", "an NVIDIA device is here, but no nvidia-smi to ask about it")
    if (root / "dev/kfd").exists():
        return Finding("GPU", "ok", "an AMD device is here (/dev/kfd); Ollama needs its ROCm build to use it")
    none = "none to be seen here; writing and speaking do without. Servers elsewhere may have their own"
    if not draws:
        return Finding("GPU", "ok", none)
    return Finding("GPU", "note", none, "Pictures take minutes each on a processor; in containers: GPU=nvidia.")


def _asked_of(program: str) -> Finding:
    query = [program, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    todo = "See that the driver is loaded and fits the kernel; in containers, that the NVIDIA toolkit is installed."
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=_SMI_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return Finding("GPU", "note", f"nvidia-smi does not answer within {_SMI_SECONDS:g} s", todo)
    except OSError as error:
        return Finding("GPU", "note", f"nvidia-smi cannot be run ({error.strerror})", todo)
    cards = [", driver ".join(line.strip().rsplit(", ", 1)) for line in done.stdout.splitlines() if line.strip()]
    if done.returncode or not cards:
        said = (done.stdout.strip() or done.stderr.strip() or f"status {done.returncode}").splitlines()[0]
        return Finding("GPU", "note", f"nvidia-smi finds none: {said}", todo)
    return Finding("GPU", "ok", "; ".join(cards))
