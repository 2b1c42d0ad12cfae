"""What a model is made of that no lock file names: asked of Piper's catalogue, or of the repository's own listing."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

from pipeline.engines import voice_catalogue
from pipeline.engines.voice_catalogue import OfferedVoice
from pipeline.errors import EngineNonsense, EngineRefused
from pipeline.files import read_plain
from pipeline.models.catalogue import Address, File, Kind, Model
from pipeline.models.installation import Installation
from pipeline.net.download import fetch

# A listing of a repository with some thirty files has 20 kB.
_MOST_LISTING_BYTES = 16 << 20
_COMMIT = re.compile(r"[0-9a-f]{40}")
_RESOLVED = re.compile(r"(?P<hub>.+)/(?P<repository>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)")
# What diffusers loads for any device; `fp16` and other variants beside it hold the same weights again.
_WANTED = re.compile(r"(?:[\w+-]+/)?[\w+-]+\.(?:safetensors|json|txt)|[\w+-]+/[\w+-]+-\d{5}-of-\d{5}\.safetensors")


@dataclass(slots=True)
class Upstream:
    """Asks each question once."""

    site: Installation
    _voices: Mapping[str, OfferedVoice] | None = field(default=None, init=False)

    def model(self, name: str, kind: Kind, revision: str = "") -> Model:
        """Its files, with the digests that the source itself gives. Raises EngineRefused (no such model, with the
        nearest), EngineUnavailable (with what to do by hand), EngineNonsense, StoreError, Interrupted.
        """
        return self._voice(name) if kind == "voice" else self._checkpoint(name, revision or "main")

    def commit(self, repository: str, revision: str) -> str:
        """The commit that a branch or tag is at. Raises as `model`."""
        return self._listing(repository, revision)[0]

    def _voice(self, name: str) -> Model:
        base = self.site.reached(self.site.catalogue_url)
        if self._voices is None:
            hint = voice_catalogue.by_hand(name, self.site.places.voices, base)
            self._voices = voice_catalogue.available(
                tls=self.site.tls, stop=self.site.stop, base_url=base, policy=self.site.policy, hint=hint
            )
        voice = voice_catalogue.offered(name, self._voices, where=base)
        offered = {f"{name}.MODEL_CARD": voice.card, f"{name}.onnx.json": voice.config, f"{name}.onnx": voice.model}
        files = tuple(
            File(
                path,
                file.size,
                f"md5:{file.md5.lower()}",
                (Address(voice_catalogue.address_of(file, self.site.catalogue_url)),),
            )
            for path, file in offered.items()
            if file is not None
        )
        return Model(name, "voice", files)

    def _checkpoint(self, name: str, revision: str) -> Model:
        commit, licence, siblings = self._listing(name, revision)
        try:
            files = [self._file(name, commit, sibling) for sibling in siblings if _WANTED.fullmatch(_path_of(sibling))]
            files = [file for file in files if "/" in file.path or file.path == "model_index.json"]
            files.sort(key=lambda file: (file.path == "model_index.json", file.path))
            if not files or files[-1].path != "model_index.json":
                raise EngineRefused(
                    "it is not in diffusers' layout: there is no model_index.json",
                    where=f"{self.site.hub_url}/{name}",
                    hint="Name a repository that has it, such as stabilityai/sd-turbo.",
                )
            if not any(file.path.endswith(".safetensors") for file in files):
                raise EngineRefused(
                    "it has no weights as safetensors, and other forms can run code when they are loaded",
                    where=f"{self.site.hub_url}/{name}",
                    hint="Name a repository that has them, such as stabilityai/sd-turbo.",
                )
            return Model(name, "checkpoint", tuple(files), licence, commit)
        except (ValueError, KeyError, TypeError) as error:
            raise _no_listing(f"{self.site.hub_url}/{name}", error) from error

    def _file(self, name: str, commit: str, sibling: Mapping[str, Any]) -> File:
        path = _path_of(sibling)
        large = sibling.get("lfs")
        digest = f"sha256:{large['sha256']}" if large else f"git:{sibling['blobId']}"
        url = f"{self.site.hub_url}/{name}/resolve/{commit}/{quote(path)}"
        return File(path, int(large["size"] if large else sibling["size"]), digest, (Address(url),))

    def _listing(self, repository: str, revision: str) -> tuple[str, str, list[Mapping[str, Any]]]:
        """Commit, licence and files."""
        url = self.site.reached(
            f"{self.site.hub_url}/api/models/{repository}/revision/{quote(revision, safe='')}?blobs=true"
        )
        with TemporaryDirectory(prefix="pipeline-") as folder:
            listing = Path(folder) / "listing.json"
            fetch(
                url,
                listing,
                tls=self.site.tls,
                stop=self.site.stop,
                most_bytes=_MOST_LISTING_BYTES,
                policy=self.site.policy,
            )
            text = read_plain(listing, most_bytes=_MOST_LISTING_BYTES)
        try:
            about = json.loads(text)
            commit = str(about["sha"])
            found = commit, str((about.get("cardData") or {}).get("license") or ""), list(about["siblings"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise _no_listing(url, error) from error
        if not _COMMIT.fullmatch(commit):
            raise _no_listing(url, ValueError(f"{commit!r} is no commit"))
        return found


def pinned(site: Installation, upstream: Upstream, model: Model) -> Model:
    """A voice's addresses by commit, so that they stay what they are; as they are where the catalogue is no
    repository of the Hub. Raises as `Upstream.model`.
    """
    match = _RESOLVED.fullmatch(site.catalogue_url.rstrip("/"))
    if model.kind != "voice" or match is None or match["hub"] != site.hub_url:
        return model
    commit = upstream.commit(match["repository"], match["revision"])
    before, after = (f"{site.hub_url}/{match['repository']}/resolve/{at}/" for at in (match["revision"], commit))
    files = tuple(
        File(
            file.path,
            file.size,
            file.digest,
            tuple(
                Address(source.url.replace(before, after, 1)) if isinstance(source, Address) else source
                for source in file.sources
            ),
        )
        for file in model.files
    )
    return Model(model.name, model.kind, files, model.licence, commit)


def _path_of(sibling: Mapping[str, Any]) -> str:
    return str(sibling["rfilename"])


def _no_listing(where: str, error: Exception) -> EngineNonsense:
    return EngineNonsense(
        f"it is no listing of a repository ({error!r})",
        where=where,
        hint="See that the address, or the mirror, is that of the Hugging Face Hub or behaves like it.",
    )
