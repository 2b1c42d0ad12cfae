"""An illustrator behind the AUTOMATIC1111 routes: every server that speaks them, and every fault they are known for."""

from __future__ import annotations

import io
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pipeline.engines.retrying import RetryingIllustrator
from pipeline.engines.stable_diffusion import StableDiffusion, check_pixels, seed_of
from pipeline.errors import EngineError, EngineNonsense, EngineRefused, EngineUnavailable, Interrupted
from pipeline.net.retry import Policy
from pipeline.net.tls import Tls
from pipeline.ports import Illustrator, PictureRequest
from tests.fakes import a1111
from tests.fakes.a1111 import FakeA1111, serving

REQUEST = PictureRequest("a lighthouse", negative="text", width=96, height=64, seed=41)
AT_ONCE = Policy(attempts=3, first_wait_seconds=0.0, longest_wait_seconds=0.0, total_seconds=20.0)


def illustrator(url: str, **options: object) -> StableDiffusion:
    chosen: dict[str, object] = {"stop": threading.Event(), "read_seconds": 20, "connect_seconds": 5} | options
    return StableDiffusion(url, tls=Tls(), **chosen)  # type: ignore[arg-type]


def retrying(inner: Illustrator) -> RetryingIllustrator:
    return RetryingIllustrator(inner, policy=AT_ONCE, stop=threading.Event(), on_retry=lambda _: None)


def pixels(png: bytes) -> bytes:
    with Image.open(io.BytesIO(png), formats=["PNG"]) as picture:
        assert picture.mode == "RGB"
        return picture.tobytes()


def kinds_of_pieces(png: bytes) -> set[bytes]:
    found, place = set(), 8
    while place < len(png):
        found.add(png[place + 4 : place + 8])
        place += 12 + int.from_bytes(png[place : place + 4])
    return found


@pytest.fixture
def fake() -> FakeA1111:
    return FakeA1111()


@pytest.fixture
def url(fake: FakeA1111) -> Iterator[str]:
    with serving(fake) as address:
        yield address


# -- a picture ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", a1111.ROUTES)
def test_every_server_that_speaks_the_routes_is_named_and_draws(family: str) -> None:
    fake = FakeA1111(family)
    if family == "AUTOMATIC1111-compatible":
        fake.checkpoints = fake.checkpoints[:1]
    with serving(fake) as url:
        engine = illustrator(url)
        engine.check()
        picture = engine.draw(REQUEST)

        assert engine.describe().details["contract"] == family
    assert Image.open(io.BytesIO(picture.png)).size == (96, 64) == (picture.width, picture.height)
    assert (picture.seed, picture.attempts) == (41, 1)


class Leaves(FakeA1111):
    """Once, from its second route on, nobody is behind what stands before it."""

    is_away = True

    def answer(self, method: str, path: str, body: bytes) -> a1111.Reply:
        reply = super().answer(method, path, body)
        if self.is_away and path.endswith(("/version", "/memory", "/sd-modules", "/capabilities")):
            return a1111.Reply(502, b"<html>Bad gateway</html>")
        return reply


def test_a_server_that_goes_while_it_is_looked_at_is_not_taken_for_another_kind() -> None:
    fake = Leaves("Forge")
    with serving(fake) as url:
        engine = illustrator(url)
        with pytest.raises(EngineUnavailable):
            engine.describe()
        fake.is_away = False
        assert engine.describe().details["contract"] == "Forge"


def test_a_request_spells_out_all_that_changes_the_picture(fake: FakeA1111, url: str) -> None:
    illustrator(url, sampler="dpm++ 2m", scheduler="Karras", guidance=5.5).draw(REQUEST)

    assert fake.asked == [
        {
            "prompt": "a lighthouse",
            "negative_prompt": "text",
            "seed": 41,
            "width": 96,
            "height": 64,
            "steps": 25,
            "cfg_scale": 5.5,
            "sampler_name": "DPM++ 2M",
            "scheduler": "karras",
            "batch_size": 1,
            "n_iter": 1,
            "send_images": True,
            "save_images": False,
            "override_settings": {"sd_model_checkpoint": "dreamshaper_8.safetensors [6ce0161689]"},
        }
    ]


def test_a_request_s_own_steps_come_first(fake: FakeA1111, url: str) -> None:
    illustrator(url, steps=12).draw(PictureRequest("a", width=64, height=64, steps=3))

    assert fake.asked[0]["steps"] == 3


def test_the_same_request_gives_the_same_bytes(url: str) -> None:
    assert illustrator(url).draw(REQUEST).png == illustrator(url).draw(REQUEST).png


@pytest.mark.parametrize("act", [a1111.data_address, a1111.grid_first])
def test_harmless_habits_are_taken_as_they_are(fake: FakeA1111, url: str, act: a1111.Act) -> None:
    plain = illustrator(url).draw(REQUEST)
    fake.script.append(act)

    assert illustrator(url).draw(REQUEST).png == plain.png


def test_a_server_with_a_password_is_sent_it() -> None:
    fake = FakeA1111(user="ada", password="lovelace")
    with serving(fake) as url:
        illustrator(url, user="ada", password="lovelace").check()
        with pytest.raises(EngineRefused, match=r"401.*user, password") as refused:
            illustrator(url, user="ada", password="babbage").check()

    assert "babbage" not in str(refused.value)


def with_metadata(picture: Image.Image) -> bytes:
    file, told = io.BytesIO(), PngInfo()
    told.add_text("parameters", "a lighthouse, by somebody")
    picture.save(file, "PNG", pnginfo=told, transparency=(0, 0, 0), dpi=(72, 72), icc_profile=b"profile")
    return file.getvalue()


def opaque(picture: Image.Image) -> Image.Image:
    picture.putalpha(255)
    return picture


def animated(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG", save_all=True, append_images=[Image.new("RGB", picture.size, "red")])
    return file.getvalue()


@pytest.mark.parametrize(
    "make",
    [
        a1111.png,
        with_metadata,
        animated,
        lambda picture: a1111.png(opaque(picture)),
        lambda picture: a1111.png(picture)[:-12],  # without the piece that says that it is over
    ],
)
def test_what_is_kept_is_always_a_plain_picture_and_nothing_else(
    fake: FakeA1111, url: str, make: Callable[[Image.Image], bytes]
) -> None:
    fake.script.append(a1111.sends(lambda width, height: make(a1111.noise(41, width, height))))
    kept = illustrator(url).draw(REQUEST).png

    assert pixels(kept) == a1111.noise(41, 96, 64).tobytes()
    assert kinds_of_pieces(kept) == {b"IHDR", b"IDAT", b"IEND"}


@pytest.mark.parametrize("act", [a1111.half_a_character, a1111.nested_info])
def test_whatever_is_said_of_a_picture_it_can_be_written_down(fake: FakeA1111, url: str, act: a1111.Act) -> None:
    fake.script.append(act)
    picture = illustrator(url).draw(REQUEST)

    assert "".join(picture.details.values()).encode()
    assert fake.script == deque()


# -- what is no picture ------------------------------------------------------------------------------------------

UNUSABLE = {
    a1111.black: "black",
    a1111.nearly_black: "black",
    a1111.one_colour: "one colour all over",
    a1111.another_size: "192×64 pixels where 96×64",
    a1111.a_bomb: "60000×60000",
    a1111.a_hidden_bomb: "broken or cut off",
    a1111.two_sizes: "64×64 pixels where 96×64",
    a1111.cut_profile: "broken or cut off",
    a1111.transparent: "can be seen through",
    a1111.translucent: "can be seen through",
    a1111.grey_of_16_bits: "not in colour",
    a1111.nested: "no picture",
    a1111.cut_picture: "broken or cut off",
    a1111.flipped_picture: "broken or cut off",
    a1111.no_picture: "holds no picture",
    a1111.no_base64: "not base64",
    a1111.not_an_image: "no PNG",
    a1111.html: "It works!",
}


@pytest.mark.parametrize(("act", "why"), UNUSABLE.items())
def test_what_cannot_be_looked_at_is_asked_for_with_a_new_seed_at_most_twice(
    fake: FakeA1111, url: str, act: a1111.Act, why: str
) -> None:
    fake.script.extend([act] * 3)
    with pytest.raises(EngineNonsense, match=why):
        retrying(illustrator(url)).draw(REQUEST)

    assert [asked["seed"] for asked in fake.asked] == [41, seed_of(41, 2), seed_of(41, 3)]


def test_a_picture_by_another_seed_says_so(fake: FakeA1111, url: str) -> None:
    fake.script.extend([a1111.black, a1111.complains(500, "UnusablePicture", "the picture is not a number")])
    picture = illustrator(url).draw(REQUEST)

    assert (picture.seed, picture.attempts) == (seed_of(41, 3), 3)
    assert pixels(picture.png) == a1111.noise(seed_of(41, 3), 96, 64).tobytes()


def test_the_seeds_that_follow_are_the_same_every_time_and_different_from_each_other() -> None:
    seeds = [seed_of(seed, attempt) for seed in (0, 1, 2**32 - 1) for attempt in (1, 2, 3)]

    assert len(set(seeds)) == 9
    assert all(0 <= seed < 2**32 for seed in seeds)
    assert seeds == [seed_of(seed, attempt) for seed in (0, 1, 2**32 - 1) for attempt in (1, 2, 3)]


def test_a_picture_that_is_cut_or_flipped_anywhere_is_seen() -> None:
    whole = a1111.png(a1111.noise(3, 32, 32))
    for length in range(0, len(whole) - 12, 61):  # the last twelve bytes only say that it is over
        with pytest.raises(EngineError):
            check_pixels(whole[:length], 32, 32, where="here")
    for place in range(0, len(whole) - 12, 61):
        flipped = bytearray(whole)
        flipped[place] ^= 0xFF
        with pytest.raises(EngineError):
            check_pixels(bytes(flipped), 32, 32, where="here")


@pytest.mark.parametrize("side", [8, 64, 432])
def test_a_speck_on_black_is_no_picture_and_a_moon_is_one(side: int) -> None:
    night = Image.new("RGB", (768, 432))
    night.paste((255, 255, 255), (384, 216, 384 + side // 8 * 8, 216 + side // 8 * 8))
    if side > 8:
        check_pixels(a1111.png(night), 768, 432, where="here")
        return
    with pytest.raises(EngineNonsense, match="black"):
        check_pixels(a1111.png(night), 768, 432, where="here")


# -- a refusal ---------------------------------------------------------------------------------------------------

REFUSED = {
    a1111.out_of_memory: "not enough memory to draw 96×64 pixels.*GPU_SHARED",
    a1111.sampler_not_found: "400",
    a1111.jpeg: "sends pictures as JPEG.*png",
    a1111.another_checkpoint: "checkpoint somethingElse where dreamshaper_8",
    a1111.another_seed: "seed 42 where 41",
    a1111.complains(422, "x"): "422",
    a1111.complains(404, "x"): "no /sdapi/v1/txt2img.*--api",
}


@pytest.mark.parametrize(("act", "why"), REFUSED.items())
def test_what_will_be_refused_again_is_asked_once(fake: FakeA1111, url: str, act: a1111.Act, why: str) -> None:
    fake.script.append(act)
    with pytest.raises(EngineRefused, match=f"(?s){why}"):
        retrying(illustrator(url)).draw(REQUEST)

    assert len(fake.asked) == 1


@pytest.mark.parametrize(("width", "height"), [(100, 64), (64, 1081)])
def test_a_size_that_no_model_draws_is_not_asked_for(fake: FakeA1111, url: str, width: int, height: int) -> None:
    with pytest.raises(EngineRefused, match="multiples of 8"):
        illustrator(url).draw(PictureRequest("a", width=width, height=height))

    assert fake.calls == []


@pytest.mark.parametrize("name", ["steps", "cfg_scale"])
@pytest.mark.parametrize("value", ["four", [], {}, -1, 1e9, True, float("nan"), float("inf")])
def test_a_recommendation_that_no_picture_is_drawn_with_is_named(
    fake: FakeA1111, url: str, name: str, value: object
) -> None:
    fake.recommends = {name: value}
    with pytest.raises(EngineNonsense, match=f"as {name}, which is none"):
        illustrator(url, sampler="Euler").draw(REQUEST)

    assert fake.asked == []


def test_what_our_own_server_recommends_is_taken(fake: FakeA1111, url: str) -> None:
    fake.recommends = {"steps": 4, "cfg_scale": 0.0}
    illustrator(url, sampler="Euler").draw(REQUEST)
    assert [(wanted["steps"], wanted["cfg_scale"]) for wanted in fake.asked] == [(4, 0.0)]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"checkpoint": "dreamshaper_9"}, r"no checkpoint 'dreamshaper_9'.*Did you mean dreamshaper_8\?.*sub_other"),
        ({"sampler": "Eule"}, r"no sampler 'Eule'.*Did you mean Euler\?"),
        ({"scheduler": "carras"}, r"no scheduler 'carras'.*Did you mean karras\?"),
    ],
)
def test_a_name_that_is_not_there_is_refused_with_the_nearest(
    fake: FakeA1111, url: str, options: dict[str, object], why: str
) -> None:
    with pytest.raises(EngineRefused, match=why):
        illustrator(url, **options).draw(REQUEST)

    assert fake.asked == []


@pytest.mark.parametrize("models", [{"detail": "?"}, "models", [1, 2]])
def test_another_program_s_list_of_models_is_taken_for_none(fake: FakeA1111, url: str, models: object) -> None:
    fake.sd_models = models
    with pytest.raises(EngineRefused, match="Is this a Stable Diffusion server"):
        illustrator(url).describe()


def test_a_server_without_a_checkpoint_says_so(fake: FakeA1111, url: str) -> None:
    fake.sd_models = []
    with pytest.raises(EngineRefused, match="no checkpoint"):
        illustrator(url).check()


def test_a_server_that_does_not_say_what_it_draws_with_must_be_told() -> None:
    with serving(FakeA1111("AUTOMATIC1111-compatible")) as url, pytest.raises(EngineRefused, match="does not say"):
        illustrator(url).describe()


# -- who it is ---------------------------------------------------------------------------------------------------


def test_what_changes_the_picture_changes_the_digest_and_nothing_else_does(fake: FakeA1111, url: str) -> None:
    plain = illustrator(url).describe()
    others = [
        illustrator(url, **{name: value}).describe().digest
        for name, value in {
            "steps": 9, "guidance": 3.0, "sampler": "Euler a", "scheduler": "karras",
        }.items()
    ]  # fmt: skip

    assert len({plain.digest, *others}) == 5
    assert illustrator(url, read_seconds=7, checkpoint="dreamshaper_8").describe().digest == plain.digest
    assert plain.name == "dreamshaper_8"
    assert plain.size_step == 8


def test_the_title_that_a_server_changes_when_it_knows_a_hash_is_the_same_checkpoint(fake: FakeA1111, url: str) -> None:
    fake.hashes_known = False
    engine = illustrator(url, checkpoint="dreamshaper_8.safetensors")
    engine.draw(REQUEST)
    fake.hashes_known = True

    assert illustrator(url, checkpoint="dreamshaper_8.safetensors").draw(REQUEST).seed == 41


def test_a_checkpoint_changed_by_somebody_is_noticed_by_the_next_description(fake: FakeA1111, url: str) -> None:
    engine = illustrator(url, known_holds_seconds=0)
    before = engine.describe().name
    fake.checkpoint = "sub_other"

    assert (before, engine.describe().name) == ("dreamshaper_8", "sub_other")


# -- waiting, and what is left running ---------------------------------------------------------------------------

PASSING = [
    a1111.crashed,
    a1111.busy,
    a1111.interrupted_by_another,
    a1111.breaks_off,
    a1111.hangs_up,
]


@pytest.mark.parametrize("act", PASSING)
def test_what_passes_is_asked_again_with_the_same_seed(fake: FakeA1111, url: str, act: a1111.Act) -> None:
    fake.script.append(act)
    picture = retrying(illustrator(url)).draw(REQUEST)

    assert (picture.seed, picture.attempts) == (41, 1)
    assert {asked["seed"] for asked in fake.asked} == {41}


def test_a_picture_that_takes_too_long_is_interrupted_and_waited_for_before_the_next(fake: FakeA1111, url: str) -> None:
    fake.script.append(a1111.hangs)
    picture = retrying(illustrator(url, read_seconds=0.4)).draw(REQUEST)

    assert picture.seed == 41
    assert fake.most_at_once == 1
    first, second = (at for at, call in enumerate(fake.calls) if call == "POST /sdapi/v1/txt2img")
    between = fake.calls[first:second]
    assert between.index("POST /sdapi/v1/interrupt") < len(between) - between[::-1].index("GET /sdapi/v1/progress")


def test_a_server_that_hangs_at_100_percent_is_named_and_not_asked_for_more(fake: FakeA1111, url: str) -> None:
    fake.script.append(a1111.hangs_for_good)
    engine = illustrator(url, read_seconds=0.4, settle_seconds=0.0)
    with pytest.raises(EngineUnavailable, match=r"silent for 0\.4 s"):
        engine.draw(REQUEST)
    with pytest.raises(EngineUnavailable, match=r"still draws an earlier picture.*restart it"):
        engine.draw(REQUEST)

    assert len(fake.asked) == 1


def test_where_there_is_no_progress_to_ask_for_the_next_is_asked_at_once() -> None:
    fake = FakeA1111("stable-diffusion.cpp")
    fake.script.append(a1111.hangs_up)
    fake.script.append(a1111.hangs_up)
    with serving(fake) as url:
        assert retrying(illustrator(url)).draw(REQUEST).seed == 41


def test_only_one_picture_is_asked_for_at_a_time(fake: FakeA1111, url: str) -> None:
    engine = illustrator(url)
    requests = [PictureRequest("a", width=64, height=64, seed=seed) for seed in range(8)]
    with ThreadPoolExecutor(8) as threads:
        pictures = list(threads.map(engine.draw, requests))

    assert fake.most_at_once == 1
    assert [picture.seed for picture in pictures] == list(range(8))


def test_a_run_that_stops_interrupts_the_picture_and_those_that_wait(fake: FakeA1111, url: str) -> None:
    stop = threading.Event()
    engine = illustrator(url, stop=stop)
    fake.script.append(a1111.hangs)
    with ThreadPoolExecutor(3) as threads:
        drawing = [threads.submit(engine.draw, REQUEST) for _ in range(3)]
        assert fake.begun.wait(10)
        stop.set()
        errors = [each.exception(timeout=20) for each in drawing]

    assert [type(error) for error in errors] == [Interrupted] * 3
    assert len(fake.asked) == 1
    assert "POST /sdapi/v1/interrupt" in fake.calls


def test_nobody_there_says_where_and_what_to_do() -> None:
    with serving(FakeA1111()) as url:
        pass
    with pytest.raises(EngineUnavailable, match=r"Stable Diffusion at http.*connection refused.*SD_BASE_URL"):
        illustrator(url).check()


def test_the_checkpoint_is_unloaded_where_that_can_be_asked(fake: FakeA1111, url: str) -> None:
    assert illustrator(url).unload()
    with serving(FakeA1111("SD.Next")) as other:
        assert not illustrator(other).unload()
