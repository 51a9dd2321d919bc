# SPDX-License-Identifier: Apache-2.0
"""Partition of the mapped graph into a program: chains as long as the engine can run them, and host operations.

A chain is open as long as it may grow: its last layer must have only one reader, which is a layer that the engine can
run behind it. Any other reader closes the chain. Masked sequences pass through chains without their masked frames,
which do not change a recurrent layer's state. The frames are restored for layers and outputs that need every frame.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ese_hls.graph.nodes import SparseRecurrent
from ese_hls.lower.chosen_formats import ChosenFormats, is_projected, is_quantized, narrowest, output_format, range_of
from ese_hls.lower.conversion import UNMASKED, SplitLayer
from ese_hls.lower.conversion_log import ConversionLog
from ese_hls.lower.partition.values import Masked, NodeValue, OpenChain
from ese_hls.quantize import key_of
from ese_host.errors import CapacityError, EseError, UnsupportedError
from ese_host.ir import ELEMENT_BITS, Dense, Fixed, Layer, Matrix, Network, Recurrent
from ese_host.ir.program import Chain, Fill, Mask, Output, Port, Program, ProgramStep, Quantize, Reverse, Tensor, Unmask

Convert = Callable[[Any, Fixed], Layer]
"""Converts a graph node, given the format of its inputs, to a layer of integers."""


@dataclass
class Partition:
    """A program that is built node by node.

    Attributes:
        convert: converts a graph node to a layer of integers.
        log: receives reports and notes for the summary.
        chosen: chooses the formats that the model leaves open.
        places: for each node, by name, the place where it is computed.
        ports: inputs of the program.
        steps: chains and host operations, in the order of computation.
        tensors: properties of each tensor of the program, by name.
        formats: formats of tensors, by name, if known.
        values: values of graph nodes, by the name of the node's output.
        open_chains: chains that may still grow, by the name of the tensor that they will compute.
        stored: the format in which recurrent layers store outputs for later layers, which one engine has one of.
        reads_signed: whether a chain reads signed values, so that no chain may read unsigned ones of 16 bits.
        unrounded: for the rounded tensor of an input, the port with its finer codes.
        splits: the Dense layers whose inputs are read in parts.
    """

    convert: Convert
    log: ConversionLog
    chosen: ChosenFormats
    places: dict[str, str] = field(default_factory=dict)
    ports: list[Port] = field(default_factory=list)
    steps: list[ProgramStep] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    formats: dict[str, Fixed] = field(default_factory=dict)
    values: dict[str, NodeValue] = field(default_factory=dict)
    open_chains: dict[str, OpenChain] = field(default_factory=dict)
    stored: Fixed | None = None
    reads_signed: bool = False
    unrounded: dict[str, str] = field(default_factory=dict)
    splits: list[SplitLayer] = field(default_factory=list)

    def add_port(self, node: Any, port: Port) -> None:
        """Add an input of the model.

        Raises:
            CapacityError: if it is larger than a tensor of a program may be.
        """
        self.ports.append(port)
        try:
            self.tensors[port.name], self.formats[port.name] = port.tensor, port.format
        except EseError as error:
            raise CapacityError(f"input {node.name!r}: {error}: make the input smaller") from error
        self.assign(node, port.name)

    def is_narrow(self, node: Any) -> bool:
        """Whether the engine can read the value of a node, and all its frames, as they are."""
        value = self.values.get(node.outputs[0])
        if value is None or value.masked:
            return False
        form = self.formats.get(value.tensor) or narrowest(self.tensors[value.tensor])
        return form is not None and form.bits <= ELEMENT_BITS

    def pass_through(self, node: Any) -> None:
        """Pass a value through an identity layer, for a model without engine layers: a program needs a chain."""
        tensor, form = self.chain_input(node, self.values[node.outputs[0]].tensor, node)
        width = self.tensors[tensor].width
        scale = np.ones((2, width), np.int64)
        kernel = Matrix(np.eye(width, dtype=np.int64), "ternary", scale, 0)
        self.log.weights.append((f"identity layer behind {node.name!r}", kernel))
        layer = Dense(f"{node.name}_identity", kernel, np.zeros(width, np.int64), 0, False, form, form)
        name = self.add_chain(node, layer, tensor, f"{node.name}_passed")
        self.assign(node, name)
        if tensor in self.unrounded:
            self.unrounded[name] = self.unrounded[tensor]
        self.log.notes.append(
            f"the model has no LSTM, GRU or Dense layer: the engine passes {node.name!r} on, the host computes the rest"
        )

    def add_chain(self, node: Any, layer: Layer, tensor: str, name: str) -> str:
        """Open a chain.

        Args:
            node: the graph node that it belongs to.
            layer: its first layer.
            tensor: name of the tensor that it reads, which has the format of the layer's inputs.
            name: name of the tensor that it makes.
        """
        self.open_chains[name] = OpenChain([layer], [node], tensor, layer.source, False, False)
        return name

    def assign(self, node: Any, tensor: str, masked: Masked | None = None) -> None:
        """Set the value of a node.

        Args:
            node: the graph node.
            tensor: name of the program's tensor that holds the value.
            masked: how frames were left out of it, or None if it has all frames.
        """
        read = [self.values[name] for name in node.inputs if name in self.values]
        masks = {(mask.original, mask.code) for value in read if (mask := value.masked or value.mask) is not None}
        mask = Masked(*masks.pop()) if masked is None and len(masks) == 1 else None
        self.values[node.outputs[0]] = NodeValue(tensor, node, masked, mask)

    def masked_value(self, node: Any, index: int = 0) -> NodeValue:
        """The value that a node reads as its input number `index`, without its masked frames.

        Raises:
            UnsupportedError: if its mask is not known.
        """
        value = self.value(node, index)
        if value.masked is not None:
            return value
        if value.mask is None:
            raise UnsupportedError(
                f"layer {node.name!r} ({node.get_attr('keras_class')}) gets a mask that is not that of one Masking or "
                "Embedding layer; only such a mask is allowed: put the Masking layer right before this layer"
            )
        full = self.unmasked(value)
        if (target := f"{full}_masked") not in self.tensors:
            self.append(value.node, Mask(full, target, value.mask.code, value.mask.original), "")
            self.formats |= {target: self.formats[full]} if full in self.formats else {}
        return NodeValue(target, value.node, value.mask)

    def value(self, node: Any, index: int = 0) -> NodeValue:
        """The value that a node reads as its input number `index`."""
        return self.values[node.inputs[index]]

    def unmasked(self, value: NodeValue) -> str:
        """Name of the tensor of a value with all frames; masked frames are restored.

        Raises:
            UnsupportedError: if they cannot be restored.
        """
        self.close_chain(value.tensor)
        if value.masked is None:
            return value.tensor
        name = f"{value.tensor}{UNMASKED}"
        if name not in self.tensors:
            masked = value.masked
            if masked.fill is None:
                raise UnsupportedError(
                    f"layer {value.node.name!r} ({value.node.get_attr('keras_class')}) combines masked sequences, and "
                    "its masked frames are read, or leave the model; only layers that pass them over may read it: put "
                    "a recurrent layer or GlobalAveragePooling1D behind it"
                )
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
            before = f"{self.places[node.name]}," if node.name in self.places else f"{place}:"
            self.places[node.name] = f"{before} {type(step).__name__}"
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
        recurrent = isinstance(node, SparseRecurrent)
        wants_mask = recurrent and bool(node.get_attr("masked"))
        value = self.masked_value(node) if wants_mask else self.value(node)
        chain = self.open_chains.get(value.tensor)
        if chain is not None and self._extends(chain, value, node):
            layer = self.convert(node, output_format(chain.layers[-1]))
            del self.open_chains[value.tensor]
            chain.layers.append(layer)
            chain.nodes.append(node)
        else:
            self.close_chain(value.tensor)
            tensor = value.tensor if wants_mask else self.unmasked(value)
            tensor, form = self.chain_input(value.node, tensor, node)
            layer = self.convert(node, form)
            masked = wants_mask and value.masked is not None
            chain = OpenChain([layer], [node], tensor, form, bool(node.get_attr("backwards")), masked)
        name = node.outputs[0]
        self.open_chains[name] = chain
        lacks_frames = chain.masked and chain.every_step
        if lacks_frames and value.masked is not None:
            fill: Fill = "zero" if node.get_attr("zero_masked") else "last"
            self.assign(node, name, replace(value.masked, fill=fill))
        else:
            self.assign(node, name)
        backwards = recurrent and node.get_attr("backwards") and node.get_attr("return_sequences")
        if backwards and not node.get_attr("in_order"):
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

    def _extends(self, chain: OpenChain, value: NodeValue, node: Any) -> bool:
        """Whether a chain may grow by a node that reads its value."""
        source = value.node
        if len(source.get_output_nodes()) != 1 or set(source.outputs) & set(source.model.outputs):
            return False
        if isinstance(node, SparseRecurrent):
            same_frames = chain.masked == bool(node.get_attr("masked"))
            extends = chain.every_step and not chain.backwards and not node.get_attr("backwards") and same_frames
        else:
            extends = not (chain.masked and chain.every_step)
        return extends and self._may_store(chain, source)

    def _may_store(self, chain: OpenChain, producer: Any) -> bool:
        """Whether the engine can store the outputs of a chain's last layer for a further layer.

        Outputs that are too wide get a format first. All recurrent layers that store outputs must do so in one format;
        a chain ends at one of another format, whose exact outputs the host rounds.
        """
        layer = chain.layers[-1]
        form = output_format(layer)
        if form.bits > ELEMENT_BITS:
            form = self.chosen.result(producer, *range_of(layer))
            layer = chain.layers[-1] = replace(layer, output=form)
        if isinstance(layer, Dense) or is_projected(layer) or form == layer.state:
            return True
        self.stored = self.stored or form
        return form == self.stored

    def chain_input(self, producer: Any, tensor: str, reader: Any) -> tuple[str, Fixed]:
        """A tensor in a format that a chain can read; it is rounded if it is too wide.

        Args:
            producer: the node that computes the tensor.
            tensor: name of the tensor.
            reader: the first node of the chain.

        Returns:
            Name of the tensor to read, and its format.

        Raises:
            UnsupportedError: if the configured format is not allowed, or the model's quantizer gives unsigned values
                of 16 bits beside signed ones.
        """
        given = self.tensors[tensor]
        known = [form for form in (self.formats.get(tensor), narrowest(given)) if form is not None]
        for form in known:
            if form.bits <= ELEMENT_BITS - (self.reads_signed and not form.signed):
                return tensor, form
        low, high = (math.ldexp(code, -given.frac) for code in (given.low, given.high))
        if known and known[0].bits > ELEMENT_BITS and is_quantized(producer):
            form = self.chosen.narrowed(producer, known[0], low, high)
            return self.quantized(producer, tensor, form, f"{tensor}_rounded"), form
        form = known[0] if known and is_quantized(producer) else self.chosen.result(producer, low, high)
        if self.reads_signed and not form.signed and form.bits == ELEMENT_BITS:
            raise UnsupportedError(
                f"layer {producer.name!r} hands unsigned values of 16 bits ({form}) to layer {reader.name!r}, and "
                f"other layers on the engine read signed values; beside those, {ELEMENT_BITS - 1} bits are allowed: "
                f"give {producer.name!r} a quantizer of 15 bits or a signed one, or set {key_of(producer.name)} so"
            )
        return self.quantized(producer, tensor, form, f"{tensor}_rounded"), form

    def close_chain(self, tensor: str) -> None:
        """Append the open chain that computes a tensor to the program, if there is one."""
        chain = self.open_chains.pop(tensor, None)
        if chain is None:
            return
        index = sum(isinstance(step, Chain) for step in self.steps)
        name = "+".join(node.name for node in chain.nodes) if len(chain.nodes) <= 2 else ""
        name = name or f"{chain.nodes[0].name}...{chain.nodes[-1].name}"
        *before, last = chain.layers
        form, target = None, tensor
        if isinstance(last, Recurrent) and not is_projected(last) and last.output is not None:
            self.stored = self.stored or last.output
            if last.output != self.stored:  # the outputs leave exactly, and the host rounds them
                form, target, last = last.output, f"{tensor}_exact", replace(last, output=None)
        network = Network((*before, last), chain.form)
        self.append(chain.nodes[-1], Chain(name, network, chain.source, target, chain.backwards), "")
        if form is not None:
            self.append(chain.nodes[-1], Quantize(target, tensor, form), "")
        form = form or network.output_format
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
        used, kept = {output.tensor for output in outputs}, list[ProgramStep]()
        for step in reversed(self.steps):
            if step.target in used or isinstance(step, Chain):
                kept.insert(0, step)
                used.update(step.sources)
        steps = tuple(
            replace(step, network=replace(step.network, layers=tuple(map(finish, step.network.layers))))
            if isinstance(step, Chain)
            else step
            for step in kept
        )
        first, head = steps[0] if steps else None, outputs[0].head
        single = len(steps) == len(outputs) == len(self.ports) == 1
        if single and isinstance(first, Chain) and not first.backwards and head in ("none", "softmax"):
            return Program.of(replace(first.network, head=head))
        return Program(tuple(self.ports), steps, tuple(outputs))
