# SPDX-License-Identifier: Apache-2.0
"""Readers of Dense, QDense and QDenseBatchnorm, and of weight arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from ese_hls.frontend.call import Call, CallTensor, Node
from ese_hls.frontend.plain_layers import function_nodes
from ese_hls.quantize import LayerTensors, WeightTensor, name_of


def weight(call: Call, holder: Any, name: str, quantizer: str, values: Any = None) -> WeightTensor:
    """A weight array and its quantizer.

    Args:
        call: the layer's call.
        holder: the layer or cell that has the array.
        name: the array's name.
        quantizer: the quantizer's name; it is `<quantizer>_quantizer_internal` of the holder.
        values: the array if it is other than the holder's own.
    """
    array = np.asarray(getattr(holder, name) if values is None else values, dtype=np.float32)
    return WeightTensor(call.name, name, array, getattr(holder, f"{quantizer}_quantizer_internal", None))


def dense(call: Call) -> tuple[Node, ...]:
    """Read Dense and QDense; Keras applies them at every step of a sequence."""
    layer = call.layer
    bias = weight(call, layer, "bias", "bias") if layer.use_bias else None
    return _dense(call, weight(call, layer, "kernel", "kernel"), bias)


def dense_batchnorm(call: Call) -> tuple[Node, ...]:
    """Read QDenseBatchnorm, which quantizes kernel and bias after a batch normalization is folded into them.

    At inference all folding modes fold the moving statistics, as `get_folded_weights` does.
    """
    kernel, bias = call.layer.get_folded_weights()
    return _dense(
        call,
        weight(call, call.layer, "kernel", "kernel", kernel),
        weight(call, call.layer, "bias", "bias", bias),
    )


def _dense(call: Call, kernel: WeightTensor, bias: WeightTensor | None) -> tuple[Node, ...]:
    """The node of a fully connected layer, and that of its activation, named as hls4ml names it.

    Both are made at once, because hls4ml's `insert_node` would connect only the first reader of the layer to a node
    that a pass adds behind it.
    """
    tensors = LayerTensors(class_name=call.kind, kernel=kernel, bias=bias)
    function = call.layer.activation
    name = name_of(function)
    if function is None or name == "linear":
        return (call.node("SparseDense", tensors=tensors),)
    sums = CallTensor(f"{call.outputs[0].name}_sums", call.outputs[0].shape)
    nodes = function_nodes(call, function, inputs=(sums,), name=f"{call.name}_{name}", keras_name=call.name)
    return (call.node("SparseDense", output=sums, tensors=tensors), *nodes)
