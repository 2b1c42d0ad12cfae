"""A claim goes into its file, and a file's claim is looked through.

No two signings give the same bytes: ECDSA draws a number for each signature, and each manifest has an identifier of
its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import IO, Any

from pipeline.errors import EngineRefused, StoreError
from pipeline.media.credentials.claim import Component, ingredient
from pipeline.media.credentials.identity import Identity
from pipeline.media.credentials.library import OFFLINE, load

_WHERE = "c2pa-python"
# Nobody's list of trusted signers is at hand here, so nobody is on it: a fact about lists, not about the file.
_OFF_THE_LIST = "signingCredential.untrusted"
_NONE_THERE = "claim.missing"


def sign(
    source: IO[bytes],
    into: IO[bytes],
    media_type: str,
    manifest: dict[str, object],
    identity: Identity,
    *,
    components: Iterable[tuple[Component, AbstractContextManager[IO[bytes]]]] = (),
) -> None:
    """Copy `source` to `into`, with its credentials in it; both must be seekable, and `into` readable.

    `components` are files that went into this one, which are taken up with the credentials that they have themselves.
    Each is opened when its turn comes. What was written is read back: raises EngineRefused where the library cannot
    sign it, or what it signed does not hold; StoreError where it cannot be written.
    """
    c2pa = load()
    try:
        signer = c2pa.Signer.from_info(
            # No address of a time-stamping authority: it would be asked for each file.
            c2pa.C2paSignerInfo(identity.algorithm, identity.chain, identity.key, None)
        )
        with c2pa.Context.from_dict(dict(OFFLINE), signer) as context, c2pa.Builder(manifest, context) as builder:
            for component, file in components:
                with file as opened:
                    builder.add_ingredient(ingredient(component), component.media_type, opened)
            builder.sign(media_type, source, into)
    except c2pa.C2paError.Io as error:
        raise StoreError(
            f"the signed file could not be written ({error})", hint="See whether the disk is full."
        ) from error
    except c2pa.C2paError as error:
        raise _refused("it does not sign it", error) from error
    into.seek(0)
    if found := faults(into, media_type):
        raise EngineRefused(
            f"the credentials that it wrote do not hold: {', '.join(found)}",
            where=_WHERE,
            hint="Look at the certificate's dates and uses, or switch credentials off.",
        )


def faults(file: IO[bytes], media_type: str) -> tuple[str, ...]:
    """What is wrong with a file's credentials, in C2PA's codes (`assertion.dataHash.mismatch`); nothing if they hold.

    Whether the signer is on anybody's list of trusted ones is not asked.
    """
    told = read(file, media_type)
    if told is None:
        return (_NONE_THERE,)
    results = told.get("validation_results", {})
    failed = [
        *results.get("activeManifest", {}).get("failure", ()),
        *(one for delta in results.get("ingredientDeltas", ()) for one in delta["validationDeltas"]["failure"]),
    ]
    found = tuple(dict.fromkeys(one["code"] for one in failed if one["code"] != _OFF_THE_LIST))
    if not found and told.get("validation_state") not in {"Valid", "Trusted"}:
        return ("invalid",)
    return found


def read(file: IO[bytes], media_type: str) -> dict[str, Any] | None:
    """All that a file says of itself, as the library tells it; None where it says nothing."""
    c2pa = load()
    try:
        with c2pa.Context.from_dict(dict(OFFLINE)) as context, c2pa.Reader(media_type, file, context=context) as reader:
            told: dict[str, Any] = json.loads(reader.json())
    except c2pa.C2paError.ManifestNotFound:
        return None
    except c2pa.C2paError as error:
        raise _refused("it does not understand it", error) from error
    return told


def _refused(what: str, error: Exception) -> EngineRefused:
    return EngineRefused(f"{what} ({error})", where=_WHERE, hint="Switch credentials off to go on without.")
