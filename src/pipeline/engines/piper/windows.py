"""A voice's network in two parts, so that its sound is made window by window.

A Piper voice first decides what is said and how long (a sequence of frames, a third of the work), and then turns
frames into samples, each from the few frames around it (HiFi-GAN, convolutions alone). So the second part can be run
on a window of frames at a time, with as many frames on both sides as it looks at. The samples are those of one run
over everything, but for the last digit of a float, a hundredth of a step of 16 bits. What is won: the first sound comes
before the sentence is finished, and the memory, most of which the second part takes, no longer grows with the sentence.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import onnx
    import onnxruntime

WHOLE = 192
"""Frames, 2.2 s of sound: as fast as one run over everything (10.2 and 10.0 s of sound a second of CPU; with 128 frames
8.6), because what a window needs fits the processor's caches. 256 are no faster and take 45 MB more on two threads."""
EARLY = (24, 48, 96)
"""The windows of a sentence that somebody waits for: 0.3 s of sound first, and each window made while the ones before
are heard."""

_FIRST = "/dec/conv_pre/"
_SPEAKER = "/dec/cond/"
# Operators that take each place by itself.
_PLACE_BY_PLACE = frozenset({"Add", "Sub", "Mul", "Div", "LeakyRelu", "Tanh", "Unsqueeze", "Constant", "Cast"})


@dataclass(frozen=True, slots=True)
class Decoder:
    """The second part, before it is loaded."""

    model: bytes
    """Serialized, for an onnxruntime session."""
    frames: str
    """Its input, and the first part's first output: one row of frames."""
    speaker: tuple[str, ...]
    """What else it takes from the first part: the same for every frame."""
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
    first = next((node for node in graph.node if node.op_type == "Conv" and node.name.startswith(_FIRST)), None)
    if first is None:
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
    looks = _looks(after, frames, {name: tuple(weight.dims) for name, weight in weights.items()})
    if looks is None:
        return None
    taken = {name for node in after for name in node.input if name in weights}
    floats = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in (frames, *speaker)]
    second = helper.make_model(
        helper.make_graph(
            [*constants, *after], "decoder", floats, [graph.output[0]], [weights[name] for name in sorted(taken)]
        ),
        opset_imports=model.opset_import,
        ir_version=model.ir_version,
    )
    serialized = second.SerializeToString()
    _leave_out(graph, after, taken)
    outputs = [floats[0], *graph.output[1:], *floats[1:]]
    kept = [type(output).FromString(output.SerializeToString()) for output in outputs]
    del graph.output[:]
    graph.output.extend(kept)
    return Decoder(serialized, frames, speaker, *looks)


class Windows:
    """Turns frames into sound. Thread-safe, as a session is."""

    def __init__(self, decoder: Decoder, session: onnxruntime.InferenceSession) -> None:
        self._decoder = decoder
        self._session = session

    def waves(self, found: Mapping[str, npt.NDArray[np.float32]], *, early: bool) -> Iterator[npt.NDArray[np.float32]]:
        """The sound, one piece after the other, of what the first part gave, by its outputs' names."""
        import numpy as np

        decoder = self._decoder
        frames = found[decoder.frames]
        speaker = {name: found[name] for name in decoder.speaker}
        for start, end in windows(frames.shape[2], EARLY if early else ()):
            left, right = max(0, start - decoder.reach), min(frames.shape[2], end + decoder.reach)
            given = {decoder.frames: np.ascontiguousarray(frames[:, :, left:right]), **speaker}
            wave = self._session.run(None, given)[0].reshape(-1)
            yield wave[(start - left) * decoder.samples : (end - left) * decoder.samples]


def windows(frames: int, sizes: Iterable[int] = ()) -> Iterator[tuple[int, int]]:
    """Where each window begins and ends, of these sizes and then of WHOLE; no last one of a few frames alone."""
    start = 0
    for size in chain(sizes, repeat(WHOLE)):
        if start >= frames:
            return
        end = frames if frames - start <= size + size // 4 else start + size
        yield start, end
        start = end


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
    nodes: Sequence[onnx.NodeProto], frames: str, shapes: Mapping[str, tuple[int, ...]]
) -> tuple[int, int] | None:
    """How many frames to either side have a part in a sample, and how many samples a frame gives; None where that
    cannot be told."""
    seen: dict[str, tuple[int, float]] = {frames: (1, 0.0)}
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
                reach += math.ceil(kernel / stride) / rate
                rate *= stride
            else:
                return None
        elif node.op_type not in _PLACE_BY_PLACE:
            return None
        seen[node.output[0]] = (rate, reach)
    return math.ceil(reach) + 1, rate


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
