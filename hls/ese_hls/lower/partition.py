"""Partition of the mapped graph into a program: chains as long as the engine can run them, and host operations.

A chain is open as long as it may grow: its last layer must have only one reader, which is a layer that the engine can
run behind it. Any other reader closes the chain. Masked sequences pass through chains without their masked frames,
which do not change an LSTM's state. The frames are restored for layers and outputs that need every frame.
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
from ese_host.ir.program import Chain, Fill, Output, Port, Program, ProgramStep, Quantize, Reverse, Tensor, Unmask

EXACT_BITS = 48
"""Bits that the exact sum of a Dense layer counts as; no format has more."""
Convert = Callable[[Any, Fixed], Layer]
"""Converts a graph node, given the format of its inputs, to a layer of integers."""


@dataclass(frozen=True)
class Masked:
    """How frames were left out of a tensor.

    Attributes:
        original: the tensor whose frames tell which steps are masked.
        code: the code that all elements of a masked frame have.
        fill: values of restored frames: "zero", or "last" for those of the last frame that is not masked.
    """

    original: str
    code: int
    fill: Fill = "zero"


@dataclass(frozen=True)
class NodeValue:
    """The value of a graph node.

    Attributes:
        tensor: name of the program's tensor; if a chain computes it, the chain may still be open.
        node: the node that computes it, for its name, precision and readers.
        masked: how frames were left out, or None if it has all frames.
    """

    tensor: str
    node: Any
    masked: Masked | None = None


@dataclass
class _OpenChain:
    """A chain that may still grow.

    Attributes:
        layers: its layers of integers.
        nodes: their graph nodes.
        source: name of the tensor that it reads.
        form: format of its inputs.
        backwards: whether it runs sequences from the last step to the first.
        masked: whether its sequences lack their masked frames.
    """

    layers: list[Layer]
    nodes: list[Any]
    source: str
    form: Fixed
    backwards: bool
    masked: bool

    @property
    def every_step(self) -> bool:
        """Whether it has an output for every step."""
        return all(layer.return_sequences for layer in self.layers if isinstance(layer, Lstm))


@dataclass
class Partition:
    """A program that is built node by node.

    Attributes:
        convert: converts a graph node to a layer of integers.
        log: receives reports and notes for the summary.
        places: for each node, by name, the place where it is computed.
        ports: inputs of the program.
        steps: chains and host operations, in the order of computation.
        tensors: properties of each tensor of the program, by name.
        formats: formats of tensors, by name, if known.
        values: values of graph nodes, by the name of the node's output.
        open_chains: chains that may still grow, by the name of the tensor that they will compute.
    """

    convert: Convert
    log: ConversionLog
    places: dict[str, str] = field(default_factory=dict)
    ports: list[Port] = field(default_factory=list)
    steps: list[ProgramStep] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    formats: dict[str, Fixed] = field(default_factory=dict)
    values: dict[str, NodeValue] = field(default_factory=dict)
    open_chains: dict[str, _OpenChain] = field(default_factory=dict)

    def add_port(self, node: Any, port: Port) -> None:
        """Add an input of the model."""
        self.ports.append(port)
        self.tensors[port.name], self.formats[port.name] = port.tensor, port.format
        self.assign(node, port.name)

    def pass_through(self, node: Any) -> None:
        """Pass an input through an identity layer, for a model without engine layers: a program needs a chain."""
        tensor, form = self.chain_input(node, node.outputs[0], node)
        width = self.tensors[tensor].width
        scale = np.ones((2, width), np.int64)
        kernel = Matrix(np.eye(width, dtype=np.int64), "ternary", scale, 0)
        self.log.weights.append((f"identity layer behind {node.name!r}", kernel))
        layer = Dense(f"{node.name}_identity", kernel, np.zeros(width, np.int64), 0, False, form, form)
        name = f"{node.name}_passed"
        self.open_chains[name] = _OpenChain([layer], [node], tensor, form, False, False)
        self.assign(node, name)
        self.log.notes.append(
            f"the model has no LSTM or Dense layer: the engine passes {node.name!r} on, the host computes the rest"
        )

    def assign(self, node: Any, tensor: str, masked: Masked | None = None) -> None:
        """Set the value of a node.

        Args:
            node: the graph node.
            tensor: name of the program's tensor that holds the value.
            masked: how frames were left out of it, or None if it has all frames.
        """
        self.values[node.outputs[0]] = NodeValue(tensor, node, masked)

    def value(self, node: Any, index: int = 0) -> NodeValue:
        """The value that a node reads as its input number `index`."""
        return self.values[node.inputs[index]]

    def unmasked(self, value: NodeValue) -> str:
        """Name of the tensor of a value with all frames; masked frames are restored."""
        self.close_chain(value.tensor)
        if value.masked is None:
            return value.tensor
        name = f"{value.tensor}{UNMASKED}"
        if name not in self.tensors:
            masked = value.masked
            sources = (value.tensor, masked.original)
            self.append(value.node, Unmask(sources, name, code=masked.code, fill=masked.fill), "")
            self.formats[name] = self.formats.get(value.tensor, self.formats.get(masked.original, Fixed(16, 6)))
        return name

    def append(self, node: Any, step: ProgramStep, place: str = "host") -> str:
        """Append a host operation or a chain to the program, and return the name of the tensor that it computes.

        Args:
            node: the graph node that it belongs to, for messages and the summary.
            step: the host operation or chain.
            place: place of computation for the summary, or "" for no entry.

        Raises:
            UnsupportedError: if the step cannot read its sources.
            CapacityError: if its codes may need too many bits.
        """
        try:
            tensor = step.infer(*(self.tensors[name] for name in step.sources))
        except EseError as error:
            kind = node.get_attr("keras_class") or node.class_name
            raise (CapacityError if isinstance(error, CapacityError) else UnsupportedError)(
                f"layer {node.name!r} ({kind}): {error}"
            ) from error
        self.steps.append(step)
        self.tensors[step.target] = tensor
        if place:
            self.places.setdefault(node.name, f"{place}: {type(step).__name__}")
        return step.target

    def quantized(self, node: Any, tensor: str, form: Fixed, target: str) -> str:
        """Round a tensor to a format, unless it has this format already.

        Args:
            node: the graph node that the rounding belongs to.
            tensor: name of the tensor.
            form: the format.
            target: name of the rounded tensor.

        Returns:
            Name of the tensor in this format: `tensor` or `target`.
        """
        if self.tensors[tensor].fits(form):
            self.formats.setdefault(tensor, form)
            return tensor
        if target not in self.tensors:
            self.append(node, Quantize(tensor, target, form))
            self.formats[target] = form
        return target

    def add_layer(self, node: Any) -> None:
        """Add a layer that the engine runs: to the open chain that it reads if possible, else to a new chain.

        Raises:
            UnsupportedError: if the engine cannot run the layer.
        """
        value, lstm = self.value(node), node.class_name == "SparseLSTM"
        wants_mask = lstm and bool(node.get_attr("masked"))
        if wants_mask and value.masked is None:
            raise UnsupportedError(
                f"layer {node.name!r} ({node.get_attr('keras_class')}) gets the mask of a Masking layer with other "
                "layers between; a Masking layer is allowed only right before LSTM layers: put it there, behind the "
                "input's quantizer"
            )
        chain = self.open_chains.get(value.tensor)
        if chain is not None and self._extends(chain, value, node):
            self._narrow(chain, value.node, node)
            layer = self.convert(node, _output_format(chain.layers[-1]))
            del self.open_chains[value.tensor]
            chain.layers.append(layer)
            chain.nodes.append(node)
        else:
            self.close_chain(value.tensor)
            tensor = value.tensor if wants_mask else self.unmasked(value)
            tensor, form = self.chain_input(value.node, tensor, node)
            layer = self.convert(node, form)
            masked = wants_mask and value.masked is not None
            chain = _OpenChain([layer], [node], tensor, form, bool(node.get_attr("backwards")), masked)
        name = node.outputs[0]
        self.open_chains[name] = chain
        lacks_frames = chain.masked and chain.every_step
        if lacks_frames and value.masked is not None:
            fill: Fill = "zero" if node.get_attr("zero_masked") else "last"
            self.assign(node, name, replace(value.masked, fill=fill))
        else:
            self.assign(node, name)
        if lstm and node.get_attr("backwards") and node.get_attr("return_sequences") and not node.get_attr("in_order"):
            self._reverse_outputs(node, lacks_frames)

    def _reverse_outputs(self, node: Any, masked: bool) -> None:
        """Reverse the outputs of a backward layer: Keras's are in reversed order, a chain's in that of the input."""
        if masked:
            raise UnsupportedError(
                f"layer {node.name!r} ({node.get_attr('keras_class')}) runs backwards over masked sequences and "
                "returns sequences; that is allowed only within Bidirectional, since Keras orders masked frames "
                "differently elsewhere: wrap the layer in Bidirectional, or leave Masking out"
            )
        tensor = self.unmasked(self.values[node.outputs[0]])
        target = f"{node.name}_reversed"
        self.append(node, Reverse(tensor, target), "")
        self.formats[target] = self.formats.get(tensor, Fixed(16, 6))
        self.assign(node, target)

    def _extends(self, chain: _OpenChain, value: NodeValue, node: Any) -> bool:
        """Whether a chain may grow by a node that reads its value."""
        source = value.node
        if len(source.get_output_nodes()) != 1 or set(source.outputs) & set(source.model.outputs):
            return False
        if node.class_name == "SparseLSTM":
            same_frames = chain.masked == bool(node.get_attr("masked"))
            return chain.every_step and not chain.backwards and not node.get_attr("backwards") and same_frames
        return not (chain.masked and chain.every_step)

    def _narrow(self, chain: _OpenChain, producer: Any, node: Any) -> None:
        """Round the outputs of a chain's last layer to its configured precision if they are too wide for `node`."""
        layer = chain.layers[-1]
        form = _output_format(layer)
        if form.bits <= ELEMENT_BITS:
            return
        chain.layers[-1] = replace(layer, output=self.configured_format(producer, form.bits, node))

    def configured_format(self, producer: Any, bits: int, reader: Any) -> Fixed:
        """The format that the configuration sets for the values of a node that have too many bits for a chain.

        Args:
            producer: the node that computes the values.
            bits: their bits, for the message.
            reader: the node that reads them, for the message.

        Raises:
            UnsupportedError: if the configuration sets no format.
        """
        asked = (
            result_precision.of_layer(producer)
            or result_precision.of_layer(maker(producer))
            or result_precision.of_model(producer)
        )
        if asked is None:
            raise UnsupportedError(
                f"layer {producer.name!r} passes {bits}-bit values to layer {reader.name!r}; the engine reads values "
                f"of at most {ELEMENT_BITS} bits: put a QActivation('quantized_bits(16, 3, alpha=1)') between the two, "
                f"or set hls_config['LayerName'][{producer.name!r}]['Precision']['result'] to, say, 'fixed<16,6>'"
            )
        return self.log.configured(f"layer {producer.name!r} has no quantizer; its output is", asked)

    def chain_input(self, producer: Any, tensor: str, reader: Any) -> tuple[str, Fixed]:
        """A tensor in a format that a chain can read; it is rounded if it is too wide.

        Args:
            producer: the node that computes the tensor.
            tensor: name of the tensor.
            reader: the first node of the chain.

        Returns:
            Name of the tensor to read, and its format.

        Raises:
            UnsupportedError: if the tensor is too wide, and the configuration sets no format.
        """
        given = self.tensors[tensor]
        form = self.formats.get(tensor) or narrowest(given)
        if form is not None and form.bits <= ELEMENT_BITS:
            return tensor, form
        bits = max(-given.low - 1, given.high).bit_length() + (given.low < 0)
        exact = maker(producer).class_name == "SparseDense" and maker(producer).get_attr("output") is None
        form = self.configured_format(producer, EXACT_BITS if exact else bits, reader)
        return self.quantized(producer, tensor, form, f"{tensor}_rounded"), form

    def close_chain(self, tensor: str) -> None:
        """Append the open chain that computes a tensor to the program, if there is one."""
        chain = self.open_chains.pop(tensor, None)
        if chain is None:
            return
        index = sum(isinstance(step, Chain) for step in self.steps)
        name = "+".join(node.name for node in chain.nodes) if len(chain.nodes) <= 2 else ""
        name = name or f"{chain.nodes[0].name}...{chain.nodes[-1].name}"
        network = Network(tuple(chain.layers), chain.form)
        step = Chain(name, network, chain.source, tensor, chain.backwards)
        self.append(chain.nodes[-1], step, "")
        form = network.output_format
        if form is not None:
            self.formats[tensor] = form
        for node in chain.nodes:
            self.places[node.name] = f"engine: chain {index}"

    def program(self, outputs: list[Output], finish: Callable[[Layer], Layer] = lambda layer: layer) -> Program:
        """The whole program; a single chain becomes `Program.of` its network.

        Args:
            outputs: outputs of the program.
            finish: applied to each layer; by default, layers stay as they are.
        """
        steps = tuple(
            replace(step, network=replace(step.network, layers=tuple(map(finish, step.network.layers))))
            if isinstance(step, Chain)
            else step
            for step in self.steps
        )
        first, head = steps[0] if steps else None, outputs[0].head
        single = len(steps) == len(outputs) == len(self.ports) == 1
        if single and isinstance(first, Chain) and not first.backwards and head in ("none", "softmax"):
            return Program.of(replace(first.network, head=head))
        return Program(tuple(self.ports), steps, tuple(outputs))


def narrowest(tensor: Tensor) -> Fixed | None:
    """The smallest format that holds a tensor's codes, or None if no format does."""
    signed = tensor.low < 0
    bits = max(1 + signed, max(-tensor.low - 1, tensor.high).bit_length() + signed)
    return Fixed(bits, bits - tensor.frac, signed) if bits <= EXACT_BITS and -32 <= tensor.frac <= EXACT_BITS else None


def _output_format(layer: Layer) -> Fixed:
    """Format of a layer's outputs; a sum that is not rounded counts as 48 bits."""
    if isinstance(layer, Lstm) and layer.projection is not None:
        return layer.state
    if layer.output is not None:
        return layer.output
    return Fixed(EXACT_BITS, 18) if isinstance(layer, Dense) else layer.exact_output
