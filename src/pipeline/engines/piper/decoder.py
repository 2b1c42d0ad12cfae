"""The second part of a voice's network, that turns frames into samples, taken out to be run a window at a time.

Two things are changed in it, and no sample by more than the last digit of a float, a hundredth of a step of 16 bits:

- It is laid flat: what was a row becomes a picture one pixel high, because onnxruntime has its fast convolutions (in
  blocks of channels, without a copy of the input for each tap) for pictures alone. An eighth less time.
- Before each of its steps from few places to many, what the samples of the window do not look at any more is cut away:
  most of what a window looks at beside itself it looks at where places are few and cheap.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import onnx

_FIRST = "/dec/conv_pre/"
_SPEAKER = "/dec/cond/"
# Operators that take each place by itself.
_PLACE_BY_PLACE = frozenset({"Add", "Sub", "Mul", "Div", "LeakyRelu", "Tanh", "Constant", "Cast"})
_OF_ONE_AXIS = frozenset({"kernel_shape", "strides", "dilations"})
# A row's axes: batch, channels, width. A picture's: batch, channels, height, width.
_ROW, _HEIGHT, _WIDTH = 3, 2, 3
# Reshape's own signs: as it is, as it is, one, the rest.
_NUMBERS = {"as_picture": [0, 0, 1, -1], "along_width": [_WIDTH]}
# Slice takes where it cuts as inputs since 10.
_OLDEST_OPSET = 10


@dataclass(frozen=True, slots=True)
class Cut:
    """A place in the network where a window's sides are cut."""

    start: str
    """The input that says where what is kept begins, counted in places."""
    end: str
    """The input that says where it ends."""
    looks: int
    """How many frames to either side the samples still look at from here on."""
    places: int
    """Places a frame."""

    @property
    def inputs(self) -> tuple[str, str]:
        return self.start, self.end


@dataclass(frozen=True, slots=True)
class Decoder:
    """The second part, before it is loaded."""

    model: bytes
    """Serialized, for an onnxruntime session."""
    frames: str
    """Its input, and the first part's first output: one row of frames."""
    speaker: tuple[str, ...]
    """What else it takes from the first part: the same for every frame."""
    cuts: tuple[Cut, ...]
    """In the order in which a window comes to them."""
    reach: int
    """How many frames to either side have a part in a sample."""
    samples: int
    """Samples a frame."""


def part(model: onnx.ModelProto) -> Decoder | None:
    """Take the second part out of a loaded network, in place: its first output becomes the frames.

    None, and nothing changed, for a network that is not made like Piper's.
    """
    from onnx import TensorProto, helper

    graph = model.graph
    opset = max((entry.version for entry in model.opset_import if entry.domain in {"", "ai.onnx"}), default=0)
    first = next((node for node in graph.node if node.op_type == "Conv" and node.name.startswith(_FIRST)), None)
    if first is None or opset < _OLDEST_OPSET:
        return None
    after = _after(graph.node, first)
    made = {name for node in after for name in node.output}
    if graph.output[0].name not in made or any(output.name in made for output in graph.output[1:]):
        return None
    weights = {weight.name: weight for weight in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    outside = sorted({name for node in after for name in node.input if name and name not in made | weights.keys()})
    constants = [makers[name] for name in outside if name in makers and makers[name].op_type == "Constant"]
    frames = first.input[0]
    speaker = tuple(name for name in outside if name != frames and makers.get(name) not in constants)
    if any(name not in makers or not makers[name].name.startswith(_SPEAKER) for name in speaker):
        return None
    taken = {name for node in after for name in node.input if name in weights}
    # Numbers, one for each channel, and what has all of a row's three axes: the rest has no certain place in a picture.
    if any(len(weights[name].dims) not in {0, 1, _ROW} for name in taken):
        return None
    looks = _looks(after, frames, {name: tuple(weight.dims) for name, weight in weights.items()}, graph.output[0].name)
    if looks is None:
        return None
    flat, cuts = _flat(after, (frames, *speaker), looks)
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in (frames, *speaker)]
    inputs += [helper.make_tensor_value_info(name, TensorProto.INT64, [1]) for cut in cuts for name in cut.inputs]
    numbers = [helper.make_tensor(name, TensorProto.INT64, [len(held)], held) for name, held in _NUMBERS.items()]
    second = helper.make_model(
        helper.make_graph(
            [*constants, *flat],
            "decoder",
            inputs,
            [helper.make_tensor_value_info(graph.output[0].name, TensorProto.FLOAT, None)],
            [*(weights[name] for name in sorted(taken)), *numbers],
        ),
        opset_imports=model.opset_import,
        ir_version=model.ir_version,
    )
    for weight in second.graph.initializer:
        if len(weight.dims) == _ROW:
            weight.dims.insert(_HEIGHT, 1)
    serialized = second.SerializeToString()
    _leave_out(graph, after, taken)
    outputs = [inputs[0], *graph.output[1:], *inputs[1 : 1 + len(speaker)]]
    kept = [type(output).FromString(output.SerializeToString()) for output in outputs]
    del graph.output[:]
    graph.output.extend(kept)
    return Decoder(serialized, frames, speaker, tuple(cuts), _frames(looks.reach), looks.samples)


@dataclass(frozen=True, slots=True)
class _Looks:
    """How far the nodes of the second part look, in frames."""

    reach: float
    samples: int
    """Samples a frame."""
    before: Mapping[str, tuple[int, float]]
    """Of each node that makes many places of few, by its output: the places a frame that it is given, and how far
    was looked until there."""


def _after(nodes: Iterable[onnx.NodeProto], first: onnx.NodeProto) -> list[onnx.NodeProto]:
    """A node and everything that takes, however indirectly, what it gives; a network's nodes are in such an order."""
    known = set(first.output)
    after = [first]
    for node in nodes:
        if node.name != first.name and known.intersection(node.input):
            after.append(node)
            known.update(node.output)
    return after


def _looks(
    nodes: Sequence[onnx.NodeProto], frames: str, shapes: Mapping[str, tuple[int, ...]], sound: str
) -> _Looks | None:
    """How many frames to either side have a part in a sample, and how many samples a frame gives; None where that
    cannot be told."""
    seen: dict[str, tuple[int, float]] = {frames: (1, 0.0)}
    widened = {}
    rate, reach = 1, 0.0
    for node in nodes:
        before = [seen[name] for name in node.input if name in seen]
        if len({rate for rate, _ in before}) != 1:
            return None
        rate, reach = before[0][0], max(reach for _, reach in before)
        if node.op_type in {"Conv", "ConvTranspose"}:
            kernel = shapes.get(node.input[1], (0, 0, 0))[-1]
            stride, spread = _number(node, "strides"), _number(node, "dilations")
            pads = next((list(each.ints) for each in node.attribute if each.name == "pads"), [0])
            padding = sum(pads)
            if node.op_type == "Conv" and (stride, padding) == (1, (kernel - 1) * spread):
                reach += max(pads) / rate
            elif node.op_type == "ConvTranspose" and (spread, padding) == (1, kernel - stride):
                widened[node.output[0]] = (rate, reach)
                reach += math.ceil(kernel / stride) / rate
                rate *= stride
            else:
                return None
        elif node.op_type not in _PLACE_BY_PLACE and not (node.op_type == "Unsqueeze" and node.output[0] == sound):
            return None
        seen[node.output[0]] = (rate, reach)
    return _Looks(reach, rate, widened)


def _frames(reach: float) -> int:
    """Whole frames, and one more, because a place may begin within its frame."""
    return math.ceil(reach) + 1


def _flat(
    nodes: Sequence[onnx.NodeProto], given: Sequence[str], looks: _Looks
) -> tuple[list[onnx.NodeProto], list[Cut]]:
    """The same nodes for pictures one pixel high, and where a window's sides are cut in them."""
    from onnx import helper

    flat = [helper.make_node("Reshape", [name, "as_picture"], [f"{name}_flat"]) for name in given]
    renamed = {name: f"{name}_flat" for name in given}
    cuts: list[Cut] = []
    for number, node in enumerate(nodes):
        if node.output[0] in looks.before and _narrow(nodes, number, given):
            places, looked = looks.before[node.output[0]]
            cut = Cut(f"cut_{number}_start", f"cut_{number}_end", _frames(looks.reach - looked), places)
            wide = renamed.get(node.input[0], node.input[0])
            renamed[node.input[0]] = f"{node.input[0]}_cut"
            flat.append(helper.make_node("Slice", [wide, *cut.inputs, "along_width"], [renamed[node.input[0]]]))
            cuts.append(cut)
        laid = type(node).FromString(node.SerializeToString())
        for place, name in enumerate(laid.input):
            laid.input[place] = renamed.get(name, name)
        for attribute in laid.attribute:
            if attribute.name in _OF_ONE_AXIS:
                attribute.ints.insert(0, 1)
            elif attribute.name == "pads":
                attribute.ints.insert(1, 0)
                attribute.ints.insert(0, 0)
        flat.append(laid)
    return flat, cuts


def _narrow(nodes: Sequence[onnx.NodeProto], number: int, given: Sequence[str]) -> bool:
    """Whether all that the later nodes know of the earlier ones comes through this one's first input."""
    earlier = {given[0]}.union(*(node.output for node in nodes[:number]))
    return not any(earlier.intersection(node.input) for node in nodes[number + 1 :])


def _number(node: onnx.NodeProto, name: str) -> int:
    """An attribute of one axis; 1 where it is left out, as ONNX has it."""
    return int(next((each.ints[0] for each in node.attribute if each.name == name and each.ints), 1))


def _leave_out(graph: onnx.GraphProto, nodes: Sequence[onnx.NodeProto], weights: set[str]) -> None:
    """Take nodes out of a graph, and the weights that nothing else needs. In place: a copy of the rest would take 60 MB
    while a voice is loaded."""
    gone = {node.output[0] for node in nodes}
    _drop(graph.node, [bool(node.output) and node.output[0] in gone for node in graph.node])
    needed = set(_used(graph.node))
    _drop(graph.initializer, [weight.name in weights - needed for weight in graph.initializer])
    del graph.value_info[:]


def _drop(repeated: Any, which: Sequence[bool]) -> None:  # noqa: ANN401  # protobuf's containers have no common type
    for place in range(len(which) - 1, -1, -1):
        if which[place]:
            del repeated[place]


def _used(nodes: Iterable[onnx.NodeProto]) -> Iterator[str]:
    for node in nodes:
        yield from node.input
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _used(attribute.g.node)
            for graph in attribute.graphs:
                yield from _used(graph.node)
