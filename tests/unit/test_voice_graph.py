"""A voice's network draws its noise from where it is told to, and the noise is what it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from pipeline.engines.piper.graph import POOL_SIZE, VoiceGraph, prepare
from pipeline.engines.piper.network import NOISE_START


def network(*nodes: onnx.NodeProto, outputs: tuple[str, ...], opset: int = 15) -> onnx.ModelProto:
    """A network from `x`, floats in rows and columns, to some outputs."""
    graph = helper.make_graph(
        list(nodes),
        "test",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", "columns"])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def drawing(output: str, **attributes: float) -> onnx.NodeProto:
    return helper.make_node("RandomNormalLike", ["x"], [output], None, None, None, None, **attributes)


def run(graph: VoiceGraph, shape: tuple[int, int], start: int) -> list[Any]:
    session = onnxruntime.InferenceSession(graph.model, providers=["CPUExecutionProvider"])
    inputs = {"x": np.zeros(shape, dtype=np.float32), NOISE_START: np.array(start, dtype=np.int64)}
    return list(session.run(None, inputs))


def test_equal_starts_give_equal_noise_and_other_starts_other_noise() -> None:
    graph = prepare(network(drawing("y"), outputs=("y",)))

    (one,), (same,), (other,) = (run(graph, (3, 50), start) for start in (5, 5, 6))

    assert graph.repeatable
    assert one.shape == (3, 50)
    assert np.array_equal(one, same)
    assert np.array_equal(one.ravel()[1:], other.ravel()[:-1])


def test_the_noise_is_normal() -> None:
    (noise,) = run(prepare(network(drawing("y"), outputs=("y",))), (200, 1000), 123)

    assert np.mean(noise) == pytest.approx(0, abs=0.01)
    assert np.std(noise) == pytest.approx(1, abs=0.01)
    # Of a normal distribution 4.55 % lie beyond two deviations.
    assert np.mean(np.abs(noise) > 2) == pytest.approx(0.0455, abs=0.003)


def test_mean_and_scale_are_kept() -> None:
    plain, moved = run(
        prepare(network(drawing("y"), drawing("z", mean=3.0, scale=0.5), outputs=("y", "z"))), (100, 100), 0
    )

    assert (np.mean(moved), np.std(moved)) == pytest.approx((3.0, 0.5), abs=0.02)
    assert np.mean(plain) == pytest.approx(0.0, abs=0.05)


def test_two_draws_of_one_network_are_independent() -> None:
    one, other = run(prepare(network(drawing("y"), drawing("z"), outputs=("y", "z"))), (100, 100), 0)

    assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.05


@pytest.mark.parametrize("start", [POOL_SIZE - 1, POOL_SIZE, 2**32 - 1])
def test_the_pool_goes_round(start: int) -> None:
    graph = prepare(network(drawing("y"), outputs=("y",)))

    (noise,), (from_its_beginning,) = run(graph, (2, 10), start), run(graph, (2, 10), start % POOL_SIZE)

    assert np.array_equal(noise, from_its_beginning)


def test_a_network_without_noise_is_repeatable_as_it_is() -> None:
    graph = prepare(network(helper.make_node("Relu", ["x"], ["y"]), outputs=("y",)))

    assert (graph.repeatable, graph.takes_noise_start, graph.tells_lengths) == (True, False, False)


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(network(helper.make_node("RandomUniformLike", ["x"], ["y"]), outputs=("y",)), id="another draw"),
        pytest.param(network(drawing("y"), outputs=("y",), opset=9), id="an operator set without Range"),
    ],
)
def test_a_network_that_cannot_be_changed_says_that_it_is_not_repeatable(model: onnx.ModelProto) -> None:
    graph = prepare(model)

    assert (graph.repeatable, graph.takes_noise_start) == (False, False)


def test_phoneme_lengths_become_the_second_output() -> None:
    graph = prepare(
        network(helper.make_node("Ceil", ["x"], ["w"]), helper.make_node("Relu", ["w"], ["y"]), outputs=("y",))
    )
    session = onnxruntime.InferenceSession(graph.model, providers=["CPUExecutionProvider"])

    _, lengths = session.run(None, {"x": np.array([[0.2, 1.5]], dtype=np.float32)})

    assert graph.tells_lengths
    assert np.array_equal(lengths, [[1.0, 2.0]])
