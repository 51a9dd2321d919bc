"""From the mapped graph to a program of `ese_host.ir.program`."""

from __future__ import annotations

import math
from typing import Any

from hls4ml.model.layers import Input

from ese_hls.graph.nodes import HostStep, SparseNode
from ese_hls.lower.conversion import Conversion
from ese_hls.lower.conversion_log import ConversionLog
from ese_hls.lower.engine_layers import as_one_kind, dense, lstm
from ese_hls.lower.host_steps import STEPS, activation, head_of, input_format
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
        inputs: the graph's input nodes, in the model's order: nodes may stand in another one.
        outputs: the graph's output tensors.
        options: the user's choices.

    Raises:
        UnsupportedError: the engine cannot run the model as it is; says which layer and what to change.
        FormatError: a weight is not finite.
    """
    log = ConversionLog()

    def layer(node: Any, source: Fixed) -> Layer:
        return lstm(node, source, log) if node.class_name == "SparseLSTM" else dense(node, source, log)

    made = Partition(layer, log)
    has_layers = any(isinstance(node, SparseNode) for node in nodes)
    for node in nodes:
        if isinstance(node, Input):
            _port(made, node)
            if not has_layers and len(made.ports) == 1:
                made.pass_through(node)
        elif isinstance(node, SparseNode):
            made.engine(node)
        elif isinstance(node, HostStep):
            STEPS[node.get_attr("operation")](made, node)
        elif not set(node.outputs) & set(outputs) or node.get_output_nodes() or head_of(node) == "none":
            activation(made, node)
    makers = _makers(nodes, outputs)
    ends = [_end(made, node) for node in makers]
    kind, why = common_kind(log.weights, options.weights)
    log.notes.append(why)
    if all(matrix.levels.all() for _, matrix in log.weights):
        size = sum(matrix.levels.size for _, matrix in log.weights)
        log.notes.append(
            f"no weight is zero: all {size} multiply-adds of a step are executed; prune the model first "
            "(`ese4ml compress`) to skip most of them"
        )
    made.ports.sort(key=lambda port: inputs.index(port.name))
    program = made.program(ends, lambda layer: as_one_kind(layer, kind))
    summary = ConversionSummary(tuple(log.tensors), tuple(log.notes), _places(made, nodes))
    shapes = tuple(tuple(node.get_attr("extents")) for node in makers)
    return Conversion(program, summary, options, tuple(made.ports), shapes, tuple(node.name for node in makers))


def _makers(nodes: list[Any], outputs: list[str]) -> list[Any]:
    """The node of each of the model's outputs."""
    made = {name: node for node in nodes for name in node.outputs}
    return [made[name] for name in outputs]


def _port(made: Partition, node: Any) -> None:
    """An input as the program sees it; axes between the samples' and the last one are its steps."""
    extents = node.get_attr("extents")
    if not extents or None in extents[1:] or (None in extents and len(extents) != 2):
        raise UnsupportedError(
            f"input {node.name!r} has shape {extents}; (features,), (steps, features) and more axes of known length "
            "are allowed, of which the steps of (steps, features) may vary: give the input a shape"
        )
    form = input_format(made, node)
    if len(extents) == 1:
        made.port(node, Port(node.name, extents[0], form, "vector", 1))
        return
    steps = None if extents[0] is None else math.prod(extents[:-1])
    made.port(node, Port(node.name, extents[-1], form, "sequence", steps))


def _end(made: Partition, node: Any) -> Output:
    """One of the model's outputs."""
    head: Head = "none"
    name = str(node.get_attr("keras_name") or node.name)
    if node.outputs[0] in made.values:
        value = made.values[node.outputs[0]]
    else:
        head, value = head_of(node), made.value(node)
        made.places[node.name] = f"host: {head} of the output, in floating point"
    return Output(made.whole(value), name, head)


def _places(made: Partition, nodes: list[Any]) -> tuple[tuple[str, str, str], ...]:
    """Name and class of every layer of the model, and where its work is done."""
    rows = []
    for node in nodes:
        kind = str(node.get_attr("keras_class") or node.class_name)
        rows.append((node.name, kind, made.places.get(node.name, "host: input" if isinstance(node, Input) else "host")))
        rows += [(name, own, f"{how} {node.name!r}") for name, own, how in node.get_attr("folded") or []]
    return tuple(rows)
