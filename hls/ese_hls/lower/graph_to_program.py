# SPDX-License-Identifier: Apache-2.0
"""Conversion of the mapped graph to a program (`ese_host.ir.program`)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from hls4ml.model.layers import Input

from ese_hls.graph.nodes import HostStep, SparseNode, keras_tensors
from ese_hls.lower.chosen_formats import SPLIT_RESULTS, ChosenFormats, Range, are_numbers
from ese_hls.lower.conversion import Conversion
from ese_hls.lower.conversion_log import ConversionLog
from ese_hls.lower.engine_layers import as_one_kind, dense
from ese_hls.lower.host_operations import OPERATIONS, activation, head_of, input_port
from ese_hls.lower.known_tensors import known_tensors
from ese_hls.lower.mapping import map_program, warn_of_idle_pes
from ese_hls.lower.options import ConversionOptions
from ese_hls.lower.partition import Partition, add_split_dense
from ese_hls.lower.recurrent_layers import gru, lstm
from ese_hls.quantize import ConversionSummary, common_kind, format_of
from ese_hls.warnings import ConversionWarning
from ese_host.errors import CapacityError, UnsupportedError
from ese_host.ir import ELEMENT_BITS, Fixed, Layer
from ese_host.ir.program import Chain, Head, Output

ENGINE_LAYERS: dict[str, Callable[[Any, Fixed, ConversionLog], Layer]] = {
    "SparseDense": dense,
    "SparseGRU": gru,
    "SparseLSTM": lstm,
}
"""The conversion of each class of nodes that the engine runs."""


def convert(
    nodes: list[Any],
    inputs: list[str],
    outputs: list[str],
    options: ConversionOptions,
    ranges: Mapping[str, Range] | None = None,
    log: ConversionLog | None = None,
) -> Conversion:
    """Convert a graph of inputs, `SparseLSTM`, `SparseGRU`, `SparseDense`, `HostStep` and activation nodes.

    Args:
        nodes: graph nodes in the order of computation, as the passes leave them.
        inputs: names of the input nodes, in the model's order; `nodes` may have another order.
        outputs: names of the output tensors.
        options: the user's choices.
        ranges: the ranges of Keras tensors in samples, by the tensors' names; None without samples.
        log: warnings on the configuration, which are given with those of the conversion.

    Raises:
        UnsupportedError: if the engine cannot run the model, or loses something although `options.strict` is set; the
            message names the layer and what to change.
        CapacityError: if a value needs more bits than a program's codes may have.
        MismatchError: if the codes of a quantizer do not stand for the values that it computes.
    """
    before = [] if log is None else log.warnings
    for bits in SPLIT_RESULTS[:-1]:
        try:
            return _converted(nodes, inputs, outputs, options, ranges or {}, before, bits)
        except CapacityError:  # parts take up to four times the space for weights, and more bits on the host
            continue
    return _converted(nodes, inputs, outputs, options, ranges or {}, before, SPLIT_RESULTS[-1])


def _converted(
    nodes: list[Any],
    inputs: list[str],
    outputs: list[str],
    options: ConversionOptions,
    ranges: Mapping[str, Range],
    before: list[ConversionWarning],
    splits: int,
) -> Conversion:
    """Convert a graph; see `convert`.

    Args:
        nodes: graph nodes in the order of computation.
        inputs: names of the input nodes, in the model's order.
        outputs: names of the output tensors.
        options: the user's choices.
        ranges: the ranges of Keras tensors in samples.
        before: warnings on the configuration.
        splits: most bits of the results of Dense layers that read wide inputs in parts; 0 if none may.
    """
    partition, ends = _partition(nodes, outputs, ranges, splits)
    sources = [step.network.source for step in partition.steps if isinstance(step, Chain)]
    wide = any(source.bits == ELEMENT_BITS and not source.signed for source in sources)
    if wide and any(source.signed for source in sources):
        partition, ends = _partition(nodes, outputs, ranges, splits, reads_signed=True)
    log = partition.log
    kind, why = common_kind(log.weights, options.weights)
    log.notes.append(why)
    if all(matrix.levels.all() for _, matrix in log.weights):
        size = sum(matrix.levels.size for _, matrix in log.weights)
        log.notes.append(
            f"no weight is zero: all {size} multiply-adds of a step are executed; prune the model first "
            "(`ese4ml compress`) to skip most of them"
        )
    partition.ports.sort(key=lambda port: inputs.index(port.name))
    program = partition.program(ends, lambda layer: as_one_kind(layer, kind))
    mapping = map_program(program, options)
    log.notes += [mapping.note] if mapping.note else []
    warn_of_idle_pes(program, mapping.design, options, log)
    log.warnings[:0] = before
    log.publish(options.strict)
    warnings = tuple(map(str, log.warnings))
    summary = ConversionSummary(tuple(log.tensors), tuple(log.notes), _places(partition, nodes), warnings=warnings)
    makers = _makers(nodes, outputs)
    shapes = tuple(tuple(node.get_attr("extents")) for node in makers)
    names = tuple(node.name for node in makers)
    return Conversion(
        program,
        summary,
        options,
        tuple(partition.ports),
        shapes,
        names,
        tuple(known_tensors(nodes, partition, program)),
        {node.name: node.get_attr("output_keras_tensor_names")[0] for node in nodes if isinstance(node, Input)},
        tuple(next(iter(keras_tensors(node)[-1:]), "") for node in makers),
        mapping,
        tuple(partition.splits),
    )


def _partition(
    nodes: list[Any], outputs: list[str], ranges: Mapping[str, Range], splits: int, reads_signed: bool = False
) -> tuple[Partition, list[Output]]:
    """The nodes as chains and host operations, with the outputs of the program.

    Args:
        nodes: graph nodes in the order of computation.
        outputs: names of the output tensors.
        ranges: the ranges of Keras tensors in samples.
        splits: most bits of the results of Dense layers that read wide inputs in parts; 0 if none may.
        reads_signed: whether a chain reads signed values, so that no chain may read unsigned ones of 16 bits.
    """
    log = ConversionLog()

    def layer(node: Any, source: Fixed) -> Layer:
        return ENGINE_LAYERS[node.class_name](node, source, log)

    partition = Partition(layer, log, ChosenFormats(log, ranges, splits), reads_signed=reads_signed)
    partition.stored = _stored_output(nodes)
    idle = not any(isinstance(node, SparseNode) for node in nodes)  # the engine needs something to do
    for node in nodes:
        if isinstance(node, Input):
            _port(partition, node)
        elif isinstance(node, SparseNode):
            if not add_split_dense(partition, node):
                partition.add_layer(node)
        elif isinstance(node, HostStep):
            OPERATIONS[node.get_attr("operation")](partition, node)
        elif not set(node.outputs) & set(outputs) or node.get_output_nodes() or head_of(node) == "none":
            activation(partition, node)  # any other activation is the head of an output: `_end` converts it
        if idle and partition.is_narrow(node):
            partition.pass_through(node)
            idle = False
    if idle:
        raise UnsupportedError(
            "the model has no LSTM, GRU or Dense layer, and no value of at most 16 bits that the engine could pass on: "
            "put a QActivation('quantized_bits(16, 3, alpha=1)') into it"
        )
    return partition, _with_own_names([_end(partition, node) for node in _makers(nodes, outputs)])


def _stored_output(nodes: list[Any]) -> Fixed | None:
    """The format in which the first LSTM with a projection stores its product; other LSTMs can do without storing."""
    for node in nodes:
        tensors = node.get_attr("tensors")
        if tensors is not None and tensors.projection is not None and tensors.product is not None:
            return format_of(tensors.product, f"layer {node.name!r}: output_quantizer").fixed
    return None


def _makers(nodes: list[Any], outputs: list[str]) -> list[Any]:
    """The nodes that compute the model's outputs."""
    node_of = {name: node for node in nodes for name in node.outputs}
    return [node_of[name] for name in outputs]


def _port(partition: Partition, node: Any) -> None:
    """Add an input of the model; all axes between that of the samples and the last one count as steps."""
    extents = node.get_attr("extents")
    numbers = extents == (None,) and are_numbers(node)
    if not numbers and (not extents or None in extents[1:] or (None in extents and len(extents) != 2)):
        raise UnsupportedError(
            f"input {node.name!r} has shape {extents}; allowed are (features,), (steps, features) with a known or "
            "varying number of steps, and shapes of more axes that are all known: give the input such a shape"
        )
    form = partition.chosen.input(node)
    if numbers:
        input_port(partition, node, form, "sequence", None)
    elif len(extents) == 1:
        input_port(partition, node, form, "vector", 1)
    else:
        input_port(partition, node, form, "sequence", None if extents[0] is None else math.prod(extents[:-1]))


def _end(partition: Partition, node: Any) -> Output:
    """The output of the program that a node computes, with its head."""
    head: Head = "none"
    name = str(node.get_attr("keras_name") or node.name)
    if node.outputs[0] in partition.values:
        value = partition.values[node.outputs[0]]
    else:
        head, value = head_of(node), partition.value(node)
        partition.places[node.name] = f"host: {head} of the output, in floating point"
    return Output(partition.unmasked(value), name, head)


def _with_own_names(outputs: list[Output]) -> list[Output]:
    """The outputs, each under a name of its own: a model may give the same tensor twice."""
    names: list[str] = []
    for output in outputs:
        candidates = (output.name, *(f"{output.name}_{number}" for number in range(len(outputs))))
        names.append(next(name for name in candidates if name not in names))
    return [replace(output, name=name) for output, name in zip(outputs, names, strict=True)]


def _places(partition: Partition, nodes: list[Any]) -> tuple[tuple[str, str, str], ...]:
    """Name and class of every layer of the model, and the place where it is computed."""
    rows = []
    for node in nodes:
        kind = str(node.get_attr("keras_class") or node.class_name)
        default = "host: input" if isinstance(node, Input) else "host"
        rows.append((node.name, kind, partition.places.get(node.name, default)))
        rows += [
            (name, folded_kind, f"{how} {node.name!r}") for name, folded_kind, how in node.get_attr("folded") or []
        ]
    return tuple(rows)
