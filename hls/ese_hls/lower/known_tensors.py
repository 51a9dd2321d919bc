# SPDX-License-Identifier: Apache-2.0
"""Which tensors of the Keras model a program computes, so that the self-check can compare them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hls4ml.model.layers import Input

from ese_hls.graph.nodes import SparseNode, keras_tensors, maker
from ese_hls.lower.conversion import UNMASKED, KnownTensor
from ese_hls.lower.partition import Partition
from ese_host.ir.program import INPUT, OUTPUT, Chain, Program


def known_tensors(nodes: list[Any], partition: Partition, program: Program) -> Iterator[KnownTensor]:
    """The tensors of the Keras model that a program computes, in the order of computation.

    Args:
        nodes: the graph nodes in the order of computation, as the passes leave them.
        partition: the program that was built of them.
        program: the finished program, in which a single chain has other names.
    """
    of_chains = {layer.name for chain in program.chains for layer in chain.network.layers}
    by_host = {step.target for step in program.steps if not isinstance(step, Chain)}
    port = partition.ports[0].name
    for node in nodes:
        value = partition.values.get(node.outputs[0])
        if value is None or (isinstance(node, Input) and not node.get_attr("quantized")):
            continue  # of an input that the model does not round, Keras reads all bits
        names, what = _names(node), _described(node)
        layer, tensor = maker(node), value.tensor
        within = isinstance(layer, SparseNode) and value.tensor == layer.outputs[0] and layer.name in of_chains
        if within and value.tensor not in by_host:
            yield from (KnownTensor(name, what, tensor, layer.name, _is_exact(layer), value.masked) for name in names)
        else:
            if program.lone is not None:
                tensor = INPUT if tensor == port else OUTPUT
            if tensor in program.tensors:  # a tensor that nobody reads is left out of the program
                yield from (KnownTensor(name, what, tensor, masked=value.masked) for name in names)
        restored = f"{value.tensor}{UNMASKED}"
        if restored in program.tensors:
            yield from (KnownTensor(name, f"{what}, with its masked frames", restored) for name in names)


def _names(node: Any) -> list[str]:
    """Names of the Keras tensors that have a node's value; none of a ReLU behind which a quantizer is absorbed, too."""
    return [] if node.get_attr("absorbed") and keras_tensors(maker(node)) else keras_tensors(node)


def _is_exact(layer: Any) -> bool:
    """Whether Keras has the layer's exact output, because the model has no quantizer there."""
    tensors = layer.get_attr("tensors")
    if tensors.projection is not None:
        return tensors.state is None
    return layer.get_attr("output") is None


def _described(node: Any) -> str:
    """A node and the layers folded into it, for messages."""
    layer = maker(node)
    others = [name for name, _, _ in layer.get_attr("folded") or []] + ([node.name] if node is not layer else [])
    what = f"layer {layer.name!r} ({layer.get_attr('keras_class') or layer.class_name})"
    return f"{what} with {', '.join(map(repr, others))} folded into it" if others else what
