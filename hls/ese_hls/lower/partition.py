"""The mapped graph as a program: chains as long as the engine can run them, and the host's steps between them.

A chain stays open while its last layer has one reader and what it hands on fits a vector element; whatever else reads
it closes the chain. Masked sequences are run without their masked frames, which leave an LSTM's state as it is, and
are spread out again where another layer, or the model's user, wants every frame.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ese_hls.graph.nodes import maker
from ese_hls.lower.conversion import UNMASKED
from ese_hls.lower.conversion_log import ConversionLog
from ese_hls.quantize import result_precision
from ese_host.errors import CapacityError, EseError, UnsupportedError
from ese_host.ir import ELEMENT_BITS, Dense, Fixed, Layer, Lstm, Matrix, Network
from ese_host.ir.program import Chain, Fill, Output, Port, Program, ProgramStep, Quantize, Unmask
from ese_host.ir.program import Tensor as Known

EXACT_BITS = 48
"""Bits of a Dense layer's exact sum, in messages."""
Convert = Callable[[Any, Fixed], Layer]


@dataclass(frozen=True)
class Masked:
    """That frames are left out of a tensor.

    Attributes:
        original: the tensor that tells which. code: what all of a masked frame's elements are.
        fill: what a step left out has where all steps are wanted.
    """

    original: str
    code: int
    fill: Fill = "zero"


@dataclass(frozen=True)
class NodeValue:
    """What a graph node computes.

    Attributes:
        tensor: of the program; a chain's that is still open will have this name.
        node: the node, for its name, precision and readers.
        masked: how frames were left out, None where all are there.
    """

    tensor: str
    node: Any
    masked: Masked | None = None


@dataclass
class _OpenChain:
    """A chain that may still grow; `masked` says whether its sequences lack their masked frames."""

    layers: list[Layer]
    nodes: list[Any]
    source: str
    form: Fixed
    backwards: bool
    masked: bool

    @property
    def every_step(self) -> bool:
        return all(layer.return_sequences for layer in self.layers if isinstance(layer, Lstm))


@dataclass
class Partition:
    """A program in the making.

    Attributes:
        convert: a node and the format of its input to a layer of integers.
        log: reports and sentences for the summary. places: for each node's name where its work is done.
    """

    convert: Convert
    log: ConversionLog
    places: dict[str, str] = field(default_factory=dict)
    ports: list[Port] = field(default_factory=list)
    steps: list[ProgramStep] = field(default_factory=list)
    known: dict[str, Known] = field(default_factory=dict)
    formats: dict[str, Fixed] = field(default_factory=dict)
    values: dict[str, NodeValue] = field(default_factory=dict)
    open: dict[str, _OpenChain] = field(default_factory=dict)

    def port(self, node: Any, port: Port) -> None:
        """An input of the model."""
        self.ports.append(port)
        self.known[port.name], self.formats[port.name] = port.tensor, port.format
        self.give(node, port.name)

    def pass_through(self, node: Any) -> None:
        """Send an input through an identity layer, for a model of host steps alone: a program has a chain."""
        tensor, form = self.element(node, node.outputs[0], node)
        width = self.known[tensor].width
        scale = np.ones((2, width), np.int64)
        kernel = Matrix(np.eye(width, dtype=np.int64), "ternary", scale, 0)
        self.log.weights.append((f"identity layer behind {node.name!r}", kernel))
        layer = Dense(f"{node.name}_identity", kernel, np.zeros(width, np.int64), 0, False, form, form)
        name = f"{node.name}_passed"
        self.open[name] = _OpenChain([layer], [node], tensor, form, False, False)
        self.give(node, name)
        self.log.notes.append(
            f"the model has no LSTM or Dense layer: the engine passes {node.name!r} on, the host computes the rest"
        )

    def give(self, node: Any, tensor: str, masked: Masked | None = None) -> None:
        """Note what a node computes."""
        self.values[node.outputs[0]] = NodeValue(tensor, node, masked)

    def value(self, node: Any, which: int = 0) -> NodeValue:
        """What a node reads."""
        return self.values[node.inputs[which]]

    def whole(self, value: NodeValue) -> str:
        """The tensor of a value with all its frames, masked ones too."""
        self.close(value.tensor)
        if value.masked is None:
            return value.tensor
        name = f"{value.tensor}{UNMASKED}"
        if name not in self.known:
            masked = value.masked
            sources = (value.tensor, masked.original)
            self.step(value.node, Unmask(sources, name, code=masked.code, fill=masked.fill), "")
            self.formats[name] = self.formats.get(value.tensor, self.formats.get(masked.original, Fixed(16, 6)))
        return name

    def step(self, node: Any, step: ProgramStep, place: str = "host") -> str:
        """Append a host step; returns its target.

        Raises:
            UnsupportedError: the step cannot compute from what arrives; names the layer.
        """
        try:
            made = step.infer(*(self.known[name] for name in step.sources))
        except EseError as error:
            kind = node.get_attr("keras_class") or node.class_name
            raise (CapacityError if isinstance(error, CapacityError) else UnsupportedError)(
                f"layer {node.name!r} ({kind}): {error}"
            ) from error
        self.steps.append(step)
        self.known[step.target] = made
        if place:
            self.places.setdefault(node.name, f"{place}: {type(step).__name__}")
        return step.target

    def quantized(self, node: Any, tensor: str, form: Fixed, target: str) -> str:
        """A tensor rounded to a format; itself where that changes nothing."""
        if self.known[tensor].fits(form):
            self.formats.setdefault(tensor, form)
            return tensor
        if target not in self.known:
            self.step(node, Quantize(tensor, target, form))
            self.formats[target] = form
        return target

    def engine(self, node: Any) -> None:
        """A layer for the engine: appended to the chain that it reads, or the first of another."""
        value, lstm = self.value(node), node.class_name == "SparseLSTM"
        wants_mask = lstm and bool(node.get_attr("masked"))
        if wants_mask and value.masked is None:
            raise UnsupportedError(
                f"layer {node.name!r} ({node.get_attr('keras_class')}) gets a mask whose Masking layer is not right "
                "before it or before other LSTM layers: put Masking there, behind the input's quantizer"
            )
        chain = self.open.get(value.tensor)
        if chain is not None and self._extends(chain, value, node):
            self._narrow(chain, value.node, node)
            layer = self.convert(node, _leaves(chain.layers[-1]))
            del self.open[value.tensor]
            chain.layers.append(layer)
            chain.nodes.append(node)
        else:
            self.close(value.tensor)
            tensor = value.tensor if wants_mask else self.whole(value)
            tensor, form = self.element(value.node, tensor, node)
            layer = self.convert(node, form)
            masked = wants_mask and value.masked is not None
            chain = _OpenChain([layer], [node], tensor, form, bool(node.get_attr("backwards")), masked)
        name = node.outputs[0]
        self.open[name] = chain
        keeps = chain.masked and chain.every_step
        if keeps and value.masked is not None:
            fill: Fill = "zero" if node.get_attr("zero_masked") else "last"
            self.give(node, name, replace(value.masked, fill=fill))
        else:
            self.give(node, name)
        if lstm and node.get_attr("backwards") and node.get_attr("return_sequences") and not node.get_attr("in_order"):
            self._turn(node, keeps)

    def _turn(self, node: Any, masked: bool) -> None:
        """Keras leaves the outputs of a backward layer in reversed order; a chain hands them back in the input's."""
        from ese_host.ir.program import Reverse

        if masked:
            raise UnsupportedError(
                f"layer {node.name!r} ({node.get_attr('keras_class')}) runs backwards over masked sequences and "
                "returns sequences; the order in which Keras leaves masked frames is kept by Bidirectional alone: wrap "
                "it, or leave Masking out"
            )
        tensor = self.whole(self.values[node.outputs[0]])
        target = f"{node.name}_reversed"
        self.step(node, Reverse(tensor, target), "")
        self.formats[target] = self.formats.get(tensor, Fixed(16, 6))
        self.give(node, target)

    def _extends(self, chain: _OpenChain, value: NodeValue, node: Any) -> bool:
        source = value.node
        if len(source.get_output_nodes()) != 1 or set(source.outputs) & set(source.model.outputs):
            return False
        if node.class_name == "SparseLSTM":
            same = chain.masked == bool(node.get_attr("masked"))
            return chain.every_step and not chain.backwards and not node.get_attr("backwards") and same
        return not (chain.masked and chain.every_step)

    def _narrow(self, chain: _OpenChain, producer: Any, node: Any) -> None:
        """Round what the chain's last layer hands on, where it is too wide and a precision is configured."""
        layer = chain.layers[-1]
        form = _leaves(layer)
        if form.bits <= ELEMENT_BITS:
            return
        chain.layers[-1] = replace(layer, output=self.configured(producer, form.bits, node))

    def configured(self, producer: Any, bits: int, reader: Any) -> Fixed:
        """The configured format of what `producer` hands on.

        Raises:
            UnsupportedError: there is none.
        """
        asked = (
            result_precision.of_layer(producer)
            or result_precision.of_layer(maker(producer))
            or result_precision.of_model(producer)
        )
        if asked is None:
            raise UnsupportedError(
                f"layer {producer.name!r} hands {bits}-bit values to {reader.name!r}; a "
                f"vector element has {ELEMENT_BITS}: put a QActivation('quantized_bits(16, ...)') between the two"
            )
        return self.log.configured(f"layer {producer.name!r} has no quantizer; its output is", asked)

    def element(self, producer: Any, tensor: str, reader: Any) -> tuple[str, Fixed]:
        """A tensor whose codes fit vector elements, and the format in which a chain reads them."""
        known = self.known[tensor]
        form = self.formats.get(tensor) or narrowest(known)
        if form is not None and form.bits <= ELEMENT_BITS:
            return tensor, form
        bits = max(-known.low - 1, known.high).bit_length() + (known.low < 0)
        exact = maker(producer).class_name == "SparseDense" and maker(producer).get_attr("output") is None
        form = self.configured(producer, EXACT_BITS if exact else bits, reader)
        return self.quantized(producer, tensor, form, f"{tensor}_rounded"), form

    def close(self, tensor: str) -> None:
        """Turn an open chain into a step of the program."""
        chain = self.open.pop(tensor, None)
        if chain is None:
            return
        index = sum(isinstance(step, Chain) for step in self.steps)
        name = "+".join(node.name for node in chain.nodes) if len(chain.nodes) <= 2 else ""
        name = name or f"{chain.nodes[0].name}...{chain.nodes[-1].name}"
        network = Network(tuple(chain.layers), chain.form)
        step = Chain(name, network, chain.source, tensor, chain.backwards)
        self.step(chain.nodes[-1], step, "")
        form = network.output_format
        if form is not None:
            self.formats[tensor] = form
        for node in chain.nodes:
            self.places[node.name] = f"engine: chain {index}"

    def program(self, outputs: list[Output], finish: Callable[[Layer], Layer] = lambda layer: layer) -> Program:
        """The whole program, layers as `finish` leaves them; one chain alone is `Program.of` its network."""
        steps = tuple(
            replace(step, network=replace(step.network, layers=tuple(map(finish, step.network.layers))))
            if isinstance(step, Chain)
            else step
            for step in self.steps
        )
        first, head = steps[0] if steps else None, outputs[0].head
        alone = len(steps) == len(outputs) == len(self.ports) == 1
        if alone and isinstance(first, Chain) and not first.backwards and head in ("none", "softmax"):
            return Program.of(replace(first.network, head=head))
        return Program(tuple(self.ports), steps, tuple(outputs))


def narrowest(known: Known) -> Fixed | None:
    """The smallest format that holds a tensor's codes; None where no format does."""
    signed = known.low < 0
    bits = max(1 + signed, max(-known.low - 1, known.high).bit_length() + signed)
    return Fixed(bits, bits - known.frac, signed) if bits <= EXACT_BITS and -32 <= known.frac <= EXACT_BITS else None


def _leaves(layer: Layer) -> Fixed:
    """Format of what a layer hands on; an unrounded sum counts as 48 bits."""
    if isinstance(layer, Lstm) and layer.projection is not None:
        return layer.state
    if layer.output is not None:
        return layer.output
    return Fixed(EXACT_BITS, 18) if isinstance(layer, Dense) else layer.exact_output
