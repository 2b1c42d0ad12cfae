"""Pictures in episodes: who draws them, what is drawn again and what is not, and two models on one GPU."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipeline.build.runner import Event, Kind
from pipeline.engines.cards import Cards
from pipeline.engines.stable_diffusion import StableDiffusion
from pipeline.errors import EngineError, EngineNonsense, EngineRefused, Interrupted
from pipeline.net.tls import Tls
from pipeline.ports import Illustrator, Picture, PictureRequest
from pipeline.stages.pictures import Shape
from pipeline.stages.publish import verify
from pipeline.stages.video import Spec
from pipeline.studio import SharedGpu
from tests.fakes.a1111 import FakeA1111, black, complains, out_of_memory, serving
from tests.fakes.illustrator import FakeIllustrator
from tests.fakes.studio import make_studio, run_all
from tests.fakes.voice import FakeVoice
from tests.fakes.writer import LARGE, FakeWriter

READ = """---
title: The log
mode: read
---

## Morning

The wind rose before six. Nobody slept on board.

## Evening

Was it late? Captain Reis wrote it down. The lamp was lit at dusk.
"""
SCENES = ("a foundry at night, glowing metal", "a bell tower over a village")
SCRIPT = json.dumps(
    {
        "title": "Bells",
        "segments": [
            {"title": title, "narration": said, "picture_prompt": scene}
            for title, said, scene in zip(
                ("Casting", "Ringing"),
                (
                    "A bell is cast in bronze, and it cools for a day. The clapper strikes the rim when it swings.",
                    "Ropes turn the wheel of a bell high in the tower. Large bells ring lower than small ones do.",
                ),
                SCENES,
                strict=True,
            )
        ],
    }
)
ODD = "---\ntitle: Odd\nstyle: nosuch\n---\n\n- A fact.\n"
WRITE = "---\ntitle: Bells\nwords: 40\n---\n\n- A bell is cast in bronze.\n- Ropes turn the wheel of a bell.\n"


class Project:
    """A project on disk, run afresh each time as a new process would."""

    def __init__(self, folder: Path, topics: Mapping[str, str]) -> None:
        self.folder = folder
        self.voice = FakeVoice()
        self.writer = FakeWriter(lambda _: SCRIPT, identity=LARGE)
        (folder / "input").mkdir(parents=True)
        for name, text in topics.items():
            (folder / "input" / name).write_text(text)

    def run(self, illustrator: Illustrator | None = None, **how: Any) -> dict[str, BaseException | None]:
        return run_all(self.studio(illustrator, **how))

    def studio(self, illustrator: Illustrator | None = None, **how: Any) -> Any:
        # What a project is made with is part of its fingerprint, as wiring makes it.
        told = illustrator.describe().digest if illustrator else ""
        return make_studio(
            self.folder, voice=self.voice, writer=self.writer, illustrator=illustrator, fingerprint=told, **how
        )

    def files(self, slug: str) -> set[str]:
        return {path.name for path in (self.folder / "output" / slug).iterdir()}

    def read(self, slug: str, name: str) -> bytes:
        return (self.folder / "output" / slug / name).read_bytes()

    def manifest(self, slug: str) -> Any:
        return json.loads(self.read(slug, "manifest.json"))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project", {"log.md": READ})


@pytest.fixture
def fake() -> FakeA1111:
    return FakeA1111()


@pytest.fixture
def server(fake: FakeA1111) -> Iterator[StableDiffusion]:
    with serving(fake) as url:
        yield StableDiffusion(url, tls=Tls(), stop=threading.Event(), read_seconds=20)


# -- what an episode gets ----------------------------------------------------------------------------------------


def test_every_segment_has_a_picture_of_each_shape_and_the_episode_a_square_cover(project: Project) -> None:
    shapes = (Shape("", 320, 180), Shape("tall", 180, 320))
    assert project.run(Cards(), shapes=shapes) == {"the-log": None}
    sizes = {
        name: Image.open(io.BytesIO(project.read("the-log", name))).size
        for name in project.files("the-log")
        if name.endswith(".png")
    }
    assert sizes == {
        "cover.png": (1500, 1500),
        "picture-01.png": (320, 180),
        "picture-02.png": (320, 180),
        "picture-tall-01.png": (180, 320),
        "picture-tall-02.png": (180, 320),
    }
    told = project.manifest("the-log")
    assert [len(shape["segments"]) for shape in told["pictures"]["shapes"]] == [2, 2]
    assert all(one["layout"] for shape in told["pictures"]["shapes"] for one in shape["segments"])
    assert told["ai_generated"]["pictures"] is False
    assert verify(project.folder / "output" / "the-log") == ()


def test_a_heading_that_only_counts_is_not_set_on_the_card(project: Project) -> None:
    (project.folder / "input" / "log.md").write_text(READ.replace("Morning", "Part 1"))
    painter = FakeIllustrator()
    assert project.run(painter) == {"the-log": None}
    assert [request.heading for request in painter.calls] == ["", "Evening"]


def test_films_are_made_in_each_shape_and_what_is_switched_off_is_withdrawn(project: Project) -> None:
    shapes = (Shape("", 160, 90), Shape("tall", 90, 160))
    films = (Spec(160, 90, motion=False), Spec(90, 160, motion=False))
    assert project.run(shapes=shapes, films=films) == {"the-log": None}
    assert {"video.mp4", "video-tall.mp4"} <= project.files("the-log")
    studio = make_studio(project.folder, voice=project.voice, writer=project.writer, fingerprint="without")
    assert run_all(studio) == {"the-log": None}
    assert not {"video.mp4", "video-tall.mp4", "picture-tall-01.png"} & project.files("the-log")


def test_a_painter_gets_the_scenes_of_the_script_and_the_manifest_says_that_a_machine_drew(tmp_path: Path) -> None:
    project = Project(tmp_path / "project", {"bells.md": WRITE})
    painter = FakeIllustrator("painter", reads_prompts=True)
    assert project.run(painter) == {"bells": None}
    assert [request.prompt.startswith(scene) for request, scene in zip(painter.calls, SCENES, strict=True)] == [
        True
    ] * 2
    told = project.manifest("bells")
    assert told["ai_generated"]["pictures"] is True
    assert told["ai_generated"]["notice"].endswith("Pictures drawn by a machine.")
    assert told["engines"]["illustrator"]["model"] == "painter"
    seeds = [one["seed"] for one in told["pictures"]["shapes"][0]["segments"]]
    assert seeds == [request.seed for request in painter.calls]
    assert "Pictures drawn by a machine." in project.read("bells", "index.html").decode()


def test_the_same_pictures_are_asked_for_with_the_same_seeds_on_every_machine(tmp_path: Path) -> None:
    seeds = []
    for name in ("here", "there"):
        painter = FakeIllustrator("painter", reads_prompts=True)
        Project(tmp_path / name, {"log.md": READ}).run(painter)
        seeds.append([request.seed for request in painter.calls])
    assert seeds[0] == seeds[1]
    assert len(set(seeds[0])) == 2


def test_an_edit_of_one_segment_sets_the_card_of_that_segment_alone(project: Project) -> None:
    project.run(Cards())
    before = {name: project.read("the-log", name) for name in ("cover.png", "picture-01.png", "picture-02.png")}
    topic = project.folder / "input" / "log.md"
    topic.write_text(READ.replace("The lamp was lit", "The 40 lamps were lit"))
    assert project.run(Cards()) == {"the-log": None}
    changed = {name for name, data in before.items() if project.read("the-log", name) != data}
    assert changed <= {"picture-02.png"}


# -- Stable Diffusion, on and off --------------------------------------------------------------------------------


def test_switched_off_and_on_again_nothing_is_drawn_again(
    project: Project, fake: FakeA1111, server: StableDiffusion
) -> None:
    assert project.run(server) == {"the-log": None}
    drawn = project.read("the-log", "picture-01.png")
    assert len(fake.asked) == 2
    spoken = len(project.voice.calls)
    assert project.run(Cards()) == {"the-log": None}
    assert project.read("the-log", "picture-01.png") != drawn
    assert project.run(server) == {"the-log": None}
    assert project.read("the-log", "picture-01.png") == drawn
    assert len(fake.asked) == 2
    assert len(project.voice.calls) == spoken


def test_a_server_that_is_away_leaves_its_pictures_and_new_episodes_get_cards_until_it_is_back(
    project: Project, fake: FakeA1111, server: StableDiffusion
) -> None:
    project.run(server, auto=True)
    drawn = project.read("the-log", "picture-01.png")
    (project.folder / "input" / "second.md").write_text(READ.replace("The log", "Second"))
    assert project.run(Cards(), auto=True) == {"the-log": None, "second": None}
    assert project.read("the-log", "picture-01.png") == drawn
    assert project.manifest("second")["engines"]["illustrator"]["engine"] == "cards"
    assert project.run(server, auto=True) == {"the-log": None, "second": None}
    assert project.manifest("second")["engines"]["illustrator"]["engine"] == "stable-diffusion"
    assert len(fake.asked) == 4  # the first episode's two, and the second's


def test_while_the_server_is_away_an_edit_takes_a_card_for_its_own_segment_alone(
    project: Project, fake: FakeA1111, server: StableDiffusion
) -> None:
    project.run(server, auto=True)
    drawn = [project.read("the-log", name) for name in ("picture-01.png", "picture-02.png")]
    (project.folder / "input" / "log.md").write_text(READ.replace("Captain Reis wrote", "The 40 captains wrote"))
    assert project.run(Cards(), auto=True) == {"the-log": None}
    assert project.read("the-log", "picture-01.png") == drawn[0]
    assert project.read("the-log", "picture-02.png") != drawn[1]
    told = project.manifest("the-log")
    assert told["engines"]["illustrator"]["engine"] == "stable-diffusion"
    assert told["ai_generated"]["pictures"] is True
    (project.folder / "input" / "log.md").write_text(READ)
    assert project.run(Cards(), auto=True) == {"the-log": None}
    assert [project.read("the-log", name) for name in ("picture-01.png", "picture-02.png")] == drawn
    assert len(fake.asked) == 2


def test_a_size_changed_while_the_server_is_away_and_changed_back_loses_no_drawing(
    project: Project, fake: FakeA1111, server: StableDiffusion
) -> None:
    project.run(server, auto=True)
    drawn = project.read("the-log", "picture-01.png")
    assert project.run(Cards(), auto=True, shapes=(Shape("", 640, 352),)) == {"the-log": None}
    assert project.read("the-log", "picture-01.png") != drawn
    (project.folder / "output" / "the-log" / "picture-01.png").unlink()  # else nothing tells that it is another size
    assert project.run(Cards(), auto=True) == {"the-log": None}
    assert project.read("the-log", "picture-01.png") == drawn
    assert len(fake.asked) == 2


def test_a_heading_changed_while_the_server_is_away_is_set_in_type(
    project: Project, fake: FakeA1111, server: StableDiffusion
) -> None:
    project.run(server, auto=True)
    (project.folder / "input" / "log.md").write_text(READ.replace("## Morning", "## Lighthouses"))
    assert project.run(Cards(), auto=True) == {"the-log": None}
    assert len(fake.asked) == 2


def test_a_picture_that_fails_fails_its_episode_by_name_and_the_next_run_draws_only_what_is_missing(
    project: Project, fake: FakeA1111, server: StableDiffusion
) -> None:
    (project.folder / "input" / "second.md").write_text(READ.replace("The log", "Second").replace("lamp", "light"))
    fake.script.extend([out_of_memory])
    errors = project.run(server)
    failed = [slug for slug, error in errors.items() if error is not None]
    assert len(failed) == 1
    error = errors[failed[0]]
    assert isinstance(error, EngineRefused)
    assert "memory" in str(error)
    asked = len(fake.asked)
    assert project.run(server) == {failed[0]: None}
    assert len(fake.asked) < asked + 2  # the picture that came is there already


def test_pictures_of_nothing_are_tried_with_other_seeds_and_then_named(
    project: Project, fake: FakeA1111, server: StableDiffusion
) -> None:
    fake.script.extend([black] * 6)
    error = project.run(server)["the-log"]
    assert isinstance(error, EngineNonsense)
    assert len({wanted["seed"] for wanted in fake.asked[:3]}) == 3
    assert "audio.mp3" not in (
        project.files("the-log") if (project.folder / "output" / "the-log").exists() else set()
    )  # an episode is published whole or not at all


# -- one GPU for two models --------------------------------------------------------------------------------------


class Shared:
    """What happens on a GPU, in order."""

    def __init__(self, fake_writer: FakeWriter) -> None:
        self.events: list[str] = []
        self.gpu = SharedGpu(
            free_of_writer=lambda: self.events.append("free of writer"),
            free_of_illustrator=lambda: self.events.append("free of painter"),
        )
        self.writer = FakeWriter(self._answer, identity=LARGE)
        self._said = fake_writer

    def _answer(self, question: Any) -> Any:
        self.events.append("write")
        return self._said.answer(question).text

    def painter(self) -> FakeIllustrator:
        events = self.events

        class Painter(FakeIllustrator):
            def draw(self, request: PictureRequest) -> Picture:
                events.append("draw")
                return super().draw(request)

        return Painter("painter", reads_prompts=True)


def topics(count: int) -> dict[str, str]:
    return {f"bells-{number}.md": WRITE.replace("Bells", f"Bells {number}") for number in range(count)}


def test_all_is_written_before_the_first_picture_is_drawn_and_each_model_leaves_the_gpu(tmp_path: Path) -> None:
    project = Project(tmp_path / "project", topics(3))
    shared = Shared(project.writer)
    project.writer = shared.writer
    assert project.run(shared.painter(), shared_gpu=shared.gpu) == dict.fromkeys(("bells-0", "bells-1", "bells-2"))
    order = [one for one, before in zip(shared.events, [None, *shared.events], strict=False) if one != before]
    assert order == ["write", "free of writer", "draw", "free of painter"]
    shared.events.clear()
    assert project.run(shared.painter(), shared_gpu=shared.gpu) == {}
    assert shared.events == []


def test_an_episode_opens_and_closes_once_and_all_that_was_made_for_it_is_counted(tmp_path: Path) -> None:
    project = Project(tmp_path / "project", {"log.md": READ})
    shared = Shared(project.writer)
    studio = project.studio(shared.painter(), shared_gpu=shared.gpu)
    events: list[Event] = []
    (outcome,) = studio.run(studio.survey(), events.append)
    kinds = [event.kind for event in events]
    assert kinds.count(Kind.OPENED) == kinds.count(Kind.CLOSED) == 1
    assert kinds[-1] is Kind.CLOSED
    assert outcome.made == kinds.count(Kind.MADE) > 5


def test_what_fails_in_the_first_phase_is_told_and_does_not_keep_the_others_from_their_pictures(tmp_path: Path) -> None:
    project = Project(tmp_path / "project", topics(1) | {"odd.md": ODD})
    shared = Shared(project.writer)
    errors = project.run(shared.painter(), shared_gpu=shared.gpu)
    assert errors["bells-0"] is None
    assert "nosuch" in str(errors["odd"])
    assert shared.events.count("draw") == 2


def test_a_run_that_needs_no_picture_unloads_nothing(tmp_path: Path) -> None:
    project = Project(tmp_path / "project", {"log.md": READ})
    shared = Shared(project.writer)
    project.run(shared.painter(), shared_gpu=shared.gpu)
    shared.events.clear()
    (project.folder / "output" / "the-log" / "captions.srt").unlink()
    assert project.run(shared.painter(), shared_gpu=shared.gpu) == {"the-log": None}
    assert shared.events == []


def test_a_stop_between_the_phases_unloads_nothing_more_and_the_next_run_goes_on(tmp_path: Path) -> None:
    project = Project(tmp_path / "project", topics(1))
    stop = threading.Event()
    shared = Shared(project.writer)
    halting = SharedGpu(stop.set, shared.gpu.free_of_illustrator)
    errors = project.run(shared.painter(), shared_gpu=halting, stop=stop)
    assert isinstance(errors["bells-0"], Interrupted)
    assert shared.events == []
    asked = len(project.writer.questions)
    assert project.run(shared.painter(), shared_gpu=shared.gpu) == {"bells-0": None}
    assert len(project.writer.questions) == asked


def test_the_plan_says_that_there_are_two_phases_and_how_long_drawing_takes(tmp_path: Path) -> None:
    project = Project(tmp_path / "project", {"log.md": READ})
    shared = Shared(project.writer)
    project.run(shared.painter(), shared_gpu=shared.gpu)
    (project.folder / "input" / "second.md").write_text(READ.replace("The log", "Second"))
    studio = project.studio(shared.painter(), shared_gpu=shared.gpu)
    plan = studio.plan(studio.survey())
    assert plan.in_two_phases
    assert 0 < plan.drawing_seconds < plan.seconds


def test_the_server_gives_its_memory_back_when_it_is_asked_to(fake: FakeA1111, server: StableDiffusion) -> None:
    assert server.unload() is True
    assert "POST /sdapi/v1/unload-checkpoint" in fake.calls
    fake.family = "SD.Next"
    assert server.unload() is False


def test_every_failure_of_the_server_is_an_error_of_the_pipeline(
    project: Project, fake: FakeA1111, server: StableDiffusion
) -> None:
    fake.script.extend([complains(500, "RuntimeError", "mat1 and mat2 must have the same dtype")] * 8)
    assert isinstance(project.run(server)["the-log"], EngineError)
