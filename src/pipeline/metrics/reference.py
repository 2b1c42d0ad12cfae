"""The page that lists every metric: docs/reference/metrics.md, made from the families."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pipeline.metrics.families import IMAGES, LABELS, MANAGER, RUN, RUN_ALONE, SPEECH, Family

_PROCESS = (
    "| `process_*` | | | CPU time, memory, open files and start of the process, as Prometheus's client has them. |"
)


def page() -> str:
    """The text of docs/reference/metrics.md."""
    also = ", ".join(f"`{family.name}`" for family in RUN if family not in RUN_ALONE)
    lines = [
        "# Metrics",
        "",
        "Made by `pipeline serve --write-docs` from the list that the programs count by. How to scrape, read and alert",
        "on them: [observe](../how-to/observe.md).",
        "",
        "Every label is one of a fixed set; no title, path, id or text of an error is ever one. A series that cannot",
        "have a value yet (a certificate where there is no https, a backup where there is no folder of backups) is not",
        "there. Times are seconds since 1970, so an age is `time() - …`; 0 stands for never.",
        "",
        "## The manager: `GET /metrics` of `pipeline serve`",
        "",
        *_table(MANAGER),
        _PROCESS,
        "",
        "## The textfile of `pipeline run`",
        "",
        "For node_exporter, where the setting `metrics_textfile` names a file. Counters go on from one run to the next",
        "for as long as the file is there.",
        "",
        *_table(RUN_ALONE),
        "",
        f"And of the manager's: {also}.",
        "",
        "## The speech server: `GET /metrics` of `pipeline-speech`",
        "",
        *_table(SPEECH),
        _PROCESS,
        "",
        "## The image server: `GET /metrics` of `pipeline-images`",
        "",
        *_table(IMAGES),
        _PROCESS,
        "",
        "## What the labels say",
        "",
        "| label | values |",
        "|---|---|",
        *(f"| {label} | {', '.join(f'`{value}`' for value in values)} |" for label, values in LABELS),
        "| `status` | the HTTP status of the answer |",
        "| `version` | as `pipeline --version` says it |",
    ]
    return "\n".join(lines) + "\n"


def _table(families: Iterable[Family]) -> Iterator[str]:
    yield "| metric | type | labels | meaning |"
    yield "|---|---|---|---|"
    for one in families:
        labels = ", ".join(f"`{label}`" for label in one.labels)
        yield f"| `{one.name}` | {one.kind} | {labels} | {one.about} |".replace("|  |", "| |")
