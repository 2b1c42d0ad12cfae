"""A network in two parts says what it said in one, window by window, and one that cannot be parted is left alone."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from pipeline.engines.piper.decoder import part
from pipeline.engines.piper.phonemes import LONGEST_RUN, runs
from pipeline.engines.piper.windows import EARLY, WHOLE, Windows, windows

CHANNELS, WIDE, STRIDE, FINER = 4, 6, 8, 4
SAMPLES = STRIDE * FINER
# Of 16 bits.
A_TENTH_OF_A_STEP = 0.1 / 32767
RANDOM = np.random.default_rng(5)


def weight(name: str, *shape: int) -> onnx.TensorProto:
    return numpy_helper.from_array(RANDOM.normal(size=shape).astype(np.float32) / 4, name)


def vocoder(
    *, speaker: bool = False, stride: int = STRIDE, after: str = "Tanh", third: tuple[int, ...] = (), opset: int = 15
) -> onnx.ModelProto:
    """What Piper's networks are like: something makes frames and lengths, `/dec` makes samples of the frames."""

    def node(kind: str, inputs: list[str], output: str, name: str, **options: list[int]) -> onnx.NodeProto:
        return helper.make_node(kind, inputs, [output], name, None, None, None, **options)

    nodes = [
        node("Relu", ["x"], "frames", "/flow/Relu"),
        node("Ceil", ["x"], "lengths", "/dp/Ceil"),
        *([node("Conv", ["who", "cond.w"], "wanted", "/dec/cond/Conv")] if speaker else []),
        node("Conv", ["frames", "pre.w"], "pre", "/dec/conv_pre/Conv", pads=[3, 3]),
        *([node("Add", ["pre", "wanted"], "hers", "/dec/Add")] if speaker else []),
        node(
            "ConvTranspose", ["hers" if speaker else "pre", "up.w"], "up", "/dec/ups.0/ConvTranspose",
            strides=[stride], pads=[4, 4],
        ),
        node("LeakyRelu", ["up"], "soft", "/dec/LeakyRelu"),
        node("Conv", ["soft", "res.w"], "res", "/dec/resblocks.0/Conv", pads=[12, 12], dilations=[6]),
        node("Add", ["soft", "res"], "sum", "/dec/Add_1"),
        node("Mul", ["sum", "third"], "less", "/dec/Mul"),
        node("ConvTranspose", ["less", "finer.w"], "finer", "/dec/ups.1/ConvTranspose", strides=[FINER], pads=[2, 2]),
        node("Conv", ["finer", "fine.w"], "fine", "/dec/resblocks.1/Conv", pads=[2, 2]),
        node("Add", ["fine", "finer"], "both", "/dec/Add_2"),
        node("Conv", ["both", "post.w"], "one", "/dec/conv_post/Conv", pads=[3, 3]),
        node(after, ["one"], "wave", f"/dec/{after}"),
    ]  # fmt: skip
    shapes: dict[str, list[int | str | None]] = {"x": [1, CHANNELS, "frames_in"]}
    if speaker:
        shapes["who"] = [1, 3, 1]
    graph = helper.make_graph(
        nodes,
        "voice",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("wave", "lengths")],
        [
            weight("cond.w", WIDE, 3, 1),
            weight("pre.w", WIDE, CHANNELS, 7),
            weight("up.w", WIDE, WIDE, 16),
            weight("res.w", WIDE, WIDE, 5),
            weight("third", *third),
            weight("finer.w", WIDE, WIDE, 2 * FINER),
            weight("fine.w", WIDE, WIDE, 5),
            weight("post.w", 1, WIDE, 7),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def session(model: bytes) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize("speaker", [True, False])
@pytest.mark.parametrize("frames", [1, 23, 24, 60, 191, 700])
def test_the_windows_together_are_the_sound_of_one_run(frames: int, speaker: bool, early: bool) -> None:
    model = vocoder(speaker=speaker)
    given = {"x": RANDOM.normal(size=(1, CHANNELS, frames)).astype(np.float32)}
    if speaker:
        given["who"] = RANDOM.normal(size=(1, 3, 1)).astype(np.float32)
    whole, lengths = session(model.SerializeToString()).run(None, given)

    decoder = part(model)
    assert decoder is not None
    first = session(model.SerializeToString())
    found = dict(zip([output.name for output in first.get_outputs()], first.run(None, given), strict=True))
    waves = list(Windows(decoder, session(decoder.model)).waves(found, early=early))

    assert decoder.samples == SAMPLES
    assert np.array_equal(found["lengths"], lengths)
    assert np.concatenate(waves) == pytest.approx(whole.reshape(-1), abs=A_TENTH_OF_A_STEP)
    assert len(waves[0]) == SAMPLES * next(windows(frames, EARLY if early else ()))[1]


@pytest.mark.parametrize("third", [(), (1, WIDE, 1)])
def test_a_factor_is_the_same_for_a_row_and_for_a_picture(third: tuple[int, ...]) -> None:
    model = vocoder(third=third)
    frames = RANDOM.normal(size=(1, CHANNELS, 250)).astype(np.float32)
    whole = session(model.SerializeToString()).run(["wave"], {"x": frames})[0]

    decoder = part(model)
    assert decoder is not None
    found = {"frames": np.maximum(frames, 0)}
    waves = Windows(decoder, session(decoder.model)).waves(found, early=True)

    assert np.concatenate(list(waves)) == pytest.approx(whole.reshape(-1), abs=A_TENTH_OF_A_STEP)


def test_less_is_looked_at_the_more_places_there_are() -> None:
    decoder = part(vocoder())
    assert decoder is not None

    assert [cut.places for cut in decoder.cuts] == [1, STRIDE]
    assert decoder.reach > decoder.cuts[0].looks > decoder.cuts[1].looks


def test_a_network_that_goes_round_a_widening_is_not_cut_there() -> None:
    """What goes round would no longer fit what comes through."""
    model = vocoder()
    around = helper.make_node(
        "ConvTranspose", ["soft", "finer.w"], ["around"], "/dec/round/ConvTranspose", strides=[FINER], pads=[2, 2]
    )
    place = next(place for place, node in enumerate(model.graph.node) if node.output[0] == "fine")
    model.graph.node.insert(place, around)
    model.graph.node[place + 2].input[1] = "around"
    frames = RANDOM.normal(size=(1, CHANNELS, 250)).astype(np.float32)
    whole = session(model.SerializeToString()).run(["wave"], {"x": frames})[0]

    decoder = part(model)
    assert decoder is not None
    waves = Windows(decoder, session(decoder.model)).waves({"frames": np.maximum(frames, 0)}, early=True)

    assert [cut.places for cut in decoder.cuts] == [1]
    assert np.concatenate(list(waves)) == pytest.approx(whole.reshape(-1), abs=A_TENTH_OF_A_STEP)


def test_each_weight_is_in_one_part_alone() -> None:
    model = vocoder()
    before = {weight.name for weight in model.graph.initializer}
    decoder = part(model)
    assert decoder is not None
    first = {weight.name for weight in model.graph.initializer}
    second = {weight.name for weight in onnx.load_from_string(decoder.model).graph.initializer}

    assert first == {"cond.w"}
    assert before - first <= second


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(vocoder(after="Softmax"), id="an operator that looks at every place"),
        pytest.param(vocoder(stride=4), id="frames that do not become a whole number of samples"),
        pytest.param(vocoder(third=(WIDE, 1)), id="a factor that lies otherwise on a picture than on a row"),
        pytest.param(vocoder(opset=9), id="an edition of ONNX where cuts are fixed"),
    ],
)
def test_a_network_that_cannot_be_parted_is_left_as_it_is(model: onnx.ModelProto) -> None:
    before = model.SerializeToString()

    assert part(model) is None
    assert model.SerializeToString() == before


def test_a_network_with_other_names_is_left_as_it_is() -> None:
    model = vocoder()
    for node in model.graph.node:
        node.name = node.name.replace("/dec/", "/generator/")

    assert part(model) is None


@given(st.integers(0, 5000), st.lists(st.integers(1, 300), max_size=4))
def test_windows_follow_each_other_and_none_is_too_long(frames: int, sizes: list[int]) -> None:
    found = list(windows(frames, sizes))
    longest = [size + size // 4 for size in [*sizes, *[WHOLE] * len(found)]]

    assert [0, *(end for _, end in found)] == [*(start for start, _ in found), frames]
    assert all(0 < end - start <= most for (start, end), most in zip(found, longest, strict=False))


@given(st.lists(st.sampled_from([*"abcdefg ", "ˈ"]), min_size=1, max_size=4 * LONGEST_RUN))
def test_runs_are_the_chunk_in_parts_that_can_be_spoken_in_one_go(chunk: list[str]) -> None:
    found = list(runs(chunk))

    assert [symbol for run in found for symbol in run] == chunk
    assert all(0 < len(run) <= LONGEST_RUN for run in found)
    assert len(found) <= 1 + len(chunk) // (LONGEST_RUN // 2)


def test_runs_are_cut_between_words() -> None:
    found = list(runs(list("word " * 300)))

    assert len(found) > 1
    assert all(one[-1] == " " and other[0] == "w" for one, other in pairwise(found))
