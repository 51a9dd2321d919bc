"""Readers of layers with weights: Dense, LSTM, LSTM with a projection, and Bidirectional."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ese_hls.frontend.call import Call, CallTensor, Node
from ese_hls.quantize import LayerTensors, WeightTensor

MERGES = {"concat": "concatenate", "sum": "add", "mul": "multiply", "ave": "average"}
"""Bidirectional's merge modes, and the operations that merge the two directions."""


def _weight(call: Call, holder: Any, name: str, quantizer: str) -> WeightTensor:
    """The weight array `name` of `holder` (a layer or a cell), with its quantizer `<quantizer>_quantizer_internal`."""
    values = np.asarray(getattr(holder, name), dtype=np.float32)
    return WeightTensor(call.name, name, values, getattr(holder, f"{quantizer}_quantizer_internal", None))


def dense(call: Call) -> tuple[Node, ...]:
    """Read Dense and QDense; Keras applies them at every step of a sequence."""
    layer = call.layer
    tensors = LayerTensors(
        class_name=call.kind,
        kernel=_weight(call, layer, "kernel", "kernel"),
        bias=_weight(call, layer, "bias", "bias") if layer.use_bias else None,
    )
    function = layer.activation
    name = str(getattr(function, "__name__", type(function).__name__))
    if function is None or name == "linear":
        return (call.node("SparseDense", tensors=tensors),)
    # The activation becomes a node of its own behind the Dense node, named as hls4ml names it.
    sums = CallTensor(f"{call.outputs[0].name}_sums", call.outputs[0].shape)
    class_name, node_name = "Softmax" if name == "softmax" else "Activation", f"{call.name}_{name}"
    activation = call.node(
        class_name, (sums,), name=node_name, activation=name, function=function, keras_name=call.name
    )
    return (call.node("SparseDense", output=sums, tensors=tensors), activation)


def lstm(call: Call) -> tuple[Node, ...]:
    """Read LSTM, QLSTM and QLSTMP, with peepholes and a projection if the cell has them.

    Raises:
        UnsupportedError: if the layer returns its states, is stateful, or is called with more than one tensor.
    """
    layer, cell = call.layer, call.layer.cell
    for option in ("return_state", "stateful"):
        if getattr(layer, option, False):
            raise call.refuse(
                f"has {option}=True; only False is allowed, since the engine runs whole sequences and returns no "
                f"states: build the layer with {option}=False"
            )
    if len(call.inputs) > 1:
        raise call.refuse(
            "is called with an initial state or with a mask that another layer computes; the engine starts with states "
            "of zero and takes masks only from Masking layers: call the layer with one tensor"
        )
    tensors = LayerTensors(
        class_name=call.kind,
        kernel=_weight(call, cell, "kernel", "kernel"),
        recurrent=_weight(call, cell, "recurrent_kernel", "recurrent"),
        bias=_weight(call, cell, "bias", "bias") if cell.use_bias else None,
        peepholes=_optional(call, cell, "peephole_kernel", "peephole"),
        projection=_optional(call, cell, "projection_kernel", "projection"),
        product=getattr(cell, "output_quantizer_internal", None),
        state=getattr(cell, "state_quantizer_internal", None),
        activation=cell.activation,
        recurrent_activation=cell.recurrent_activation,
    )
    node = call.node(
        "SparseLSTM",
        return_sequences=bool(layer.return_sequences),
        backwards=bool(layer.go_backwards),
        masked=call.masked,
        zero_masked=bool(getattr(layer, "zero_output_for_mask", False)),
        tensors=tensors,
    )
    return (node,)


def _optional(call: Call, cell: Any, name: str, quantizer: str) -> WeightTensor | None:
    """The weight array `name` of a cell, or None if the cell has no such array."""
    return None if getattr(cell, name, None) is None else _weight(call, cell, name, quantizer)


def bidirectional(call: Call) -> tuple[Node, ...]:
    """Read Bidirectional: two LSTM nodes, a reversal of the backward layer's outputs, and a merge of both directions.

    Raises:
        UnsupportedError: if it wraps another layer than LSTM, QLSTM or QLSTMP.
    """
    wrapper = call.layer
    for layer in (wrapper.forward_layer, wrapper.backward_layer):
        if type(layer).__name__ not in ("LSTM", "QLSTM", "QLSTMP"):
            raise call.refuse(f"wraps {type(layer).__name__}; LSTM, QLSTM and QLSTMP are allowed: use one of them")
    nodes: list[Node] = []
    merged = wrapper.merge_mode is not None
    ends: list[CallTensor] = []
    for index, layer in enumerate((wrapper.forward_layer, wrapper.backward_layer)):
        name = f"{call.name}_{'backward' if layer.go_backwards else 'forward'}"
        width = layer.compute_output_shape((None, *call.inputs[0].shape))[-1]
        shape = (*call.inputs[0].shape[:-1], width) if layer.return_sequences else (width,)
        end = CallTensor(f"{name}_tensor", shape) if merged else call.outputs[index]
        turns = layer.go_backwards and layer.return_sequences
        reversed_end = CallTensor(f"{name}_turned", shape) if turns else end
        nodes += lstm(replace(call, layer=layer, name=name, outputs=(reversed_end,)))
        if turns:
            nodes.append(call.node("HostStep", (reversed_end,), end, f"{name}_in_order", operation="reverse"))
        ends.append(end)
    if merged:
        nodes.append(call.node("HostStep", tuple(ends), operation=MERGES[wrapper.merge_mode], axis=-1))
    return tuple(nodes)
