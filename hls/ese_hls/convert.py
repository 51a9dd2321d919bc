"""From the mapped graph to `ese_host.network.Network`."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

from ese_hls.formats import activation_of, format_of
from ese_hls.kinds import as_kind, common_kind
from ese_hls.options import Options
from ese_hls.precision import with_precision
from ese_hls.summary import ConversionSummary, TensorReport
from ese_hls.tensors import LayerTensors, WeightTensor
from ese_hls.weights import bias_of, matrix_of
from ese_host.design import SUM_FRAC
from ese_host.errors import UnsupportedError
from ese_host.fixed import Fixed
from ese_host.network import MAX_THRESHOLD, Activation, Dense, Layer, Lstm, Matrix, Network, WeightKind

ELEMENT_BITS = 16
"""Bits of a vector element: what one layer hands to the next."""


@dataclass(frozen=True, eq=False)
class Conversion:
    """A converted model.

    Attributes:
        network: the integers. summary: how they came about. options: the user's choices.
        steps: length of the step axis, 0 where it varies, None where the model has none.
    """

    network: Network
    summary: ConversionSummary
    options: Options
    steps: int | None = 0


@dataclass
class _Collector:
    tensors: list[TensorReport] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    weights: list[tuple[str, Matrix]] = field(default_factory=list)

    def matrix(self, node: Any, tensor: WeightTensor, source: Fixed) -> Matrix:
        tensor = with_precision(node, tensor)
        matrix, report = matrix_of(tensor, SUM_FRAC - source.frac)
        self.tensors.append(report)
        self.weights.append((tensor.where, matrix))
        self._rounded(tensor, report, matrix.kind)
        if report.zeroed:
            self.notes.append(f"{tensor.where}: {report.quantizer} turns {report.zeroed} non-zero weights into zero")
        if report.filled:
            self.notes.append(f"{tensor.where}: {report.quantizer} turns {report.filled} zero weights into non-zero")
        return matrix

    def bias(self, node: Any, tensor: WeightTensor | None, outputs: int) -> tuple[Any, int]:
        tensor = None if tensor is None else with_precision(node, tensor)
        codes, frac, report = bias_of(tensor, outputs)
        if tensor is not None and report is not None:
            self.tensors.append(report)
            self._rounded(tensor, report, "16 bits")
        return codes, frac

    def _rounded(self, tensor: WeightTensor, report: TensorReport, default: str) -> None:
        """Note an array without quantizer, and what rounding it cost."""
        if tensor.quantizer is None and (report.deviation or tensor.precision):
            form = tensor.described if tensor.precision else default
            self.notes.append(f"{tensor.where} has no quantizer; rounded to {form}, by {report.deviation:.2g}")

    def activation(self, function: Any, where: str) -> Activation:
        activation, note = activation_of(function, where)
        if note:
            self.notes.append(note)
        return activation


def convert(nodes: list[Any], options: Options, notes: tuple[str, ...] = ()) -> Conversion:
    """Convert a chain of nodes: the input, then `SparseLSTM` and `SparseDense` nodes with absorbed quantizers.

    Args:
        nodes: graph nodes in order, as the passes leave them.
        options: the user's choices.
        notes: sentences that earlier steps want in the summary.

    Raises:
        UnsupportedError: the engine cannot run the model as it is; says which layer and what to change.
        FormatError: a weight is not finite.
    """
    source_node, *layer_nodes = nodes
    source = source_node.get_attr("source")
    if source is None:
        raise UnsupportedError(
            f"input {source_node.name!r} has no quantizer; the engine reads fixed-point codes: put a QActivation("
            f"'quantized_bits(16, 3, alpha=1)') after it, or set hls_config['LayerName'][{source_node.name!r}]"
            "['Precision']['result'] to, say, 'fixed<16,4>'"
        )
    collector = _Collector(notes=list(notes))
    layers: list[Layer] = []
    here: Fixed = source
    for node in layer_nodes:
        if here.bits > ELEMENT_BITS:
            raise UnsupportedError(
                f"layer {layers[-1].name!r} hands {here.bits}-bit values to {node.name!r}; a vector element has "
                f"{ELEMENT_BITS}: put a QActivation('quantized_bits(16, ...)') between the two"
            )
        layer = _lstm(node, here, collector) if node.class_name == "SparseLSTM" else _dense(node, here, collector)
        layers.append(layer)
        here = _leaves(layer)
    kind, why = common_kind(collector.weights, options.weights)
    collector.notes.append(why)
    if all(matrix.levels.all() for _, matrix in collector.weights):
        size = sum(matrix.levels.size for _, matrix in collector.weights)
        collector.notes.append(
            f"no weight is zero: all {size} multiply-adds of a step are executed; prune the model first "
            "(`ese4ml compress`) to skip most of them"
        )
    layers = [_as_kind(layer, kind) for layer in layers]
    network = Network(tuple(layers), source, "softmax" if layer_nodes[-1].get_attr("softmax") else "none")
    summary = ConversionSummary(tuple(collector.tensors), tuple(collector.notes))
    return Conversion(network, summary, options, _steps(source_node))


def _steps(node: Any) -> int | None:
    """Length of the input's step axis, 0 where it varies, None where there is none."""
    *steps, _features = node.get_attr("input_shape")
    if len(steps) > 1:
        raise UnsupportedError(
            f"input {node.name!r} has shape {node.get_attr('input_shape')}; (steps, features) or (features,) is allowed"
        )
    return None if not steps else 0 if node.get_attr("variable_steps") else int(steps[0])


def _leaves(layer: Layer) -> Fixed:
    """Format of what a layer hands on; an unrounded sum counts as 48 bits."""
    if layer.output is not None:
        return layer.output
    return layer.exact_output if isinstance(layer, Lstm) else Fixed(48, 18)


def _lstm(node: Any, source: Fixed, collector: _Collector) -> Lstm:
    tensors: LayerTensors = node.get_attr("tensors")
    name = node.name
    if tensors.state is None:
        raise UnsupportedError(
            f"layer {name!r} ({tensors.class_name}) has no state_quantizer; h and c are stored in fixed point: "
            "build it with, say, state_quantizer=quantized_bits(16, 3, alpha=1)"
        )
    state = format_of(tensors.state, f"layer {name!r}: state_quantizer")
    if state.relu or state.fixed.bits > ELEMENT_BITS:
        raise UnsupportedError(
            f"layer {name!r}: state_quantizer is {tensors.state}; h and c are signed, of at most {ELEMENT_BITS} bits: "
            "use quantized_bits(16, ...)"
        )
    if tensors.recurrent is None:
        raise UnsupportedError(f"layer {name!r} has no recurrent kernel; an LSTM needs one")
    kernel = collector.matrix(node, tensors.kernel, source)
    recurrent = collector.matrix(node, tensors.recurrent, state.fixed)
    bias, bias_frac = collector.bias(node, tensors.bias, len(kernel.codes))
    return Lstm(
        name=name,
        kernel=kernel,
        recurrent=recurrent,
        bias=bias,
        bias_frac=bias_frac,
        gate=collector.activation(tensors.recurrent_activation, f"layer {name!r}: recurrent_activation"),
        cell=collector.activation(tensors.activation, f"layer {name!r}: activation"),
        source=source,
        state=state.fixed,
        output=node.get_attr("output"),
        return_sequences=node.get_attr("return_sequences"),
        delta_input=_threshold(node, "delta_input", source),
        delta_state=_threshold(node, "delta_state", state.fixed),
    )


def _threshold(node: Any, attribute: str, form: Fixed) -> int | None:
    """A threshold as a code of what it is compared with; rounded down, so that the same differences exceed it."""
    value = node.get_attr(attribute)
    return None if value is None else min(MAX_THRESHOLD, math.floor(math.ldexp(value, form.frac)))


def _dense(node: Any, source: Fixed, collector: _Collector) -> Dense:
    tensors: LayerTensors = node.get_attr("tensors")
    kernel = collector.matrix(node, tensors.kernel, source)
    bias, bias_frac = collector.bias(node, tensors.bias, len(kernel.codes))
    return Dense(node.name, kernel, bias, bias_frac, bool(node.get_attr("relu")), source, node.get_attr("output"))


def _as_kind(layer: Layer, kind: WeightKind) -> Layer:
    """The layer with all its weights stored as `kind`."""
    if isinstance(layer, Dense):
        return replace(layer, kernel=as_kind(layer.kernel, kind))
    projection = None if layer.projection is None else as_kind(layer.projection, kind)
    kernel, recurrent = as_kind(layer.kernel, kind), as_kind(layer.recurrent, kind)
    return replace(layer, kernel=kernel, recurrent=recurrent, projection=projection)
