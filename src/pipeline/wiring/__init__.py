"""Settings → ready objects.

`assembly` puts a project's workshop together: of its `engines`, the only place that names concrete ones; of what its
`pictures` look like; of the `outfit` that episodes are made with, and the `texts` of `config/` in it; and, where two
models share a GPU, of how they do (`sharing`).
"""

from pipeline.wiring.assembly import Workshop, defaults_of, folders, workshop
from pipeline.wiring.engines import (
    CARDS,
    addresses_of,
    available_cores,
    cards_of,
    choose_illustrator,
    choose_voice,
    choose_writer,
    limit_of,
    retry_policy,
    tls_of,
)
from pipeline.wiring.outfit import RULES, channel_of, desk, signer_of
from pipeline.wiring.pictures import easel_of, films_of
from pipeline.wiring.sharing import shared_gpu
from pipeline.wiring.texts import read_look, read_prompts, read_pronunciations

__all__ = [
    "CARDS", "RULES", "Workshop", "addresses_of", "available_cores", "cards_of", "channel_of", "choose_illustrator",
    "choose_voice", "choose_writer", "defaults_of", "desk", "easel_of", "films_of", "folders", "limit_of",
    "read_look", "read_prompts", "read_pronunciations", "retry_policy", "shared_gpu", "signer_of", "tls_of",
    "workshop",
]  # fmt: skip
