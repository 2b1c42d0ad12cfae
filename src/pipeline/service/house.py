"""Everything that one project's callers reach, over HTTP or as an assistant, put together once."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.service.board import Board
from pipeline.service.checks import Checks, Sight
from pipeline.service.desk import Desk
from pipeline.service.held import Held
from pipeline.service.hub import Hub
from pipeline.service.maker import Maker
from pipeline.service.metrics import Metrics
from pipeline.service.project import Keeper, Project, engines_of
from pipeline.service.promises import Promises
from pipeline.service.surveys import Surveys
from pipeline.service.topics import TopicFiles


@dataclass(frozen=True, slots=True)
class House:
    """Everything that the calls reach."""

    project: Project
    keeper: Keeper
    files: TopicFiles
    desk: Desk
    maker: Maker
    board: Board
    checks: Checks
    hub: Hub
    metrics: Metrics
    surveys: Surveys


def house_of(project: Project) -> House:
    """Nothing is at work in it before its maker is started."""
    places = project.folders
    metrics = Metrics({"input": places.input, "output": places.output, "data": places.data}, backups=project.backups)
    hub, board, keeper = Hub(), Board(), Keeper(project)

    def seen(sight: Sight) -> None:
        metrics.engine(sight.role, ready=sight.ready, at=sight.at)
        hub.publish("engine", {"role": sight.role, "name": sight.name, "ready": sight.ready, "error": sight.error})

    checks = Checks(lambda: engines_of(keeper.open().shop), seen=seen)
    kept = places.data / "service"
    surveys = Surveys(keeper)
    maker = Maker(project, keeper, board, hub, metrics, checks, Held(kept), surveys)
    files = TopicFiles(places.input, places.project, places.data / "trash", project.defaults)
    desk = Desk(files, Promises(kept / "promises"), maker, places.output, places.data)
    return House(project, keeper, files, desk, maker, board, checks, hub, metrics, surveys)
