"""Content credentials: what a file says of how it was made, signed, and kept inside the file (C2PA).

    claim      what is said: made by which model, out of what                pure
    identity   who says so: a certificate chain and its private key
    local_key  such a one made here, where a person gives none
    opening    settings to who signs, tried out
    library    `c2pa-python`, imported where it is first needed
    signing    the claim into the file, and a file's claim looked through

Nothing here calls another machine: no time-stamping authority, no remote manifests, no revocation lists, no lists of
trusted signers.
"""

from __future__ import annotations

from pipeline.media.credentials.claim import Claim, Component, Kind, MadeBy, Model, claim_of, manifest
from pipeline.media.credentials.identity import Identity
from pipeline.media.credentials.opening import open_identity
from pipeline.media.credentials.signing import faults, sign

__all__ = [
    "Claim",
    "Component",
    "Identity",
    "Kind",
    "MadeBy",
    "Model",
    "claim_of",
    "faults",
    "manifest",
    "open_identity",
    "sign",
]
