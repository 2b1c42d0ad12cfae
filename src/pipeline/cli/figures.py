"""The figures of one run, for the setting `metrics_textfile`; where that names no file, nothing is counted."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.cli.opening import Status
from pipeline.errors import Interrupted, StoreError

if TYPE_CHECKING:
    from pipeline.build.runner import Event, Outcome
    from pipeline.metrics.textfile import Textfile
    from pipeline.studio import Folders, Survey


class Figures:
    """Counts for the file, where there is one."""

    def __init__(self, file: Textfile | None) -> None:
        self._file = file
        self.status: int = Status.DONE
        """How the run ends, as far as is known."""

    def begin(self, survey: Survey) -> None:
        if self._file is not None:
            self._file.finds(finished=len(survey.finished), refused=len(survey.refused))

    def event(self, event: Event) -> None:
        if self._file is not None:
            self._file.take(event)

    def outcome(self, outcome: Outcome[Any]) -> None:
        if self._file is not None:
            self._file.ended(outcome)


@contextmanager
def figures(path: Path | None, folders: Folders) -> Iterator[Figures]:
    """While a run lasts; the file is written at its end, however it ends. Raises SettingsError.

    A file that cannot be written is said, and takes nothing away from what the run has made.
    """
    if path is None:
        yield Figures(None)
        return
    from pipeline import telemetry
    from pipeline.metrics.textfile import Textfile

    labelled = {"data": folders.data, "input": folders.input, "output": folders.output}
    file = Textfile(folders.project / path, locks=folders.data / "store" / "locks", folders=labelled)
    counted = Figures(file)
    try:
        yield counted
    except Interrupted:
        counted.status = Status.INTERRUPTED
        raise
    except BaseException:
        counted.status = Status.SOME_FAILED
        raise
    finally:
        try:
            file.write(int(counted.status))
        except StoreError as error:
            telemetry.log().warning("textfile_not_written", **telemetry.failure(error))
            sys.stderr.write(f"pipeline: the run's figures cannot be written: {error}\n")
