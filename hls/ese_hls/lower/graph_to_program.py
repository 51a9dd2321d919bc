"""Conversion of the mapped graph to a program (`ese_host.ir.program`)."""

from __future__ import annotations

import math
from typing import Any

from hls4ml.model.layers import Input

from ese_hls.graph.nodes import HostStep, SparseNode
from ese_hls.lower.conversion import Conversion
from ese_hls.lower.conversion_log import ConversionLog
from ese_hls.lower.engine_layers import as_one_kind, dense, lstm
from ese_hls.lower.host_steps import OPERATIONS, activation, head_of, input_format
from ese_hls.lower.options import ConversionOptions
from ese_hls.lower.partition import Partition
from ese_hls.quantize import ConversionSummary, common_kind
from ese_host.errors import UnsupportedError
from ese_host.ir import Fixed, Layer
from ese_host.ir.program import Head, Output, Port


def convert(nodes: list[Any], inputs: list[str], outputs: list[str], options: ConversionOptions) -> Conversion:
    """Convert a graph of inputs, `SparseLSTM`, `SparseDense`, `HostStep` and activation nodes.

    Args:
        nodes: graph nodes in the order of computation, as the passes leave them.
        inputs: names of the input nodes, in the model's order; `nodes` may have another order.
        outputs: names of the output tensors.
        options: the user's choices.

    Raises:
        UnsupportedError: if the engine cannot run the model; the message names the layer and what to change.
        CapacityError: if a value needs more bits than a program's codes may have.
        MismatchError: if the codes of a quantizer do not stand for the values that it computes.
    """
    log = ConversionLog()

    def layer(node: Any, source: Fixed) -> Layer:
        return lstm(node, source, log) if node.class_name == "SparseLSTM" else dense(node, source, log)

    partition = Partition(layer, log)
    has_layers = any(isinstance(node, SparseNode) for node in nodes)
    for node in nodes:
        if isinstance(node, Input):
            _port(partition, node)
            if not has_layers and len(partition.ports) == 1:
                partition.pass_through(node)
        elif isinstance(node, SparseNode):
            partition.add_layer(node)
        elif isinstance(node, HostStep):
            OPERATIONS[node.get_attr("operation")](partition, node)
        elif not set(node.outputs) & set(outputs) or node.get_output_nodes() or head_of(node) == "none":
            activation(partition, node)  # any other activation is the head of an output: `_end` converts it
    makers = _makers(nodes, outputs)
    ends = [_end(partition, node) for node in makers]
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
    summary = ConversionSummary(tuple(log.tensors), tuple(log.notes), _places(partition, nodes))
    shapes = tuple(tuple(node.get_attr("extents")) for node in makers)
    return Conversion(program, summary, options, tuple(partition.ports), shapes, tuple(node.name for node in makers))


def _makers(nodes: list[Any], outputs: list[str]) -> list[Any]:
    """The nodes that compute the model's outputs."""
    node_of = {name: node for node in nodes for name in node.outputs}
    return [node_of[name] for name in outputs]


def _port(partition: Partition, node: Any) -> None:
    """Add an input of the model; all axes between that of the samples and the last one count as steps."""
    extents = node.get_attr("extents")
    if not extents or None in extents[1:] or (None in extents and len(extents) != 2):
        raise UnsupportedError(
            f"input {node.name!r} has shape {extents}; allowed are (features,), (steps, features) with a known or "
            "varying number of steps, and shapes of more axes that are all known: give the input such a shape"
        )
    form = input_format(partition, node)
    if len(extents) == 1:
        partition.add_port(node, Port(node.name, extents[0], form, "vector", 1))
        return
    steps = None if extents[0] is None else math.prod(extents[:-1])
    partition.add_port(node, Port(node.name, extents[-1], form, "sequence", steps))


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
