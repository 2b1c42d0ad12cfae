"""Where `c2pa-python` comes from, and what it may do: nothing with the network."""

from __future__ import annotations

import importlib
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import Final

from pipeline.errors import SettingsError

INSTALL = "pip install 'media-pipeline[credentials]'"

OFFLINE: Final = {
    "version": 1,
    # Not one host may be asked, whatever a file or a certificate names.
    "core": {"allowed_network_hosts": []},
    "verify": {
        "remote_manifest_fetch": False,
        "ocsp_fetch": False,
        "verify_after_sign": False,  # `signing` looks for itself, once, and can tell what is wrong
    },
    "builder": {
        # A small picture of the file inside its claim: nobody needs it of a file that is at hand.
        "thumbnail": {"enabled": False},
        # It is the signer who says this, and not something that came with the file (C2PA 2.1, 10.3).
        "created_assertion_labels": ["c2pa.actions", "c2pa.ingredient"],
    },
}

_NATIVE = {".so", ".dylib", ".dll"}
_NAME = "C2PA_LIBRARY_NAME"
_importing = Lock()


def load() -> ModuleType:
    """The package `c2pa`. Raises SettingsError where it is not installed or does not run here.

    c2pa-python (0.38, `lib.py`) looks for its native code in the working folder before its own. The working folder is
    somebody's project, perhaps somebody else's, and must not decide what code runs.
    """
    with _importing:
        if (already := sys.modules.get("c2pa")) is not None:
            return already
        found = find_spec("c2pa")
        if found is None:
            raise SettingsError(
                [f"credentials: c2pa-python is not installed. Install it: {INSTALL}; or set it to false."]
            )
        native = [file for place in found.submodule_search_locations or () for file in _native_in(Path(place))]
        before = os.environ.get(_NAME)
        if native and not before:
            os.environ[_NAME] = str(native[0])
        try:
            return importlib.import_module("c2pa")
        except (ImportError, OSError, RuntimeError) as error:
            raise SettingsError([f"credentials: c2pa-python does not run on this machine ({error})"]) from error
        finally:
            if native and not before:
                os.environ.pop(_NAME, None)


def _native_in(package: Path) -> list[Path]:
    return [file for file in sorted((package / "libs").glob("*c2pa_c.*")) if file.suffix in _NATIVE]
