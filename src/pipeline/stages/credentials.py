"""Finished files become signed ones: each says, inside itself, how it was made.

    the programme, the pictures ─► signed ─┐
    the film                    ───────────┴─► signed, with those as what it is made of

No two signings give the same bytes, so a signed file is an artifact like a script: made once, kept, and published as it
is. It hangs on the file's digest, on what is claimed and on the certificate. The private key enters nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from pipeline.build.recipe import Artifact, Canonical, Flow, Parts, Rule, Step, Written
from pipeline.media.credentials import Claim, Component, Identity, Kind, MadeBy, claim_of, manifest, signing

RULE = Rule("credentials", version=1, resource="cpu")


@dataclass(frozen=True, slots=True)
class File:
    """A file to be signed: an MP3, an MP4 or a PNG."""

    name: str
    """As it is published."""
    artifact: Artifact
    part: str
    kind: Kind
    made_of: tuple[str, ...] = ()
    """The names of others, signed with it, that went into it; those are not made of others in turn."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed file: a part of an artifact."""

    artifact: Artifact
    part: str


def sign(files: Sequence[File], by: MadeBy, identity: Identity) -> Flow[Mapping[str, Signed]]:
    """Each file's signed form, by its name. Raises EngineRefused where the library cannot sign one."""
    signed: dict[str, Signed] = {}
    simple = [file for file in files if not file.made_of]
    composed = [file for file in files if file.made_of]
    for batch in (simple, composed):
        if batch:
            made = yield [_step(file, by, identity, signed) for file in batch]
            signed |= {file.name: Signed(artifact, file.name) for file, artifact in zip(batch, made, strict=True)}
    return {file.name: signed[file.name] for file in files}


def _step(file: File, by: MadeBy, identity: Identity, signed: Mapping[str, Signed]) -> Step:
    parts = [signed[name] for name in file.made_of]
    claim = claim_of(file.name, file.kind, by, tuple(Component(name) for name in file.made_of))

    def make() -> Parts:
        return {file.name: Written(lambda path: _write(path, file, claim, parts, identity))}

    inputs: dict[str, Canonical] = {
        "file": file.artifact.part_digest(file.part),
        "claim": claim.plain,
        "certificate": identity.digest,
        # By their keys: their bytes are others on every machine, and what they say and hold is all in the key.
        "made of": [one.artifact.key for one in parts],
    }
    return Step(RULE, place="credentials", inputs=inputs, make=make, label=f"credentials of {file.name}")


def _write(path: Path, file: File, claim: Claim, parts: Sequence[Signed], identity: Identity) -> None:
    """The signed file, in a file of that name. What is signed is on the disk, not in memory: it may be a long film."""
    components = (
        (component, _laid_out(one.artifact, one.part, path.parent))
        for component, one in zip(claim.components, parts, strict=True)
    )
    told = manifest(claim, made_at=file.artifact.made_at)
    with _laid_out(file.artifact, file.part, path.parent) as source, path.open("w+b") as into:
        signing.sign(source, into, claim.media_type, told, identity, components=components)


@contextmanager
def _laid_out(artifact: Artifact, part: str, folder: Path) -> Iterator[IO[bytes]]:
    """A part as a file that can be read from anywhere; it has no name, and is gone when it is closed."""
    with TemporaryFile(dir=folder) as file:
        for chunk in artifact.chunks(part):
            file.write(chunk)
        file.seek(0)
        yield file
