"""A voice's network, changed in memory so that it tells phoneme lengths and says the same thing every time.

Piper's voices (VITS) draw noise inside the network, for the rhythm and for the timbre, from a generator that moves
on with every call: the same sentence never gives the same bytes twice, least of all on several threads. Here each
such draw becomes a read from a fixed pool of normal numbers, from a place that the caller chooses. The noise has
the same distribution, so the speech sounds as it always did; it is only no longer a surprise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from piper.patch_voice_with_alignment import add_alignment_output

from pipeline.engines.piper.decoder import Decoder, part
from pipeline.engines.piper.network import NOISE_START

# A medium voice draws 192 numbers a frame of 256 samples, 16,500 a second of sound: the pool holds a minute of
# speech before it comes round. 4 MB.
POOL_SIZE = 1 << 20

_POOL = "noise_pool"
_RANDOM = frozenset(
    {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"}
)
# Range is in ONNX since 11, Mod with integers since 10.
_OLDEST_OPSET = 11


@dataclass(frozen=True, slots=True)
class VoiceGraph:
    model: bytes
    """The network, serialized, for an onnxruntime session."""
    tells_lengths: bool
    """Whether the second output holds the length of each phoneme, in frames."""
    repeatable: bool
    """Whether equal inputs give equal bytes."""
    takes_noise_start: bool
    decoder: Decoder | None = None
    """The part that was taken out of `model`, where that was asked for and can be done."""


def prepare(model: onnx.ModelProto, *, in_parts: bool = False) -> VoiceGraph:
    """Change a loaded `onnx.ModelProto` in place; a network of another shape than Piper's is left as it is.

    `in_parts` takes its second part out, to be run window by window.
    """
    try:
        add_alignment_output(model)
        tells_lengths = True
    except ValueError:  # no single Ceil node, or the voice's maker has exposed it already
        tells_lengths = len(model.graph.output) > 1
    replaced = _replace_noise(model)
    repeatable = not _has_random_nodes(model.graph)
    decoder = part(model) if in_parts else None
    return VoiceGraph(model.SerializeToString(), tells_lengths, repeatable, replaced > 0, decoder)


def _replace_noise(model: onnx.ModelProto) -> int:
    """Put a read from the pool in place of each RandomNormalLike; how many there were."""
    graph = model.graph
    drawing = [node for node in graph.node if node.op_type == "RandomNormalLike" and _is_float(node)]
    opset = max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)
    if not drawing or opset < _OLDEST_OPSET:
        return 0
    order = {node.output[0]: place for place, node in enumerate(drawing)}
    nodes = []
    for node in graph.node:
        if node.output and node.output[0] in order:
            place = order[node.output[0]]
            # Each draw reads its own stretch of the pool, so that rhythm and timbre are independent.
            nodes += _read_from_pool(graph, node, first=place * (POOL_SIZE // len(drawing)), prefix=f"noise_{place}")
        else:
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.append(numpy_helper.from_array(_pool(), _POOL))
    graph.input.append(helper.make_tensor_value_info(NOISE_START, TensorProto.INT64, []))
    return len(drawing)


def _read_from_pool(graph: onnx.GraphProto, node: onnx.NodeProto, *, first: int, prefix: str) -> list[onnx.NodeProto]:
    """pool[(start + first + 0, 1, 2, …) mod size], in the shape of the node's input, with its mean and scale."""

    def step(operation: str, inputs: list[str], output: str, **options: int) -> onnx.NodeProto:
        return helper.make_node(operation, inputs, [output], f"make_{output}", None, None, None, **options)

    def constant(name: str, value: float, kind: type[np.generic]) -> str:
        graph.initializer.append(numpy_helper.from_array(np.array(value, dtype=kind), f"{prefix}_{name}"))
        return f"{prefix}_{name}"

    shape, flat = f"{prefix}_shape", f"{prefix}_flat"
    made = [
        step("Shape", [node.input[0]], shape),
        step("ReduceProd", [shape], f"{prefix}_count", keepdims=0),
        step("Add", [NOISE_START, constant("first", first, np.int64)], f"{prefix}_from"),
        step("Add", [f"{prefix}_from", f"{prefix}_count"], f"{prefix}_to"),
        step("Range", [f"{prefix}_from", f"{prefix}_to", constant("one", 1, np.int64)], f"{prefix}_running"),
        step("Mod", [f"{prefix}_running", constant("size", POOL_SIZE, np.int64)], f"{prefix}_places"),
        step("Gather", [_POOL, f"{prefix}_places"], flat, axis=0),
    ]
    attributes = {attribute.name: attribute.f for attribute in node.attribute}
    for attribute, operation, neutral in (("scale", "Mul", 1.0), ("mean", "Add", 0.0)):
        value = attributes.get(attribute, neutral)
        if value != neutral:
            changed = f"{flat}_{attribute}"
            made.append(step(operation, [flat, constant(attribute, value, np.float32)], changed))
            flat = changed
    made.append(step("Reshape", [flat, shape], node.output[0]))
    return made


def _pool() -> np.ndarray[Any, np.dtype[np.float32]]:
    # RandomState and not Generator: its stream is frozen for ever (NEP 19), and what is in an artifact's key must
    # not sound different after an upgrade of numpy.
    return np.random.RandomState(20_240_607).standard_normal(POOL_SIZE).astype(np.float32)


def _is_float(node: onnx.NodeProto) -> bool:
    """Whether the draw is of 32-bit floats: said so, or left to the input, which is one in every Piper voice."""
    return all(attribute.i == TensorProto.FLOAT for attribute in node.attribute if attribute.name == "dtype")


def _has_random_nodes(graph: onnx.GraphProto) -> bool:
    for node in graph.node:
        if node.op_type in _RANDOM:
            return True
        for attribute in node.attribute:
            inner = [attribute.g] if attribute.HasField("g") else list(attribute.graphs)
            if any(_has_random_nodes(one) for one in inner):
                return True
    return False
