# SPDX-License-Identifier: Apache-2.0
"""Formats of what the model does not quantize: inputs, and results that another layer reads."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ese_hls.graph.nodes import SparseNode, SparseRecurrent, maker
from ese_hls.lower.conversion_log import ConversionLog
from ese_hls.quantize import SPLIT_BITS, holding, is_format, is_rounded_activation, key_of, of_layer, of_model
from ese_host.errors import UnsupportedError
from ese_host.ir import ELEMENT_BITS, Dense, Fixed, Layer, Lstm
from ese_host.ir.program import Tensor

EXACT_BITS = 48
"""Bits that the exact sum of a Dense layer counts as; no format has more."""
SPLIT_RESULTS = (48, 40, 0)
"""Most bits of the results of Dense layers that read wide values in parts. Fewer of them are tried if a host operation
behind such a layer has no room for its codes, and no parts at last."""
HEADROOM = 2
"""Values of inputs and results may be so much larger than in the samples before they are saturated."""
Range = tuple[float, float]
"""The smallest and the largest of some values."""


@dataclass
class ChosenFormats:
    """Chooses formats, and says why.

    Attributes:
        log: receives notes and warnings.
        ranges: the ranges of Keras tensors in samples, by the tensors' names; empty if there are no samples.
        splits: most bits of the results of Dense layers that read wide values in parts; 0 if none may.
    """

    log: ConversionLog
    ranges: Mapping[str, Range] = field(default_factory=dict)
    splits: int = SPLIT_RESULTS[0]

    def input(self, node: Any) -> Fixed:
        """The format of an input: its quantizer's, the layer's own Precision, the samples' range, or the default.

        Raises:
            UnsupportedError: if there is none of these.
        """
        form: Fixed | None = node.get_attr("source")
        if form is not None:
            return form
        if are_numbers(node):
            tables = [reader.get_attr("rows") for reader in node.get_output_nodes()]
            return numbers_of(max(tables, key=len))
        what, key = f"input {node.name!r} has no quantizer; its values are", key_of(node.name)
        asked, seen = of_layer(node), self.seen(node)
        bits = SPLIT_BITS if self.asks_split(node) and _feeds_dense(node) else ELEMENT_BITS
        if asked is None and seen is not None:
            form = holding(HEADROOM * seen[0], HEADROOM * seen[1], bits)
            self.log.notes.append(
                f"{what} rounded to {form}, which holds {HEADROOM} times the range {seen[0]:.4g} to {seen[1]:.4g} of "
                "the samples; values beyond are saturated"
            )
            return form
        asked = asked or of_model(node)
        if asked is None:
            raise UnsupportedError(
                f"input {node.name!r} has no quantizer; the engine reads fixed-point codes: give samples as "
                "calibration=, put a QActivation('quantized_bits(16, 3, alpha=1)') after the input, or set "
                f"{key} to, say, 'fixed<16,4>'"
            )
        return self.log.configured(what, asked, node.name, key, bits)

    def result(self, producer: Any, low: float, high: float, bits: int = ELEMENT_BITS) -> Fixed:
        """A format for values without quantizer that a chain reads.

        A format that the configuration sets for the layer is kept. Otherwise, the format holds all values that the
        layer can compute, if the model's default has integer bits enough for that. If it has not, the format holds
        more than the range that was seen in samples, and without samples it is the default.

        Args:
            producer: the node that computes the values.
            low: the smallest value that it can compute.
            high: the largest value.
            bits: bits of the format.

        Raises:
            UnsupportedError: if the configured format is not allowed.
        """
        name, key = producer.name, key_of(producer.name)
        what = f"layer {name!r} has no quantizer; its output is"
        seen = self.seen(producer)
        asked = of_layer(producer) or of_layer(maker(producer))
        if asked is None and producer.class_name == "Input" and seen is None:
            what, asked = f"input {name!r} has no quantizer; its values are", of_model(producer)
        if asked is not None:
            return self.log.configured(what, asked, name, key, bits)
        default, proven = of_model(producer), holding(low, high, bits)
        if default is None or proven.integer <= default.integer:
            self.log.notes.append(f"{what} rounded to {proven}, which holds all values that it can have")
            return proven
        possible = f"values from {low:.4g} to {high:.4g} are possible"
        if seen is not None:
            form = min(proven, holding(HEADROOM * seen[0], HEADROOM * seen[1], bits), key=lambda form: form.integer)
            self.log.notes.append(
                f"{what} rounded to {form}, which holds {HEADROOM} times the range {seen[0]:.4g} to {seen[1]:.4g} of "
                f"the samples; {possible}, and saturated beyond the format"
            )
            return form
        form = self.log.configured(what, default, name, key, bits)
        if form.integer < proven.integer:
            self.log.warn(
                f"layer {name!r}: {possible} at its output, and saturated beyond {form} of the configuration; give "
                f"samples as calibration=, or set {key} to, say, '{proven}'",
                name,
                key,
            )
        return form

    def narrowed(self, producer: Any, asked: Fixed, low: float, high: float, bits: int = ELEMENT_BITS) -> Fixed:
        """A format for values whose quantizer has more bits than a layer on the engine reads.

        Args:
            producer: the node that computes the values.
            asked: the format of its quantizer.
            low: the smallest value that it can compute.
            high: the largest value.
            bits: bits of the format.
        """
        form = holding(low, high, bits)
        loss = 2.0 ** -(form.frac + 1)
        self.log.warn(
            f"layer {producer.name!r} gives values of {asked}; layers on the engine read {bits} bits: they are "
            f"rounded to {form}, by at most {loss:.2g}. Give it a quantizer of {bits} bits",
            producer.name,
            "",
            loss,
        )
        return form

    def asks_split(self, producer: Any) -> bool:
        """Whether the configuration asks for values of more bits than a vector element has.

        The values of a recurrent layer do not count: they are made of states of 16 bits.
        """
        if not self.splits or isinstance(maker(producer), SparseRecurrent):
            return False
        asked = of_layer(producer) or of_layer(maker(producer)) or of_model(producer)
        return asked is not None and asked.bits > ELEMENT_BITS

    def seen(self, node: Any) -> Range | None:
        """The range of a node's values in the samples, or None if it is not known."""
        names = [*(node.get_attr("output_keras_tensor_names") or []), *node.outputs]
        return next((self.ranges[name] for name in names if name in self.ranges), None)


def are_numbers(node: Any) -> bool:
    """Whether an input holds the numbers of an embedding's rows."""
    readers = node.get_output_nodes()
    return bool(readers) and all(reader.get_attr("operation") == "embedding" for reader in readers)


def _feeds_dense(node: Any) -> bool:
    """Whether a Dense layer reads a node's values, or what the host makes of them."""
    readers = node.get_output_nodes()
    return any(
        reader.class_name == "SparseDense" or (not isinstance(reader, SparseNode) and _feeds_dense(reader))
        for reader in readers
    )


def numbers_of(rows: Any) -> Fixed:
    """The format of the numbers of a table's rows."""
    bits = max(len(rows) - 1, 1).bit_length()
    return Fixed(bits, bits, signed=False)


def is_quantized(producer: Any) -> bool:
    """Whether a quantizer of the model sets the format of a node's values."""
    function = producer.get_attr("function")
    rounds = is_format(function) or is_rounded_activation(function) or producer.get_attr("output") is not None
    return bool(rounds or producer.get_attr("quantized"))


def range_of(layer: Layer) -> Range:
    """The smallest and the largest value of a layer's exact outputs."""
    if isinstance(layer, Lstm):
        gate = min(float(layer.gate.out.to_float(layer.gate.out.high)), 1.0)
        least, most = (float(layer.cell.out.to_float(code)) for code in (layer.cell.out.low, layer.cell.out.high))
        return max(gate * least, -1.0), min(gate * most, 1.0)
    frac, low, high = layer.exact_range
    low, high = (max(low, 0), max(high, 0)) if isinstance(layer, Dense) and layer.relu else (low, high)
    return math.ldexp(low, -frac), math.ldexp(high, -frac)


def narrowest(tensor: Tensor) -> Fixed | None:
    """The smallest format that holds a tensor's codes, or None if no format does."""
    signed = tensor.low < 0
    bits = max(1 + signed, max(-tensor.low - 1, tensor.high).bit_length() + signed)
    return Fixed(bits, bits - tensor.frac, signed) if bits <= EXACT_BITS and -32 <= tensor.frac <= EXACT_BITS else None


def is_projected(layer: Layer) -> bool:
    """Whether a layer is an LSTM with a projection."""
    return isinstance(layer, Lstm) and layer.projection is not None


def output_format(layer: Layer) -> Fixed:
    """Format of a layer's outputs; a sum that is not rounded counts as 48 bits."""
    if isinstance(layer, Dense):
        return layer.output or Fixed(EXACT_BITS, 18)
    return layer.passed_on
