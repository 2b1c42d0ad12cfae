"""Who draws by the settings, in which sizes, and which films are made of it."""

from __future__ import annotations

import shutil
from pathlib import Path
from threading import Event

import pytest
from structlog.testing import capture_logs

from pipeline import telemetry, wiring
from pipeline.engines.choice import Choice
from pipeline.errors import SettingsError
from pipeline.net.tls import Tls
from pipeline.ports import Illustrator, PictureRequest, Writer
from pipeline.settings import Settings, load
from tests.fakes.a1111 import FakeA1111, serving
from tests.fakes.illustrator import FakeIllustrator
from tests.fakes.writer import FakeWriter

ROOT = Path(__file__).parents[2]
WIDE, TALL = (1280, 720), (1080, 1920)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "config", tmp_path / "config")
    (tmp_path / "input").mkdir()
    return tmp_path


def settings(project: Path, **environ: str) -> Settings:
    return load(project, environ).settings


def chosen(project: Path, **environ: str) -> Choice[Illustrator]:
    given = settings(project, **environ)
    return wiring.choose_illustrator(project, given, Tls(), wiring.read_look(project, given), Event())


def test_cards_are_set_where_nobody_asks_for_stable_diffusion(project: Path) -> None:
    choice = chosen(project)
    assert (choice.name, choice.why) == ("cards", "Stable Diffusion is off")


def test_a_server_that_is_away_is_named_and_cards_are_set(project: Path) -> None:
    choice = chosen(project, SD_ENABLED="true", SD_BASE_URL="http://127.0.0.1:9")
    assert choice.name == "cards"
    assert "http://127.0.0.1:9" in choice.why


def test_a_server_that_answers_is_taken_with_what_it_is_told(project: Path) -> None:
    fake = FakeA1111(user="me", password="hush")  # of a server that lives as long as this test
    with serving(fake) as url:
        given = {"SD_ENABLED": "true", "SD_BASE_URL": url, "SD_AUTH": "me:hush", "SD_CHECKPOINT": "sub_other"}
        choice = chosen(project, **given, SD_STEPS="3")
        assert (choice.name, choice.engine.describe().name) == ("stable-diffusion", "sub_other")
        choice.engine.draw(PictureRequest("a lighthouse", width=96, height=64))
    assert fake.asked[0]["steps"] == 3
    assert "hush" not in repr(choice.engine.describe())


@pytest.mark.parametrize(
    ("video", "shapes", "films"),
    [
        ("off", [WIDE], []),
        ("wide", [WIDE], [WIDE]),
        ("tall", [TALL], [TALL]),
        ("both", [WIDE, TALL], [WIDE, TALL]),
    ],
)
def test_cards_have_the_size_of_the_films(
    project: Path, video: str, shapes: list[tuple[int, int]], films: list[tuple[int, int]]
) -> None:
    given = settings(project, VIDEO=video)
    easel = wiring.easel_of(project, given, chosen(project), wiring.read_look(project, given))
    assert [(shape.width, shape.height) for shape in easel.shapes] == shapes
    assert [(film.width, film.height) for film in wiring.films_of(given)] == films


def test_a_model_is_asked_for_sizes_that_it_can_draw_and_the_cover_is_type_all_the_same(project: Path) -> None:
    given = settings(project, VIDEO="both", SD_WIDTH="512", SD_HEIGHT="320")
    painter: Choice[Illustrator] = Choice(FakeIllustratorOfPrompts(), "stable-diffusion", "it answers")
    easel = wiring.easel_of(project, given, painter, wiring.read_look(project, given))
    assert [(shape.width, shape.height) for shape in easel.shapes] == [(512, 320), (320, 512)]
    assert easel.segments is painter.engine
    assert easel.covers.describe().engine == "cards"


class FakeIllustratorOfPrompts(FakeIllustrator):
    def __init__(self) -> None:
        super().__init__(reads_prompts=True)


def test_captions_that_are_burned_in_have_a_font_with_greek_and_cyrillic(project: Path) -> None:
    from pipeline.media.cards.coverage import characters_of

    (film,) = wiring.films_of(settings(project, BURN_CAPTIONS="true", VIDEO_MOTION="false"))
    assert (film.burn, film.motion) == (True, False)
    assert film.font is not None
    assert set(map(ord, "ãçÅŁαЖ")) <= set(characters_of(film.font.data, where="font"))


def test_a_fault_in_the_look_is_told_with_its_line(project: Path) -> None:
    (project / "config" / "pictures.toml").write_text('[cards]\nscheme = "nigt"\n')
    with pytest.raises(SettingsError, match=r"config/pictures\.toml:2"):
        chosen(project)
    (project / "config" / "pictures.toml").write_text('[cards]\nfonts = ["fonts/none.ttf"]\n')
    with pytest.raises(SettingsError, match=r"none\.ttf"):
        chosen(project)
    (project / "config" / "pictures.toml").unlink()
    assert chosen(project).name == "cards"


@pytest.mark.parametrize(
    ("writer", "illustrator", "shared", "expected"),
    [
        ("ollama", "stable-diffusion", "true", True),
        ("ollama", "stable-diffusion", "false", False),
        ("ollama", "cards", "true", False),
        ("embedded", "stable-diffusion", "true", False),
    ],
)
def test_a_gpu_is_shared_only_where_two_models_want_it(
    project: Path, writer: str, illustrator: str, shared: str, *, expected: bool
) -> None:
    writes: Choice[Writer] = Choice(FakeWriter([]), writer, "")
    draws: Choice[Illustrator] = Choice(FakeIllustrator(), illustrator, "")
    gpu = wiring.shared_gpu(settings(project, GPU_SHARED=shared), writes, draws)
    assert (gpu is not None) is expected


def test_a_model_that_cannot_be_unloaded_is_logged_and_the_run_goes_on(project: Path) -> None:
    with serving(FakeA1111()) as url:
        drawn = chosen(project, SD_ENABLED="true", SD_BASE_URL=url, RETRY_TOTAL_SECONDS="1")
    writes: Choice[Writer] = Choice(FakeWriter([]), "ollama", "")
    gpu = wiring.shared_gpu(settings(project, GPU_SHARED="true"), writes, drawn)
    assert gpu is not None
    telemetry.configure(form="json", level="info")  # other tests of this process may have silenced it
    with capture_logs() as said:
        gpu.free_of_illustrator()  # the server has gone
        gpu.free_of_writer()  # has no way to
    told = [(one["event"], one.get("role")) for one in said if one["event"].startswith("model_")]
    assert told == [("model_not_unloaded", "illustrator"), ("model_cannot_be_unloaded", "writer")]
