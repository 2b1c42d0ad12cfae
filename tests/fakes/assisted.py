"""The assistant's server over a project with fake engines: `python -m tests.fakes.assisted PROJECT`."""

from __future__ import annotations

import sys
from pathlib import Path

from pipeline import telemetry
from pipeline.service.assistant import make_server
from pipeline.service.house import house_of
from tests.fakes.served import project_of

if __name__ == "__main__":
    telemetry.configure(form="json", level="error")
    house = house_of(project_of(Path(sys.argv[1])))
    try:
        make_server(house).run("stdio")
    finally:
        house.maker.stop()
        house.maker.wait(20)
